//! McCulloch's fit from five quantiles: fast, robust, and a start for the others.
//!
//! With q₁ … q₅ the sample quantiles at 5, 25, 50, 75 and 95 %,
//!
//! ```text
//! ν_α = (q₅ − q₁)/(q₄ − q₂)       ν_β = (q₁ + q₅ − 2q₃)/(q₅ − q₁)
//! ```
//!
//! depend on α and β alone; their values for every law are tabulated (from our own quantiles, see
//! `quantile_table.rs`) and inverted. The scale then follows from q₄ − q₂, the location from q₃. In
//! S0, unlike in S1, nothing jumps at α = 1. The fit of exact
//! quantiles returns α and β within 1e-3 for α ≥ 1 and 0.02 below.
//!
//! *Departures.* α goes down to [`SMALLEST_ALPHA`] (0.5 there), and a smaller one is reported as that.
//! ν_α below the 2.44 of the normal law gives α = 2 and, as β has no meaning there, β = 0.
//! Intervals are the asymptotic ones, from the covariance p(1 − p')/(n f f') of sample quantiles;
//! [`super::bootstrap`] gives others.
//!
//! *Coverage* of the 95 % intervals, α = 1.2, 1.5, 1.8, 1.95, n = 200 and 1,000, 1,000 repetitions each
//! (`coverage_tables` in `tests/fit.rs`): symmetric, α 95.3 to 97.2 %, γ 94.1 to 96.2, δ 94.4 to 95.4;
//! free with β = 0.5, α 95.0 to 96.9, β 92.6 to 98.9, γ 94.4 to 96.0, δ 94.9 to 95.9.
//!
//! Reference: McCulloch (1986), "Simple consistent estimators of stable distribution parameters",
//! Communications in Statistics – Simulation 15.

use std::array::from_fn;

use rayon::prelude::*;

use super::linear::{Square, delta_method, product, transpose};
use super::quantile_table::{LEVELS, standard_quantiles};
use super::{ALPHA, BETA, LOCATION, LOG_SCALE, StableFit, Symmetry, check};
use crate::Error;
use crate::stable::{S0, Stable};

/// The smallest α that the fits return.
pub const SMALLEST_ALPHA: f64 = 0.3;

/// Fewest values: the 5 % quantile is then one of them.
const FEWEST: usize = 10;

const WHAT: &str = "McCulloch's fit";

/// The stable law whose five quantiles are those of `values` (shape: n ≥ 10, any order).
///
/// # Errors
/// [`Error::TooFew`], [`Error::NotFinite`], [`Error::TooLarge`], and [`Error::Constant`] if the
/// quartiles are equal.
pub fn mcculloch(values: &[f64], symmetry: Symmetry) -> Result<StableFit, Error> {
    let law = estimate(values, symmetry)?;
    Ok(with_intervals(values.len(), law, symmetry))
}

/// The law without intervals.
pub(super) fn estimate(values: &[f64], symmetry: Symmetry) -> Result<S0, Error> {
    check(WHAT, values, FEWEST)?;
    let mut sorted = values.to_vec();
    sorted.par_sort_unstable_by(f64::total_cmp);
    let q = LEVELS.map(|p| sample_quantile(&sorted, p));
    if q[1] == q[3] {
        return Err(Error::Constant { what: WHAT });
    }
    Ok(invert(&q, symmetry))
}

/// The law that has the quantiles `q` at [`LEVELS`].
fn invert(q: &[f64; 5], symmetry: Symmetry) -> S0 {
    let (spread, skew) = shape(q);
    let alpha_given = |beta: f64| {
        let excess = |alpha: f64| shape(&standard_quantiles(alpha, beta)).0 - spread;
        root(SMALLEST_ALPHA, 2.0, excess)
    };
    let beta = match symmetry {
        Symmetry::Symmetric => 0.0,
        Symmetry::Free if alpha_given(0.0) == 2.0 => 0.0,
        Symmetry::Free => root(-1.0, 1.0, |beta| {
            skew - shape(&standard_quantiles(alpha_given(beta), beta)).1
        }),
    };
    let alpha = alpha_given(beta);
    let beta = if alpha == 2.0 { 0.0 } else { beta };
    let standard = standard_quantiles(alpha, beta);
    let scale = (q[3] - q[1]) / (standard[3] - standard[1]);
    S0 {
        alpha,
        beta,
        scale,
        location: q[2] - scale * standard[2],
    }
}

/// The median of the law with the α and β of `law`, scale 1 and location 0.
pub(super) fn median(law: &S0) -> f64 {
    standard_quantiles(law.alpha.max(SMALLEST_ALPHA), law.beta)[2]
}

/// ln ν_α and ν_β.
fn shape(q: &[f64; 5]) -> (f64, f64) {
    let outer = q[4] - q[0];
    (
        (outer / (q[3] - q[1])).ln(),
        (q[0] + q[4] - 2.0 * q[2]) / outer,
    )
}

/// Where `f`, which falls from positive to negative, crosses zero in [low, high]; an end if it does not.
pub(super) fn root(low: f64, high: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (above, below) = (f(low), f(high));
    if above <= 0.0 {
        low
    } else if below >= 0.0 {
        high
    } else {
        crossing((low, above), (high, below), 1e-12, f)
    }
}

/// The same from points (x, f(x)) on both sides of the zero, until two guesses are within `tolerance`.
pub(super) fn crossing(
    (mut low, mut above): (f64, f64),
    (mut high, mut below): (f64, f64),
    tolerance: f64,
    f: impl Fn(f64) -> f64,
) -> f64 {
    // False position after Illinois: an end that stays has its value halved.
    let (mut x, mut side) = (low, 0);
    for _ in 0..60 {
        let last = x;
        x = (low * below - high * above) / (below - above);
        let value = f(x);
        if value == 0.0 || (x - last).abs() < tolerance {
            break;
        }
        if value > 0.0 {
            (low, above) = (x, value);
            below *= if side == 1 { 0.5 } else { 1.0 };
            side = 1;
        } else {
            (high, below) = (x, value);
            above *= if side == -1 { 0.5 } else { 1.0 };
            side = -1;
        }
    }
    x
}

/// Quantile with plotting positions (i − ½)/n (type 5 of Hyndman & Fan), as McCulloch has it.
fn sample_quantile(sorted: &[f64], p: f64) -> f64 {
    let n = sorted.len();
    let position = (p * n as f64 - 0.5).clamp(0.0, (n - 1) as f64);
    let below = position.floor() as usize;
    let above = (below + 1).min(n - 1);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

/// The asymptotic intervals of the fit `law` to `n` values.
fn with_intervals(n: usize, law: S0, symmetry: Symmetry) -> StableFit {
    let standard = S0 {
        scale: 1.0,
        location: 0.0,
        ..law
    };
    let q = standard_quantiles(law.alpha, law.beta);
    let density = Stable::try_from(standard).map(|law| q.map(|q| law.pdf(q)));
    // Derivatives of m = (ln ν_α, ν_β, ln(q₄ − q₂), q₃) by the quantiles and by the parameters.
    let moments = |q: &[f64; 5]| {
        let (spread, skew) = shape(q);
        [spread, skew, (q[3] - q[1]).ln(), q[2]]
    };
    const H: f64 = 1e-4;
    let by_quantile: [[f64; 5]; 4] = {
        let columns: [[f64; 4]; 5] = from_fn(|j| {
            let (mut up, mut down) = (q, q);
            up[j] += H;
            down[j] -= H;
            let (up, down) = (moments(&up), moments(&down));
            from_fn(|i| (up[i] - down[i]) / (2.0 * H))
        });
        from_fn(|i| from_fn(|j| columns[j][i]))
    };
    let by_parameter: Square = {
        let at = |alpha, beta| moments(&standard_quantiles(alpha, beta));
        let (up, down) = (at(law.alpha + H, law.beta), at(law.alpha - H, law.beta));
        let (right, left) = (at(law.alpha, law.beta + H), at(law.alpha, law.beta - H));
        let (mut log_scale, mut location) = ([0.0; 4], [0.0; 4]);
        // q ↦ γq + δ.
        (log_scale[2], log_scale[3], location[3]) = (1.0, q[2], 1.0);
        from_fn(|i| {
            let mut row = [0.0; 4];
            row[ALPHA] = (up[i] - down[i]) / (2.0 * H);
            row[BETA] = (right[i] - left[i]) / (2.0 * H);
            row[LOG_SCALE] = log_scale[i];
            row[LOCATION] = location[i];
            row
        })
    };
    let covariance: Square = density.map_or([[f64::INFINITY; 4]; 4], |f| {
        from_fn(|i| {
            from_fn(|j| {
                let mut sum = 0.0;
                for k in 0..5 {
                    for l in 0..5 {
                        let (p, r) = (LEVELS[k.min(l)], LEVELS[k.max(l)]);
                        let c = p * (1.0 - r) / (n as f64 * f[k] * f[l]);
                        sum += by_quantile[i][k] * c * by_quantile[j][l];
                    }
                }
                sum
            })
        })
    });
    finish(n, law, symmetry, &by_parameter, &covariance)
}

/// Solves for the covariance of the parameters, β held fixed where it is or has no meaning. The
/// location is in units of the scale in `jacobian` and `covariance`. Also used by
/// [`super::koutrouvelis`].
pub(super) fn finish(
    n: usize,
    law: S0,
    symmetry: Symmetry,
    jacobian: &Square,
    covariance: &Square,
) -> StableFit {
    let free = [
        true,
        symmetry == Symmetry::Free && law.alpha < 2.0,
        true,
        true,
    ];
    let mut jacobian = *jacobian;
    let mut covariance = *covariance;
    if !free[BETA] {
        // The moment that tells of β is left out with it.
        for i in 0..4 {
            jacobian[BETA][i] = 0.0;
            covariance[BETA][i] = 0.0;
            covariance[i][BETA] = 0.0;
        }
    }
    let unit = [1.0, 1.0, 1.0, law.scale];
    let scaling: Square = from_fn(|i| from_fn(|j| if i == j { unit[i] } else { 0.0 }));
    let unknown = [[f64::INFINITY; 4]; 4];
    let parameters = delta_method(&jacobian, &covariance, free).map_or(unknown, |c| {
        product(&product(&scaling, &c), &transpose(&scaling))
    });
    let mut fit = StableFit::normal(n, law, &parameters);
    if symmetry == Symmetry::Free && law.alpha == 2.0 {
        (fit.beta.low, fit.beta.high) = (-1.0, 1.0);
    }
    fit
}
