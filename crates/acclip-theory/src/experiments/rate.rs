//! A measured exponent beside a proved one.

use super::Settings;
use crate::estimate::{Estimate, exponent, log_slope, mean};
use crate::finding::{Cell, Check, Curve, Kind};

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
    /// How the ratio to the bound changes, if that is known.
    spread: Option<f64>,
    /// The first point that was fitted.
    from: usize,
    /// Why the measured exponent is not yet the limit's, if it is not.
    pub early: Option<String>,
}

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
            let (last, value) = (steps[steps.len() - 1], means[means.len() - 1].value);
            let needed = last * (value / level).max(1.0).powf(1.0 / proved);
            format!(
                "not yet in its range: after {last} steps the mean is 1/{:.0} of the largest value possible, and the \
                 range begins at 1/{:.0}, from about {needed:.0e} steps",
                ceiling / value,
                1.0 / reach
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
            spread: None,
            from,
            early,
        }
    }

    /// Compares with a bound that is no power law at these k, or whose constant is not the curve's.
    ///
    /// A curve above a bound may have another exponent over a finite range: if its ratio to the bound changes by a
    /// factor q while k changes by a factor K, then by up to ln q/ln K.
    pub(super) fn beside(mut self, bound: &[f64]) -> Self {
        let k: Vec<f64> = self.k[self.from..].iter().map(|&k| k as f64).collect();
        let bound = &bound[self.from..];
        self.finite = -log_slope(&k, bound.iter().copied());
        let ratios = self.means[self.from..]
            .iter()
            .zip(bound)
            .map(|(mean, bound)| mean.value / bound);
        let (least, most) = ratios.fold((f64::INFINITY, 0.0_f64), |(a, b), ratio| {
            (a.min(ratio), b.max(ratio))
        });
        self.spread = Some((most / least).ln() / (k[k.len() - 1] / k[0]).ln());
        self
    }

    /// The same of the square root: exponents are halved.
    pub(super) fn of_root(mut self) -> Self {
        self.measured = self.measured.times(0.5);
        self.proved *= 0.5;
        self.finite *= 0.5;
        self
    }

    /// Whether the proved exponent is in the interval, or the curve is early. `among` is the number of such checks.
    pub(super) fn check(&self, name: &str, among: usize) -> Check {
        let Estimate {
            value, low, high, ..
        } = self.measured;
        let beside = match self.spread {
            Some(_) => format!(
                "{:.4} of the bound at these k ({:.4} in the limit)",
                self.finite, self.proved
            ),
            None => format!("{:.4}", self.proved),
        };
        let numbers = format!(
            "{value:.4} [{low:.4}, {high:.4}] beside {beside}, k from {} to {}",
            self.k[self.from],
            self.k[self.k.len() - 1]
        );
        let within = self.measured.holds_among(self.finite, among);
        match (&self.early, self.spread) {
            (Some(early), _) if !within => Check::new(name, true, format!("{numbers}; {early}")),
            (None, Some(spread)) if !within => Check::new(
                name,
                (value - self.finite).abs() <= spread + (high - value),
                format!(
                    "{numbers}; the ratio to the bound changes by k^{spread:.4} over the range"
                ),
            ),
            _ => Check::new(name, within, numbers),
        }
    }

    /// The measured exponent, marked if the curve is early.
    pub(super) fn cell(&self) -> Cell {
        let Estimate {
            value, low, high, ..
        } = self.measured;
        match self.early {
            Some(_) => format!("early: {value:.3} [{low:.3}, {high:.3}]").into(),
            None => self.measured.into(),
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

    /// The fitted power law and the proved slope, through the middle of the fitted points. Of a root, the curve is still
    /// the square.
    pub(super) fn lines(&self, name: &str) -> [Curve; 2] {
        let k: Vec<f64> = self.k[self.from..].iter().map(|&k| k as f64).collect();
        let means = self.means[self.from..].iter().map(|mean| mean.value);
        let n = k.len() as f64;
        let middle =
            |values: &mut dyn Iterator<Item = f64>| (values.map(f64::ln).sum::<f64>() / n).exp();
        let (x, y) = (middle(&mut k.iter().copied()), middle(&mut means.clone()));
        let fitted = -log_slope(&k, means);
        let proved = self.proved * (fitted / self.measured.value).round().max(1.0);
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

/// "≤ bound" over a whole curve: whether the upper end of no interval is above it, and the largest ratio.
pub(super) fn below(
    name: &str,
    k: &[u64],
    means: &[Estimate],
    bound: impl Fn(u64) -> f64,
) -> Check {
    let ratios = k
        .iter()
        .zip(means)
        .map(|(&k, mean)| (k, mean.value / bound(k), mean.high / bound(k)));
    let worst = ratios.max_by(|a, b| a.2.total_cmp(&b.2));
    match worst {
        Some((k, ratio, high)) => Check::new(
            name,
            high <= 1.0,
            format!("at most {ratio:.3} of the bound (95 %: {high:.3}), at k = {k}"),
        ),
        None => Check::new(name, false, "nothing was measured"),
    }
}

/// "≥ bound" over a whole curve: whether the upper end of no interval is below it, and the least ratio.
pub(super) fn above(
    name: &str,
    k: &[u64],
    means: &[Estimate],
    bound: impl Fn(u64) -> f64,
) -> Check {
    let ratios = k
        .iter()
        .zip(means)
        .map(|(&k, mean)| (k, mean.value / bound(k), mean.high / bound(k)));
    let worst = ratios.min_by(|a, b| a.1.total_cmp(&b.1));
    match worst {
        Some((k, ratio, high)) => Check::new(
            name,
            high >= 1.0,
            format!("at least {ratio:.3} times the bound, at k = {k}"),
        ),
        None => Check::new(name, false, "nothing was measured"),
    }
}
