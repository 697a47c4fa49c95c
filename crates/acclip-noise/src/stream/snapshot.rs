//! One minibatch across entries: are the entries heavy, or only unequal?
//!
//! The paper's figure of the noise in single entries puts all entries of one noise vector into
//! one histogram. It looks heavy when scales differ, even if each entry is Gaussian. So the same
//! entries are also shown in units of their own standard deviation, taken from the *other*
//! gradients: with mean ĝ₋ and variance s₋² over the m others,
//!
//! ```text
//! (1)  rⱼ = gⱼ − ĝⱼ                                          raw
//! (2)  tⱼ = (gⱼ − ĝ₋ⱼ) / (s₋ⱼ √(1 + 1/m))                     standardised
//! ```
//!
//! For Gaussian noise tⱼ has exactly Student's law with m − 1 degrees of freedom, whatever the
//! scales, and hence the excess kurtosis 6/(m − 5). (If the gradient itself were among the m, |tⱼ|
//! could not exceed √m, and a heavy tail would hide.) So:
//! - raw far above 0, standardised near [`CoordinateSnapshot::gaussian_excess_kurtosis`]: scales
//!   differ across entries;
//! - both far above: the noise itself is heavy.
//!
//! Measured on 50,000 entries, m = 31 (`cargo test --release -p acclip-noise --test stream_snapshot --
//! --nocapture`): Gaussian noise with log-normal scales, σ = 2, has 2121 raw and 0.21
//! standardised, where Student's law has 0.23; α = 1.5 has more than 4,000 for both. The sampling
//! error of the standardised kurtosis is finite only for m > 9.
//!
//! Entries that did not vary in the others have no scale and are counted apart: `alone` if they
//! do move here. Rows of an embedding whose token occurs only in this minibatch are of that kind.
//! That is a heavy-tailed frequency of tokens (Kunstner et al., NeurIPS 2024), not noise of an
//! entry. With rare tokens that occur twice or three times, tⱼ is large for the same reason.
//!
//! Reference: Zhang et al. (NeurIPS 2020), figure 5(c); that tails across entries and tails over
//! minibatches are different things: Xie et al. (NeurIPS 2023).

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::pictures::moments::{Moments, Summary};
use crate::stream::layers::pieces;
use crate::stream::{Noise, Real, check_count, check_entries, check_length, squared_norm};

const WHAT: &str = "a snapshot across entries";

/// The entries of one noise vector, raw and standardised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CoordinateSnapshot {
    /// Number of gradients m behind the scales.
    pub others: usize,
    /// Moments of rⱼ across all entries.
    pub raw: Summary,
    /// Moments of tⱼ across the entries that have a scale; `None` if none has one.
    pub standardised: Option<Summary>,
    /// Excess kurtosis of tⱼ for Gaussian noise, 6/(m − 5); `None` unless m > 5.
    pub gaussian_excess_kurtosis: Option<f64>,
    /// Number of entries that moved in no gradient.
    pub still: u64,
    /// Number of entries that moved in this gradient only.
    pub alone: u64,
    /// rⱼ for up to `points` equally spaced entries.
    pub raw_sample: Vec<f64>,
    /// tⱼ for those of the same entries that have a scale.
    pub standardised_sample: Vec<f64>,
}

/// What one entry is.
enum Entry {
    Still,
    Alone,
    Scaled(f64),
}

impl CoordinateSnapshot {
    /// Snapshot of `gradient` (shape: d), one of those in `noise`, in one layer or in all; its own
    /// share in mean and variance is taken out, so that m = n − 1.
    ///
    /// # Errors
    /// [`Error::TooFew`] unless m ≥ 2 and the layer has entries, [`Error::Parameter`] if `noise`
    /// keeps no moments of entries or is not complete, if there is no such layer, or for zero
    /// `points`, [`Error::Length`], [`Error::NotFinite`], [`Error::TooLarge`].
    pub fn of_member<F: Real>(
        gradient: &[F],
        noise: &Noise,
        layer: Option<usize>,
        points: usize,
    ) -> Result<Self, Error> {
        let n = noise.n() as f64;
        // Without gᵢ, Σ x² is smaller by r² n/(n − 1), and the mean moves by −r/(n − 1).
        let entry = |j: usize, r: f64| {
            let all = noise.second[j];
            let others = all - r * r * n / (n - 1.0);
            let variance = others / (n - 2.0);
            if all <= noise.rounding(j) {
                Entry::Still
            } else if others <= (4.0 * n * f64::EPSILON * all).max(noise.rounding(j)) {
                Entry::Alone
            } else {
                Entry::Scaled(r * (n / (n - 1.0)).sqrt() / variance.sqrt())
            }
        };
        Self::new(
            gradient,
            noise,
            layer,
            points,
            noise.n().saturating_sub(1),
            entry,
        )
    }

    /// Snapshot of a `gradient` that is not in `noise`, for instance of a later minibatch: m = n.
    ///
    /// # Errors
    /// As [`of_member`](Self::of_member).
    pub fn of_newcomer<F: Real>(
        gradient: &[F],
        noise: &Noise,
        layer: Option<usize>,
        points: usize,
    ) -> Result<Self, Error> {
        let n = noise.n() as f64;
        let entry = |j: usize, r: f64| {
            let all = noise.second[j];
            let variance = all / (n - 1.0);
            if all > noise.rounding(j) {
                Entry::Scaled(r / (variance * (1.0 + 1.0 / n)).sqrt())
            } else if n * r * r <= noise.rounding(j) {
                Entry::Still
            } else {
                Entry::Alone
            }
        };
        Self::new(gradient, noise, layer, points, noise.n(), entry)
    }

    fn new<F: Real>(
        gradient: &[F],
        noise: &Noise,
        layer: Option<usize>,
        points: usize,
        others: usize,
        entry: impl Fn(usize, f64) -> Entry + Sync,
    ) -> Result<Self, Error> {
        let range = noise.layers().range(layer)?;
        check_length(gradient, noise.mean.len())?;
        check_entries(gradient, &[squared_norm(gradient)])?;
        check_count(WHAT, 2, others)?;
        check_count(WHAT, 1, range.len())?;
        if points == 0 || !noise.entries_complete() {
            let (name, expected) = match points {
                0 => ("points", "at least 1"),
                _ => ("noise", "complete and built by `Noise::with_entries`"),
            };
            let value = points.min(noise.n()) as f64;
            return Err(Error::Parameter {
                name,
                value,
                expected,
            });
        }
        let raw = |j: usize| gradient[j].into() - noise.mean[j];
        let parts: Vec<Part> = (pieces(range.clone()).collect::<Vec<_>>().into_par_iter())
            .map(|piece| {
                let mut part = Part::default();
                piece.for_each(|j| part.push(raw(j), entry(j, raw(j))));
                part
            })
            .collect();
        let mut all = Part::default();
        parts.iter().for_each(|part| all.merge(part));
        let stride = range.len().div_ceil(points);
        let sample: Vec<usize> = range.step_by(stride).collect();
        let standardised = |&j: &usize| match entry(j, raw(j)) {
            Entry::Scaled(t) => Some(t),
            _ => None,
        };
        Ok(Self {
            others,
            raw: all.raw.finalize()?,
            standardised: match all.standardised.finalize() {
                Err(Error::TooFew { .. }) => None,
                summary => Some(summary?),
            },
            gaussian_excess_kurtosis: (others > 5).then(|| 6.0 / (others as f64 - 5.0)),
            still: all.still,
            alone: all.alone,
            raw_sample: sample.iter().map(|&j| raw(j)).collect(),
            standardised_sample: sample.iter().filter_map(standardised).collect(),
        })
    }
}

/// What a piece has summed up.
#[derive(Default)]
struct Part {
    raw: Moments,
    standardised: Moments,
    still: u64,
    alone: u64,
}

impl Part {
    fn push(&mut self, raw: f64, entry: Entry) {
        self.raw.push(raw);
        match entry {
            Entry::Still => self.still += 1,
            Entry::Alone => self.alone += 1,
            Entry::Scaled(t) => self.standardised.push(t),
        }
    }

    fn merge(&mut self, other: &Self) {
        self.raw.merge(&other.raw);
        self.standardised.merge(&other.standardised);
        self.still += other.still;
        self.alone += other.alone;
    }
}
