//! Clipping the gradient before the rule sees it (§2.1 of the paper).
//!
//! With threshold τ, the two clips of the paper are
//!
//! ```text
//! GClip   ĝ  = g · min{τ/‖g‖, 1}        one factor for all coordinates; ‖g‖ over all blocks
//! CClip   ĝᵢ = gᵢ · min{τ/|gᵢ|, 1}      each coordinate alone
//! ```
//!
//! and a zero gradient stays zero. The second is evaluated as clamp(gᵢ, −τ, τ), which is the same
//! number without a division.
//!
//! Departure from PyTorch: `clip_grad_norm_` divides by ‖g‖ + 1e-6, here by ‖g‖ as in the paper.

use crate::Real;

/// How the gradient is clipped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Clip {
    Off,
    GlobalNorm { max_norm: f64 },
    Coordinate { tau: f64 },
}

impl Clip {
    /// The threshold, if there is one.
    pub(crate) fn threshold(&self) -> Option<f64> {
        match *self {
            Clip::Off => None,
            Clip::GlobalNorm { max_norm } => Some(max_norm),
            Clip::Coordinate { tau } => Some(tau),
        }
    }

    /// The clip as it acts on one gradient, whose Euclidean norm is `grad_norm`.
    pub(crate) fn at<F: Real>(&self, grad_norm: f64) -> Clipper<F> {
        let (scale, tau) = match *self {
            Clip::Off => (1.0, f64::INFINITY),
            // The comparison, rather than the minimum, also settles ‖g‖ = 0.
            Clip::GlobalNorm { max_norm } if grad_norm > max_norm => {
                (max_norm / grad_norm, f64::INFINITY)
            }
            Clip::GlobalNorm { .. } => (1.0, f64::INFINITY),
            Clip::Coordinate { tau } => (1.0, tau),
        };
        Clipper {
            scaled: scale < 1.0,
            scale: F::narrow(scale),
            tau: F::narrow(tau),
        }
    }
}

/// Any clip, as one expression: a factor for all coordinates, then a bound for each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clipper<F> {
    /// Whether `scale` is below 1.
    pub scaled: bool,
    scale: F,
    tau: F,
}

impl<F: Real> Clipper<F> {
    /// The clipped coordinate, and whether it hit the bound `tau`.
    #[inline(always)]
    pub(crate) fn apply(&self, g: F) -> (F, bool) {
        let g = g * self.scale;
        // Comparisons rather than `max` and `min`, whose care for NaN costs more than the clip.
        let below = if g < self.tau { g } else { self.tau };
        (
            if below > -self.tau { below } else { -self.tau },
            g.abs() > self.tau,
        )
    }
}
