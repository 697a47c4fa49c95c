//! StableAdamW: Adam whose step on a block shrinks where gradients outgrow its second moment.
//!
//! ```text
//! m, v, u as in Adam,   RMS_b = √(mean over block b of g²/max{v̂, ε²})
//! u_b ← u_b / max{1, RMS_b}
//! ```
//!
//! v̂ is the corrected average with this gradient in it. Decay is not divided.
//!
//! Reference: M. Wortsman et al., *Stable and low-precision training for large-scale vision-language
//! models*, 2023; the clip is that of Adafactor (N. Shazeer, M. Stern, 2018).

use super::adam::Adam;
use super::{Average, correction, square};
use crate::Real;

/// StableAdamW, with the hyper-parameters of Adam.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StableAdam(pub Adam);

impl StableAdam {
    /// Step number `t` = 1, 2, …
    pub(crate) fn at<F: Real>(&self, t: u64) -> Surprise<F> {
        Surprise {
            v: Average::new(self.0.beta2),
            correction: F::narrow(correction(self.0.beta2, t)),
            least: F::narrow(self.0.eps * self.0.eps),
        }
    }

    /// The factor of a block of `len` coordinates whose g²/max{v̂, ε²} sum to `sum`.
    pub(crate) fn factor(sum: f64, len: usize) -> f64 {
        1.0 / (sum / len.max(1) as f64).sqrt().max(1.0)
    }
}

/// How far a gradient exceeds what its second moment expects.
pub(crate) struct Surprise<F> {
    v: Average<F>,
    correction: F,
    least: F,
}

impl<F: Real> Surprise<F> {
    /// g²/max{v̂, ε²}, with v̂ after this gradient, from v before it; 0 for g = 0.
    #[inline(always)]
    pub(crate) fn of(&self, g: F, v: F) -> f64 {
        let v = self.v.of(v, square(g)) * self.correction;
        let v = if v > self.least { v } else { self.least };
        crate::real::ratio(square(g), v).widen()
    }
}
