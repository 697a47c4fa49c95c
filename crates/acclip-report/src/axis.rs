//! Axes: where a value lies, which ticks are drawn, and what is written at them.
//!
//! A logarithmic axis is a linear axis over `log10(value)`. Data are transformed once, on entry, and from then on
//! everything here and in [`crate::draw`] is linear; an *axis coordinate* is the value itself or its logarithm.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::Scale;

/// How far beyond the plot a point may be drawn, in canvas units: far enough that a line towards it keeps its slope,
/// near enough that no sum of coordinates overflows.
const FAR: f64 = 1e8;

/// A labelled tick.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    /// Axis coordinate.
    pub at: f64,
    /// What is written there.
    pub label: String,
}

/// One axis of a chart, in the form in which plotters wants it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AxisCoord {
    low: f64,
    high: f64,
    ticks: Vec<Tick>,
    minor: Vec<f64>,
}

impl AxisCoord {
    /// An axis from `low` to `high` (axis coordinates, `low < high`) with about `target` labelled ticks.
    pub fn new(scale: Scale, (low, high): (f64, f64), target: usize) -> Self {
        let target = target.max(2);
        let (ticks, minor) = match scale {
            Scale::Linear => (linear_ticks(low, high, target), Vec::new()),
            Scale::Log => log_ticks(low, high, target),
        };
        Self {
            low,
            high,
            ticks,
            minor,
        }
    }

    /// The labelled ticks, in ascending order.
    pub fn ticks(&self) -> &[Tick] {
        &self.ticks
    }

    /// Drops every other tick, where labels would run into each other.
    pub fn halve_ticks(&mut self) {
        let mut keep = false;
        self.ticks.retain(|_| {
            keep = !keep;
            keep
        });
    }
}

impl Ranged for AxisCoord {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, at: &f64, (first, last): (i32, i32)) -> i32 {
        let fraction = (at - self.low) / (self.high - self.low);
        let offset = f64::from(last - first) * fraction;
        first + offset.round().clamp(-FAR, FAR) as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            self.minor.clone()
        } else {
            self.ticks.iter().map(|tick| tick.at).collect()
        }
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for AxisCoord {
    fn format_ext(&self, at: &f64) -> String {
        self.ticks
            .iter()
            .find(|tick| tick.at == *at)
            .map_or_else(String::new, |tick| tick.label.clone())
    }
}

/// Multiples of 1, 2 or 5 times a power of ten, at most `target + 1` of them.
fn linear_ticks(low: f64, high: f64, target: usize) -> Vec<Tick> {
    let (mantissa, exponent) = nice_step(high - low, target);
    let step = mantissa * 10f64.powi(exponent);
    // A hair of tolerance, so that an end of the range that is a multiple of the step gets its tick.
    let first = (low / step - 1e-6).ceil();
    let last = (high / step + 1e-6).floor();
    let count = (last - first).clamp(0.0, 2.0 * target as f64) as usize + 1;
    let largest = low.abs().max(high.abs());
    (0..count)
        .map(|i| (first + i as f64) * step)
        .map(|at| Tick {
            at,
            label: number(at, exponent, largest),
        })
        .collect()
}

/// The smallest step of the form (1 | 2 | 5) · 10ᵉ that divides `span` into at most `target` parts, as `(mantissa, e)`.
fn nice_step(span: f64, target: usize) -> (f64, i32) {
    let raw = span / target as f64;
    let exponent = raw.log10().floor() as i32;
    let scale = 10f64.powi(exponent);
    // Rounding must not turn a step that fits into the next larger one.
    match raw / scale - 1e-6 {
        r if r <= 1.0 => (1.0, exponent),
        r if r <= 2.0 => (2.0, exponent),
        r if r <= 5.0 => (5.0, exponent),
        _ => (1.0, exponent + 1),
    }
}

/// Ticks and minor grid lines between `10^low` and `10^high`: powers of ten, and where there are fewer than two of
/// them 1, 2, 5 of each decade, then 1 to 9, and in the end the ticks of a linear axis.
fn log_ticks(low: f64, high: f64, target: usize) -> (Vec<Tick>, Vec<f64>) {
    let (first, last) = ((low - 1e-9).ceil() as i32, (high + 1e-9).floor() as i32);
    if last > first {
        let stride = ((last - first) as usize).div_ceil(target).max(1);
        let decades: Vec<i32> = (first..=last)
            .filter(|d| d.rem_euclid(stride as i32) == 0)
            .collect();
        if decades.len() >= 2 {
            let plain = first >= -3 && last <= 4;
            let ticks = decades
                .iter()
                .map(|&d| Tick {
                    at: f64::from(d),
                    label: power(1, d, plain),
                })
                .collect();
            let minor = if stride == 1 {
                multiples(low, high, &[2, 3, 4, 5, 6, 7, 8, 9])
            } else {
                Vec::new()
            };
            return (
                ticks,
                minor.into_iter().map(|(m, d)| log_at(m, d)).collect(),
            );
        }
    }
    for digits in [&[1, 2, 5][..], &[1, 2, 3, 4, 5, 6, 7, 8, 9]] {
        let found = multiples(low, high, digits);
        if found.len() >= 2 {
            let plain = found.iter().all(|&(_, d)| (-3..=4).contains(&d));
            let ticks = found
                .iter()
                .map(|&(m, d)| Tick {
                    at: log_at(m, d),
                    label: power(m, d, plain),
                })
                .collect();
            return (ticks, Vec::new());
        }
    }
    let mut ticks = linear_ticks(10f64.powf(low), 10f64.powf(high), target);
    for tick in &mut ticks {
        tick.at = tick.at.log10();
    }
    (ticks, Vec::new())
}

/// The numbers m · 10ᵈ with m in `digits` whose logarithm lies between `low` and `high`, as `(m, d)`.
fn multiples(low: f64, high: f64, digits: &[u32]) -> Vec<(u32, i32)> {
    let decades = low.floor() as i32..=high.floor() as i32;
    let all = decades.flat_map(|d| digits.iter().map(move |&m| (m, d)));
    all.filter(|&(m, d)| (low - 1e-9..=high + 1e-9).contains(&log_at(m, d)))
        .collect()
}

fn log_at(mantissa: u32, decade: i32) -> f64 {
    f64::from(decade) + f64::from(mantissa).log10()
}

/// Writes `mantissa · 10^decade`, in full if `plain`.
fn power(mantissa: u32, decade: i32, plain: bool) -> String {
    match (plain, mantissa) {
        (true, _) if decade >= 0 => format!("{}", u64::from(mantissa) * 10u64.pow(decade as u32)),
        (true, _) => format!("0.{}{mantissa}", "0".repeat(-decade as usize - 1)),
        (false, 1) => format!("10{}", superscript(decade)),
        (false, _) => format!("{mantissa}·10{}", superscript(decade)),
    }
}

/// Writes a multiple of `10^exponent`, in full or, on an axis that reaches a million (`largest`, in absolute value) or
/// stays below a thousandth, with the power of ten of `largest`, the same at each tick.
fn number(value: f64, exponent: i32, largest: f64) -> String {
    if value.abs() < 0.5 * 10f64.powi(exponent) {
        return "0".to_owned();
    }
    let decimals = |places: i32| usize::try_from(places).unwrap_or(0);
    let text = if (1e-3..1e6).contains(&largest) {
        format!("{value:.*}", decimals(-exponent))
    } else {
        let power = (largest.log10() + 1e-9).floor() as i32;
        format!(
            "{:.*}·10{}",
            decimals(power - exponent),
            value / 10f64.powi(power),
            superscript(power)
        )
    };
    text.replace('-', "−")
}

fn superscript(exponent: i32) -> String {
    let digits = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let raised = |c: char| c.to_digit(10).map_or('⁻', |digit| digits[digit as usize]);
    exponent.to_string().chars().map(raised).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, low: f64, high: f64, target: usize) -> Vec<String> {
        let axis = match scale {
            Scale::Linear => AxisCoord::new(scale, (low, high), target),
            Scale::Log => AxisCoord::new(scale, (low.log10(), high.log10()), target),
        };
        axis.ticks().iter().map(|tick| tick.label.clone()).collect()
    }

    #[test]
    fn linear_ticks_are_round_and_as_exact_as_their_step() {
        assert_eq!(
            labels(Scale::Linear, 0.0, 1.0, 5),
            ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(labels(Scale::Linear, -7.3, 12.0, 5), ["−5", "0", "5", "10"]);
        assert_eq!(
            labels(Scale::Linear, 99.9, 100.1, 4),
            ["99.90", "99.95", "100.00", "100.05", "100.10"]
        );
        assert_eq!(
            labels(Scale::Linear, 0.0, 2000.0, 4),
            ["0", "500", "1000", "1500", "2000"]
        );
    }

    #[test]
    fn very_large_and_very_small_linear_ticks_have_a_power_of_ten() {
        assert_eq!(
            labels(Scale::Linear, 0.0, 4e9, 4),
            ["0", "1·10⁹", "2·10⁹", "3·10⁹", "4·10⁹"]
        );
        assert_eq!(
            labels(Scale::Linear, -1e-5, 1e-5, 4),
            ["−1.0·10⁻⁵", "−0.5·10⁻⁵", "0", "0.5·10⁻⁵", "1.0·10⁻⁵"]
        );
        assert_eq!(
            labels(Scale::Linear, 1.0e7, 1.2e7, 4),
            ["1.00·10⁷", "1.05·10⁷", "1.10·10⁷", "1.15·10⁷", "1.20·10⁷"]
        );
    }

    #[test]
    fn log_ticks_are_powers_of_ten() {
        assert_eq!(
            labels(Scale::Log, 1e-3, 1.0, 6),
            ["0.001", "0.01", "0.1", "1"]
        );
        assert_eq!(
            labels(Scale::Log, 1e-6, 1e-2, 6),
            ["10⁻⁶", "10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²"]
        );
        assert_eq!(
            labels(Scale::Log, 1e-30, 1e30, 4),
            ["10⁻³⁰", "10⁻¹⁵", "10⁰", "10¹⁵", "10³⁰"]
        );
    }

    #[test]
    fn a_log_axis_shorter_than_two_decades_keeps_readable_ticks() {
        assert_eq!(
            labels(Scale::Log, 2.0, 60.0, 6),
            ["2", "5", "10", "20", "50"]
        );
        assert_eq!(
            labels(Scale::Log, 3.0, 9.0, 6),
            ["3", "4", "5", "6", "7", "8", "9"]
        );
        assert_eq!(
            labels(Scale::Log, 7.1, 7.5, 4),
            ["7.1", "7.2", "7.3", "7.4", "7.5"]
        );
        assert_eq!(
            labels(Scale::Log, 2e-7, 3e-6, 6),
            ["2·10⁻⁷", "5·10⁻⁷", "10⁻⁶", "2·10⁻⁶"]
        );
    }

    #[test]
    fn log_ticks_lie_where_their_labels_say() {
        let axis = AxisCoord::new(Scale::Log, (0.30, 1.8), 6);
        for tick in axis.ticks() {
            let value: f64 = tick.label.parse().expect("plain labels here");
            assert!(
                (10f64.powf(tick.at) - value).abs() < 1e-9 * value,
                "{tick:?}"
            );
        }
        // Minor lines of one decade: 2 to 9 between 1 and 10.
        let decade = AxisCoord::new(Scale::Log, (0.0, 1.0), 6);
        assert_eq!(decade.minor.len(), 8);
        assert!((decade.minor[0] - 2f64.log10()).abs() < 1e-12);
    }

    #[test]
    fn values_map_to_the_ends_and_the_middle_and_stay_finite_far_away() {
        let axis = AxisCoord::new(Scale::Linear, (10.0, 20.0), 5);
        let at = |value: f64| axis.map(&value, (1000, 3000));
        assert_eq!((at(10.0), at(15.0), at(20.0)), (1000, 2000, 3000));
        assert_eq!(axis.map(&10.0, (3000, 1000)), 3000);
        assert_eq!(at(1e300), 1000 + FAR as i32);
        assert_eq!(at(-1e300), 1000 - FAR as i32);
    }

    #[test]
    fn no_range_yields_a_flood_of_ticks() {
        for exponent in -300..300 {
            let span = 10f64.powi(exponent);
            for (low, high) in [(0.0, span), (-span, span), (span, 3.7 * span)] {
                for target in [2, 5, 9] {
                    let count = AxisCoord::new(Scale::Linear, (low, high), target)
                        .ticks()
                        .len();
                    assert!(
                        (1..=target + 2).contains(&count),
                        "{low} to {high}: {count} ticks for {target}"
                    );
                }
            }
            let count = AxisCoord::new(Scale::Log, (-0.7, 0.1 + f64::from(exponent.abs())), 6)
                .ticks()
                .len();
            assert!((2..=9).contains(&count), "log to {exponent}: {count} ticks");
        }
    }
}
