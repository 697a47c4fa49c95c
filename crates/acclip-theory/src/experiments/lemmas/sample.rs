//! Laws of noise to measure with, means over groups of samples, and random cases.

use std::ops::Range;

use acclip_noise::lanes::{mix, open01};
use rayon::prelude::*;

use crate::Error;
use crate::ensemble::Control;
use crate::estimate::{Estimate, mean};
use crate::noise::{Draws, Independent, Law, Noise, OneCoordinate, SharedScale};

/// Independent groups of samples.
pub(super) const GROUPS: usize = 32;
/// The dimension of noise that is not on a line.
pub(super) const DIM: usize = 5;
/// Rows that are drawn at once.
const CHUNK: usize = 512;
/// How far above α the tail index of heavy-tailed noise is.
const LIGHTER: f64 = 0.2;

/// Noise of mean zero.
pub(super) struct Case {
    /// Its law.
    pub name: &'static str,
    /// Its dimension.
    pub dim: usize,
    /// Itself.
    pub noise: Box<dyn Noise>,
}

impl Case {
    pub(super) fn new(name: &'static str, dim: usize, noise: impl Noise + 'static) -> Self {
        Case {
            name,
            dim,
            noise: Box::new(noise),
        }
    }
}

/// A direction with unequal coordinates, of length 1.
pub(super) fn direction(dim: usize) -> Vec<f64> {
    let all: f64 = (1..=dim).map(|i| (i * i) as f64).sum();
    (1..=dim).map(|i| i as f64 / all.sqrt()).collect()
}

/// Noise of many kinds whose α-moment is finite; the tail index of those with power tails is α + 0.2 (2 at most,
/// for stable laws).
pub(super) fn panel(alpha: f64) -> Vec<Case> {
    let heavy = alpha + LIGHTER;
    let pareto = Law::Pareto { index: heavy };
    let student = Law::StudentT { nu: heavy };
    let stable = |beta| Law::Stable {
        alpha: heavy.min(2.0),
        beta,
    };
    let line = |name, law| Case::new(name, 1, independent(law, vec![1.0]));
    let shared = |law, correlation| SharedScale {
        law,
        scale: 1.0,
        correlation,
    };
    let one = |law| OneCoordinate { law, scale: 1.0 };
    let scales = vec![1.0, -2.0, 0.5, 4.0, 0.25];
    vec![
        line("Gaussian", Law::Gaussian),
        line("Student t", student),
        line("Pareto", pareto),
        line("stable, symmetric", stable(0.0)),
        line("stable, skewed", stable(1.0)),
        line("two-point", Law::TwoPoint { p: 0.05 }),
        Case::new(
            "5 independent Gaussians",
            DIM,
            independent(Law::Gaussian, vec![1.0]),
        ),
        Case::new(
            "5 independent Paretos, unequal",
            DIM,
            independent(pareto, scales),
        ),
        Case::new(
            "5 independent stable, skewed",
            DIM,
            independent(stable(1.0), vec![1.0]),
        ),
        Case::new("one of 5 coordinates, Pareto", DIM, one(pareto)),
        Case::new(
            "one of 5 coordinates, two-point",
            DIM,
            one(Law::TwoPoint { p: 0.05 }),
        ),
        Case::new("5 with a shared Student t", DIM, shared(student, 0.0)),
        Case::new(
            "5 correlated with a shared Pareto",
            DIM,
            shared(pareto, 0.5),
        ),
    ]
}

/// ξ_i = s_i X_i.
pub(super) fn independent(law: Law, scales: Vec<f64>) -> Independent {
    Independent { law, scales }
}

/// Means over each of [`GROUPS`] groups of what `add` adds to `values` sums for a row of noise. At least `samples` rows
/// in all; the same bits for any number of threads.
pub(super) fn means(
    case: &Case,
    samples: usize,
    key: u64,
    values: usize,
    control: &Control,
    add: impl Fn(&[f64], &mut [f64]) + Sync,
) -> Result<Vec<Vec<f64>>, Error> {
    let (rows, dim) = (samples.div_ceil(GROUPS).max(1), case.dim);
    let group = |group: usize| {
        let key = mix(key, group as u64);
        let (mut sums, mut noise, mut scratch) = (vec![0.0; values], Vec::new(), Vec::new());
        for first in (0..rows).step_by(CHUNK) {
            let chunk = CHUNK.min(rows - first);
            control.count(chunk as u64)?;
            noise.clear();
            noise.resize(chunk * dim, 0.0);
            let draws = Draws {
                key,
                first: (first * (dim + 2)) as u64,
            };
            let at = vec![0.0; chunk * dim];
            case.noise
                .perturb(draws, dim, &at, &mut noise, &mut scratch);
            noise.chunks_exact(dim).for_each(|row| add(row, &mut sums));
        }
        sums.iter_mut().for_each(|sum| *sum /= rows as f64);
        Ok(sums)
    };
    (0..GROUPS).into_par_iter().map(group).collect()
}

/// The mean of one of the values, from its means over groups.
pub(super) fn mean_of(groups: &[Vec<f64>], place: usize) -> Estimate {
    mean(&groups.iter().map(|group| group[place]).collect::<Vec<_>>())
}

/// ‖E v‖ of the vector v at `places`: the norm of the mean m of the groups' means m_i. It is off by ‖m − E v‖ at most,
/// and that exceeds t times the root of Σ‖m_i − m‖²/(n(n − 1)) most often in one dimension (Székely & Bakirov,
/// *Extremal probabilities for Gaussian quadratic forms*, 2003), so that Student's quantile makes an interval in any,
/// exact on a line. Where E v is small beside it, the estimate is the noise's own length.
pub(super) fn norm_of(groups: &[Vec<f64>], places: Range<usize>) -> Estimate {
    let n = groups.len() as f64;
    let mean = |i: usize| groups.iter().map(|group| group[i]).sum::<f64>() / n;
    let means: Vec<f64> = places.clone().map(mean).collect();
    let away = |group: &Vec<f64>| {
        let differences = group[places.clone()]
            .iter()
            .zip(&means)
            .map(|(x, m)| (x - m).powi(2));
        differences.sum::<f64>()
    };
    let squares: f64 = groups.iter().map(away).sum();
    let found = Estimate::new(
        length(&means),
        (squares / (n * (n - 1.0))).sqrt(),
        groups.len(),
    );
    Estimate {
        low: found.low.max(0.0),
        ..found
    }
}

/// A stream of random cases.
pub(super) struct Random {
    key: u64,
    next: u64,
}

impl Random {
    pub(super) fn new(key: u64) -> Self {
        Random { key, next: 0 }
    }

    /// Uniform on (0, 1).
    pub(super) fn uniform(&mut self) -> f64 {
        self.next += 1;
        open01(mix(self.key, self.next))
    }

    /// Uniform on (low, high).
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// 10^U with U uniform on (low, high).
    pub(super) fn decade(&mut self, low: f64, high: f64) -> f64 {
        10_f64.powf(self.between(low, high))
    }

    /// Standard normal.
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Uniform on the unit sphere.
    pub(super) fn direction(&mut self, dim: usize) -> Vec<f64> {
        let x: Vec<f64> = (0..dim).map(|_| self.normal()).collect();
        let norm = length(&x);
        x.iter().map(|x| x / norm).collect()
    }
}

/// ‖x‖.
pub(super) fn length(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests;
