//! What the noise norms allow to be said, and what follows for training.
//!
//! # The rule
//! With ξ the extreme-value index and α Hill's tail index, both at [`default_k`] and with
//! their 95 % intervals:
//! 1. fewer than 50 norms: *undecided*;
//! 2. *heavier than Gaussian*: the interval of ξ lies above 0, and the excess kurtosis above
//!    12;
//! 3. *light*: the interval of ξ lies below 1/4, and the excess kurtosis is at most 12;
//! 4. *infinite variance*: heavier than Gaussian, the interval of α below 2, ξ̂ above 1/2, and
//!    a lognormal law rejected at 1 %; *heavy, finite variance*: heavier than Gaussian, the
//!    interval of α above 2 and that of ξ below 1/2;
//! 5. *undecided* otherwise.
//!
//! Why 12: Gaussian noise with covariance eigenvalues λᵢ has ‖g − ∇f‖² = Σ λᵢ Zᵢ², whose excess
//! kurtosis is 12 Σλᵢ⁴/(Σλᵢ²)² ≤ 12, and ξ = 0; the root is lighter. So neither condition of
//! rule 2 can hold, in the limit, because a few coordinates are much noisier than the others:
//! unequal scales are not heavy tails. Conversely, exponential-looking norms are called light,
//! since such Gaussian noise has them. Why 1/4: below it the fourth moment exists, and the
//! kurtosis means something. Why a lognormal law: with a large σ it passes for a power law in
//! any sample of this size, and has all its moments. Outlier ratios, Mohammadi's index and the
//! max-to-sum ratio are reported and not used: the first depend on the covariance, the second
//! presumes a stable law, the third has no scale of its own at finite n.
//!
//! # How often it is right
//! Shares in %, 200 repetitions from seed 2020, by `cargo test --release -p acclip-noise
//! calibration -- --nocapture`; the last column is [`Diagnosis::heavier_than_gaussian`].
//!
//! | law of the norms | n | light | heavy, finite variance | infinite variance | undecided | heavier |
//! |---|---|---|---|---|---|---|
//! | Gaussian, d = 1000 | 50 / 200 / 1000 | 44.5 / 81 / 98.5 | 0 / 0 / 0 | 0 / 0 / 0 | 55.5 / 19 / 1.5 | 0 / 0 / 0 |
//! | Gaussian, d = 2 | 50 / 200 / 1000 | 40.5 / 72.5 / 96.5 | 0 / 0 / 0 | 0 / 0 / 0 | 59.5 / 27.5 / 3.5 | 0 / 0 / 0 |
//! | Gaussian, d = 1 | 50 / 200 / 1000 | 38 / 67.5 / 92.5 | 0 / 0 / 0 | 0 / 0 / 0 | 62 / 32.5 / 7.5 | 0 / 0 / 0 |
//! | Gaussian, d = 1000, log-normal scales, σ = 1 | 50 / 200 / 1000 | 30.5 / 47 / 83 | 0 / 0 / 0 | 0 / 0 / 0 | 69.5 / 53 / 17 | 0 / 0 / 0 |
//! | Gaussian, d = 300, log-normal scales, σ = 2.5 | 50 / 200 / 1000 | 43.5 / 74 / 97.5 | 0 / 0 / 0 | 0 / 0 / 0 | 56.5 / 26 / 2.5 | 0 / 0 / 0 |
//! | Gaussian, one coordinate over many small ones | 50 / 200 / 1000 | 18.5 / 35.5 / 57 | 0 / 0 / 2.5 | 0 / 0 / 0 | 81.5 / 64.5 / 40.5 | 0 / 0 / 3 |
//! | Pareto, α = 1.2 | 200 / 1000 / 5000 | 0.5 / 0 / 0 | 0 / 0 / 0 | 79.5 / 97.5 / 100 | 20 / 2.5 / 0 | 95 / 100 / 100 |
//! | Pareto, α = 1.5 | 200 / 1000 / 5000 | 1 / 0 / 0 | 0 / 0 / 0 | 38.5 / 72 / 98.5 | 60.5 / 28 / 1.5 | 85.5 / 100 / 100 |
//! | \|stable\|, α = 1.2 | 200 / 1000 / 5000 | 0 / 0 / 0 | 0 / 0 / 0 | 60.5 / 96.5 / 100 | 39.5 / 3.5 / 0 | 93 / 100 / 100 |
//! | \|stable\|, α = 1.5 | 200 / 1000 / 5000 | 0.5 / 0 / 0 | 0 / 0 / 0 | 10.5 / 31.5 / 89.5 | 89 / 68.5 / 10.5 | 77 / 100 / 100 |
//! | \|stable\|, α = 1.8 | 200 / 1000 / 5000 | 7.5 / 2.5 / 0 | 0 / 6 / 2.5 | 0 / 0 / 0 | 92.5 / 91.5 / 97.5 | 34.5 / 91 / 100 |
//! | Pareto, α = 1.5, plus 20 | 200 / 1000 / 5000 | 3 / 0 / 0 | 0 / 3.5 / 2 | 0 / 0 / 0 | 97 / 96.5 / 98 | 60.5 / 99 / 100 |
//! | \|Student t\|, ν = 3 | 200 / 1000 / 5000 | 9 / 2.5 / 0 | 0 / 12.5 / 82.5 | 0 / 0 / 0 | 91 / 85 / 17.5 | 34.5 / 78.5 / 100 |
//! | multivariate t, ν = 3, d = 1000 | 200 / 1000 / 5000 | 4.5 / 1.5 / 0 | 0 / 30 / 81 | 0 / 0 / 0 | 95.5 / 68.5 / 19 | 32.5 / 83.5 / 99 |
//! | Pareto, α = 3 | 200 / 1000 / 5000 | 6 / 1.5 / 0 | 0 / 32.5 / 83.5 | 0 / 0 / 0 | 94 / 66 / 16.5 | 28.5 / 82 / 100 |
//! | lognormal, σ = 0.5 | 200 / 1000 / 5000 | 28 / 48.5 / 82.5 | 0 / 5 / 3 | 0 / 0 / 0 | 72 / 46.5 / 14.5 | 0.5 / 5.5 / 3 |
//! | lognormal, σ = 1 | 200 / 1000 / 5000 | 4 / 1.5 / 0 | 0 / 2 / 66.5 | 0 / 0 / 0 | 96 / 96.5 / 33.5 | 42.5 / 81.5 / 99.5 |
//! | lognormal, σ = 2 | 200 / 1000 / 5000 | 1 / 0 / 0 | 0 / 0 / 0 | 2.5 / 2 / 2 | 96.5 / 98 / 98 | 97 / 100 / 100 |
//! | exponential | 200 / 1000 / 5000 | 31 / 55.5 / 94.5 | 0 / 0.5 / 0 | 0 / 0 / 0 | 69 / 44 / 5.5 | 1 / 0.5 / 0 |
//!
//! Known weaknesses: a tail index just below 2 passes for finite variance now and then
//! (|stable|, α = 1.8), since its power law begins beyond the sample; a power law on top of a
//! large constant stays undecided (plus 20); 200 norms seldom suffice. And the norms must be
//! independent and identically distributed: one frozen model, whole batches.
//!
//! [`default_k`]: crate::tail::hill::default_k

pub mod evidence;
mod judge;

use serde::{Deserialize, Serialize};

use crate::verdict::evidence::Evidence;
use crate::verdict::judge::{advice, heavier_than_gaussian, judge};
use crate::{Error, Interval};

/// Fewest norms for a verdict other than [`Verdict::Undecided`].
pub const MIN_NORMS: usize = 50;

/// What can be said about the tail of the noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No heavier than the norm of Gaussian noise may be, whatever its covariance.
    Light,
    /// Heavier than the norm of Gaussian noise, with finite variance.
    HeavyFiniteVariance,
    /// A power law with tail index below 2.
    InfiniteVariance,
    /// The sample does not tell. See the reason: it may still be clearly heavy.
    Undecided,
}

impl Verdict {
    /// The name that is used in files: `light`, `heavy-finite-variance`,
    /// `infinite-variance`, `undecided`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::HeavyFiniteVariance => "heavy-finite-variance",
            Self::InfiniteVariance => "infinite-variance",
            Self::Undecided => "undecided",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// A verdict with its grounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The verdict.
    pub verdict: Verdict,
    /// Whether the norms are significantly heavier than those of any Gaussian noise.
    /// May be true of an undecided sample, and is never true of a light one.
    pub heavier_than_gaussian: bool,
    /// Tail index α with its 95 % interval, after Hill; `None` unless the norms are
    /// heavier than Gaussian, since a light tail has no α.
    pub alpha: Option<Interval>,
    /// All numbers behind the verdict.
    pub evidence: Evidence,
    /// Why, in plain words.
    pub reason: String,
    /// What it means for training, in plain words.
    pub advice: String,
}

/// Diagnoses noise norms ‖gᵢ − ∇f‖ (shape: n ≥ 2, non-negative, any unit).
///
/// ```
/// # use acclip_noise::{Verdict, diagnose};
/// let norms = [1.02, 0.98, 1.01];
/// let diagnosis = diagnose(&norms)?;
/// assert_eq!(diagnosis.verdict, Verdict::Undecided);
/// assert!(diagnosis.reason.contains("3 norms"));
/// # Ok::<(), acclip_noise::Error>(())
/// ```
///
/// # Errors
/// [`Error::TooFew`] for fewer than 2 norms, [`Error::NotFinite`], [`Error::TooLarge`],
/// [`Error::Negative`]; [`Error::Constant`] if all norms are equal, zero included.
pub fn diagnose(norms: &[f64]) -> Result<Diagnosis, Error> {
    let evidence = Evidence::collect(norms)?;
    let heavier_than_gaussian = heavier_than_gaussian(&evidence).unwrap_or(false);
    let (verdict, reason) = judge(&evidence);
    Ok(Diagnosis {
        verdict,
        heavier_than_gaussian,
        alpha: evidence
            .hill
            .map(|hill| hill.alpha)
            .filter(|_| heavier_than_gaussian),
        evidence,
        reason,
        advice: advice(verdict, heavier_than_gaussian).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sixty norms, fifty-eight of them equal: nothing can be estimated, and nothing panics.
    #[test]
    fn ties_are_undecided() {
        let mut norms = [1.0; 60];
        norms[3] = 0.5;
        norms[4] = 0.7;
        let diagnosis = diagnose(&norms).unwrap();
        assert_eq!(diagnosis.verdict, Verdict::Undecided);
        assert!(!diagnosis.heavier_than_gaussian && diagnosis.alpha.is_none());
        assert!(diagnosis.reason.contains("equal"), "{}", diagnosis.reason);
    }

    #[test]
    fn alpha_is_given_only_for_heavy_tails_and_files_use_the_names() {
        let pareto: Vec<f64> = (1..=1000)
            .map(|i| (1000.0 / f64::from(i)).powf(0.8))
            .collect();
        let heavy = diagnose(&pareto).unwrap();
        assert_eq!(heavy.verdict, Verdict::InfiniteVariance);
        assert!(heavy.alpha.unwrap().contains(1.25));
        let uniform: Vec<f64> = (1..=1000).map(f64::from).collect();
        let light = diagnose(&uniform).unwrap();
        assert_eq!((light.verdict, light.alpha), (Verdict::Light, None));
        for verdict in [
            Verdict::Light,
            Verdict::HeavyFiniteVariance,
            Verdict::InfiniteVariance,
            Verdict::Undecided,
        ] {
            let json = serde_json::to_string(&verdict).unwrap();
            assert_eq!(json, format!("\"{verdict}\""));
        }
        let back: Diagnosis =
            serde_json::from_str(&serde_json::to_string(&heavy).unwrap()).unwrap();
        assert_eq!(back.verdict, heavy.verdict);
    }

    #[test]
    fn bad_input() {
        for norms in [&[][..], &[1.0]] {
            assert!(matches!(diagnose(norms), Err(Error::TooFew { .. })));
        }
        assert_eq!(diagnose(&[1.0, 2.0]).unwrap().verdict, Verdict::Undecided);
        for constant in [0.0, 0.3] {
            assert!(matches!(
                diagnose(&[constant; 99]),
                Err(Error::Constant { .. })
            ));
        }
        for bad in [f64::NAN, f64::INFINITY] {
            assert!(matches!(
                diagnose(&[1.0, bad]),
                Err(Error::NotFinite { index: 1, .. })
            ));
        }
        assert!(matches!(
            diagnose(&[1.0, -2.0]),
            Err(Error::Negative { index: 1, .. })
        ));
    }
}
