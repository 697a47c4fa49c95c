//! A slow twin: one trajectory and one coordinate at a time, written from the formulas of the papers.

use acclip_optim::{AcClip, Adam, Form, RmsProp, Schedule};

use super::*;
use crate::methods::{CONSTANT, HARMONIC, acclip};

/// State of one trajectory: averages of a coordinate, whatever a rule calls them.
struct State {
    m: Vec<f64>,
    v: Vec<f64>,
    tau_alpha: Vec<f64>,
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// x ← (the step) from the stochastic gradient `g`: what is subtracted, before the learning rate.
fn direction(update: &Update, g: &[f64], k: i32, state: &mut State) -> Vec<f64> {
    let ema = |old: f64, beta: f64, new: f64| beta * old + (1.0 - beta) * new;
    let each = |f: &mut dyn FnMut(usize, f64) -> f64| {
        g.iter()
            .enumerate()
            .map(|(i, &g)| f(i, g))
            .collect::<Vec<_>>()
    };
    match update {
        Update::Sgd => g.to_vec(),
        Update::GClip { max_norm, growth } => {
            let tau = max_norm * f64::from(k).powf(*growth);
            let factor = f64::min(tau / norm(g), 1.0);
            each(&mut |_, g| factor * g)
        }
        Update::CClip { tau, growth } => each(&mut |i, g| {
            let tau = if tau.len() == 1 { tau[0] } else { tau[i] } * f64::from(k).powf(*growth);
            f64::min(tau / g.abs(), 1.0) * g
        }),
        Update::AcClip(rule) => each(&mut |i, g| {
            state.m[i] = ema(state.m[i], rule.beta1, g);
            state.tau_alpha[i] = ema(state.tau_alpha[i], rule.beta2, g.abs().powf(rule.alpha));
            state.v[i] = ema(state.v[i], rule.beta2, g * g);
            let tau = state.tau_alpha[i].powf(1.0 / rule.alpha);
            let clipped = f64::min(tau / (state.m[i].abs() + rule.eps), 1.0) * state.m[i];
            let v = state.v[i] / (1.0 - rule.beta2.powi(k));
            if rule.form == Form::Paper {
                clipped
            } else {
                clipped / (v.sqrt() + rule.eps)
            }
        }),
        Update::Normalized { beta1 } => {
            let m = each(&mut |i, g| ema(state.m[i], *beta1, g));
            state.m.clone_from(&m);
            m.iter().map(|x| x / norm(&m)).collect()
        }
        Update::Adam(rule) => each(&mut |i, g| {
            state.m[i] = ema(state.m[i], rule.beta1, g);
            state.v[i] = ema(state.v[i], rule.beta2, g * g);
            let m = state.m[i] / (1.0 - rule.beta1.powi(k));
            m / ((state.v[i] / (1.0 - rule.beta2.powi(k))).sqrt() + rule.eps)
        }),
        Update::RmsProp(rule) => each(&mut |i, g| {
            state.v[i] = ema(state.v[i], rule.beta2, g * g);
            state.m[i] = rule.momentum * state.m[i] + g / (state.v[i].sqrt() + rule.eps);
            state.m[i]
        }),
    }
}

fn project(domain: Domain, x: &mut [f64]) {
    match domain {
        Domain::Ball { radius } if norm(x) > radius => {
            let factor = radius / norm(x);
            x.iter_mut().for_each(|x| *x *= factor);
        }
        Domain::Ball { .. } => {}
        Domain::Box { lower, upper } => x.iter_mut().for_each(|x| *x = x.max(lower).min(upper)),
    }
}

/// One trajectory at the checkpoints: x_k, x̄_k, and the metrics.
struct Path {
    x: Vec<Vec<f64>>,
    average: Vec<Vec<f64>>,
    /// By checkpoint, metric.
    metrics: Vec<Vec<f64>>,
}

fn path(
    ensemble: &Ensemble,
    problem: &Bowl,
    noise: &Independent,
    rate: &dyn Fn(f64) -> f64,
    at: (u64, u64),
) -> Path {
    let (dim, (group, row)) = (problem.dim(), at);
    let (rows, key) = (ensemble.groups().0 as u64, mix(ensemble.seed, group));
    let gradient = |x: &[f64]| -> Vec<f64> {
        (0..dim)
            .map(|i| problem.lambda[i] * (x[i] - problem.center[i]))
            .collect()
    };
    let gap = |x: &[f64]| {
        (0..dim)
            .map(|i| 0.5 * problem.lambda[i] * (x[i] - problem.center[i]).powi(2))
            .sum::<f64>()
    };
    let mut state = State {
        m: vec![0.0; dim],
        v: vec![0.0; dim],
        tau_alpha: vec![0.0; dim],
    };
    let (mut x, mut history) = (ensemble.start.to_vec(), Vec::new());
    let mut path = Path {
        x: vec![],
        average: vec![],
        metrics: vec![],
    };
    for k in 1..=CHECKPOINTS[1] {
        history.push(x.clone());
        let mut g = gradient(&x);
        for (i, g) in g.iter_mut().enumerate() {
            let mut draw = [0.0];
            // Step k of all rows has the draws from k·rows·(dim + 2) on.
            let place = k * rows * (dim as u64 + 2) + row * dim as u64 + i as u64;
            noise.law.fill(&mut draw, key, place);
            *g += noise.scales[i] * draw[0];
        }
        let step = direction(&ensemble.method.update, &g, k as i32, &mut state);
        x.iter_mut()
            .zip(step)
            .for_each(|(x, step)| *x -= rate(k as f64) * step);
        if let (Some(domain), true) = (problem.domain, ensemble.method.project) {
            project(domain, &mut x);
        }
        if CHECKPOINTS.contains(&k) {
            let mut average = x.clone();
            if let Some(degree) = ensemble.method.average {
                let weight = |j: usize| if degree == 1.0 { (j + 1) as f64 } else { 1.0 };
                let total: f64 = (0..history.len()).map(weight).sum();
                for (i, mean) in average.iter_mut().enumerate() {
                    *mean = (0..history.len())
                        .map(|j| weight(j) * history[j][i])
                        .sum::<f64>()
                        / total;
                }
            }
            let sizes: Vec<f64> = history.iter().map(|x| norm(&gradient(x))).collect();
            let truncated = |tau: f64| {
                let terms = sizes
                    .iter()
                    .map(|&size| if size > tau { tau * size } else { size * size });
                terms.sum::<f64>() / k as f64
            };
            let size = norm(&gradient(&x));
            let metrics = vec![
                gap(&x),
                gap(&average),
                size,
                size * size,
                truncated(0.6),
                truncated(f64::INFINITY),
            ];
            path.metrics.push(metrics);
            path.average.push(average);
            path.x.push(x.clone());
        }
    }
    path
}

/// Every rule, with its hyper-parameters off their defaults; `dim` thresholds for CClip.
fn updates(dim: usize) -> Vec<Update> {
    let rule = |form, alpha| AcClip {
        form,
        alpha,
        beta1: 0.8,
        beta2: 0.95,
        eps: 1e-3,
        bias_correction: false,
    };
    vec![
        Update::Sgd,
        Update::GClip {
            max_norm: 0.7,
            growth: 1.0 / 1.5,
        },
        Update::GClip {
            max_norm: 1.1,
            growth: 0.0,
        },
        Update::CClip {
            tau: vec![0.5],
            growth: 0.4,
        },
        Update::CClip {
            tau: vec![0.9, 0.2, 1.4][..dim].to_vec(),
            growth: 0.25,
        },
        acclip(1.0),
        Update::AcClip(rule(Form::Paper, 1.5)),
        Update::AcClip(rule(Form::Normalized, 2.0)),
        Update::Normalized { beta1: 0.7 },
        Update::Normalized { beta1: 0.0 },
        Update::Adam(Adam {
            beta1: 0.85,
            beta2: 0.97,
            eps: 1e-3,
        }),
        Update::RmsProp(RmsProp {
            beta2: 0.9,
            eps: 1e-3,
            momentum: 0.0,
        }),
        Update::RmsProp(RmsProp {
            beta2: 0.9,
            eps: 1e-3,
            momentum: 0.3,
        }),
    ]
}

/// Largest difference of two buffers.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs() / b.abs().max(1.0))
        .fold(0.0, f64::max)
}

#[test]
fn trajectories_averages_and_metrics_are_those_of_the_twin() {
    let domains = [
        None,
        Some(Domain::Ball { radius: 0.7 }),
        Some(Domain::Box {
            lower: -0.25,
            upper: 0.5,
        }),
    ];
    type Rate = Box<dyn Fn(f64) -> f64>;
    for (dim, domain, average) in [1, 3].into_iter().flat_map(|dim| {
        domains
            .into_iter()
            .zip([None, Some(1.0), Some(0.0)])
            .map(move |(domain, average)| (dim, domain, average))
    }) {
        for update in updates(dim) {
            let schedules: [(Schedule, Rate); 2] = [
                (CONSTANT, Box::new(|_| 0.3)),
                (HARMONIC, Box::new(|k| 0.6 / (k + 1.0))),
            ];
            for (schedule, rate) in schedules {
                let problem = bowl(dim, domain);
                let noise = heavy(dim);
                let method = Method {
                    schedule,
                    average,
                    project: domain.is_some(),
                    ..Method::constant("method", update.clone(), 0.3)
                };
                let ensemble = Ensemble {
                    problem: &problem,
                    noise: &noise,
                    method: &method,
                    start: &[-0.2, 0.3, 0.1][..dim],
                    trajectories: 24,
                    checkpoints: &CHECKPOINTS,
                    metrics: &METRICS,
                    seed: SEED,
                };
                let what = format!("{dim} {domain:?} {method:?}");
                let found = ensemble.run(&Control::default()).expect(&what);
                let (rows, groups) = ensemble.groups();
                let seen = problem.seen.lock().unwrap().clone();
                assert_eq!(seen.len(), 2 * CHECKPOINTS.len() * groups, "{what}");
                for group in 0..groups {
                    let paths: Vec<Path> = (0..rows as u64)
                        .map(|row| path(&ensemble, &problem, &noise, &*rate, (group as u64, row)))
                        .collect();
                    for checkpoint in 0..CHECKPOINTS.len() {
                        for part in [
                            |path: &Path| path.x.clone(),
                            |path: &Path| path.average.clone(),
                        ] {
                            let all: Vec<f64> = paths
                                .iter()
                                .flat_map(|path| part(path)[checkpoint].clone())
                                .collect();
                            let nearest = seen
                                .iter()
                                .map(|seen| distance(seen, &all))
                                .fold(1.0, f64::min);
                            assert!(nearest <= 1e-12, "{what}: off by {nearest:e}");
                        }
                        for metric in 0..METRICS.len() {
                            let sum: f64 = paths
                                .iter()
                                .map(|path| path.metrics[checkpoint][metric])
                                .sum();
                            let (mean, found) =
                                (sum / rows as f64, found.groups(metric, checkpoint)[group]);
                            assert!(
                                (found / mean - 1.0).abs() <= 1e-12,
                                "{what}: metric {metric}, {found} {mean}"
                            );
                        }
                    }
                }
            }
        }
    }
}
