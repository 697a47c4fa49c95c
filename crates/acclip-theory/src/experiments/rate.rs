//! A measured exponent beside a proved one.

use std::cmp::Ordering;

use super::Settings;
use crate::estimate::{Estimate, exponent, log_slope, mean};
use crate::finding::{Cell, Check, Curve, Finding, Kind};

/// A curve against the number of steps, and the exponent that is fitted to its end.
#[derive(Debug, Clone)]
pub(super) struct Rate {
    /// Numbers of steps.
    pub k: Vec<u64>,
    /// Mean at each.
    pub means: Vec<Estimate>,
    /// r of mean ∝ k^{−r}, over the points that were fitted.
    pub measured: Estimate,
    /// r as proved.
    pub proved: f64,
    /// r of the bound at these k, where it differs from the limit.
    pub finite: f64,
    /// Least and largest ratio to a bound, if there is one.
    ratio: Option<(f64, f64)>,
    /// The first point that was fitted.
    from: usize,
    /// Why the measured exponent is not yet the limit's, if it is not.
    pub early: Option<String>,
}

/// A ratio that changes by more than this factor is no constant.
const CONSTANT: f64 = 1.5;
/// Exponents that differ by less are the same.
const EXACT: f64 = 1e-3;
/// Points that make a fit.
const ENOUGH: usize = 3;

impl Rate {
    /// Fits the points at which the mean has fallen to `reach` of `ceiling`, the largest value that it could have: above
    /// that, a curve feels the size of the domain, or of F0, more than the number of steps. If there are not enough
    /// such points, the second half is fitted, and marked as early. `groups` has the means of groups at each of `k`.
    ///
    /// The interval covers that of the whole fit and that of a fit to its later half, so that it tells of curvature as
    /// well as of chance.
    pub(super) fn new(
        k: &[u64],
        groups: &[Vec<f64>],
        proved: f64,
        ceiling: f64,
        reach: f64,
    ) -> Self {
        let rows: Vec<&[f64]> = groups.iter().map(Vec::as_slice).collect();
        let means: Vec<Estimate> = rows.iter().map(|row| mean(row)).collect();
        let level = ceiling * reach;
        let inside = means
            .iter()
            .rev()
            .take_while(|mean| mean.value <= level)
            .count();
        let enough = inside >= ENOUGH.min(means.len());
        let from = means.len()
            - if enough {
                inside
            } else {
                means.len().div_ceil(2)
            };
        let steps: Vec<f64> = k.iter().map(|&k| k as f64).collect();
        let early = (!enough).then(|| {
            let (last, value) = (k[k.len() - 1], means[means.len() - 1].value);
            format!(
                "early: the range begins where the mean is 1/{:.0} of the largest value possible, and after {last} steps it \
                 is 1/{:.0}, with {inside} of the points in the range; so only half the exponent is asked for",
                1.0 / reach,
                ceiling / value
            )
        });
        let whole = exponent(&steps[from..], &rows[from..]);
        let late = (from + (means.len() - from) / 2)
            .min(means.len().saturating_sub(ENOUGH))
            .max(from);
        let measured = match means.len() - late {
            0 | 1 => whole,
            _ => whole.covering(&exponent(&steps[late..], &rows[late..])),
        };
        Rate {
            measured,
            k: k.to_vec(),
            means,
            proved,
            finite: proved,
            ratio: None,
            from,
            early,
        }
    }

    /// Compares with a bound that is no power law at these k, or whose constant is not the curve's: proportional to the
    /// bound is then all that a curve above it need be.
    pub(super) fn beside(mut self, bound: &[f64]) -> Self {
        let k: Vec<f64> = self.k[self.from..].iter().map(|&k| k as f64).collect();
        let bound = &bound[self.from..];
        self.finite = -log_slope(&k, bound.iter().copied());
        let ratios = self.means[self.from..]
            .iter()
            .zip(bound)
            .map(|(mean, bound)| mean.value / bound);
        let ends = ratios.fold((f64::INFINITY, 0.0_f64), |(a, b), ratio| {
            (a.min(ratio), b.max(ratio))
        });
        self.ratio = Some(ends);
        self
    }

    /// Widens the interval by what an error of each mean by this part, on a grid on which the worst problem was sought, can
    /// do to the exponent.
    pub(super) fn resolved(mut self, part: f64) -> Self {
        let range = self.k[self.k.len() - 1] as f64 / self.k[self.from] as f64;
        let slack = part / range.ln();
        let measured = self.measured;
        self.measured = measured.covering(&Estimate {
            low: measured.low - slack,
            high: measured.high + slack,
            ..measured
        });
        self
    }

    /// The same of the square root: exponents are halved.
    pub(super) fn of_root(mut self) -> Self {
        self.measured = self.measured.times(0.5);
        self.proved *= 0.5;
        self.finite *= 0.5;
        self
    }

    /// Checks that the proved exponent is in the interval, or that the curve is proportional to the bound; of an early
    /// curve, that it falls at least half as fast. `among` is the number of such checks.
    pub(super) fn judge(&self, name: &str, among: usize, finding: &mut Finding) {
        let Estimate {
            value, low, high, ..
        } = self.measured;
        let beside = match self.ratio {
            Some(_) => format!(
                "{:.4} of the bound at these k ({:.4} in the limit)",
                self.finite, self.proved
            ),
            None => format!("{:.4}", self.proved),
        };
        let (first, last) = (self.k[self.from], self.k[self.k.len() - 1]);
        let mut numbers =
            format!("{value:.4} [{low:.4}, {high:.4}] beside {beside}, k from {first} to {last}");
        let holds = match (&self.early, self.ratio) {
            (Some(early), _) => {
                numbers += &format!("; {early}");
                high >= 0.5 * self.proved
            }
            (None, Some((least, most))) => {
                numbers += &format!("; {least:.2} to {most:.2} times the bound");
                self.within(among) || self.proportional()
            }
            (None, None) => self.within(among),
        };
        finding.checks.push(Check::new(name, holds, numbers));
    }

    /// Whether the proved exponent is in the interval, or nearer than what an interval of no width can tell.
    fn within(&self, among: usize) -> bool {
        self.measured.holds_among(self.finite, among)
            || (self.measured.value - self.finite).abs() < EXACT
    }

    /// Whether the ratio to the bound is as good as constant: if it changed at this pace, exponents would differ by less
    /// than a quarter.
    fn proportional(&self) -> bool {
        let range = self.k[self.k.len() - 1] as f64 / self.k[self.from] as f64;
        let allowed = range.powf(0.25 * self.finite).min(CONSTANT);
        self.ratio
            .is_some_and(|(least, most)| least <= most && most < allowed * least)
    }

    /// The measured exponent, marked if the curve is early; with its ratio to the bound, if it is that which is constant.
    pub(super) fn cell(&self) -> Cell {
        let Estimate {
            value, low, high, ..
        } = self.measured;
        match (&self.early, self.ratio) {
            (Some(_), _) => format!("early: {value:.3} [{low:.3}, {high:.3}]").into(),
            (None, Some((least, most))) if !self.within(1) => {
                format!("{value:.3} [{low:.3}, {high:.3}], {least:.2} to {most:.2} × bound").into()
            }
            _ => self.measured.into(),
        }
    }

    /// The measured curve.
    pub(super) fn curve(&self, name: &str) -> Curve {
        Curve::measured(
            name,
            self.k
                .iter()
                .map(|&k| k as f64)
                .zip(self.means.iter().copied()),
        )
    }

    /// The fitted power law and the proved slope, through the middle of the fitted points.
    pub(super) fn lines(&self, name: &str) -> [Curve; 2] {
        let k: Vec<f64> = self.k[self.from..].iter().map(|&k| k as f64).collect();
        let means = self.means[self.from..].iter().map(|mean| mean.value);
        let n = k.len() as f64;
        let middle =
            |values: &mut dyn Iterator<Item = f64>| (values.map(f64::ln).sum::<f64>() / n).exp();
        let (x, y) = (middle(&mut k.iter().copied()), middle(&mut means.clone()));
        let fitted = -log_slope(&k, means);
        let proved = self.proved;
        let line = |exponent: f64| {
            k.iter()
                .map(move |&k| (k, y * (k / x).powf(-exponent)))
                .collect::<Vec<_>>()
        };
        [
            Curve::line(
                format!("{name}: fitted, −{fitted:.3}"),
                Kind::Fitted,
                line(fitted),
            ),
            Curve::line(
                format!("proved slope, −{proved:.3}"),
                Kind::Proved,
                line(proved),
            ),
        ]
    }
}

/// Every `every`-th power of two from 2^first up to the settings' longest run.
pub(super) fn horizons(settings: &Settings, first: u32, every: usize) -> Vec<u64> {
    let mut all = super::octaves(first, settings.steps);
    all.reverse();
    let mut kept: Vec<u64> = all.into_iter().step_by(every).collect();
    kept.reverse();
    kept
}

/// "≤ bound" over a whole curve: whether the upper end of no interval is above it, and the largest ratio. What is not a
/// number is above.
pub(super) fn below(
    name: &str,
    k: &[u64],
    means: &[Estimate],
    bound: impl Fn(u64) -> f64,
) -> Check {
    let worst = ratios(k, means, bound).max_by(|a, b| {
        let rank = |ratio: &Ratio| (ratio.high.is_nan(), ratio.high);
        rank(a).partial_cmp(&rank(b)).unwrap_or(Ordering::Equal)
    });
    match worst {
        Some(Ratio { k, value, high }) => Check::new(
            name,
            high <= 1.0,
            match high.is_nan() {
                true => "no interval: give more trajectories".into(),
                false => format!("at most {value:.3} of the bound (95 %: {high:.3}), at k = {k}"),
            },
        ),
        None => Check::new(name, false, "nothing was measured"),
    }
}

/// Checks [`below`] on a finding, if it can fail: where the bound is above the largest value that there can be, at every k,
/// a note says so instead.
pub(super) fn judge_below(
    name: &str,
    k: &[u64],
    means: &[Estimate],
    bound: impl Fn(u64) -> f64,
    largest: f64,
    finding: &mut Finding,
) {
    match k.iter().find(|&&k| bound(k) < largest) {
        Some(first) => {
            let mut check = below(name, k, means, &bound);
            check.detail += &format!("; the bound is below the largest possible value, {largest:.3}, from k = {first}");
            finding.checks.push(check);
        }
        None => finding.notes.push(format!(
            "{name}: no test, since the bound is above the largest possible value, {largest:.3}, at all these k."
        )),
    }
}

/// "≥ bound" over a whole curve: whether the upper end of no interval is below it, and the least ratio. What is not a
/// number is below.
pub(super) fn above(
    name: &str,
    k: &[u64],
    means: &[Estimate],
    bound: impl Fn(u64) -> f64,
) -> Check {
    let mut holds = true;
    let worst = ratios(k, means, bound)
        .inspect(|ratio| holds &= ratio.high >= 1.0)
        .min_by(|a, b| {
            let rank = |ratio: &Ratio| (!ratio.value.is_nan(), ratio.high >= 1.0, ratio.value);
            rank(a).partial_cmp(&rank(b)).unwrap_or(Ordering::Equal)
        });
    match worst {
        Some(Ratio { k, value, high }) => Check::new(
            name,
            holds,
            format!("at least {value:.3} times the bound (95 %: {high:.3}), at k = {k}"),
        ),
        None => Check::new(name, false, "nothing was measured"),
    }
}

/// A mean and the upper end of its interval, in units of a bound; the second is NaN if the first is.
struct Ratio {
    k: u64,
    value: f64,
    high: f64,
}

fn ratios(
    k: &[u64],
    means: &[Estimate],
    bound: impl Fn(u64) -> f64,
) -> impl Iterator<Item = Ratio> {
    k.iter().zip(means).map(move |(&k, mean)| {
        let (value, high) = (mean.value / bound(k), mean.high / bound(k));
        let high = if value.is_nan() { value } else { high };
        Ratio { k, value, high }
    })
}

#[cfg(test)]
mod tests;
