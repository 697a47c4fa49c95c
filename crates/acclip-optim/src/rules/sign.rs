//! The average of gradients, or its sign: signSGD with momentum, and a part of normalised SGD with
//! momentum.
//!
//! ```text
//! m ← β1 m + (1−β1) g        m₀ = 0
//!
//! average                        u = m
//! signSGD with momentum          u = sign(m), with sign(0) = 0
//! normalised SGD with momentum   u = m, and the link Normalize: m/‖m‖ over all blocks
//! ```
//!
//! References: J. Bernstein et al., *signSGD: Compressed Optimisation for Non-Convex Problems*, 2018
//! ("Signum"); A. Cutkosky, H. Mehta, *Momentum Improves Normalized SGD*, 2020.

use super::{Average, Kernel, Slot, WithKernel};
use crate::Real;

/// Exponential average of gradients, with the weight 1 − β1 that [`Sgd`](crate::Sgd) lacks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ema {
    /// β1, in [0, 1).
    pub beta1: f64,
    /// Whether u is the sign of the average.
    pub sign: bool,
}

impl Ema {
    pub(crate) const SLOTS: &'static [Slot] = &[("m", true)];

    pub(crate) fn with<F: Real, W: WithKernel<F>>(&self, then: W) -> W::Output {
        let m = Average::new(self.beta1);
        if self.sign {
            then.with(&SignOfAverage { m })
        } else {
            then.with(&PlainAverage { m })
        }
    }
}

struct PlainAverage<F> {
    m: Average<F>,
}

impl<F: Real> Kernel<F, 1> for PlainAverage<F> {
    #[inline(always)]
    fn update(&self, g: F, [m]: &mut [F; 1]) -> (F, bool) {
        *m = self.m.of(*m, g);
        (*m, false)
    }
}

struct SignOfAverage<F> {
    m: Average<F>,
}

impl<F: Real> Kernel<F, 1> for SignOfAverage<F> {
    #[inline(always)]
    fn update(&self, g: F, [m]: &mut [F; 1]) -> (F, bool) {
        *m = self.m.of(*m, g);
        (sign(*m), false)
    }
}

/// −1, 0 or 1.
#[inline(always)]
pub(crate) fn sign<F: Real>(x: F) -> F {
    let positive = if x > F::zero() { F::one() } else { F::zero() };
    if x < F::zero() { -F::one() } else { positive }
}
