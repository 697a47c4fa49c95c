//! Many independent trajectories of one method, at once.
//!
//! Trajectories are cut into groups of a size that depends on their number and dimension. A group is a flat buffer, a row a
//! trajectory, which goes through its steps as one vector: true gradient, noise, one step of the optimizer, average.
//! Threads take whole groups, each with a random stream of its own, so that results have the same bits for any
//! number of threads. Only means over a group are kept, at the checkpoints: memory does not grow with the steps.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use acclip_noise::lanes::{mix, vectorised};
use acclip_optim::PolynomialAverage;
use rayon::prelude::*;

use crate::Error;
use crate::methods::Method;
use crate::noise::{Draws, Noise};
use crate::problems::Problem;

/// Values, that is rows times dimension, in a group: a few such buffers fit into the nearest cache.
const GROUP: usize = 512;
/// Groups that there are at least, if there are as many trajectories: for intervals.
const LEAST: usize = 8;
/// Steps between two looks at whether to stop.
const PATIENCE: u64 = 256;

/// What is measured of a trajectory after k steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// f(x_k) − f*.
    Gap,
    /// f(x̄_k) − f*, of the averaged iterate.
    AverageGap,
    /// ‖∇f(x_k)‖.
    Gradient,
    /// ‖∇f(x_k)‖².
    SquaredGradient,
    /// (1/k) Σ_{j<k} min{‖∇f(x_j)‖², τ‖∇f(x_j)‖}: the left side of Theorem 2; with τ = ∞ the mean square.
    MeanTruncatedGradient {
        /// The threshold τ.
        tau: f64,
    },
}

/// Trajectories to run.
#[derive(Clone, Copy)]
pub struct Ensemble<'a> {
    /// f.
    pub problem: &'a dyn Problem,
    /// What is added to its gradient.
    pub noise: &'a dyn Noise,
    /// How steps are taken.
    pub method: &'a Method,
    /// x₀, `problem.dim()` values.
    pub start: &'a [f64],
    /// How many trajectories; rounded up to whole groups, see [`Ensemble::groups`].
    pub trajectories: usize,
    /// Numbers of steps after which to measure, increasing; the last is the length of the run.
    pub checkpoints: &'a [u64],
    /// What to measure.
    pub metrics: &'a [Metric],
    /// Random numbers are a function of it.
    pub seed: u64,
}

/// Means over each group.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    checkpoints: usize,
    groups: usize,
    /// By metric, checkpoint, group.
    means: Vec<f64>,
}

impl Measured {
    /// Means of the groups, of a metric (by its place in [`Ensemble::metrics`]) at a checkpoint.
    pub fn groups(&self, metric: usize, checkpoint: usize) -> &[f64] {
        let start = (metric * self.checkpoints + checkpoint) * self.groups;
        &self.means[start..start + self.groups]
    }

    /// Means of the groups of a metric: a row a checkpoint.
    pub fn rows(&self, metric: usize) -> Vec<&[f64]> {
        (0..self.checkpoints)
            .map(|checkpoint| self.groups(metric, checkpoint))
            .collect()
    }
}

/// What an experiment is told from outside: when to stop; and what it tells: how many steps it has taken.
#[derive(Debug, Default)]
pub struct Control {
    stop: AtomicBool,
    steps: AtomicU64,
}

impl Control {
    /// Asks all runs to return [`Error::Stopped`] soon.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Steps taken so far, over all trajectories.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Counts steps that were taken.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub(crate) fn count(&self, steps: u64) -> Result<(), Error> {
        self.steps.fetch_add(steps, Ordering::Relaxed);
        match self.stop.load(Ordering::Relaxed) {
            true => Err(Error::Stopped),
            false => Ok(()),
        }
    }
}

impl Ensemble<'_> {
    /// Rows in a group, and how many groups there are.
    pub fn groups(&self) -> (usize, usize) {
        let rows =
            (GROUP / self.problem.dim().max(1)).clamp(1, self.trajectories.div_ceil(LEAST).max(1));
        (rows, self.trajectories.div_ceil(rows).max(1))
    }

    /// Runs all trajectories.
    ///
    /// # Errors
    /// [`Error::Stopped`]; [`Error::Optimizer`] for hyper-parameters out of range, and for a gradient that is not
    /// finite; [`Error::OutOfRange`] for a start of another dimension, checkpoints that do not increase, and thresholds
    /// of CClip that are neither one nor one for each coordinate.
    pub fn run(&self, control: &Control) -> Result<Measured, Error> {
        if self.start.len() != self.problem.dim() {
            return Err(Error::OutOfRange {
                name: "length of the start",
                value: self.start.len().to_string(),
                range: "the dimension of the problem",
            });
        }
        if let Some(pair) = self.checkpoints.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(Error::OutOfRange {
                name: "a checkpoint",
                value: pair[1].to_string(),
                range: "above the one before it",
            });
        }
        self.noise.check(self.problem.dim())?;
        let (rows, groups) = self.groups();
        let parts: Vec<Result<Vec<f64>, Error>> = (0..groups)
            .into_par_iter()
            .map(|group| self.run_group(rows, mix(self.seed, group as u64), control))
            .collect();
        let parts = parts.into_iter().collect::<Result<Vec<_>, _>>()?;
        let per_group = self.metrics.len() * self.checkpoints.len();
        let means = (0..per_group)
            .flat_map(|i| parts.iter().map(move |part| part[i]))
            .collect();
        Ok(Measured {
            checkpoints: self.checkpoints.len(),
            groups,
            means,
        })
    }

    /// The means of one group, by metric and checkpoint.
    fn run_group(&self, rows: usize, key: u64, control: &Control) -> Result<Vec<f64>, Error> {
        let dim = self.problem.dim();
        let (optimizer, layout) = self.method.build(rows, dim, self.problem.facts().domain)?;
        let mut state = optimizer.init::<f64>(&layout);
        let mut x: Vec<f64> = self
            .start
            .iter()
            .copied()
            .cycle()
            .take(rows * dim)
            .collect();
        let mut average = self
            .method
            .average
            .map(|degree| PolynomialAverage::new(degree, x.len()));
        let mut grad = vec![0.0; x.len()];
        let mut scratch = Vec::new();
        let mut sums: Vec<(usize, f64, Vec<f64>)> = (self.metrics.iter().enumerate())
            .filter_map(|(place, metric)| match *metric {
                Metric::MeanTruncatedGradient { tau } => Some((place, tau, vec![0.0; rows])),
                _ => None,
            })
            .collect();
        let mut means = vec![0.0; self.metrics.len() * self.checkpoints.len()];
        let stride = (rows * (dim + 2)) as u64;
        let mut done = 0;
        for (checkpoint, &steps) in self.checkpoints.iter().enumerate() {
            while done < steps {
                let pause = steps.min(done + PATIENCE);
                control.count((pause - done) * rows as u64)?;
                for k in done + 1..=pause {
                    if let Some(average) = &mut average {
                        average.push(&x);
                    }
                    self.problem.gradient(&x, &mut grad);
                    for (_, tau, sum) in &mut sums {
                        add_truncated(&grad, dim, *tau, sum);
                    }
                    let draws = Draws {
                        key,
                        first: k * stride,
                    };
                    self.noise.perturb(draws, dim, &x, &mut grad, &mut scratch);
                    let rate = self.method.learning_rate(k);
                    optimizer.step(rate, &layout, &mut x, &grad, &mut state)?;
                }
                done = pause;
            }
            let mut values = vec![0.0; rows];
            for (place, metric) in self.metrics.iter().enumerate() {
                match *metric {
                    Metric::Gap => self.problem.gap(&x, &mut values),
                    Metric::AverageGap => {
                        let average = average.as_ref().filter(|average| average.count() > 0);
                        let at = average.map_or(&*x, |average| average.values());
                        self.problem.gap(at, &mut values);
                    }
                    Metric::Gradient | Metric::SquaredGradient => {
                        self.problem.gradient(&x, &mut grad);
                        for (value, row) in values.iter_mut().zip(grad.chunks_exact(dim)) {
                            let square: f64 = row.iter().map(|g| g * g).sum();
                            let root = *metric == Metric::Gradient;
                            *value = if root { square.sqrt() } else { square };
                        }
                    }
                    Metric::MeanTruncatedGradient { .. } => {
                        if let Some((_, _, sum)) = sums.iter().find(|(at, _, _)| *at == place) {
                            let steps = steps.max(1) as f64;
                            values
                                .iter_mut()
                                .zip(sum)
                                .for_each(|(value, sum)| *value = sum / steps);
                        }
                    }
                }
                means[place * self.checkpoints.len() + checkpoint] =
                    values.iter().sum::<f64>() / rows as f64;
            }
        }
        Ok(means)
    }
}

/// Adds min{‖g‖², τ‖g‖} of every row.
fn add_truncated(grad: &[f64], dim: usize, tau: f64, sum: &mut [f64]) {
    if dim == 1 {
        vectorised(
            #[inline(always)]
            move || {
                for (sum, g) in sum.iter_mut().zip(grad) {
                    let (square, line) = (g * g, tau * g.abs());
                    // In this order the square is taken where τ = ∞ makes the line NaN.
                    *sum += if line < square { line } else { square };
                }
            },
        );
    } else {
        for (sum, row) in sum.iter_mut().zip(grad.chunks_exact(dim)) {
            let square: f64 = row.iter().map(|g| g * g).sum();
            *sum += square.min(tau * square.sqrt());
        }
    }
}

#[cfg(test)]
mod tests;
