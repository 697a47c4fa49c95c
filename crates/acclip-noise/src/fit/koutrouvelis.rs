//! Koutrouvelis' fit: regressions on the empirical characteristic function.
//!
//! The law S0 with scale 1 and location 0 has, for t > 0,
//!
//! ```text
//! ln(−ln|φ(t)|) = α ln t          arg φ(t) = β g(t)       g(t) = tan(πα/2) (tᵅ − t)
//! ```
//!
//! so that α and the scale are a straight line through ln(−ln|φ̂|), β and the location a regression of
//! arg φ̂ on t and g(t). Values are standardised by the current fit, starting from [`mcculloch`], until
//! the regression gives back scale 1 and location 0. g has a limit at α = 1, −(2/π) t ln t.
//!
//! *Departures.* The points are t = 0.1, 0.2, …, 1 for every α and n, as Kogon and Williams found
//! sufficient, in place of Koutrouvelis' table; the regressions are unweighted; S0 in place of S1. Intervals
//! come from the exact covariance of φ̂ at the fitted law; that of α holds the α from which α̂ is at most z
//! of *their* standard errors away, because the error falls steeply towards α = 2. For α < 1 the iteration
//! may stop at its limit of 20 passes.
//!
//! *Coverage* of the 95 % intervals, α = 1.2, 1.5, 1.8, 1.95, n = 200 and 1,000, 1,000 repetitions each
//! (`coverage_tables` in `tests/fit.rs`): symmetric, α 93.0 to 97.5 %, γ 93.7 to 96.4, δ 94.0 to 95.4;
//! free with β = 0.5, α 93.8 to 97.9, β 95.4 to 99.7, γ 94.0 to 96.2, δ 94.0 to 95.3.
//!
//! References: Koutrouvelis (1980), JASA 75, and (1981), Communications in Statistics – Simulation 10;
//! Kogon & Williams (1998), in Adler, Feldman & Taqqu, "A Practical Guide to Heavy Tails".

use std::array::from_fn;
use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

use rayon::prelude::*;

use super::linear::Square;
use super::mcculloch::{self, SMALLEST_ALPHA, finish, root};
use super::{ALPHA, StableFit, Symmetry};
use crate::Error;
use crate::interval::Z;
use crate::stable::S0;

/// Number of points t.
const K: usize = 10;

/// Most standardisations; they end with a change of less than 10⁻³/√n, a thousandth of a standard error.
const ITERATIONS: usize = 20;

/// Values that one task sums. The result depends on it in the last bits only, not on the threads.
const CHUNK: usize = 4096;

/// The fit by characteristic function of `values` (shape: n ≥ 10, any order).
///
/// # Errors
/// Those of [`mcculloch::mcculloch`].
pub fn koutrouvelis(values: &[f64], symmetry: Symmetry) -> Result<StableFit, Error> {
    let mut law = mcculloch::estimate(values, symmetry)?;
    let mut slope = law.alpha;
    for _ in 0..ITERATIONS {
        let (y, phase) = regressands(&characteristic(values, &law));
        let intercept;
        (slope, intercept) = line(&y);
        let alpha = slope.clamp(SMALLEST_ALPHA, 2.0);
        let g = t().map(|t| skewness_phase(alpha, t));
        let (shift, beta) = match symmetry {
            Symmetry::Free if alpha < 2.0 => two_regressors(&phase, &g),
            _ => (one_regressor(&phase), 0.0),
        };
        let ratio = (intercept / alpha).exp();
        let next = S0 {
            alpha,
            beta: beta.clamp(-1.0, 1.0),
            scale: law.scale * ratio,
            location: law.location + law.scale * shift,
        };
        let change = (next.alpha - law.alpha).abs() + (next.beta - law.beta).abs();
        let change = change + (ratio - 1.0).abs() + shift.abs();
        if !(next.scale.is_normal() && next.location.is_finite()) {
            break;
        }
        law = next;
        if change < 1e-3 / (values.len() as f64).sqrt() {
            break;
        }
    }
    let n = values.len();
    let (jacobian, covariance) = sandwich(&law, n, symmetry);
    let mut fit = finish(n, law, symmetry, &jacobian, &covariance);
    // The ends of α's interval are those α of which α̂ is z standard errors away.
    let distance = |alpha: f64, sign: f64| {
        let (_, covariance) = sandwich(&S0 { alpha, ..law }, n, symmetry);
        slope - alpha + sign * Z * covariance[ALPHA][ALPHA].sqrt()
    };
    fit.alpha.low = root(0.0, law.alpha, |alpha| distance(alpha.max(0.01), -1.0));
    fit.alpha.high = root(law.alpha, 2.0, |alpha| distance(alpha, 1.0));
    Ok(fit)
}

/// The points.
fn t() -> [f64; K] {
    from_fn(|k| (k + 1) as f64 / K as f64)
}

/// g(t) = tan(πα/2) (tᵅ − t).
fn skewness_phase(alpha: f64, t: f64) -> f64 {
    let eps = 1.0 - alpha;
    // tᵅ − t = t (t^{−ε} − 1), and tan(πα/2) = 1/tan(πε/2).
    if eps.abs() < 1e-12 {
        -FRAC_2_PI * t * t.ln()
    } else if alpha == 2.0 {
        0.0
    } else {
        t * (-eps * t.ln()).exp_m1() / (FRAC_PI_2 * eps).tan()
    }
}

/// φ(t) of the law S0 with scale 1 and location 0, any sign of t.
fn phi(alpha: f64, beta: f64, t: f64) -> (f64, f64) {
    if t == 0.0 {
        return (1.0, 0.0);
    }
    let modulus = (-t.abs().powf(alpha)).exp();
    let phase = beta * skewness_phase(alpha, t.abs()) * t.signum();
    (modulus * phase.cos(), modulus * phase.sin())
}

/// The empirical φ̂ at the points, of the values standardised by `law`.
fn characteristic(values: &[f64], law: &S0) -> [(f64, f64); K] {
    let partial: Vec<[(f64, f64); K]> = values
        .par_chunks(CHUNK)
        .map(|chunk| {
            let mut sum = [(0.0, 0.0); K];
            for x in chunk {
                let z = (x - law.location) / law.scale;
                // e^{ikz/K} by repeated multiplication.
                let (sin, cos) = (z / K as f64).sin_cos();
                let (mut re, mut im) = (1.0, 0.0);
                for sum in &mut sum {
                    (re, im) = (re * cos - im * sin, re * sin + im * cos);
                    sum.0 += re;
                    sum.1 += im;
                }
            }
            sum
        })
        .collect();
    let n = values.len() as f64;
    from_fn(|k| {
        let re: f64 = partial.iter().map(|sum| sum[k].0).sum();
        let im: f64 = partial.iter().map(|sum| sum[k].1).sum();
        (re / n, im / n)
    })
}

/// ln(−ln|φ|) and arg φ, continued from 0 along the points.
fn regressands(phi: &[(f64, f64); K]) -> ([f64; K], [f64; K]) {
    // 1 − 1e-12 and 1e-300: a sample may have |φ̂| = 1 or 0 to rounding.
    let y = phi.map(|(re, im)| (-re.hypot(im).clamp(1e-300, 1.0 - 1e-12).ln()).ln());
    (y, phi.map(|(re, im)| im.atan2(re)))
}

/// Slope and intercept of the least-squares line of y on ln t.
fn line(y: &[f64; K]) -> (f64, f64) {
    let x = t().map(f64::ln);
    let mean = |v: &[f64; K]| v.iter().sum::<f64>() / K as f64;
    let (x_mean, y_mean) = (mean(&x), mean(y));
    let covariance: f64 = (0..K).map(|k| (x[k] - x_mean) * (y[k] - y_mean)).sum();
    let variance: f64 = x.iter().map(|x| (x - x_mean).powi(2)).sum();
    let slope = covariance / variance;
    (slope, y_mean - slope * x_mean)
}

fn dot(a: &[f64; K], b: &[f64; K]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Least squares of p on t.
fn one_regressor(p: &[f64; K]) -> f64 {
    dot(p, &t()) / dot(&t(), &t())
}

/// Least squares of p on t and g.
fn two_regressors(p: &[f64; K], g: &[f64; K]) -> (f64, f64) {
    let t = t();
    let determinant = dot(&t, &t) * dot(g, g) - dot(&t, g).powi(2);
    let by_t = (dot(p, &t) * dot(g, g) - dot(p, g) * dot(&t, g)) / determinant;
    let by_g = (dot(p, g) * dot(&t, &t) - dot(p, &t) * dot(&t, g)) / determinant;
    (by_t, by_g)
}

/// The four regression coefficients m, linear in the regressands: ∂m/∂θ at the law, and Cov m.
fn sandwich(law: &S0, n: usize, symmetry: Symmetry) -> (Square, Square) {
    let (alpha, beta) = (law.alpha, law.beta);
    let g = t().map(|t| skewness_phase(alpha, t));
    let moments = |y: &[f64; K], p: &[f64; K]| {
        let (slope, intercept) = line(y);
        let (shift, skew) = match symmetry {
            Symmetry::Free if alpha < 2.0 => two_regressors(p, &g),
            _ => (one_regressor(p), 0.0),
        };
        [slope, skew, intercept, shift]
    };
    // y = α(ln γ + ln t), p = δt + β g(γt; α) + β-terms of S0's shift; by finite differences.
    let model = |alpha: f64, beta: f64, log_scale: f64, location: f64| {
        let scale = log_scale.exp();
        let y = t().map(|t| alpha * (log_scale + t.ln()));
        let p = t().map(|t| location * t + beta * skewness_phase(alpha, scale * t));
        moments(&y, &p)
    };
    const H: f64 = 1e-5;
    let columns: Square = from_fn(|j| {
        let step = |h: f64| {
            let mut theta = [alpha, beta, 0.0, 0.0];
            theta[j] += h;
            model(theta[0], theta[1], theta[2], theta[3])
        };
        let (up, down) = (step(H), step(-H));
        from_fn(|i| (up[i] - down[i]) / (2.0 * H))
    });
    // Cov of (Re φ̂, Im φ̂), then of (y, p), then of m; each step is linear.
    let points = t();
    let f = points.map(|t| phi(alpha, beta, t));
    let gradients: [[f64; 4]; 2 * K] = from_fn(|i| {
        // ∂m/∂(Re φ_k) for i < K, ∂m/∂(Im φ_k) from K on.
        let (k, imaginary) = (i % K, i >= K);
        let (re, im) = f[k];
        let square = re * re + im * im;
        let log = 0.5 * square.ln();
        let (mut y, mut p) = ([0.0; K], [0.0; K]);
        (y[k], p[k]) = if imaginary {
            (im / square / log, re / square)
        } else {
            (re / square / log, -im / square)
        };
        // The intercept and slope of increments, without the constant part.
        moments(&y, &p)
    });
    let covariance_of = |i: usize, j: usize| {
        let (s, r) = (points[i % K], points[j % K]);
        let (difference, sum) = (phi(alpha, beta, s - r), phi(alpha, beta, s + r));
        let (a, b) = (f[i % K], f[j % K]);
        match (i >= K, j >= K) {
            (false, false) => 0.5 * (difference.0 + sum.0) - a.0 * b.0,
            (true, true) => 0.5 * (difference.0 - sum.0) - a.1 * b.1,
            (false, true) => 0.5 * (sum.1 - difference.1) - a.0 * b.1,
            (true, false) => 0.5 * (sum.1 + difference.1) - a.1 * b.0,
        }
    };
    let mut covariance = [[0.0; 4]; 4];
    for i in 0..2 * K {
        for j in 0..2 * K {
            let c = covariance_of(i, j) / n as f64;
            for (row, left) in covariance.iter_mut().zip(gradients[i]) {
                for (sum, right) in row.iter_mut().zip(gradients[j]) {
                    *sum += left * c * right;
                }
            }
        }
    }
    (super::linear::transpose(&columns), covariance)
}
