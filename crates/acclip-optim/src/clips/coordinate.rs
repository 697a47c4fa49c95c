//! CClip: clipping each coordinate at a fixed threshold (§2.1 of the paper).
//!
//! ```text
//! ĝᵢ = gᵢ · min{τᵢ/|gᵢ|, 1}
//! ```
//!
//! evaluated as clamp(gᵢ, −τᵢ, τᵢ), which is the same number without a division. The threshold is one
//! number for all coordinates, or one for each.
//!
//! Reference: the paper, §2.1 and §4.

use crate::Real;

/// Clip of each coordinate at one threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClipCoordinate {
    /// The threshold, in (0, ∞), in units of the gradient.
    pub tau: f64,
}

/// The coordinate clipped at ±`tau`, and whether it was beyond.
#[inline(always)]
pub(crate) fn clamp<F: Real>(g: F, tau: F) -> (F, bool) {
    // Comparisons rather than `max` and `min`, whose care for NaN costs more than the clip.
    let below = if g < tau { g } else { tau };
    (if below > -tau { below } else { -tau }, g.abs() > tau)
}
