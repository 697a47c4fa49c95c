//! Gradient noise ξ = g − ∇f with moments that are known exactly.
//!
//! [`Law`] is the law of one value. A [`Noise`] makes stochastic gradients of true ones, for many trajectories at
//! once: rows of `dim` values, a row a trajectory. It knows the two numbers that the theorems ask for,
//! B_i^α = E|ξ_i|^α and σ^α = E‖ξ‖^α.

mod chain;
mod law;
#[cfg(test)]
mod tests;
mod vector;

pub use chain::HiddenCoordinate;
pub use law::Law;
pub use vector::{Independent, OneCoordinate, SharedScale};

use crate::Error;

/// Where the random numbers of one step come from: values `first`, `first` + 1, … of the stream `key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws {
    /// Stream.
    pub key: u64,
    /// First value that may be used. Of n rows of d values, a noise uses at most n·(d + 2).
    pub first: u64,
}

/// A moment E‖ξ‖^α, or what is known of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Moment {
    /// Known in closed form.
    Exact(f64),
    /// Between these two, by Lemma 12.
    Between(f64, f64),
}

impl Moment {
    /// The number itself, or the larger of the two.
    pub fn at_most(self) -> f64 {
        match self {
            Moment::Exact(value) | Moment::Between(_, value) => value,
        }
    }
}

/// Makes stochastic gradients of true ones.
pub trait Noise: Sync {
    /// Turns ∇f(x), in `grad`, into a stochastic gradient; `x` and `grad` hold rows of `dim` values.
    /// `scratch` is for its own use.
    fn perturb(
        &self,
        draws: Draws,
        dim: usize,
        x: &[f64],
        grad: &mut [f64],
        scratch: &mut Vec<f64>,
    );

    /// Whether its parameters are in range, and fit to `dim` dimensions.
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    fn check(&self, dim: usize) -> Result<(), Error>;

    /// E|ξ_i|^α for every coordinate, `dim` values.
    fn coordinate_moments(&self, alpha: f64, dim: usize) -> Vec<f64>;

    /// E‖ξ‖^α in `dim` dimensions.
    fn norm_moment(&self, alpha: f64, dim: usize) -> Moment;
}

/// What is known from the coordinates alone: Lemma 12 with its upper end as derived,
/// d^{α/2−1} Σ B_i^α ≤ E‖ξ‖^α ≤ Σ B_i^α. Both ends are the same in one dimension and at α = 2.
fn between(coordinate_moments: &[f64], alpha: f64) -> Moment {
    let (d, sum) = (
        coordinate_moments.len() as f64,
        coordinate_moments.iter().sum::<f64>(),
    );
    if d == 1.0 || alpha == 2.0 {
        Moment::Exact(sum)
    } else {
        Moment::Between(d.powf(0.5 * alpha - 1.0) * sum, sum)
    }
}
