//! Stochastic gradient descent: plain, with heavy-ball momentum, and with Nesterov's.
//!
//! ```text
//! μ = 0        u = g
//! heavy ball   m ← μ m + g,   u = m              m₀ = 0
//! nesterov     m ← μ m + g,   u = g + μ m
//! ```
//!
//! As in PyTorch: no factor 1 − μ, no dampening.
//!
//! References: B. T. Polyak, *Some methods of speeding up the convergence of iteration methods*, 1964;
//! I. Sutskever et al., *On the importance of initialization and momentum in deep learning*, 2013.

use super::{Kernel, Slot, WithKernel};
use crate::Real;

/// Hyper-parameters of SGD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// μ, in [0, 1).
    pub momentum: f64,
    /// Whether u = g + μ m instead of m.
    pub nesterov: bool,
}

impl Sgd {
    pub(crate) fn slots(&self) -> &'static [Slot] {
        if self.momentum == 0.0 {
            &[]
        } else {
            &[("m", true)]
        }
    }

    pub(crate) fn with<F: Real, W: WithKernel<F>>(&self, then: W) -> W::Output {
        let momentum = F::narrow(self.momentum);
        if self.momentum == 0.0 {
            then.with(&Plain)
        } else if self.nesterov {
            then.with(&Nesterov { momentum })
        } else {
            then.with(&HeavyBall { momentum })
        }
    }
}

/// u = g; also stands where a chain has no rule.
pub(crate) struct Plain;

impl<F: Real> Kernel<F, 0> for Plain {
    #[inline(always)]
    fn update(&self, g: F, []: &mut [F; 0]) -> (F, bool) {
        (g, false)
    }
}

struct HeavyBall<F> {
    momentum: F,
}

impl<F: Real> Kernel<F, 1> for HeavyBall<F> {
    #[inline(always)]
    fn update(&self, g: F, [m]: &mut [F; 1]) -> (F, bool) {
        *m = self.momentum * *m + g;
        (*m, false)
    }
}

struct Nesterov<F> {
    momentum: F,
}

impl<F: Real> Kernel<F, 1> for Nesterov<F> {
    #[inline(always)]
    fn update(&self, g: F, [m]: &mut [F; 1]) -> (F, bool) {
        *m = self.momentum * *m + g;
        (g + self.momentum * *m, false)
    }
}
