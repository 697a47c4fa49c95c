//! RMSProp and the clip that is equivalent to it, on ½x² with heavy-tailed noise.
//!
//! Each keeps its own x and v, from x = 1 and v = 0, and both see the same noise: Pareto with tail index α, of infinite
//! variance. The clip has the η and τ of [`clip_parameters`] with c = 1, from v before the gradient.

use rayon::prelude::*;

use super::super::{Settings, octaves};
use super::{FACTORS, LEARNING_RATE, optimizer};
use crate::Error;
use crate::bounds::rmsprop::clip_parameters;
use crate::ensemble::Control;
use crate::estimate::{Estimate, mean};
use crate::finding::{Check, Curve, Finding, Plot};
use crate::noise::Law;

/// Independent groups of runs.
const GROUPS: usize = 32;
const BETA2: f64 = 0.99;
const EPS: f64 = 1e-8;

/// Both rules on ½x² with the same Pareto noise: errors, their ratio, and a figure.
pub(super) fn both_rules(
    alpha: f64,
    settings: &Settings,
    control: &Control,
    finding: &mut Finding,
) -> Result<(), Error> {
    let k = octaves(3, settings.steps);
    let groups: Vec<Result<Vec<[f64; 2]>, Error>> = (0..GROUPS)
        .into_par_iter()
        .map(|group| both(alpha, &k, group, settings, control))
        .collect();
    let groups = groups.into_iter().collect::<Result<Vec<_>, _>>()?;
    let means = |which: usize| -> Vec<Estimate> {
        let at = |i: usize| groups.iter().map(|rows| rows[i][which]).collect::<Vec<_>>();
        (0..k.len()).map(|i| mean(&at(i))).collect()
    };
    let (rms, clip) = (means(0), means(1));
    let ratios: Vec<f64> = rms
        .iter()
        .zip(&clip)
        .map(|(a, b)| a.value / b.value)
        .collect();
    let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ratios.iter().copied().fold(0.0, f64::max);
    finding.checks.push(Check::new(
        format!("α = {alpha}: E f of RMSProp and of the clip agree within a factor of two"),
        low >= 0.5 && high <= 2.0,
        format!("their ratio is from {low:.3} to {high:.3}"),
    ));
    let points = |means: Vec<Estimate>| k.iter().map(|&k| k as f64).zip(means).collect::<Vec<_>>();
    finding.plots.push(Plot {
        title: format!("Both on ½x², Pareto noise, α = {alpha}"),
        caption: format!("E f from x = 1; lr = {LEARNING_RATE}, β2 = {BETA2}, ε = {EPS:e}, c = 1."),
        x: "steps k".into(),
        y: "E f".into(),
        log: true,
        curves: vec![
            Curve::measured("RMSProp", points(rms)),
            Curve::measured("clip", points(clip)),
        ],
    });
    Ok(())
}

/// Means over one group of f after each of `k` steps, of RMSProp and of the clip.
fn both(
    alpha: f64,
    k: &[u64],
    group: usize,
    settings: &Settings,
    control: &Control,
) -> Result<Vec<[f64; 2]>, Error> {
    let (beta2, eps) = (BETA2, EPS);
    let n = settings.trajectories.div_ceil(GROUPS);
    let (optimizer, layout) = optimizer(beta2, eps, n)?;
    let mut state = optimizer.init::<f64>(&layout);
    let law = Law::Pareto { index: alpha };
    let key = settings.stream("rmsprop, quadratic", alpha + 4.0 * group as f64);
    let (mut x, mut y, mut v) = (vec![1.0; n], vec![1.0; n], vec![0.0; n]);
    let (mut noise, mut grad) = (vec![0.0; n], vec![0.0; n]);
    let (mut found, mut done) = (Vec::new(), 0);
    for &steps in k {
        control.count(2 * n as u64 * (steps - done))?;
        for step in done..steps {
            law.fill(&mut noise, key, step * n as u64);
            for i in 0..n {
                grad[i] = x[i] + noise[i];
                let g = y[i] + noise[i];
                let (eta, tau) = clip_parameters(FACTORS[0], LEARNING_RATE, v[i], beta2, eps);
                y[i] -= eta * g.clamp(-tau, tau);
                v[i] = beta2 * v[i] + (1.0 - beta2) * g * g;
            }
            optimizer.step(LEARNING_RATE, &layout, &mut x, &grad, &mut state)?;
        }
        done = steps;
        let f = |x: &[f64]| x.iter().map(|x| 0.5 * x * x).sum::<f64>() / n as f64;
        found.push([f(&x), f(&y)]);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_steps_by_hand() {
        // One trajectory a group; Pareto noise of the group's own stream.
        let settings = Settings {
            seed: 2,
            alphas: vec![1.5],
            trajectories: 1,
            steps: 2,
        };
        let found = both(1.5, &[1, 2], 0, &settings, &Control::default()).unwrap();
        let mut noise = [0.0; 2];
        let key = settings.stream("rmsprop, quadratic", 1.5);
        Law::Pareto { index: 1.5 }.fill(&mut noise, key, 0);
        // From v = 0 the clip takes a step of lr/√(1 − β2) = 0.1, and RMSProp almost the same.
        let g = 1.0 + noise[0];
        let first = 1.0 - 0.1 * g.signum();
        assert!(
            (found[0][1] - 0.5 * first * first).abs() < 1e-12,
            "{found:?}"
        );
        assert!((found[0][0] - found[0][1]).abs() < 1e-7, "{found:?}");
        let (v, h) = (0.01 * g * g, first + noise[1]);
        let rms = 0.01 / (0.99 * v + 0.01 * h * h).sqrt();
        let clip = 0.01 / (0.99 * v).sqrt().max(0.1 * h.abs());
        for (found, factor) in found[1].iter().zip([rms, clip]) {
            let second = first - factor * h;
            assert!(
                (found - 0.5 * second * second).abs() < 1e-6,
                "{found} {second}"
            );
        }
    }
}
