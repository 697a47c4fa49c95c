//! Does the second moment settle? The paper's "empirical variance against sample size".
//!
//! From noise norms Xᵢ = ‖gᵢ − ∇f‖, in the order in which they were measured:
//!
//! ```text
//! σ̂²(n) = (1/n) Σ_{i≤n} Xᵢ²            Rₙ = max_{i≤n} Xᵢ² / Σ_{i≤n} Xᵢ²
//! ```
//!
//! If E X² is finite, σ̂²(n) converges to it and Rₙ tends to 0 (and only then, for independent
//! draws). With tail index α < 2, σ̂²(n) grows like n^{2/α − 1}, in jumps, and Rₙ stays away
//! from 0: one draw carries a visible share of the total.
//!
//! References: Zhang et al. (NeurIPS 2020), figures 1(d), 1(h), 4; for the ratio O'Brien
//! (1980), "A limit theorem for sample maxima and heavy branches in Galton–Watson trees", and
//! Embrechts, Klüppelberg & Mikosch (1997), §6.2.6.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::sample::{check_norms, log_spaced};

/// The second moment of the first `n` norms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GrowthPoint {
    /// Length of the prefix.
    pub n: usize,
    /// σ̂²(n), in the square of the unit of the norms.
    pub variance: f64,
    /// Rₙ in [1/n, 1]; 0 while all norms are zero.
    pub max_to_sum: f64,
}

/// σ̂²(n) and Rₙ for up to `points` prefix lengths, evenly spaced in logarithm from 1
/// to `norms.len()`, the last always included.
///
/// # Errors
/// [`Error::TooFew`] without norms, [`Error::NotFinite`], [`Error::TooLarge`],
/// [`Error::Negative`], [`Error::Parameter`] for zero points.
pub fn variance_growth(norms: &[f64], points: usize) -> Result<Vec<GrowthPoint>, Error> {
    check_norms("variance growth", norms, 1)?;
    if points == 0 {
        return Err(Error::Parameter {
            name: "points",
            value: 0.0,
            expected: "at least 1",
        });
    }
    let (mut start, mut sum, mut max) = (0, 0.0, 0.0_f64);
    let growth = log_spaced(1, norms.len(), points)
        .into_iter()
        .map(|n| {
            for x in &norms[start..n] {
                sum += x * x;
                max = max.max(x * x);
            }
            start = n;
            GrowthPoint {
                n,
                variance: sum / n as f64,
                max_to_sum: if sum > 0.0 { max / sum } else { 0.0 },
            }
        })
        .collect();
    Ok(growth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stable::SymmetricStable;
    use rand::SeedableRng;
    use rand::distr::Distribution;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn prefixes_by_hand() {
        let growth = variance_growth(&[1.0, 3.0, 0.0, 2.0], 9).unwrap();
        let expected = [
            (1, 1.0, 1.0),
            (2, 5.0, 0.9),
            (3, 10.0 / 3.0, 0.9),
            (4, 3.5, 9.0 / 14.0),
        ];
        let got: Vec<_> = growth
            .iter()
            .map(|p| (p.n, p.variance, p.max_to_sum))
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn gaussian_settles_and_stable_does_not() {
        let last = |alpha: f64| {
            let mut rng = ChaCha8Rng::seed_from_u64(5);
            let law = SymmetricStable::new(alpha).unwrap();
            let norms: Vec<f64> = (0..100_000).map(|_| law.sample(&mut rng).abs()).collect();
            let growth = variance_growth(&norms, 6).unwrap();
            (growth[3].variance, growth[5])
        };
        // S(2) is N(0, 2): σ̂² within 5 standard errors, 2·√(2/n).
        let (_, gauss) = last(2.0);
        assert_eq!(gauss.n, 100_000);
        assert!((gauss.variance - 2.0).abs() < 5.0 * 2.0 * (2e-5_f64).sqrt());
        assert!(gauss.max_to_sum < 1e-3);
        let (at_1000, heavy) = last(1.2);
        assert!(heavy.variance > 3.0 * at_1000);
        assert!(heavy.max_to_sum > 0.05);
    }

    #[test]
    fn bad_input() {
        assert!(matches!(variance_growth(&[], 3), Err(Error::TooFew { .. })));
        assert!(matches!(
            variance_growth(&[1.0], 0),
            Err(Error::Parameter { name: "points", .. })
        ));
        assert!(matches!(
            variance_growth(&[1.0, -1.0], 3),
            Err(Error::Negative { index: 1, .. })
        ));
        assert!(variance_growth(&[f64::NAN], 3).is_err());
        assert!(variance_growth(&[f64::INFINITY, 1.0], 3).is_err());
        assert_eq!(variance_growth(&[2.0], 3).unwrap().len(), 1);
        let zeros = variance_growth(&[0.0; 3], 1).unwrap();
        assert_eq!((zeros[0].n, zeros[0].max_to_sum), (3, 0.0));
    }
}
