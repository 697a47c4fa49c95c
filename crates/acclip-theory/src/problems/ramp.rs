//! A rippled slope into a valley: the function on which GClip is slowest is one of this family.
//!
//! ```text
//! f(x) = (ε/κ) [√(1 + u²) − 1 + ½(1 − cos u)]        u = κx,  κ = L/(1.5 ε)
//! f'(x) = ε [u/√(1 + u²) + ½ sin u]                  f'' = εκ [(1 + u²)^{−3/2} + ½ cos u]
//! ```
//!
//! It is L-smooth (f'' is largest at 0), not convex, and has one stationary point, x = 0, where f = 0. Far from it the
//! slope is ε on average, and between ε/2 and 1.5 ε. Started at height F0, a method walks a distance of about F0/ε
//! against the slope ε. As the number of steps grows, the ε that makes this slowest falls: steeper slopes are walked
//! down, and flatter ones have a small gradient from the beginning.

use std::f64::consts::FRAC_1_PI;

use acclip_noise::lanes::{sin_cos_pi, vectorised};

use super::{Facts, Problem};
use crate::Error;
use crate::error::check;

/// Depth of the ripples, in units of the slope.
const RIPPLE: f64 = 0.5;

/// A rippled slope of one coordinate.
///
/// ```
/// use acclip_theory::problems::{Problem, Ramp};
/// # fn main() -> Result<(), acclip_theory::Error> {
/// let f = Ramp::new(2.0, 0.1)?; // L = 2, ε = 0.1
/// let mut gap = [0.0];
/// f.gap(&[f.at_height(0.5)], &mut gap);
/// assert!((gap[0] - 0.5).abs() < 1e-12);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ramp {
    slope: f64,
    /// κ.
    frequency: f64,
}

impl Ramp {
    /// With L = `smoothness` and ε = `slope`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless both are in (0, ∞).
    pub fn new(smoothness: f64, slope: f64) -> Result<Self, Error> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        check("smoothness", smoothness, "in (0, inf)", positive)?;
        check("slope", slope, "in (0, inf)", positive)?;
        let frequency = smoothness / ((1.0 + RIPPLE) * slope);
        Ok(Ramp { slope, frequency })
    }

    /// The x ≥ 0 with f(x) = `height` ≥ 0.
    pub fn at_height(&self, height: f64) -> f64 {
        // f grows on x ≥ 0, and is above ε(|x| − 1/κ).
        let (mut low, mut high) = (0.0, height / self.slope + 1.0 / self.frequency);
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if self.value(middle) < height {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }

    fn value(&self, x: f64) -> f64 {
        let u = self.frequency * x;
        let half = sin(0.5 * u);
        // √(1 + u²) − 1 and 1 − cos u without cancellation near 0.
        let bowl = u * u / (1.0 + (1.0 + u * u).sqrt());
        self.slope / self.frequency * (bowl + RIPPLE * 2.0 * half * half)
    }
}

impl Problem for Ramp {
    fn dim(&self) -> usize {
        1
    }

    fn gradient(&self, x: &[f64], grad: &mut [f64]) {
        let Ramp { slope, frequency } = *self;
        vectorised(
            #[inline(always)]
            move || {
                for (grad, x) in grad.iter_mut().zip(x) {
                    let u = frequency * x;
                    *grad = slope * (u / (1.0 + u * u).sqrt() + RIPPLE * sin(u));
                }
            },
        );
    }

    fn gap(&self, x: &[f64], gap: &mut [f64]) {
        for (gap, x) in gap.iter_mut().zip(x) {
            *gap = self.value(*x);
        }
    }

    fn facts(&self) -> Facts {
        Facts {
            smoothness: Some(self.slope * self.frequency * (1.0 + RIPPLE)),
            strong_convexity: 0.0,
            domain: None,
            optimum: Some(vec![0.0]),
            minimum: 0.0,
            gradient_bound: Some((1.0 + RIPPLE) * self.slope),
        }
    }
}

/// sin u for |u| ≤ 10⁹; the error grows with |u|, as that of u itself.
#[inline(always)]
fn sin(u: f64) -> f64 {
    // u/π = 2n + y with y in [−1, 1].
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let turns = 0.5 * FRAC_1_PI * u;
    let y = 2.0 * (turns - ((turns + ROUND) - ROUND));
    let mirrored = 1.0_f64.copysign(y) - y;
    let y = if y.abs() > 0.5 { mirrored } else { y };
    sin_cos_pi(y).0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(f: &Ramp, x: f64) -> f64 {
        let mut grad = [0.0];
        f.gradient(&[x], &mut grad);
        grad[0]
    }

    #[test]
    fn the_gradient_is_the_slope_of_f_and_its_smoothness_is_attained() {
        let f = Ramp::new(2.0, 0.1).unwrap();
        let (mut steepest, mut flattest, mut curved) = (0.0_f64, f64::INFINITY, f64::NEG_INFINITY);
        for i in -40_000..40_000_i32 {
            let x = f64::from(i) * 1e-3;
            let h = 1e-5;
            let slope = (f.value(x + h) - f.value(x - h)) / (2.0 * h);
            assert!((gradient(&f, x) - slope).abs() < 1e-9, "{x}");
            let second = (gradient(&f, x + h) - gradient(&f, x - h)) / (2.0 * h);
            assert!(second.abs() < 2.0 + 1e-6, "{x}: {second}");
            curved = curved.max(second);
            steepest = steepest.max(gradient(&f, x));
            if x > 2.0 {
                flattest = flattest.min(gradient(&f, x));
            }
            assert!(second > -1.0 && x * gradient(&f, x) >= 0.0, "{x}");
        }
        assert!((curved - 2.0).abs() < 1e-6, "{curved}");
        assert!(
            (steepest - 0.15).abs() < 1e-4 && (flattest - 0.05).abs() < 1e-3,
            "{steepest} {flattest}"
        );
        // Not convex.
        assert!((gradient(&f, 0.3) - gradient(&f, 0.2)) < 0.0);
    }

    #[test]
    fn sines_are_those_of_the_library() {
        for i in 0..100_000 {
            let u = f64::from(i) * 0.37 - 18_000.0;
            assert!((sin(u) - u.sin()).abs() < 1e-11, "{u}");
        }
        for i in -1000..1000 {
            let u = f64::from(i) * 0.01;
            assert!((sin(u) - u.sin()).abs() < 4e-15, "{u}");
        }
    }

    #[test]
    fn heights_are_found() {
        for (slope, height) in [(0.01, 1.0), (0.3, 1e-6), (2.0, 7.0), (1e-3, 0.5)] {
            let f = Ramp::new(1.5, slope).unwrap();
            assert!((f.value(f.at_height(height)) / height - 1.0).abs() < 1e-12);
        }
    }
}
