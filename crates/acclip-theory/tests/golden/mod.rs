//! `reference/theory/golden.json`, which names its generator.

use acclip_theory::noise::Law;
use serde_json::Value;

/// The file.
pub fn golden() -> Value {
    serde_json::from_str(include_str!("../../../../reference/theory/golden.json")).unwrap()
}

/// A number.
pub fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// A list of numbers.
pub fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(number)
        .collect()
}

/// The law that a row is about.
pub fn law(row: &Value) -> Law {
    match (
        row["law"].as_str().unwrap(),
        numbers(&row["parameters"]).as_slice(),
    ) {
        ("gaussian", []) => Law::Gaussian,
        ("student", &[nu]) => Law::StudentT { nu },
        ("pareto", &[index]) => Law::Pareto { index },
        ("stable", &[alpha, beta]) => Law::Stable { alpha, beta },
        ("two_point", &[p]) => Law::TwoPoint { p },
        ("spike", &[p]) => Law::Spike { p },
        other => panic!("{other:?}"),
    }
}
