//! Upper bound for smooth functions: Theorem 2, corrected.
//!
//! GClip with a constant step η and threshold τ, under Assumption 1, for an L-smooth f, F0 = f(x_0) − f*.
//! If τ ≥ 96σ and η ≤ min{1/(8L), (σ/τ)^α/L}, then over the first K gradients
//!
//! ```text
//! (1/K) Σ_{k<K} E min{‖∇f(x_k)‖², τ‖∇f(x_k)‖} ≤ 8F0/(ηK) + 16ηLσ^α τ^{2−α} + 16σ^{2α} τ^{2−2α}
//! ```
//!
//! and with τ = max{96σ, τ*}, η = (σ/τ)^α/L, where τ* = (σ^{3α}K/(F0 L))^{1/(3α−2)}, the right side is at most
//!
//! ```text
//! 8·96^α F0 L/K + 40 σ^{2α/(3α−2)} (F0 L/K)^{(2α−2)/(3α−2)}
//! ```
//!
//! *Proof.* Where ‖∇f‖ ≤ τ/2, the descent lemma, ⟨∇f, Eĝ⟩ ≥ ½‖∇f‖² − ½‖Eĝ − ∇f‖² and Lemma 10 give
//! E f(x₊) ≤ f(x) − (η/4)‖∇f‖² + 2η²Lσ^α τ^{2−α} + 2ησ^{2α} τ^{2−2α}. Where ‖∇f‖ > τ/2: if the noise is at
//! most ‖∇f‖/4, then ⟨∇f, ĝ⟩ ≥ √(15/16)·(3/8)·τ‖∇f‖ ≥ 0.363 τ‖∇f‖; otherwise, with probability
//! at most (8σ/τ)^α ≤ 1/12, it is at least −τ‖∇f‖. So ⟨∇f, Eĝ⟩ ≥ 0.249 τ‖∇f‖, and Lη²τ²/2 ≤ Lη²τ‖∇f‖ ≤
//! ητ‖∇f‖/96: E f(x₊) ≤ f(x) − (η/8)τ‖∇f‖. Summed over K steps this is the first form. At τ* its first
//! term is 8 times, and each other 16 times, σ^{2α} τ*^{2−2α}, the second term of the final form over 40.
//! The guard 1/(8L) is never active, since σ/τ ≤ 1/96. Where τ ≥ 1, the left side is at least the paper's,
//! which has min{‖∇f‖², ‖∇f‖}.
//!
//! As x ≤ √m + m/τ for m = min{x², τx}, the mean of E‖∇f(x_k)‖ is at most √bound + bound/τ, of order
//! K^{−(α−1)/(3α−2)}. At α = 2 the bound is 40σ√(F0L/K), and a term in 1/K: the rate of SGD.
//!
//! Departure from the print: the last term of the printed threshold, [`NonConvex::printed_threshold_term`],
//! falls with K. It is the step size (σ/τ*)^α/L. With it, τ stays at a constant and the bias
//! 16σ^{2α} τ^{2−2α} does not vanish. The constant 96 is loose; [`NonConvex::scaled`] does without it, and
//! without a guarantee.
//!
//! Reference: the paper, Theorem 2.

use super::{positive, tail_index};
use crate::error::{Error, check};

/// The threshold is at least this many σ, so that a gradient above τ/2 is clipped in the right direction with
/// probability 11/12.
pub const GUARD: f64 = 96.0;

/// Theorem 2: GClip under Assumption 1 on an L-smooth function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NonConvex {
    alpha: f64,
    sigma: f64,
    smoothness: f64,
    initial_gap: f64,
}

/// The three terms of the first form of the bound; units of ‖∇f‖².
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// 8F0/(ηK): what remains of the start.
    pub descent: f64,
    /// 16ηLσ^α τ^{2−α}: the second moment of the clipped gradient.
    pub variance: f64,
    /// 16σ^{2α} τ^{2−2α}: its bias.
    pub bias: f64,
}

impl Terms {
    /// Their sum.
    pub fn total(&self) -> f64 {
        self.descent + self.variance + self.bias
    }
}

impl NonConvex {
    /// Tail index, σ with E‖g − ∇f‖^α ≤ σ^α, L, and F0 = f(x_0) − f*.
    ///
    /// # Errors
    /// If `alpha` is not in (1, 2], or another is not positive and finite.
    pub fn new(alpha: f64, sigma: f64, smoothness: f64, initial_gap: f64) -> Result<Self, Error> {
        Ok(Self {
            alpha: tail_index(alpha)?,
            sigma: positive("sigma", sigma)?,
            smoothness: positive("smoothness", smoothness)?,
            initial_gap: positive("initial gap", initial_gap)?,
        })
    }

    /// τ = max{96σ, (σ^{3α}K/(F0 L))^{1/(3α−2)}} for `k` steps.
    pub fn threshold(&self, k: u64) -> f64 {
        (GUARD * self.sigma).max(self.optimal_threshold(k))
    }

    /// η = min{1/(8L), (σ/τ)^α/L} for `k` steps.
    pub fn learning_rate(&self, k: u64) -> f64 {
        self.largest_learning_rate(self.threshold(k))
    }

    /// Bound on the mean over x_0, …, x_{k−1} of E min{‖∇f‖², τ‖∇f‖} at that step and threshold:
    /// 8·96^α F0 L/K + 40 σ^{2α/(3α−2)} (F0 L/K)^{(2α−2)/(3α−2)}. Infinite at k = 0.
    pub fn bound(&self, k: u64) -> f64 {
        let per_step = self.initial_gap * self.smoothness / k as f64;
        let (alpha, root) = (self.alpha, 3.0 * self.alpha - 2.0);
        8.0 * GUARD.powf(alpha) * per_step
            + 40.0 * self.sigma.powf(2.0 * alpha / root) * per_step.powf((2.0 * alpha - 2.0) / root)
    }

    /// Bound on the mean over x_0, …, x_{k−1} of E‖∇f‖ at that step and threshold: √bound + bound/τ.
    pub fn gradient_norm_bound(&self, k: u64) -> f64 {
        let bound = self.bound(k);
        bound.sqrt() + bound / self.threshold(k)
    }

    /// The first form, for any admissible step and threshold, as its three terms.
    ///
    /// # Errors
    /// If `tau` is below 96σ or not finite, or `learning_rate` not in (0, min{1/(8L), (σ/τ)^α/L}].
    pub fn terms_at(&self, k: u64, learning_rate: f64, tau: f64) -> Result<Terms, Error> {
        let tau = check("tau", tau, "finite and at least 96 sigma", |tau| {
            tau >= GUARD * self.sigma && tau.is_finite()
        })?;
        let largest = self.largest_learning_rate(tau);
        let range = "positive and at most min(1/8, (sigma/tau)^alpha)/L";
        let learning_rate = check("learning rate", learning_rate, range, |rate| {
            rate > 0.0 && rate <= largest
        })?;
        Ok(self.terms(k, learning_rate, tau))
    }

    /// The first form: 8F0/(ηK) + 16ηLσ^α τ^{2−α} + 16σ^{2α} τ^{2−2α}. Infinite at k = 0.
    ///
    /// # Errors
    /// As [`terms_at`](Self::terms_at).
    pub fn bound_at(&self, k: u64, learning_rate: f64, tau: f64) -> Result<f64, Error> {
        Ok(self.terms_at(k, learning_rate, tau)?.total())
    }

    /// (τ, η) = (c (σ^{3α}K/(F0 L))^{1/(3α−2)}, (σ/τ)^α/L): the same dependence on K without the guards, and
    /// without a bound. For experiments that sweep c.
    ///
    /// # Errors
    /// If `c` is not positive and finite.
    pub fn scaled(&self, k: u64, c: f64) -> Result<(f64, f64), Error> {
        let tau = positive("c", c)? * self.optimal_threshold(k);
        Ok((tau, (self.sigma / tau).powf(self.alpha) / self.smoothness))
    }

    /// (α − 1)/(3α − 2): ‖∇f‖ falls as K to minus this power, the bound on its square as twice it.
    pub fn exponent(&self) -> f64 {
        (self.alpha - 1.0) / (3.0 * self.alpha - 2.0)
    }

    /// The last term in the maximum that the paper prints for τ:
    /// (F0/(σ²K))^{α/(3α−2)} / L^{(2α−2)/(3α−2)}. It equals (σ/τ*)^α/L, in units of a step size, and falls with K.
    pub fn printed_threshold_term(&self, k: u64) -> f64 {
        let root = 3.0 * self.alpha - 2.0;
        (self.initial_gap / (self.sigma * self.sigma * k as f64)).powf(self.alpha / root)
            / self.smoothness.powf((2.0 * self.alpha - 2.0) / root)
    }

    /// τ* = (σ^{3α}K/(F0 L))^{1/(3α−2)}, as σ (σ²K/(F0 L))^{1/(3α−2)}.
    fn optimal_threshold(&self, k: u64) -> f64 {
        let ratio = self.sigma * self.sigma * k as f64 / (self.initial_gap * self.smoothness);
        self.sigma * ratio.powf(1.0 / (3.0 * self.alpha - 2.0))
    }

    /// min{1/(8L), (σ/τ)^α/L}.
    fn largest_learning_rate(&self, tau: f64) -> f64 {
        (self.sigma / tau).powf(self.alpha).min(0.125) / self.smoothness
    }

    /// The terms, whether or not the step and the threshold are admissible.
    pub fn terms(&self, k: u64, learning_rate: f64, tau: f64) -> Terms {
        let tail = (self.sigma / tau).powf(self.alpha);
        Terms {
            descent: 8.0 * self.initial_gap / (learning_rate * k as f64),
            variance: 16.0 * learning_rate * self.smoothness * tail * tau * tau,
            bias: 16.0 * tail * tail * tau * tau,
        }
    }
}

#[cfg(test)]
mod tests;
