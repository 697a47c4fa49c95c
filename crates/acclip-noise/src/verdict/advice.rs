//! What a verdict means for training: optimizer, clip, threshold, and how often it will clip.
//!
//! The paper's Theorem 2 lets the threshold of global-norm clipping grow like K^{1/(3α−2)} over K
//! steps, so the share of gradients beyond it falls like
//!
//! ```text
//! p(K) = K^{−α/(3α−2)}          α = 2: 1/√K;   α = 1.5: K^{−3/5};   α → 1: 1/K
//! ```
//!
//! up to a constant that no one knows (it holds f(x₀) − f*, L and σ), which is set to 1. [`Advice`] takes
//! that share, with α of the verdict (2 if the variance is finite), as the target; the threshold is
//! the quantile of the measured gradient norms that leaves at least [`FEWEST`] norms above, and
//! the clip rate that it will give has a Beta distribution whatever the law of the norms: its interval
//! is exact for independent gradients like those that were measured.
//!
//! References: Zhang et al. (NeurIPS 2020), Theorem 2 with the exponent corrected; David & Nagaraja
//! (2003), §2.4, for the Beta law of coverages.

use super::Verdict;
use crate::interval::LEVEL;
use crate::sample::sorted;
use crate::{Error, Interval};
use serde::{Deserialize, Serialize};
use statrs::function::beta::beta_reg;

/// Norms above the threshold, at least.
pub const FEWEST: usize = 3;

/// How to clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clip {
    /// No need, on account of the noise.
    None,
    /// By the norm of the whole gradient.
    GlobalNorm,
    /// By the norm first; coordinate by coordinate (CClip, ACClip) is worth a comparison.
    GlobalNormThenCoordinate,
}

/// A threshold of the gradient norm, and how often it will clip.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// Clip gradients with a larger norm to this one; in the unit of the norms.
    pub max_norm: f64,
    /// Share of gradients that it clips, as long as they are like those measured.
    pub clip_rate: Interval,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// Optimizer family.
    pub optimizer: String,
    /// Kind of clip.
    pub clip: Clip,
    /// For clips by norm; where the kind is none, the threshold of a guard that hardly ever clips.
    pub threshold: Option<Threshold>,
    /// All this in plain words.
    pub text: String,
}

impl std::fmt::Display for Advice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.text)
    }
}

impl Threshold {
    /// The threshold for `steps` steps under a tail index of `alpha`, from the norms of gradients
    /// (n ≥ 20).
    ///
    /// # Errors
    /// [`Error::TooFew`], [`Error::NotFinite`], [`Error::TooLarge`], [`Error::Negative`].
    pub fn new(grad_norms: &[f64], alpha: f64, steps: u64) -> Result<Self, Error> {
        crate::sample::check_norms("a clipping threshold", grad_norms, 20)?;
        let n = grad_norms.len();
        let alpha = alpha.clamp(1.0, 2.0);
        let share = (steps.max(1) as f64).powf(-alpha / (3.0 * alpha - 2.0));
        let above = ((share * n as f64).round() as usize).clamp(FEWEST, n / 2);
        Ok(Self {
            max_norm: sorted(grad_norms)[n - above - 1],
            clip_rate: coverage_beyond(above, n),
        })
    }
}

/// Norms above from which on the Beta law is taken as normal.
const NORMAL_FROM: usize = 400;

/// Share of the law beyond the (n − k)-th of n order statistics: Beta(k + 1, n − k). Its ends are found by
/// halving, so the work is bounded whatever k and n are; from k = 400 on they are those of a normal law, off by less
/// than a hundredth of the share.
fn coverage_beyond(k: usize, n: usize) -> Interval {
    let (a, b) = ((k + 1) as f64, (n - k) as f64);
    let estimate = a / (a + b);
    if k >= NORMAL_FROM {
        return Interval::normal(
            estimate,
            (estimate * (1.0 - estimate) / (a + b + 1.0)).sqrt(),
        );
    }
    let quantile = |p: f64| {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..100 {
            let middle = 0.5 * (low + high);
            match beta_reg(a, b, middle) < p {
                true => low = middle,
                false => high = middle,
            }
        }
        low
    };
    Interval {
        low: quantile((1.0 - LEVEL) / 2.0),
        estimate,
        high: quantile((1.0 + LEVEL) / 2.0),
        level: LEVEL,
    }
}

impl Advice {
    /// Advice for a training run of `steps` steps; `grad_norms` are norms of gradients, if they are
    /// known (of the noise, if not: at initialisation the two are close).
    #[must_use]
    pub fn new(
        verdict: Verdict,
        heavier_than_gaussian: bool,
        alpha: Option<Interval>,
        grad_norms: &[f64],
        steps: u64,
    ) -> Self {
        let tail = match (verdict, alpha) {
            (Verdict::InfiniteVariance, Some(alpha)) => alpha.estimate,
            _ => 2.0,
        };
        // Light noise needs no clip: a guard is as high as the sample allows.
        let horizon = match verdict {
            Verdict::Light => u64::MAX,
            _ => steps,
        };
        let threshold = Threshold::new(grad_norms, tail, horizon).ok();
        let (optimizer, clip, words) = words(verdict, heavier_than_gaussian);
        let clause = threshold.map_or(String::new(), |t| {
            let rate = t.clip_rate;
            let what = match clip {
                Clip::None => " If you want a guard against spikes all the same, a threshold of",
                _ => " A threshold of",
            };
            format!(
                "{what} {} clips {:.1} % of gradients like these (95 % interval {:.1} to {:.1}).",
                four_digits(t.max_norm),
                100.0 * rate.estimate,
                100.0 * rate.low,
                100.0 * rate.high
            )
        });
        Self {
            optimizer: optimizer.to_owned(),
            clip,
            threshold,
            text: format!("{words}{clause}"),
        }
    }
}

/// Four significant digits, without an exponent where that is short.
fn four_digits(x: f64) -> String {
    let rounded: f64 = format!("{x:.3e}").parse().unwrap_or(x);
    match (1e-4..1e6).contains(&rounded) || rounded == 0.0 {
        true => rounded.to_string(),
        false => format!("{rounded:e}"),
    }
}

/// Optimizer family, clip, and plain words.
fn words(verdict: Verdict, heavier_than_gaussian: bool) -> (&'static str, Clip, &'static str) {
    match verdict {
        Verdict::Light => (
            "SGD with momentum or AdamW",
            Clip::None,
            "As far as the size of the noise goes, SGD with momentum and AdamW are both fine, and \
             nothing needs to be clipped on account of tails. Single coordinates, smaller batches or \
             later stages of training may differ: measure those too.",
        ),
        Verdict::HeavyFiniteVariance => (
            "SGD with momentum or AdamW, clipped",
            Clip::GlobalNorm,
            "Occasional large gradients are to be expected. Clipping by the global norm is cheap \
             protection; SGD still converges without it. A coordinate-wise rule may or may not do \
             better: compare under equal tuning.",
        ),
        Verdict::InfiniteVariance => (
            "clipped SGD with momentum, CClip, ACClip or clipped AdamW",
            Clip::GlobalNormThenCoordinate,
            "Plain SGD has no guarantee on the mean squared gradient here: clip. Try global-norm \
             clipping first, then coordinate-wise clipping (CClip, ACClip) or AdamW, and compare them \
             under equal tuning: theory favours coordinate-wise clipping when many coordinates carry \
             the noise, and no method wins everywhere.",
        ),
        Verdict::Undecided if heavier_than_gaussian => (
            "SGD with momentum or AdamW, clipped",
            Clip::GlobalNorm,
            "Treat the noise as heavy: clip by the global norm, and measure more norms, or larger and \
             smaller batches, before drawing conclusions about the variance.",
        ),
        Verdict::Undecided => (
            "no change",
            Clip::GlobalNorm,
            "Nothing follows for the choice of optimizer yet. Measure more norms; global-norm \
             clipping costs little in the meantime.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn numbers(n: u32) -> Vec<f64> {
        (1..=n).map(f64::from).collect()
    }

    #[test]
    fn thresholds_follow_the_exponent_of_theorem_2() {
        // α = 2: 1/√10⁴ = 1 %, ten of 1000 above.
        let square = Threshold::new(&numbers(1000), 2.0, 10_000).unwrap();
        assert_eq!(square.max_norm, 990.0);
        assert!((square.clip_rate.estimate - 11.0 / 1001.0).abs() < 1e-15);
        // α = 1.5: 10⁴ to the −3/5, 0.4 %.
        assert_eq!(
            Threshold::new(&numbers(1000), 1.5, 10_000)
                .unwrap()
                .max_norm,
            996.0
        );
        // Never fewer than three, never more than half.
        assert_eq!(
            Threshold::new(&numbers(100), 1.0, 10_000).unwrap().max_norm,
            97.0
        );
        assert_eq!(
            Threshold::new(&numbers(100), 2.0, 1).unwrap().max_norm,
            50.0
        );
    }

    /// The interval of the clip rate holds the true rate in 95 % of samples, of a law as heavy as one likes.
    #[test]
    fn the_clip_rate_is_what_it_says() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let held = (0..1000).filter(|_| {
            let norms: Vec<f64> = (0..200).map(|_| 1.0 / rng.random::<f64>()).collect();
            let threshold = Threshold::new(&norms, 2.0, 400).unwrap();
            threshold.clip_rate.contains(1.0 / threshold.max_norm)
        });
        let held = held.count();
        assert!((929..=971).contains(&held), "{held} of 1000"); // three standard errors
    }

    #[test]
    fn light_noise_gets_a_guard_and_heavy_noise_a_clip() {
        let norms = numbers(1000);
        let light = Advice::new(Verdict::Light, false, None, &norms, 100);
        assert_eq!(light.clip, Clip::None);
        assert_eq!(light.threshold.unwrap().max_norm, 997.0);
        assert!(light.text.contains("guard"));
        let heavy = Advice::new(Verdict::HeavyFiniteVariance, true, None, &norms, 100);
        assert_eq!(
            (heavy.clip, heavy.threshold.unwrap().max_norm),
            (Clip::GlobalNorm, 900.0)
        );
        let alpha = Interval {
            low: 1.2,
            estimate: 1.5,
            high: 1.8,
            level: 0.95,
        };
        let infinite = Advice::new(Verdict::InfiniteVariance, true, Some(alpha), &norms, 100);
        assert_eq!(infinite.clip, Clip::GlobalNormThenCoordinate);
        assert_eq!(infinite.threshold.unwrap().max_norm, 937.0); // 100^{−3/5} = 6.3 %
        let open = Advice::new(Verdict::Undecided, true, None, &norms, 100);
        assert!(open.text.contains("as heavy"));
        let few = Advice::new(Verdict::Undecided, false, None, &[1.0], 100);
        assert!(few.threshold.is_none() && !few.text.contains("threshold of"));
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 9.04921, 739.54, 1.23456e-7, 0.25, 123_456.0].map(four_digits);
        assert_eq!(shown, ["0", "9.049", "739.5", "1.235e-7", "0.25", "123500"]);
    }

    /// k, n, ends of the 95 % interval (scipy.stats.beta.ppf, SciPy 1.17.1), relative tolerance.
    const GOLDEN: [(usize, usize, f64, f64, f64); 6] = [
        (
            3,
            20,
            0.057_333_997_050_032_77,
            0.378_926_826_545_313_96,
            1e-9,
        ),
        (
            10,
            1_000,
            0.005_503_594_192_313_587,
            0.018_313_243_055_112_45,
            1e-9,
        ),
        (
            399,
            1_000,
            0.369_468_987_548_912_4,
            0.430_111_824_131_348_85,
            1e-9,
        ),
        (
            3,
            100_000_000,
            1.089_865_384_035_273e-8,
            8.767_272_822_906_876e-8,
            1e-6,
        ),
        (
            399,
            100_000_000,
            3.617_563_639_969_412e-6,
            4.401_375_779_153_116e-6,
            1e-6,
        ),
        (
            1_000_000,
            100_000_000,
            0.009_980_517_779_023_85,
            0.010_019_520_585_175_582,
            1e-6,
        ),
    ];

    /// Quantiles of Beta laws from SciPy, and samples of any size in bounded time.
    #[test]
    fn coverages_are_those_of_beta_laws() {
        for (k, n, low, high, tolerance) in GOLDEN {
            let found = coverage_beyond(k, n);
            assert!(
                (found.low / low - 1.0).abs() < tolerance,
                "{k} {n}: {found:?}"
            );
            assert!(
                (found.high / high - 1.0).abs() < tolerance,
                "{k} {n}: {found:?}"
            );
        }
    }

    #[test]
    fn bad_input() {
        assert!(matches!(
            Threshold::new(&[1.0; 19], 2.0, 9),
            Err(Error::TooFew { .. })
        ));
        assert!(Threshold::new(&[f64::NAN; 30], 2.0, 9).is_err());
        assert!(Threshold::new(&[-1.0; 30], 2.0, 9).is_err());
        let same = Threshold::new(&[1.0; 30], 0.1, 0).unwrap();
        assert_eq!(same.max_norm, 1.0);
    }
}
