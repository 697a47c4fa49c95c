//! If SGD lags behind Adam: is heavy noise the cause, or something that looks like it?
//!
//! | [`Cause`] | evidence | reference |
//! |---|---|---|
//! | `HeavyNoise` | the verdict on ‖g − ∇f‖, or on single coordinates | Zhang et al. (2020) |
//! | `UnequalScales` | across the entries of one gradient the noise looks heavy, but not in units of each entry's own standard deviation | Xie et al. (2023) |
//! | `TokenFrequency` | most classes are rare, and together they are frequent; single coordinates are heavy in the tables of tokens but not elsewhere | Kunstner et al. (2024) |
//! | `FullBatch` | the noise of a batch is smaller than its mean gradient | Kunstner et al. (2023) |
//!
//! These are not exclusive. Each finding says what was seen and whether it speaks for the cause; none
//! proves it, since a proof takes training runs.

use super::Verdict;
use crate::pictures::noise_scale::NoiseScale;
use crate::stream::CoordinateSnapshot;
use crate::{Error, sample::check_norms};
use serde::{Deserialize, Serialize};

/// What may make SGD lag behind Adam and sign-like methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Heavy-tailed gradient noise.
    HeavyNoise,
    /// Scales that differ across coordinates.
    UnequalScales,
    /// Heavy-tailed class imbalance: the frequency of tokens.
    TokenFrequency,
    /// What happens with full batches too.
    FullBatch,
}

/// Evidence for or against a cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The cause.
    pub cause: Cause,
    /// Whether the evidence speaks for it.
    pub likely: bool,
    /// What was seen, in plain words.
    pub text: String,
}

/// How often the classes occur.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Frequencies {
    /// Number of classes that occur.
    pub classes: usize,
    /// Share of all occurrences that belong to classes which make up less than [`RARE`] each.
    pub rare_share: f64,
    /// Occurrences of the most frequent class over those of the median class.
    pub imbalance: f64,
}

/// A class with a smaller share of all occurrences is rare.
pub const RARE: f64 = 1e-3;
/// Share of rare classes, and imbalance, from which on the imbalance is heavy-tailed.
const HEAVY_IMBALANCE: (f64, f64) = (0.25, 100.0);
/// Excess kurtosis above which a sample across entries looks heavy.
const LOOKS_HEAVY: f64 = 12.0;

impl Frequencies {
    /// From the number of occurrences of each class; zeros are ignored.
    ///
    /// # Errors
    /// [`Error::TooFew`] without a class, [`Error::NotFinite`], [`Error::TooLarge`], [`Error::Negative`];
    /// [`Error::Constant`] if all counts are 0.
    pub fn new(counts: &[f64]) -> Result<Self, Error> {
        const WHAT: &str = "the frequency of classes";
        check_norms(WHAT, counts, 1)?;
        let mut counts: Vec<f64> = counts.iter().copied().filter(|&c| c > 0.0).collect();
        counts.sort_by(f64::total_cmp);
        let (Some(&most), Some(&median)) = (counts.last(), counts.get(counts.len() / 2)) else {
            return Err(Error::Constant { what: WHAT });
        };
        let all: f64 = counts.iter().sum();
        let rare = counts.iter().take_while(|&&c| c < RARE * all);
        let rare = rare.fold(0.0, |sum, c| sum + c); // an empty sum would be −0
        Ok(Self {
            classes: counts.len(),
            rare_share: rare / all,
            imbalance: most / median,
        })
    }

    /// Whether most classes are rare, and together frequent.
    #[must_use]
    pub fn heavy(&self) -> bool {
        self.rare_share >= HEAVY_IMBALANCE.0 && self.imbalance >= HEAVY_IMBALANCE.1
    }
}

/// The verdicts on the noise: of its norm, and of single coordinates outside tables if they were followed.
pub(super) fn heavy_noise(norm: Verdict, coordinates: Option<Verdict>) -> Finding {
    let single = coordinates.map_or(String::new(), |v| {
        format!(", that of single coordinates is {v}")
    });
    Finding {
        cause: Cause::HeavyNoise,
        likely: is_heavy(norm) || coordinates.is_some_and(is_heavy),
        text: format!("The noise of the whole gradient is {norm}{single}."),
    }
}

/// Noise across the entries of one gradient, raw and standardised.
pub(super) fn unequal_scales(snapshot: &CoordinateSnapshot, layer: &str) -> Option<Finding> {
    let raw = snapshot.raw.excess_kurtosis?;
    let standardised = snapshot.standardised?.excess_kurtosis?;
    let likely = raw > LOOKS_HEAVY && standardised < LOOKS_HEAVY;
    let meaning = match (raw > LOOKS_HEAVY, likely) {
        (false, _) => "entries do not look heavy within a gradient",
        (true, true) => "scales differ across entries; that is not heavy noise",
        (true, false) => "entries look heavy even in units of their own scale",
    };
    Some(Finding {
        cause: Cause::UnequalScales,
        likely,
        text: format!(
            "Across the entries of one gradient ({layer}) the excess kurtosis of the noise is {raw:.1}, and \
             {standardised:.1} in units of each entry's own standard deviation: {meaning}."
        ),
    })
}

/// Whether a layer of this name is a table with a row for each class or token, by the names that Hugging Face,
/// PyTorch, fairseq, Transformer-XL and Llama models use.
#[must_use]
pub fn is_table(name: &str) -> bool {
    const NAMES: [&str; 10] = [
        "word_embedding",
        "word_emb.emb_layers",
        "embed_tokens",
        "tok_embedding",
        "token_embedding",
        "wte",
        "lm_head",
        "predictions.bias",
        "predictions.decoder",
        "embedding.weight",
    ];
    NAMES.iter().any(|table| name.contains(table))
}

/// Token frequencies; single coordinates of tables beside others, and those that hardly ever move.
pub(super) fn token_frequency(
    frequencies: Option<&Frequencies>,
    elsewhere: Option<Verdict>,
    in_tables: Option<Verdict>,
    sparse: (usize, usize),
) -> Finding {
    let mut seen = Vec::new();
    if let Some(f) = frequencies {
        seen.push(format!(
            "{:.0} % of all tokens belong to classes with less than {} % each, and the most frequent class \
             is {:.0} times as frequent as the median one",
            100.0 * f.rare_share,
            100.0 * RARE,
            f.imbalance
        ));
    }
    if let Some(verdict) = in_tables {
        let other = elsewhere.map_or("unknown".into(), |v| v.to_string());
        seen.push(format!(
            "single coordinates of token tables are {verdict}, of other layers {other}"
        ));
    }
    let (still, followed) = sparse;
    seen.push(format!(
        "{still} of {followed} coordinates are the same in half of the gradients"
    ));
    let apart = in_tables.is_some_and(is_heavy) && !elsewhere.is_some_and(is_heavy);
    let likely = frequencies.is_some_and(Frequencies::heavy) || apart || 4 * still > followed;
    let meaning = match likely {
        true => "rare classes learn slowly under SGD whatever the noise",
        false => "no sign of heavy-tailed class imbalance",
    };
    Finding {
        cause: Cause::TokenFrequency,
        likely,
        text: format!("{}: {meaning}.", capitalised(&seen.join("; "))),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

fn is_heavy(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::HeavyFiniteVariance | Verdict::InfiniteVariance
    )
}

/// Noise beside signal.
pub(super) fn full_batch(scale: &NoiseScale) -> Finding {
    let ratio = scale.batches();
    let likely = ratio.is_some_and(|ratio| ratio < 1.0);
    let text = match ratio {
        Some(ratio) => format!(
            "tr Σ/‖∇f‖² is {ratio:.3} in batches of this size: {}.",
            match likely {
                true => {
                    "a batch's gradient is mostly signal, so what sets optimizers apart here is \
                     likely to show with full batches too"
                }
                false => "noise dominates a batch's gradient",
            }
        ),
        None => {
            "The noise drowns the mean gradient: ‖∇f‖ cannot be told from 0 with so few batches."
                .to_owned()
        }
    };
    Finding {
        cause: Cause::FullBatch,
        likely,
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::moments::Summary;

    #[test]
    fn zipf_is_heavy_and_balance_is_not() {
        let zipf: Vec<f64> = (1..=10_000).map(|k| (1e6 / f64::from(k)).floor()).collect();
        let heavy = Frequencies::new(&zipf).unwrap();
        // Σ 1/k from k ≈ 103 on, over Σ 1/k: (ln 10⁴ − ln 102)/(ln 10⁴ + 0.577) = 0.468.
        assert!((heavy.rare_share - 0.468).abs() < 0.01, "{heavy:?}");
        assert!((heavy.imbalance - 5000.0).abs() < 30.0, "{heavy:?}");
        assert!(heavy.heavy());
        assert!(!Frequencies::new(&[5000.0; 10]).unwrap().heavy());
        // Many classes, all rare, none frequent: not imbalance.
        assert!(!Frequencies::new(&[7.0; 5000]).unwrap().heavy());
        // A frequent class beside few rare ones: most occurrences are common.
        assert!(!Frequencies::new(&[1e6, 1.0, 1.0]).unwrap().heavy());
    }

    #[test]
    fn counts_are_checked() {
        assert!(matches!(Frequencies::new(&[]), Err(Error::TooFew { .. })));
        assert!(matches!(
            Frequencies::new(&[0.0; 3]),
            Err(Error::Constant { .. })
        ));
        assert!(matches!(
            Frequencies::new(&[1.0, -1.0]),
            Err(Error::Negative { .. })
        ));
        assert!(Frequencies::new(&[f64::NAN]).is_err());
        assert_eq!(Frequencies::new(&[0.0, 4.0]).unwrap().classes, 1);
    }

    #[test]
    fn scales_are_the_cause_only_if_standardising_helps() {
        let summary = |kurtosis: f64| Summary {
            n: 100,
            mean: 0.0,
            variance: Some(1.0),
            skewness: Some(0.0),
            excess_kurtosis: Some(kurtosis),
            min: -1.0,
            max: 1.0,
        };
        let found = |raw: f64, standardised: f64| {
            let snapshot = CoordinateSnapshot {
                others: 99,
                raw: summary(raw),
                standardised: Some(summary(standardised)),
                gaussian_excess_kurtosis: None,
                still: 0,
                alone: 0,
                raw_sample: vec![],
                standardised_sample: vec![],
            };
            unequal_scales(&snapshot, "dense").unwrap()
        };
        assert!(found(500.0, 0.3).likely);
        assert!(!found(500.0, 400.0).likely && !found(3.0, 0.3).likely);
        assert!(found(500.0, 0.3).text.contains("dense"));
    }

    #[test]
    fn noise_below_the_signal_points_to_full_batches() {
        let scale = |trace, squared_mean| NoiseScale {
            trace,
            squared_mean,
        };
        assert!(full_batch(&scale(0.5, 1.0)).likely);
        assert!(!full_batch(&scale(2.0, 1.0)).likely);
        let drowned = full_batch(&scale(2.0, -0.1));
        assert!(!drowned.likely && drowned.text.contains("drowns"));
    }

    #[test]
    fn heavy_coordinates_count_even_if_the_norm_is_light() {
        use Verdict::{InfiniteVariance, Light, Undecided};
        assert!(heavy_noise(Light, Some(InfiniteVariance)).likely);
        assert!(heavy_noise(InfiniteVariance, None).likely);
        assert!(!heavy_noise(Undecided, Some(Light)).likely);
    }

    #[test]
    fn tables_that_are_heavier_than_the_rest_point_to_tokens() {
        use Verdict::{HeavyFiniteVariance, Light};
        let likely = |elsewhere, tables, sparse| {
            token_frequency(None, Some(elsewhere), tables, (sparse, 64)).likely
        };
        assert!(likely(Light, Some(HeavyFiniteVariance), 0));
        assert!(!likely(HeavyFiniteVariance, Some(HeavyFiniteVariance), 0));
        assert!(!likely(Light, Some(Light), 16) && !likely(Light, None, 0));
        assert!(likely(Light, None, 17));
        let balanced = Frequencies::new(&[5.0; 9]).unwrap();
        let found = token_frequency(Some(&balanced), None, None, (0, 0));
        assert!(!found.likely && found.text.starts_with("0 % of all tokens"));
    }

    #[test]
    fn tables_are_known_by_their_names() {
        for name in [
            "bert.embeddings.word_embeddings.weight",
            "cls.predictions.bias",
            "model.embed_tokens.weight",
            "transformer.wte.weight",
            "lm_head.weight",
        ] {
            assert!(is_table(name), "{name}");
        }
        for name in [
            "bert.embeddings.position_embeddings.weight",
            "cls.predictions.transform.dense.weight",
            "all",
        ] {
            assert!(!is_table(name), "{name}");
        }
    }
}
