//! Functions to minimise, each with the constants that a theorem asks for.
//!
//! Thousands of trajectories run at once: `x` is a flat slice of rows of [`Problem::dim`] values, and a
//! row is the iterate of one trajectory. A row's result depends on that row alone, to the bit.
//!
//! | problem | f | class |
//! |---|---|---|
//! | [`Quadratic`] | ½ Σ λ_i (x_i − c_i)², on a ball or on all of R^d | strongly convex, smooth |
//! | [`NonSmooth`] | (μ/2)‖x‖² + λ Σ \|x_i − c_i\|, on a ball | strongly convex, with kinks |
//! | [`GemanMcClure`] | Σ x_i²/(1 + x_i²) | smooth, bounded gradient, not convex |
//! | [`DoubleWell`] | a good and a bad well in each coordinate | smooth, not convex |
//! | [`Ramp`] | a rippled slope into a valley | smooth, not convex |
//! | [`HardMeanObjective`] | ½(x − b)² on [0, ½] | Theorem 5 |
//! | [`ZeroChain`] | (Lλ²/152) F_T(x/λ) | Theorem 6 |

mod hard_mean;
mod nonsmooth;
mod quadratic;
mod ramp;
#[cfg(test)]
mod tests;
mod wells;
mod zero_chain;

pub use hard_mean::HardMeanObjective;
pub use nonsmooth::NonSmooth;
pub use quadratic::Quadratic;
pub use ramp::Ramp;
pub use wells::{DoubleWell, GemanMcClure};
pub use zero_chain::{ZeroChain, prog};

use acclip_noise::lanes::vectorised;

/// A function f with what the theorems need to know of it.
///
/// `x` holds rows of [`dim`](Self::dim) values, one a trajectory. Nothing is checked here, for it is
/// called at every step: a last row that is not whole, or has no room in the output, is left out.
pub trait Problem: Sync {
    /// The number of coordinates, at least 1.
    fn dim(&self) -> usize;

    /// ∇f, row by row, into `grad`, which is as long as `x`. Where f has a kink, a subgradient; off the
    /// domain, that of the same formula.
    fn gradient(&self, x: &[f64], grad: &mut [f64]);

    /// f(x) − inf f, row by row, into `gap`, which has one value a row. It is a sum of terms that are
    /// not negative, so that it keeps its relative accuracy down to the optimum, where f(x) − f* as
    /// written would be rounding.
    fn gap(&self, x: &[f64], gap: &mut [f64]);

    /// The constants of f.
    fn facts(&self) -> Facts;
}

/// What is known of f, sharp unless [`Problem::facts`] of that problem says otherwise. Units are given for
/// x in metres and f in joules.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// L, the Lipschitz constant of ∇f over all of R^d (J/m²); `None` if f is not smooth.
    pub smoothness: Option<f64>,
    /// μ, the largest for which f − (μ/2)‖x‖² is convex (J/m²); 0 if there is none above 0.
    pub strong_convexity: f64,
    /// The set X that iterates are projected onto; `None` for R^d.
    pub domain: Option<Domain>,
    /// A point of X where f is least (m); `None` if the infimum is not attained.
    pub optimum: Option<Vec<f64>>,
    /// f* = inf f (J).
    pub minimum: f64,
    /// The supremum of ‖∇f‖₂ over the domain (J/m); `None` if there is none.
    pub gradient_bound: Option<f64>,
}

/// A closed convex set about 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Domain {
    /// ‖x‖₂ ≤ radius.
    Ball {
        /// Its radius, in the unit of x.
        radius: f64,
    },
    /// lower ≤ x_i ≤ upper, in every coordinate.
    Box {
        /// The least value of a coordinate.
        lower: f64,
        /// The largest value of a coordinate.
        upper: f64,
    },
}

/// out ← f(x), value by value. `f` must own what it needs, as [`vectorised`] says.
#[inline(always)]
fn each(x: &[f64], out: &mut [f64], f: impl Fn(f64) -> f64) {
    vectorised(
        #[inline(always)]
        move || {
            for (out, &x) in out.iter_mut().zip(x) {
                *out = f(x);
            }
        },
    );
}

/// out ← Σ_i f(x_i), row by row; in one dimension one flat loop.
#[inline(always)]
fn row_sums(dim: usize, x: &[f64], out: &mut [f64], f: impl Fn(f64) -> f64) {
    if dim == 1 {
        return each(x, out, f);
    }
    vectorised(
        #[inline(always)]
        move || {
            for (out, row) in out.iter_mut().zip(x.chunks_exact(dim)) {
                let mut sum = 0.0;
                for &x in row {
                    sum += f(x);
                }
                *out = sum;
            }
        },
    );
}

/// `dim`, if it is at least 1.
fn check_dim(dim: usize) -> Result<usize, crate::Error> {
    crate::error::check("dim", dim as f64, "at least 1", |dim| dim >= 1.0)?;
    Ok(dim)
}

/// `value`, if it is above 0 and finite.
fn check_positive(name: &'static str, value: f64) -> Result<f64, crate::Error> {
    crate::error::check(name, value, "in (0, ∞)", |x| x > 0.0 && x.is_finite())
}

/// `value`, if it is finite.
fn check_finite(name: &'static str, value: f64) -> Result<f64, crate::Error> {
    crate::error::check(name, value, "finite", f64::is_finite)
}

/// ‖x‖₂.
fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}
