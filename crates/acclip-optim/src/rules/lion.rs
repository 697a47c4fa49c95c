//! Lion: the sign of a mixture of momentum and gradient.
//!
//! ```text
//! u = sign(β1 m + (1−β1) g),   then   m ← β2 m + (1−β2) g        m₀ = 0, sign(0) = 0
//! ```
//!
//! Reference: X. Chen et al., *Symbolic Discovery of Optimization Algorithms*, 2023.

use super::sign::sign;
use super::{Average, Kernel, Slot, WithKernel};
use crate::Real;

/// Hyper-parameters of Lion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lion {
    /// β1, of the mixture whose sign is taken, in [0, 1).
    pub beta1: f64,
    /// β2, of the average that is kept, in [0, 1).
    pub beta2: f64,
}

impl Lion {
    pub(crate) const SLOTS: &'static [Slot] = &[("m", true)];

    pub(crate) fn with<F: Real, W: WithKernel<F>>(&self, then: W) -> W::Output {
        then.with(&AtStep {
            mixture: Average::new(self.beta1),
            m: Average::new(self.beta2),
        })
    }
}

struct AtStep<F> {
    mixture: Average<F>,
    m: Average<F>,
}

impl<F: Real> Kernel<F, 1> for AtStep<F> {
    #[inline(always)]
    fn update(&self, g: F, [m]: &mut [F; 1]) -> (F, bool) {
        let u = sign(self.mixture.of(*m, g));
        *m = self.m.of(*m, g);
        (u, false)
    }
}
