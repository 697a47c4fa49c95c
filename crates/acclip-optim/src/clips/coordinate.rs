//! CClip: clipping each coordinate at a fixed threshold (§2.1 of the paper).
//!
//! ```text
//! ĝᵢ = gᵢ · min{τᵢ/|gᵢ|, 1}       τᵢ = tau·t^growth
//! ```
//!
//! evaluated as clamp(gᵢ, −τᵢ, τᵢ), which is the same number without a division. The threshold is one
//! number for all coordinates, or one for each; fixed unless `growth` is set. With growth 1/α, and the
//! bound B of the gradient's α-moments as thresholds, it is that of Theorem 8.
//!
//! Reference: the paper, §2.1 and §4.

use std::sync::Arc;

use super::growth;
use crate::Real;
use crate::rules::{Kernel, WithKernel};

/// Clip of each coordinate at one threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClipCoordinate {
    /// The threshold of the first step, in (0, ∞), in units of the gradient.
    pub tau: f64,
    /// Exponent of the threshold's growth, in [0, ∞): step t = 1, 2, … clips at tau·t^growth.
    pub growth: f64,
}

impl ClipCoordinate {
    pub(crate) fn at(&self, t: u64) -> f64 {
        self.tau * growth(self.growth, t)
    }
}

/// Clip of each coordinate at its own threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipCoordinates {
    /// The thresholds of the first step, one a coordinate of the layout, in (0, ∞].
    pub tau: Arc<[f64]>,
    /// Exponent of the thresholds' growth, in [0, ∞).
    pub growth: f64,
}

/// The coordinate clipped at ±`tau`, and whether it was beyond.
#[inline(always)]
pub(crate) fn clamp<F: Real>(g: F, tau: F) -> (F, bool) {
    // Comparisons rather than `max` and `min`, whose care for NaN costs more than the clip.
    let below = if g < tau { g } else { tau };
    (if below > -tau { below } else { -tau }, g.abs() > tau)
}

/// Hands on a kernel with the clip before it, as the pass over memory runs it.
pub(crate) struct Clamped<W> {
    pub tau: f64,
    pub then: W,
}

impl<F: Real, W: WithKernel<F>> WithKernel<F> for Clamped<W> {
    type Output = W::Output;

    fn with<K: Kernel<F, S>, const S: usize>(self, kernel: &K) -> W::Output {
        let tau = F::narrow(self.tau);
        self.then.with(&ClampedKernel { tau, kernel })
    }
}

struct ClampedKernel<'a, F, K> {
    tau: F,
    kernel: &'a K,
}

impl<F: Real, K: Kernel<F, S>, const S: usize> Kernel<F, S> for ClampedKernel<'_, F, K> {
    #[inline(always)]
    fn update(&self, g: F, slots: &mut [F; S]) -> (F, bool) {
        let (g, hit) = clamp(g, self.tau);
        let (u, by_rule) = self.kernel.update(g, slots);
        (u, hit | by_rule)
    }
}
