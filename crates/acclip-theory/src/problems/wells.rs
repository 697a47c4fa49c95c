//! Smooth functions that are not convex, for Theorem 2, with the exact L on all of R^d.
//!
//! **[`GemanMcClure`].** Flat far from the optimum, with a bounded gradient:
//!
//! ```text
//! f = Σ x²/(1 + x²)     f' = 2x/(1 + x²)²     f'' = 2(1 − 3x²)/(1 + x²)³ in [−½, 2]
//! ```
//!
//! f'' is 2 at 0 and −½ at ±1, hence L = 2; |f'| is largest where f'' = 0, at x = 1/√3: 3√3/8.
//!
//! **[`DoubleWell`].** A good well at 1, a bad one at −1, which the tilt c makes shallower:
//!
//! ```text
//! f  = Σ (x − 1)² ((x + 1)² + c)/(1 + x²)
//! f' = 2 (x² − 1)(x³ + 3x + c)/(1 + x²)²
//! ```
//!
//! For c in [0, 4) each coordinate has three stationary points: 1 (value 0), −1 (value 2c) and the
//! maximum between them, the root −2 sinh(asinh(c/2)/3) of x³ + 3x + c. At c = 4 that root is −1 too, and
//! f' = 2(x − 1)(x + 1)²(x² − x + 4)/(1 + x²)² is zero there without a change of sign and with f'' = 0: a saddle
//! that is not strict, of value 8.
//!
//! *L.* With x = tan θ and (x − i)^{−3} = −i e^{−3iθ} cos³θ,
//!
//! ```text
//! f'' = 2 + 4 cos³θ (c sin 3θ − 2 cos 3θ) = 2 + 4r cos³θ cos(3θ − φ)
//!                                           r = √(4 + c²),  φ = π − a,  a = atan(c/2)
//! ```
//!
//! whose derivative in θ is −12 r cos²θ sin(4θ − φ). At 4θ = φ + kπ, f'' = 2 + 4r (−1)^k cos⁴θ, so that
//!
//! ```text
//! max f'' = 2 + 4r cos⁴((π − a)/4)      min f'' = 2 − 4r cos⁴(a/4)      L = −min f''
//! ```
//!
//! (4 and −6 at c = 0). With s = cos(a/2) + sin(a/2), −min f'' − max f'' = 4/s − 2, and that is positive, for s ≤ √2.
//! In d dimensions there is a stationary point for each choice of one per coordinate.
//!
//! Reference: S. Geman, D. McClure, *Bayesian image analysis: an application to single photon emission
//! tomography*, 1985 (the first function, as a robust loss).

use super::{Facts, Problem, check_dim, each, row_sums};
use crate::Error;
use crate::error::check;

/// Squares of it do not overflow; beyond it the functions are at their limits to the last bit.
const FAR: f64 = 1e150;

/// f(x) = Σ x_i²/(1 + x_i²).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GemanMcClure {
    dim: usize,
}

impl GemanMcClure {
    /// In `dim` coordinates.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `dim` is 0.
    pub fn new(dim: usize) -> Result<Self, Error> {
        Ok(Self {
            dim: check_dim(dim)?,
        })
    }
}

impl Problem for GemanMcClure {
    fn dim(&self) -> usize {
        self.dim
    }

    fn gradient(&self, x: &[f64], grad: &mut [f64]) {
        each(
            x,
            grad,
            #[inline(always)]
            move |x| {
                let q = 1.0 + x * x;
                2.0 * (x / q) / q
            },
        );
    }

    fn gap(&self, x: &[f64], gap: &mut [f64]) {
        row_sums(
            self.dim,
            x,
            gap,
            #[inline(always)]
            move |x| {
                let x = x.clamp(-FAR, FAR);
                let square = x * x;
                square / (1.0 + square)
            },
        );
    }

    fn facts(&self) -> Facts {
        Facts {
            smoothness: Some(2.0),
            strong_convexity: 0.0,
            domain: None,
            optimum: Some(vec![0.0; self.dim]),
            minimum: 0.0,
            gradient_bound: Some(0.375 * (3.0 * self.dim as f64).sqrt()),
        }
    }
}

/// f(x) = Σ (x_i − 1)² ((x_i + 1)² + c)/(1 + x_i²).
///
/// ```
/// use acclip_theory::problems::{DoubleWell, Problem};
/// # fn main() -> Result<(), acclip_theory::Error> {
/// let f = DoubleWell::new(1, 1.0)?;
/// let (mut grad, mut gap) = ([0.0; 2], [0.0; 2]);
/// f.gradient(&[1.0, -1.0], &mut grad);
/// f.gap(&[1.0, -1.0], &mut gap);
/// assert_eq!((grad, gap), ([0.0, 0.0], [0.0, 2.0]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DoubleWell {
    dim: usize,
    tilt: f64,
}

impl DoubleWell {
    /// In `dim` coordinates, with the tilt c.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `dim` is 0 or the tilt is not in [0, 4].
    pub fn new(dim: usize, tilt: f64) -> Result<Self, Error> {
        Ok(Self {
            dim: check_dim(dim)?,
            tilt: check("tilt", tilt, "in [0, 4]", |c| (0.0..=4.0).contains(&c))?,
        })
    }

    /// The stationary points of a coordinate: the bad well, the maximum, the good well. The first two
    /// are the same at tilt 4.
    pub fn stationary(&self) -> [f64; 3] {
        let asinh = libm::asinh(0.5 * self.tilt);
        let maximum = -2.0 * libm::sinh(asinh / 3.0);
        [-1.0, maximum, 1.0]
    }
}

impl Problem for DoubleWell {
    fn dim(&self) -> usize {
        self.dim
    }

    /// The cubic is taken as x + (2x + c)/(1 + x²), which cannot overflow; its error near the bad well
    /// at tilt 4, where it has its root, is 10⁻¹⁵ absolute.
    fn gradient(&self, x: &[f64], grad: &mut [f64]) {
        let c = self.tilt;
        each(
            x,
            grad,
            #[inline(always)]
            move |x| {
                let y = x.clamp(-FAR, FAR);
                let q = 1.0 + y * y;
                2.0 * ((y - 1.0) * (y + 1.0) / q) * (x + (2.0 * y + c) / q)
            },
        );
    }

    fn gap(&self, x: &[f64], gap: &mut [f64]) {
        let c = self.tilt;
        row_sums(
            self.dim,
            x,
            gap,
            #[inline(always)]
            move |x| {
                let y = x.clamp(-FAR, FAR);
                let ratio = ((y + 1.0) * (y + 1.0) + c) / (1.0 + y * y);
                (x - 1.0) * (x - 1.0) * ratio
            },
        );
    }

    fn facts(&self) -> Facts {
        let a = libm::atan(0.5 * self.tilt);
        let r = (4.0 + self.tilt * self.tilt).sqrt();
        let square = libm::cos(0.25 * a) * libm::cos(0.25 * a);
        Facts {
            smoothness: Some(4.0 * r * (square * square) - 2.0),
            strong_convexity: 0.0,
            domain: None,
            optimum: Some(vec![1.0; self.dim]),
            minimum: 0.0,
            gradient_bound: None,
        }
    }
}

#[cfg(test)]
mod tests;
