//! AMSGrad: Adam whose second moment never falls.
//!
//! ```text
//! m, v as in Adam,   v_max ← max{v_max, v}
//! u = m̂/(√(v_max/(1−β2^t)) + ε)
//! ```
//!
//! As in PyTorch: the maximum is taken before the correction.
//!
//! Reference: S. J. Reddi, S. Kale, S. Kumar, *On the Convergence of Adam and Beyond*, 2018.

use super::adam::{Adam, AdamAt};
use super::{Kernel, Slot, WithKernel, square};
use crate::Real;

/// AMSGrad, with the hyper-parameters of Adam.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AmsGrad(pub Adam);

impl AmsGrad {
    pub(crate) const SLOTS: &'static [Slot] = &[("m", true), ("v", false), ("v_max", false)];

    /// Step number `t` = 1, 2, …
    pub(crate) fn with<F: Real, W: WithKernel<F>>(&self, t: u64, then: W) -> W::Output {
        then.with(&AmsGradAt(self.0.at(t)))
    }
}

struct AmsGradAt<F>(AdamAt<F>);

impl<F: Real> Kernel<F, 3> for AmsGradAt<F> {
    #[inline(always)]
    fn update(&self, g: F, [m, v, v_max]: &mut [F; 3]) -> (F, bool) {
        *m = self.0.m.of(*m, g);
        *v = self.0.v.of(*v, square(g));
        *v_max = if *v > *v_max { *v } else { *v_max };
        (self.0.direction(*m, *v_max), false)
    }
}
