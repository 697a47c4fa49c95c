//! RMSProp, which is adaptive clipping but for a factor of two.
//!
//! ```text
//! v ← β2 v + (1−β2) g²,   w = g/(√v + ε)        v₀ = 0
//! u = w,   or with momentum μ   m ← μ m + w,   u = m
//! ```
//!
//! This is PyTorch's (not centred), and without momentum also the form of the paper's Discussion,
//! whose step is α/(ε + √(β2 v + (1−β2)g²))·g with v from *before* the gradient: the root is that
//! of the new v.
//!
//! The paper reads it as a clip. With s = ε + √(β2 v), the clip with step size η = α/s and threshold
//! τ = s/√(1−β2) multiplies g by h_clip = η·min{τ/|g|, 1}, and RMSProp by h_rms, with
//!
//! ```text
//! ½ h_clip ≤ h_rms ≤ h_clip
//! ```
//!
//! since ε + √(β2 v + (1−β2)g²) lies between max{s, √(1−β2)|g|} and twice that. (The printed claim
//! ½ h_clip ≤ h_rms ≤ 2 h_clip follows; with a factor 2 in η it would not.) `tests/limits.rs` checks it.
//!
//! References: T. Tieleman, G. Hinton, *Lecture 6.5: rmsprop*, 2012; the paper, Discussion.

use super::{Average, Kernel, Slot, WithKernel, square};
use crate::Real;
use crate::real::ratio;

/// Hyper-parameters of RMSProp.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RmsProp {
    /// β2, in [0, 1); PyTorch calls it `alpha`.
    pub beta2: f64,
    /// ε, in [0, ∞), in units of the gradient.
    pub eps: f64,
    /// μ, in [0, 1).
    pub momentum: f64,
}

impl RmsProp {
    pub(crate) fn slots(&self) -> &'static [Slot] {
        if self.momentum == 0.0 {
            &[("v", false)]
        } else {
            &[("v", false), ("m", true)]
        }
    }

    pub(crate) fn with<F: Real, W: WithKernel<F>>(&self, then: W) -> W::Output {
        let plain = Plain {
            v: Average::new(self.beta2),
            eps: F::narrow(self.eps),
        };
        if self.momentum == 0.0 {
            then.with(&plain)
        } else {
            let momentum = F::narrow(self.momentum);
            then.with(&WithMomentum { plain, momentum })
        }
    }
}

struct Plain<F> {
    v: Average<F>,
    eps: F,
}

impl<F: Real> Kernel<F, 1> for Plain<F> {
    #[inline(always)]
    fn update(&self, g: F, [v]: &mut [F; 1]) -> (F, bool) {
        *v = self.v.of(*v, square(g));
        (ratio(g, v.sqrt() + self.eps), false)
    }
}

struct WithMomentum<F> {
    plain: Plain<F>,
    momentum: F,
}

impl<F: Real> Kernel<F, 2> for WithMomentum<F> {
    #[inline(always)]
    fn update(&self, g: F, [v, m]: &mut [F; 2]) -> (F, bool) {
        let mut slot = [*v];
        let (w, _) = self.plain.update(g, &mut slot);
        [*v] = slot;
        *m = self.momentum * *m + w;
        (*m, false)
    }
}
