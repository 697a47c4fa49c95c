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
//! Neither m nor τ is corrected for its zero start, unless `bias_correction` is on; then
//! m/(1−β1^t) and τ^α/(1−β2^t) take their places in ĝ. Where β2 > β1, the uncorrected form has a
//! warm-up built in: a constant gradient g gives ĝ = (1−β2^t) g when α = 1.
//!
//! The paper form is not scale-free: multiply the loss by c, and u is multiplied by c (ε aside);
//! tune its learning rate like SGD's. The normalized form is scale-free, and since a power mean of
//! order α ≤ 2 is at most the quadratic one, it obeys |u| ≤ (1−β2^t)^(1/α) ≤ 1, or |u| ≤ 1 with
//! `bias_correction`.
//!
//! Departures. Weight decay is decoupled; Algorithm 1 has none. Public implementations of the
//! normalized form differ among themselves: one divides by √(β2 v) + ε with neither average
//! corrected, another corrects v and m but not τ. Here v is always corrected, and m and τ together
//! or not at all, so that ĝ is exactly the paper's by default and the bounds above hold.
//!
//! Reference: the paper, Algorithm 1; normalized form: public implementations since November 2019.

use super::{Average, Kernel, Slot, WithKernel, correction, saturate, square};
use crate::Real;
use crate::real::ratio;

/// Hyper-parameters of ACClip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AcClip {
    /// The paper's form or the normalized one.
    pub form: Form,
    /// Exponent α of the threshold's moment, in (0, 2].
    pub alpha: f64,
    /// β1, in [0, 1).
    pub beta1: f64,
    /// β2, in [0, 1).
    pub beta2: f64,
    /// ε, in [0, ∞), in units of the gradient.
    pub eps: f64,
    /// Whether m and τ^α are corrected for their zero start.
    pub bias_correction: bool,
}

/// Whether the clipped momentum is divided by the root mean square of the gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// u = ĝ: Algorithm 1 to the letter.
    Paper,
    /// u = ĝ/(√v̂ + ε).
    Normalized,
}

impl AcClip {
    pub(crate) fn slots(&self) -> &'static [Slot] {
        match self.form {
            Form::Paper => &[("m", true), ("tau_alpha", false)],
            Form::Normalized => &[("m", true), ("tau_alpha", false), ("v", false)],
        }
    }

    /// Step number `t` = 1, 2, …
    pub(crate) fn with<F: Real, W: WithKernel<F>>(&self, t: u64, then: W) -> W::Output {
        if self.alpha == 1.0 {
            self.with_power(One, t, then)
        } else if self.alpha == 2.0 {
            self.with_power(Two, t, then)
        } else {
            let alpha = self.alpha;
            self.with_power(Other { alpha }, t, then)
        }
    }

    fn with_power<F, P, W>(&self, power: P, t: u64, then: W) -> W::Output
    where
        F: Real,
        P: Power<F>,
        W: WithKernel<F>,
    {
        let (correct_m, correct_tau) = if self.bias_correction {
            (correction(self.beta1, t), correction(self.beta2, t))
        } else {
            (1.0, 1.0)
        };
        let paper = Paper {
            power,
            m: Average::new(self.beta1),
            tau: Average::new(self.beta2),
            correct_m: F::narrow(correct_m),
            correct_tau: F::narrow(correct_tau),
            eps: F::narrow(self.eps),
        };
        match self.form {
            Form::Paper => then.with(&paper),
            Form::Normalized => then.with(&Normalized {
                paper,
                root_correction: F::narrow(correction(self.beta2, t).sqrt()),
            }),
        }
    }
}

/// x ↦ x^α and its inverse, for x ≥ 0; the usual exponents need no polynomials.
trait Power<F>: Sync {
    fn raise(&self, x: F) -> F;
    fn root(&self, x: F) -> F;
}

struct One;
struct Two;
struct Other {
    alpha: f64,
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
        square(x)
    }
    #[inline(always)]
    fn root(&self, x: F) -> F {
        x.sqrt()
    }
}

impl<F: Real> Power<F> for Other {
    #[inline(always)]
    fn raise(&self, x: F) -> F {
        saturate(x.power(self.alpha))
    }
    #[inline(always)]
    fn root(&self, x: F) -> F {
        x.power(1.0 / self.alpha)
    }
}

struct Paper<F, P> {
    power: P,
    m: Average<F>,
    tau: Average<F>,
    /// 1, or 1/(1−β1^t).
    correct_m: F,
    /// 1, or 1/(1−β2^t).
    correct_tau: F,
    eps: F,
}

impl<F: Real, P: Power<F>> Kernel<F, 2> for Paper<F, P> {
    #[inline(always)]
    fn update(&self, g: F, [m, tau_alpha]: &mut [F; 2]) -> (F, bool) {
        *m = self.m.of(*m, g);
        *tau_alpha = self.tau.of(*tau_alpha, self.power.raise(g.abs()));
        let tau = self.power.root(*tau_alpha * self.correct_tau);
        let momentum = *m * self.correct_m;
        let bound = momentum.abs() + self.eps;
        // A coordinate with no momentum has nothing to clip, and does not count as clipped.
        let clipped = tau < bound && momentum != F::zero();
        let factor = if clipped { tau / bound } else { F::one() };
        (factor * momentum, clipped)
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
        *v = self.paper.tau.of(*v, square(g));
        let root = v.sqrt() * self.root_correction;
        (ratio(clipped_momentum, root + self.paper.eps), clipped)
    }
}
