//! The tail index of a stable law from sums over blocks, after Mohammadi et al.
//!
//! A sum of m independent symmetric α-stable variables is distributed as m^{1/α} times one of
//! them. So cut the K values into K/m blocks of m and compare logarithms of sums and of values:
//!
//! ```text
//! 1/α̂(m) = (1/ln m) [ (m/K) Σᵢ ln|Yᵢ| − (1/K) Σᵢ ln|Xᵢ| ],      Yᵢ = sum of block i
//! α̂      = median of α̂(m) over the divisors m of K with 1 < m < √K
//! ```
//!
//! This is the estimator behind the tail indices of Simsekli et al. (2019) and of this paper's
//! appendix H. It answers one question, *which α if stable*, and has biases to know:
//!
//! - **Uncentred norms give 1.** Noise norms are positive, so Yᵢ ≈ m Xᵢ and α̂ ≈ 1, even if the
//!   norms are almost constant. Hence the [`Centring`]: subtract the **mean**, because sums of
//!   values with mean zero are what converges to a (stable or normal) law. The median is not
//!   enough for a skewed sample, such as norms: what is left of the mean, times m, outgrows the
//!   spread m^{1/α}. It is right for symmetric samples with α ≤ 1, where the mean does not
//!   exist.
//! - **Unequal scales look heavy.** Pool normal coordinates whose standard deviations are
//!   lognormal, e^{sZ}: every coordinate has α = 2, and so has every sum of them in the limit. The
//!   estimate is 1.26 ± 0.03, 0.86 ± 0.07, 0.90 ± 0.09 for s = 1, 2, 3 (mean and standard deviation
//!   over samples of 10⁴ values in random order; 2.00 ± 0.05 for equal scales). Estimate coordinate
//!   by coordinate, or on norms minus their mean.
//! - **It presumes a stable law**, and identical ones. A mixture of normal variables with
//!   unequal scales in blocks, or any heavy tail with finite variance, gives a value below 2
//!   that is no tail index.
//! - **It depends on the order** of the values, which should be independent. Shuffle a sample
//!   that is sorted.
//! - It can exceed 2, by chance or where neighbours are negatively correlated, which centring
//!   causes a little.
//!
//! Departures from the published code: blocks are taken from K cut down to the next number with
//! at least three such divisors (at most a few trailing values are lost), and an |X| or |Y|
//! below 2⁻⁵² max|X| counts as that, where the code adds 2⁻⁵²; so the estimate does not depend
//! on the unit.
//!
//! References: Mohammadi, Mohammadpour & Ogata (2015), "On estimating the tail index and the
//! spectral measure of multivariate α-stable distributions", Metrika 78; Simsekli, Sagun &
//! Gürbüzbalaban (2019).

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::sample::{check, quantile, sorted};

/// What is subtracted from every value first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Centring {
    /// Nothing. Only for values whose law is known to be symmetric about zero.
    None,
    /// The sample mean: for norms, and whatever else may be skewed.
    Mean,
    /// The sample median: for symmetric samples with α ≤ 1.
    Median,
}

/// Fewest values: 24 is the first number with three divisors m, 1 < m < √24.
pub const MIN_VALUES: usize = 24;

/// Tail index α̂ of `values` (shape: K ≥ 24), about 2 for light tails.
///
/// # Errors
/// [`Error::TooFew`], [`Error::NotFinite`], [`Error::TooLarge`]; [`Error::Constant`] if nothing is left
/// after centring, or if block sums do not grow with the blocks, so that no α exists.
pub fn mohammadi(values: &[f64], centring: Centring) -> Result<f64, Error> {
    const WHAT: &str = "Mohammadi's estimator";
    check(WHAT, values, MIN_VALUES)?;
    let centre = match centring {
        Centring::None => 0.0,
        Centring::Mean => values.iter().sum::<f64>() / values.len() as f64,
        Centring::Median => quantile(&sorted(values), 0.5),
    };
    let constant = values.iter().all(|&x| x == values[0]);
    let centred: Vec<f64> = values.iter().map(|x| x - centre).collect();
    let largest = centred.iter().fold(0.0_f64, |a, x| a.max(x.abs()));
    if largest == 0.0 || (constant && centring != Centring::None) {
        return Err(Error::Constant { what: WHAT });
    }
    let floor = largest * f64::EPSILON;

    let (used, block_lengths) = blocks(centred.len());
    let x = &centred[..used];
    let single = mean_log(x.iter().copied(), floor);
    let inverses: Vec<f64> = block_lengths
        .iter()
        .map(|&m| {
            let sums = x.chunks_exact(m).map(|block| block.iter().sum());
            (mean_log(sums, floor) - single) / (m as f64).ln()
        })
        .collect();
    // The median of α̂(m) = 1/inverse, where a non-positive inverse stands for α = ∞.
    let alphas: Vec<f64> = inverses
        .iter()
        .map(|&inverse| {
            if inverse > 0.0 {
                1.0 / inverse
            } else {
                f64::INFINITY
            }
        })
        .collect();
    let median = quantile(&sorted(&alphas), 0.5);
    if median.is_finite() {
        Ok(median)
    } else {
        Err(Error::Constant { what: WHAT })
    }
}

/// Mean of ln|y|, with |y| not below `floor`.
fn mean_log(values: impl ExactSizeIterator<Item = f64>, floor: f64) -> f64 {
    let n = values.len() as f64;
    values.map(|y| y.abs().max(floor).ln()).sum::<f64>() / n
}

/// The largest number up to `k` with at least three divisors 1 < m < √·, and those
/// divisors. `k` is at least [`MIN_VALUES`].
fn blocks(k: usize) -> (usize, Vec<usize>) {
    (MIN_VALUES..=k)
        .rev()
        .map(|k| {
            (
                k,
                (2..k)
                    .take_while(|m| m * m < k)
                    .filter(|m| k.is_multiple_of(*m))
                    .collect(),
            )
        })
        .find(|(_, divisors): &(usize, Vec<usize>)| divisors.len() >= 3)
        .unwrap_or((k, vec![2]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::reference::squared_gaussians;
    use crate::stable::SymmetricStable;
    use rand::SeedableRng;
    use rand::distr::Distribution;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::StandardNormal;

    fn stable(alpha: f64, n: usize) -> Vec<f64> {
        let rng = ChaCha8Rng::seed_from_u64(11);
        let law = SymmetricStable::new(alpha).unwrap();
        law.sample_iter(rng).take(n).collect()
    }

    /// Bound for the error of one estimate, at n = 20 000: about four standard deviations.
    const ERROR: f64 = 0.06;

    #[test]
    fn finds_the_index_of_stable_laws() {
        for alpha in [1.0, 1.2, 1.5, 1.8, 2.0] {
            let x = stable(alpha, 20_000);
            for centring in [Centring::None, Centring::Median] {
                let found = mohammadi(&x, centring).unwrap();
                assert!(
                    (found - alpha).abs() < ERROR,
                    "{centring:?}: {found}, not {alpha}"
                );
            }
            // The mean of a Cauchy sample is as wild as one draw: left out at α = 1.
            if alpha > 1.1 {
                let found = mohammadi(&x, Centring::Mean).unwrap();
                assert!((found - alpha).abs() < ERROR, "mean: {found}, not {alpha}");
            }
        }
    }

    /// Concentrated, light norms: 1 when not centred, about 2 when centred.
    #[test]
    fn uncentred_norms_look_cauchy_and_centred_ones_normal() {
        let mut rng = ChaCha8Rng::seed_from_u64(12);
        let squares = squared_gaussians(10_000, 400, &mut rng).unwrap();
        let norms: Vec<f64> = squares.iter().map(|x| x.sqrt()).collect();
        let trap = mohammadi(&norms, Centring::None).unwrap();
        assert!((trap - 1.0).abs() < 1e-3, "{trap}");
        let centred = mohammadi(&norms, Centring::Mean).unwrap();
        assert!((centred - 2.0).abs() < 0.1, "{centred}");
    }

    /// Exponential values are light; the distance of the median from the mean drags the estimate down.
    #[test]
    fn the_median_is_not_enough_for_skewed_values() {
        let mut rng = ChaCha8Rng::seed_from_u64(13);
        let x: Vec<f64> = rand_distr::Exp1
            .sample_iter(&mut rng)
            .take(10_000)
            .collect();
        let mean = mohammadi(&x, Centring::Mean).unwrap();
        let median = mohammadi(&x, Centring::Median).unwrap();
        assert!(mean > 1.7 && median < 1.5, "{mean}, {median}");
    }

    /// The figures of the module doc: means over 20 samples of 10⁴, to four standard errors.
    #[test]
    fn unequal_scales_look_heavy() {
        let mut rng = ChaCha8Rng::seed_from_u64(14);
        for (sd, expected, error) in [
            (0.0, 2.0, 0.05),
            (1.0, 1.26, 0.03),
            (2.0, 0.86, 0.07),
            (3.0, 0.9, 0.09),
        ] {
            let mut sum = 0.0;
            for _ in 0..20 {
                let mut z = || -> f64 { StandardNormal.sample(&mut rng) };
                let pooled: Vec<f64> = (0..10_000).map(|_| (sd * z()).exp() * z()).collect();
                sum += mohammadi(&pooled, Centring::Mean).unwrap();
            }
            let found = sum / 20.0;
            assert!(
                (found - expected).abs() < 4.0 * error / 20.0_f64.sqrt(),
                "{sd}: {found}"
            );
        }
    }

    #[test]
    fn the_unit_does_not_matter() {
        let x = stable(1.5, 996);
        let scaled: Vec<f64> = x.iter().map(|x| x * 1e-20).collect();
        let (a, b) = (
            mohammadi(&x, Centring::Mean),
            mohammadi(&scaled, Centring::Mean),
        );
        assert!((a.unwrap() - b.unwrap()).abs() < 1e-9);
    }

    #[test]
    fn block_lengths() {
        assert_eq!(blocks(24), (24, vec![2, 3, 4]));
        assert_eq!(blocks(1000), (1000, vec![2, 4, 5, 8, 10, 20, 25]));
        // Primes, squares of primes and the like lose a few values; m² = K is excluded.
        assert_eq!(blocks(997), (996, vec![2, 3, 4, 6, 12]));
        assert_eq!(blocks(50), (48, vec![2, 3, 4, 6]));
        assert_eq!(blocks(36), (36, vec![2, 3, 4]));
    }

    #[test]
    fn bad_input() {
        for n in [0, 1, 2, 23] {
            assert!(matches!(
                mohammadi(&vec![1.0; n], Centring::Mean),
                Err(Error::TooFew { needed: 24, .. })
            ));
        }
        for constant in [0.0, 0.1] {
            for centring in [Centring::Mean, Centring::Median] {
                assert!(matches!(
                    mohammadi(&[constant; 30], centring),
                    Err(Error::Constant { .. })
                ));
            }
        }
        assert!(mohammadi(&[0.0; 30], Centring::None).is_err());
        // Alternating values cancel in blocks of two: sums do not grow.
        let zigzag: Vec<f64> = (0..48)
            .map(|i| if i % 2 == 0 { 1.0 } else { -1.0 })
            .collect();
        assert!(matches!(
            mohammadi(&zigzag, Centring::Mean),
            Err(Error::Constant { .. })
        ));
        for bad in [f64::NAN, f64::INFINITY] {
            let mut x = stable(1.5, 30);
            x[3] = bad;
            assert!(matches!(
                mohammadi(&x, Centring::Mean),
                Err(Error::NotFinite { index: 3, .. })
            ));
        }
    }
}
