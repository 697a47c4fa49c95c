//! The strongly convex function that is hard to minimise: equation (3) of the paper, for Theorem 5.
//!
//! ```text
//! f_b(x) = ½ (x − b)²        x, b in [0, ½]        μ = L = 1,  f* = 0 at b
//! ```
//!
//! All that a method can learn about b comes from the noise of its gradients, which hides it: to
//! minimise f_b is to estimate a mean. The oracle is no part of this file.

use super::{Domain, Facts, Problem, each};
use crate::Error;
use crate::error::check;

/// f_b(x) = ½(x − b)² on [0, ½]. One coordinate.
///
/// ```
/// use acclip_theory::problems::{HardMeanObjective, Problem};
/// # fn main() -> Result<(), acclip_theory::Error> {
/// let f = HardMeanObjective::new(0.125)?;
/// let mut gap = [0.0; 2];
/// f.gap(&[0.125, 0.375], &mut gap);
/// assert_eq!(gap, [0.0, 0.03125]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HardMeanObjective {
    b: f64,
}

impl HardMeanObjective {
    /// With its minimum at `b`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `b` is in [0, ½].
    pub fn new(b: f64) -> Result<Self, Error> {
        let b = check("b", b, "in [0, 1/2]", |b| (0.0..=0.5).contains(&b))?;
        Ok(Self { b })
    }

    /// The minimiser.
    pub fn b(&self) -> f64 {
        self.b
    }
}

impl Problem for HardMeanObjective {
    fn dim(&self) -> usize {
        1
    }

    fn gradient(&self, x: &[f64], grad: &mut [f64]) {
        let b = self.b;
        each(
            x,
            grad,
            #[inline(always)]
            move |x| x - b,
        );
    }

    fn gap(&self, x: &[f64], gap: &mut [f64]) {
        let b = self.b;
        each(
            x,
            gap,
            #[inline(always)]
            move |x| 0.5 * ((x - b) * (x - b)),
        );
    }

    fn facts(&self) -> Facts {
        Facts {
            smoothness: Some(1.0),
            strong_convexity: 1.0,
            domain: Some(Domain::Box {
                lower: 0.0,
                upper: 0.5,
            }),
            optimum: Some(vec![self.b]),
            minimum: 0.0,
            gradient_bound: Some(self.b.max(0.5 - self.b)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_formula() {
        let f = HardMeanObjective::new(0.2).unwrap();
        let (mut grad, mut gap) = ([0.0; 3], [0.0; 3]);
        f.gradient(&[0.0, 0.2, 0.5], &mut grad);
        f.gap(&[0.0, 0.2, 0.5], &mut gap);
        for (found, exact) in grad
            .iter()
            .chain(&gap)
            .zip([-0.2, 0.0, 0.3, 0.02, 0.0, 0.045])
        {
            assert!((found - exact).abs() < 1e-16, "{found} {exact}");
        }
        assert_eq!(f.facts().gradient_bound, Some(0.3));
        assert_eq!(
            HardMeanObjective::new(0.4).unwrap().facts().gradient_bound,
            Some(0.4)
        );
    }

    #[test]
    fn b_lies_in_the_interval() {
        for b in [-1e-9, 0.500_001, f64::NAN] {
            assert!(HardMeanObjective::new(b).is_err(), "{b}");
        }
        for b in [0.0, 0.5] {
            assert_eq!(HardMeanObjective::new(b).unwrap().b(), b);
        }
    }
}
