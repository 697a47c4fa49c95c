//! A claim of the paper, and what was found of it here.
//!
//! | found | verdict |
//! |---|---|
//! | the effect that the paper reports, significantly | reproduced |
//! | an effect that is significantly below what would matter, or the opposite of what the paper reports | not reproduced |
//! | anything else: too few runs or gradients to say | undecided |
//!
//! What would matter is a margin, of the plan or of the claim. Effects are differences over seeds, and both verdicts
//! have a one-sided t-test at 2.5 %, so that they agree with the 95 % interval: reproduced where it lies above 0, not
//! reproduced where it lies below the margin. An effect that is significant counts however small it is. p-values
//! (doubled, as of a two-sided test) are adjusted for the number of claims that have one (Holm), those of either verdict
//! apart: with a margin at most one of the two hypotheses is true that they reject. What is then no longer significant is
//! undecided. A result at one size and on one data set says nothing of others.

use acclip_noise::stream::CoordinateSnapshot;
use acclip_noise::tail::hill::default_k;
use acclip_noise::tail::moment_estimator::moment_estimator;
use acclip_noise::{Diagnosis, Verdict as NoiseVerdict};
use acclip_train::compare::stats::{Paired, SIGNIFICANCE};
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
    /// The p-value of the verdict, where the test has one; of an undecided claim the smaller one.
    pub p: Option<f64>,
    /// The p-values that say that it holds, and that it does not.
    #[serde(skip)]
    pub(crate) sides: Option<[f64; 2]>,
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
            sides: None,
        }
    }

    /// "… has a heavier tail than …": the difference of their extreme-value indices over pairs of samples, a pair a seed.
    /// Of one pair there is no test over seeds, but a bootstrap interval, in which samples that are of the `same` batches
    /// are drawn together. Undecided where ties leave no index.
    pub fn heavier(
        statement: impl Into<String>,
        pairs: &[Samples],
        same: bool,
        margin: f64,
        generator: &mut dyn Rng,
    ) -> Self {
        let found = difference(pairs, same, generator);
        found.judged(statement, margin, by_interval, |paired| {
            [paired.above(0.0), paired.below(margin)]
        })
    }

    /// "The tail does not change from … to …": the difference, as in [`Claim::heavier`], lies within the margin, and not
    /// where it lies beyond.
    pub fn unchanged(
        statement: impl Into<String>,
        pairs: &[Samples],
        same: bool,
        margin: f64,
        generator: &mut dyn Rng,
    ) -> Self {
        let found = difference(pairs, same, generator);
        found.judged(statement, margin, within_interval, |paired| {
            let inside = [paired.above(-margin), paired.below(margin)];
            let beyond = [paired.above(margin), paired.below(-margin)];
            let of = |p: [Option<f64>; 2], pick: fn(f64, f64) -> f64| Some(pick(p[0]?, p[1]?));
            [of(inside, f64::max), of(beyond, f64::min)]
        })
    }

    /// "The entries of one gradient's noise look heavy-tailed when thrown together": their kurtosis is above 6, that of the
    /// double exponential law, tested over gradients of several seeds on the logarithm. What it is in each entry's own unit
    /// says whether more than scales is behind it.
    pub fn heavy_entries(
        statement: impl Into<String>,
        of: &str,
        found: &[&CoordinateSnapshot],
    ) -> Self {
        let raw: Vec<f64> = found
            .iter()
            .filter_map(|snapshot| snapshot.raw.excess_kurtosis)
            .collect();
        if raw.is_empty() || raw.len() < found.len() {
            return Self::unmeasured(statement, "the entries of the noise are all equal");
        }
        let list = |all: &[Option<f64>]| {
            let shown = |x: &Option<f64>| x.map_or("–".into(), |x| format!("{x:.2}"));
            all.iter().map(shown).collect::<Vec<String>>().join(", ")
        };
        let own = |s: &&CoordinateSnapshot| s.standardised.and_then(|own| own.excess_kurtosis);
        let effect = format!(
            "ln of the kurtosis over {DOUBLE_EXPONENTIAL} across the entries of {of}; excess kurtosis {}; in each entry's \
             own unit {}, where Gaussian noise has {}",
            list(&raw.iter().copied().map(Some).collect::<Vec<_>>()),
            list(&found.iter().map(own).collect::<Vec<_>>()),
            list(&[found[0].gaussian_excess_kurtosis])
        );
        let logs: Vec<f64> = raw
            .iter()
            .map(|excess| ((excess + 3.0) / DOUBLE_EXPONENTIAL).ln())
            .collect();
        match Paired::test(&logs, &vec![0.0; logs.len()]) {
            Some(paired) => Self::above_zero(statement, effect, &paired, 0.0),
            None => Self {
                verdict: match logs[0] > 0.0 {
                    true => Verdict::Reproduced,
                    false => Verdict::NotReproduced,
                },
                effect,
                n: found[0].raw.n as usize,
                of: "entries of one gradient".into(),
                ..Self::unmeasured(statement, "the sign; of one gradient there is no interval")
            },
        }
    }

    /// "… is above 0", from a paired difference over seeds.
    pub fn above_zero(
        statement: impl Into<String>,
        effect: impl Into<String>,
        paired: &Paired,
        margin: f64,
    ) -> Self {
        let p = [paired.above(0.0), paired.below(margin)];
        Self::tested(statement.into(), effect.into(), paired, margin, p)
    }

    /// A claim from the one-sided p-values that say that it holds, and that it does not.
    fn tested(
        statement: String,
        effect: String,
        paired: &Paired,
        margin: f64,
        p: [Option<f64>; 2],
    ) -> Self {
        let mut claim = Self {
            statement,
            verdict: Verdict::Undecided,
            effect,
            estimate: Some([paired.mean, paired.low, paired.high]),
            n: paired.n,
            of: "seeds".into(),
            test: format!("Student's t-tests over seeds; margin {margin}"),
            p: None,
            sides: None,
        };
        match p {
            [Some(holds), Some(fails)] => {
                claim.settle([holds, fails].map(|p| (2.0 * p).min(1.0)));
            }
            _ => {
                claim.test =
                    "all seeds have the same difference, and there is no spread to test by".into()
            }
        }
        claim
    }

    /// Sets the verdict by the p-values of either.
    pub(crate) fn settle(&mut self, [holds, fails]: [f64; 2]) {
        let (verdict, p) = match (holds < SIGNIFICANCE, fails < SIGNIFICANCE) {
            (true, _) => (Verdict::Reproduced, holds),
            (_, true) => (Verdict::NotReproduced, fails),
            _ => (Verdict::Undecided, holds.min(fails)),
        };
        (self.verdict, self.p, self.sides) = (verdict, Some(p), Some([holds, fails]));
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
            sides: None,
        }
    }
}

/// Reproduced where the interval lies above 0; not reproduced where it lies below the margin, which is at least 0.
fn by_interval([low, high]: [f64; 2], margin: f64) -> Verdict {
    match (low, high) {
        (low, _) if low > 0.0 => Verdict::Reproduced,
        (_, high) if high < margin => Verdict::NotReproduced,
        _ => Verdict::Undecided,
    }
}

/// Reproduced where the interval lies within the margin; not reproduced where it lies beyond.
fn within_interval([low, high]: [f64; 2], margin: f64) -> Verdict {
    match (low, high) {
        (low, high) if low > -margin && high < margin => Verdict::Reproduced,
        (low, high) if low > margin || high < -margin => Verdict::NotReproduced,
        _ => Verdict::Undecided,
    }
}

/// Kurtosis of the double exponential law, above which entries look heavy-tailed.
const DOUBLE_EXPONENTIAL: f64 = 6.0;

/// Resamples of a bootstrap.
const RESAMPLES: usize = 1000;

/// ξ of the first of a pair minus ξ of the second.
enum Difference {
    /// Over seeds.
    Seeds(Paired),
    /// Of a single one: estimate, the ends of the interval, the number of batches, and what was drawn.
    One([f64; 3], usize, &'static str),
    /// Nothing measured, or too many ties.
    None,
}

impl Difference {
    /// The claim: by tests over seeds, or by the interval of one.
    fn judged(
        self,
        statement: impl Into<String>,
        margin: f64,
        by_interval: fn([f64; 2], f64) -> Verdict,
        tests: impl Fn(&Paired) -> [Option<f64>; 2],
    ) -> Claim {
        let effect = "difference of extreme-value indices ξ = 1/α".to_string();
        match self {
            Self::Seeds(paired) => {
                Claim::tested(statement.into(), effect, &paired, margin, tests(&paired))
            }
            Self::One(estimate, n, drawn) => Claim {
                verdict: by_interval([estimate[1], estimate[2]], margin),
                effect,
                estimate: Some(estimate),
                n,
                of: "batches of each, of one seed".into(),
                ..Claim::unmeasured(
                    statement,
                    format!("bootstrap of {RESAMPLES} resamples of {drawn}; margin {margin}"),
                )
            },
            Self::None => Claim::unmeasured(statement, "nothing measured, or too many ties"),
        }
    }
}

fn difference(pairs: &[Samples], same: bool, generator: &mut dyn Rng) -> Difference {
    let own = pairs.iter().map(|(a, b)| Some([xi(a)?, xi(b)?]));
    let Some(own) = own.collect::<Option<Vec<[f64; 2]>>>() else {
        return Difference::None;
    };
    let (a, b): (Vec<f64>, Vec<f64>) = own.iter().map(|[a, b]| (*a, *b)).unzip();
    match (Paired::test(&a, &b), pairs) {
        (Some(paired), _) => Difference::Seeds(paired),
        (None, [pair]) => {
            let together = same && pair.0.len() == pair.1.len();
            let drawn = if together {
                "pairs of batches"
            } else {
                "batches"
            };
            let ends = bootstrap(pair, together, generator);
            ends.map_or(Difference::None, |[low, high]| {
                let n = pair.0.len().min(pair.1.len());
                Difference::One([a[0] - b[0], low, high], n, drawn)
            })
        }
        _ => Difference::None,
    }
}

fn xi(norms: &[f64]) -> Option<f64> {
    let found = moment_estimator(norms, default_k(norms.len())).ok()?;
    Some(found.xi.estimate)
}

/// The ends of a 95 % percentile interval of the difference of ξ.
fn bootstrap((a, b): &Samples, together: bool, generator: &mut dyn Rng) -> Option<[f64; 2]> {
    let mut draw =
        |n: usize| -> Vec<usize> { (0..n).map(|_| generator.random_range(0..n)).collect() };
    let take = |x: &[f64], places: &[usize]| -> Vec<f64> { places.iter().map(|i| x[*i]).collect() };
    let mut differences = Vec::new();
    for _ in 0..RESAMPLES {
        let places = draw(a.len());
        let others = match together {
            true => places.clone(),
            false => draw(b.len()),
        };
        let pair = (xi(&take(a, &places)), xi(&take(b, &others)));
        differences.extend(pair.0.zip(pair.1).map(|(a, b)| a - b));
    }
    if differences.len() < RESAMPLES / 2 {
        return None;
    }
    differences.sort_by(f64::total_cmp);
    let at = |share: f64| differences[((differences.len() - 1) as f64 * share).round() as usize];
    Some([at(0.025), at(0.975)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::snapshot;
    use acclip_data::{Purpose, rng};
    use acclip_noise::diagnose;

    /// Quantiles of a Pareto law with tail index `alpha`.
    fn pareto(alpha: f64, n: usize) -> Vec<f64> {
        let u = |i: usize| (i as f64 + 0.5) / n as f64;
        (0..n).map(|i| u(i).powf(-1.0 / alpha)).collect()
    }

    fn paired(mean: f64, reach: f64) -> Paired {
        Paired {
            n: 5,
            mean,
            low: mean - reach,
            high: mean + reach,
            p: f64::NAN,
        }
    }

    #[test]
    fn a_difference_is_judged_by_sign_significance_and_margin() {
        let claim = |mean, reach| Claim::above_zero("", "", &paired(mean, reach), 0.1);
        let verdict = |mean, reach| claim(mean, reach).verdict;
        assert_eq!(verdict(1.0, 0.5), Verdict::Reproduced);
        assert_eq!(verdict(-1.0, 0.5), Verdict::NotReproduced);
        assert_eq!(verdict(0.05, 1.0), Verdict::Undecided);
        assert_eq!(verdict(-0.01, 0.05), Verdict::NotReproduced, "surely small");
        assert_eq!(verdict(0.08, 0.09), Verdict::Undecided, "may be 0.17");
        // A verdict changes where an end of the interval passes 0 or the margin, and p is 5 % there.
        let edges = [
            (0.501, 0.5, Verdict::Reproduced),
            (0.499, 0.5, Verdict::Undecided),
            (-0.401, 0.5, Verdict::NotReproduced),
            (-0.399, 0.5, Verdict::Undecided),
        ];
        for (mean, reach, expected) in edges {
            let found = claim(mean, reach);
            assert_eq!(found.verdict, expected, "{mean}");
            assert!((found.p.unwrap() - 0.05).abs() < 0.001, "{found:?}");
        }
        // Equal differences have no spread, and say nothing of the next seed.
        for mean in [-1.0, 0.0, 1.0] {
            let found = claim(mean, 0.0);
            assert_eq!(
                (found.verdict, found.p),
                (Verdict::Undecided, None),
                "{mean}"
            );
        }
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

    /// The same batches vary together.
    #[test]
    fn pairs_of_batches_narrow_the_interval() {
        let a = pareto(3.0, 1000);
        let b: Vec<f64> = a.iter().map(|x| x.powf(0.9)).collect();
        let mut generator = rng::stream(0, Purpose::new("test"), 0, 0);
        let mut width = |same| {
            let claim = Claim::unchanged("", &[(&a, &b)], same, 0.1, &mut generator);
            let [_, low, high] = claim.estimate.unwrap();
            high - low
        };
        let [apart, together] = [false, true].map(&mut width);
        assert!(together < 0.3 * apart, "{together} {apart}");
    }

    /// Of several seeds their spread counts, not that of the batches.
    #[test]
    fn tails_of_several_seeds_are_tested_over_seeds() {
        let norms = [1.50, 1.52, 1.48, 3.0].map(|alpha| pareto(alpha, 1000));
        let light = pareto(20.0, 1000);
        let mut generator = rng::stream(0, Purpose::new("test"), 0, 0);
        let mut judged = |seeds: &[usize], margin| {
            let pairs: Vec<Samples> = seeds.iter().map(|i| (&*norms[*i], &*light)).collect();
            let heavier = Claim::heavier("", &pairs, true, margin, &mut generator);
            let unchanged = Claim::unchanged("", &pairs, true, margin, &mut generator);
            assert_eq!((heavier.n, &*heavier.of), (seeds.len(), "seeds"));
            assert_eq!(heavier.estimate, unchanged.estimate);
            (heavier.verdict, unchanged.verdict)
        };
        use Verdict::*;
        assert_eq!(judged(&[0, 1, 2], 0.1), (Reproduced, NotReproduced));
        assert_eq!(judged(&[0, 1, 2], 0.9), (Reproduced, Reproduced));
        // ξ is 0.67 and 0.33 above: with two seeds that far apart nothing is sure.
        assert_eq!(judged(&[0, 3], 0.1), (Undecided, Undecided));
        assert_eq!(judged(&[0, 0], 0.1), (Undecided, Undecided));
    }

    #[test]
    fn entries_look_heavy_beyond_the_double_exponential_law() {
        let judged = |excess: &[f64]| {
            let all: Vec<CoordinateSnapshot> = excess.iter().map(|x| snapshot(*x)).collect();
            Claim::heavy_entries("", "all layers", &all.iter().collect::<Vec<_>>())
        };
        let heavy = judged(&[100.0, 400.0, 150.0]);
        assert_eq!((heavy.verdict, heavy.n), (Verdict::Reproduced, 3));
        let mean = [103.0_f64, 403.0, 153.0]
            .map(|x| (x / 6.0).ln())
            .iter()
            .sum::<f64>()
            / 3.0;
        assert!((heavy.estimate.unwrap()[0] - mean).abs() < 1e-12);
        let said = "excess kurtosis 100.00, 400.00, 150.00; in each entry's own unit –, –, –, where Gaussian noise has 1.50";
        assert!(heavy.effect.ends_with(said), "{}", heavy.effect);
        assert_eq!(judged(&[0.1, 0.0, -0.1]).verdict, Verdict::NotReproduced);
        assert_eq!(judged(&[3.0, 3.3, 2.7]).verdict, Verdict::Undecided);
        let one = judged(&[3.1]);
        assert_eq!((one.verdict, one.n, one.p), (Verdict::Reproduced, 50, None));
        assert_eq!(judged(&[2.9]).verdict, Verdict::NotReproduced);
        assert_eq!(judged(&[]).verdict, Verdict::Undecided);
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
