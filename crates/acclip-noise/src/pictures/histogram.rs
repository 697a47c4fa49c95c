//! Equal-width histogram, as a probability density.
//!
//! A bin of width w that holds c of n values has density c/(n w). Values outside
//! [low, high] are counted in `below` and `above` and belong to n, so a picture
//! that cuts off a heavy tail still has the right height, and says what it cut.
//!
//! Reference for the number of bins: Freedman & Diaconis (1981).

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::sample::{check, quantile, sorted};

/// Counts of values in `counts.len()` bins of equal width from `low` to `high`.
///
/// Bin i is [low + i w, low + (i + 1) w); the last one also holds `high`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    low: f64,
    high: f64,
    counts: Vec<u64>,
    below: u64,
    above: u64,
}

impl Histogram {
    /// Histogram of `values` from their minimum to their maximum.
    ///
    /// # Errors
    /// [`Error::TooFew`] without values, [`Error::NotFinite`], [`Error::TooLarge`],
    /// [`Error::Constant`] if all are equal, [`Error::Parameter`] for zero bins.
    pub fn new(values: &[f64], bins: usize) -> Result<Self, Error> {
        const WHAT: &str = "a histogram";
        check(WHAT, values, 1)?;
        let (low, high) = values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| {
                (low.min(x), high.max(x))
            });
        if low == high {
            return Err(Error::Constant { what: WHAT });
        }
        let mut histogram = Self::with_range(low, high, bins)?;
        histogram.extend(values)?;
        Ok(histogram)
    }

    /// Empty histogram with given edges, for samples that are to be compared or merged.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless `low < high` are finite and `bins` is positive.
    pub fn with_range(low: f64, high: f64, bins: usize) -> Result<Self, Error> {
        if bins == 0 {
            return Err(Error::Parameter {
                name: "bins",
                value: 0.0,
                expected: "at least 1",
            });
        }
        if !low.is_finite() {
            return Err(Error::Parameter {
                name: "low",
                value: low,
                expected: "finite",
            });
        }
        if !(high > low && (high - low).is_finite()) {
            return Err(Error::Parameter {
                name: "high",
                value: high,
                expected: "finite and greater than `low`",
            });
        }
        Ok(Self {
            low,
            high,
            counts: vec![0; bins],
            below: 0,
            above: 0,
        })
    }

    /// Counts all of `values`, or none of them if one is bad.
    ///
    /// # Errors
    /// [`Error::NotFinite`], [`Error::TooLarge`].
    pub fn extend(&mut self, values: &[f64]) -> Result<(), Error> {
        check("a histogram", values, 0)?;
        let last = self.counts.len() - 1;
        for &x in values {
            if x < self.low {
                self.below += 1;
            } else if x > self.high {
                self.above += 1;
            } else {
                let bin = ((x - self.low) / self.width()) as usize;
                self.counts[bin.min(last)] += 1;
            }
        }
        Ok(())
    }

    /// Adds the counts of `other`.
    ///
    /// # Errors
    /// [`Error::BinsDiffer`] unless both have the same edges.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        let bins = |h: &Self| (h.low, h.high, h.counts.len());
        if bins(self) != bins(other) {
            return Err(Error::BinsDiffer {
                left: bins(self),
                right: bins(other),
            });
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.below += other.below;
        self.above += other.above;
        Ok(())
    }

    /// The bins + 1 edges, ascending.
    #[must_use]
    pub fn edges(&self) -> Vec<f64> {
        let bins = self.counts.len();
        (0..bins)
            .map(|i| self.low + i as f64 * self.width())
            .chain([self.high])
            .collect()
    }

    /// Density of each bin, in one over the unit of the values; zero while empty.
    /// The area under it is the share of values inside the range.
    #[must_use]
    pub fn density(&self) -> Vec<f64> {
        let scale = self.total().max(1) as f64 * self.width();
        self.counts.iter().map(|&c| c as f64 / scale).collect()
    }

    /// Number of values in each bin.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Width of a bin.
    #[must_use]
    pub fn width(&self) -> f64 {
        (self.high - self.low) / self.counts.len() as f64
    }

    /// Number of values below the lowest edge.
    #[must_use]
    pub fn below(&self) -> u64 {
        self.below
    }

    /// Number of values above the highest edge.
    #[must_use]
    pub fn above(&self) -> u64 {
        self.above
    }

    /// Number of values seen, inside the range or not.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.below + self.above
    }
}

/// Number of bins after Freedman & Diaconis: bins of width 2 IQR/n^{1/3} over the
/// range of `values`, but at least 1 and at most `cap`.
///
/// A heavy tail stretches the range without widening the bins, so the uncapped
/// rule may ask for millions. If the quartiles coincide, `cap` is returned.
///
/// # Errors
/// [`Error::TooFew`] without values, [`Error::NotFinite`], [`Error::TooLarge`],
/// [`Error::Parameter`] if `cap` is 0.
pub fn freedman_diaconis(values: &[f64], cap: usize) -> Result<usize, Error> {
    check("a number of bins", values, 1)?;
    if cap == 0 {
        return Err(Error::Parameter {
            name: "cap",
            value: 0.0,
            expected: "at least 1",
        });
    }
    let x = sorted(values);
    let range = x[x.len() - 1] - x[0];
    if range == 0.0 {
        return Ok(1);
    }
    let width = 2.0 * (quantile(&x, 0.75) - quantile(&x, 0.25)) / (x.len() as f64).cbrt();
    // Division by a width of zero gives infinity, and the cap takes over.
    Ok(((range / width).ceil().min(cap as f64) as usize).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [f64; 8] = [0.0, 0.4, 1.0, 1.1, 1.9, 2.0, 3.7, 4.0];

    #[test]
    fn edges_belong_to_the_bin_on_their_right_and_the_last_to_the_last() {
        let h = Histogram::new(&VALUES, 4).unwrap();
        assert_eq!(h.counts(), [2, 3, 1, 2]);
        assert_eq!(h.edges(), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(h.density(), [0.25, 0.375, 0.125, 0.25]);
    }

    #[test]
    fn values_outside_are_counted_and_lower_the_density() {
        let mut h = Histogram::with_range(1.0, 2.0, 2).unwrap();
        assert_eq!(h.density(), [0.0, 0.0]);
        h.extend(&VALUES).unwrap();
        assert_eq!((h.below(), h.above(), h.total()), (2, 2, 8));
        assert_eq!(h.counts(), [2, 2]);
        let area: f64 = h.density().iter().map(|d| d * h.width()).sum();
        assert_eq!(area, 0.5);
    }

    #[test]
    fn merge_equals_concatenation() {
        for cut in 0..=VALUES.len() {
            let mut parts = VALUES.split_at(cut).to_owned();
            let build = |values: &[f64]| {
                let mut h = Histogram::with_range(0.5, 3.5, 3).unwrap();
                h.extend(values).unwrap();
                h
            };
            let mut merged = build(std::mem::take(&mut parts.0));
            merged.merge(&build(parts.1)).unwrap();
            assert_eq!(merged, build(&VALUES));
        }
    }

    #[test]
    fn different_bins_do_not_merge() {
        let mut h = Histogram::with_range(0.0, 1.0, 4).unwrap();
        for (low, high, bins) in [(0.0, 1.0, 5), (0.0, 2.0, 4), (0.5, 1.0, 4)] {
            let other = Histogram::with_range(low, high, bins).unwrap();
            assert!(matches!(h.merge(&other), Err(Error::BinsDiffer { .. })));
        }
    }

    #[test]
    fn freedman_diaconis_by_hand() {
        // Range 27, IQR 13.5 − …: for 0..=26 the quartiles are 6.5 and 19.5, n^{1/3} = 3,
        // so the width is 26/3 and 26 over it is 3.
        let x: Vec<f64> = (0..27).map(f64::from).collect();
        assert_eq!(freedman_diaconis(&x, 100), Ok(3));
        assert_eq!(freedman_diaconis(&x, 2), Ok(2));
        // A tail a million times the quartile distance meets the cap.
        let mut heavy = x.clone();
        heavy.push(1e6);
        assert_eq!(freedman_diaconis(&heavy, 80), Ok(80));
        assert_eq!(freedman_diaconis(&[0.0, 1.0, 1.0, 1.0, 1.0], 9), Ok(9));
        assert_eq!(freedman_diaconis(&[1.0; 5], 9), Ok(1));
    }

    #[test]
    fn bad_input() {
        assert!(matches!(Histogram::new(&[], 3), Err(Error::TooFew { .. })));
        assert!(matches!(
            Histogram::new(&[2.0], 3),
            Err(Error::Constant { .. })
        ));
        assert!(matches!(
            Histogram::new(&VALUES, 0),
            Err(Error::Parameter { name: "bins", .. })
        ));
        assert!(Histogram::new(&[1.0, 2.0], 3).is_ok());
        for bad in [f64::NAN, f64::INFINITY] {
            let values = [1.0, bad];
            assert!(matches!(
                Histogram::new(&values, 3),
                Err(Error::NotFinite { index: 1, .. })
            ));
            assert!(freedman_diaconis(&values, 3).is_err());
            assert!(Histogram::with_range(bad, 1.0, 3).is_err());
            assert!(Histogram::with_range(1.0, bad, 3).is_err());
        }
        assert!(Histogram::with_range(1.0, 1.0, 3).is_err());
        assert!(freedman_diaconis(&[], 3).is_err());
        assert!(freedman_diaconis(&VALUES, 0).is_err());
    }
}
