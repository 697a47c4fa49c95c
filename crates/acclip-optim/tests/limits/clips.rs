//! Closed forms and bounds of other clips, of signs, and of projections.

use acclip_optim::{Link, ProjectBox};

use super::{LEN, assert_same, direction, problem};
use crate::common::*;

#[test]
fn stable_adamw_is_adamw_until_gradients_surprise() {
    let (layout, line) = (one_block(LEN), "beta2 = 0.5, eps = 0");
    let (stable, adamw) = (make("stable-adamw", line), make("adamw", line));
    let first: Vec<f64> = (0..LEN as u64).map(|i| heavy(i, 0)).collect();
    let steady = |by: f64| Problem {
        layout: layout.clone(),
        grads: (0..30)
            .map(|t| first.iter().map(|g| g * by.powi(t)).collect())
            .collect(),
    };
    assert_same(&stable, &adamw, &steady(0.75));
    // A constant gradient has RMS 1 up to rounding: a few units in the last place each step.
    let [a, b] = [&stable, &adamw].map(|o| run::<f64, f64>(o, &steady(1.0)).params);
    a.iter()
        .zip(&b)
        .for_each(|(a, b)| assert!((a - b).abs() <= 1e-15, "{a} {b}"));
    // One that grows k-fold in the second step has v̂ = (1 + 2k²)/3, so RMS² = 3k²/(1 + 2k²).
    let k = 8.0_f64;
    let [a, b] = [&stable, &adamw].map(|o| {
        let mut state = o.init(&layout);
        direction(o, &layout, &first, &mut state);
        let grown: Vec<f64> = first.iter().map(|g| k * g).collect();
        direction(o, &layout, &grown, &mut state).0
    });
    let rms = (3.0 * k * k / (1.0 + 2.0 * k * k)).sqrt();
    a.iter()
        .zip(&b)
        .for_each(|(a, b)| assert!((a * rms - b).abs() <= 1e-14 * b.abs(), "{a} {b}"));
}

#[test]
fn quantile_clipping_starts_unclipped_and_keeps_its_rate() {
    let (layout, steps) = (one_block(LEN), 3000);
    for (rate, gain) in [(0.1, 0.1), (0.3, 0.05)] {
        for (name, normalized) in [("qclip-raw", false), ("qclip", true)] {
            let optimizer = make(name, &format!("clip_rate = {rate}, clip_gain = {gain}"));
            let mut state = optimizer.init(&layout);
            let (mut hits, mut first, mut range) = (0.0, Vec::new(), (f64::MAX, 0.0_f64));
            for t in 0..steps {
                let grad: Vec<f64> = (0..LEN as u64).map(|i| heavy(i, t)).collect();
                let (u, clipped) = direction(&optimizer, &layout, &grad, &mut state);
                hits += clipped;
                let size = |g: &f64| g.abs();
                range.0 = grad.iter().map(size).fold(range.0, f64::min);
                range.1 = grad.iter().map(size).fold(range.1, f64::max);
                if t == 0 {
                    first = slot(&state, "quantile", &layout);
                    assert_eq!((clipped, &first), (0.0, &grad.iter().map(size).collect()));
                    for (u, g) in u.iter().zip(&grad) {
                        let q = if normalized { g.abs() + 1e-8 } else { 1.0 };
                        assert!(
                            (u - (1.0 - 0.9) * g / q).abs() <= 1e-15 * g.abs() / q,
                            "{name}"
                        );
                    }
                }
            }
            // share = p + (log q_n − log q_0)/(c n), to rounding; and |share − p| ≤ (R + c)/(c n).
            let n = (steps - 1) as f64;
            let share = hits / n;
            let log = |q: &[f64]| q.iter().map(|q| q.ln()).sum::<f64>() / LEN as f64;
            let drift = log(&slot(&state, "quantile", &layout)) - log(&first);
            assert!(
                (share - rate - drift / (gain * n)).abs() < 1e-11,
                "{name}: {share}"
            );
            let bound = ((range.1 / range.0).ln() + gain) / (gain * n);
            assert!(
                (share - rate).abs() <= bound && bound < 0.1,
                "{name}: {share}, {bound}"
            );
        }
    }
}

#[test]
fn directions_of_signs_are_signs_and_normalised_ones_have_norm_one() {
    let (layout, problem) = (one_block(LEN), problem(1.0));
    for name in ["lion", "signum"] {
        let optimizer = make(name, "");
        let mut state = optimizer.init(&layout);
        let mut seen = [0; 3];
        for grad in &problem.grads {
            for u in direction(&optimizer, &layout, grad, &mut state).0 {
                seen[[-1.0, 0.0, 1.0]
                    .iter()
                    .position(|s| *s == u)
                    .expect("a sign")] += 1;
            }
        }
        assert!(seen.iter().all(|&n| n > 0), "{name}: {seen:?}");
    }
    // Each coordinate is scaled by a factor rounded once, and rounds once.
    const MAX_ERROR: f64 = 3.0 * f64::EPSILON;
    let nsgd = make("nsgd-momentum", "");
    for one_pass in [true, false] {
        let nsgd = nsgd.clone().with_one_pass(one_pass);
        let mut run = Run::new(&nsgd, &layout, vec![0.0; LEN]);
        run.steps(&nsgd, &problem, 0..60);
        for stats in &run.stats {
            assert!(
                (stats.update_norm / LEARNING_RATE - 1.0).abs() <= MAX_ERROR,
                "{stats:?}"
            );
        }
        // Nothing has no direction.
        let (u, _) = direction(&nsgd, &layout, &[0.0; LEN], &mut nsgd.init(&layout));
        assert_eq!(u, [0.0; LEN]);
    }
}

#[test]
fn projections_land_inside_and_leave_alone_what_is_inside() {
    /// Relative excess over the radius: the factor and each coordinate are rounded once.
    const MAX_EXCESS: f64 = 2.0 * f64::EPSILON;
    let problem = problem(1.0);
    for radius in [0.01, 1.0, 2.5, 100.0] {
        let optimizer = make("proj-gclip", &format!("radius = {radius}"));
        let free = make("gclip", "");
        let mut x = start::<f64>(0..LEN);
        let mut state = optimizer.init(&problem.layout);
        let mut projected = 0;
        for grad in &problem.grads {
            let mut y = x.clone();
            let mut none = free.init(&problem.layout);
            free.step(0.5, &problem.layout, &mut y, grad, &mut none)
                .unwrap();
            optimizer
                .step(0.5, &problem.layout, &mut x, grad, &mut state)
                .unwrap();
            let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
            assert!(
                norm(&x) <= radius * (1.0 + MAX_EXCESS),
                "{radius}: {}",
                norm(&x)
            );
            if norm(&y) <= radius * (1.0 - MAX_EXCESS) {
                assert_eq!(x, y, "radius {radius}");
            } else {
                projected += 1;
                let along = x.iter().zip(&y).map(|(x, end)| x / radius - end / norm(&y));
                assert!(
                    along.into_iter().all(|off| off.abs() <= 1e-15),
                    "radius {radius}"
                );
            }
        }
        assert_eq!(projected > 0, radius < 100.0, "radius {radius}");
    }
    let (lower, upper) = (-0.25, 0.75);
    let boxed = chain(vec![Link::ProjectBox(ProjectBox { lower, upper })]);
    let mut x = start::<f64>(0..LEN);
    let mut state = boxed.init(&problem.layout);
    for grad in &problem.grads {
        let free: Vec<f64> = x.iter().zip(grad).map(|(x, g)| x - 0.1 * g).collect();
        boxed
            .step(0.1, &problem.layout, &mut x, grad, &mut state)
            .unwrap();
        assert_eq!(
            x,
            free.iter()
                .map(|x| x.clamp(lower, upper))
                .collect::<Vec<_>>()
        );
    }
}
