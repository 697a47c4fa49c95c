//! The log-likelihood of a sample over (α, β, ln γ, δ): its value, its derivatives, its top, and the profile of α.
//!
//! Everything is in units of the scale with which the climb starts. How and why: [`super::likelihood`].

use std::array::from_fn;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rayon::prelude::*;

use super::likelihood::BINNED_FROM;
use super::linear::{Square, apply, inverse};
use super::mcculloch::{SMALLEST_ALPHA, crossing};
use super::{ALPHA, BETA, LOCATION, LOG_SCALE};
use crate::stable::{S0, Stable, Standard};

/// Cells for each unit of asinh z.
const CELLS: f64 = 1024.0;

/// Terms that one task sums; the threads do not change the result.
const CHUNK: usize = 1024;

/// Step of the differences: in α (smaller close to 2), β, ln γ, and δ/γ.
const STEP: f64 = 0.005;

/// Neglected Chebyshev coefficient of the tables, for n values 10⁻³/n within these bounds: the error of
/// ℓ stays below about 0.01, and that of its differences far below the information.
const TOLERANCE: (f64, f64) = (1e-9, 1e-6);

/// Tables kept; a step of Newton's method needs nine.
const KEPT: usize = 12;

/// Most steps of a climb.
const STEPS: usize = 30;

/// The climb ends where a Newton step would gain less than this in ℓ, with that step: it is 0.01
/// standard errors long, and what it leaves is the square of that.
const GAIN: f64 = 5e-5;

/// Half of the 95 % quantile of χ² with one degree of freedom, z²/2.
const HALF_CHI_SQUARED: f64 = 1.920_729_410_347_062;

/// Values with weights, in units of the scale with which the climb starts.
pub(super) struct Sample {
    values: Vec<f64>,
    weights: Vec<f64>,
    pub count: f64,
    low: f64,
    high: f64,
    kept: RefCell<Vec<(Shape, Rc<Standard>)>>,
}

/// α and β.
type Shape = (f64, f64);

/// Where a climb ended.
pub(super) struct Top {
    pub theta: [f64; 4],
    pub value: f64,
    pub hessian: Square,
}

impl Sample {
    pub fn new(values: &[f64], start: &S0) -> Self {
        let unit = start.scale;
        let mut scaled: Vec<f64> = values.iter().map(|x| x / unit).collect();
        let mut weights = vec![1.0; scaled.len()];
        if scaled.len() >= BINNED_FROM {
            (scaled, weights) = binned(&scaled, start.location / unit);
        }
        let (low, high) = scaled.iter().fold((f64::MAX, f64::MIN), |(low, high), &x| {
            (low.min(x), high.max(x))
        });
        Self {
            values: scaled,
            weights,
            count: values.len() as f64,
            low,
            high,
            kept: RefCell::default(),
        }
    }

    /// A table of ln f for (α, β) that serves all γ, δ near those of `theta`.
    fn density(&self, theta: [f64; 4]) -> Option<Rc<Standard>> {
        let key = (theta[ALPHA], theta[BETA]);
        let mut kept = self.kept.borrow_mut();
        if let Some((_, density)) = kept.iter().find(|(at, _)| *at == key) {
            return Some(Rc::clone(density));
        }
        let law = Stable::try_from(S0 {
            alpha: key.0,
            beta: key.1,
            scale: 1.0,
            location: 0.0,
        });
        let z = |x: f64| (x - theta[LOCATION]) * (-theta[LOG_SCALE]).exp();
        let (low, high) = (1.2 * z(self.low) - 1.0, 1.2 * z(self.high) + 1.0);
        let tolerance = (1e-3 / self.count).clamp(TOLERANCE.0, TOLERANCE.1);
        let density = Rc::new(Standard::new(&law.ok()?, low, high, tolerance));
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push((key, Rc::clone(&density)));
        Some(density)
    }

    /// ℓ + n ln(unit).
    fn value(&self, theta: [f64; 4]) -> f64 {
        let Some(density) = self.density(theta) else {
            return f64::NEG_INFINITY;
        };
        let density = &*density;
        let (inverse_scale, location) = ((-theta[LOG_SCALE]).exp(), theta[LOCATION]);
        let terms = self
            .values
            .par_chunks(CHUNK)
            .zip(self.weights.par_chunks(CHUNK));
        let partial: Vec<f64> = terms
            .map(|(values, weights)| {
                let log = |x: f64| density.at((x - location) * inverse_scale);
                values
                    .iter()
                    .zip(weights)
                    .map(|(&x, weight)| weight * log(x))
                    .sum()
            })
            .collect();
        partial.iter().sum::<f64>() - self.count * theta[LOG_SCALE]
    }

    /// ℓ, its gradient and its second derivatives in the `free` parameters at `theta`, whose
    /// differences are taken a step inside the borders.
    fn derivatives(&self, theta: [f64; 4], free: [bool; 4]) -> ([f64; 4], Square) {
        let mut h = [STEP; 4];
        h[ALPHA] = (0.25 * (2.0 - theta[ALPHA])).clamp(0.1 * STEP, STEP);
        let mut centre = theta;
        if free[ALPHA] {
            centre[ALPHA] = theta[ALPHA].clamp(SMALLEST_ALPHA + h[ALPHA], 2.0 - h[ALPHA]);
        }
        if free[BETA] {
            centre[BETA] = theta[BETA].clamp(h[BETA] - 1.0, 1.0 - h[BETA]);
        }
        let shifted =
            |shift: [i32; 4]| self.value(from_fn(|i| centre[i] + f64::from(shift[i]) * h[i]));
        let two = |i: usize, s: i32, j: usize, t: i32| {
            let mut shift = [0; 4];
            shift[i] += s;
            shift[j] += t;
            shifted(shift)
        };
        let middle = shifted([0; 4]);
        let (mut gradient, mut hessian) = ([0.0; 4], [[0.0; 4]; 4]);
        for i in (0..4).filter(|&i| free[i]) {
            let (up, down) = (two(i, 1, i, 0), two(i, -1, i, 0));
            gradient[i] = (up - down) / (2.0 * h[i]);
            hessian[i][i] = (up - 2.0 * middle + down) / (h[i] * h[i]);
            for j in (0..i).filter(|&j| free[j]) {
                let corners =
                    two(i, 1, j, 1) - two(i, 1, j, -1) - two(i, -1, j, 1) + two(i, -1, j, -1);
                hessian[i][j] = corners / (4.0 * h[i] * h[j]);
                hessian[j][i] = hessian[i][j];
            }
        }
        let back = apply(&hessian, &from_fn(|i| theta[i] - centre[i]));
        (from_fn(|i| gradient[i] + back[i]), hessian)
    }

    /// Climbs from `start` in the `free` parameters.
    pub fn climb(&self, start: [f64; 4], free: [bool; 4]) -> Top {
        let mut theta = start;
        let mut value = self.value(theta);
        let mut hessian = [[0.0; 4]; 4];
        let mut damping = 1e-4;
        for _ in 0..STEPS {
            let (gradient, second) = self.derivatives(theta, free);
            hessian = second;
            // A parameter that presses against its border stays there.
            let outward = |i: usize, least: f64, greatest: f64| {
                (theta[i] >= greatest && gradient[i] > 0.0)
                    || (theta[i] <= least && gradient[i] < 0.0)
            };
            let mut moving = free;
            moving[ALPHA] &= !outward(ALPHA, SMALLEST_ALPHA, 2.0);
            moving[BETA] &= !outward(BETA, -1.0, 1.0) && theta[ALPHA] < 2.0;
            let mut improved = false;
            let mut gain = 0.0;
            while damping < 1e6 {
                let mut curvature = negative(&hessian);
                for (i, row) in curvature.iter_mut().enumerate() {
                    row[i] += damping * row[i].abs().max(1e-6 * self.count);
                }
                let step = inverse(&curvature, moving).map(|inverse| apply(&inverse, &gradient));
                let uphill = |step: &[f64; 4]| (0..4).map(|i| gradient[i] * step[i]).sum::<f64>();
                let Some(step) = step.filter(|step| uphill(step) >= 0.0) else {
                    damping = 10.0 * damping.max(1e-4);
                    continue;
                };
                gain = 0.5 * uphill(&step);
                let mut next: [f64; 4] = from_fn(|i| theta[i] + step[i].clamp(-1.0, 1.0));
                next[ALPHA] = next[ALPHA].clamp(SMALLEST_ALPHA, 2.0);
                next[BETA] = next[BETA].clamp(-1.0, 1.0);
                if gain < GAIN {
                    (theta, value) = (next, value + gain);
                    break;
                }
                let there = self.value(next);
                if there > value {
                    (theta, value, improved) = (next, there, true);
                    damping *= 0.1;
                    break;
                }
                damping = 10.0 * damping.max(1e-4);
            }
            if gain < GAIN || !improved {
                break;
            }
        }
        Top {
            theta,
            value,
            hessian,
        }
    }

    /// The α whose profile is within [`HALF_CHI_SQUARED`] of the top.
    pub fn profile_interval(&self, top: &Top, free: [bool; 4]) -> (f64, f64) {
        let mut others = free;
        others[ALPHA] = false;
        // Each climb along the profile starts where the last one ended.
        let last = Cell::new(top.theta);
        let excess = |alpha: f64| {
            let mut start = last.get();
            start[ALPHA] = alpha;
            let there = self.climb(start, others);
            last.set(there.theta);
            HALF_CHI_SQUARED - (top.value - there.value)
        };
        // Half the width by curvature brackets the search.
        let spread = (2.0 * HALF_CHI_SQUARED / (-top.hessian[ALPHA][ALPHA]).max(1e-12)).sqrt();
        let reach = |sign: f64| {
            last.set(top.theta);
            let mut width = spread.clamp(1e-4, 0.5);
            let mut inside = (0.0, HALF_CHI_SQUARED);
            loop {
                let end = (top.theta[ALPHA] + sign * width).clamp(SMALLEST_ALPHA, 2.0);
                let distance = (end - top.theta[ALPHA]).abs();
                let value = excess(end);
                if value < 0.0 {
                    let at = |distance: f64| excess(top.theta[ALPHA] + sign * distance);
                    let distance = crossing(inside, (distance, value), 1e-3 * width, at);
                    return top.theta[ALPHA] + sign * distance;
                }
                if end == SMALLEST_ALPHA || end == 2.0 {
                    return end;
                }
                inside = (distance, value);
                width *= 2.0;
            }
        };
        (reach(-1.0), reach(1.0))
    }
}

/// Means and numbers of the values in each cell of asinh(x − centre).
pub(super) fn binned(values: &[f64], centre: f64) -> (Vec<f64>, Vec<f64>) {
    let cell = |x: f64| ((x - centre).asinh() * CELLS).floor();
    let cells: Vec<f64> = values.par_iter().map(|&x| cell(x)).collect();
    let first = cells.iter().fold(f64::MAX, |first, &cell| first.min(cell));
    let last = cells.iter().fold(f64::MIN, |last, &cell| last.max(cell));
    let mut sums = vec![(0.0, 0.0); (last - first) as usize + 1];
    for (x, cell) in values.iter().zip(&cells) {
        let (sum, count) = &mut sums[(cell - first) as usize];
        *sum += x;
        *count += 1.0;
    }
    sums.into_iter()
        .filter(|&(_, count)| count > 0.0)
        .map(|(sum, count)| (sum / count, count))
        .unzip()
}

pub(super) fn negative(matrix: &Square) -> Square {
    matrix.map(|row| row.map(|x| -x))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::fit::{Symmetry, mcculloch};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// A skewed law, neither standard nor centred, from which the tests of fits draw.
    pub const LAW: S0 = S0 {
        alpha: 1.6,
        beta: 0.4,
        scale: 2.0,
        location: -1.0,
    };

    pub fn draws(n: usize) -> Vec<f64> {
        let mut out = vec![0.0; n];
        let law = Stable::try_from(LAW).unwrap();
        law.fill(&mut out, &mut ChaCha8Rng::seed_from_u64(11));
        out
    }

    #[test]
    fn bins_change_the_likelihood_by_less_than_is_stated() {
        let values = draws(BINNED_FROM);
        let start = mcculloch::estimate(&values, Symmetry::Free).unwrap();
        let binned = Sample::new(&values, &start);
        assert!(binned.values.len() < 9000);
        let plain = Sample {
            values: values.iter().map(|x| x / start.scale).collect(),
            weights: vec![1.0; values.len()],
            kept: RefCell::default(),
            ..binned
        };
        let theta = [
            start.alpha,
            start.beta,
            0.1,
            start.location / start.scale + 0.1,
        ];
        let difference = (binned.value(theta) - plain.value(theta)).abs();
        assert!(difference < 4e-8 * BINNED_FROM as f64, "{difference}");
        assert!(difference > 0.0);
        let free = [true; 4];
        let (a, b) = (
            binned.climb(theta, free).theta,
            plain.climb(theta, free).theta,
        );
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }
}
