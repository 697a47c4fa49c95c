//! Mean and standard deviation of the channels, and bytes brought to zero mean and unit variance with them.

use super::Images;
use crate::Error;

/// (p/255 − mean) / std, channel by channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalization {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Normalization {
    /// The means and standard deviations of the channels, for pixel values in [0, 1].
    ///
    /// # Errors
    /// [`Error::Setting`] unless there are as many of both, all finite, and every deviation is above 0.
    pub fn new(mean: Vec<f64>, std: Vec<f64>) -> Result<Normalization, Error> {
        let wrong = |name, value: &[f64], range| {
            Err(Error::Setting {
                name,
                value: format!("{value:?}"),
                range,
            })
        };
        if !mean.iter().all(|x| x.is_finite()) {
            return wrong("mean", &mean, "finite numbers");
        }
        if std.len() != mean.len() || !std.iter().all(|&x| x.is_finite() && x > 0.0) {
            return wrong("std", &std, "finite numbers above 0, as many as in mean");
        }
        Ok(Normalization { mean, std })
    }

    /// The usual one for ImageNet, which torchvision's pretrained models expect.
    ///
    /// The numbers are those of torchvision's documentation ("Models and pre-trained weights").
    pub fn imagenet() -> Normalization {
        Normalization {
            mean: vec![0.485, 0.456, 0.406],
            std: vec![0.229, 0.224, 0.225],
        }
    }

    /// Mean and standard deviation over all pixels of `images`, as they are stored; one pass, exact sums.
    ///
    /// The deviation is that of the pixels themselves (divided by their number, not by one less). A channel
    /// that is the same everywhere has deviation 0, and 1 is taken in its place: it becomes all zeros.
    ///
    /// # Errors
    /// As [`Images::image`].
    pub fn of(images: &Images) -> Result<Normalization, Error> {
        // Counts of each byte value: (channels, 256).
        let mut counts = vec![[0u64; 256]; images.channels()];
        for i in 0..images.len() {
            for pixel in images.image(i)?.pixels.chunks_exact(images.channels()) {
                for (counts, &value) in counts.iter_mut().zip(pixel) {
                    counts[usize::from(value)] += 1;
                }
            }
        }
        let (mean, std) = counts.iter().map(moments).unzip();
        Ok(Normalization { mean, std })
    }

    /// Mean of each channel, in [0, 1] for values from images.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Standard deviation of each channel.
    pub fn std(&self) -> &[f64] {
        &self.std
    }

    /// What each byte becomes, (channels, 256).
    pub(super) fn tables(&self) -> Vec<[f32; 256]> {
        let table = |(mean, std): (&f64, &f64)| {
            std::array::from_fn(|value| ((value as f64 / 255.0 - mean) / std) as f32)
        };
        self.mean.iter().zip(&self.std).map(table).collect()
    }
}

/// Mean and standard deviation, in [0, 1], of bytes that occur `counts` times.
fn moments(counts: &[u64; 256]) -> (f64, f64) {
    let sum = |power| -> u128 {
        let terms = counts.iter().zip(0u128..);
        terms
            .map(|(&count, value)| u128::from(count) * value.pow(power))
            .sum()
    };
    let (n, sum, squares) = (sum(0), sum(1), sum(2));
    let variance = (n * squares - sum * sum) as f64 / (n as f64 * n as f64);
    let std = if variance == 0.0 {
        1.0
    } else {
        variance.sqrt() / 255.0
    };
    (sum as f64 / n as f64 / 255.0, std)
}
