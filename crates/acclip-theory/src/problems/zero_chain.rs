//! The function of Theorem 6, whose coordinates can only be found one after the other.
//!
//! With Ψ(x) = exp(1 − 1/(2x − 1)²) for x > ½ and 0 below, Φ(x) = √e ∫_{−∞}^x e^{−t²/2} dt and x_0 = 1,
//!
//! ```text
//! F_T(x) = −Ψ(1)Φ(x_1) + Σ_{i=2}^T [Ψ(−x_{i−1})Φ(−x_i) − Ψ(x_{i−1})Φ(x_i)]
//! ∂_i F  = −Ψ(|x_{i−1}|)Φ'(x_i) − Ψ'(|x_i|)Φ(± x_{i+1})        ± the sign of x_i; no second term for i = T
//! ```
//!
//! [`ZeroChain`] is f(x) = (Lλ²/152) F_T(x/λ), which is L-smooth. The paper takes λ = 304ε/L, so that
//! ∇f(x) = 2ε ∇F_T(x/λ). With prog_β(x) the last i with |x_i| > β, or 0 ([`prog`]), Lemma 17 says
//!
//! 1. F_T(0) − inf F_T ≤ 12T
//! 2. ∇F_T is 152-Lipschitz
//! 3. ‖∇F_T‖_∞ ≤ 23
//! 4. prog_0(∇F_T(x)) ≤ prog_½(x) + 1
//! 5. ‖∇F_T(x)‖ ≥ |∂_i F_T(x)| > 1 at i = prog_1(x) + 1, if that is at most T
//!
//! What is sharper than the print:
//! - inf F_T is known: each term has its infimum as all x_i → ∞. inf F_T = −√(2πe)(1 + e(T − 1)), not attained, and
//!   F_T(0) − inf F_T = √(πe/2) + e√(2πe)(T − 1), about 11.23 T − 9.17.
//! - 152 in (2) cannot be below 134.02 (found by search; √(2πe) max Ψ'' alone is 133.84), and 23 in (3) not below 21.39 (T ≥ 3).
//! - (5) with T = 1 has ≥, not >: ∂_1 F_1 = −1 at x = ±1.
//! - Lemma 18 bounds the noise by 23, but the noise stands only in the coordinate prog_¼ + 1, where |x_i| ≤ ¼, so
//!   that the second term of ∂_i is 0 and |∂_i F| < e√e = 4.482. With that, 2^{1/(α−1)}(2e√e ε/σ)^{α/(α−1)} is
//!   a probability that suffices in Theorem 6, smaller by 5.13^{α/(α−1)} than with 23.
//!
//! The gap is a sum of positive terms, with e − Ψ by `expm1` and Φ by `erfc`, so that nothing cancels.
//!
//! References: the paper, Theorem 6, Lemmas 17 and 18; Y. Carmon, J. Duchi, O. Hinder, A. Sidford, *Lower bounds for
//! finding stationary points I*, 2020 (Ψ and Φ); Y. Arjevani et al., *Lower bounds for non-convex stochastic
//! optimization*, 2023 (the oracle).

use std::f64::consts::{E, FRAC_1_SQRT_2};

use super::{Facts, Problem, check_dim, check_positive};
use crate::Error;

/// √e.
const SQRT_E: f64 = 1.648_721_270_700_128_2;
/// √(2πe), the supremum of Φ.
const PHI_SUP: f64 = 4.132_731_354_122_493;
/// ℓ of Lemma 17(2).
const SMOOTHNESS: f64 = 152.0;
/// The bound of Lemma 17(3).
const LARGEST_PARTIAL: f64 = 23.0;

/// f(x) = (Lλ²/152) F_T(x/λ), of T coordinates.
///
/// ```
/// use acclip_theory::problems::{Problem, ZeroChain};
/// # fn main() -> Result<(), acclip_theory::Error> {
/// let f = ZeroChain::new(4, 152.0, 1.0)?; // F_4
/// let mut grad = [0.0; 4];
/// f.gradient(&[2.0, 0.0, 0.0, 0.0], &mut grad);
/// assert!(grad[1] < -1.0); // the coordinate after the last large one
/// assert_eq!(grad[2..], [0.0, 0.0]);
/// f.perturb_row(&[2.0, 0.0, 0.0, 0.0], &mut grad, false, 0.1);
/// assert_eq!(grad[1], 0.0); // hidden
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZeroChain {
    length: usize,
    smoothness: f64,
    scale: f64,
}

impl ZeroChain {
    /// With T = `length` coordinates, L = `smoothness` and λ = `scale`, in the unit of x. F_T itself is
    /// (T, 152, 1).
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `length` is 0, or L or λ is not in (0, ∞).
    pub fn new(length: usize, smoothness: f64, scale: f64) -> Result<Self, Error> {
        Ok(Self {
            length: check_dim(length)?,
            smoothness: check_positive("smoothness", smoothness)?,
            scale: check_positive("scale", scale)?,
        })
    }

    /// T.
    pub fn length(&self) -> usize {
        self.length
    }

    /// λ, in the unit of x.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// f(0) − inf f, exact: (Lλ²/152)(√(πe/2) + e√(2πe)(T − 1)).
    pub fn initial_gap(&self) -> f64 {
        self.unit() * PHI_SUP * (0.5 + E * (self.length - 1) as f64)
    }

    /// The supremum of |∂_i f| for a hidden coordinate, that is with |x_i| ≤ λ/4: (Lλ/152)·e√e.
    pub fn largest_hidden(&self) -> f64 {
        self.gradient_unit() * E * SQRT_E
    }

    /// The stochastic gradient of Theorem 6 at one row. `x` is the row, and `grad` holds ∇f(x). The
    /// coordinate i = prog_{λ/4}(x) + 1 is divided by `p` on a `hit`, which has probability `p`, and else set
    /// to 0; the others are exact. Nothing happens if prog_{λ/4}(x) = T. `p` is in (0, 1], unchecked.
    #[inline]
    pub fn perturb_row(&self, x: &[f64], grad: &mut [f64], hit: bool, p: f64) {
        let next = prog(x, 0.25 * self.scale);
        if next < x.len()
            && let Some(grad) = grad.get_mut(next)
        {
            *grad = if hit { *grad / p } else { 0.0 };
        }
    }

    /// Lλ²/152, the unit of f.
    fn unit(&self) -> f64 {
        self.smoothness / SMOOTHNESS * self.scale * self.scale
    }

    /// Lλ/152, the unit of ∇f.
    fn gradient_unit(&self) -> f64 {
        self.smoothness / SMOOTHNESS * self.scale
    }

    fn gradient_row(&self, x: &[f64], grad: &mut [f64]) {
        let (unit, scale) = (self.gradient_unit(), self.scale);
        // Beyond it both Ψ(|x_{i−1}|) and Ψ'(|x_i|) are 0.
        let active = x.len().min(prog(x, 0.5 * scale) + 1);
        let (head, tail) = grad.split_at_mut(active.min(grad.len()));
        tail.fill(0.0);
        let mut before = 1.0;
        for (i, grad) in head.iter_mut().enumerate() {
            let u = x[i] / scale;
            let bump = Bump::at(u.abs());
            let mut sum = 0.0;
            if before != 0.0 {
                sum += before * phi_slope(u);
            }
            if bump.slope != 0.0
                && let Some(next) = x.get(i + 1)
            {
                let next = next / scale;
                sum += bump.slope * phi(if u < 0.0 { -next } else { next });
            }
            // Not −(unit · sum), which would be −0 for 0.
            *grad = 0.0 - unit * sum;
            before = bump.value;
        }
    }

    fn gap_row(&self, x: &[f64]) -> f64 {
        let Some(first) = x.first() else { return 0.0 };
        let scale = self.scale;
        let active = x.len().min(prog(x, 0.5 * scale) + 1);
        let mut sum = phi(-first / scale);
        for pair in x[..active].windows(2) {
            let u = pair[0] / scale;
            let bump = Bump::at(u.abs());
            sum += PHI_SUP * if u > 0.5 { bump.short } else { E };
            if bump.value != 0.0 {
                sum += bump.value * phi(-pair[1] / scale);
            }
        }
        self.unit() * (sum + (x.len() - active) as f64 * (E * PHI_SUP))
    }
}

impl Problem for ZeroChain {
    fn dim(&self) -> usize {
        self.length
    }

    /// Costs one scan of a row and, up to the first coordinate after the last with |x_i| > λ/2, two or three
    /// exponential functions for each |x_i| > λ/2.
    fn gradient(&self, x: &[f64], grad: &mut [f64]) {
        let rows = x.chunks_exact(self.length);
        for (x, grad) in rows.zip(grad.chunks_exact_mut(self.length)) {
            self.gradient_row(x, grad);
        }
    }

    /// To the infimum, which no point attains: above 0 for x of moderate size.
    fn gap(&self, x: &[f64], gap: &mut [f64]) {
        for (x, gap) in x.chunks_exact(self.length).zip(gap) {
            *gap = self.gap_row(x);
        }
    }

    /// L is that of Lemma 17(2), and the bound of the gradient is (Lλ/152)·23√T, from 17(3). Both are upper
    /// bounds, not the least ones.
    fn facts(&self) -> Facts {
        Facts {
            smoothness: Some(self.smoothness),
            strong_convexity: 0.0,
            domain: None,
            optimum: None,
            minimum: -self.unit() * PHI_SUP * (1.0 + E * (self.length - 1) as f64),
            gradient_bound: Some(
                self.gradient_unit() * LARGEST_PARTIAL * (self.length as f64).sqrt(),
            ),
        }
    }
}

/// prog_β: the last i, counted from 1, with |x_i| > β, or 0 if there is none. What is not a number
/// counts as large.
#[inline]
pub fn prog(x: &[f64], beta: f64) -> usize {
    x.iter()
        .rposition(|x| x.abs() > beta || x.is_nan())
        .map_or(0, |i| i + 1)
}

/// Ψ and what belongs to it, at one point.
struct Bump {
    /// Ψ.
    value: f64,
    /// Ψ'.
    slope: f64,
    /// e − Ψ.
    short: f64,
}

impl Bump {
    fn at(u: f64) -> Self {
        if u <= 0.5 {
            return Self {
                value: 0.0,
                slope: 0.0,
                short: E,
            };
        }
        let t = 2.0 * u - 1.0;
        let y = -1.0 / (t * t);
        let value = libm::exp(1.0 + y);
        Self {
            value,
            slope: value * (4.0 / (t * t * t)),
            short: -E * libm::expm1(y),
        }
    }
}

/// Φ(x) = √(πe/2) erfc(−x/√2).
fn phi(x: f64) -> f64 {
    0.5 * PHI_SUP * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// Φ'(x) = √e e^{−x²/2}.
fn phi_slope(x: f64) -> f64 {
    SQRT_E * libm::exp(-0.5 * x * x)
}

#[cfg(test)]
pub(super) mod tests;
