//! Every bound of the paper as a function of the constants it is stated with, and the step sizes and
//! thresholds that its theorems prescribe.
//!
//! | here | in the paper |
//! |---|---|
//! | [`clipping`] | Lemmas 9 to 13: moments and bias of a clipped gradient |
//! | [`strongly_convex`] | Theorem 4, Corollary 7, Theorem 8: upper bounds, strongly convex |
//! | [`non_convex`] | Theorem 2, corrected: upper bound, smooth |
//! | [`lower_strongly_convex`] | Theorem 5, Lemmas 15 and 16: lower bound, strongly convex |
//! | [`lower_non_convex`] | Theorem 6, Lemmas 17 and 18: lower bound, smooth |
//! | [`rmsprop`] | Discussion: RMSProp's step against that of a clip |
//!
//! Symbols: g is the stochastic gradient, ∇f = E g, ĝ the clipped gradient, τ the threshold, α in (1, 2] the
//! tail index, f* = inf f. The assumptions, which hold at every x:
//!
//! ```text
//! 1   E‖g − ∇f‖^α ≤ σ^α        (σ in units of the gradient)
//! 2   E|g_i|^α ≤ B_i^α          for each coordinate i
//! 4   E‖g‖^α ≤ G^α
//! ```
//!
//! Constants are those of the derivations that are given with each bound; where the paper prints another, a
//! function whose name begins with `printed` gives it.

mod binomial;
pub mod clipping;
#[cfg(test)]
mod laws;
pub mod lower_non_convex;
pub mod lower_strongly_convex;
pub mod non_convex;
pub mod rmsprop;
pub mod strongly_convex;

use crate::error::{Error, check};

/// The tail index, if it is in (1, 2].
fn tail_index(alpha: f64) -> Result<f64, Error> {
    check("alpha", alpha, "in (1, 2]", |alpha| {
        alpha > 1.0 && alpha <= 2.0
    })
}

/// `value`, if it is positive and finite.
fn positive(name: &'static str, value: f64) -> Result<f64, Error> {
    check(name, value, "positive and finite", |value| {
        value > 0.0 && value.is_finite()
    })
}

/// `value`, if it is finite and not negative.
fn non_negative(name: &'static str, value: f64) -> Result<f64, Error> {
    check(name, value, "finite and at least 0", |value| {
        value >= 0.0 && value.is_finite()
    })
}
