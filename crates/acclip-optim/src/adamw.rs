//! AdamW: Adam with decoupled weight decay.
//!
//! ```text
//! m ← β1 m + (1−β1) g,    m̂ = m/(1−β1^t)
//! v ← β2 v + (1−β2) g²,   v̂ = v/(1−β2^t)         m₀ = v₀ = 0
//! u = m̂/(√v̂ + ε)
//! ```
//!
//! As in PyTorch: both averages are corrected for their zero start, ε stands outside the root,
//! and decay is learning_rate·weight_decay·x. (BERT's original code has no correction.)
//!
//! Reference: I. Loshchilov, F. Hutter, *Decoupled Weight Decay Regularization*, 2019.

use crate::Real;
use crate::pass::{Kernel, Moved, Pass};
use crate::real::ratio;

/// Hyper-parameters of AdamW.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AdamW {
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
}

impl AdamW {
    pub(crate) fn slots(&self) -> &'static [&'static str] {
        &["m", "v"]
    }

    /// Step number `t` = 1, 2, …
    pub(crate) fn run<F: Real>(&self, t: u64, pass: Pass<'_, F>) -> Moved {
        let t = t as f64;
        pass.run(&AtStep {
            beta1: F::narrow(self.beta1),
            one_minus_beta1: F::narrow(1.0 - self.beta1),
            beta2: F::narrow(self.beta2),
            one_minus_beta2: F::narrow(1.0 - self.beta2),
            eps: F::narrow(self.eps),
            correction1: F::narrow(1.0 / (1.0 - self.beta1.powf(t))),
            root_correction2: F::narrow((1.0 / (1.0 - self.beta2.powf(t))).sqrt()),
        })
    }
}

struct AtStep<F> {
    beta1: F,
    one_minus_beta1: F,
    beta2: F,
    one_minus_beta2: F,
    eps: F,
    /// 1/(1−β1^t).
    correction1: F,
    /// √(1/(1−β2^t)).
    root_correction2: F,
}

impl<F: Real> Kernel<F, 2> for AtStep<F> {
    #[inline(always)]
    fn update(&self, g: F, [m, v]: &mut [F; 2]) -> (F, bool) {
        *m = self.beta1 * *m + self.one_minus_beta1 * g;
        *v = self.beta2 * *v + self.one_minus_beta2 * (g * g);
        (
            ratio(
                *m * self.correction1,
                v.sqrt() * self.root_correction2 + self.eps,
            ),
            false,
        )
    }
}
