//! The rule of [`crate::verdict`] in code, and its words.

use crate::verdict::evidence::Evidence;
use crate::verdict::{MIN_NORMS, Verdict};

/// Level of the test that a sample must fail in order not to pass for lognormal.
const SIGNIFICANCE: f64 = 0.01;

/// Least upper bound of the excess kurtosis of a Gaussian noise norm: see rule 2.
const LARGEST_GAUSSIAN_KURTOSIS: f64 = 12.0;

/// The extreme-value index from which on the fourth moment is infinite (α = 4).
const INFINITE_KURTOSIS_XI: f64 = 0.25;

/// The extreme-value index from which on the variance is infinite (α = 2).
const INFINITE_VARIANCE_XI: f64 = 0.5;

/// Rule 2. `None` if there are too few norms, or evidence is missing.
pub(crate) fn heavier_than_gaussian(evidence: &Evidence) -> Option<bool> {
    let power_law = evidence.moment?.xi.low > 0.0;
    let kurtosis = evidence.excess_kurtosis? > LARGEST_GAUSSIAN_KURTOSIS;
    (evidence.n >= MIN_NORMS).then_some(power_law && kurtosis)
}

/// Rules 1 to 5.
pub(crate) fn judge(evidence: &Evidence) -> (Verdict, String) {
    let n = evidence.n;
    if n < MIN_NORMS {
        let reason = format!(
            "{n} norms are too few for a statement about tails; measure at least \
             {MIN_NORMS}, better 1000."
        );
        return (Verdict::Undecided, reason);
    }
    let (Some(heavier), Some(hill), Some(moment), Some(kurtosis), Some(outliers)) = (
        heavier_than_gaussian(evidence),
        evidence.hill,
        evidence.moment,
        evidence.excess_kurtosis,
        evidence.outliers,
    ) else {
        let reason = "Too many norms are equal for the estimators to be computed.".to_owned();
        return (Verdict::Undecided, reason);
    };
    let (alpha, xi) = (hill.alpha, moment.xi);
    let seen = format!(
        "excess kurtosis {kurtosis:.2}, {} extreme outliers among {n} norms, \
         extreme-value index {xi}",
        outliers.extreme
    );

    if !heavier {
        return if kurtosis <= LARGEST_GAUSSIAN_KURTOSIS && xi.high < INFINITE_KURTOSIS_XI {
            let whose = if kurtosis > 2.0 {
                "Gaussian noise with a few dominant coordinates"
            } else {
                "Gaussian noise"
            };
            let reason = format!("The norms are no heavier than those of {whose}: {seen}.");
            (Verdict::Light, reason)
        } else {
            (
                Verdict::Undecided,
                format!("Neither a Gaussian tail nor a heavier one is established: {seen}."),
            )
        };
    }
    let power_law = alpha.high < 2.0 && xi.estimate > INFINITE_VARIANCE_XI;
    let lognormal = evidence.lognormal_p.is_none_or(|p| p >= SIGNIFICANCE);
    if power_law && lognormal {
        let reason = format!(
            "The norms are clearly heavier than those of Gaussian noise ({seen}) and \
             the tail index {alpha} lies below 2, but a lognormal law, whose variance \
             is finite, fits as well."
        );
        (Verdict::Undecided, reason)
    } else if power_law {
        let reason = format!(
            "The tail falls like a power law with index {alpha}, all below 2, and a \
             lognormal law does not fit: {seen}."
        );
        (Verdict::InfiniteVariance, reason)
    } else if alpha.low > 2.0 && xi.high < INFINITE_VARIANCE_XI {
        let reason = format!(
            "The norms are heavier than those of Gaussian noise ({seen}), but the \
             tail index {alpha} lies above 2."
        );
        (Verdict::HeavyFiniteVariance, reason)
    } else {
        let reason = format!(
            "The norms are clearly heavier than those of Gaussian noise ({seen}), but \
             the tail index {alpha} does not tell whether their variance is finite; \
             measure more norms."
        );
        (Verdict::Undecided, reason)
    }
}

/// What the verdict means for training.
pub(crate) fn advice(verdict: Verdict, heavier_than_gaussian: bool) -> &'static str {
    match verdict {
        Verdict::Light => {
            "As far as the size of the noise goes, SGD with momentum and AdamW are \
             both fine, and nothing needs to be clipped on account of tails. Single \
             coordinates, smaller batches or later stages of training may differ: \
             measure those too."
        }
        Verdict::HeavyFiniteVariance => {
            "Occasional large gradients are to be expected. Clipping by the global \
             norm, with a threshold near the typical gradient norm, is cheap \
             protection; SGD still converges without it. A coordinate-wise rule may \
             or may not do better: compare under equal tuning."
        }
        Verdict::InfiniteVariance => {
            "Plain SGD has no guarantee on the mean squared gradient here: clip. Try \
             global-norm clipping first, then coordinate-wise clipping (CClip, \
             ACClip) or AdamW, and compare them under equal tuning: theory favours \
             coordinate-wise clipping when few coordinates carry the noise, and no \
             method wins everywhere."
        }
        Verdict::Undecided if heavier_than_gaussian => {
            "Treat the noise as heavy: clip by the global norm, and measure more \
             norms, or larger and smaller batches, before drawing conclusions about \
             the variance."
        }
        Verdict::Undecided => {
            "Nothing follows for the choice of optimizer yet. Measure more norms; \
             global-norm clipping costs little in the meantime."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Interval;
    use crate::pictures::outliers::Outliers;
    use crate::tail::hill::HillEstimate;
    use crate::tail::moment_estimator::MomentEstimate;

    fn interval(low: f64, high: f64) -> Interval {
        Interval {
            low,
            estimate: (low + high) / 2.0,
            high,
            level: 0.95,
        }
    }

    /// Evidence with the four numbers that the rule looks at.
    fn evidence(alpha: (f64, f64), xi: (f64, f64), kurtosis: f64, lognormal_p: f64) -> Evidence {
        Evidence {
            n: 1000,
            mean: 1.0,
            cv: 0.1,
            excess_kurtosis: Some(kurtosis),
            hill: Some(HillEstimate {
                k: 100,
                alpha: interval(alpha.0, alpha.1),
            }),
            moment: Some(MomentEstimate {
                k: 100,
                xi: interval(xi.0, xi.1),
            }),
            mohammadi: None,
            outliers: Some(Outliers {
                mild: 3,
                extreme: 1,
                mild_ratio: 1.0,
                extreme_ratio: 1.0,
            }),
            max_to_sum: 0.01,
            lognormal_p: Some(lognormal_p),
        }
    }

    #[test]
    fn each_condition_of_the_rule_counts() {
        use Verdict::{HeavyFiniteVariance, InfiniteVariance, Light, Undecided};
        let (below, above) = ((1.2, 1.9), (2.1, 3.0));
        let cases = [
            // Light, and what stands in its way: ξ may be 1/4 or more, kurtosis above 12.
            (evidence(above, (-0.3, 0.24), 11.9, 0.5), Light, false),
            (evidence(above, (-0.3, 0.26), 11.9, 0.5), Undecided, false),
            (evidence(above, (-0.3, 0.24), 12.1, 0.5), Undecided, false),
            // A small α does not make a light tail heavy.
            (evidence(below, (-0.3, 0.24), 0.0, 0.0), Light, false),
            // Heavy with finite variance.
            (
                evidence(above, (0.01, 0.49), 12.1, 0.5),
                HeavyFiniteVariance,
                true,
            ),
            (evidence(above, (-0.01, 0.49), 12.1, 0.5), Undecided, false),
            (evidence(above, (0.01, 0.49), 11.9, 0.5), Undecided, false),
            (evidence(above, (0.01, 0.51), 12.1, 0.5), Undecided, true),
            (
                evidence((1.9, 3.0), (0.01, 0.49), 12.1, 0.5),
                Undecided,
                true,
            ),
            // Infinite variance.
            (
                evidence(below, (0.32, 0.7), 30.0, 0.009),
                InfiniteVariance,
                true,
            ),
            (
                evidence((1.2, 2.1), (0.32, 0.7), 30.0, 0.009),
                Undecided,
                true,
            ),
            (evidence(below, (0.28, 0.7), 30.0, 0.009), Undecided, true),
            (evidence(below, (0.32, 0.7), 30.0, 0.011), Undecided, true),
            (evidence(below, (0.32, 0.7), 11.0, 0.009), Undecided, false),
        ];
        for (evidence, verdict, heavier) in cases {
            assert_eq!(judge(&evidence).0, verdict, "{evidence:?}");
            assert_eq!(heavier_than_gaussian(&evidence), Some(heavier));
        }
    }

    #[test]
    fn fifty_norms_are_needed() {
        let mut few = evidence((1.2, 1.9), (0.5, 0.7), 30.0, 0.0);
        assert_eq!(judge(&few).0, Verdict::InfiniteVariance);
        few.n = 49;
        let (verdict, reason) = judge(&few);
        assert_eq!(verdict, Verdict::Undecided);
        assert!(reason.contains("49 norms are too few"), "{reason}");
        assert_eq!(heavier_than_gaussian(&few), None);
        few.n = 50;
        assert_eq!(judge(&few).0, Verdict::InfiniteVariance);
    }

    #[test]
    fn the_lognormal_alternative_is_named() {
        let (_, reason) = judge(&evidence((1.2, 1.9), (0.5, 0.7), 30.0, 0.2));
        assert!(reason.contains("lognormal"), "{reason}");
    }
}
