//! Second pass: the noise gᵢ − ĝ, exactly.
//!
//! With the mean ĝ of the first pass, xᵢ = gᵢ − ĝ, for the whole gradient and for each layer:
//!
//! ```text
//! (1)  ‖xᵢ‖                                           the norms of the paper's histograms
//! (2)  sⱼ² = Σᵢ xᵢⱼ² / (n − 1)                        variance of entry j, unbiased
//! (3)  κⱼ  = n Σᵢ xᵢⱼ⁴ / (Σᵢ xᵢⱼ²)² − 3               its excess kurtosis, as for `Moments`
//! (4)  D   = ((Σⱼ sⱼ²)² − 2q/(n + 1)) (n + 1)/(n − 1) / q,   q = Σⱼ sⱼ⁴
//! ```
//!
//! (4) estimates the effective dimension (Σλ)²/Σλ² of the diagonal λ of the covariance: d if
//! all entries are equally noisy, near 1 if one of them has all the noise. The plain quotient
//! (Σ s²)²/q is too small by (n + 1)/(n − 1), since E s⁴ = λ² (n + 1)/(n − 1) for a normal law;
//! (4) takes out this bias, and that of the numerator for independent entries. It may exceed d
//! by chance. For heavier entries D is still too small.
//!
//! The noise scale is that of [`noise_scale`](crate::pictures::noise_scale), with both parts
//! unbiased.
//!
//! References: Zhang et al. (NeurIPS 2020), §5; McCandlish et al. (2018), appendix A.1.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::pictures::noise_scale::NoiseScale;
use crate::stream::layers::PIECE;
use crate::stream::{
    Layers, Mean, Norms, Real, check_count, check_entries, check_length, squared_norm, sum_of,
    sum_of_two,
};

const WHAT: &str = "`Noise`";

/// Accumulator of the noise about a known mean: 8 bytes an entry, 24 with moments of entries,
/// and 8 L bytes a gradient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    layers: Layers,
    pub(super) mean: Vec<f64>,
    /// Number of gradients in the mean.
    expected: usize,
    /// ‖xᵢ‖² by layer (shape: n × L).
    squares: Vec<f64>,
    /// Σ xᵢⱼ² and Σ xᵢⱼ⁴ (shape: d each), or empty.
    pub(super) second: Vec<f64>,
    fourth: Vec<f64>,
    with_entries: bool,
}

/// What [`Noise::finalize`] returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredNoise {
    /// ‖gᵢ − ĝ‖, in the order in which the gradients came.
    pub norms: Norms,
    /// Statistics of the whole gradient.
    pub whole: LayerNoise,
    /// Statistics of each layer, in the order of the layers.
    pub layers: Vec<LayerNoise>,
}

/// Size and shape of the noise in a layer or in the whole gradient.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LayerNoise {
    /// tr Σ and ‖∇f‖².
    pub scale: NoiseScale,
    /// Effective dimension (4); `None` without moments of entries or without noise.
    pub effective_dimension: Option<f64>,
}

impl Noise {
    /// Noise about `mean`, without moments of single entries.
    ///
    /// # Errors
    /// [`Error::Length`] unless `mean` has as many entries as `layers`,
    /// [`Error::TooFew`] unless it is the mean of 2 gradients or more, [`Error::NotFinite`],
    /// [`Error::TooLarge`].
    pub fn new(layers: Layers, mean: Mean) -> Result<Self, Error> {
        check_length(&mean.gradient, layers.dimension())?;
        check_count(WHAT, 2, mean.norms.len())?;
        check_entries(&mean.gradient, &[squared_norm(&mean.gradient)])?;
        Ok(Self {
            layers,
            mean: mean.gradient,
            expected: mean.norms.len(),
            squares: Vec::new(),
            second: Vec::new(),
            fourth: Vec::new(),
            with_entries: false,
        })
    }

    /// The same, with second and fourth moments of each entry.
    ///
    /// # Errors
    /// As [`Noise::new`].
    pub fn with_entries(layers: Layers, mean: Mean) -> Result<Self, Error> {
        let d = layers.dimension();
        Ok(Self {
            second: vec![0.0; d],
            fourth: vec![0.0; d],
            with_entries: true,
            ..Self::new(layers, mean)?
        })
    }

    /// The layers.
    #[must_use]
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// ‖∇f‖ about which the noise is taken.
    #[must_use]
    pub fn mean_norm(&self) -> f64 {
        squared_norm(&self.mean).sqrt()
    }

    /// Number of gradients so far.
    #[must_use]
    pub fn n(&self) -> usize {
        self.squares.len() / self.layers.count()
    }

    /// Adds one gradient (shape: d), one of those in the mean.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::NotFinite`], [`Error::TooLarge`], [`Error::Damaged`].
    pub fn push<F: Real>(&mut self, gradient: &[F]) -> Result<(), Error> {
        self.check()?;
        check_length(gradient, self.mean.len())?;
        let mean = &self.mean;
        let squares = self.layers.sum(|range| {
            sum_of_two(&gradient[range.clone()], &mean[range], |x, mean| {
                (x.into() - mean) * (x.into() - mean)
            })
        });
        check_entries(gradient, &squares)?;
        if self.with_entries {
            let moments =
                (self.second.par_chunks_mut(PIECE)).zip(self.fourth.par_chunks_mut(PIECE));
            let entries = gradient.par_chunks(PIECE).zip(mean.par_chunks(PIECE));
            moments
                .zip(entries)
                .for_each(|((second, fourth), (gradient, mean))| {
                    let moments = second.iter_mut().zip(fourth);
                    for ((second, fourth), (&x, mean)) in moments.zip(gradient.iter().zip(mean)) {
                        let square = (x.into() - mean) * (x.into() - mean);
                        *second += square;
                        *fourth += square * square;
                    }
                });
        }
        self.squares.extend(squares);
        Ok(())
    }

    /// Adds the gradients of another worker, who had the same mean.
    ///
    /// # Errors
    /// [`Error::Unlike`] unless both have the same layers and mean, to the bit, and both or
    /// none keep moments of entries; [`Error::Damaged`].
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        self.check()?;
        other.check()?;
        let field = if self.layers != other.layers {
            "layers"
        } else if self.mean != other.mean || self.expected != other.expected {
            "means"
        } else if self.with_entries != other.with_entries {
            "moments of entries"
        } else {
            self.squares.extend(&other.squares);
            for (mine, theirs) in [
                (&mut self.second, &other.second),
                (&mut self.fourth, &other.fourth),
            ] {
                mine.iter_mut().zip(theirs).for_each(|(x, y)| *x += y);
            }
            return Ok(());
        };
        Err(Error::Unlike { what: WHAT, field })
    }

    /// Norms and scales.
    ///
    /// # Errors
    /// [`Error::Length`] unless as many gradients have come as are in the mean,
    /// [`Error::Damaged`].
    pub fn finalize(&self) -> Result<MeasuredNoise, Error> {
        self.check()?;
        self.check_complete()?;
        let (n, count) = (self.n(), self.layers.count());
        let noise: Vec<f64> = (0..count)
            .map(|layer| self.squares.iter().skip(layer).step_by(count).sum())
            .collect();
        let means = (self.layers).sum(|range| sum_of(&self.mean[range], |x| x * x));
        let spectrum = |power: i32| match self.with_entries {
            true => (self.layers).sum(|range| sum_of(&self.second[range], |x| x.powi(power))),
            false => vec![0.0; count],
        };
        let (first, second) = (spectrum(1), spectrum(2));
        let describe = |noise, mean, first, second| LayerNoise {
            scale: NoiseScale::from_sums(n, noise, mean),
            effective_dimension: effective_dimension(n, first, second),
        };
        let total = |sums: &[f64]| sums.iter().sum::<f64>();
        Ok(MeasuredNoise {
            norms: Norms::from_squares(&self.squares, count),
            whole: describe(total(&noise), total(&means), total(&first), total(&second)),
            layers: (0..count)
                .map(|l| describe(noise[l], means[l], first[l], second[l]))
                .collect(),
        })
    }

    /// Variance (2) of each entry; `None` unless moments of entries are kept and as many
    /// gradients have come as are in the mean.
    #[must_use]
    pub fn variances(&self) -> Option<impl Iterator<Item = f64>> {
        self.entries_complete().then(|| {
            let n = self.n() as f64;
            self.second.iter().map(move |second| second / (n - 1.0))
        })
    }

    /// Excess kurtosis (3) of each entry, `None` for one that does not vary; all `None` as for
    /// [`variances`](Self::variances). At most n − 5 + 1/(n − 1), whatever the law.
    #[must_use]
    pub fn excess_kurtoses(&self) -> Option<impl Iterator<Item = Option<f64>>> {
        self.entries_complete().then(|| {
            (0..self.mean.len()).map(|j| {
                let square = self.second[j] * self.second[j];
                let varies = self.second[j] > self.rounding(j) && square > 0.0;
                varies.then(|| self.n() as f64 * self.fourth[j] / square - 3.0)
            })
        })
    }

    /// What rounding of ĝⱼ alone can leave in Σ xᵢⱼ² when entry j does not vary.
    pub(super) fn rounding(&self, j: usize) -> f64 {
        let n = self.expected as f64;
        n * (n * f64::EPSILON * self.mean[j]).powi(2)
    }

    /// Whether moments of entries are kept, of all gradients in the mean.
    pub(super) fn entries_complete(&self) -> bool {
        self.with_entries && self.check().is_ok() && self.check_complete().is_ok()
    }

    fn check_complete(&self) -> Result<(), Error> {
        if self.n() == self.expected {
            return Ok(());
        }
        Err(Error::Length {
            what: "the gradients of the second pass",
            expected: self.expected,
            found: self.n(),
        })
    }

    fn check(&self) -> Result<(), Error> {
        let d = self.layers.dimension();
        let entries = if self.with_entries { d } else { 0 };
        let fits = self.mean.len() == d
            && self.expected >= 2
            && self.squares.len().is_multiple_of(self.layers.count())
            && [self.second.len(), self.fourth.len()] == [entries; 2];
        match fits {
            true => Ok(()),
            false => Err(Error::Damaged { what: WHAT }),
        }
    }
}

/// (4) from Σⱼ Σᵢ xᵢⱼ² and Σⱼ (Σᵢ xᵢⱼ²)², whose factors of n − 1 cancel.
fn effective_dimension(n: usize, first: f64, second: f64) -> Option<f64> {
    let n = n as f64;
    let dimension = (first * first / second - 2.0 / (n + 1.0)) * (n + 1.0) / (n - 1.0);
    (second > 0.0 && dimension.is_finite()).then_some(dimension)
}
