//! ACClip: momentum, clipped coordinate by coordinate at a threshold that adapts.
//!
//! A fixed threshold has to be tuned, and one number cannot fit all coordinates of an attention
//! model. ACClip estimates a threshold for each coordinate from the moment of order α of its own
//! gradients, and clips *the momentum*, not the gradient. Algorithm 1 of the paper, element-wise,
//! with m₀ = τ₀ = 0:
//!
//! ```text
//! m   ← β1 m  + (1−β1) g
//! τ^α ← β2 τ^α + (1−β2) |g|^α                    the state is τ^α, not τ
//! ĝ   = min{τ/(|m|+ε), 1} · m
//!
//! paper        u = ĝ
//! normalized   v ← β2 v + (1−β2) g²,   v̂ = v/(1−β2^t),   u = ĝ/(√v̂ + ε)
//! ```
//!
//! Neither m nor τ is corrected for its zero start. Where β2 > β1 that is a warm-up: a constant
//! gradient g gives ĝ = (1−β2^t) g when α = 1.
//!
//! The paper form is not scale-free: multiply the loss by c, and u is multiplied by c (ε aside);
//! tune its learning rate like SGD's. The normalized form is scale-free, and since a power mean of
//! order α ≤ 2 is at most the quadratic one, it obeys |u| ≤ (1−β2^t)^(1/α) ≤ 1.
//!
//! Departures. Weight decay is decoupled; Algorithm 1 has none. Public implementations of the
//! normalized form differ among themselves: one divides by √(β2 v) + ε with neither average
//! corrected, another corrects v and m but not τ. Here only v is corrected, so that ĝ is exactly
//! the paper's and the bound above holds.
//!
//! Reference: the paper, Algorithm 1; normalized form: public implementations since November 2019.

use crate::Real;
use crate::pass::{Kernel, Moved, Pass};
use crate::real::ratio;

/// Hyper-parameters of ACClip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AcClip {
    pub form: Form,
    pub alpha: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
}

/// Whether the clipped momentum is divided by the root mean square of the gradients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Form {
    Paper,
    Normalized,
}

impl AcClip {
    pub(crate) fn slots(&self) -> &'static [&'static str] {
        match self.form {
            Form::Paper => &["m", "tau_alpha"],
            Form::Normalized => &["m", "tau_alpha", "v"],
        }
    }

    /// Step number `t` = 1, 2, …
    pub(crate) fn run<F: Real>(&self, t: u64, pass: Pass<'_, F>) -> Moved {
        if self.alpha == 1.0 {
            self.run_with(One, t, pass)
        } else if self.alpha == 2.0 {
            self.run_with(Two, t, pass)
        } else {
            let (alpha, inverse) = (F::narrow(self.alpha), F::narrow(1.0 / self.alpha));
            self.run_with(Other { alpha, inverse }, t, pass)
        }
    }

    fn run_with<F: Real, P: Power<F>>(&self, power: P, t: u64, pass: Pass<'_, F>) -> Moved {
        let paper = Paper {
            power,
            beta1: F::narrow(self.beta1),
            one_minus_beta1: F::narrow(1.0 - self.beta1),
            beta2: F::narrow(self.beta2),
            one_minus_beta2: F::narrow(1.0 - self.beta2),
            eps: F::narrow(self.eps),
        };
        match self.form {
            Form::Paper => pass.run(&paper),
            Form::Normalized => {
                let correction = 1.0 / (1.0 - self.beta2.powf(t as f64));
                pass.run(&Normalized {
                    paper,
                    root_correction: F::narrow(correction.sqrt()),
                })
            }
        }
    }
}

/// x ↦ x^α and its inverse, for x ≥ 0; the usual exponents need no `powf`.
trait Power<F>: Sync {
    fn raise(&self, x: F) -> F;
    fn root(&self, x: F) -> F;
}

struct One;
struct Two;
struct Other<F> {
    alpha: F,
    inverse: F,
}

impl<F: Real> Power<F> for One {
    #[inline(always)]
    fn raise(&self, x: F) -> F {
        x
    }
    #[inline(always)]
    fn root(&self, x: F) -> F {
        x
    }
}

impl<F: Real> Power<F> for Two {
    #[inline(always)]
    fn raise(&self, x: F) -> F {
        x * x
    }
    #[inline(always)]
    fn root(&self, x: F) -> F {
        x.sqrt()
    }
}

impl<F: Real> Power<F> for Other<F> {
    fn raise(&self, x: F) -> F {
        x.powf(self.alpha)
    }
    fn root(&self, x: F) -> F {
        x.powf(self.inverse)
    }
}

struct Paper<F, P> {
    power: P,
    beta1: F,
    one_minus_beta1: F,
    beta2: F,
    one_minus_beta2: F,
    eps: F,
}

impl<F: Real, P: Power<F>> Kernel<F, 2> for Paper<F, P> {
    #[inline(always)]
    fn update(&self, g: F, [m, tau_alpha]: &mut [F; 2]) -> (F, bool) {
        *m = self.beta1 * *m + self.one_minus_beta1 * g;
        *tau_alpha = self.beta2 * *tau_alpha + self.one_minus_beta2 * self.power.raise(g.abs());
        let tau = self.power.root(*tau_alpha);
        let bound = m.abs() + self.eps;
        // A coordinate with no momentum has nothing to clip, and does not count as clipped.
        let clipped = tau < bound && *m != F::zero();
        (if clipped { ratio(tau, bound) * *m } else { *m }, clipped)
    }
}

struct Normalized<F, P> {
    paper: Paper<F, P>,
    /// √(1/(1−β2^t)).
    root_correction: F,
}

impl<F: Real, P: Power<F>> Kernel<F, 3> for Normalized<F, P> {
    #[inline(always)]
    fn update(&self, g: F, [m, tau_alpha, v]: &mut [F; 3]) -> (F, bool) {
        let mut slots = [*m, *tau_alpha];
        let (clipped_momentum, clipped) = self.paper.update(g, &mut slots);
        [*m, *tau_alpha] = slots;
        *v = self.paper.beta2 * *v + self.paper.one_minus_beta2 * (g * g);
        (
            ratio(
                clipped_momentum,
                v.sqrt() * self.root_correction + self.paper.eps,
            ),
            clipped,
        )
    }
}
