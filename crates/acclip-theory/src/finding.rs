//! What an experiment found: plain data, for a terminal, a report or another program.

use serde::Serialize;

use crate::estimate::Estimate;
use crate::experiments::Settings;

/// The result of one experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// A short name: `Theorem 4`.
    pub title: String,
    /// What the paper claims, in a sentence or two.
    pub claim: String,
    /// Name and value of what the experiment was run with, the seed among them.
    pub settings: Vec<(String, String)>,
    /// Numbers.
    pub tables: Vec<Table>,
    /// Curves, on logarithmic axes unless said otherwise.
    pub plots: Vec<Plot>,
    /// What was compared with a theorem, and whether it holds.
    pub checks: Vec<Check>,
    /// What else a reader must know, a paragraph each.
    pub notes: Vec<String>,
    /// Steps that were taken, over all trajectories.
    pub steps: u64,
}

impl Finding {
    /// A finding to be filled.
    pub(crate) fn new(
        title: impl Into<String>,
        claim: impl Into<String>,
        settings: &Settings,
    ) -> Self {
        Finding {
            title: title.into(),
            claim: claim.into(),
            settings: settings.describe(),
            tables: Vec::new(),
            plots: Vec::new(),
            checks: Vec::new(),
            notes: Vec::new(),
            steps: 0,
        }
    }

    /// Whether every check holds.
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }
}

/// A table; rows are as long as the header.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// What it shows.
    pub caption: String,
    /// Column names.
    pub header: Vec<String>,
    /// Cells, row by row.
    pub rows: Vec<Vec<Cell>>,
}

/// An entry of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number.
    Number(f64),
    /// An estimate with its 95 % interval.
    Estimate {
        /// The estimate.
        value: f64,
        /// Lower end of the interval.
        low: f64,
        /// Upper end of the interval.
        high: f64,
    },
    /// Nothing: not defined here.
    Empty,
}

/// One pair of axes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plot {
    /// Short title.
    pub title: String,
    /// What is to be seen.
    pub caption: String,
    /// Horizontal axis, with its unit.
    pub x: String,
    /// Vertical axis, with its unit.
    pub y: String,
    /// Whether both axes are logarithmic.
    pub log: bool,
    /// What is drawn.
    pub curves: Vec<Curve>,
}

/// A curve; curves of one name share a colour.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curve {
    /// Name in the legend.
    pub name: String,
    /// What it is, which decides how it is drawn.
    pub kind: Kind,
    /// Its points, by growing x.
    pub points: Vec<Point>,
}

/// What a curve is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Measured, with a band.
    Measured,
    /// A proved upper bound.
    Upper,
    /// A proved lower bound.
    Lower,
    /// A fitted slope.
    Fitted,
    /// A line of the proved slope.
    Proved,
}

/// A point, with a 95 % interval where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Abscissa.
    pub x: f64,
    /// Ordinate.
    pub y: f64,
    /// Lower and upper end of the interval of y.
    pub interval: Option<(f64, f64)>,
}

/// A comparison with what is proved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// What is compared: `GClip, α = 1.5: E f(x̄) − f* ≤ bound`.
    pub name: String,
    /// Whether it holds.
    pub holds: bool,
    /// How it came out, in words and numbers: the worst ratio and where.
    pub detail: String,
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Cell::Number(value)
    }
}

impl From<Estimate> for Cell {
    fn from(
        Estimate {
            value, low, high, ..
        }: Estimate,
    ) -> Self {
        Cell::Estimate { value, low, high }
    }
}

impl From<&str> for Cell {
    fn from(words: &str) -> Self {
        Cell::Text(words.to_owned())
    }
}

impl From<String> for Cell {
    fn from(words: String) -> Self {
        Cell::Text(words)
    }
}

impl Table {
    /// A table from its columns' names and its rows.
    pub(crate) fn new(caption: impl Into<String>, header: &[&str], rows: Vec<Vec<Cell>>) -> Self {
        Table {
            caption: caption.into(),
            header: header.iter().map(|&name| name.to_owned()).collect(),
            rows,
        }
    }
}

impl Curve {
    /// A measured curve with its band.
    pub(crate) fn measured(
        name: impl Into<String>,
        points: impl IntoIterator<Item = (f64, Estimate)>,
    ) -> Self {
        let point = |(x, y): (f64, Estimate)| Point {
            x,
            y: y.value,
            interval: Some((y.low, y.high)),
        };
        Curve {
            name: name.into(),
            kind: Kind::Measured,
            points: points.into_iter().map(point).collect(),
        }
    }

    /// A curve without a band.
    pub(crate) fn line(
        name: impl Into<String>,
        kind: Kind,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Self {
        let point = |(x, y)| Point {
            x,
            y,
            interval: None,
        };
        Curve {
            name: name.into(),
            kind,
            points: points.into_iter().map(point).collect(),
        }
    }
}

impl Check {
    /// A check with its outcome.
    pub(crate) fn new(name: impl Into<String>, holds: bool, detail: impl Into<String>) -> Self {
        Check {
            name: name.into(),
            holds,
            detail: detail.into(),
        }
    }
}
