//! Gradients that are not finite, and what a step reports.

use acclip_optim::{
    Block, BlockStats, Error, Hyper, Layout, Link, NAMES, NonFinite, Optimizer, ProjectBall,
    ProjectBox, State, Stats,
};
use half::bf16;

const BAD: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
/// Where gradients are not finite: twice in the second block, in the frozen one, twice in the last.
const PLACES: [usize; 5] = [603, 604, 611, 900, 911];

/// 600, 7, 293 and 12 coordinates: the third is frozen, the second and fourth are groups of their own.
fn layout() -> Layout {
    let mut blocks = vec![
        Block::new("weight", [3, 200], true),
        Block::new("bias", [7], false),
        Block::new("frozen", [293], true),
        Block::new("head", [3, 4], true),
    ];
    blocks[1].learning_rate_scale = 0.3;
    blocks[2].frozen = true;
    blocks[3].learning_rate_scale = 2.5;
    Layout::new(blocks).unwrap()
}

/// Skewed and heavy-tailed, about 0.1 in size.
fn grad(layout: &Layout, t: u64) -> Vec<f32> {
    let entry = |i: usize| {
        let k = (i as u64 * 2654435761 + t * 40503 + 17) % 1009;
        10.0 / (k as f32 - 300.3)
    };
    (0..layout.len()).map(entry).collect()
}

fn optimizer(name: &str, policy: NonFinite) -> Optimizer {
    Optimizer::new(name, &Hyper::default())
        .unwrap()
        .with_non_finite(policy)
}

/// Parameters and state of two ordinary steps.
fn started(optimizer: &Optimizer, layout: &Layout) -> (Vec<f32>, State<f32>) {
    let mut params: Vec<f32> = (0..layout.len())
        .map(|i| (i % 7) as f32 / 10.0 - 0.2)
        .collect();
    let mut state = optimizer.init(layout);
    for t in 0..2 {
        optimizer
            .step(0.01, layout, &mut params, &grad(layout, t), &mut state)
            .unwrap();
    }
    (params, state)
}

/// The gradient of step 2 with these entries at `PLACES`.
fn broken(layout: &Layout, entries: &[f32]) -> Vec<f32> {
    let mut grad = grad(layout, 2);
    for (place, entry) in PLACES.iter().zip(entries.iter().cycle()) {
        grad[*place] = *entry;
    }
    grad
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn error_and_skip_change_nothing() {
    let layout = layout();
    for name in NAMES {
        for bad in BAD {
            let grad = broken(&layout, &[bad]);
            let strict = optimizer(name, NonFinite::Error);
            let (mut params, mut state) = started(&strict, &layout);
            let before = (params.clone(), state.clone());
            let expected = Error::NonFiniteGradient {
                block: "bias".into(),
                index: 3,
            };
            assert_eq!(
                strict.step(0.01, &layout, &mut params, &grad, &mut state),
                Err(expected),
                "{name}"
            );
            assert!(params == before.0 && state == before.1, "{name}");

            let skip = optimizer(name, NonFinite::Skip);
            let stats = skip
                .step(0.01, &layout, &mut params, &grad, &mut state)
                .unwrap();
            assert!(stats.skipped && stats.grad_norm.is_nan(), "{name}");
            assert!(
                stats.update_norm == 0.0 && stats.clipped == 0.0 && stats.zeroed == 0,
                "{name}"
            );
            assert_eq!(stats.blocks, [BlockStats::default(); 4], "{name}");
            assert_eq!((state.t, state.skipped, state.zeroed), (2, 1, 0), "{name}");
            state.skipped = 0;
            assert!(params == before.0 && state == before.1, "{name}");
        }
    }
}

#[test]
fn zero_is_a_gradient_with_zeros_in_those_places() {
    let layout = layout();
    for name in NAMES {
        for one_pass in [true, false] {
            let optimizer = optimizer(name, NonFinite::Zero).with_one_pass(one_pass);
            let step = |grad: &[f32]| {
                let (mut params, mut state) = started(&optimizer, &layout);
                let stats = optimizer
                    .step(0.01, &layout, &mut params, grad, &mut state)
                    .unwrap();
                (params, state, stats)
            };
            let (params, mut state, mut stats) = step(&broken(&layout, &BAD));
            let zeros = step(&broken(&layout, &[0.0]));
            // Two in the first group, two in the last; the one in the frozen block is no one's.
            assert_eq!(
                (stats.zeroed, state.zeroed, zeros.2.zeroed),
                (4, 4, 0),
                "{name}"
            );
            let by_block: Vec<u64> = stats.blocks.iter().map(|block| block.zeroed).collect();
            assert_eq!(by_block, [0, 2, 0, 2], "{name}");
            (stats.zeroed, state.zeroed) = (0, 0);
            stats.blocks.iter_mut().for_each(|block| block.zeroed = 0);
            assert_eq!(stats, zeros.2, "{name}");
            assert!(stats.grad_norm.is_finite() && !stats.skipped, "{name}");
            assert!(
                bits(&params) == bits(&zeros.0) && state == zeros.1,
                "{name}"
            );
        }
    }
}

#[test]
fn what_is_not_finite_in_a_frozen_block_does_not_matter() {
    let layout = layout();
    for name in NAMES {
        for policy in [NonFinite::Error, NonFinite::Skip, NonFinite::Zero] {
            let optimizer = optimizer(name, policy);
            let step = |entry: f32| {
                let (mut params, mut state) = started(&optimizer, &layout);
                let mut grad = grad(&layout, 2);
                grad[607..900].fill(entry);
                let stats = optimizer
                    .step(0.01, &layout, &mut params, &grad, &mut state)
                    .unwrap();
                (params, state, stats)
            };
            let (params, state, stats) = step(f32::NAN);
            assert!(
                (bits(&params), &state, &stats) == (bits(&step(3.0).0), &step(3.0).1, &step(3.0).2),
                "{name}"
            );
            assert_eq!((state.t, state.skipped, state.zeroed), (3, 0, 0), "{name}");
            assert_eq!(stats.blocks[2], BlockStats::default(), "{name}");
        }
    }
}

#[test]
fn a_gradient_of_nothing_but_nan_is_zero_under_zero() {
    let layout = layout();
    for name in NAMES {
        let optimizer = optimizer(name, NonFinite::Zero);
        let step = |entry: f32| {
            let (mut params, mut state) = started(&optimizer, &layout);
            let grad = vec![entry; layout.len()];
            let stats = optimizer
                .step(0.01, &layout, &mut params, &grad, &mut state)
                .unwrap();
            (bits(&params), state, stats)
        };
        let (params, mut state, stats) = step(f32::NAN);
        assert_eq!(
            (stats.zeroed, state.zeroed, stats.grad_norm),
            (619, 619, 0.0),
            "{name}"
        );
        state.zeroed = 0;
        assert!((params, state) == (step(0.0).0, step(0.0).1), "{name}");
    }
}

#[test]
fn counters_add_up_over_steps() {
    let layout = layout();
    let (strict, skip, zero) = (
        optimizer("adamw", NonFinite::Error),
        optimizer("adamw", NonFinite::Skip),
        optimizer("adamw", NonFinite::Zero),
    );
    let (mut params, mut state) = started(&strict, &layout);
    let bad = broken(&layout, &BAD);
    for _ in 0..3 {
        skip.step(0.01, &layout, &mut params, &bad, &mut state)
            .unwrap();
        zero.step(0.01, &layout, &mut params, &bad, &mut state)
            .unwrap();
        assert!(
            strict
                .step(0.01, &layout, &mut params, &bad, &mut state)
                .is_err()
        );
    }
    assert_eq!((state.t, state.skipped, state.zeroed), (5, 3, 12));
}

#[test]
fn a_norm_beyond_f64_is_an_error_that_changes_nothing() {
    let layout = layout();
    for name in NAMES {
        for policy in [NonFinite::Error, NonFinite::Skip] {
            let optimizer = optimizer(name, policy);
            let (mut params, mut state) = (vec![0.5_f64; layout.len()], optimizer.init(&layout));
            let mut grad = vec![0.1_f64; layout.len()];
            // Each finite, and in the frozen block no one's.
            grad[700] = 1e300;
            optimizer
                .step(0.01, &layout, &mut params, &grad, &mut state)
                .unwrap();
            let before = (params.clone(), state.clone());
            (grad[5], grad[605]) = (1.2e154, -1.2e154);
            let refused = optimizer.step(0.01, &layout, &mut params, &grad, &mut state);
            assert_eq!(refused, Err(Error::GradientOverflow), "{name}");
            assert!(params == before.0 && state == before.1, "{name}");
        }
    }
    // A clip by norm cannot do without it; under Zero, the others report it as infinite.
    for (name, works) in [
        ("gclip", false),
        ("qclip-block", false),
        ("sgd", true),
        ("lion", true),
    ] {
        let optimizer = optimizer(name, NonFinite::Zero);
        let (mut params, mut state) = (vec![0.5_f64; layout.len()], optimizer.init(&layout));
        let grad = vec![1e160_f64; layout.len()];
        match optimizer.step(0.01, &layout, &mut params, &grad, &mut state) {
            Ok(stats) => assert!(
                works && stats.grad_norm == f64::INFINITY && stats.zeroed == 0,
                "{name}"
            ),
            Err(error) => assert!(!works && error == Error::GradientOverflow, "{name}"),
        }
    }
}

#[test]
fn finite_gradients_however_large_make_no_nan() {
    let layout = layout();
    for name in NAMES {
        for top in [1e15_f32, 1e20, 1e30, 1e37] {
            let optimizer = optimizer(name, NonFinite::Error);
            let (mut params, mut state) =
                (vec![0.1_f32; layout.len()], optimizer.init::<f32>(&layout));
            for t in 0..6 {
                let grad: Vec<f32> = grad(&layout, t)
                    .iter()
                    .map(|g| (g / 30.0).clamp(-1.0, 1.0) * top)
                    .collect();
                optimizer
                    .step(0.01, &layout, &mut params, &grad, &mut state)
                    .unwrap();
                assert!(params.iter().all(|x| x.is_finite()), "{name} {top:e}");
                for slot in optimizer.slot_names() {
                    let values = state.values(&slot, &layout).unwrap();
                    assert!(values.iter().all(|x| !x.is_nan()), "{name} {top:e} {slot}");
                }
            }
        }
    }
}

/// Largest relative error of a norm; the gradients are `f64`, and the sums are 619 squares.
const NORM: f64 = 1e-12;

/// u without decay, and whether the coordinate was clipped, from the formulas; `norms` are those of the
/// block and of all blocks, `m`, `tau` and `v` the slots of ACClip after this gradient.
fn direct(
    name: &str,
    g: f64,
    (block, all): (f64, f64),
    [m, tau, v]: [f64; 3],
    t: i32,
) -> (f64, bool) {
    let scaled = |norm: f64| (g * (1.0 / norm).min(1.0), norm > 1.0);
    match name {
        "sgd" => (g, false),
        "gclip" => scaled(all),
        "gclip-block" => scaled(block),
        "cclip" => (g.clamp(-0.1, 0.1), g.abs() > 0.1),
        _ => {
            let bound = m.abs() + 1e-5;
            let root = (v / (1.0 - 0.99_f64.powi(t))).sqrt() + 1e-5;
            (m * (tau / bound).min(1.0) / root, tau < bound && m != 0.0)
        }
    }
}

#[test]
fn statistics_are_what_a_direct_computation_gives() {
    const DECAY: f64 = 0.1;
    let (layout, learning_rate) = (layout(), 0.03);
    for name in ["sgd", "gclip", "gclip-block", "cclip", "acclip"] {
        let hyper = Hyper {
            weight_decay: Some(DECAY),
            ..Hyper::default()
        };
        for one_pass in [true, false] {
            let optimizer = Optimizer::new(name, &hyper)
                .unwrap()
                .with_one_pass(one_pass);
            let mut params: Vec<f64> = (0..layout.len())
                .map(|i| (i % 7) as f64 / 10.0 - 0.2)
                .collect();
            let mut state = optimizer.init(&layout);
            let mut slots = vec![[0.0; 3]; layout.len()];
            let mut partly = false;
            for t in 1..=8 {
                // Norms on both sides of the threshold 1: the whole gradient's, and each block's.
                let size = if t == 4 { 0.05 } else { 1.0 };
                let grad: Vec<f64> = grad(&layout, t)
                    .iter()
                    .map(|&g| size * f64::from(g))
                    .collect();
                for (slot, g) in slots.iter_mut().zip(&grad) {
                    slot[0] = 0.9 * slot[0] + 0.1 * g;
                    slot[1] = 0.99 * slot[1] + 0.01 * g.abs();
                    slot[2] = 0.99 * slot[2] + 0.01 * g * g;
                }
                let norm = |range: std::ops::Range<usize>| {
                    grad[range].iter().map(|g| g * g).sum::<f64>().sqrt()
                };
                let all = [0..600, 600..607, 900..912]
                    .map(norm)
                    .iter()
                    .map(|n| n * n)
                    .sum::<f64>()
                    .sqrt();
                let mut blocks = Vec::new();
                for (block, range) in layout.blocks() {
                    let mut expected = BlockStats::default();
                    if !block.frozen {
                        expected.grad_norm = norm(range.clone());
                        for i in range {
                            let norms = (expected.grad_norm, all);
                            let (u, clipped) = direct(name, grad[i], norms, slots[i], t as i32);
                            let decay = if block.decay { DECAY * params[i] } else { 0.0 };
                            let moved = learning_rate * block.learning_rate_scale * (u + decay);
                            expected.update_norm += moved * moved;
                            expected.clipped += u64::from(clipped);
                        }
                        expected.update_norm = expected.update_norm.sqrt();
                    }
                    blocks.push(expected);
                }
                let stats = optimizer
                    .step(learning_rate, &layout, &mut params, &grad, &mut state)
                    .unwrap();
                assert_stats(&stats, &blocks, &format!("{name} {t}"));
                partly |= stats.clipped > 0.0 && stats.clipped < 1.0;
            }
            assert!(
                partly || name == "sgd" || name == "gclip",
                "{name}: clips all or nothing"
            );
        }
    }
}

fn assert_stats(stats: &Stats, blocks: &[BlockStats], what: &str) {
    let near = |a: f64, b: f64| (a - b).abs() <= NORM * b;
    assert_eq!(stats.blocks.len(), blocks.len());
    for (found, expected) in stats.blocks.iter().zip(blocks) {
        assert!(
            near(found.grad_norm, expected.grad_norm),
            "{what}: {found:?}, {expected:?}"
        );
        assert!(
            near(found.update_norm, expected.update_norm),
            "{what}: {found:?}, {expected:?}"
        );
        assert_eq!(
            (found.clipped, found.zeroed),
            (expected.clipped, 0),
            "{what}"
        );
    }
    let root =
        |of: fn(&BlockStats) -> f64| blocks.iter().map(|b| of(b).powi(2)).sum::<f64>().sqrt();
    assert!(
        near(stats.grad_norm, root(|b| b.grad_norm)),
        "{what}: {stats:?}"
    );
    assert!(
        near(stats.update_norm, root(|b| b.update_norm)),
        "{what}: {stats:?}"
    );
    let clipped = blocks.iter().map(|b| b.clipped).sum::<u64>();
    assert_eq!(stats.clipped, clipped as f64 / 619.0, "{what}");
}

#[test]
fn a_huge_finite_gradient_does_not_hold_a_coordinate() {
    // g² is beyond f32. The second moment must stay finite and fall again, so that the coordinate moves.
    let layout = Layout::new(vec![Block::new("w", [1], true)]).unwrap();
    let second = ["v", "tau_alpha", "v_max", "sum"];
    for name in NAMES {
        for alpha in ["1.0", "1.7", "2.0"] {
            let hyper: Hyper = match name.starts_with("acclip") {
                true => toml::from_str(&format!("alpha = {alpha}")).unwrap(),
                false => Hyper::default(),
            };
            let optimizer = Optimizer::new(name, &hyper).unwrap();
            let (mut params, mut state) = ([1.0_f32], optimizer.init(&layout));
            for g in [1e-3_f32, 1e25, 1e25, 1e25] {
                let grad = [g];
                optimizer
                    .step(1e-3, &layout, &mut params, &grad, &mut state)
                    .unwrap();
                for slot in optimizer.slot_names() {
                    let values = state.values(&slot, &layout).unwrap();
                    let finite = values.iter().all(|x| x.is_finite());
                    assert!(
                        finite || !second.contains(&slot.as_str()),
                        "{name}: {slot} {values:?}"
                    );
                }
            }
            assert!(
                params[0].is_finite() && params[0] != 1.0,
                "{name}: {params:?}"
            );
        }
    }
}

#[test]
fn what_would_be_ignored_or_overflow_is_refused() {
    let block = |l2, weight_decay| Block {
        l2,
        weight_decay,
        ..Block::new("w", [2], true)
    };
    let step = |name: &str, block: Block, learning_rate: f64| {
        let layout = Layout::new(vec![block]).unwrap();
        let optimizer = Optimizer::new(name, &Hyper::default()).unwrap();
        let (mut params, mut state) = ([1.0_f32; 2], optimizer.init(&layout));
        let grad = [1e37_f32; 2];
        optimizer.step(learning_rate, &layout, &mut params, &grad, &mut state)
    };
    for name in ["qclip", "qclip-raw", "adamw-coordinate-clip"] {
        let error = step(name, block(Some(0.1), None), 0.1).unwrap_err();
        assert!(
            matches!(error, Error::UnusedDecay { field: "l2", .. }),
            "{error}"
        );
        assert!(step(name, block(None, Some(0.1)), 0.1).is_ok(), "{name}");
    }
    let scaled = Block {
        learning_rate_scale: 1e30,
        ..block(None, None)
    };
    for (block, rate) in [(block(None, None), 1e39), (scaled, 1e10)] {
        let error = step("sgd", block, rate).unwrap_err();
        assert!(matches!(error, Error::LearningRate { .. }), "{error}");
    }
    // 100·1e37 is beyond f32: the parameters are infinite, and the norm says so.
    let stats = step("sgd", block(None, None), 100.0).unwrap();
    assert_eq!(stats.update_norm, f64::INFINITY);
}

#[test]
fn bf16_parameters_stay_in_their_box_and_ball() {
    // Neither bound of the box is a bf16 value, and the nearest ones lie outside.
    let (lower, upper) = (-0.2999, 0.1999);
    assert!(bf16::from_f64(lower).to_f64() < lower && bf16::from_f64(upper).to_f64() > upper);
    let links = [
        Link::ProjectBox(ProjectBox { lower, upper }),
        Link::ProjectBall(ProjectBall {
            radius: 0.5,
            by_block: false,
        }),
    ];
    for link in links {
        let layout = Layout::new(vec![Block::new("w", [1000], true)]).unwrap();
        let optimizer = Optimizer::chain("projected", vec![link.clone()]).unwrap();
        let mut state = optimizer.init(&layout);
        let mut params = vec![bf16::ZERO; 1000];
        for t in 0..5 {
            optimizer
                .step(0.5, &layout, &mut params, &grad(&layout, t), &mut state)
                .unwrap();
            let x: Vec<f64> = params.iter().map(|x| x.to_f64()).collect();
            match link {
                Link::ProjectBox(_) => assert!(x.iter().all(|x| (lower..=upper).contains(x))),
                _ => assert!(x.iter().map(|x| x * x).sum::<f64>().sqrt() <= 0.5),
            }
            assert!(x.iter().any(|&x| x != 0.0));
        }
    }
}
