//! What the noise norms allow to be said, and what follows for training.
//!
//! # The rule
//! Six laws of noise norms are fitted ([`crate::mixture`]), and ξ is the extreme-value index of the
//! k = [`default_k`] largest norms with its 95 % interval.
//! 1. Fewer than 50 norms: *undecided*.
//! 2. *Heavier than Gaussian*: the interval of ξ lies above 0, and some law beats Gaussian noise by at least
//!    3 nats, after Akaike's penalty (where no law fits: the excess kurtosis is above 12).
//! 3. *Light*: not heavier, the interval of ξ lies below 1/4, and the excess kurtosis is at most 12.
//! 4. Heavier, and the best law fits (√n times Kolmogorov's distance at most 1.25): *infinite
//!    variance* if laws with α < 2 have at least a quarter of the Akaike weight and the interval of ξ reaches
//!    1/2; *heavy, finite variance* if they have at most a tenth of the weight.
//! 5. Heavier, and no law fits: *infinite variance* if the interval of Hill's α lies below 2, ξ̂
//!    above 1/2, a lognormal law is rejected at 1 %, and laws with α < 2 have a quarter of the weight;
//!    *heavy, finite variance* if they have less, the interval of α lies above 2 and that of ξ
//!    below 1/2.
//! 6. *Undecided* otherwise.
//!
//! Why two conditions in rule 2: Gaussian noise of *any* covariance has ξ = 0, and its norms are of
//! the first law, or nearly (a sum of squares of unequal scales is taken as two groups of equal ones).
//! Either estimate may be off; a heavy verdict needs both. Why 12: the squared norm Σ λᵢ Zᵢ² of such noise
//! has excess kurtosis 12 Σλᵢ⁴/(Σλᵢ²)² ≤ 12. Why 1/4: below it the fourth moment exists, and the kurtosis
//! means something. Why laws of the whole sample at all: α-stable noise with α = 1.5 follows its power law only far
//! out, and from 1000 norms no tail index excludes 2 in nine samples of ten; but no law
//! of finite variance among the six bends the way it does.
//!
//! "Infinite variance" means *consistent with*: a finite sample proves no tail. Outlier ratios,
//! Mohammadi's index and the max-to-sum ratio are reported and not used: the first depend on the
//! covariance, the second presumes a stable law, the third has no scale of its own at finite n.
//!
//! # How often it is right
//! CALIBRATION
//!
//! [`default_k`]: crate::tail::hill::default_k

pub mod advice;
pub mod battery;
pub mod causes;
pub mod evidence;
pub mod gradients;
mod judge;

use serde::{Deserialize, Serialize};

use crate::{Error, Interval};
use advice::Advice;
use evidence::Evidence;
use judge::judge;

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

/// Training steps that advice is for, unless another number is given.
pub const STEPS: u64 = 10_000;

/// A verdict with its grounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The verdict.
    pub verdict: Verdict,
    /// Whether the norms are significantly heavier than those of any Gaussian noise.
    /// May be true of an undecided sample, and is never true of a light one.
    pub heavier_than_gaussian: bool,
    /// Tail index α with its interval (rule 4: the best law's, and the union over all plausible laws;
    /// rule 5: Hill's); `None` unless the norms are heavier than Gaussian and the best law has one.
    pub alpha: Option<Interval>,
    /// If undecided: how many norms in all may decide, by how fast the intervals shrink and the
    /// likelihood ratios grow. A guess.
    pub norms_needed: Option<u64>,
    /// All numbers behind the verdict.
    pub evidence: Evidence,
    /// Why, in plain words.
    pub reason: String,
    /// What it means for training.
    pub advice: Advice,
}

impl Diagnosis {
    /// The same with advice for `steps` training steps, whose threshold is one of `grad_norms`
    /// (norms of gradients, not of the noise).
    #[must_use]
    pub fn advised(mut self, grad_norms: &[f64], steps: u64) -> Self {
        let heavier = self.heavier_than_gaussian;
        self.advice = Advice::new(self.verdict, heavier, self.alpha, grad_norms, steps);
        self
    }
}

/// Diagnoses noise norms ‖gᵢ − ∇f‖ (shape: n ≥ 2, non-negative, any unit).
///
/// The threshold in the advice is one of these norms, for [`STEPS`] training steps; see
/// [`Diagnosis::advised`].
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
    let judgement = judge(&evidence);
    let (verdict, heavier) = (judgement.verdict, judgement.heavier_than_gaussian);
    Ok(Diagnosis {
        verdict,
        heavier_than_gaussian: heavier,
        alpha: judgement.alpha,
        norms_needed: judgement.norms_needed,
        evidence,
        reason: judgement.reason,
        advice: Advice::new(verdict, heavier, judgement.alpha, norms, STEPS),
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
