//! Adagrad: each coordinate is divided by the root of the sum of its squares.
//!
//! ```text
//! s ← s + g²,   u = g/(√s + ε)          s₀ = 0
//! ```
//!
//! As in PyTorch, without its decay of the learning rate: take a schedule.
//!
//! Reference: J. Duchi, E. Hazan, Y. Singer, *Adaptive Subgradient Methods for Online Learning and
//! Stochastic Optimization*, 2011.

use super::{Kernel, Slot, WithKernel, saturate, square};
use crate::Real;
use crate::real::ratio;

/// Hyper-parameters of Adagrad.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adagrad {
    /// ε, in [0, ∞), in units of the gradient.
    pub eps: f64,
}

impl Adagrad {
    pub(crate) const SLOTS: &'static [Slot] = &[("sum", false)];

    pub(crate) fn with<F: Real, W: WithKernel<F>>(&self, then: W) -> W::Output {
        let eps = F::narrow(self.eps);
        then.with(&AtStep { eps })
    }
}

struct AtStep<F> {
    eps: F,
}

impl<F: Real> Kernel<F, 1> for AtStep<F> {
    #[inline(always)]
    fn update(&self, g: F, [sum]: &mut [F; 1]) -> (F, bool) {
        *sum = saturate(*sum + square(g));
        (ratio(g, sum.sqrt() + self.eps), false)
    }
}
