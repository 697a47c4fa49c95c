//! Fits of stable laws, with intervals.
//!
//! | method | module | time, n = 10⁶ | when |
//! |---|---|---|---|
//! | five quantiles | [`mcculloch`] | 0.02 s | a first look, a start, bootstrap refits |
//! | characteristic function | [`koutrouvelis`] | 0.07 s | close to the best, without densities |
//! | maximum likelihood | [`likelihood`] | 0.24 s (symmetric 0.12) | the narrowest interval |
//!
//! Times on two cores at α = 1.5, medians of `cargo bench -p acclip-noise --bench stable`.
//! All of them give the parameters of Nolan's S0, in which location and scale do not jump at α = 1.
//! Two borders are common to all. *α → 2*: β has no influence on the normal law; a fit with α̂ = 2
//! gives β = 0 with the interval [−1, 1]. *α < 0.3*: the quantile fit ends there, see
//! [`mcculloch::SMALLEST_ALPHA`], and so do the fits that start from it.
//!
//! [`bootstrap`] gives intervals by resampling; [`goodness`] asks whether the fitted law is right.

pub mod bootstrap;
mod climb;
pub mod goodness;
pub mod koutrouvelis;
pub mod likelihood;
mod linear;
pub mod mcculloch;
mod quantile_table;

use serde::{Deserialize, Serialize};

use crate::interval::{LEVEL, Z};
use crate::stable::S0;
use crate::{Error, Interval};
use linear::Square;

/// Whether the law may be skewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Symmetry {
    /// β = 0.
    Symmetric,
    /// β anywhere in [−1, 1].
    Free,
}

/// A fitted stable law in the parametrisation S0, each parameter with its 95 % interval.
///
/// Intervals are cut to the ranges of the parameters. A parameter that was held fixed has
/// `low == estimate == high`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StableFit {
    /// Number of values.
    pub n: usize,
    /// Tail index α, in (0, 2].
    pub alpha: Interval,
    /// Skewness β, in [−1, 1].
    pub beta: Interval,
    /// Scale γ > 0, in the unit of the sample.
    pub scale: Interval,
    /// Location δ of S0, in the unit of the sample.
    pub location: Interval,
}

impl StableFit {
    /// The estimates, without their intervals.
    #[must_use]
    pub fn law(&self) -> S0 {
        S0 {
            alpha: self.alpha.estimate,
            beta: self.beta.estimate,
            scale: self.scale.estimate,
            location: self.location.estimate,
        }
    }

    /// The fit with the covariance of its estimates, in the order (α, β, ln γ, δ).
    fn normal(n: usize, law: S0, covariance: &Square) -> Self {
        // A variance that is negative or NaN says that the sample does not tell.
        let half = |i: usize| match covariance[i][i] {
            variance if variance >= 0.0 => Z * variance.sqrt(),
            _ => f64::INFINITY,
        };
        let beta_is_unknown = law.alpha == 2.0 && half(BETA) > 0.0;
        Self {
            n,
            alpha: cut(law.alpha, half(ALPHA), 0.0, 2.0),
            beta: if beta_is_unknown {
                cut(0.0, f64::INFINITY, -1.0, 1.0)
            } else {
                cut(law.beta, half(BETA), -1.0, 1.0)
            },
            scale: Interval {
                low: law.scale * (-half(LOG_SCALE)).exp(),
                estimate: law.scale,
                high: law.scale * half(LOG_SCALE).exp(),
                level: LEVEL,
            },
            location: cut(
                law.location,
                half(LOCATION),
                f64::NEG_INFINITY,
                f64::INFINITY,
            ),
        }
    }
}

/// Positions of the parameters in vectors and matrices.
const ALPHA: usize = 0;
const BETA: usize = 1;
const LOG_SCALE: usize = 2;
const LOCATION: usize = 3;

/// `estimate` ± `half`, inside [`least`, `greatest`].
fn cut(estimate: f64, half: f64, least: f64, greatest: f64) -> Interval {
    Interval {
        low: (estimate - half).max(least),
        estimate,
        high: (estimate + half).min(greatest),
        level: LEVEL,
    }
}

/// [`crate::sample::check`], and not all values equal.
fn check(what: &'static str, values: &[f64], needed: usize) -> Result<(), Error> {
    crate::sample::check(what, values, needed)?;
    if values.iter().all(|&x| x == values[0]) {
        return Err(Error::Constant { what });
    }
    Ok(())
}
