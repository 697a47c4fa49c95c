//! Upper bounds for strongly convex functions: Theorem 4, Corollary 7, Theorem 8.
//!
//! proj-GClip steps to x_k = proj_X{x_{k−1} − η_k ĝ_k} with, under Assumption 4 and for a μ-strongly convex f,
//!
//! ```text
//! τ_k = G k^{1/α}      η_k = 4/(μ(k + 1))      x̄_k = (2/(k(k + 1))) Σ_{j=1}^k j x_{j−1}
//! E f(x̄_k) − f* ≤ 6α G²/(μ (k + 1)^{2(α−1)/α})
//! ```
//!
//! *Proof.* Projection does not lengthen, ⟨∇f, x − x*⟩ ≥ f − f* + (μ/2)‖x − x*‖², and with b = ∇f − Eĝ,
//! ⟨x − x*, b⟩ ≤ (μ/4)‖x − x*‖² + ‖b‖²/μ. With Lemma 9,
//!
//! ```text
//! E f(x_{k−1}) − f* ≤ (1/(2η_k) − μ/4) E‖x_{k−1} − x*‖² − (1/(2η_k)) E‖x_k − x*‖²
//!                     + G^{2α} τ_k^{2−2α}/μ + (η_k/2) G^α τ_k^{2−α}
//! ```
//!
//! Times k, the first line telescopes (μk(k − 1)/8, μk(k + 1)/8) and the second is at most
//! 3(G²/μ) k^{2/α−1}, whose sum is at most (3α/2)(G²/μ)(k + 1)^{2/α}. Division by k(k + 1)/2 gives
//! 3αG²(k + 1)^{2/α−1}/(μk), and 1/k ≤ 2/(k + 1) the bound.
//!
//! Under Assumption 2, GClip has the same bound with G = ‖B‖_α (Lemma 12), and CClip, whose thresholds are
//! τ_i = B_i k^{1/α}, with ‖B‖_2 in place of G (Lemma 13, summed over coordinates).
//!
//! Departures from the print: 6α instead of 16 (so 12 at most), and no factor d in Corollary 7, where the paper
//! takes G² = d‖B‖_α² from the upper end of Lemma 12. The quotient of the two methods' bounds is then
//! ‖B‖_α²/‖B‖_2² ≤ d^{2/α−1}, and not d times that. Theorem 8 needs the projection too: Assumption 2 at every
//! x and strong convexity exclude an unbounded domain.
//!
//! Reference: the paper, Theorem 4, Corollary 7, Theorem 8.

use super::clipping::{coordinates, norm};
use super::{positive, tail_index};
use crate::error::Error;

/// Theorem 4: proj-GClip under Assumption 4 on a μ-strongly convex function. Steps are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StronglyConvex {
    alpha: f64,
    g: f64,
    mu: f64,
}

impl StronglyConvex {
    /// Tail index, G with E‖g‖^α ≤ G^α, and the modulus of strong convexity.
    ///
    /// # Errors
    /// If `alpha` is not in (1, 2], or `g` or `mu` not positive and finite.
    pub fn new(alpha: f64, g: f64, mu: f64) -> Result<Self, Error> {
        Ok(Self {
            alpha: tail_index(alpha)?,
            g: positive("G", g)?,
            mu: positive("mu", mu)?,
        })
    }

    /// G.
    pub fn g(&self) -> f64 {
        self.g
    }

    /// μ.
    pub fn mu(&self) -> f64 {
        self.mu
    }

    /// τ_k = G k^{1/α}.
    pub fn threshold(&self, k: u64) -> f64 {
        self.g * (k as f64).powf(1.0 / self.alpha)
    }

    /// η_k = 4/(μ(k + 1)).
    pub fn learning_rate(&self, k: u64) -> f64 {
        4.0 / (self.mu * (k as f64 + 1.0))
    }

    /// 2(α − 1)/α: the bound falls as k to minus this power.
    pub fn exponent(&self) -> f64 {
        2.0 * (self.alpha - 1.0) / self.alpha
    }

    /// Bound on E f(x̄_k) − f*: 6α G²/(μ (k + 1)^{2(α−1)/α}).
    pub fn bound(&self, k: u64) -> f64 {
        6.0 * self.alpha * self.scale(k)
    }

    /// The same before its last step, which costs a factor 2 for large k: 3αG² (k + 1)^{2/α−1}/(μk). Infinite
    /// at k = 0.
    pub fn sharper_bound(&self, k: u64) -> f64 {
        let k_f64 = k as f64;
        3.0 * self.alpha * self.scale(k) * ((k_f64 + 1.0) / k_f64)
    }

    /// The paper's bound, with 16 in place of 6α.
    pub fn printed_bound(&self, k: u64) -> f64 {
        16.0 * self.scale(k)
    }

    /// G²/(μ (k + 1)^{2(α−1)/α}).
    fn scale(&self, k: u64) -> f64 {
        self.g * self.g / self.mu * (k as f64 + 1.0).powf(-self.exponent())
    }
}

/// Corollary 7: GClip under Assumption 2, with the tight and with the paper's G.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GClip {
    /// G = ‖B‖_α.
    pub tight: StronglyConvex,
    /// G = √d ‖B‖_α. Its [`printed_bound`](StronglyConvex::printed_bound) is the corollary as it stands in the
    /// paper, 16 d‖B‖_α²/(μ (k + 1)^{2(α−1)/α}).
    pub printed: StronglyConvex,
}

/// Corollary 7 from B.
///
/// # Errors
/// If `b` is empty or zero, an entry negative or not finite, `alpha` not in (1, 2], or `mu` not positive and
/// finite.
pub fn gclip_coordinatewise(b: &[f64], alpha: f64, mu: f64) -> Result<GClip, Error> {
    let d = coordinates(b)?;
    let g = norm(b, tail_index(alpha)?)?;
    Ok(GClip {
        tight: StronglyConvex::new(alpha, g, mu)?,
        printed: StronglyConvex::new(alpha, d.sqrt() * g, mu)?,
    })
}

/// Theorem 8: CClip under Assumption 2.
#[derive(Debug, Clone, PartialEq)]
pub struct CClip {
    b: Vec<f64>,
    rate: StronglyConvex,
}

/// Theorem 8 from B.
///
/// # Errors
/// As [`gclip_coordinatewise`].
pub fn cclip(b: &[f64], alpha: f64, mu: f64) -> Result<CClip, Error> {
    coordinates(b)?;
    Ok(CClip {
        b: b.to_vec(),
        rate: StronglyConvex::new(alpha, norm(b, 2.0)?, mu)?,
    })
}

impl CClip {
    /// τ_i = B_i k^{1/α}, for each coordinate.
    pub fn thresholds(&self, k: u64) -> impl Iterator<Item = f64> {
        let factor = (k as f64).powf(1.0 / self.rate.alpha);
        self.b.iter().map(move |b| b * factor)
    }

    /// η_k = 4/(μ(k + 1)).
    pub fn learning_rate(&self, k: u64) -> f64 {
        self.rate.learning_rate(k)
    }

    /// 2(α − 1)/α.
    pub fn exponent(&self) -> f64 {
        self.rate.exponent()
    }

    /// 6α ‖B‖_2²/(μ (k + 1)^{2(α−1)/α}).
    pub fn bound(&self, k: u64) -> f64 {
        self.rate.bound(k)
    }

    /// 3α ‖B‖_2² (k + 1)^{2/α−1}/(μk).
    pub fn sharper_bound(&self, k: u64) -> f64 {
        self.rate.sharper_bound(k)
    }

    /// 16 ‖B‖_2²/(μ (k + 1)^{2(α−1)/α}), as the paper has it.
    pub fn printed_bound(&self, k: u64) -> f64 {
        self.rate.printed_bound(k)
    }
}

/// ‖B‖_α²/‖B‖_2², the quotient of the tight bounds of GClip and CClip, between 1 and d^{2/α−1}.
///
/// # Errors
/// If `b` is empty or zero, an entry negative or not finite, or `alpha` not in (1, 2].
pub fn dimension_ratio(b: &[f64], alpha: f64) -> Result<f64, Error> {
    coordinates(b)?;
    let euclidean = positive("norm of B", norm(b, 2.0)?)?;
    Ok((norm(b, tail_index(alpha)?)? / euclidean).powi(2))
}

#[cfg(test)]
mod tests;
