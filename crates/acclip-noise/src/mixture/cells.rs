//! Noise norms in cells that are even in the logarithm.

use num_complex::Complex64;
use realfft::{ComplexToReal, RealFftPlanner};
use std::f64::consts::TAU;
use std::sync::Arc;

/// Cells in an interquartile range of the logarithms, at least.
const CELLS_IN_IQR: f64 = 12.0;
/// Most cells.
const MOST: usize = 2048;
/// Least probability that a cell is given: below lies the rounding of the transform.
const FLOOR: f64 = 1e-13;
/// Logarithm of what is nothing beside 1 in a sum.
const NOTHING: f64 = -45.0;

/// Counts of a sample of positive numbers, and the grid on which laws are compared with them.
pub(super) struct Cells {
    /// Logarithm at the lower edge of cell 0.
    pub origin: f64,
    /// Width of a cell, in the logarithm.
    pub width: f64,
    /// Number of cells, a power of two.
    pub len: usize,
    /// Cell and count of all cells with norms in them, but for the first.
    counts: Vec<(usize, f64)>,
    /// The cells below this one count as one: what happens there is no matter of tails.
    floor: usize,
    /// Their count.
    below: f64,
    /// Number of norms.
    pub n: f64,
    /// Median of the logarithms.
    pub median: f64,
    /// Their interquartile range.
    pub iqr: f64,
    transform: Arc<dyn ComplexToReal<f64>>,
}

/// Three standard errors of a centre that was estimated from these gradients, in their norm: the mean of
/// the squares of the smaller nine tenths, over n. Smaller norms say nothing about the noise.
fn centre_error(sorted: &[f64]) -> f64 {
    let kept = &sorted[..sorted.len() * 9 / 10];
    let squares: f64 = kept.iter().map(|x| x * x).sum();
    3.0 * squares.sqrt() / kept.len() as f64
}

impl Cells {
    /// Counts norms, given in ascending order; `None` if more than an eighth is zero, or the middle
    /// half is all one value.
    pub fn new(sorted: &[f64]) -> Option<Self> {
        let log = |i: usize| sorted[i].ln();
        let n = sorted.len();
        let zeros = sorted.partition_point(|&x| x <= 0.0);
        if zeros > n / 8 {
            return None;
        }
        let (first, third) = (log(n / 4), log(3 * n / 4));
        let iqr = third - first;
        let high = log(n - 1);
        let low = log(zeros)
            .max(first - 6.0 * iqr)
            .max(centre_error(sorted).ln());
        if !(iqr > 0.0 && high > low) {
            return None;
        }
        let span = 2.0 * (high - low).max(2.0 * iqr);
        let len = (span / iqr * CELLS_IN_IQR) as usize;
        let len = len.next_power_of_two().clamp(128, MOST);
        let width = span / len as f64;
        let origin = 0.5 * (low + high) - 0.5 * span;
        let floor = ((low - origin) / width) as usize;
        let mut counts: Vec<(usize, f64)> = Vec::new();
        let mut below = 0.0;
        for x in sorted {
            let cell = ((x.ln() - origin) / width).max(0.0) as usize;
            if cell < floor {
                below += 1.0;
                continue;
            }
            match counts.last_mut() {
                Some((last, count)) if *last == cell => *count += 1.0,
                _ => counts.push((cell, 1.0)),
            }
        }
        Some(Self {
            origin,
            width,
            len,
            counts,
            floor,
            below,
            n: n as f64,
            median: log(n / 2),
            iqr,
            transform: RealFftPlanner::new().plan_fft_inverse(len),
        })
    }

    /// Probabilities of all cells under a law with E e^{iu ln X} = exp(`ln_mellin`(u)), whose modulus
    /// does not grow in u but for oscillation within a factor of 1/2.
    pub fn probabilities(&self, ln_mellin: impl Fn(f64) -> Complex64) -> Vec<f64> {
        let mut spectrum = self.transform.make_input_vec();
        let step = TAU / (self.len as f64 * self.width);
        let first_centre = self.origin + 0.5 * self.width;
        let last = spectrum.len() - 1;
        for (j, value) in spectrum.iter_mut().enumerate() {
            let u = step * j as f64;
            // The average over a cell is a product with its transform.
            let half = 0.5 * u * self.width;
            let cell = if j == 0 { 1.0 } else { half.sin() / half };
            let phase = Complex64::new(0.0, -u * first_centre);
            let ln = ln_mellin(u);
            if ln.re < NOTHING {
                break; // what follows is smaller still, and zero already
            }
            *value = (ln + phase).exp().conj() * (cell / self.len as f64);
        }
        spectrum[0].im = 0.0;
        spectrum[last].im = 0.0;
        let mut probabilities = self.transform.make_output_vec();
        self.transform
            .process(&mut spectrum, &mut probabilities)
            .expect("lengths come from the plan");
        probabilities
    }

    /// Minus the logarithm of the likelihood of the counts.
    pub fn cost(&self, probabilities: &[f64]) -> f64 {
        let ln = |p: f64| p.max(FLOOR).ln();
        let counted = self.counts.iter().map(|&(i, c)| c * ln(probabilities[i]));
        let below: f64 = probabilities[..self.floor].iter().sum();
        -counted.sum::<f64>()
            - if self.below > 0.0 {
                self.below * ln(below)
            } else {
                0.0
            }
    }

    /// Kolmogorov's distance between the counts and a law, at the edges of cells.
    pub fn distance(&self, probabilities: &[f64]) -> f64 {
        let (mut law, mut seen, mut at, mut distance) = (0.0, self.below, 0, 0.0_f64);
        for &(cell, count) in &self.counts {
            law += probabilities[at..cell].iter().sum::<f64>();
            at = cell;
            distance = distance.max((seen / self.n - law).abs());
            seen += count;
            law += probabilities[cell];
            at += 1;
            distance = distance.max((seen / self.n - law).abs());
        }
        distance
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{ContinuousCDF, Normal};

    /// So many that the error of a centre is below the smallest.
    fn sample() -> Vec<f64> {
        (1..=4096).map(|i| (f64::from(i) / 1024.0).exp()).collect()
    }

    /// The transform of a lognormal law gives the cells of a lognormal law.
    #[test]
    fn a_transform_becomes_probabilities() {
        let cells = Cells::new(&sample()).unwrap();
        let (mean, sd) = (2.0, 0.5);
        let found = cells.probabilities(|u| Complex64::new(-0.5 * (sd * u).powi(2), mean * u));
        let law = Normal::new(mean, sd).unwrap();
        for (i, p) in found.iter().enumerate() {
            let left = cells.origin + cells.width * i as f64;
            let expected = law.cdf(left + cells.width) - law.cdf(left);
            assert!((p - expected).abs() < 1e-9, "{i}: {p} {expected}");
        }
    }

    #[test]
    fn every_norm_is_in_a_cell_and_tiny_ones_share_one() {
        let mut values = sample();
        values[0] = 0.0;
        values[1] = 1e-200;
        let cells = Cells::new(&values).unwrap();
        let counted: f64 = cells.counts.iter().map(|(_, count)| count).sum();
        assert_eq!((counted + cells.below, cells.below), (4096.0, 2.0));
        // A law that puts everything below costs 4094 norms at the floor, and nothing for the two.
        let mut law = vec![0.0; cells.len];
        law[0] = 1.0;
        let expected = -4094.0 * FLOOR.ln();
        assert!((cells.cost(&law) / expected - 1.0).abs() < 1e-12);
    }

    #[test]
    fn distance_by_hand() {
        let cells = Cells::new(&sample()).unwrap();
        let mut own = vec![0.0; cells.len];
        for &(i, count) in &cells.counts {
            own[i] = count / 4096.0;
        }
        assert!(cells.distance(&own) < 1e-12);
        // All in the last cell: nothing is there until it.
        let mut last = vec![0.0; cells.len];
        last[cells.counts.last().unwrap().0] = 1.0;
        let before = 1.0 - cells.counts.last().unwrap().1 / 4096.0;
        assert!((cells.distance(&last) - before).abs() < 1e-12);
    }

    #[test]
    fn samples_without_spread_are_refused() {
        assert!(Cells::new(&[1.0; 40]).is_none());
        assert!(Cells::new(&[0.0; 40]).is_none());
        let mut mostly = vec![0.0; 500];
        mostly.extend(sample());
        assert!(Cells::new(&mostly).is_some());
        mostly.splice(0..0, [0.0; 100]);
        assert!(Cells::new(&mostly).is_none());
    }

    #[test]
    fn three_standard_errors_of_the_centre() {
        // Ninety norms of 2 and ten huge ones: 3 · √(4/90).
        let mut values = vec![2.0; 90];
        values.extend([1e9; 10]);
        assert!((centre_error(&values) - 3.0 * (4.0_f64 / 90.0).sqrt()).abs() < 1e-12);
    }
}
