//! Every name against every invariant: one table, one row a name.

use acclip_optim::{Block, Error, Hyper, Layout, NAMES, Optimizer, State, Stats};

fn optimizer(name: &str) -> Optimizer {
    Optimizer::new(name, &Hyper::default()).unwrap()
}

/// Every name with its defaults, and a few with the hyper-parameters that change their code path.
fn all() -> Vec<Optimizer> {
    let mut all: Vec<Optimizer> = NAMES.iter().map(|name| optimizer(name)).collect();
    let decay = Hyper {
        weight_decay: Some(0.1),
        ..Hyper::default()
    };
    all.push(
        Optimizer::new(
            "cclip",
            &Hyper {
                momentum: Some(0.8),
                ..decay
            },
        )
        .unwrap(),
    );
    all.push(
        Optimizer::new(
            "gclip",
            &Hyper {
                momentum: Some(0.8),
                ..decay
            },
        )
        .unwrap(),
    );
    for name in ["acclip-paper", "acclip"] {
        all.push(
            Optimizer::new(
                name,
                &Hyper {
                    alpha: Some(2.0),
                    ..decay
                },
            )
            .unwrap(),
        );
        all.push(
            Optimizer::new(
                name,
                &Hyper {
                    alpha: Some(1.5),
                    ..decay
                },
            )
            .unwrap(),
        );
    }
    all
}

/// Heavy-tailed, asymmetric, sometimes zero; the same for the same (`i`, `t`).
fn gradient(len: usize, t: u64) -> Vec<f32> {
    let draw = |i: u64| {
        let mut z = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ (t + 1).wrapping_mul(0xd1b5_4a32_d192_ed03);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 31)) >> 40
    };
    (0..len as u64)
        .map(|i| {
            let u = draw(i) as f32 / (1 << 24) as f32 - 0.4;
            if draw(i) % 7 == 0 {
                0.0
            } else {
                u * u * u / (0.02 + u.abs() % 0.1)
            }
        })
        .collect()
}

fn start(len: usize) -> Vec<f32> {
    (0..len)
        .map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0)
        .collect()
}

fn one_block(len: usize) -> Layout {
    Layout::new(vec![Block::new("w", [len], true)]).unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

fn run(optimizer: &Optimizer, layout: &Layout, steps: u64) -> (Vec<f32>, State<f32>, Vec<Stats>) {
    let (mut params, mut state) = (start(layout.len()), optimizer.init(layout));
    let stats = (0..steps)
        .map(|t| {
            optimizer
                .step(
                    0.01,
                    layout,
                    &mut params,
                    &gradient(layout.len(), t),
                    &mut state,
                )
                .unwrap()
        })
        .collect();
    (params, state, stats)
}

#[test]
fn a_buffer_equals_its_coordinates_one_by_one() {
    // Lengths around the vector width, the tile on the stack, and the chunk of a thread.
    let lengths = (0..=40).chain([
        63, 64, 65, 127, 128, 129, 255, 257, 511, 513, 1025, 32_767, 32_769,
    ]);
    for len in lengths {
        for optimizer in all() {
            if optimizer.hyper().max_norm.is_some() {
                continue; // its coordinates do not stand alone; see the golden trajectories
            }
            let (layout, single) = (one_block(len), one_block(1));
            let steps = if len > 2000 { 2 } else { 4 };
            let (params, state, _) = run(&optimizer, &layout, steps);
            let grads: Vec<Vec<f32>> = (0..steps).map(|t| gradient(len, t)).collect();
            let stride = if len > 2000 { 41 } else { 1 };
            for i in (0..len).step_by(stride).chain(len.checked_sub(1)) {
                let (mut x, mut alone) = ([start(len)[i]], optimizer.init(&single));
                for grad in &grads {
                    optimizer
                        .step(0.01, &single, &mut x, &grad[i..=i], &mut alone)
                        .unwrap();
                }
                assert_eq!(
                    x[0].to_bits(),
                    params[i].to_bits(),
                    "{optimizer:?}, {i} of {len}"
                );
                for ((name, all), (_, one)) in state.slots().zip(alone.slots()) {
                    assert_eq!(
                        one[0].to_bits(),
                        all[i].to_bits(),
                        "{optimizer:?}, {name}[{i}] of {len}"
                    );
                }
            }
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let layout = Layout::new(vec![
        Block::new("embedding", [1000, 101], true),
        Block::new("bias", [17], false),
        Block::new("empty", [0], true),
        Block::new("head", [33_001], true),
    ])
    .unwrap();
    for optimizer in all() {
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| run(&optimizer, &layout, 4))
        };
        let (params, state, stats) = with(1);
        for threads in [2, 3] {
            let other = with(threads);
            assert_eq!(bits(&params), bits(&other.0), "{optimizer:?}");
            assert_eq!(state, other.1, "{optimizer:?}");
            for (a, b) in stats.iter().zip(&other.2) {
                assert_eq!(
                    a.grad_norm.to_bits(),
                    b.grad_norm.to_bits(),
                    "{optimizer:?}"
                );
                assert_eq!(
                    a.update_norm.to_bits(),
                    b.update_norm.to_bits(),
                    "{optimizer:?}"
                );
                assert_eq!(a.clipped.to_bits(), b.clipped.to_bits(), "{optimizer:?}");
            }
        }
    }
}

#[test]
fn norms_over_many_chunks_have_the_same_bits_for_any_number_of_threads() {
    // 64 chunks, 8 gradients: enough for a sum in the thread pool's own order to round differently,
    // which the root often hides.
    let layout = one_block(64 * 32 * 1024 - 5);
    let sgd = optimizer("sgd");
    let grads: Vec<Vec<f32>> = (0..8).map(|t| gradient(layout.len(), t)).collect();
    let norms = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let (mut params, mut state) = (start(layout.len()), sgd.init(&layout));
        let mut step = |grad: &Vec<f32>| {
            let stats = sgd
                .step(0.01, &layout, &mut params, grad, &mut state)
                .unwrap();
            (stats.grad_norm.to_bits(), stats.update_norm.to_bits())
        };
        pool.install(|| grads.iter().map(&mut step).collect::<Vec<_>>())
    };
    let expected = norms(1);
    for threads in [2, 3, 7] {
        assert_eq!(norms(threads), expected, "{threads} threads");
    }
}

#[test]
fn a_restored_state_continues_to_the_same_bits() {
    let layout = one_block(17);
    for optimizer in all() {
        let (expected, expected_state, _) = run(&optimizer, &layout, 8);
        let (mut params, saved, _) = run(&optimizer, &layout, 5);
        let mut slots: Vec<_> = saved
            .slots()
            .map(|(name, values)| (name.to_owned(), values.to_vec()))
            .collect();
        slots.reverse(); // order must not matter
        let mut state = State::from_slots(&optimizer, &layout, saved.t, slots).unwrap();
        for t in 5..8 {
            optimizer
                .step(0.01, &layout, &mut params, &gradient(17, t), &mut state)
                .unwrap();
        }
        assert_eq!(bits(&params), bits(&expected), "{optimizer:?}");
        assert_eq!(state, expected_state, "{optimizer:?}");
        assert_eq!(state.t, 8);
    }
}

#[test]
fn every_optimizer_descends_a_quadratic() {
    // f = ½ Σ aᵢ xᵢ², with condition number 20.
    let layout = one_block(17);
    let a: Vec<f64> = (0..17).map(|i| 0.1 + 1.9 * i as f64 / 16.0).collect();
    let f = |x: &[f64]| x.iter().zip(&a).map(|(x, a)| 0.5 * a * x * x).sum::<f64>();
    for optimizer in all() {
        let mut params: Vec<f64> = start(17).iter().map(|&x| f64::from(x)).collect();
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
            "{optimizer:?}: {first} -> {}",
            f(&params)
        );
    }
}

#[test]
fn zero_gradients_move_nothing_but_what_decays() {
    let layout = Layout::new(vec![
        Block::new("w", [3], true),
        Block::new("b", [2], false),
    ])
    .unwrap();
    for name in NAMES {
        for eps in [None, Some(0.0)] {
            let hyper = Hyper {
                eps,
                weight_decay: Some(0.5),
                ..Hyper::default()
            };
            let Ok(optimizer) = Optimizer::new(name, &hyper) else {
                continue;
            };
            let (mut params, mut state) = (vec![1.0_f32; 5], optimizer.init(&layout));
            let stats = optimizer
                .step(0.5, &layout, &mut params, &[0.0; 5], &mut state)
                .unwrap();
            assert_eq!(params, [0.75, 0.75, 0.75, 1.0, 1.0], "{name}");
            assert_eq!((stats.grad_norm, stats.clipped), (0.0, 0.0), "{name}");
            assert!(
                (stats.update_norm - 0.25 * 3.0_f64.sqrt()).abs() < 1e-15,
                "{name}"
            );
        }
    }
}

#[test]
fn stats_are_what_they_say() {
    let layout = one_block(4);
    let grad = [3.0_f64, -4.0, 0.0, 12.0]; // norm 13
    let step = |name: &str, hyper: Hyper| {
        let optimizer = Optimizer::new(name, &hyper).unwrap();
        let (mut params, mut state) = ([0.0; 4], optimizer.init(&layout));
        let stats = optimizer
            .step(0.5, &layout, &mut params, &grad, &mut state)
            .unwrap();
        (params, stats)
    };
    let none = Hyper::default();
    let (params, stats) = step("sgd", none);
    assert_eq!(params, [-1.5, 2.0, 0.0, -6.0]);
    assert_eq!(
        stats,
        Stats {
            grad_norm: 13.0,
            update_norm: 6.5,
            clipped: 0.0
        }
    );
    let (params, stats) = step(
        "gclip",
        Hyper {
            max_norm: Some(6.5),
            ..none
        },
    );
    assert_eq!(params, [-0.75, 1.0, 0.0, -3.0]);
    assert_eq!(
        stats,
        Stats {
            grad_norm: 13.0,
            update_norm: 3.25,
            clipped: 1.0
        }
    );
    assert_eq!(
        step(
            "gclip",
            Hyper {
                max_norm: Some(13.0),
                ..none
            }
        )
        .1
        .clipped,
        0.0
    );
    let (params, stats) = step(
        "cclip",
        Hyper {
            tau: Some(4.0),
            ..none
        },
    );
    assert_eq!(params, [-1.5, 2.0, 0.0, -2.0]);
    assert_eq!((stats.grad_norm, stats.clipped), (13.0, 0.25));
    // ACClip's first step: |m| = 0.1|g|, τ = 0.01|g|, so each coordinate that is not 0 is clipped.
    assert_eq!(step("acclip-paper", none).1.clipped, 0.75);
}

#[test]
fn an_error_changes_nothing() {
    let layout = Layout::new(vec![
        Block::new("w", [2, 40_000], true),
        Block::new("b", [3], false),
    ])
    .unwrap();
    for optimizer in all() {
        let (mut params, mut state, _) = run(&optimizer, &layout, 2);
        let before = (bits(&params), state.clone());
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut grad = gradient(layout.len(), 2);
            grad[80_001] = bad;
            let error = optimizer
                .step(0.01, &layout, &mut params, &grad, &mut state)
                .unwrap_err();
            assert_eq!(
                error,
                Error::NonFiniteGradient {
                    block: "b".into(),
                    index: 1
                }
            );
        }
        for bad in [f64::NAN, -1.0, f64::INFINITY] {
            let grad = gradient(layout.len(), 2);
            let error = optimizer
                .step(bad, &layout, &mut params, &grad, &mut state)
                .unwrap_err();
            assert!(matches!(error, Error::LearningRate { .. }), "{error}");
        }
        let short = optimizer
            .step(0.01, &layout, &mut params, &[0.0; 5], &mut state)
            .unwrap_err();
        assert_eq!(
            short,
            Error::Length {
                what: "grad".into(),
                expected: 80_003,
                found: 5
            }
        );
        assert_eq!((bits(&params), state), before, "{optimizer:?}");
    }
}

#[test]
fn a_finite_gradient_with_an_infinite_norm_is_an_error() {
    let layout = one_block(2);
    let optimizer = optimizer("gclip");
    let (mut params, mut state) = ([1.0_f64; 2], optimizer.init(&layout));
    let error = optimizer.step(0.1, &layout, &mut params, &[1e200, 0.0], &mut state);
    assert_eq!(error, Err(Error::GradientOverflow));
    assert_eq!((params, state.t), ([1.0; 2], 0));
}

#[test]
fn a_state_of_another_optimizer_is_refused() {
    let layout = one_block(3);
    let (adamw, acclip) = (optimizer("adamw"), optimizer("acclip"));
    let mut state: State<f32> = adamw.init(&layout);
    let error = acclip
        .step(0.1, &layout, &mut [0.0; 3], &[0.0; 3], &mut state)
        .unwrap_err();
    let missing = vec!["tau_alpha".to_owned()];
    assert_eq!(
        error,
        Error::StateSlots {
            optimizer: "acclip",
            missing,
            unexpected: vec![]
        }
    );

    let slot = |name: &str, len| (name.to_owned(), vec![0.0_f32; len]);
    let error = State::from_slots(
        &adamw,
        &layout,
        1,
        [slot("m", 3), slot("w", 3), slot("m", 3)],
    )
    .unwrap_err();
    let unexpected = vec!["m".to_owned(), "w".to_owned()];
    assert_eq!(
        error,
        Error::StateSlots {
            optimizer: "adamw",
            missing: vec!["v".to_owned()],
            unexpected
        }
    );
    let error = State::from_slots(&adamw, &layout, 1, [slot("m", 3), slot("v", 2)]).unwrap_err();
    assert_eq!(
        error,
        Error::Length {
            what: "state slot v".into(),
            expected: 3,
            found: 2
        }
    );
}
