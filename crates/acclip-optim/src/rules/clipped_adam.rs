//! AdamW with per-coordinate clipping: the nearest living relative of ACClip.
//!
//! ```text
//! ĝ = clamp(g, ±max{clip_factor·√v̂_{t−1}, 1e-10})     for t > 1;   ĝ = g for t = 1
//! then Adam, with ĝ in both moments
//! ```
//!
//! The threshold is a multiple of a root mean square, which the clipped gradients make themselves.
//! A coordinate whose gradients so far were 0 has the threshold 1e-10: when it wakes up, v grows by at
//! most the factor 1 + (1−β2)·(clip_factor² − 1) a step.
//!
//! Reference: the Python package `adamwclip`, 2025.

use super::adam::{Adam, AdamAt};
use super::{Kernel, WithKernel, correction};
use crate::Real;
use crate::clips::coordinate::clamp;

/// The least threshold.
const LEAST: f64 = 1e-10;

/// Adam with a clip of each coordinate at a multiple of its own root mean square.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClippedAdam {
    /// Adam's own.
    pub adam: Adam,
    /// The threshold, in root mean squares; in (0, ∞).
    pub clip_factor: f64,
}

impl ClippedAdam {
    /// Step number `t` = 1, 2, …
    pub(crate) fn with<F: Real, W: WithKernel<F>>(&self, t: u64, then: W) -> W::Output {
        let (factor, least) = if t == 1 {
            (0.0, f64::INFINITY)
        } else {
            let root = correction(self.adam.beta2, t - 1).sqrt();
            (self.clip_factor * root, LEAST)
        };
        then.with(&AtStep {
            adam: self.adam.at(t),
            factor: F::narrow(factor),
            least: F::narrow(least),
        })
    }
}

struct AtStep<F> {
    adam: AdamAt<F>,
    factor: F,
    least: F,
}

impl<F: Real> Kernel<F, 2> for AtStep<F> {
    #[inline(always)]
    fn update(&self, g: F, slots: &mut [F; 2]) -> (F, bool) {
        let bound = self.factor * slots[1].sqrt();
        let bound = if bound > self.least {
            bound
        } else {
            self.least
        };
        let (g, clipped) = clamp(g, bound);
        (self.adam.update(g, slots).0, clipped)
    }
}
