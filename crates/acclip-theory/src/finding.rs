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
    /// Its points, in the order in which they are joined.
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
    /// Something else to compare with, not a bound.
    Reference,
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::estimate::mean;
    use crate::experiments::Experiment;

    fn finding(holds: &[bool]) -> Finding {
        let settings = Settings {
            alphas: vec![1.25, 2.0],
            ..Experiment::Theorem4.defaults()
        };
        let mut finding = Finding::new("Theorem 4", "a claim", &settings);
        finding.checks = holds
            .iter()
            .map(|&holds| Check::new("c", holds, "d"))
            .collect();
        finding
    }

    #[test]
    fn a_finding_holds_if_every_check_does() {
        assert!(finding(&[true, true]).holds());
        for holds in [[false, true], [true, false], [false, false]] {
            assert!(!finding(&holds).holds());
        }
    }

    #[test]
    fn a_finding_says_what_it_was_run_with() {
        let settings = finding(&[]).settings;
        let value = |name: &str| {
            let found = settings.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(value("seed"), Some("0"));
        assert_eq!(value("α"), Some("1.25, 2"));
        assert_eq!(value("trajectories"), Some("8192"));
        assert_eq!(value("steps"), Some("65536"));
    }

    #[test]
    fn cells_and_curves_keep_the_interval() {
        let estimate = mean(&[1.0, 2.0, 3.0]);
        let Cell::Estimate { value, low, high } = Cell::from(estimate) else {
            panic!()
        };
        assert_eq!((value, low, high), (2.0, estimate.low, estimate.high));
        assert!(low < 2.0 && high > 2.0);
        let curve = Curve::measured("m", [(4.0, estimate)]);
        let point = Point {
            x: 4.0,
            y: 2.0,
            interval: Some((low, high)),
        };
        assert_eq!((curve.kind, curve.points), (Kind::Measured, vec![point]));
        let line = Curve::line("l", Kind::Upper, [(1.0, 5.0), (2.0, 6.0)]);
        assert!(
            line.kind == Kind::Upper && line.points.iter().all(|point| point.interval.is_none())
        );
        assert_eq!((line.points[1].x, line.points[1].y), (2.0, 6.0));
    }

    #[test]
    fn as_json_a_number_is_a_number_and_a_kind_a_word() {
        let cells = [
            Cell::from("GClip"),
            Cell::from(String::from("x")),
            Cell::from(0.5),
            Cell::Estimate {
                value: 1.0,
                low: 0.5,
                high: 1.5,
            },
            Cell::Empty,
        ];
        let table = Table::new("t", &["a", "b", "c", "d", "e"], vec![cells.to_vec()]);
        let expected = json!({
            "caption": "t",
            "header": ["a", "b", "c", "d", "e"],
            "rows": [["GClip", "x", 0.5, {"value": 1.0, "low": 0.5, "high": 1.5}, null]],
        });
        assert_eq!(serde_json::to_value(&table).unwrap(), expected);
        let kinds = [
            Kind::Measured,
            Kind::Upper,
            Kind::Lower,
            Kind::Fitted,
            Kind::Proved,
        ];
        let words = json!(["measured", "upper", "lower", "fitted", "proved"]);
        assert_eq!(serde_json::to_value(kinds).unwrap(), words);
    }
}
