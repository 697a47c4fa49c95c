//! The noise of single coordinates over minibatches, pooled into one sample.
//!
//! A norm averages over coordinates: with many of them it may look light while each one is heavy, and
//! coordinate-wise clipping acts on each one. So a few coordinates are followed through all n
//! gradients, and
//!
//! ```text
//! zᵢ = |g_{i,j} − medianⱼ| / IQRⱼ            j = i mod m: one coordinate of each gradient
//! ```
//!
//! is a sample of n values, independent if the gradients are, free of the coordinates' scales. For Gaussian noise of
//! any covariance it is |N(0, 1)|/1.349, up to the error of m interquartile ranges of n
//! values each. Coordinates that are the same in half of the gradients have no scale; they are counted
//! as sparse and left out. Rows of an embedding whose token is rare are of that kind: heavy by the frequency of
//! tokens, not by noise (Kunstner et al., NeurIPS 2024).

use crate::Error;
use crate::sample::{quantile, sorted};
use crate::stream::{Real, check_length};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Accumulator of some coordinates of each gradient: 8 m bytes a gradient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CoordinateSeries {
    dimension: usize,
    chosen: Vec<usize>,
    /// Shape: n × m.
    values: Vec<f64>,
}

/// What [`CoordinateSeries::finalize`] returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PooledCoordinates {
    /// zᵢ of coordinates that are not sparse.
    pub values: Vec<f64>,
    /// Number of coordinates followed.
    pub followed: usize,
    /// How many of them are the same in half of the gradients.
    pub sparse: usize,
}

impl CoordinateSeries {
    /// Follows up to `m` coordinates, evenly spaced over the `ranges` of gradients with `dimension` entries.
    /// Without entries in the ranges it follows nothing.
    ///
    /// # Errors
    /// [`Error::Parameter`] if `m` is 0; [`Error::Length`] if a range ends beyond `dimension`.
    pub fn new(dimension: usize, ranges: &[Range<usize>], m: usize) -> Result<Self, Error> {
        if m == 0 {
            return Err(Error::Parameter {
                name: "m",
                value: 0.0,
                expected: "at least 1",
            });
        }
        if let Some(beyond) = ranges.iter().find(|range| range.end > dimension) {
            return Err(Error::Length {
                what: "the entries of a gradient",
                expected: dimension,
                found: beyond.end,
            });
        }
        let total: usize = ranges.iter().map(|range| range.len()).sum();
        let m = m.min(total);
        // The middle of each of m equal parts.
        let middles = (0..m).map(|k| (2 * k + 1) * total / (2 * m));
        let entry = |mut place: usize| {
            for range in ranges {
                if place < range.len() {
                    return range.start + place;
                }
                place -= range.len();
            }
            unreachable!("the place is below the total")
        };
        Ok(Self {
            dimension,
            chosen: middles.map(entry).collect(),
            values: Vec::new(),
        })
    }

    /// Adds the chosen entries of a gradient (shape: `dimension`), which must be finite.
    ///
    /// # Errors
    /// [`Error::Length`].
    pub fn push<F: Real>(&mut self, gradient: &[F]) -> Result<(), Error> {
        check_length(gradient, self.dimension)?;
        let entries = self.chosen.iter().map(|&j| gradient[j].into());
        self.values.extend(entries);
        Ok(())
    }

    /// The pooled sample.
    #[must_use]
    pub fn finalize(&self) -> PooledCoordinates {
        let m = self.chosen.len();
        let scales: Vec<Option<(f64, f64)>> = (0..m)
            .map(|k| {
                let series: Vec<f64> = self.values.iter().skip(k).step_by(m).copied().collect();
                let series = sorted(&series);
                if series.is_empty() {
                    return None;
                }
                let at = |p| quantile(&series, p);
                let iqr = at(0.75) - at(0.25);
                (iqr > 0.0).then_some((at(0.5), iqr))
            })
            .collect();
        let standardised = |(i, row): (usize, &[f64])| {
            let k = i % m;
            scales[k].map(|(median, iqr)| (row[k] - median).abs() / iqr)
        };
        PooledCoordinates {
            values: self
                .values
                .chunks(m.max(1))
                .enumerate()
                .filter_map(standardised)
                .collect(),
            followed: m,
            sparse: scales.iter().filter(|scale| scale.is_none()).count(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)] // a list of one range is what is meant
mod tests {
    use super::*;

    #[test]
    fn each_gradient_gives_one_coordinate_in_its_own_unit() {
        let mut series = CoordinateSeries::new(2, &[0..2], 9).unwrap();
        // Coordinate 0: 0, 1, 2, 3, 4; median 2, IQR 2. Coordinate 1: a hundred times that.
        for i in [3.0, 0.0, 4.0, 2.0, 1.0] {
            series.push(&[i, 100.0 * i]).unwrap();
        }
        let pooled = series.finalize();
        assert_eq!(pooled.values, [0.5, 1.0, 1.0, 0.0, 0.5]);
        assert_eq!((pooled.followed, pooled.sparse), (2, 0));
    }

    #[test]
    fn sparse_coordinates_are_counted_and_left_out() {
        let mut series = CoordinateSeries::new(2, &[0..2], 2).unwrap();
        for i in 0..10 {
            let rare = if i == 7 { 5.0 } else { 0.0 };
            series.push(&[f64::from(i), rare]).unwrap();
        }
        let pooled = series.finalize();
        assert_eq!((pooled.values.len(), pooled.sparse), (5, 1));
    }

    #[test]
    fn chosen_coordinates_are_spread_out() {
        let gradient: Vec<f32> = (0..10_u8).map(f32::from).collect();
        let followed = |ranges: &[Range<usize>]| {
            let mut series = CoordinateSeries::new(10, ranges, 5).unwrap();
            series.push(&gradient).unwrap();
            series.values
        };
        assert_eq!(followed(&[0..10]), [1.0, 3.0, 5.0, 7.0, 9.0]);
        assert_eq!(followed(&[0..1, 4..4, 6..9]), [0.0, 6.0, 7.0, 8.0]);
        assert!(followed(&[]).is_empty());
    }

    #[test]
    fn bad_input() {
        assert!(CoordinateSeries::new(3, &[0..3], 0).is_err());
        assert!(matches!(
            CoordinateSeries::new(3, &[0..4], 1),
            Err(Error::Length { found: 4, .. })
        ));
        let nothing = CoordinateSeries::new(3, &[], 2).unwrap();
        assert!(nothing.finalize().values.is_empty());
        let mut series = CoordinateSeries::new(3, &[0..3], 2).unwrap();
        assert!(matches!(series.push(&[1.0]), Err(Error::Length { .. })));
        assert!(series.finalize().values.is_empty());
    }
}
