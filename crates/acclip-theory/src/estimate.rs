//! Estimates with 95 % intervals, from the means of independent groups of trajectories.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// An estimate and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Lower end of the interval; NaN, as the upper one, where one group is all there is.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Independent groups that it comes from.
    pub groups: usize,
}

impl Estimate {
    /// With Student's interval: `standard_error` comes from `groups` independent values.
    pub(crate) fn new(value: f64, standard_error: f64, groups: usize) -> Self {
        let half = standard_error * student(groups, 0.05);
        Estimate {
            value,
            low: value - half,
            high: value + half,
            groups,
        }
    }

    /// Whether `value` is in the interval that, with as many `others` like it, holds all true values together with
    /// probability 95 % (Bonferroni).
    pub fn holds_among(&self, value: f64, others: usize) -> bool {
        let wider = student(self.groups, 0.05 / others.max(1) as f64) / student(self.groups, 0.05);
        let half = if value > self.value {
            self.high - self.value
        } else {
            self.value - self.low
        };
        (value - self.value).abs() <= wider * half
    }

    /// The same estimate with an interval that holds that of `other`, too.
    pub(crate) fn covering(&self, other: &Estimate) -> Self {
        Estimate {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
            ..*self
        }
    }

    /// The same, of another unit or sign: all numbers times `factor`.
    pub fn times(&self, factor: f64) -> Self {
        let (one, other) = (factor * self.low, factor * self.high);
        Estimate {
            value: factor * self.value,
            low: one.min(other),
            high: one.max(other),
            groups: self.groups,
        }
    }
}

/// Mean of the groups, with Student's interval.
pub fn mean(groups: &[f64]) -> Estimate {
    let n = groups.len() as f64;
    let mean = groups.iter().sum::<f64>() / n;
    let squares: f64 = groups.iter().map(|x| (x - mean).powi(2)).sum();
    Estimate::new(mean, (squares / ((n - 1.0) * n)).sqrt(), groups.len())
}

/// Exponent r of mean ∝ k^{−r}: the least-squares slope of log mean against log k, with the sign turned.
///
/// `rows` has the means of the groups at each of `k`; group i of every row may be dependent, different groups are not.
/// Where rows have more groups than others, theirs are put together.
/// The interval is the jackknife's, over groups, so that it holds for curves that were measured on the same
/// trajectories as well as for those that were not. NaN unless there are two different `k` and all means are positive.
pub fn exponent(k: &[f64], rows: &[&[f64]]) -> Estimate {
    let groups = rows.iter().map(|row| row.len()).min().unwrap_or(0);
    let n = groups as f64;
    let rows: Vec<Vec<f64>> = rows.iter().map(|row| regroup(row, groups)).collect();
    let slope = |without: Option<usize>| {
        let means = rows.iter().map(|row| {
            let sum: f64 = row.iter().sum();
            without.map_or(sum / n, |i| (sum - row[i]) / (n - 1.0))
        });
        -log_slope(k, means)
    };
    let all = slope(None);
    let left_out: Vec<f64> = (0..groups).map(|i| slope(Some(i))).collect();
    let centre = left_out.iter().sum::<f64>() / n;
    let squares: f64 = left_out.iter().map(|x| (x - centre).powi(2)).sum();
    Estimate::new(all, ((n - 1.0) / n * squares).sqrt(), groups)
}

/// The means of `groups` groups of equal size, of as many or more groups; what is left over is left out.
pub(crate) fn regroup(row: &[f64], groups: usize) -> Vec<f64> {
    let size = (row.len() / groups.max(1)).max(1);
    row.chunks_exact(size)
        .take(groups)
        .map(|part| part.iter().sum::<f64>() / size as f64)
        .collect()
}

/// Least-squares slope of log y against log x.
pub fn log_slope(x: &[f64], y: impl Iterator<Item = f64>) -> f64 {
    let points: Vec<(f64, f64)> = x.iter().zip(y).map(|(x, y)| (x.ln(), y.ln())).collect();
    let n = points.len() as f64;
    let (mx, my) = points
        .iter()
        .fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let (mut xy, mut xx) = (0.0, 0.0);
    for (x, y) in points {
        xy += (x - mx) * (y - my);
        xx += (x - mx).powi(2);
    }
    xy / xx
}

/// What |Student's t| of a mean of `groups` exceeds with probability `error`; ∞ for a single group.
fn student(groups: usize, error: f64) -> f64 {
    match groups.saturating_sub(1) {
        0 => f64::INFINITY,
        freedom => StudentsT::new(0.0, 1.0, freedom as f64)
            .map_or(f64::NAN, |law| law.inverse_cdf(1.0 - 0.5 * error)),
    }
}

#[cfg(test)]
mod tests {
    use acclip_noise::lanes::{mix, open01};

    use super::*;

    /// Independent values with mean `mean`, exponentially distributed.
    fn exponentials(seed: u64, n: u64, mean: f64) -> Vec<f64> {
        (0..n).map(|i| -mean * open01(mix(seed, i)).ln()).collect()
    }

    #[test]
    fn a_power_law_has_its_exponent_and_no_width() {
        let k = [10.0, 40.0, 1000.0];
        let rows: Vec<Vec<f64>> = k
            .iter()
            .map(|k: &f64| vec![3.0 * k.powf(-0.7); 5])
            .collect();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let found = exponent(&k, &rows);
        assert!(
            (found.value - 0.7).abs() < 1e-14 && found.high - found.low < 1e-13,
            "{found:?}"
        );
    }

    #[test]
    fn the_mean_of_three_by_hand() {
        // Standard error 1/√3, Student's quantile with two degrees of freedom 4.302653.
        let found = mean(&[1.0, 2.0, 3.0]);
        assert!((found.value - 2.0).abs() < 1e-15);
        assert!(
            (found.high - 2.0 - 4.302_652_7 / 3_f64.sqrt()).abs() < 1e-6,
            "{found:?}"
        );
    }

    #[test]
    fn intervals_cover_as_often_as_they_say() {
        let k = [16.0, 64.0, 256.0, 1024.0];
        let (mut slopes, mut means) = (0, 0);
        let trials = 2000;
        for trial in 0..trials {
            let rows: Vec<Vec<f64>> = (0..4)
                .map(|i| exponentials(4 * trial + i, 24, f64::powf(k[i as usize], -0.5)))
                .collect();
            let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
            slopes += u32::from(exponent(&k, &rows).holds_among(0.5, 1));
            means += u32::from(mean(rows[0]).holds_among(0.25, 1));
        }
        let share = |covered: u32| f64::from(covered) / trials as f64;
        // 95 %, and for means of 24 exponentials some points less, being skewed.
        assert!((0.935..0.97).contains(&share(slopes)), "{}", share(slopes));
        assert!((0.90..0.96).contains(&share(means)), "{}", share(means));
    }

    #[test]
    fn what_cannot_be_estimated_is_not_a_number() {
        assert!(
            exponent(&[1.0, 1.0], &[&[1.0, 2.0], &[1.0, 2.0]])
                .value
                .is_nan()
        );
        assert!(
            exponent(&[1.0, 2.0], &[&[0.0, 0.0], &[1.0, 2.0]])
                .value
                .is_nan()
        );
        assert!(exponent(&[], &[]).value.is_nan());
        let one = mean(&[4.0]);
        assert!(one.value == 4.0 && !one.holds_among(4.0, 1), "{one:?}");
    }
}
