//! Limit cases and facts of the paper: where two rules must agree to the bit, closed forms, bounds.

use acclip_optim::{Block, Hyper, Layout, Optimizer, State};

const LEN: usize = 23;

fn layout() -> Layout {
    Layout::new(vec![Block::new("w", [LEN], true)]).unwrap()
}

fn make(name: &str, hyper: Hyper) -> Optimizer {
    Optimizer::new(name, &hyper).unwrap()
}

/// Asymmetric, with heavy tails; one coordinate in five is mostly zero.
fn gradient(t: u64) -> Vec<f64> {
    (0..LEN as u64)
        .map(|i| {
            let u = ((i * 7919 + t * 104_729) * 31 % 1009) as f64 / 1009.0 - 0.35;
            if i.is_multiple_of(5) && !(i + t).is_multiple_of(9) {
                0.0
            } else {
                u / (1.02 - u.abs()).powi(3)
            }
        })
        .collect()
}

fn slot<'a>(state: &'a State<f64>, name: &str) -> &'a [f64] {
    state.slots().find(|(other, _)| *other == name).unwrap().1
}

/// Parameters after each of 60 steps from 1, …, with gradients × `scale`.
fn path(
    optimizer: &Optimizer,
    learning_rate: f64,
    scale: f64,
    state: &mut State<f64>,
) -> Vec<Vec<f64>> {
    let mut params: Vec<f64> = (0..LEN).map(|i| 1.0 - i as f64 / 10.0).collect();
    (0..60)
        .map(|t| {
            let grad: Vec<f64> = gradient(t).iter().map(|g| scale * g).collect();
            optimizer
                .step(learning_rate, &layout(), &mut params, &grad, state)
                .unwrap();
            params.clone()
        })
        .collect()
}

#[test]
fn an_infinite_threshold_is_momentum_sgd() {
    for (momentum, weight_decay) in [(0.0, 0.0), (0.9, 0.0), (0.7, 0.3)] {
        let hyper = Hyper {
            momentum: Some(momentum),
            weight_decay: Some(weight_decay),
            ..Hyper::default()
        };
        let sgd = make("sgd-momentum", hyper);
        let expected = path(&sgd, 0.05, 1.0, &mut sgd.init(&layout()));
        let gclip = make(
            "gclip",
            Hyper {
                max_norm: Some(f64::MAX),
                ..hyper
            },
        );
        assert_eq!(
            path(&gclip, 0.05, 1.0, &mut gclip.init(&layout())),
            expected
        );
        let cclip = make(
            "cclip",
            Hyper {
                tau: Some(f64::MAX),
                ..hyper
            },
        );
        assert_eq!(
            path(&cclip, 0.05, 1.0, &mut cclip.init(&layout())),
            expected
        );
    }
    // ACClip cannot be given a threshold, but a state with a huge one: m is then SGD's, times
    // 1 − β1 = ½, which binary fractions hold exactly.
    let acclip = make(
        "acclip-paper",
        Hyper {
            beta1: Some(0.5),
            beta2: Some(0.999),
            ..Hyper::default()
        },
    );
    let slots = [
        ("m".to_owned(), vec![0.0; LEN]),
        ("tau_alpha".to_owned(), vec![1e200; LEN]),
    ];
    let mut state = State::from_slots(&acclip, &layout(), 0, slots).unwrap();
    let sgd = make(
        "sgd-momentum",
        Hyper {
            momentum: Some(0.5),
            ..Hyper::default()
        },
    );
    let expected = path(&sgd, 0.05, 1.0, &mut sgd.init(&layout()));
    assert_eq!(path(&acclip, 0.1, 1.0, &mut state), expected);
}

#[test]
fn sgd_momentum_zero_is_sgd_and_a_loose_clip_leaves_adamw_alone() {
    let sgd = make("sgd", Hyper::default());
    let heavy = make(
        "sgd-momentum",
        Hyper {
            momentum: Some(0.0),
            ..Hyper::default()
        },
    );
    let expected = path(&sgd, 0.05, 1.0, &mut sgd.init(&layout()));
    assert_eq!(
        path(&heavy, 0.05, 1.0, &mut heavy.init(&layout())),
        expected
    );
    let adamw = make("adamw", Hyper::default());
    let clipped = make(
        "adamw-clip",
        Hyper {
            max_norm: Some(1e9),
            ..Hyper::default()
        },
    );
    let expected = path(&adamw, 0.05, 1.0, &mut adamw.init(&layout()));
    assert_eq!(
        path(&clipped, 0.05, 1.0, &mut clipped.init(&layout())),
        expected
    );
}

#[test]
fn acclip_clips_the_momentum() {
    for alpha in [0.5, 1.0, 1.5, 2.0] {
        let optimizer = make(
            "acclip-paper",
            Hyper {
                alpha: Some(alpha),
                ..Hyper::default()
            },
        );
        let mut state = optimizer.init(&layout());
        let mut clipped_ever = 0.0;
        for t in 0..60 {
            let mut params = vec![0.0; LEN];
            let stats = optimizer
                .step(1.0, &layout(), &mut params, &gradient(t), &mut state)
                .unwrap();
            clipped_ever += stats.clipped;
            for (i, x) in params.iter().enumerate() {
                let (clipped, m) = (-x, slot(&state, "m")[i]);
                let tau = slot(&state, "tau_alpha")[i].powf(1.0 / alpha);
                // |ĝ| ≤ min(|m|, τ) up to rounding, and not far below it: only ε lies between.
                let bound = m.abs().min(tau);
                assert!(
                    clipped.abs() <= bound * (1.0 + 1e-14),
                    "alpha {alpha}, t {t}, {i}"
                );
                assert!(
                    clipped.abs() >= bound * m.abs() / (m.abs() + 1.1e-5),
                    "alpha {alpha}, t {t}, {i}"
                );
                assert!(
                    clipped * m >= 0.0 && (clipped == 0.0) == (m == 0.0),
                    "alpha {alpha}, t {t}, {i}"
                );
                // τ ≥ (1−β2)^{1/α} |g|
                let floor = 0.01_f64.powf(1.0 / alpha) * gradient(t)[i].abs();
                assert!(tau >= floor * (1.0 - 1e-12), "alpha {alpha}, t {t}, {i}");
            }
        }
        assert!(clipped_ever > 1.0, "alpha {alpha}: the test never clipped");
    }
}

#[test]
fn acclip_warms_up_on_a_constant_gradient() {
    // α = 1, β2 > β1, ε = 0: ĝ_k = (1 − β2^k) g exactly; normalized, (1 − β2^k) sign(g).
    let layout = Layout::new(vec![Block::new("w", [2], false)]).unwrap();
    let grad = [0.3_f64, -7.0];
    for (name, size) in [("acclip-paper", [0.3, 7.0]), ("acclip", [1.0, 1.0])] {
        let optimizer = make(
            name,
            Hyper {
                eps: Some(0.0),
                ..Hyper::default()
            },
        );
        let mut state = optimizer.init(&layout);
        for k in 1..=200 {
            let mut params = [0.0; 2];
            optimizer
                .step(1.0, &layout, &mut params, &grad, &mut state)
                .unwrap();
            let warm_up = 1.0 - 0.99_f64.powi(k);
            for i in 0..2 {
                let expected = -warm_up * size[i] * grad[i].signum();
                assert!(
                    (params[i] - expected).abs() <= 1e-13 * expected.abs(),
                    "{name}, k {k}: {params:?}"
                );
            }
            if k == 100 {
                assert!((warm_up - 0.634).abs() < 5e-4); // as tabulated from the recursion
            }
        }
    }
}

#[test]
fn acclip_and_the_scale_of_the_loss() {
    // Powers of two: scaling is exact, so equivariance holds to the bit for α = 1 and 2.
    let (up, zero) = (1024.0, Some(0.0));
    for alpha in [1.0, 2.0] {
        let hyper = Hyper {
            alpha: Some(alpha),
            eps: zero,
            ..Hyper::default()
        };
        let paper = make("acclip-paper", hyper);
        let expected = path(&paper, 0.05, 1.0, &mut paper.init(&layout()));
        assert_eq!(
            path(&paper, 0.05 / up, up, &mut paper.init(&layout())),
            expected,
            "u scales with the loss"
        );
        let normalized = make("acclip", hyper);
        let expected = path(&normalized, 0.05, 1.0, &mut normalized.init(&layout()));
        assert_eq!(
            path(&normalized, 0.05, up, &mut normalized.init(&layout())),
            expected,
            "u is scale-free"
        );
    }
}

#[test]
fn normalized_acclip_is_bounded() {
    for alpha in [0.7, 1.0, 1.5, 2.0] {
        let optimizer = make(
            "acclip",
            Hyper {
                alpha: Some(alpha),
                eps: Some(0.0),
                ..Hyper::default()
            },
        );
        let mut state = optimizer.init(&layout());
        for t in 0..200 {
            let mut params = vec![0.0; LEN];
            optimizer
                .step(1.0, &layout(), &mut params, &gradient(t), &mut state)
                .unwrap();
            let bound = (1.0 - 0.99_f64.powi(t as i32 + 1)).powf(1.0 / alpha);
            assert!(
                params.iter().all(|u| u.abs() <= bound * (1.0 + 1e-12)),
                "alpha {alpha}, t {t}"
            );
        }
    }
}

#[test]
fn the_threshold_grows_with_alpha() {
    let mut previous = vec![0.0; LEN];
    for alpha in [0.5, 1.0, 1.3, 2.0] {
        let optimizer = make(
            "acclip-paper",
            Hyper {
                alpha: Some(alpha),
                ..Hyper::default()
            },
        );
        let mut state = optimizer.init(&layout());
        path(&optimizer, 0.01, 1.0, &mut state);
        let tau: Vec<f64> = slot(&state, "tau_alpha")
            .iter()
            .map(|x| x.powf(1.0 / alpha))
            .collect();
        assert!(
            tau.iter().zip(&previous).all(|(now, before)| now >= before),
            "alpha {alpha}"
        );
        previous = tau;
    }
}

#[test]
fn weight_decay_enters_no_moment() {
    for name in ["sgd-momentum", "acclip-paper", "acclip", "adamw"] {
        let states = [0.0, 0.5].map(|weight_decay| {
            let optimizer = make(
                name,
                Hyper {
                    weight_decay: Some(weight_decay),
                    ..Hyper::default()
                },
            );
            let mut state = optimizer.init(&layout());
            path(&optimizer, 0.05, 1.0, &mut state);
            state
        });
        assert_eq!(states[0], states[1], "{name}");
    }
}
