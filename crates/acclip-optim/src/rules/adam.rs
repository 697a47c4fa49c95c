//! Adam; with decoupled weight decay in the chain, AdamW.
//!
//! ```text
//! m ← β1 m + (1−β1) g,    m̂ = m/(1−β1^t)
//! v ← β2 v + (1−β2) g²,   v̂ = v/(1−β2^t)         m₀ = v₀ = 0
//! u = m̂/(√v̂ + ε)
//! ```
//!
//! As in PyTorch: both averages are corrected for their zero start, and ε stands outside the root.
//! (BERT's original code has no correction.)
//!
//! References: D. P. Kingma, J. Ba, *Adam: A Method for Stochastic Optimization*, 2015; I. Loshchilov,
//! F. Hutter, *Decoupled Weight Decay Regularization*, 2019.

use super::{Average, Kernel, Slot, WithKernel, correction, square};
use crate::Real;
use crate::real::ratio;

/// Hyper-parameters of Adam.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// β1, in [0, 1).
    pub beta1: f64,
    /// β2, in [0, 1).
    pub beta2: f64,
    /// ε, in [0, ∞), in units of the gradient.
    pub eps: f64,
}

impl Adam {
    pub(crate) const SLOTS: &'static [Slot] = &[("m", true), ("v", false)];

    /// Step number `t` = 1, 2, …
    pub(crate) fn with<F: Real, W: WithKernel<F>>(&self, t: u64, then: W) -> W::Output {
        then.with(&self.at(t))
    }

    pub(crate) fn at<F: Real>(&self, t: u64) -> AdamAt<F> {
        AdamAt {
            m: Average::new(self.beta1),
            v: Average::new(self.beta2),
            eps: F::narrow(self.eps),
            correction1: F::narrow(correction(self.beta1, t)),
            root_correction2: F::narrow(correction(self.beta2, t).sqrt()),
        }
    }
}

/// Adam at one step.
pub(crate) struct AdamAt<F> {
    pub m: Average<F>,
    pub v: Average<F>,
    pub eps: F,
    /// 1/(1−β1^t).
    pub correction1: F,
    /// √(1/(1−β2^t)).
    pub root_correction2: F,
}

impl<F: Real> AdamAt<F> {
    /// m̂/(√v̂ + ε).
    #[inline(always)]
    pub(crate) fn direction(&self, m: F, v: F) -> F {
        ratio(
            m * self.correction1,
            v.sqrt() * self.root_correction2 + self.eps,
        )
    }
}

impl<F: Real> Kernel<F, 2> for AdamAt<F> {
    #[inline(always)]
    fn update(&self, g: F, [m, v]: &mut [F; 2]) -> (F, bool) {
        *m = self.m.of(*m, g);
        *v = self.v.of(*v, square(g));
        (self.direction(*m, *v), false)
    }
}
