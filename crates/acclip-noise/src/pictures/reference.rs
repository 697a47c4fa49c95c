//! The two reference samples of the paper's figures: what noise norms would look like if the
//! coordinates of the noise were Gaussian, or α-stable.
//!
//! ```text
//! light:  (1/d) Σ_{j≤d} Zⱼ²          Zⱼ ~ N(0, 1)     that is χ²_d/d: mean 1, variance 2/d
//! heavy:  d^{−2/α} Σ_{j≤d} Xⱼ²       Xⱼ ~ S(α)        tail index α/2, for any d
//! ```
//!
//! The factor d^{−2/α} keeps the heavy sample at one scale as d grows. At α = 2 it is the light
//! one times two, since S(2) is N(0, 2). The paper's captions say "sum of squared"; its d and α
//! are not known to us, so both are arguments. These are *squared* norms: the norm itself, √ of
//! a draw, has tail index α.
//!
//! Reference: Zhang et al. (NeurIPS 2020), figures 1(c) and 1(g).

use rand::Rng;
use rand::distr::Distribution;
use rand_distr::StandardNormal;

use crate::Error;
use crate::stable::SymmetricStable;

/// `n` draws of (1/d) Σ Zⱼ², each from `d` standard normal variables.
///
/// # Errors
/// [`Error::Parameter`] if `d` is 0.
pub fn squared_gaussians<R: Rng + ?Sized>(
    n: usize,
    d: usize,
    rng: &mut R,
) -> Result<Vec<f64>, Error> {
    sums_of_squares(n, d, 1.0, &StandardNormal, rng)
}

/// `n` draws of d^{−2/α} Σ Xⱼ², each from `d` symmetric α-stable variables.
///
/// # Errors
/// [`Error::Parameter`] if `d` is 0 or `alpha` is not in (0, 2].
pub fn squared_stable<R: Rng + ?Sized>(
    n: usize,
    d: usize,
    alpha: f64,
    rng: &mut R,
) -> Result<Vec<f64>, Error> {
    sums_of_squares(n, d, 2.0 / alpha, &SymmetricStable::new(alpha)?, rng)
}

/// n draws of d^{−power} Σ Xⱼ².
fn sums_of_squares<R: Rng + ?Sized>(
    n: usize,
    d: usize,
    power: f64,
    law: &impl Distribution<f64>,
    rng: &mut R,
) -> Result<Vec<f64>, Error> {
    if d == 0 {
        return Err(Error::Parameter {
            name: "d",
            value: 0.0,
            expected: "at least 1",
        });
    }
    let scale = (d as f64).powf(-power);
    let mut draw = || -> f64 { (0..d).map(|_| law.sample(rng)).map(|x| x * x).sum() };
    Ok((0..n).map(|_| scale * draw()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::moments::Moments;
    use crate::sample::{quantile, sorted};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn squared_gaussians_are_chi_squared() {
        let (n, d) = (20_000, 10);
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let draws = squared_gaussians(n, d, &mut rng).unwrap();
        let found = Moments::of(&draws).finalize().unwrap();
        // χ²_d/d: mean 1, variance 2/d, skewness √(8/d), excess kurtosis 12/d; the
        // variance of a sample variance is σ⁴(κ + 2)/n.
        let variance = 2.0 / d as f64;
        let mean_error = (variance / n as f64).sqrt();
        let variance_error = variance * ((12.0 / d as f64 + 2.0) / n as f64).sqrt();
        assert!((found.mean - 1.0).abs() < 4.0 * mean_error);
        assert!((found.variance.unwrap() - variance).abs() < 4.0 * variance_error);
        assert!((found.skewness.unwrap() - 0.8_f64.sqrt()).abs() < 0.1);
    }

    #[test]
    fn squared_stable_at_two_is_twice_the_gaussian() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let draws = squared_stable(20_000, 5, 2.0, &mut rng).unwrap();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        // Variance of 2·χ²_5/5 is 8/5.
        assert!((mean - 2.0).abs() < 4.0 * (1.6_f64 / 20_000.0).sqrt());
    }

    /// One squared Cauchy variable: the median of tan² is 1, its third quartile
    /// tan²(3π/8) = 3 + 2√2.
    #[test]
    fn squared_stable_in_one_dimension_is_a_squared_cauchy_variable() {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let draws = sorted(&squared_stable(40_000, 1, 1.0, &mut rng).unwrap());
        assert!((quantile(&draws, 0.5).ln()).abs() < 0.08);
        let upper = 3.0 + 8.0_f64.sqrt();
        assert!((quantile(&draws, 0.75) / upper).ln().abs() < 0.08);
    }

    /// The normalisation keeps the heavy sample at one scale: the median at d = 400
    /// is that at d = 100, up to sampling error.
    #[test]
    fn the_heavy_scale_does_not_depend_on_the_dimension() {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let mut median = |d| {
            quantile(
                &sorted(&squared_stable(4000, d, 1.5, &mut rng).unwrap()),
                0.5,
            )
        };
        let ratio: f64 = median(400) / median(100);
        assert!(ratio.ln().abs() < 0.1, "ratio {ratio}");
    }

    #[test]
    fn parameters_are_checked() {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        assert!(matches!(
            squared_gaussians(3, 0, &mut rng),
            Err(Error::Parameter { name: "d", .. })
        ));
        assert!(squared_stable(3, 0, 1.5, &mut rng).is_err());
        assert!(matches!(
            squared_stable(3, 2, 0.0, &mut rng),
            Err(Error::Parameter { name: "alpha", .. })
        ));
        assert!(squared_gaussians(0, 2, &mut rng).unwrap().is_empty());
    }
}
