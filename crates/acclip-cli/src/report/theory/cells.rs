//! Numbers of a finding: for a reader in few digits, for a program in all of them.

use crate::report::number;
use acclip_theory::Cell;

/// Most significant digits of an estimate, however narrow its interval.
const MOST_DIGITS: i32 = 6;
/// Integers below this are shown in full.
const LARGEST_INTEGER: f64 = 1e9;

/// A number for a reader: an integer in full, anything else in four significant digits.
pub(super) fn short(x: f64) -> String {
    match x {
        f64::INFINITY => "∞".into(),
        f64::NEG_INFINITY => "-∞".into(),
        x if x.is_nan() => "NaN".into(),
        x if x.fract() == 0.0 && x.abs() < LARGEST_INTEGER => format!("{x:.0}"),
        x => number(x),
    }
}

/// A cell for a reader.
pub(super) fn shown(cell: &Cell) -> String {
    match *cell {
        Cell::Text(ref words) => words.clone(),
        Cell::Number(x) => short(x),
        Cell::Estimate { value, low, high } => estimate(value, low, high),
        Cell::Empty => "–".into(),
    }
}

/// `0.66 [0.64, 0.68]`: as many digits as the interval is worth. Rounding moves its ends by at most a third of half
/// its width, unless that would take more than six significant digits.
pub(super) fn estimate(value: f64, low: f64, high: f64) -> String {
    let ends = [value, low, high];
    let half = (high - low) / 2.0;
    let largest = ends.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    if value.is_nan() {
        return "NaN".into();
    }
    let [value, low, high] = if half > 0.0 && largest.is_finite() {
        let leading = largest.log10().floor() as i32;
        let decimals = (1.5 / half).log10().ceil() as i32;
        if (1e-3..1e5).contains(&largest) {
            let decimals = decimals.clamp(0, (MOST_DIGITS - 1 - leading).max(0)) as usize;
            ends.map(|x| unsigned_zero(format!("{x:.decimals$}")))
        } else {
            let decimals = (decimals + leading).clamp(0, MOST_DIGITS - 1) as usize;
            ends.map(|x| unsigned_zero(format!("{x:.decimals$e}")))
        }
    } else {
        ends.map(short)
    };
    format!("{value} [{low}, {high}]")
}

/// Zero has no sign for a reader: `-0.00` is `0.00`.
fn unsigned_zero(text: String) -> String {
    match text.strip_prefix('-') {
        Some(rest) if !rest.contains(|c: char| ('1'..='9').contains(&c)) => rest.to_string(),
        _ => text,
    }
}

/// A number that reads back as the same bits: `NaN`, `inf` and `-inf` among them.
pub(super) fn exact(x: f64) -> String {
    match x.abs() {
        a if a == 0.0 || !a.is_finite() || (1e-4..1e16).contains(&a) => x.to_string(),
        _ => format!("{x:e}"),
    }
}

/// A large number in words: `212 million`.
pub fn amount(x: f64) -> String {
    let units = [
        (1e12, "trillion"),
        (1e9, "billion"),
        (1e6, "million"),
        (1e3, "thousand"),
    ];
    // What three digits round up to the next unit belongs to it.
    match units.into_iter().find(|(unit, _)| x >= 0.9995 * unit) {
        Some((unit, name)) => {
            let part = x / unit;
            let decimals = 2 - usize::from(part >= 9.995) - usize::from(part >= 99.95);
            format!("{part:.decimals$} {name}")
        }
        None => format!("{x:.0}"),
    }
}

/// Wall time: `12 ms`, `3.21 s`, `4 min 10 s`.
pub(super) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 0.9995 => format!("{:.0} ms", 1e3 * s),
        s if s < 99.995 => format!("{s:.2} s"),
        s => {
            let whole = s.round() as u64;
            format!("{} min {} s", whole / 60, whole % 60)
        }
    }
}
