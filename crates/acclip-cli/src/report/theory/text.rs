//! A finding as text on stdout.

use super::cells::{amount, duration};
use super::{outcome, reader_table};
use crate::theory::TheorySummary;
use acclip_report::Table;

/// Characters in a line of prose.
const WIDTH: usize = 100;

/// The result of `acclip theory`.
pub fn theory_text(summary: &TheorySummary) -> String {
    let finding = &summary.finding;
    let mut text = format!("{}\n{}\n", finding.title, wrapped(&finding.claim, 0));
    let settings = finding.settings.iter();
    let settings: Vec<String> = settings
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    text.push_str(&format!("{}\n\n", settings.join("  ")));
    for table in &finding.tables {
        text.push_str(&wrapped(&table.caption, 0));
        text.push_str(&format!("{}\n", aligned(&reader_table(table))));
    }
    text.push_str(&wrapped(&outcome(finding), 0));
    for check in &finding.checks {
        let sign = if check.holds { '✓' } else { '✗' };
        text.push_str(&wrapped(
            &format!("{sign} {}: {}", check.name, check.detail),
            2,
        ));
    }
    text.push('\n');
    for note in &finding.notes {
        text.push_str(&format!("{}\n", wrapped(note, 0)));
    }
    text.push_str(&format!("{}\n", speed(summary)));
    text
}

/// Wall time, steps, and steps a second.
pub(super) fn speed(summary: &TheorySummary) -> String {
    let time = duration(summary.seconds);
    match summary.finding.steps {
        0 => time,
        steps => format!(
            "{time}, {} steps, {} trajectory·steps/s",
            amount(steps as f64),
            amount(summary.steps_per_second)
        ),
    }
}

/// Columns that a character takes: none if it is an accent over the one before it, as in x̄.
fn width(text: &str) -> usize {
    let accents = '\u{300}'..='\u{36f}';
    text.chars().filter(|c| !accents.contains(c)).count()
}

/// Text in lines of at most [`WIDTH`] characters, unless a word is longer; all but the first are indented.
pub(super) fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        if column > 0 && column + 1 + width(word) > WIDTH {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            column = indent;
        } else if column > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += width(word);
    }
    lines.push('\n');
    lines
}

/// A table in columns of equal width.
pub(super) fn aligned(table: &Table) -> String {
    let rows = || std::iter::once(&table.header).chain(&table.rows);
    let widths: Vec<usize> = (0..table.header.len())
        .map(|column| {
            let cells = rows().filter_map(|row| row.get(column));
            cells.map(|cell| width(cell)).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows() {
        let cells = widths.iter().enumerate().map(|(column, &wide)| {
            let cell = row.get(column).map_or("", String::as_str);
            let space = " ".repeat(wide - width(cell));
            match table.numeric.contains(&column) {
                true => space + cell,
                false => cell.to_string() + &space,
            }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}
