//! A claim of the paper, and what was found of it here.
//!
//! | found | verdict |
//! |---|---|
//! | the effect that the paper reports, significantly | reproduced |
//! | the opposite, significantly; or an effect that is surely smaller than what would matter | not reproduced |
//! | anything else: too few runs or gradients to say | undecided |
//!
//! "Surely" and "significantly" are at the 5 % level, by the 95 % interval; claims with a p-value are adjusted for their
//! number (Holm), and one that is then no longer significant is undecided. An effect that is significant counts
//! however small it is. What would matter is a margin, of the plan or of the claim. A result at one size and on one data
//! set says nothing of others.

use acclip_noise::stream::CoordinateSnapshot;
use acclip_noise::tail::hill::default_k;
use acclip_noise::tail::moment_estimator::moment_estimator;
use acclip_noise::{Diagnosis, Verdict as NoiseVerdict};
use acclip_train::compare::stats::Paired;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The effect is here, too.
    Reproduced,
    /// It is not, or the opposite is.
    NotReproduced,
    /// What was measured does not say.
    Undecided,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Verdict::Reproduced => "reproduced",
            Verdict::NotReproduced => "not reproduced",
            Verdict::Undecided => "undecided",
        })
    }
}

/// Two samples of noise norms that are compared.
pub type Samples<'a> = (&'a [f64], &'a [f64]);

/// A claim, and the evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// What the paper says.
    pub statement: String,
    /// What was found of it.
    pub verdict: Verdict,
    /// What the effect is a difference or an index of.
    pub effect: String,
    /// Its estimate, with the ends of its 95 % interval.
    pub estimate: Option<[f64; 3]>,
    /// How many of what it rests on.
    pub n: usize,
    /// What n counts.
    pub of: String,
    /// How it was decided.
    pub test: String,
    /// The p-value, where the test has one.
    pub p: Option<f64>,
}

impl Claim {
    /// "The noise of … has infinite variance", from a diagnosis of its norms.
    pub fn infinite_variance(statement: impl Into<String>, found: &Diagnosis) -> Self {
        Self::of_noise(statement.into(), found, |verdict| match verdict {
            NoiseVerdict::InfiniteVariance => Verdict::Reproduced,
            NoiseVerdict::Light | NoiseVerdict::HeavyFiniteVariance => Verdict::NotReproduced,
            NoiseVerdict::Undecided => Verdict::Undecided,
        })
    }

    /// "The noise of … is light-tailed", from a diagnosis of its norms.
    pub fn light(statement: impl Into<String>, found: &Diagnosis) -> Self {
        Self::of_noise(statement.into(), found, |verdict| match verdict {
            NoiseVerdict::Light => Verdict::Reproduced,
            NoiseVerdict::InfiniteVariance | NoiseVerdict::HeavyFiniteVariance => {
                Verdict::NotReproduced
            }
            NoiseVerdict::Undecided if found.heavier_than_gaussian => Verdict::NotReproduced,
            NoiseVerdict::Undecided => Verdict::Undecided,
        })
    }

    fn of_noise(
        statement: String,
        found: &Diagnosis,
        judge: impl Fn(NoiseVerdict) -> Verdict,
    ) -> Self {
        let xi = found.evidence.moment.map(|m| m.xi);
        Self {
            statement,
            verdict: judge(found.verdict),
            effect: "extreme-value index ξ = 1/α of the noise norms".into(),
            estimate: xi.map(|xi| [xi.estimate, xi.low, xi.high]),
            n: found.evidence.n,
            of: "batches".into(),
            test: format!("laws of the whole sample: {}", found.verdict),
            p: None,
        }
    }

    /// "… has a heavier tail than …": the difference of their extreme-value indices, the mean over pairs of samples, a
    /// pair a seed, with a bootstrap interval. Where both samples of a pair are of the same batches, `same` resamples
    /// them together. Undecided where ties leave no index.
    pub fn heavier(
        statement: impl Into<String>,
        pairs: &[Samples],
        same: bool,
        margin: f64,
        generator: &mut dyn Rng,
    ) -> Self {
        let Some(estimate) = bootstrap_difference(pairs, same, generator) else {
            return Self::unmeasured(statement, "nothing measured, or too many ties");
        };
        let together = if same { "pairs of batches" } else { "batches" };
        Self {
            statement: statement.into(),
            verdict: by_interval(estimate[1], estimate[2], margin),
            effect: "difference of extreme-value indices ξ = 1/α".into(),
            estimate: Some(estimate),
            n: pairs.iter().map(|(a, b)| a.len().min(b.len())).sum(),
            of: format!("batches of each over {} seeds", pairs.len()),
            test: format!("bootstrap of {RESAMPLES} resamples of {together}; margin {margin}"),
            p: None,
        }
    }

    /// "The tail does not change from … to …": the difference, as in [`Claim::heavier`], lies within the margin.
    pub fn unchanged(
        statement: impl Into<String>,
        pairs: &[Samples],
        same: bool,
        margin: f64,
        generator: &mut dyn Rng,
    ) -> Self {
        let claim = Self::heavier(statement, pairs, same, margin, generator);
        let verdict = match claim.estimate {
            Some([_, low, high]) if low > -margin && high < margin => Verdict::Reproduced,
            Some([_, low, high]) if low > 0.0 || high < 0.0 => Verdict::NotReproduced,
            _ => Verdict::Undecided,
        };
        Self { verdict, ..claim }
    }

    /// "The entries of one gradient's noise look heavy-tailed when thrown together": their excess kurtosis is above 3,
    /// that of the double exponential law. What it is in each entry's own unit says whether more than scales is behind it.
    pub fn heavy_entries(
        statement: impl Into<String>,
        layer: &str,
        found: Option<&CoordinateSnapshot>,
    ) -> Self {
        let raw = found.and_then(|found| Some((found, found.raw.excess_kurtosis?)));
        let Some((found, raw)) = raw else {
            return Self::unmeasured(statement, "the entries of the noise are all equal");
        };
        let shown = |x: Option<f64>| x.map_or("–".into(), |x| format!("{x:.2}"));
        let own = found.standardised.and_then(|s| s.excess_kurtosis);
        Self {
            statement: statement.into(),
            verdict: match raw > HEAVY_KURTOSIS {
                true => Verdict::Reproduced,
                false => Verdict::NotReproduced,
            },
            effect: format!(
                "excess kurtosis {raw:.2} across the entries of {layer}; in each entry's own unit {}, where Gaussian noise \
                 has {}",
                shown(own),
                shown(found.gaussian_excess_kurtosis)
            ),
            estimate: None,
            n: found.raw.n as usize,
            of: "entries of one gradient".into(),
            test: format!("above {HEAVY_KURTOSIS}, that of the double exponential law"),
            p: None,
        }
    }

    /// "… is above 0", from a paired difference over seeds.
    pub fn above_zero(
        statement: impl Into<String>,
        effect: impl Into<String>,
        paired: &Paired,
        margin: f64,
    ) -> Self {
        Self {
            statement: statement.into(),
            verdict: by_interval(paired.low, paired.high, margin),
            effect: effect.into(),
            estimate: Some([paired.mean, paired.low, paired.high]),
            n: paired.n,
            of: "seeds".into(),
            test: format!("Student's paired t-test; margin {margin}"),
            p: Some(paired.p),
        }
    }

    /// A claim of which a run diverged or nothing could be measured.
    pub fn unmeasured(statement: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            statement: statement.into(),
            verdict: Verdict::Undecided,
            effect: "–".into(),
            estimate: None,
            n: 0,
            of: "–".into(),
            test: why.into(),
            p: None,
        }
    }
}

/// Reproduced where the interval lies above 0; not reproduced where it lies below the margin, which is at least 0.
fn by_interval(low: f64, high: f64, margin: f64) -> Verdict {
    match (low, high) {
        (low, _) if low > 0.0 => Verdict::Reproduced,
        (_, high) if high < margin => Verdict::NotReproduced,
        _ => Verdict::Undecided,
    }
}

/// Excess kurtosis above which entries look heavy-tailed.
const HEAVY_KURTOSIS: f64 = 3.0;

/// Resamples of a bootstrap.
const RESAMPLES: usize = 1000;

/// ξ of the first minus ξ of the second, the mean over pairs, with a percentile interval.
fn bootstrap_difference(
    pairs: &[Samples],
    same: bool,
    generator: &mut dyn Rng,
) -> Option<[f64; 3]> {
    let xi = |x: &[f64]| Some(moment_estimator(x, default_k(x.len())).ok()?.xi.estimate);
    let mean = |differences: Vec<f64>| -> f64 {
        differences.iter().sum::<f64>() / differences.len() as f64
    };
    let own = pairs.iter().map(|(a, b)| Some(xi(a)? - xi(b)?));
    let estimate = mean(
        own.collect::<Option<Vec<f64>>>()
            .filter(|d| !d.is_empty())?,
    );
    let mut draw =
        |n: usize| -> Vec<usize> { (0..n).map(|_| generator.random_range(0..n)).collect() };
    let take = |x: &[f64], places: &[usize]| -> Vec<f64> { places.iter().map(|i| x[*i]).collect() };
    let mut resample = |(a, b): &Samples| -> Option<f64> {
        let places = draw(a.len());
        let others = match same && a.len() == b.len() {
            true => places.clone(),
            false => draw(b.len()),
        };
        Some(xi(&take(a, &places))? - xi(&take(b, &others))?)
    };
    let mut differences: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let of_pairs: Option<Vec<f64>> = pairs.iter().map(&mut resample).collect();
            of_pairs.map(mean)
        })
        .collect();
    if differences.len() < RESAMPLES / 2 {
        return None;
    }
    differences.sort_by(f64::total_cmp);
    let at = |share: f64| differences[((differences.len() - 1) as f64 * share).round() as usize];
    Some([estimate, at(0.025), at(0.975)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use acclip_data::{Purpose, rng};
    use acclip_noise::diagnose;

    /// Quantiles of a Pareto law with tail index `alpha`.
    fn pareto(alpha: f64, n: usize) -> Vec<f64> {
        let u = |i: usize| (i as f64 + 0.5) / n as f64;
        (0..n).map(|i| u(i).powf(-1.0 / alpha)).collect()
    }

    fn paired(mean: f64, reach: f64, p: f64) -> Paired {
        Paired {
            n: 5,
            mean,
            low: mean - reach,
            high: mean + reach,
            p,
        }
    }

    #[test]
    fn a_difference_is_judged_by_sign_significance_and_margin() {
        let verdict =
            |mean, reach, p| Claim::above_zero("", "", &paired(mean, reach, p), 0.1).verdict;
        assert_eq!(verdict(1.0, 0.5, 0.01), Verdict::Reproduced);
        assert_eq!(verdict(-1.0, 0.5, 0.01), Verdict::NotReproduced);
        assert_eq!(verdict(0.05, 1.0, 0.8), Verdict::Undecided);
        assert_eq!(
            verdict(-0.01, 0.05, 0.6),
            Verdict::NotReproduced,
            "surely small"
        );
        assert_eq!(verdict(0.08, 0.09, 0.07), Verdict::Undecided, "may be 0.17");
    }

    #[test]
    fn noise_is_judged_by_the_claim_about_it() {
        let heavy = diagnose(&pareto(1.2, 2000)).unwrap();
        let even: Vec<f64> = (0..2000).map(|i| 1.0 + f64::from(i) / 1e4).collect();
        let light = diagnose(&even).unwrap();
        let of = |found| {
            let infinite = Claim::infinite_variance("", found).verdict;
            (infinite, Claim::light("", found).verdict)
        };
        assert_eq!(of(&heavy), (Verdict::Reproduced, Verdict::NotReproduced));
        assert_eq!(of(&light), (Verdict::NotReproduced, Verdict::Reproduced));
    }

    #[test]
    fn the_heavier_tail_is_found_in_one_order_and_refused_in_the_other() {
        let (heavy, light) = (pareto(1.5, 1000), pareto(20.0, 1000));
        let mut generator = rng::stream(0, Purpose::new("test"), 0, 0);
        let mut verdict = |a: &[f64], b: &[f64], margin| {
            let claim = Claim::heavier("", &[(a, b)], false, margin, &mut generator);
            let [estimate, low, high] = claim.estimate.unwrap();
            assert!(low < estimate && estimate < high, "{claim:?}");
            claim.verdict
        };
        assert_eq!(verdict(&heavy, &light, 0.1), Verdict::Reproduced);
        assert_eq!(verdict(&light, &heavy, 0.1), Verdict::NotReproduced);
        assert_eq!(verdict(&light, &light, 1e-6), Verdict::Undecided);
        assert_eq!(verdict(&light, &light, 10.0), Verdict::NotReproduced);
        let even: &[f64] = &[1.0; 99];
        for pairs in [&[(even, even)][..], &[]] {
            let claim = Claim::heavier("", pairs, false, 0.1, &mut generator);
            assert_eq!((claim.verdict, claim.estimate), (Verdict::Undecided, None));
        }
    }

    /// The same batches vary together, and several seeds narrow the interval by the root of their number.
    #[test]
    fn pairs_and_seeds_narrow_the_interval() {
        let a = pareto(3.0, 1000);
        let b: Vec<f64> = a.iter().map(|x| x.powf(0.9)).collect();
        let mut generator = rng::stream(0, Purpose::new("test"), 0, 0);
        let mut width = |pairs: &[Samples], same| {
            let claim = Claim::unchanged("", pairs, same, 0.1, &mut generator);
            let [_, low, high] = claim.estimate.unwrap();
            high - low
        };
        let (a, b) = (&a[..], &b[..]);
        let [apart, together] = [false, true].map(|same| width(&[(a, b)], same));
        assert!(together < 0.3 * apart, "{together} {apart}");
        let four = width(&[(a, b); 4], false);
        assert!((0.4..0.6).contains(&(four / apart)), "{four} {apart}");
    }

    #[test]
    fn a_tail_is_unchanged_within_the_margin() {
        let (heavy, light) = (pareto(1.5, 1000), pareto(20.0, 1000));
        let mut generator = rng::stream(0, Purpose::new("test"), 0, 0);
        let mut verdict = |a: &[f64], b: &[f64], same, margin| {
            Claim::unchanged("", &[(a, b)], same, margin, &mut generator).verdict
        };
        assert_eq!(verdict(&light, &light, true, 0.01), Verdict::Reproduced);
        assert_eq!(verdict(&light, &light, false, 0.01), Verdict::Undecided);
        assert_eq!(verdict(&heavy, &light, false, 0.1), Verdict::NotReproduced);
        assert_eq!(verdict(&light, &heavy, false, 0.1), Verdict::NotReproduced);
    }
}
