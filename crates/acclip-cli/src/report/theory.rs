//! Findings of `acclip theory`: the text, the tables for other programs, and the report with its figures.

mod cells;
mod text;

pub use cells::amount;
pub use text::theory_text;

use crate::theory::TheorySummary;
use acclip_report::{Axis, Figure, Item, Report, Section, Series, Table};
use acclip_theory::{Cell, Curve, Finding, Kind, Plot, Point};
use cells::{exact, shown};
use text::speed;

/// The verdict, and how the checks came out, in a sentence.
fn outcome(finding: &Finding) -> String {
    let failed = finding.checks.iter().filter(|check| !check.holds);
    let failed: Vec<&str> = failed.map(|check| check.name.as_str()).collect();
    match (failed.len(), finding.checks.len()) {
        (_, 0) => "Nothing was checked.".into(),
        (0, 1) => "Reproduced: the check holds.".into(),
        (0, all) => format!("Reproduced: all {all} checks hold."),
        (_, 1) => format!("Not reproduced: the check failed: {}.", failed[0]),
        (some, all) => format!(
            "Not reproduced: {some} of {all} checks failed: {}.",
            failed.join("; ")
        ),
    }
}

/// A table for a reader. A column is one of numbers if it holds any, and no words.
fn reader_table(table: &acclip_theory::Table) -> Table {
    let is_number = |cell: &Cell| matches!(cell, Cell::Number(_) | Cell::Estimate { .. });
    let numeric = (0..table.header.len()).filter(|&column| {
        let cells = || table.rows.iter().filter_map(move |row| row.get(column));
        cells().any(is_number) && !cells().any(|cell| matches!(cell, Cell::Text(_)))
    });
    Table {
        caption: table.caption.clone(),
        header: table.header.clone(),
        rows: (table.rows.iter())
            .map(|row| row.iter().map(shown).collect())
            .collect(),
        numeric: numeric.collect(),
        highlight: None,
    }
}

/// A table for a program: every digit, and columns for the ends of intervals.
fn program_table(table: &acclip_theory::Table) -> Table {
    let estimates = |column: usize| {
        let mut cells = table.rows.iter().filter_map(|row| row.get(column));
        cells.any(|cell| matches!(cell, Cell::Estimate { .. }))
    };
    let wide: Vec<bool> = (0..table.header.len()).map(estimates).collect();
    let mut header = Vec::new();
    for (name, &wide) in table.header.iter().zip(&wide) {
        header.push(name.clone());
        if wide {
            header.extend([format!("{name} (low)"), format!("{name} (high)")]);
        }
    }
    let cells = |cell: &Cell, wide: bool| -> Vec<String> {
        let mut cells = match *cell {
            Cell::Text(ref words) => vec![words.clone()],
            Cell::Number(x) => vec![exact(x)],
            Cell::Estimate { value, low, high } => [value, low, high].map(exact).to_vec(),
            Cell::Empty => vec![],
        };
        cells.resize(if wide { 3 } else { 1 }, String::new());
        cells
    };
    let row = |row: &Vec<Cell>| {
        let pairs = row.iter().zip(&wide);
        pairs.flat_map(|(cell, &wide)| cells(cell, wide)).collect()
    };
    Table {
        header,
        rows: table.rows.iter().map(row).collect(),
        ..Table::default()
    }
}

/// The curves of a figure for a program, a row a point.
fn curves_table(plot: &Plot) -> Table {
    let row = |curve: &Curve, point: &Point| {
        let (low, high) = point.interval.unzip();
        let end = |end: Option<f64>| end.map_or(String::new(), exact);
        let kind = kind_name(curve.kind).to_string();
        let numbers = [exact(point.x), exact(point.y), end(low), end(high)];
        [vec![curve.name.clone(), kind], numbers.to_vec()].concat()
    };
    let points = plot.curves.iter();
    let rows = points.flat_map(|curve| curve.points.iter().map(move |point| row(curve, point)));
    Table {
        header: ["curve", "kind", "x", "y", "low", "high"]
            .map(String::from)
            .to_vec(),
        rows: rows.collect(),
        ..Table::default()
    }
}

/// The name of a kind of curve, the same as in JSON.
fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Measured => "measured",
        Kind::Upper => "upper",
        Kind::Lower => "lower",
        Kind::Fitted => "fitted",
        Kind::Proved => "proved",
        Kind::Reference => "reference",
    }
}

/// All tables and curves under their file names, numbered as in the report.
pub fn theory_tables(finding: &Finding) -> Vec<(String, Table)> {
    let tables = finding.tables.iter().map(program_table).enumerate();
    let tables = tables.map(|(i, table)| (format!("table-{}.csv", i + 1), table));
    let figures = finding.plots.iter().map(curves_table).enumerate();
    let figures = figures.map(|(i, table)| (format!("figure-{}.csv", i + 1), table));
    tables.chain(figures).collect()
}

/// One pair of axes: what is measured or fitted as a whole line, what is proved as a broken one.
fn figure(plot: &Plot) -> Figure {
    let axis = if plot.log { Axis::log } else { Axis::linear };
    let points = || plot.curves.iter().flat_map(|curve| &curve.points);
    // On a logarithmic axis a band that comes close to zero must not stretch the axis, nor vanish.
    let positive = points().map(|point| point.y).filter(|&y| y > 0.0);
    let floor = positive.fold(f64::INFINITY, f64::min) / 3.0;
    let (mut series, mut bands, mut cut) = (Vec::new(), false, false);
    for curve in &plot.curves {
        let edges = curve.points.iter().filter_map(|point| {
            let (low, high) = point.interval?;
            let below = plot.log && low < floor;
            let drawn = low.is_finite() && high.is_finite() && (!below || high > floor);
            cut |= drawn && below;
            drawn.then_some((point.x, if below { floor } else { low }, high))
        });
        let edges: Vec<(f64, f64, f64)> = edges.collect();
        if !edges.is_empty() {
            bands = true;
            series.push(Series::band(&curve.name, &edges));
        }
        let line = curve
            .points
            .iter()
            .map(|point| (point.x, point.y))
            .collect();
        series.push(match curve.kind {
            Kind::Measured | Kind::Fitted => Series::line(&curve.name, line),
            Kind::Upper | Kind::Lower | Kind::Proved | Kind::Reference => {
                Series::dashed(&curve.name, line)
            }
        });
    }
    let has = |kind: Kind| plot.curves.iter().any(|curve| curve.kind == kind);
    let proved = [
        (Kind::Upper, "proved upper bound"),
        (Kind::Lower, "proved lower bound"),
        (Kind::Proved, "proved slope"),
        (Kind::Reference, "for comparison"),
    ];
    let proved: Vec<&str> = (proved.into_iter().filter(|&(kind, _)| has(kind)))
        .map(|(_, name)| name)
        .collect();
    let mut caption = vec![plot.caption.clone()];
    if bands {
        caption.push("Bands: 95 % intervals.".into());
    }
    if cut {
        caption.push(
            "A band that goes further down is cut off at a third of the lowest point.".into(),
        );
    }
    if !proved.is_empty() {
        caption.push(format!("Broken lines: {}.", proved.join(", ")));
    }
    Figure {
        title: plot.title.clone(),
        caption: caption.join(" "),
        x: axis(plot.x.clone()),
        y: axis(plot.y.clone()),
        series,
    }
}

/// Every check, as a table.
fn checks(finding: &Finding) -> Table {
    let row = |check: &acclip_theory::Check| {
        let holds = if check.holds {
            "✓ holds"
        } else {
            "✗ FAILED"
        };
        vec![check.name.clone(), holds.into(), check.detail.clone()]
    };
    Table {
        caption: "What is measured beside what is proved.".into(),
        header: ["check", "outcome", "detail"].map(String::from).to_vec(),
        rows: finding.checks.iter().map(row).collect(),
        ..Table::default()
    }
}

/// The report of `acclip theory`.
pub fn of_theory(summary: &TheorySummary) -> Report {
    let finding = &summary.finding;
    let program = format!("acclip {} ({})", summary.version, summary.commit);
    let run = [
        ("began", summary.started.clone()),
        ("program", program),
        ("machine", summary.machine.clone()),
        ("threads", summary.threads.to_string()),
        ("time", speed(summary)),
    ];
    let run = run.map(|(name, value)| (name.to_string(), value));
    let tables = finding.tables.iter().map(reader_table).map(Item::Table);
    let figures = finding.plots.iter().map(figure).map(Item::Figure);
    let notes = finding.notes.iter().cloned().map(Item::Text);
    let checked = (!finding.checks.is_empty()).then(|| Item::Table(checks(finding)));
    let again = "On the same machine the same command and program give the same numbers to the last bit, whatever the \
                 number of threads; on another processor the last digits may differ. The numbers of this page lie \
                 beside it: all of them in finding.json, those of table n in table-n.csv, those of figure n in \
                 figure-n.csv.";
    let sections = [
        ("The claim", vec![Item::Text(finding.claim.clone())]),
        ("Numbers", tables.collect()),
        ("Figures", figures.collect()),
        ("Checks", checked.into_iter().collect()),
        ("Notes", notes.collect()),
        (
            "Run it again",
            vec![
                Item::Text(again.into()),
                Item::Code(summary.command.clone()),
            ],
        ),
    ];
    let sections = sections
        .into_iter()
        .filter(|(_, items): &(_, Vec<Item>)| !items.is_empty());
    Report {
        title: finding.title.clone(),
        verdict: vec![outcome(finding)],
        facts: [finding.settings.clone(), run.to_vec()].concat(),
        sections: sections
            .map(|(title, items)| Section {
                title: title.into(),
                items,
            })
            .collect(),
    }
}

#[cfg(test)]
pub use tests::example as theory_example;
#[cfg(test)]
mod tests;
