//! Quadratic functions.
//!
//! ```text
//! f(x) = ½ Σ λ_i (x_i − c_i)²        μ = min λ,  L = max λ,  f* = 0 at c
//! ```
//!
//! on all of R^d, or on the ball ‖x‖ ≤ R with c inside, where sup ‖∇f‖ is the largest value of
//! ‖Λ(x − c)‖, with Λ = diag(λ). It is attained on the sphere where Λ²(x − c) = νx for the ν ≥ L² that
//! gives ‖x‖ = R, that is
//!
//! ```text
//! x_i = −λ_i² c_i/(ν − λ_i²)
//! ```
//!
//! and the rest of the length, if ν = L² leaves any, in a coordinate with λ_i = L. One coordinate, or
//! equal λ: L(R + ‖c‖). The triangle inequality gives L R + ‖Λc‖, which is too large by up to the
//! factor 2 as c moves away from the coordinate of L.
//!
//! ½x² in one dimension is the function of Remark 1 of the paper: with noise of infinite variance,
//! E‖∇f(x_k)‖² = ∞ after one step of SGD.

use acclip_noise::lanes::vectorised;

use super::{Domain, Facts, Problem, check_dim, check_finite, check_positive, each, norm};
use crate::Error;
use crate::error::check;

/// f(x) = ½ Σ λ_i (x_i − c_i)².
///
/// ```
/// use acclip_theory::problems::{Problem, Quadratic};
/// # fn main() -> Result<(), acclip_theory::Error> {
/// let f = Quadratic::new(vec![1.0, 4.0], vec![0.0, 0.5], Some(2.0))?;
/// let mut grad = [0.0; 4];
/// f.gradient(&[1.0, 1.0, 0.0, 0.5], &mut grad); // two rows
/// assert_eq!(grad, [1.0, 2.0, 0.0, 0.0]);
/// assert_eq!(f.facts().gradient_bound, Some(10.0)); // at (0, −2)
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Quadratic {
    /// λ.
    curvature: Vec<f64>,
    /// c.
    center: Vec<f64>,
    /// R.
    radius: Option<f64>,
}

impl Quadratic {
    /// With the second derivatives `curvature` and the minimum at `center`, on the ball of `radius`
    /// about 0, or on R^d if there is none.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if there is no coordinate, if the lengths differ, if a curvature or the
    /// radius is not in (0, ∞), or if the centre is not finite or not in the ball.
    pub fn new(curvature: Vec<f64>, center: Vec<f64>, radius: Option<f64>) -> Result<Self, Error> {
        let dim = check_dim(curvature.len())?;
        check(
            "center.len()",
            center.len() as f64,
            "curvature.len()",
            |n| n == dim as f64,
        )?;
        for &lambda in &curvature {
            check_positive("curvature", lambda)?;
        }
        for &c in &center {
            check_finite("center", c)?;
        }
        if let Some(radius) = radius {
            check_positive("radius", radius)?;
            check("the norm of center", norm(&center), "at most radius", |n| {
                n <= radius
            })?;
        }
        Ok(Self {
            curvature,
            center,
            radius,
        })
    }

    /// ½x² in one dimension, on [−radius, radius] or on R.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if the radius is not in (0, ∞).
    pub fn half_square(radius: Option<f64>) -> Result<Self, Error> {
        Self::new(vec![1.0], vec![0.0], radius)
    }

    /// max λ.
    fn largest(&self) -> f64 {
        self.curvature.iter().copied().fold(0.0, f64::max)
    }

    /// sup ‖Λ(x − c)‖ over ‖x‖ ≤ `radius`; within 10⁻¹⁴ relative.
    fn largest_gradient(&self, radius: f64) -> f64 {
        let largest = self.largest();
        let length = norm(&self.center);
        if length == 0.0 {
            return largest * radius;
        }
        // With ν = L²(1 + t), x_i = −ρ_i c_i/(t + (1 − ρ_i)) for ρ_i = (λ_i/L)².
        let ratios: Vec<f64> = self
            .curvature
            .iter()
            .map(|l| (l / largest) * (l / largest))
            .collect();
        let at = |t: f64| -> Vec<f64> {
            let pairs = ratios.iter().zip(&self.center);
            pairs.map(|(rho, c)| -rho * c / (t + (1.0 - rho))).collect()
        };
        // ‖x‖ falls with t, and it is at most ‖c‖/t; `high` keeps it inside.
        let (mut low, mut high) = (0.0, length / radius);
        for _ in 0..200 {
            let t = 0.5 * (low + high);
            if norm(&at(t)) <= radius {
                high = t;
            } else {
                low = t;
            }
        }
        let mut x = at(high);
        let left = (radius * radius - x.iter().map(|x| x * x).sum::<f64>()).max(0.0);
        if let Some(top) = ratios.iter().position(|&rho| rho == 1.0) {
            // Away from the centre.
            x[top] = -(x[top] * x[top] + left).sqrt().copysign(self.center[top]);
        }
        let mut sum = 0.0;
        for ((x, c), l) in x.iter().zip(&self.center).zip(&self.curvature) {
            sum += (l * (x - c)) * (l * (x - c));
        }
        sum.sqrt()
    }
}

impl Problem for Quadratic {
    fn dim(&self) -> usize {
        self.curvature.len()
    }

    fn gradient(&self, x: &[f64], grad: &mut [f64]) {
        if let ([lambda], [c]) = (&self.curvature[..], &self.center[..]) {
            let (lambda, c) = (*lambda, *c);
            return each(
                x,
                grad,
                #[inline(always)]
                move |x| lambda * (x - c),
            );
        }
        let (dim, curvature, center) = (self.dim(), &self.curvature[..], &self.center[..]);
        vectorised(
            #[inline(always)]
            move || {
                for (grad, x) in grad.chunks_exact_mut(dim).zip(x.chunks_exact(dim)) {
                    let constants = curvature.iter().zip(center);
                    for ((grad, x), (lambda, c)) in grad.iter_mut().zip(x).zip(constants) {
                        *grad = lambda * (x - c);
                    }
                }
            },
        );
    }

    fn gap(&self, x: &[f64], gap: &mut [f64]) {
        if let ([lambda], [c]) = (&self.curvature[..], &self.center[..]) {
            let (half, c) = (0.5 * lambda, *c);
            return each(
                x,
                gap,
                #[inline(always)]
                move |x| half * ((x - c) * (x - c)),
            );
        }
        let (dim, curvature, center) = (self.dim(), &self.curvature[..], &self.center[..]);
        vectorised(
            #[inline(always)]
            move || {
                for (gap, x) in gap.iter_mut().zip(x.chunks_exact(dim)) {
                    let mut sum = 0.0;
                    for (x, (lambda, c)) in x.iter().zip(curvature.iter().zip(center)) {
                        sum += lambda * ((x - c) * (x - c));
                    }
                    *gap = 0.5 * sum;
                }
            },
        );
    }

    fn facts(&self) -> Facts {
        Facts {
            smoothness: Some(self.largest()),
            strong_convexity: self.curvature.iter().copied().fold(f64::INFINITY, f64::min),
            domain: self.radius.map(|radius| Domain::Ball { radius }),
            optimum: Some(self.center.clone()),
            minimum: 0.0,
            gradient_bound: self.radius.map(|radius| self.largest_gradient(radius)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Random;
    use super::*;

    #[test]
    fn half_square_is_x_and_half_its_square() {
        let f = Quadratic::half_square(None).unwrap();
        let x = [-3.0, 0.1, 1e-200, 7.5];
        let (mut grad, mut gap) = ([0.0; 4], [0.0; 4]);
        f.gradient(&x, &mut grad);
        f.gap(&x, &mut gap);
        assert_eq!(grad, x);
        assert_eq!(gap, x.map(|x| 0.5 * (x * x)));
        assert_eq!(f.facts().gradient_bound, None);
        let bounded = Quadratic::half_square(Some(3.0)).unwrap().facts();
        assert_eq!(bounded.gradient_bound, Some(3.0));
        assert_eq!(bounded.domain, Some(Domain::Ball { radius: 3.0 }));
    }

    /// By hand: λ = (1, 2), c = (½, 0), R = 1. On the circle with s = x_1, the square of the norm is
    /// (s − ½)² + 4(1 − s²) = 4¼ − s − 3s², largest at s = −1/6, where it is 13/3.
    #[test]
    fn the_largest_gradient_is_exact() {
        let f = Quadratic::new(vec![1.0, 2.0], vec![0.5, 0.0], Some(1.0)).unwrap();
        let bound = f.facts().gradient_bound.unwrap();
        assert!(
            (bound / (13.0_f64 / 3.0).sqrt() - 1.0).abs() < 1e-14,
            "{bound}"
        );
        let equal = Quadratic::new(vec![3.0; 2], vec![0.3, -0.4], Some(2.0)).unwrap();
        assert!((equal.facts().gradient_bound.unwrap() / 7.5 - 1.0).abs() < 1e-14);
    }

    #[test]
    fn no_point_of_the_ball_has_a_larger_gradient_and_some_come_close() {
        let mut random = Random(11);
        for dim in [2, 3] {
            for case in 0..40 {
                let radius = 0.5 + random.uniform();
                let curvature: Vec<f64> = (0..dim).map(|_| 0.1 + 3.0 * random.uniform()).collect();
                let length = radius * random.uniform();
                let mut center = random.on_sphere(dim, length);
                if case % 4 == 0 {
                    center[case / 4 % dim] = 0.0;
                }
                let f = Quadratic::new(curvature, center, Some(radius)).unwrap();
                let bound = f.facts().gradient_bound.unwrap();
                let mut largest: f64 = 0.0;
                for _ in 0..20_000 {
                    let mut grad = vec![0.0; dim];
                    f.gradient(&random.on_sphere(dim, radius), &mut grad);
                    largest = largest.max(norm(&grad) / bound);
                }
                assert!(
                    largest <= 1.0 + 1e-12 && largest > 0.999,
                    "{dim} {case} {largest}"
                );
            }
        }
    }

    #[test]
    fn bad_parameters_are_refused() {
        let one = || vec![1.0];
        assert!(Quadratic::new(vec![], vec![], None).is_err());
        assert!(Quadratic::new(one(), vec![0.0; 2], None).is_err());
        assert!(Quadratic::new(vec![0.0], one(), None).is_err());
        assert!(Quadratic::new(vec![f64::INFINITY], one(), None).is_err());
        assert!(Quadratic::new(one(), vec![f64::NAN], None).is_err());
        assert!(Quadratic::new(one(), one(), Some(0.0)).is_err());
        assert!(Quadratic::new(one(), one(), Some(0.99)).is_err());
        assert!(Quadratic::new(one(), one(), Some(1.0)).is_ok());
    }
}
