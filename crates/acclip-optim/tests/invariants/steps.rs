//! What a step does, of every name and every path through the code.

use acclip_optim::{Block, Error, Layout, NAMES, Optimizer};
use half::bf16;

use crate::common::*;

/// Twelve gradients, multiples of 2⁻¹⁰, in one batch, and in three microbatches of four whose means
/// are accumulated in f64. The means of four are exact, the mean of the three rounds as the mean of
/// twelve does, and both are narrowed to f32 once: no bit differs. Accumulated in bf16, bits do.
#[test]
fn one_big_batch_equals_microbatches_accumulated_in_f64() {
    on_threads(1, || {
        let layout = one_block(40);
        let sample = |i, t, s| (gradient(i, 100 * t + s) * 1024.0).round() / 1024.0;
        let mean = |i, t, from: u64, to: u64| {
            (from..to).map(|s| sample(i, t, s)).sum::<f64>() / (to - from) as f64
        };
        let problem = |of: &dyn Fn(u64, u64) -> f64| Problem {
            layout: layout.clone(),
            grads: (0..20)
                .map(|t| (0..40).map(|i| of(i, t) as f32).collect())
                .collect(),
        };
        let micro = |i, t| [0, 4, 8].map(|from| mean(i, t, from, from + 4));
        let big = problem(&|i, t| mean(i, t, 0, 12));
        let small = problem(&|i, t| micro(i, t).into_iter().sum::<f64>() / 3.0);
        let coarse = problem(&|i, t| {
            let add = |sum: bf16, x| bf16::from_f64(sum.to_f64() + x);
            micro(i, t).into_iter().fold(bf16::ZERO, add).to_f64() / 3.0
        });
        for optimizer in variants() {
            let what = label(&optimizer);
            let expected = run::<f32, f32>(&optimizer, &big);
            assert_same_run(&expected, &run(&optimizer, &small), &layout, &what);
            assert_ne!(
                expected.stats,
                run::<f32, f32>(&optimizer, &coarse).stats,
                "{what}"
            );
        }
    });
}

#[test]
fn every_optimizer_descends_a_quadratic() {
    on_threads(1, || {
        // f = ½ Σ aᵢ xᵢ², with condition number 20.
        let layout = one_block(17);
        let a: Vec<f64> = (0..17).map(|i| 0.1 + 1.9 * i as f64 / 16.0).collect();
        let f = |x: &[f64]| x.iter().zip(&a).map(|(x, a)| 0.5 * a * x * x).sum::<f64>();
        for optimizer in variants() {
            let mut params: Vec<f64> = start(0..17);
            let (mut state, first) = (optimizer.init(&layout), f(&params));
            for t in 0..1500 {
                let grad: Vec<f64> = params.iter().zip(&a).map(|(x, a)| a * x).collect();
                let learning_rate = 0.05 * (1.0 - f64::from(t) / 1500.0);
                optimizer
                    .step(learning_rate, &layout, &mut params, &grad, &mut state)
                    .unwrap();
            }
            assert!(
                f(&params) < 1e-3 * first,
                "{}: {first} -> {}",
                label(&optimizer),
                f(&params)
            );
        }
    });
}

#[test]
fn zero_gradients_move_nothing_but_what_decays() {
    let blocks = vec![Block::new("w", [3], true), Block::new("b", [2], false)];
    let layout = Layout::new(blocks).unwrap();
    for name in NAMES {
        for line in ["weight_decay = 0.5", "weight_decay = 0.5, eps = 0"] {
            let mut hyper = hyper(line);
            hyper.radius = (name == "proj-gclip").then_some(100.0);
            let Ok(optimizer) = Optimizer::new(name, &hyper) else {
                assert!(hyper.eps.is_some(), "{name} takes weight decay");
                continue;
            };
            for optimizer in [true, false].map(|one_pass| optimizer.clone().with_one_pass(one_pass))
            {
                let (mut params, mut state) = (vec![1.0_f32; 5], optimizer.init(&layout));
                let stats = optimizer
                    .step(0.5, &layout, &mut params, &[0.0_f32; 5], &mut state)
                    .unwrap();
                assert_eq!(params, [0.75, 0.75, 0.75, 1.0, 1.0], "{name}");
                assert_eq!((stats.grad_norm, stats.clipped), (0.0, 0.0), "{name}");
                let expected = 0.25 * 3.0_f64.sqrt();
                assert!((stats.update_norm - expected).abs() < 1e-15, "{name}");
                let mut tensors = state.tensors();
                tensors.retain(|tensor| tensor.bytes.iter().any(|&byte| byte != 0));
                assert!(tensors.is_empty(), "{name}: {tensors:?}");
            }
        }
    }
}

#[test]
fn no_gradient_makes_a_nan_without_eps() {
    on_threads(1, || {
        // Zeros, subnormal values, values whose squares vanish or overflow, in every order.
        let sizes = [0.0, 1e-45, 1e-39, 1e-30, 1e-20, 1.0, 1e15, 1e30_f32];
        let (layout, mut broken) = (one_block(8), Vec::new());
        for optimizer in variants() {
            let mut hyper = optimizer.hyper();
            hyper.eps = hyper.eps.map(|_| 0.0);
            let optimizer = Optimizer::new(optimizer.name(), &hyper).unwrap();
            for (first, one_pass) in (0..8).flat_map(|first| [(first, true), (first, false)]) {
                let optimizer = optimizer.clone().with_one_pass(one_pass);
                let (mut params, mut state) = (vec![0.0_f32; 8], optimizer.init(&layout));
                for t in 0..24 {
                    // The first step has one size in all coordinates and zeros; then they mix.
                    let size = |i: usize| match t {
                        0..3 => [sizes[first], 0.0][i % 2],
                        _ => sizes[(i * t + first + t / 8) % 8],
                    };
                    let grad: Vec<f32> = (0..8).map(|i| size(i) * [1.0, -1.0][i / 2 % 2]).collect();
                    let stats = optimizer
                        .step(1e-3, &layout, &mut params, &grad, &mut state)
                        .unwrap();
                    if params.iter().any(|x| x.is_nan()) || stats.update_norm.is_nan() {
                        broken.push(format!("{} {:e}, t {t}", label(&optimizer), sizes[first]));
                        break;
                    }
                }
            }
        }
        assert!(
            broken.is_empty(),
            "NaN of {}: {}",
            broken.len(),
            broken.join("; ")
        );
    });
}

#[test]
fn an_error_changes_nothing() {
    let blocks = vec![
        Block::new("w", [2, 20_000], true),
        Block::new("b", [3], false),
    ];
    let problem = Problem::<f32>::new(Layout::new(blocks).unwrap(), 3);
    let (layout, grad) = (&problem.layout, &problem.grads[2]);
    for optimizer in variants() {
        let what = label(&optimizer);
        let mut run = Run::new(&optimizer, layout, start::<f32>(0..layout.len()));
        run.steps(&optimizer, &problem, 0..2);
        let before = run.clone();
        let mut step = |optimizer: &Optimizer, rate, layout: &Layout, grad: &[f32]| {
            optimizer
                .step(rate, layout, &mut run.params, grad, &mut run.state)
                .unwrap_err()
        };
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut grad = grad.clone();
            grad[40_001] = bad;
            let expected = Error::NonFiniteGradient {
                block: "b".into(),
                index: 1,
            };
            assert_eq!(step(&optimizer, 0.01, layout, &grad), expected, "{what}");
        }
        for bad in [f64::NAN, -1.0, f64::INFINITY] {
            let error = step(&optimizer, bad, layout, grad);
            assert!(
                matches!(error, Error::LearningRate { .. }),
                "{what}: {error}"
            );
        }
        let length = |name: &str, expected, found| Error::Length {
            what: name.into(),
            expected,
            found,
        };
        let short = step(&optimizer, 0.01, layout, &grad[..5]);
        assert_eq!(short, length("grad", 40_003, 5), "{what}");
        let short = step(&optimizer, 0.01, &one_block(40_004), grad);
        assert_eq!(short, length("params", 40_004, 40_003), "{what}");
        let other = Optimizer::chain("other", optimizer.links().to_vec()).unwrap();
        let error = step(&other, 0.01, layout, grad);
        assert!(matches!(error, Error::StateRule { .. }), "{what}: {error}");
        assert_same_run(&before, &run, layout, &what);
    }
}

#[test]
fn a_finite_gradient_with_an_infinite_norm_is_an_error() {
    let layout = one_block(2);
    for optimizer in variants() {
        let (mut params, mut state) = ([1.0_f64; 2], optimizer.init(&layout));
        let error = optimizer.step(0.1, &layout, &mut params, &[1e200, 0.0], &mut state);
        assert_eq!(error, Err(Error::GradientOverflow), "{}", label(&optimizer));
        assert_eq!((params, &state), ([1.0; 2], &optimizer.init(&layout)));
    }
}
