//! The estimators against `reference/noise/golden.json`, which names its generator.

use acclip_noise::pictures::histogram::{Histogram, freedman_diaconis};
use acclip_noise::pictures::moments::Moments;
use acclip_noise::pictures::outliers::{NORMAL_EXTREME, NORMAL_MILD, outliers};
use acclip_noise::stable::SymmetricStable;
use acclip_noise::tail::hill::hill;
use acclip_noise::tail::mohammadi::{Centring, mohammadi};
use acclip_noise::tail::moment_estimator::moment_estimator;
use acclip_noise::{Evidence, Interval};
use rand::SeedableRng;
use rand::distr::Distribution;
use serde_json::Value;

/// Relative difference allowed: sums of 200 terms in f64 lose three of 16 digits.
const RELATIVE: f64 = 1e-12;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../reference/noise/golden.json")).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number in the golden file")
}

fn list(value: &Value) -> &[Value] {
    let list = value.as_array().expect("a list in the golden file");
    assert!(!list.is_empty());
    list
}

fn sample(name: &str) -> Vec<f64> {
    list(&golden()[name]).iter().map(number).collect()
}

#[track_caller]
fn assert_close(found: f64, expected: &Value) {
    let expected = number(expected);
    assert!(
        (found - expected).abs() <= RELATIVE * expected.abs(),
        "{found} is not {expected}"
    );
}

#[test]
fn moments() {
    let expected = &golden()["moments"];
    let found = Moments::of(&sample("sample")).finalize().unwrap();
    assert_close(found.mean, &expected["mean"]);
    assert_close(found.variance.unwrap(), &expected["variance"]);
    assert_close(found.skewness.unwrap(), &expected["skewness"]);
    assert_close(found.excess_kurtosis.unwrap(), &expected["excess_kurtosis"]);
}

#[test]
fn hill_at_several_k() {
    for case in list(&golden()["hill"]) {
        let k = number(&case["k"]) as usize;
        let found = hill(&sample("sample"), k).unwrap();
        assert_close(found.alpha.estimate, &case["alpha"]);
    }
}

/// On a heavy sample, where ξ̂ > 0, and on a light one, where the other variance holds.
#[test]
fn moment_estimator_with_interval() {
    let mut signs = [0, 0];
    for (values, cases) in [("sample", "moment"), ("light", "moment_light")] {
        for case in list(&golden()[cases]) {
            let k = number(&case["k"]) as usize;
            let Interval {
                low,
                estimate,
                high,
                ..
            } = moment_estimator(&sample(values), k).unwrap().xi;
            assert_close(estimate, &case["xi"]);
            assert_close(low, &case["low"]);
            assert_close(high, &case["high"]);
            signs[usize::from(estimate > 0.0)] += 1;
        }
    }
    assert!(signs[0] >= 2 && signs[1] >= 2, "both variances are met");
}

#[test]
fn mohammadi_under_each_centring() {
    let expected = &golden()["mohammadi"];
    let x = sample("sample");
    for (centring, name) in [
        (Centring::None, "none"),
        (Centring::Mean, "mean"),
        (Centring::Median, "median"),
    ] {
        // An odd sample has its median among the values; this one is even, so no ln 0.
        let found = mohammadi(&x, centring).unwrap();
        let expected = number(&expected[name]);
        assert!(
            (found - expected).abs() < 1e-10,
            "{found} is not {expected}"
        );
    }
}

#[test]
fn outlier_counts_and_normal_shares() {
    let expected = &golden()["outliers"];
    let found = outliers(&sample("sample")).unwrap();
    assert_eq!(found.mild as f64, number(&expected["mild"]));
    assert_eq!(found.extreme as f64, number(&expected["extreme"]));
    assert!(found.extreme > 0 && found.mild > found.extreme);
    assert_close(NORMAL_MILD, &expected["normal_mild"]);
    assert_close(NORMAL_EXTREME, &expected["normal_extreme"]);
}

#[test]
fn lognormal_test() {
    let found = Evidence::collect(&sample("sample")).unwrap();
    let expected = number(&golden()["jarque_bera_of_logs_p"]);
    let found = found.lognormal_p.unwrap();
    assert!((found / expected - 1.0).abs() < 1e-9, "{found}, {expected}");
}

#[test]
fn histogram() {
    let x = sample("sample");
    let golden = golden();
    let bins = number(&golden["freedman_diaconis_bins"]) as usize;
    assert_eq!(freedman_diaconis(&x, 10_000), Ok(bins));
    let expected: Vec<u64> = list(&golden["histogram"])
        .iter()
        .map(|c| number(c) as u64)
        .collect();
    assert_eq!(Histogram::new(&x, 12).unwrap().counts(), expected);
}

/// The share of draws in [−x, x] has standard error √(p(1 − p)/n); four are allowed.
#[test]
fn stable_draws_have_the_probabilities_of_the_law() {
    const N: usize = 200_000;
    for case in list(&golden()["stable_inside"]) {
        let (alpha, x, p) = (
            number(&case["alpha"]),
            number(&case["x"]),
            number(&case["p"]),
        );
        let rng = rand_chacha::ChaCha8Rng::seed_from_u64(30);
        let law = SymmetricStable::new(alpha).unwrap();
        let inside = law
            .sample_iter(rng)
            .take(N)
            .filter(|v| v.abs() <= x)
            .count();
        let found = inside as f64 / N as f64;
        let error = (p * (1.0 - p) / N as f64).sqrt();
        assert!(
            (found - p).abs() < 4.0 * error,
            "alpha {alpha}, x {x}: {found} is not {p} ± {error}"
        );
    }
}
