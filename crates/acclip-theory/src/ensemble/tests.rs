//! What a run does whatever the method: checkpoints, threads, groups, stopping, errors. Numbers: [`twin`].

mod twin;

use std::sync::Mutex;

use super::*;
use crate::methods::Update;
use crate::noise::{Independent, Law};
use crate::problems::{Domain, Facts};

const SEED: u64 = 5;
const CHECKPOINTS: [u64; 2] = [10, 50];
const METRICS: [Metric; 6] = [
    Metric::Gap,
    Metric::AverageGap,
    Metric::Gradient,
    Metric::SquaredGradient,
    Metric::MeanTruncatedGradient { tau: 0.6 },
    Metric::MeanTruncatedGradient { tau: f64::INFINITY },
];

/// ½ Σ λ_i (x_i − c_i)² on any domain, which keeps what it was shown for a gap, and calls back at every gradient.
struct Bowl<'a> {
    lambda: Vec<f64>,
    center: Vec<f64>,
    domain: Option<Domain>,
    seen: Mutex<Vec<Vec<f64>>>,
    at_gradient: &'a (dyn Fn() + Sync),
}

fn bowl(dim: usize, domain: Option<Domain>) -> Bowl<'static> {
    Bowl {
        lambda: vec![1.0, 0.5, 1.6][..dim].to_vec(),
        center: vec![0.4, -0.3, 0.1][..dim].to_vec(),
        domain,
        seen: Mutex::default(),
        at_gradient: &|| (),
    }
}

impl Problem for Bowl<'_> {
    fn dim(&self) -> usize {
        self.lambda.len()
    }

    fn gradient(&self, x: &[f64], grad: &mut [f64]) {
        (self.at_gradient)();
        for (i, (grad, x)) in grad.iter_mut().zip(x).enumerate() {
            let i = i % self.dim();
            *grad = self.lambda[i] * (x - self.center[i]);
        }
    }

    fn gap(&self, x: &[f64], gap: &mut [f64]) {
        self.seen.lock().unwrap().push(x.to_vec());
        for (gap, row) in gap.iter_mut().zip(x.chunks_exact(self.dim())) {
            let terms = row.iter().enumerate();
            *gap = terms
                .map(|(i, x)| 0.5 * self.lambda[i] * (x - self.center[i]).powi(2))
                .sum();
        }
    }

    fn facts(&self) -> Facts {
        Facts {
            smoothness: None,
            strong_convexity: 0.0,
            domain: self.domain,
            optimum: None,
            minimum: 0.0,
            gradient_bound: None,
        }
    }
}

fn heavy(dim: usize) -> Independent {
    Independent {
        law: Law::StudentT { nu: 1.5 },
        scales: vec![0.8, -0.3, 1.5][..dim].to_vec(),
    }
}

/// GClip, projected and averaged, in three dimensions.
fn method() -> Method {
    Method::harmonic(
        "GClip",
        Update::GClip {
            max_norm: 0.7,
            growth: 0.6,
        },
        1.0,
    )
}

fn ensemble<'a>(problem: &'a Bowl, noise: &'a Independent, method: &'a Method) -> Ensemble<'a> {
    Ensemble {
        problem,
        noise,
        method,
        start: &[-0.2, 0.3, 0.1][..problem.dim()],
        trajectories: 2000,
        checkpoints: &[10, 50],
        metrics: &METRICS,
        seed: SEED,
    }
}

#[test]
fn checkpoints_do_not_change_a_run_and_rows_are_its_checkpoints() {
    let (problem, noise, method) = (
        bowl(3, Some(Domain::Ball { radius: 0.7 })),
        heavy(3),
        method(),
    );
    let both = ensemble(&problem, &noise, &method);
    let run = |checkpoints| {
        Ensemble {
            checkpoints,
            ..both
        }
        .run(&Control::default())
        .unwrap()
    };
    let (all, early, late) = (run(&[10, 300]), run(&[10]), run(&[300]));
    for metric in 0..METRICS.len() {
        assert_eq!(
            all.rows(metric),
            [early.groups(metric, 0), late.groups(metric, 0)]
        );
        assert_ne!(all.groups(metric, 0), all.groups(metric, 1));
    }
    // Before the first step: the start, and no gradient to sum.
    let none = run(&[0]);
    let gap = 0.5 * (0.36 + 0.5 * 0.36);
    assert!(
        none.groups(0, 0)
            .iter()
            .chain(none.groups(1, 0))
            .all(|found| (found - gap).abs() < 1e-15),
        "{none:?}"
    );
    assert!(none.groups(4, 0).iter().all(|&sum| sum == 0.0));
}

#[test]
fn bits_do_not_depend_on_threads_but_on_the_seed() {
    for dim in [1, 3] {
        let (problem, noise, method) = (
            bowl(dim, Some(Domain::Ball { radius: 0.7 })),
            heavy(dim),
            method(),
        );
        let ensemble = ensemble(&problem, &noise, &method);
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| ensemble.run(&Control::default())).unwrap()
        };
        let one = on(1);
        assert!(one.groups >= 2);
        assert_eq!(one, on(2));
        assert_eq!(one, on(3));
        let other = Ensemble {
            seed: SEED + 1,
            ..ensemble
        }
        .run(&Control::default())
        .unwrap();
        assert!(one.means.iter().zip(&other.means).all(|(a, b)| a != b));
        // Groups are independent: none has the numbers of another.
        let gaps = one.groups(0, 0);
        assert!((1..gaps.len()).all(|i| !gaps[..i].contains(&gaps[i])));
    }
}

#[test]
fn trajectories_are_rounded_up_to_whole_groups_and_steps_are_counted() {
    for dim in [1, 3] {
        let (problem, noise, method) = (bowl(dim, None), heavy(dim), method());
        for trajectories in [0, 1, 7, 100, 512, 513, 2000, 5000] {
            let ensemble = Ensemble {
                trajectories,
                checkpoints: &[3, 5],
                ..ensemble(&problem, &noise, &method)
            };
            let (rows, groups) = ensemble.groups();
            assert!(
                rows >= 1 && rows * dim <= GROUP && rows * groups >= trajectories,
                "{trajectories}"
            );
            assert!(
                groups == 1 || rows * (groups - 1) < trajectories,
                "{trajectories}"
            );
            let control = Control::default();
            let found = ensemble.run(&control).unwrap();
            assert_eq!(found.groups(0, 1).len(), groups);
            assert_eq!(control.steps(), 5 * (rows * groups) as u64);
        }
    }
}

#[test]
fn a_run_stops_soon_after_it_is_asked_to() {
    let (noise, method) = (heavy(1), method());
    let (control, calls) = (Control::default(), AtomicU64::new(0));
    let stop_at_300 = || {
        if calls.fetch_add(1, Ordering::Relaxed) + 1 == 300 {
            control.stop();
        }
    };
    let problem = Bowl {
        at_gradient: &stop_at_300,
        ..bowl(1, None)
    };
    let long = Ensemble {
        checkpoints: &[u64::MAX],
        ..ensemble(&problem, &noise, &method)
    };
    assert_eq!(long.run(&control), Err(Error::Stopped));
    let groups = long.groups().1 as u64;
    assert!(calls.load(Ordering::Relaxed) <= 300 + PATIENCE * groups);
    // At once, if it was asked before.
    let before = calls.load(Ordering::Relaxed);
    assert_eq!(long.run(&control), Err(Error::Stopped));
    assert_eq!(calls.load(Ordering::Relaxed), before);
}

#[test]
fn what_cannot_be_run_is_refused() {
    let (problem, noise, method) = (bowl(3, None), heavy(3), method());
    let good = ensemble(&problem, &noise, &method);
    let error = |ensemble: Ensemble| ensemble.run(&Control::default()).unwrap_err();
    for start in [&[][..], &[0.0; 2], &[0.0; 6]] {
        assert!(matches!(
            error(Ensemble { start, ..good }),
            Error::OutOfRange { .. }
        ));
    }
    for checkpoints in [&[50, 10][..], &[10, 10]] {
        assert!(matches!(
            error(Ensemble {
                checkpoints,
                ..good
            }),
            Error::OutOfRange { .. }
        ));
    }
    let clip = |update| Method {
        update,
        ..method.clone()
    };
    let bad = [
        clip(Update::GClip {
            max_norm: -1.0,
            growth: 0.0,
        }),
        clip(Update::GClip {
            max_norm: 1.0,
            growth: f64::NAN,
        }),
        clip(Update::Normalized { beta1: 1.0 }),
        Method {
            learning_rate: f64::NAN,
            ..method.clone()
        },
        Method {
            learning_rate: -0.1,
            ..method.clone()
        },
    ];
    for method in &bad {
        assert!(
            matches!(error(Ensemble { method, ..good }), Error::Optimizer(_)),
            "{method:?}"
        );
    }
    for tau in [vec![], vec![1.0; 2], vec![1.0; 4]] {
        let method = clip(Update::CClip { tau, growth: 0.0 });
        assert!(
            matches!(
                error(Ensemble {
                    method: &method,
                    ..good
                }),
                Error::OutOfRange { .. }
            ),
            "{method:?}"
        );
    }
    // Noise that is not fit: a law out of range, too few scales, a scale that is no number.
    let stable = Law::Stable {
        alpha: 3.0,
        beta: 0.0,
    };
    for (law, scales) in [
        (stable, vec![1.0]),
        (Law::Gaussian, vec![]),
        (Law::Gaussian, vec![1.0; 2]),
        (Law::Gaussian, vec![f64::NAN]),
    ] {
        let noise = Independent { law, scales };
        assert!(
            matches!(
                error(Ensemble {
                    noise: &noise,
                    ..good
                }),
                Error::OutOfRange { .. }
            ),
            "{noise:?}"
        );
    }
    // Noise beyond the squares that an f64 holds.
    let noise = Independent {
        law: Law::Gaussian,
        scales: vec![1e200],
    };
    assert!(matches!(
        error(Ensemble {
            noise: &noise,
            ..good
        }),
        Error::Optimizer(_)
    ));
}
