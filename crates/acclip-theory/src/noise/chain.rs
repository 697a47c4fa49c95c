//! The noise of Theorem 6, which hides the next coordinate of the chain.

use acclip_noise::lanes::{mix, open01};

use super::{Draws, Moment, Noise};
use crate::Error;
use crate::error::check;
use crate::problems::ZeroChain;

/// Multiplies the coordinate after the last large one by z/p with z ~ Bern(p), as long as there is one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HiddenCoordinate {
    /// The function whose gradient it hides.
    pub chain: ZeroChain,
    /// p, in (0, 1].
    pub p: f64,
}

impl Noise for HiddenCoordinate {
    fn perturb(&self, draws: Draws, dim: usize, x: &[f64], grad: &mut [f64], _: &mut Vec<f64>) {
        let rows = x.chunks_exact(dim).zip(grad.chunks_exact_mut(dim));
        for (i, (x, grad)) in (draws.first..).zip(rows) {
            let hit = open01(mix(draws.key, 2 * i)) < self.p;
            self.chain.perturb_row(x, grad, hit, self.p);
        }
    }

    fn check(&self, dim: usize) -> Result<(), Error> {
        let length = self.chain.length() as f64;
        check("length of the chain", length, "the dimension", |n| {
            n == dim as f64
        })?;
        check("p", self.p, "in (0, 1]", |p| p > 0.0 && p <= 1.0).map(|_| ())
    }

    /// The supremum over x: each coordinate may be the hidden one, where |∂_i f| ≤ (Lλ/152)·e√e.
    fn coordinate_moments(&self, alpha: f64, dim: usize) -> Vec<f64> {
        vec![self.norm_moment(alpha, dim).at_most(); dim]
    }

    /// The supremum over x.
    fn norm_moment(&self, alpha: f64, _: usize) -> Moment {
        let factor = self.p * (1.0 / self.p - 1.0).powf(alpha) + 1.0 - self.p;
        Moment::Exact(self.chain.largest_hidden().powf(alpha) * factor)
    }
}
