//! Trajectories of every rule against `reference/optim/generate.py`: decimal arithmetic with 50
//! digits, and PyTorch where it has the rule. 60 steps, blocks that are not square, decay on some
//! and off others, every hyper-parameter off its default at least once, gradients × 1, 1e-3, 1e-6;
//! in one pass where the chain fits into one, and link by link.

mod common;

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

#[derive(Deserialize)]
struct Case {
    optimizer: String,
    hyper: Hyper,
    scale: f64,
    learning_rate: f64,
    params: Vec<Vec<f64>>,
}

impl Golden {
    fn read() -> Golden {
        serde_json::from_str(include_str!("golden.json")).unwrap()
    }

    fn layout(&self) -> Layout {
        let blocks = self.blocks.iter().map(|row| Block {
            learning_rate_scale: row.learning_rate_scale,
            frozen: row.frozen,
            ..Block::new(row.name.as_str(), row.shape.as_slice(), row.decay)
        });
        Layout::new(blocks.collect()).unwrap()
    }

    /// The largest |x − golden| / max(|golden|, 1) over the recorded steps and coordinates.
    fn error<F: Real + Element<Compute = F>>(&self, case: &Case, one_pass: bool) -> f64 {
        let layout = self.layout();
        let optimizer = Optimizer::new(&case.optimizer, &case.hyper).unwrap();
        let optimizer = optimizer.with_one_pass(one_pass);
        let mut state = optimizer.init::<F>(&layout);
        let mut params: Vec<F> = self.start.iter().map(|&x| F::narrow(x)).collect();
        let mut expected = self.recorded.iter().zip(&case.params).peekable();
        let mut worst = 0.0;
        for (k, integers) in self.grads_times_1024.iter().enumerate() {
            let scaled = |&g: &f64| F::narrow(g / 1024.0 * case.scale);
            let grad: Vec<F> = integers.iter().map(scaled).collect();
            let learning_rate = case.learning_rate * self.schedule[k];
            let step = optimizer.step(learning_rate, &layout, &mut params, &grad, &mut state);
            step.unwrap();
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

    /// Every case, in one pass and link by link, comes within `bound` times `unit`.
    fn follow<F: Real + Element<Compute = F>>(&self, bound: f64, unit: f64) {
        for case in &self.cases {
            for one_pass in [true, false] {
                let error = self.error::<F>(case, one_pass) / unit;
                let (name, hyper) = (&case.optimizer, &case.hyper);
                assert!(
                    error <= bound,
                    "{name} {hyper:?} ×{:e}, one pass {one_pass}: {error:e}",
                    case.scale
                );
            }
        }
    }
}

#[test]
fn f64_follows_the_golden_trajectories() {
    common::on_threads(1, || Golden::read().follow::<f64>(MAX_ERROR_F64, 1.0));
}

#[test]
fn f32_follows_the_golden_trajectories() {
    let unit = f64::from(f32::EPSILON);
    common::on_threads(1, || Golden::read().follow::<f32>(MAX_ERROR_F32_ULPS, unit));
}

#[test]
fn the_golden_file_covers_every_name_scale_and_hyper_parameter() {
    let golden = Golden::read();
    let fields = |hyper: &Hyper| match serde_json::to_value(hyper).unwrap() {
        serde_json::Value::Object(fields) => fields,
        other => panic!("{other}"),
    };
    for name in NAMES {
        let cases = || golden.cases.iter().filter(|case| case.optimizer == name);
        for scale in [1.0, 1e-3, 1e-6] {
            assert!(
                cases().any(|case| case.scale == scale),
                "{name}: no scale {scale:e}"
            );
        }
        // Each hyper-parameter, numbers, counts and flags, is given once another value than its
        // default; a count as a flag must be off its default in its type as well.
        for (field, default) in fields(&common::make(name, "").hyper()) {
            let given = || cases().filter_map(|case| fields(&case.hyper).remove(&field));
            let off = |value: serde_json::Value| match (value.as_f64(), default.as_f64()) {
                (Some(value), Some(default)) => value != default,
                _ => value != default,
            };
            assert!(given().any(off), "{name}: {field} is always at its default");
        }
    }
}
