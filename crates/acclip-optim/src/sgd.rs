//! Stochastic gradient descent, plain and with heavy-ball momentum.
//!
//! ```text
//! μ = 0    u = g
//! μ > 0    m ← μ m + g,   u = m          m₀ = 0
//! ```
//!
//! The momentum form is PyTorch's (no factor 1 − μ, no dampening). Departure from PyTorch: weight
//! decay is decoupled, so it does not enter m.
//!
//! Reference: B. T. Polyak, *Some methods of speeding up the convergence of iteration methods*, 1964.

use crate::Real;
use crate::pass::{Kernel, Moved, Pass};

/// Hyper-parameters of SGD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sgd {
    pub momentum: f64,
}

impl Sgd {
    pub(crate) fn slots(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["m"] }
    }

    pub(crate) fn run<F: Real>(&self, pass: Pass<'_, F>) -> Moved {
        if self.momentum == 0.0 {
            pass.run(&Plain)
        } else {
            pass.run(&HeavyBall {
                momentum: F::narrow(self.momentum),
            })
        }
    }
}

struct Plain;

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
