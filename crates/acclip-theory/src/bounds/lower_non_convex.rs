//! Lower bound for smooth functions: Theorem 6, Lemmas 17 and 18.
//!
//! The hard function is a chain of T coordinates, f(x) = (Lλ²/152) F_T(x/λ), of which a gradient shows the next one
//! only with probability p. F_T has (Lemma 17)
//!
//! ```text
//! F_T(0) − inf F_T ≤ 12T      F_T is 152-smooth      ‖∇F_T‖_∞ ≤ 23
//! ‖∇F_T(x)‖ > 1 as long as |x_T| ≤ 1
//! ```
//!
//! and the stochastic gradient multiplies the coordinate that comes next by z/p with z ~ Bern(p). With
//!
//! ```text
//! λ = 304ε/L      T = ⌊L F0/(7296ε²)⌋      p = min{1, 2^{1/(α−1)} (46ε/σ)^{α/(α−1)}}
//! ```
//!
//! f is L-smooth, f(0) − inf f ≤ (Lλ²/152)·12T = 7296ε²T/L ≤ F0 (7296 = 12·152·4), and ∇f = 2ε∇F_T(x/λ). The noise
//! is at most 46ε|z/p − 1|, and (Lemma 18)
//!
//! ```text
//! E|z/p − 1|^α = p(1/p − 1)^α + 1 − p ≤ 2p^{1−α}
//! ```
//!
//! so that its α-moment is at most 2(46ε)^α p^{1−α} ≤ σ^α. An algorithm that starts at 0 and leaves a coordinate at
//! 0 until a gradient has shown it (zero-respecting: all those of this project are) advances by one at most, with
//! probability p, in each step. P(n ≥ T) ≤ e^{2pk − T} for n ~ Bin(k, p), which is e^{−1} at k = (T − 1)/(2p). Up
//! to there, with probability more than ½, the chain is not at its end, and ‖∇f‖ > 2ε:
//!
//! ```text
//! E‖∇f(x_k)‖ ≥ ε      for all k ≤ (T − 1)/(2p)
//! ```
//!
//! The budget may even be (T − 1)/p, the double ([`HardChain::sharper_budget`]): the median of a binomial law whose
//! mean is at most the whole number T − 1 is at most T − 1 (Kaas & Buhrman, 1980). Either way, ε is of order
//! σ^{α/(3α−2)} (F0 L/k)^{(α−1)/(3α−2)}, as in Theorem 2.
//!
//! Departure from the print: the constant in p is derived here. T below 1 is an error; at T = 1 the statement is
//! about x_0 alone.
//!
//! References: the paper, Theorem 6; Y. Carmon, J. Duchi, O. Hinder, A. Sidford, *Lower bounds for finding
//! stationary points I*, 2020; Y. Arjevani et al., *Lower bounds for non-convex stochastic optimization*, 2023.

use std::f64::consts::LN_2;

use super::{positive, tail_index};
use crate::error::{Error, check};

/// Lemma 17: F_T(0) − inf F_T is at most this, times T.
pub const GAP: f64 = 12.0;

/// Lemma 17: F_T is smooth with this constant.
pub const SMOOTHNESS: f64 = 152.0;

/// Lemma 17: no coordinate of ∇F_T is larger.
pub const GRADIENT: f64 = 23.0;

/// T is at most this, so that it is exact as an `f64`.
const LONGEST: f64 = (1_u64 << 53) as f64;

/// The function of Theorem 6 with its gradients, scaled to L, F0 and σ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HardChain {
    alpha: f64,
    sigma: f64,
    smoothness: f64,
    epsilon: f64,
    length: u64,
}

impl HardChain {
    /// Tail index, σ with E‖g − ∇f‖^α ≤ σ^α, L, F0 ≥ f(0) − inf f, and the ε that ‖∇f‖ is to stay above.
    ///
    /// # Errors
    /// If `alpha` is not in (1, 2], another is not positive and finite, or L F0/(7296ε²) not in [1, 2⁵³].
    pub fn new(
        alpha: f64,
        sigma: f64,
        smoothness: f64,
        initial_gap: f64,
        epsilon: f64,
    ) -> Result<Self, Error> {
        let root = Self::root(smoothness, initial_gap)?;
        let length = (root / positive("epsilon", epsilon)?).powi(2);
        let range = "such that 1 <= L F0/(7296 epsilon^2) <= 2^53";
        check("epsilon", epsilon, range, |_| {
            (1.0..=LONGEST).contains(&length)
        })?;
        Ok(Self {
            alpha: tail_index(alpha)?,
            sigma: positive("sigma", sigma)?,
            smoothness,
            epsilon,
            length: length as u64,
        })
    }

    /// The chain of a given length T: the largest ε that has it, √(L F0/(7296T)).
    ///
    /// # Errors
    /// If `alpha` is not in (1, 2], another is not positive and finite, or `length` not in [1, 2⁵³].
    pub fn for_length(
        alpha: f64,
        sigma: f64,
        smoothness: f64,
        initial_gap: f64,
        length: u64,
    ) -> Result<Self, Error> {
        let root = Self::root(smoothness, initial_gap)?;
        let terms = check("length", length as f64, "in [1, 2^53]", |terms| {
            (1.0..=LONGEST).contains(&terms)
        })?;
        Ok(Self {
            alpha: tail_index(alpha)?,
            sigma: positive("sigma", sigma)?,
            smoothness,
            epsilon: root / terms.sqrt(),
            length,
        })
    }

    /// The shortest chain whose budget is at least `k` steps, which has the largest ε.
    ///
    /// # Errors
    /// As [`for_length`](Self::for_length), or if `k` is above 2⁵¹.
    pub fn for_horizon(
        alpha: f64,
        sigma: f64,
        smoothness: f64,
        initial_gap: f64,
        k: u64,
    ) -> Result<Self, Error> {
        let steps = check("k", k as f64, "at most 2^51", |k| k <= 0.25 * LONGEST)?;
        let chain = |length| Self::for_length(alpha, sigma, smoothness, initial_gap, length);
        // The budget grows with T, and at T = 2k + 1 it is k or more, as p ≤ 1.
        let (mut low, mut high) = (1, 2 * k + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if chain(middle)?.budget() >= steps {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        chain(low)
    }

    /// ε: E‖∇f(x_k)‖ ≥ ε for all k up to the budget.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// T, the number of coordinates.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// λ = 304ε/L, in units of x.
    pub fn scale(&self) -> f64 {
        2.0 * SMOOTHNESS * self.epsilon / self.smoothness
    }

    /// Lλ²/152, which multiplies F_T.
    pub fn height(&self) -> f64 {
        self.smoothness * self.scale().powi(2) / SMOOTHNESS
    }

    /// p = min{1, 2^{1/(α−1)} (46ε/σ)^{α/(α−1)}}, with which a gradient shows the next coordinate. 0 where it
    /// underflows.
    pub fn probability(&self) -> f64 {
        let noise = 2.0 * GRADIENT * self.epsilon / self.sigma;
        // In logarithms: for α near 1 the two powers leave the range of f64 while their product does not.
        ((LN_2 + self.alpha * noise.ln()) / (self.alpha - 1.0))
            .exp()
            .min(1.0)
    }

    /// (T − 1)/(2p), in steps.
    pub fn budget(&self) -> f64 {
        (self.length - 1) as f64 / (2.0 * self.probability())
    }

    /// (T − 1)/p, in steps: the budget by the median of the binomial law instead of its exponential moment.
    pub fn sharper_budget(&self) -> f64 {
        2.0 * self.budget()
    }

    /// The bound of Lemma 18 on the noise, E‖g − ∇f‖^α ≤ 2(46ε)^α p^{1−α}. It is σ^α, unless p = 1, where there is no
    /// noise.
    ///
    /// # Errors
    /// If p underflows.
    pub fn moment(&self) -> Result<f64, Error> {
        Ok((2.0 * self.epsilon).powf(self.alpha) * moment_bound(self.alpha, self.probability())?)
    }

    /// (α − 1)/(3α − 2): ε falls as the budget to minus this power.
    pub fn exponent(&self) -> f64 {
        (self.alpha - 1.0) / (3.0 * self.alpha - 2.0)
    }

    /// √(L F0/7296): ε at T = 1.
    fn root(smoothness: f64, initial_gap: f64) -> Result<f64, Error> {
        let product = positive("smoothness", smoothness)? * positive("initial gap", initial_gap)?;
        Ok((positive("L F0", product)? / (4.0 * GAP * SMOOTHNESS)).sqrt())
    }
}

/// Theorem 6: for every zero-respecting algorithm there is an L-smooth f with f(0) − inf f ≤ F0 and gradients under
/// Assumption 1 such that E‖∇f(x_j)‖ is at least this for all j ≤ `k`. It is the ε of
/// [`HardChain::for_horizon`].
///
/// # Errors
/// If `alpha` is not in (1, 2], another is not positive and finite, or `k` is above 2⁵¹.
pub fn bound(
    alpha: f64,
    sigma: f64,
    smoothness: f64,
    initial_gap: f64,
    k: u64,
) -> Result<f64, Error> {
    Ok(HardChain::for_horizon(alpha, sigma, smoothness, initial_gap, k)?.epsilon())
}

/// Lemma 18, exact for a coordinate of the gradient that is 23: 23^α (p(1/p − 1)^α + 1 − p).
///
/// # Errors
/// If `alpha` is not in (1, 2], or `p` not in (0, 1].
pub fn moment_exact(alpha: f64, p: f64) -> Result<f64, Error> {
    let (alpha, p) = (tail_index(alpha)?, probability(p)?);
    Ok(GRADIENT.powf(alpha) * (p * (1.0 / p - 1.0).powf(alpha) + 1.0 - p))
}

/// Lemma 18, simplified: 2·23^α p^{1−α}.
///
/// # Errors
/// If `alpha` is not in (1, 2], or `p` not in (0, 1].
pub fn moment_bound(alpha: f64, p: f64) -> Result<f64, Error> {
    let (alpha, p) = (tail_index(alpha)?, probability(p)?);
    Ok(2.0 * GRADIENT.powf(alpha) * p.powf(1.0 - alpha))
}

/// `p`, if it is in (0, 1].
fn probability(p: f64) -> Result<f64, Error> {
    check("p", p, "in (0, 1]", |p| p > 0.0 && p <= 1.0)
}

#[cfg(test)]
mod tests;
