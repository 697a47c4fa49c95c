//! Symmetric α-stable draws, by the method of Chambers, Mallows and Stuck.
//!
//! The symmetric α-stable law with scale 1 has characteristic function E e^{itX} = exp(−|t|^α),
//! α in (0, 2]. With U uniform on (−π/2, π/2) and W exponential,
//!
//! ```text
//! X = sin(αU)/cos(U)^{1/α} · (cos((1 − α)U)/W)^{(1 − α)/α}
//! ```
//!
//! has that law. The formula needs no special case: at α = 2 it reads 2 sin(U) √W, which is
//! N(0, 2) (variance two, not one), and at α = 1 it reads tan(U), the standard Cauchy law. For
//! α < 2 the variance is infinite; for α ≤ 1 so is the mean of |X|.
//!
//! This is the plain formula, one draw at a time: the slow twin of [`Stable::fill`](super::Stable::fill), which
//! draws the same law, for any β, thirty times as fast.
//!
//! Reference: Chambers, Mallows & Stuck (1976), "A method for simulating stable random
//! variables", JASA 71.

use std::f64::consts::PI;

use rand::distr::{Distribution, Open01};
use rand::{Rng, RngExt};

use crate::Error;

/// Symmetric α-stable law with scale 1.
///
/// ```
/// # use acclip_noise::stable::SymmetricStable;
/// use rand::SeedableRng;
/// use rand::distr::Distribution;
///
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
/// let law = SymmetricStable::new(1.5)?;
/// let noise: Vec<f64> = law.sample_iter(&mut rng).take(100).collect();
/// assert!(noise.iter().all(|x| x.is_finite()));
/// # Ok::<(), acclip_noise::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SymmetricStable {
    alpha: f64,
}

impl SymmetricStable {
    /// Law with tail index `alpha`.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless 0 < `alpha` ≤ 2.
    pub fn new(alpha: f64) -> Result<Self, Error> {
        if alpha > 0.0 && alpha <= 2.0 {
            Ok(Self { alpha })
        } else {
            Err(Error::Parameter {
                name: "alpha",
                value: alpha,
                expected: "in (0, 2]",
            })
        }
    }

    /// The tail index α.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.alpha
    }
}

impl Distribution<f64> for SymmetricStable {
    /// One draw. It is always finite: for tiny α, where the law itself leaves the
    /// range of `f64`, draws saturate at ±[`f64::MAX`].
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        let alpha = self.alpha;
        let uniform: f64 = rng.sample(Open01);
        let u = PI * (uniform - 0.5);
        let uniform: f64 = rng.sample(Open01);
        let w = -uniform.ln();
        // In logarithms, because the two factors may overflow where the product does not.
        let log_magnitude = (alpha * u).sin().abs().ln() - u.cos().ln() / alpha
            + (1.0 - alpha) / alpha * (((1.0 - alpha) * u).cos() / w).ln();
        log_magnitude.exp().min(f64::MAX).copysign(u)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{quantile, sorted};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const N: usize = 100_000;

    fn draws(alpha: f64) -> Vec<f64> {
        let rng = ChaCha8Rng::seed_from_u64(20);
        let law = SymmetricStable::new(alpha).unwrap();
        law.sample_iter(rng).take(N).collect()
    }

    /// The empirical characteristic function (1/n) Σ cos(tX) has standard error at most
    /// √((1 + e^{−(2t)^α})/2 − e^{−2t^α})/√n; four of them are allowed.
    #[test]
    fn characteristic_function_is_exp_of_minus_t_to_alpha() {
        for alpha in [0.3, 0.7, 1.0, 1.2, 1.5, 1.8, 2.0] {
            let x = draws(alpha);
            for t in [0.1, 0.5, 1.0, 2.0_f64] {
                let expected = (-t.powf(alpha)).exp();
                let found = x.iter().map(|x| (t * x).cos()).sum::<f64>() / N as f64;
                let variance = 0.5 * (1.0 + (-(2.0 * t).powf(alpha)).exp()) - expected * expected;
                let error = (variance / N as f64).sqrt();
                assert!(
                    (found - expected).abs() < 4.0 * error,
                    "alpha {alpha}, t {t}: {found} is not {expected} ± {error}"
                );
            }
        }
    }

    #[test]
    fn draws_are_symmetric() {
        for alpha in [0.7, 1.0, 1.5, 2.0] {
            let positive = draws(alpha).iter().filter(|&&x| x > 0.0).count() as f64;
            assert!((positive / N as f64 - 0.5).abs() < 4.0 * 0.5 / (N as f64).sqrt());
        }
    }

    #[test]
    fn alpha_one_is_cauchy_and_alpha_two_is_normal_with_variance_two() {
        // Quartiles ±1 of the Cauchy law; the density there is 1/(2π).
        let cauchy = sorted(&draws(1.0));
        let error = (0.25 * 0.75 / N as f64).sqrt() * 2.0 * PI;
        assert!((quantile(&cauchy, 0.75) - 1.0).abs() < 4.0 * error);
        assert!((quantile(&cauchy, 0.25) + 1.0).abs() < 4.0 * error);
        let variance = draws(2.0).iter().map(|x| x * x).sum::<f64>() / N as f64;
        assert!((variance - 2.0).abs() < 4.0 * 2.0 * (2.0 / N as f64).sqrt());
    }

    #[test]
    fn tiny_alpha_saturates_and_stays_finite() {
        let x = draws(0.01);
        assert!(x.iter().all(|x| x.is_finite()));
        assert!(x.contains(&f64::MAX));
    }

    #[test]
    fn alpha_outside_its_range_is_refused() {
        for alpha in [0.0, -1.0, 2.000_001, f64::NAN, f64::INFINITY] {
            assert!(matches!(
                SymmetricStable::new(alpha),
                Err(Error::Parameter { name: "alpha", .. })
            ));
        }
    }
}
