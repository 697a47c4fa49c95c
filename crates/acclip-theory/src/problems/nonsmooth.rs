//! Strongly convex functions with a kink in every coordinate.
//!
//! ```text
//! f(x) = (μ/2)‖x‖² + λ Σ |x_i − c_i|        ‖x‖ ≤ R
//! ```
//!
//! Theorem 4 asks for strong convexity and no smoothness, and here there is none. Coordinate by
//! coordinate the optimum is where μx + λ ∂|x − c| holds 0:
//!
//! ```text
//! x*_i = min{max{c_i, −λ/μ}, λ/μ}
//! ```
//!
//! on the kink if |c_i| ≤ λ/μ and beside it otherwise. With c = 0 the optimum is at 0. The gap is
//!
//! ```text
//! f(x) − f* = Σ (μ/2)(x_i − x*_i)² + (λ + μx*_i) max{x_i − c_i, 0} + (λ − μx*_i) max{c_i − x_i, 0}
//! ```
//!
//! (expand (μ/2)x² about x*; |x* − c| vanishes, or one of the two slopes does). The subgradient on a
//! kink is that with sign(0) = 0. For every c, sup ‖∇f‖ = μR + λ√d: at x_i = ±R/√d with the sign opposite
//! to that of c_i both parts of the subgradient point the same way.

use acclip_noise::lanes::vectorised;

use super::{Domain, Facts, Problem, check_dim, check_finite, check_positive, each, norm};
use crate::Error;
use crate::error::check;

/// f(x) = (μ/2)‖x‖² + λ Σ |x_i − c_i| on a ball.
///
/// ```
/// use acclip_theory::problems::{NonSmooth, Problem};
/// # fn main() -> Result<(), acclip_theory::Error> {
/// let f = NonSmooth::new(1.0, 2.0, vec![0.5], 3.0)?;
/// assert_eq!(f.facts().optimum, Some(vec![0.5])); // on the kink
/// let mut grad = [0.0; 2];
/// f.gradient(&[0.25, 1.0], &mut grad);
/// assert_eq!(grad, [-1.75, 3.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct NonSmooth {
    /// μ.
    strong_convexity: f64,
    /// λ.
    slope: f64,
    /// R.
    radius: f64,
    coordinates: Vec<Coordinate>,
}

/// The constants of a coordinate.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Coordinate {
    /// c.
    kink: f64,
    /// x*.
    optimum: f64,
    /// λ + μx*.
    above: f64,
    /// λ − μx*.
    below: f64,
}

impl Coordinate {
    fn new(mu: f64, lambda: f64, kink: f64) -> Self {
        let optimum = kink.clamp(-lambda / mu, lambda / mu);
        // Beside the kink one slope is 0, and rounding must not make it less.
        let slope = |side: f64| {
            if side * kink * mu <= -lambda {
                0.0
            } else if side * kink * mu >= lambda {
                2.0 * lambda
            } else {
                lambda + side * mu * kink
            }
        };
        Self {
            kink,
            optimum,
            above: slope(1.0),
            below: slope(-1.0),
        }
    }

    #[inline(always)]
    fn gradient(self, mu: f64, lambda: f64, x: f64) -> f64 {
        let right = if x > self.kink { lambda } else { 0.0 };
        let left = if x < self.kink { lambda } else { 0.0 };
        mu * x + (right - left)
    }

    #[inline(always)]
    fn gap(self, mu: f64, x: f64) -> f64 {
        let (u, v) = (x - self.optimum, x - self.kink);
        let slope = if v > 0.0 { self.above } else { self.below };
        0.5 * mu * (u * u) + slope * v.abs()
    }
}

impl NonSmooth {
    /// With strong convexity μ, kinks of slope λ = `slope` at the coordinates of `kinks`, on the ball of
    /// `radius` about 0.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if there is no coordinate, if μ, the slope or the radius is not in (0, ∞),
    /// if a kink is not finite, or if the optimum is not in the ball.
    pub fn new(
        strong_convexity: f64,
        slope: f64,
        kinks: Vec<f64>,
        radius: f64,
    ) -> Result<Self, Error> {
        check_dim(kinks.len())?;
        check_positive("strong_convexity", strong_convexity)?;
        check_positive("slope", slope)?;
        check_positive("radius", radius)?;
        let mut coordinates = Vec::with_capacity(kinks.len());
        for kink in kinks {
            check_finite("kinks", kink)?;
            coordinates.push(Coordinate::new(strong_convexity, slope, kink));
        }
        let f = Self {
            strong_convexity,
            slope,
            radius,
            coordinates,
        };
        let length = norm(&f.optimum());
        check("the norm of the optimum", length, "at most radius", |n| {
            n <= radius
        })?;
        Ok(f)
    }

    fn optimum(&self) -> Vec<f64> {
        self.coordinates.iter().map(|c| c.optimum).collect()
    }
}

impl Problem for NonSmooth {
    fn dim(&self) -> usize {
        self.coordinates.len()
    }

    fn gradient(&self, x: &[f64], grad: &mut [f64]) {
        let (mu, lambda, dim) = (self.strong_convexity, self.slope, self.dim());
        let coordinates = &self.coordinates[..];
        if let &[only] = coordinates {
            return each(
                x,
                grad,
                #[inline(always)]
                move |x| only.gradient(mu, lambda, x),
            );
        }
        vectorised(
            #[inline(always)]
            move || {
                for (grad, x) in grad.chunks_exact_mut(dim).zip(x.chunks_exact(dim)) {
                    for ((grad, &x), c) in grad.iter_mut().zip(x).zip(coordinates) {
                        *grad = c.gradient(mu, lambda, x);
                    }
                }
            },
        );
    }

    fn gap(&self, x: &[f64], gap: &mut [f64]) {
        let (mu, dim) = (self.strong_convexity, self.dim());
        let coordinates = &self.coordinates[..];
        if let &[only] = coordinates {
            return each(
                x,
                gap,
                #[inline(always)]
                move |x| only.gap(mu, x),
            );
        }
        vectorised(
            #[inline(always)]
            move || {
                for (gap, x) in gap.iter_mut().zip(x.chunks_exact(dim)) {
                    let mut sum = 0.0;
                    for (&x, c) in x.iter().zip(coordinates) {
                        sum += c.gap(mu, x);
                    }
                    *gap = sum;
                }
            },
        );
    }

    fn facts(&self) -> Facts {
        let (mu, lambda) = (self.strong_convexity, self.slope);
        let value = |c: &Coordinate| {
            0.5 * mu * (c.optimum * c.optimum) + lambda * (c.optimum - c.kink).abs()
        };
        Facts {
            smoothness: None,
            strong_convexity: mu,
            domain: Some(Domain::Ball {
                radius: self.radius,
            }),
            optimum: Some(self.optimum()),
            minimum: self.coordinates.iter().map(value).sum(),
            gradient_bound: Some(mu * self.radius + lambda * (self.dim() as f64).sqrt()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Random;
    use super::*;

    /// μ = 2, λ = 3: kinks at 0, 1 (within λ/μ = 1.5), 2 and −4 (beyond).
    #[test]
    fn the_optimum_is_on_the_kink_or_beside_it() {
        let f = NonSmooth::new(2.0, 3.0, vec![0.0, 1.0, 2.0, -4.0], 10.0).unwrap();
        let facts = f.facts();
        assert_eq!(facts.optimum, Some(vec![0.0, 1.0, 1.5, -1.5]));
        // 0 + 1 + (2.25 + 1.5) + (2.25 + 7.5).
        assert_eq!(facts.minimum, 14.5);
        assert_eq!(facts.gradient_bound, Some(26.0));
    }

    #[test]
    fn the_subgradient_is_zero_on_a_kink_at_zero_and_jumps_by_twice_the_slope() {
        let f = NonSmooth::new(1.0, 0.5, vec![0.0], 1.0).unwrap();
        let mut grad = [0.0; 3];
        f.gradient(&[-1e-9, 0.0, 1e-9], &mut grad);
        assert_eq!(grad, [-0.5 - 1e-9, 0.0, 0.5 + 1e-9]);
    }

    #[test]
    fn the_bound_of_the_subgradient_is_attained_for_every_kink() {
        let mut random = Random(3);
        for case in 0..200 {
            let dim = 1 + case % 5;
            let kinks: Vec<f64> = (0..dim).map(|_| random.signed()).collect();
            let f = NonSmooth::new(0.7, 0.3, kinks.clone(), 2.0).unwrap();
            let bound = f.facts().gradient_bound.unwrap();
            let side = 2.0 / (dim as f64).sqrt();
            let corner: Vec<f64> = kinks.iter().map(|c| -side.copysign(*c)).collect();
            let mut grad = vec![0.0; dim];
            f.gradient(&corner, &mut grad);
            assert!((norm(&grad) / bound - 1.0).abs() < 1e-14);
            f.gradient(&random.on_sphere(dim, 2.0), &mut grad);
            assert!(norm(&grad) <= bound * (1.0 + 1e-14));
        }
    }

    #[test]
    fn bad_parameters_are_refused() {
        assert!(NonSmooth::new(1.0, 1.0, vec![], 1.0).is_err());
        assert!(NonSmooth::new(0.0, 1.0, vec![0.0], 1.0).is_err());
        assert!(NonSmooth::new(1.0, f64::NAN, vec![0.0], 1.0).is_err());
        assert!(NonSmooth::new(1.0, 1.0, vec![0.0], f64::INFINITY).is_err());
        assert!(NonSmooth::new(1.0, 1.0, vec![f64::NAN], 1.0).is_err());
        assert!(NonSmooth::new(1.0, 1.0, vec![f64::INFINITY], 1.0).is_err());
        assert!(NonSmooth::new(1.0, 1.0, vec![0.9], 0.8).is_err());
        // The kink is outside, but the optimum is inside.
        assert!(NonSmooth::new(4.0, 1.0, vec![0.9], 0.8).is_ok());
    }
}
