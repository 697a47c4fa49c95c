//! What a clip does to a heavy-tailed gradient: Lemmas 9 to 13.
//!
//! With ĝ = min{1, τ/‖g‖} g and c(α) = sup_{r > 1} (r − 1)/r^α = (α − 1)^{α−1}/α^α, which lies in [¼, 1):
//!
//! ```text
//!                              second moment E‖ĝ‖² ≤            squared bias ‖Eĝ − ∇f‖² ≤
//! Lemma 9   Assumption 4       G^α τ^{2−α}                      G^{2α} τ^{2−2α}
//!           sharp              the same                         c² G^{2α} τ^{2−2α}
//! Lemma 10  Assumption 1,      2‖∇f‖² + 4 σ^α τ^{2−α}           4 σ^{2α} τ^{2−2α}
//!           ‖∇f‖ ≤ τ/2
//!           sharp              ‖∇f‖² + σ^α (3τ/2)^{2−α}         c² 4^{α−1} σ^{2α} τ^{2−2α}
//! Lemma 11  always             ⟨g/‖g‖, ∇f⟩ ≥ ‖∇f‖/3 − (8/3)‖g − ∇f‖
//! Lemma 12  Assumption 2       E‖g‖^α ≤ d^{α/2} ‖B‖_α^α in print; ‖B‖_α^α is enough
//! Lemma 13  Assumption 2       Lemma 9 for each coordinate, with B_i and τ_i
//! ```
//!
//! *Lemma 9.* ‖ĝ‖² = ‖ĝ‖^α ‖ĝ‖^{2−α} ≤ ‖g‖^α τ^{2−α}. The bias is at most E(‖g‖ − τ)₊, and
//! (r − τ)₊ ≤ c r^α τ^{1−α} with equality at r = τα/(α − 1). A gradient that is always as long as that attains
//! it, one that is always as long as τ attains the second moment.
//!
//! *Lemma 10, sharp.* With ε = g − ∇f, ‖ĝ‖² ≤ ‖∇f‖² + 2⟨∇f, ε⟩ + (3τ/2)^{2−α}‖ε‖^α for every ε: where
//! ‖ε‖ ≤ 3τ/2 the left side is at most ‖∇f + ε‖² and ‖ε‖² ≤ (3τ/2)^{2−α}‖ε‖^α; beyond, τ² − ‖∇f‖² − 2⟨∇f, ε⟩ ≤
//! ¾τ² + τ‖ε‖, which grows more slowly than ‖ε‖^α and equals the right side at 3τ/2. The mean of ⟨∇f, ε⟩ is 0.
//! And g leaves the ball only if ‖ε‖ > τ/2; then ‖g‖ − τ ≤ ‖ε‖ − τ/2, so that the bias is that of
//! Lemma 9 with σ and τ/2. Both are approached by ‖∇f‖ = τ/2 and rare long noise along −∇f and ∇f.
//!
//! The paper's proof of Theorem 2 uses the constants 2, 4 and 4; the functions whose names begin with `sharp`
//! give the best possible ones.
//!
//! Departure from the print: the upper end of Lemma 12, since ‖v‖₂ ≤ ‖v‖_α for α ≤ 2.
//!
//! References: the paper, Lemmas 9 to 13; A. Cutkosky, H. Mehta, *Momentum Improves Normalized SGD*, 2020
//! (Lemma 11).

use super::{non_negative, positive, tail_index};
use crate::error::{Error, check};

/// G^α for a gradient g = ∇f + ξ with E ξ = 0: E‖g‖^α is at most this, from ‖∇f‖ and E‖ξ‖^α; of a coordinate, from
/// |∂_i f| and E|ξ_i|^α. Equality without a gradient, and at α = 2.
///
/// ```text
/// E‖∇f + ξ‖^α ≤ ‖∇f‖^α + 2^{2−α} E‖ξ‖^α        1 < α ≤ 2
/// ```
///
/// *Proof.* The gradient of ‖x‖^α is Hölder-continuous, with exponent α − 1 and constant α 2^{2−α}; integrated along ξ,
/// ‖a + ξ‖^α ≤ ‖a‖^α + α‖a‖^{α−2}⟨a, ξ⟩ + 2^{2−α}‖ξ‖^α, and the mean of the middle term is 0.
pub fn gradient_moment(gradient: f64, noise_moment: f64, alpha: f64) -> f64 {
    if gradient == 0.0 {
        return noise_moment;
    }
    gradient.powf(alpha) + 2_f64.powf(2.0 - alpha) * noise_moment
}

/// c(α) = (α − 1)^{α−1}/α^α, the largest (r − 1)/r^α: what a clip at 1 takes from the length r, against r^α.
///
/// # Errors
/// If `alpha` is not in (1, 2].
pub fn overshoot(alpha: f64) -> Result<f64, Error> {
    let alpha = tail_index(alpha)?;
    Ok((alpha - 1.0).powf(alpha - 1.0) / alpha.powf(alpha))
}

/// Lemma 9: E‖ĝ‖² ≤ G^α τ^{2−α} under Assumption 4. Sharp.
///
/// # Errors
/// If `g` (G) or `tau` is not positive and finite, or `alpha` not in (1, 2].
pub fn second_moment(g: f64, alpha: f64, tau: f64) -> Result<f64, Error> {
    let (g, alpha, tau) = (positive("G", g)?, tail_index(alpha)?, positive("tau", tau)?);
    Ok(second(g, alpha, tau))
}

/// Lemma 9: ‖Eĝ − ∇f‖² ≤ G^{2α} τ^{2−2α} under Assumption 4.
///
/// # Errors
/// If `g` (G) or `tau` is not positive and finite, or `alpha` not in (1, 2].
pub fn squared_bias(g: f64, alpha: f64, tau: f64) -> Result<f64, Error> {
    let (g, alpha, tau) = (positive("G", g)?, tail_index(alpha)?, positive("tau", tau)?);
    Ok(bias(g, alpha, tau))
}

/// Lemma 9 with the best constant: ‖Eĝ − ∇f‖² ≤ c(α)² G^{2α} τ^{2−2α}.
///
/// # Errors
/// As [`squared_bias`].
pub fn sharp_squared_bias(g: f64, alpha: f64, tau: f64) -> Result<f64, Error> {
    Ok(overshoot(alpha)?.powi(2) * squared_bias(g, alpha, tau)?)
}

/// Lemma 10: E‖ĝ‖² ≤ 2‖∇f‖² + 4σ^α τ^{2−α} under Assumption 1, where ‖∇f‖ ≤ τ/2.
///
/// # Errors
/// If `gradient_norm` (‖∇f‖) is not in [0, τ/2], `sigma` or `tau` not positive and finite, or `alpha` not in
/// (1, 2].
pub fn second_moment_from_noise(
    gradient_norm: f64,
    sigma: f64,
    alpha: f64,
    tau: f64,
) -> Result<f64, Error> {
    let noise = second_moment(sigma, alpha, tau)?;
    Ok(2.0 * inner(gradient_norm, tau)?.powi(2) + 4.0 * noise)
}

/// Lemma 10 with the best constants: E‖ĝ‖² ≤ ‖∇f‖² + σ^α (3τ/2)^{2−α}.
///
/// # Errors
/// As [`second_moment_from_noise`].
pub fn sharp_second_moment_from_noise(
    gradient_norm: f64,
    sigma: f64,
    alpha: f64,
    tau: f64,
) -> Result<f64, Error> {
    let noise = second_moment(sigma, alpha, 1.5 * tau)?;
    Ok(inner(gradient_norm, tau)?.powi(2) + noise)
}

/// Lemma 10: ‖Eĝ − ∇f‖² ≤ 4σ^{2α} τ^{2−2α} under Assumption 1, where ‖∇f‖ ≤ τ/2.
///
/// # Errors
/// As [`second_moment_from_noise`].
pub fn squared_bias_from_noise(
    gradient_norm: f64,
    sigma: f64,
    alpha: f64,
    tau: f64,
) -> Result<f64, Error> {
    inner(gradient_norm, tau)?;
    Ok(4.0 * squared_bias(sigma, alpha, tau)?)
}

/// Lemma 10 with the best constant: ‖Eĝ − ∇f‖² ≤ c(α)² σ^{2α} (τ/2)^{2−2α}.
///
/// # Errors
/// As [`second_moment_from_noise`].
pub fn sharp_squared_bias_from_noise(
    gradient_norm: f64,
    sigma: f64,
    alpha: f64,
    tau: f64,
) -> Result<f64, Error> {
    inner(gradient_norm, tau)?;
    sharp_squared_bias(sigma, alpha, 0.5 * tau)
}

/// Lemma 11: ⟨g/‖g‖, ∇f⟩ ≥ ‖∇f‖/3 − (8/3)‖g − ∇f‖, from the two norms. For g = 0 the left side is 0.
pub fn normalised_gradient(gradient_norm: f64, noise_norm: f64) -> f64 {
    (gradient_norm - 8.0 * noise_norm) / 3.0
}

/// The infimum that Lemma 11 bounds, of ⟨g/‖g‖, ∇f⟩ over all noise of one norm in two or more dimensions:
/// √(‖∇f‖² − ‖g − ∇f‖²) while the noise is shorter than the gradient, −‖∇f‖ beyond; at equal lengths g may be
/// 0 but the direction cannot turn back, and it is 0. It is at least ‖∇f‖ − 2‖g − ∇f‖, which is the best
/// lower bound that is linear in both norms and exact without noise.
pub fn sharp_normalised_gradient(gradient_norm: f64, noise_norm: f64) -> f64 {
    if noise_norm > gradient_norm {
        -gradient_norm
    } else {
        ((gradient_norm - noise_norm) * (gradient_norm + noise_norm)).sqrt()
    }
}

/// Where the α-moment D of ‖g‖ can lie if E|g_i|^α = B_i^α for each i.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MomentRange {
    /// d^{α/2−1} ‖B‖_α^α, attained by coordinates of equal size.
    pub lower: f64,
    /// ‖B‖_α^α, attained by gradients with one coordinate other than 0. Holds also where E|g_i|^α ≤ B_i^α.
    pub upper: f64,
    /// d^{α/2} ‖B‖_α^α, the paper's upper end.
    pub printed_upper: f64,
}

/// Lemma 12: the range of E‖g‖^α under Assumption 2.
///
/// # Errors
/// If `b` is empty or an entry negative or not finite, or `alpha` is not in (1, 2].
pub fn moment_range(b: &[f64], alpha: f64) -> Result<MomentRange, Error> {
    let alpha = tail_index(alpha)?;
    let d = coordinates(b)?;
    let upper = norm(b, alpha)?.powf(alpha);
    Ok(MomentRange {
        lower: d.powf(0.5 * alpha - 1.0) * upper,
        upper,
        printed_upper: d.powf(0.5 * alpha) * upper,
    })
}

/// Bounds on one coordinate of a clipped gradient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// On E ĝ_i².
    pub second: f64,
    /// On (Eĝ_i − ∂_i f)².
    pub squared_bias: f64,
}

/// Lemma 13: for each coordinate, E ĝ_i² ≤ B_i^α τ_i^{2−α} and (Eĝ_i − ∂_i f)² ≤ B_i^{2α} τ_i^{2−2α}.
///
/// # Errors
/// If `b` is empty, `tau` is not as long, an entry of `b` is negative or not finite, one of `tau` not positive
/// and finite, or `alpha` not in (1, 2].
pub fn coordinate_moments(b: &[f64], alpha: f64, tau: &[f64]) -> Result<Vec<Moments>, Error> {
    let alpha = tail_index(alpha)?;
    let d = coordinates(b)?;
    check("length of tau", tau.len() as f64, "that of b", |n| n == d)?;
    let one = |(&b, &tau): (&f64, &f64)| {
        let tau = positive("tau", tau)?;
        Ok(Moments {
            second: second(b, alpha, tau),
            squared_bias: bias(b, alpha, tau),
        })
    };
    b.iter().zip(tau).map(one).collect()
}

/// ‖b‖_p = (Σ|b_i|^p)^{1/p}, without overflow on the way; the largest |b_i| for p = ∞; 0 for an empty `b`.
///
/// # Errors
/// If `p` is below 1 or an entry is not finite.
pub fn norm(b: &[f64], p: f64) -> Result<f64, Error> {
    let p = check("p", p, "at least 1", |p| p >= 1.0)?;
    let mut largest: f64 = 0.0;
    for b in b {
        largest = largest.max(non_negative("|b|", b.abs())?);
    }
    if largest == 0.0 || p == f64::INFINITY {
        return Ok(largest);
    }
    let sum: f64 = b.iter().map(|b| (b.abs() / largest).powf(p)).sum();
    Ok(largest * sum.powf(1.0 / p))
}

/// d, if there is a coordinate and none is negative.
pub(super) fn coordinates(b: &[f64]) -> Result<f64, Error> {
    for &b in b {
        non_negative("B", b)?;
    }
    check("length of b", b.len() as f64, "at least 1", |d| d >= 1.0)
}

/// G^α τ^{2−α} = τ² (G/τ)^α.
fn second(g: f64, alpha: f64, tau: f64) -> f64 {
    tau * tau * (g / tau).powf(alpha)
}

/// G^{2α} τ^{2−2α} = G² (G/τ)^{2α−2}.
fn bias(g: f64, alpha: f64, tau: f64) -> f64 {
    g * g * (g / tau).powf(2.0 * alpha - 2.0)
}

/// ‖∇f‖, if it is at most τ/2.
fn inner(gradient_norm: f64, tau: f64) -> Result<f64, Error> {
    check("gradient norm", gradient_norm, "in [0, tau/2]", |norm| {
        (0.0..=0.5 * tau).contains(&norm)
    })
}

#[cfg(test)]
mod tests;
