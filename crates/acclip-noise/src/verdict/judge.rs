//! The rule of [`crate::verdict`] in code, and its reasons.

use crate::Interval;
use crate::mixture::Mixtures;
use crate::verdict::evidence::Evidence;
use crate::verdict::{MIN_NORMS, Verdict};

/// Nats by which a heavier law must beat Gaussian noise (rule 2).
const AGAINST_GAUSSIAN: f64 = 3.0;
/// Largest excess kurtosis of a Gaussian noise norm (rule 3).
const LARGEST_GAUSSIAN_KURTOSIS: f64 = 12.0;
/// The extreme-value index from which on the fourth moment is infinite (α = 4).
const INFINITE_KURTOSIS_XI: f64 = 0.25;
/// √n times Kolmogorov's distance at which the best law is taken not to fit (rule 4).
const MISFIT: f64 = 1.25;
/// Weight of laws with infinite variance from which on the variance is called infinite (rule 4).
const INFINITE: f64 = 0.25;
/// Weight up to which it is called finite.
const FINITE: f64 = 0.1;
/// Level of the test that a sample must fail in order not to pass for lognormal (rule 5).
const SIGNIFICANCE: f64 = 0.01;

/// What the rule comes to.
pub(super) struct Judgement {
    pub verdict: Verdict,
    pub heavier_than_gaussian: bool,
    /// Tail index, if the norms are heavier than Gaussian.
    pub alpha: Option<Interval>,
    /// The sample size at which an undecided case may be decided; a guess, at most
    /// [`MOST`] times this one.
    pub norms_needed: Option<u64>,
    pub reason: String,
}

/// No more than this many times the sample is asked for.
const MOST: f64 = 1000.0;

/// Rules 1 to 5.
pub(super) fn judge(evidence: &Evidence) -> Judgement {
    let n = evidence.n;
    let undecided = |reason: String, factor: f64| Judgement {
        verdict: Verdict::Undecided,
        heavier_than_gaussian: false,
        alpha: None,
        norms_needed: Some((n as f64 * factor.clamp(1.1, MOST)).ceil() as u64),
        reason,
    };
    if n < MIN_NORMS {
        let reason = format!(
            "{n} norms are too few for a statement about tails; measure at least \
             {MIN_NORMS}, better 1000."
        );
        return undecided(reason, 1000.0 / n as f64);
    }
    let (Some(moment), Some(kurtosis), Some(outliers), Some(laws)) = (
        evidence.moment,
        evidence.excess_kurtosis,
        evidence.outliers,
        &evidence.mixtures,
    ) else {
        let reason = "Too many norms are equal for the estimators to be computed.".to_owned();
        return undecided(reason, 1.0);
    };
    let xi = moment.xi;
    let nats = laws.evidence_against_gaussian();
    let seen = format!(
        "excess kurtosis {kurtosis:.2}, {} extreme outliers among {n} norms, \
         extreme-value index {xi}",
        outliers.extreme
    );

    // Where no law fits, which of them is the least bad means nothing.
    let heavier = match laws.best().distance > MISFIT {
        true => kurtosis > LARGEST_GAUSSIAN_KURTOSIS,
        false => nats >= AGAINST_GAUSSIAN,
    };
    if heavier && xi.low > 0.0 {
        return heavy(evidence, laws, &seen);
    }
    if kurtosis <= LARGEST_GAUSSIAN_KURTOSIS && xi.high < INFINITE_KURTOSIS_XI {
        let whose = if kurtosis > 2.0 {
            "Gaussian noise with a few dominant coordinates"
        } else {
            "Gaussian noise"
        };
        return Judgement {
            verdict: Verdict::Light,
            heavier_than_gaussian: false,
            alpha: None,
            norms_needed: None,
            reason: format!("The norms are no heavier than those of {whose}: {seen}."),
        };
    }
    // The interval of ξ shrinks like k^{−1/2}, and k grows like n^{2/3}.
    let to_be_light = ((xi.high - xi.estimate) / (INFINITE_KURTOSIS_XI - xi.estimate)).powi(3);
    let to_be_heavy = ((xi.estimate - xi.low) / xi.estimate).powi(3);
    let nearer = match xi.estimate {
        x if x <= 0.0 => to_be_light,
        x if x >= INFINITE_KURTOSIS_XI => to_be_heavy,
        _ => to_be_light.min(to_be_heavy),
    };
    undecided(
        format!("Neither a Gaussian tail nor a heavier one is established: {seen}."),
        nearer,
    )
}

/// Rules 4 and 5, for norms that are heavier than Gaussian.
fn heavy(evidence: &Evidence, laws: &Mixtures, seen: &str) -> Judgement {
    let n = evidence.n as f64;
    let best = laws.best();
    let judgement =
        |verdict, alpha: Option<Interval>, reason: String, factor: Option<f64>| Judgement {
            verdict,
            heavier_than_gaussian: true,
            alpha,
            norms_needed: factor.map(|f| (n * f.clamp(1.1, MOST)).ceil() as u64),
            reason,
        };
    let clearly = format!("The norms are clearly heavier than those of Gaussian noise ({seen}).");
    if best.distance > MISFIT {
        return by_tail(evidence, laws, &clearly, judgement);
    }
    let weight = laws.infinite_variance;
    let percent = 100.0 * weight;
    let law = match best.alpha {
        Some(alpha) => format!("{}, α = {:.2}", best.mixing.title(), alpha.estimate),
        None => best.mixing.title().to_owned(),
    };
    let fits = format!(
        "{clearly} Of six laws of the norms the best is {law}; those with infinite variance have \
         {percent:.0} % of the weight"
    );
    let reached = evidence.moment.is_some_and(|m| m.xi.high >= 0.5);
    if weight >= INFINITE && reached {
        let reason = format!("{fits}.");
        judgement(Verdict::InfiniteVariance, laws.alpha, reason, None)
    } else if weight <= FINITE {
        let reason = format!("{fits}.");
        judgement(Verdict::HeavyFiniteVariance, laws.alpha, reason, None)
    } else {
        // Log-likelihood ratios grow like n.
        let odds = |p: f64| (p / (1.0 - p)).ln();
        let factor = odds(FINITE) / odds(weight).min(-1e-9);
        let but = match weight >= INFINITE {
            true => ", but the largest norms do not look like it",
            false => ", which leaves it open whether the variance is finite",
        };
        let reason = format!("{fits}{but}.");
        judgement(Verdict::Undecided, laws.alpha, reason, Some(factor))
    }
}

/// Rule 5: no law fits the whole sample, so only its largest values count.
fn by_tail(
    evidence: &Evidence,
    laws: &Mixtures,
    clearly: &str,
    judgement: impl Fn(Verdict, Option<Interval>, String, Option<f64>) -> Judgement,
) -> Judgement {
    let (Some(hill), Some(moment)) = (evidence.hill, evidence.moment) else {
        let reason = format!("{clearly} Too many norms are equal for a tail index.");
        return judgement(Verdict::Undecided, None, reason, Some(1.0));
    };
    let (alpha, xi) = (hill.alpha, moment.xi);
    let none = format!(
        "{clearly} No law fits the whole sample; of its largest values, the tail index is {alpha}"
    );
    let below = alpha.high < 2.0 && xi.estimate > 0.5;
    let above = alpha.low > 2.0 && xi.high < 0.5;
    let lognormal = evidence.lognormal_p.is_none_or(|p| p >= SIGNIFICANCE);
    // The interval shrinks like k^{−1/2}, and k grows like n^{2/3}.
    let shrink = ((alpha.high - alpha.estimate) / (alpha.estimate - 2.0).abs()).powi(3);
    let (verdict, reason, factor) = if below && !lognormal && laws.infinite_variance >= INFINITE {
        let reason = format!("{none}, below 2, and a lognormal law does not fit.");
        (Verdict::InfiniteVariance, reason, None)
    } else if above && laws.infinite_variance < INFINITE {
        let reason = format!("{none}, above 2.");
        (Verdict::HeavyFiniteVariance, reason, None)
    } else if below {
        let reason = format!("{none}, below 2, but laws of finite variance fit no worse.");
        (Verdict::Undecided, reason, Some(4.0))
    } else {
        let reason = format!("{none}, which leaves it open whether the variance is finite.");
        (Verdict::Undecided, reason, Some(shrink))
    };
    judgement(verdict, Some(alpha), reason, factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixture::{Fit, Mixing};
    use crate::pictures::outliers::Outliers;
    use crate::tail::hill::HillEstimate;
    use crate::tail::moment_estimator::MomentEstimate;

    fn interval((low, high): (f64, f64)) -> Interval {
        Interval {
            low,
            estimate: (low + high) / 2.0,
            high,
            level: 0.95,
        }
    }

    /// What the rule looks at.
    #[derive(Clone, Copy)]
    struct Seen {
        xi: (f64, f64),
        hill: (f64, f64),
        kurtosis: f64,
        /// By how many nats α-stable noise beats Gaussian noise.
        nats: f64,
        /// Weight of α-stable noise; the rest is lognormal.
        infinite: f64,
        distance: f64,
        lognormal_p: f64,
    }

    const HEAVY: Seen = Seen {
        xi: (0.32, 0.7),
        hill: (1.2, 1.9),
        kurtosis: 30.0,
        nats: 3.1,
        infinite: 0.26,
        distance: 1.2,
        lognormal_p: 0.009,
    };

    fn evidence(seen: Seen) -> Evidence {
        let delta = |weight: f64| -2.0 * (weight / seen.infinite.max(1.0 - seen.infinite)).ln();
        let fit = |mixing: Mixing| {
            let (delta_aic, weight) = match mixing {
                Mixing::Stable => (delta(seen.infinite), seen.infinite),
                Mixing::Lognormal => (delta(1.0 - seen.infinite), 1.0 - seen.infinite),
                Mixing::Gaussian => (2.0 * seen.nats, 0.0),
                _ => (100.0, 0.0),
            };
            Fit {
                mixing,
                scale: 1.0,
                dimension: 1.0,
                shape: 1.5,
                second_shape: 0.0,
                alpha: (mixing == Mixing::Stable).then(|| interval((1.4, 1.6))),
                log_likelihood: 0.0,
                delta_aic,
                weight,
                distance: seen.distance,
            }
        };
        Evidence {
            n: 1000,
            mean: 1.0,
            cv: 0.1,
            excess_kurtosis: Some(seen.kurtosis),
            hill: Some(HillEstimate {
                k: 100,
                alpha: interval(seen.hill),
            }),
            moment: Some(MomentEstimate {
                k: 100,
                xi: interval(seen.xi),
            }),
            mohammadi: None,
            outliers: Some(Outliers {
                mild: 3,
                extreme: 1,
                mild_ratio: 1.0,
                extreme_ratio: 1.0,
            }),
            max_to_sum: 0.01,
            lognormal_p: Some(seen.lognormal_p),
            mixtures: Some(Mixtures {
                fits: Mixing::ALL.map(fit).to_vec(),
                infinite_variance: seen.infinite,
                alpha: Some(interval((1.4, 1.6))),
            }),
        }
    }

    /// Each condition of the rule decides once.
    #[test]
    fn each_condition_of_the_rule_counts() {
        use Verdict::{HeavyFiniteVariance, InfiniteVariance, Light, Undecided};
        let light = Seen {
            xi: (-0.3, 0.24),
            kurtosis: 11.9,
            nats: 2.9,
            ..HEAVY
        };
        let misfit = Seen {
            distance: 1.3,
            ..HEAVY
        };
        let finite_tail = Seen {
            hill: (2.1, 3.0),
            xi: (0.1, 0.49),
            infinite: 0.2,
            ..misfit
        };
        let cases = [
            // Rule 3, and what stands in its way.
            (light, Light, false),
            (
                Seen {
                    xi: (-0.3, 0.26),
                    ..light
                },
                Undecided,
                false,
            ),
            (
                Seen {
                    kurtosis: 12.1,
                    ..light
                },
                Undecided,
                false,
            ),
            // Rule 2 takes both conditions.
            (Seen { nats: 3.1, ..light }, Light, false),
            (Seen { nats: 2.9, ..HEAVY }, Undecided, false),
            (
                Seen {
                    xi: (-0.1, 0.7),
                    ..HEAVY
                },
                Undecided,
                false,
            ),
            (
                Seen {
                    kurtosis: 11.9,
                    ..misfit
                },
                Undecided,
                false,
            ),
            (
                Seen {
                    nats: 0.1,
                    ..misfit
                },
                InfiniteVariance,
                true,
            ),
            // Rule 4.
            (HEAVY, InfiniteVariance, true),
            (
                Seen {
                    infinite: 0.24,
                    ..HEAVY
                },
                Undecided,
                true,
            ),
            (
                Seen {
                    xi: (0.1, 0.49),
                    ..HEAVY
                },
                Undecided,
                true,
            ),
            (
                Seen {
                    infinite: 0.11,
                    ..HEAVY
                },
                Undecided,
                true,
            ),
            (
                Seen {
                    infinite: 0.09,
                    ..HEAVY
                },
                HeavyFiniteVariance,
                true,
            ),
            // Rule 5.
            (misfit, InfiniteVariance, true),
            (
                Seen {
                    hill: (1.2, 2.1),
                    ..misfit
                },
                Undecided,
                true,
            ),
            (
                Seen {
                    xi: (0.2, 0.7),
                    ..misfit
                },
                Undecided,
                true,
            ),
            (
                Seen {
                    lognormal_p: 0.011,
                    ..misfit
                },
                Undecided,
                true,
            ),
            (
                Seen {
                    infinite: 0.24,
                    ..misfit
                },
                Undecided,
                true,
            ),
            (finite_tail, HeavyFiniteVariance, true),
            (
                Seen {
                    hill: (1.9, 3.0),
                    ..finite_tail
                },
                Undecided,
                true,
            ),
            (
                Seen {
                    xi: (0.1, 0.51),
                    ..finite_tail
                },
                Undecided,
                true,
            ),
            (
                Seen {
                    infinite: 0.26,
                    ..finite_tail
                },
                Undecided,
                true,
            ),
        ];
        for (i, (seen, verdict, heavier)) in cases.into_iter().enumerate() {
            let found = judge(&evidence(seen));
            assert_eq!(found.verdict, verdict, "case {i}: {}", found.reason);
            assert_eq!(found.heavier_than_gaussian, heavier, "case {i}");
            assert_eq!(found.alpha.is_some(), heavier, "case {i}");
            let undecided = verdict == Verdict::Undecided;
            assert_eq!(
                found.norms_needed.is_some_and(|n| n > 1000),
                undecided,
                "case {i}"
            );
        }
    }

    #[test]
    fn fifty_norms_are_needed() {
        let mut few = evidence(HEAVY);
        few.n = 49;
        let found = judge(&few);
        assert_eq!(found.verdict, Verdict::Undecided);
        assert!(
            found.reason.contains("49 norms are too few"),
            "{}",
            found.reason
        );
        assert_eq!(
            (found.heavier_than_gaussian, found.norms_needed),
            (false, Some(1000))
        );
        few.n = 50;
        assert_eq!(judge(&few).verdict, Verdict::InfiniteVariance);
    }

    /// Likelihood ratios grow like n: with odds of 2 to 8 against infinite variance, n must grow by
    /// ln 9/ln 4 for odds of 1 to 9.
    #[test]
    fn the_sample_that_may_decide_follows_the_odds() {
        let open = Seen {
            infinite: 0.2,
            ..HEAVY
        };
        let needed = judge(&evidence(open)).norms_needed.unwrap();
        assert_eq!(needed, (1000.0 * 9.0_f64.ln() / 4.0_f64.ln()).ceil() as u64);
        // The interval of ξ shrinks like n^{−1/3}.
        let wide = Seen {
            xi: (-0.5, 0.3),
            nats: 0.0,
            ..HEAVY
        };
        let needed = judge(&evidence(wide)).norms_needed.unwrap();
        let factor = (0.4_f64 / 0.35).powi(3);
        assert!(
            (needed as f64 / (1000.0 * factor) - 1.0).abs() < 0.01,
            "{needed}"
        );
    }

    #[test]
    fn reasons_name_the_law_and_the_odds() {
        let found = judge(&evidence(HEAVY));
        assert!(
            found.reason.contains("lognormal factor"),
            "{}",
            found.reason
        );
        assert!(
            found.reason.contains("26 % of the weight"),
            "{}",
            found.reason
        );
        let tail = judge(&evidence(Seen {
            distance: 2.0,
            ..HEAVY
        }));
        assert!(tail.reason.contains("No law fits"), "{}", tail.reason);
    }
}
