//! Trajectories of every rule against `reference/optim/generate.py`: decimal arithmetic with 50
//! digits, and PyTorch where it has the rule. 60 steps, blocks that are not square, decay on some
//! and off others, every hyper-parameter off its default at least once, gradients × 1, 1e-3, 1e-6.

use acclip_optim::{Block, Element, Hyper, Layout, NAMES, Optimizer, Real};
use serde::Deserialize;

/// Largest |x − golden| / max(|golden|, 1) in f64.
const MAX_ERROR_F64: f64 = 1e-13;
/// The same in f32, in units of 2⁻²³: one rounding a step, and those within the rule.
const MAX_ERROR_F32_ULPS: f64 = 12.0;

#[derive(Deserialize)]
struct Golden {
    blocks: Vec<BlockRow>,
    start: Vec<f64>,
    schedule: Vec<f64>,
    recorded: Vec<usize>,
    grads_times_1024: Vec<Vec<f64>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct BlockRow {
    name: String,
    shape: Vec<usize>,
    decay: bool,
    #[serde(default = "one")]
    learning_rate_scale: f64,
    #[serde(default)]
    frozen: bool,
}

fn one() -> f64 {
    1.0
}

impl Golden {
    fn layout(&self) -> Layout {
        let blocks = self.blocks.iter().map(|row| Block {
            learning_rate_scale: row.learning_rate_scale,
            frozen: row.frozen,
            ..Block::new(row.name.as_str(), row.shape.as_slice(), row.decay)
        });
        Layout::new(blocks.collect()).unwrap()
    }
}

#[derive(Deserialize)]
struct Case {
    optimizer: String,
    hyper: Hyper,
    scale: f64,
    learning_rate: f64,
    params: Vec<Vec<f64>>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden.json")).unwrap()
}

/// The largest |x − golden| / max(|golden|, 1) over the recorded steps and coordinates.
fn error<F: Real + Element<Compute = F>>(golden: &Golden, case: &Case) -> f64 {
    let layout = golden.layout();
    let optimizer = Optimizer::new(&case.optimizer, &case.hyper).unwrap();
    let mut state = optimizer.init::<F>(&layout);
    let mut params: Vec<F> = golden.start.iter().map(|&x| F::narrow(x)).collect();
    let mut expected = golden.recorded.iter().zip(&case.params).peekable();
    let mut worst = 0.0;
    for (k, integers) in golden.grads_times_1024.iter().enumerate() {
        let grad: Vec<F> = integers
            .iter()
            .map(|&g| F::narrow(g / 1024.0 * case.scale))
            .collect();
        let learning_rate = case.learning_rate * golden.schedule[k];
        optimizer
            .step(learning_rate, &layout, &mut params, &grad, &mut state)
            .unwrap();
        if let Some((_, row)) = expected.next_if(|(t, _)| **t == k + 1) {
            assert_eq!(row.len(), params.len());
            for (x, golden) in params.iter().zip(row) {
                let error = (x.widen() - golden).abs() / golden.abs().max(1.0);
                assert!(error.is_finite());
                worst = f64::max(worst, error);
            }
        }
    }
    assert!(expected.next().is_none(), "every recorded step was reached");
    worst
}

#[test]
fn f64_follows_the_golden_trajectories() {
    let golden = golden();
    for case in &golden.cases {
        let error = error::<f64>(&golden, case);
        println!(
            "{} {:?} ×{:e}: {error:.1e}",
            case.optimizer, case.hyper, case.scale
        );
        assert!(
            error <= MAX_ERROR_F64,
            "{} {:?} ×{:e}: {error:e}",
            case.optimizer,
            case.hyper,
            case.scale
        );
    }
}

#[test]
fn f32_follows_the_golden_trajectories() {
    let golden = golden();
    for case in &golden.cases {
        let ulps = error::<f32>(&golden, case) / f64::from(f32::EPSILON);
        println!(
            "{} {:?} ×{:e}: {ulps:.1}",
            case.optimizer, case.hyper, case.scale
        );
        assert!(
            ulps <= MAX_ERROR_F32_ULPS,
            "{} {:?} ×{:e}: {ulps}",
            case.optimizer,
            case.hyper,
            case.scale
        );
    }
}

#[test]
fn the_golden_file_covers_every_name_and_hyper_parameter() {
    let golden = golden();
    for name in NAMES {
        let cases: Vec<&Case> = golden
            .cases
            .iter()
            .filter(|case| case.optimizer == name)
            .collect();
        let scales: Vec<f64> = cases.iter().map(|case| case.scale).collect();
        assert!(
            [1.0, 1e-3, 1e-6].iter().all(|scale| scales.contains(scale)),
            "{name}: scales {scales:?}"
        );
        // Each hyper-parameter is given once with another value than its default.
        let fields = |hyper: &Hyper| match serde_json::to_value(hyper).unwrap() {
            serde_json::Value::Object(fields) => fields,
            other => panic!("{other}"),
        };
        for (field, default) in fields(&Optimizer::new(name, &Hyper::default()).unwrap().hyper()) {
            let off = cases.iter().any(|case| {
                fields(&case.hyper)
                    .get(&field)
                    .is_some_and(|value| *value != default)
            });
            assert!(off, "{name}: {field} is always at its default");
        }
    }
}
