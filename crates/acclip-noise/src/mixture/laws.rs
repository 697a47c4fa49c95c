//! Cell probabilities of each family.

use super::Mixing;
use super::cells::Cells;
use super::mellin::{gamma_over_mean, positive_stable};
use num_complex::Complex64;

/// Parameters on scales without ends: log s, log d, and one or two shapes.
pub(super) type Theta = [f64; 4];

/// Range of log d.
const LOG_D: (f64, f64) = (-1.5, 18.0);
/// Range of shapes.
const SHAPE: (f64, f64) = (-12.0, 12.0);

pub(super) fn logistic(q: f64) -> f64 {
    1.0 / (1.0 + (-q).exp())
}

fn bound(x: f64, (low, high): (f64, f64)) -> f64 {
    x.clamp(low, high)
}

/// How far a point is outside its range; the likelihood is extended by its square.
pub(super) fn outside(mixing: Mixing, t: &Theta) -> f64 {
    let beyond = |x: f64, range| (x - bound(x, range)).abs();
    let second = match mixing {
        Mixing::Gaussian => LOG_D,
        _ => SHAPE,
    };
    beyond(t[1], LOG_D) + beyond(t[2], SHAPE) + beyond(t[3], second)
}

/// ln E e^{iu ln X}, as a function of u.
fn ln_mellin(mixing: Mixing, t: &Theta) -> impl Fn(f64) -> Complex64 + use<> {
    let (log_scale, d) = (t[0], bound(t[1], LOG_D).exp());
    let [q, r] = [t[2], t[3]].map(|q| bound(q, SHAPE));
    let (exp_q, logistic_q, exp_r) = (q.exp(), logistic(q), r.exp());
    move |u: f64| {
        let factor = match mixing {
            Mixing::Gaussian => Complex64::ZERO,
            Mixing::TwoScales => {
                let p = 0.5 * logistic_q;
                (Complex64::cis(u * exp_r.ln_1p()) * p + (1.0 - p)).ln()
            }
            Mixing::Lognormal => Complex64::new(-0.5 * (exp_q * u).powi(2), 0.0),
            Mixing::Student => gamma_over_mean(0.5 * exp_q, -0.5 * u),
            Mixing::Stable => positive_stable(logistic_q, 0.5 * u),
            Mixing::Pareto => -Complex64::new(1.0, -u / exp_q).ln(),
        };
        gamma_over_mean(0.5 * d, 0.5 * u) + factor + Complex64::new(0.0, u * log_scale)
    }
}

/// Probabilities of all cells. `Gaussian` here is one group of coordinates.
pub(super) fn probabilities(cells: &Cells, mixing: Mixing, t: &Theta) -> Vec<f64> {
    cells.probabilities(ln_mellin(mixing, t))
}

/// Probabilities for Gaussian noise with two groups of coordinates, `t` = (log s, log d, logit w,
/// log e): X² = s² ((1 − w) χ²_d/d + w χ²_e/e).
///
/// With gamma shapes k, means m and scales b = m/k, the saddle point t solves
/// Σ m/(1 − bt) = y, a quadratic equation, and the density is exp(K(t) − ty)/√K''(t) up to a
/// factor, which is chosen so that the cells sum to 1.
pub(super) fn two_groups(cells: &Cells, t: &Theta) -> Vec<f64> {
    let shapes = [t[1], t[3]].map(|x| 0.5 * bound(x, LOG_D).exp());
    let w = logistic(bound(t[2], SHAPE));
    let means = [1.0 - w, w];
    let scales = [means[0] / shapes[0], means[1] / shapes[1]];
    let density = |log_x: f64| {
        let y = (2.0 * (log_x - t[0])).exp();
        let a = y * scales[0] * scales[1];
        let b = means[0] * scales[1] + means[1] * scales[0] - y * (scales[0] + scales[1]);
        let c = y - 1.0;
        let root = (b * b - 4.0 * a * c).max(0.0).sqrt();
        // The smaller root, without cancellation.
        let t = if b < 0.0 {
            2.0 * c / (root - b)
        } else {
            -(b + root) / (2.0 * a)
        };
        let rest = scales.map(|b| 1.0 - b * t);
        if !(rest[0] > 0.0 && rest[1] > 0.0) {
            return 0.0;
        }
        let [(k, curvature), (k2, curvature2)] = [0, 1].map(|j| {
            let variance = means[j] * scales[j] / (rest[j] * rest[j]);
            (-shapes[j] * rest[j].ln(), variance)
        });
        (k + k2 - t * y).exp() / (curvature + curvature2).sqrt() * y
    };
    let edge = |i: usize| density(cells.origin + cells.width * i as f64);
    let mut left = edge(0);
    let mut probabilities: Vec<f64> = (0..cells.len)
        .map(|i| {
            let right = edge(i + 1);
            let middle = density(cells.origin + cells.width * (i as f64 + 0.5));
            let simpson = left + 4.0 * middle + right;
            left = right;
            simpson
        })
        .collect();
    let sum: f64 = probabilities.iter().sum();
    probabilities.iter_mut().for_each(|p| *p /= sum);
    probabilities
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{Cauchy, ChiSquared, ContinuousCDF, StudentsT};

    /// Cells over norms from e^{−4} to e^{4}, so many that no error of a centre counts.
    fn cells() -> Cells {
        let values: Vec<f64> = (0..=8000)
            .map(|i| (0.001 * f64::from(i) - 4.0).exp())
            .collect();
        Cells::new(&values).unwrap()
    }

    /// Largest error of the cells' probabilities where the norm is between 1/4 and 20.
    fn error(cells: &Cells, found: &[f64], cdf: impl Fn(f64) -> f64) -> f64 {
        let edge = |i: usize| (cells.origin + cells.width * i as f64).exp();
        (0..cells.len)
            .filter(|&i| edge(i) > 0.25 && edge(i) < 20.0)
            .map(|i| (found[i] - (cdf(edge(i + 1)) - cdf(edge(i)))).abs())
            .fold(0.0, f64::max)
    }

    #[test]
    fn one_dimension_gives_the_folded_laws() {
        let cells = cells();
        let student = probabilities(&cells, Mixing::Student, &[0.3, 0.0, 2.5_f64.ln(), 0.0]);
        let law = StudentsT::new(0.0, 0.3_f64.exp(), 2.5).unwrap();
        assert!(error(&cells, &student, |x| 2.0 * law.cdf(x) - 1.0) < 1e-6);
        // √(2A) Z is symmetric stable: at α = 1 a Cauchy variable.
        let stable = probabilities(&cells, Mixing::Stable, &[0.5 * 2.0_f64.ln(), 0.0, 0.0, 0.0]);
        let law = Cauchy::new(0.0, 1.0).unwrap();
        assert!(error(&cells, &stable, |x| 2.0 * law.cdf(x) - 1.0) < 1e-3); // the window cuts its tail
        let gaussian = probabilities(&cells, Mixing::Gaussian, &[0.0, 3.0_f64.ln(), 0.0, 0.0]);
        let law = ChiSquared::new(3.0).unwrap();
        assert!(error(&cells, &gaussian, |x| law.cdf(3.0 * x * x)) < 1e-6);
    }

    #[test]
    fn two_scales_are_a_mixture() {
        let cells = cells();
        let q = (0.2_f64 / 0.3).ln(); // p = ½ · 0.4 = 0.2
        let found = probabilities(&cells, Mixing::TwoScales, &[0.0, 0.0, q, 2.0_f64.ln()]);
        let law = ChiSquared::new(1.0).unwrap();
        let cdf = |x: f64| 0.8 * law.cdf(x * x) + 0.2 * law.cdf(x * x / 9.0);
        assert!(error(&cells, &found, cdf) < 1e-6);
    }

    #[test]
    fn many_dimensions_leave_the_factor_alone() {
        let cells = cells();
        let found = probabilities(&cells, Mixing::Pareto, &[0.0, 18.0, 1.5_f64.ln(), 0.0]);
        let cdf = |x: f64| if x < 1.0 { 0.0 } else { 1.0 - x.powf(-1.5) };
        // The law jumps at 1; away from it the error is that of the transform.
        let edge = |i: usize| (cells.origin + cells.width * i as f64).exp();
        for i in (0..cells.len).filter(|&i| edge(i) > 1.5 && edge(i) < 8.0) {
            let expected = cdf(edge(i + 1)) - cdf(edge(i));
            assert!(
                (found[i] - expected).abs() < 2e-3,
                "{i}: {} {expected}",
                found[i]
            );
        }
    }

    /// Two groups with w = ½ and d = e are one group of 2d coordinates, for which the saddle point
    /// is exact after normalisation.
    #[test]
    fn equal_groups_are_one_group() {
        let cells = cells();
        let found = two_groups(&cells, &[0.1, 2.0_f64.ln(), 0.0, 2.0_f64.ln()]);
        let law = ChiSquared::new(4.0).unwrap();
        let scale = 0.1_f64.exp();
        let cdf = |x: f64| law.cdf(4.0 * (x / scale).powi(2));
        assert!(error(&cells, &found, cdf) < 1e-5);
    }

    /// One coordinate with half of the variance over many small ones: X² = ½ + ½ Z², nearly.
    #[test]
    fn unequal_groups_are_near_the_exact_law() {
        let cells = cells();
        let found = two_groups(&cells, &[0.0, 0.0, 0.0, 4000.0_f64.ln()]);
        let law = ChiSquared::new(1.0).unwrap();
        let cdf = |x: f64| law.cdf((2.0 * x * x - 1.0).max(0.0));
        let edge = |i: usize| (cells.origin + cells.width * i as f64).exp();
        for i in (0..cells.len).filter(|&i| edge(i) > 0.85 && edge(i) < 2.0) {
            let expected = cdf(edge(i + 1)) - cdf(edge(i));
            assert!(
                (found[i] / expected - 1.0).abs() < 0.1,
                "{i}: {} {expected}",
                found[i]
            );
        }
    }

    #[test]
    fn beyond_the_ranges_there_is_a_price() {
        assert_eq!(outside(Mixing::Student, &[9.0, 0.0, 0.0, 0.0]), 0.0);
        assert_eq!(outside(Mixing::Student, &[0.0, -2.0, 13.0, 0.0]), 1.5);
        assert_eq!(outside(Mixing::Gaussian, &[0.0, 0.0, 0.0, 19.0]), 1.0);
    }
}
