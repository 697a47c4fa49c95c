//! The legend: above the plot, in as many rows as it needs, so that it never covers data.

use crate::text::{UNIT, fitted, text_width};
use crate::{Figure, Mark};

/// Length of a sample, in canvas units.
pub(crate) const KEY: i32 = 30 * UNIT;
/// Height of a row.
const ROW: i32 = 22 * UNIT;
/// Between two entries, and before the first.
const GAP: i32 = 16 * UNIT;
/// Between a sample and its name.
const SPACE: i32 = 6 * UNIT;

/// One name, with the marks that it has in the figure.
pub(crate) struct Entry<'a> {
    /// The series' name.
    pub name: &'a str,
    /// The name as shown, cut where it is too long for a row.
    pub shown: String,
    /// The marks of all series of this name.
    pub marks: Vec<&'a Mark>,
    /// Left end of the sample, in canvas units.
    pub x: i32,
    /// Middle of the row.
    pub y: i32,
}

impl Entry<'_> {
    /// Where the name begins.
    pub fn text_x(&self) -> i32 {
        self.x + KEY + SPACE
    }
}

/// Lays a figure's legend out in `width` canvas units; returns its entries and its height.
pub(crate) fn place(figure: &Figure, width: i32) -> (Vec<Entry<'_>>, i32) {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let (mut x, mut y) = (GAP, ROW / 2);
    for series in &figure.series {
        if let Some(entry) = entries.iter_mut().find(|entry| entry.name == series.name) {
            entry.marks.push(&series.mark);
            continue;
        }
        let shown = fitted(&series.name, width - KEY - SPACE - 2 * GAP);
        let length = KEY + SPACE + text_width(&shown) + GAP;
        if x + length > width && x > GAP {
            (x, y) = (GAP, y + ROW);
        }
        entries.push(Entry {
            name: &series.name,
            shown,
            marks: vec![&series.mark],
            x,
            y,
        });
        x += length;
    }
    let height = if entries.is_empty() { 0 } else { y + ROW / 2 };
    (entries, height)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Axis, Series};

    fn figure(names: &[&str]) -> Figure {
        Figure {
            title: String::new(),
            caption: String::new(),
            x: Axis::linear("x"),
            y: Axis::linear("y"),
            series: names
                .iter()
                .map(|&name| Series::line(name, vec![]))
                .collect(),
        }
    }

    #[test]
    fn a_line_and_its_band_are_one_entry() {
        let mut figure = figure(&["a", "b"]);
        figure.series.push(Series::band("a", &[(0.0, 0.0, 1.0)]));
        let (entries, _) = place(&figure, 7600);
        assert_eq!(
            entries
                .iter()
                .map(|entry| (entry.name, entry.marks.len()))
                .collect::<Vec<_>>(),
            [("a", 2), ("b", 1)]
        );
    }

    #[test]
    fn entries_stay_inside_and_do_not_overlap() {
        let long = "w".repeat(300);
        let figure = figure(&[
            "SGD",
            "SGD with momentum",
            "ACClip (normalized)",
            &long,
            "AdamW",
            "GClip",
            "CClip",
        ]);
        for width in [3800, 7600] {
            let (entries, height) = place(&figure, width);
            let ends: Vec<i32> = entries
                .iter()
                .map(|entry| entry.text_x() + text_width(&entry.shown))
                .collect();
            assert!(ends.iter().all(|&end| end <= width), "{ends:?}");
            for (pair, end) in entries.windows(2).zip(ends) {
                let next_row = pair[1].y == pair[0].y + ROW && pair[1].x == GAP;
                assert!(
                    next_row || (pair[1].y == pair[0].y && pair[1].x >= end + GAP),
                    "{} {}",
                    pair[0].x,
                    pair[1].x
                );
            }
            assert!(entries.iter().all(|entry| entry.y + ROW / 2 <= height));
        }
        assert_eq!(place(&self::figure(&[]), 3800).1, 0);
    }
}
