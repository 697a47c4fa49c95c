//! Noise in d dimensions: independent, on one coordinate at a time, or with a shared scale.

use acclip_noise::lanes::{mix, vectorised};
use statrs::function::gamma::ln_gamma;

use crate::Error;
use crate::error::check;

use super::{Draws, Law, Moment, Noise, between};

/// ξ_i = s_i X_i with X_i independent.
#[derive(Debug, Clone, PartialEq)]
pub struct Independent {
    /// Law of each X_i.
    pub law: Law,
    /// Scales s_i, of any sign: one for all coordinates, or one for each.
    pub scales: Vec<f64>,
}

impl Noise for Independent {
    fn perturb(&self, draws: Draws, _: usize, _: &[f64], grad: &mut [f64], scratch: &mut Vec<f64>) {
        scratch.resize(grad.len(), 0.0);
        self.law.fill(scratch, draws.key, draws.first);
        match self.scales.as_slice() {
            &[scale] => {
                let noise = &*scratch;
                vectorised(
                    #[inline(always)]
                    move || {
                        grad.iter_mut()
                            .zip(noise)
                            .for_each(|(g, x)| *g += scale * x)
                    },
                );
            }
            scales => {
                let values = grad.iter_mut().zip(&*scratch).zip(scales.iter().cycle());
                values.for_each(|((g, x), scale)| *g += scale * x);
            }
        }
    }

    fn check(&self, dim: usize) -> Result<(), Error> {
        self.law.check()?;
        let fits = |n: f64| n == 1.0 || n == dim as f64;
        check(
            "number of scales",
            self.scales.len() as f64,
            "1, or the dimension",
            fits,
        )?;
        self.scales.iter().try_for_each(|&scale| finite(scale))
    }

    fn coordinate_moments(&self, alpha: f64, dim: usize) -> Vec<f64> {
        let moment = self.law.absolute_moment(alpha);
        let scales = self.scales.iter().cycle().take(dim);
        scales
            .map(|scale| scale.abs().powf(alpha) * moment)
            .collect()
    }

    fn norm_moment(&self, alpha: f64, dim: usize) -> Moment {
        between(&self.coordinate_moments(alpha, dim), alpha)
    }
}

/// ξ = s X on one coordinate, drawn anew in every step, and 0 elsewhere: of all noise with the same B, that with the
/// largest E‖ξ‖^α, which is the sharp end of Lemma 12.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneCoordinate {
    /// Law of X.
    pub law: Law,
    /// Scale s.
    pub scale: f64,
}

impl Noise for OneCoordinate {
    fn perturb(
        &self,
        draws: Draws,
        dim: usize,
        _: &[f64],
        grad: &mut [f64],
        scratch: &mut Vec<f64>,
    ) {
        let rows = grad.len() / dim;
        scratch.resize(rows, 0.0);
        self.law.fill(scratch, draws.key, draws.first);
        let places = draws.first + rows as u64;
        for (row, (x, grad)) in scratch.iter().zip(grad.chunks_exact_mut(dim)).enumerate() {
            let word = mix(draws.key, 2 * (places + row as u64));
            // The high half of the product is uniform on 0, …, dim − 1, but for a bias of dim/2⁶⁴.
            let place = (u128::from(word) * dim as u128) >> 64;
            grad[place as usize] += self.scale * x;
        }
    }

    fn check(&self, _: usize) -> Result<(), Error> {
        self.law.check()?;
        finite(self.scale)
    }

    fn coordinate_moments(&self, alpha: f64, dim: usize) -> Vec<f64> {
        let moment = self.scale.abs().powf(alpha) * self.law.absolute_moment(alpha);
        vec![moment / dim as f64; dim]
    }

    fn norm_moment(&self, alpha: f64, _: usize) -> Moment {
        Moment::Exact(self.scale.abs().powf(alpha) * self.law.absolute_moment(alpha))
    }
}

/// ξ_i = s X (√ρ N₀ + √(1−ρ) N_i): a factor X shared by all coordinates, times Gaussians whose correlation is ρ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SharedScale {
    /// Law of X.
    pub law: Law,
    /// Scale s.
    pub scale: f64,
    /// Correlation of the Gaussian part of two coordinates, in [0, 1].
    pub correlation: f64,
}

impl Noise for SharedScale {
    fn perturb(
        &self,
        draws: Draws,
        dim: usize,
        _: &[f64],
        grad: &mut [f64],
        scratch: &mut Vec<f64>,
    ) {
        let (all, rows) = (grad.len(), grad.len() / dim);
        scratch.resize(all + 2 * rows, 0.0);
        let (own, shared) = scratch.split_at_mut(all);
        let (factors, common) = shared.split_at_mut(rows);
        Law::Gaussian.fill(own, draws.key, draws.first);
        Law::Gaussian.fill(common, draws.key, draws.first + all as u64);
        self.law
            .fill(factors, draws.key, draws.first + (all + rows) as u64);
        let (to_common, to_own) = (self.correlation.sqrt(), (1.0 - self.correlation).sqrt());
        let rows = grad.chunks_exact_mut(dim).zip(own.chunks_exact(dim));
        for ((grad, own), (factor, common)) in rows.zip(factors.iter().zip(common)) {
            let (factor, shift) = (self.scale * factor, to_common * *common);
            for (g, n) in grad.iter_mut().zip(own) {
                *g += factor * (shift + to_own * n);
            }
        }
    }

    fn check(&self, _: usize) -> Result<(), Error> {
        self.law.check()?;
        finite(self.scale)?;
        let unit = |r: f64| (0.0..=1.0).contains(&r);
        check("correlation", self.correlation, "in [0, 1]", unit).map(|_| ())
    }

    fn coordinate_moments(&self, alpha: f64, dim: usize) -> Vec<f64> {
        let factor = self.scale.abs().powf(alpha) * self.law.absolute_moment(alpha);
        vec![factor * Law::Gaussian.absolute_moment(alpha); dim]
    }

    fn norm_moment(&self, alpha: f64, dim: usize) -> Moment {
        let factor = self.scale.abs().powf(alpha) * self.law.absolute_moment(alpha);
        let (d, normal) = (dim as f64, Law::Gaussian.absolute_moment(alpha));
        if self.correlation == 0.0 {
            // ‖N‖ is χ_d.
            let chi = 0.5 * alpha * 2_f64.ln() + ln_gamma(0.5 * (d + alpha)) - ln_gamma(0.5 * d);
            Moment::Exact(factor * chi.exp())
        } else if self.correlation == 1.0 {
            Moment::Exact(factor * d.powf(0.5 * alpha) * normal)
        } else {
            between(&self.coordinate_moments(alpha, dim), alpha)
        }
    }
}

fn finite(scale: f64) -> Result<(), Error> {
    check("scale", scale, "finite", f64::is_finite).map(|_| ())
}
