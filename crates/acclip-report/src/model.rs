//! The document: plain data that says what is in a report, and nothing of how it looks.
//!
//! Every field is public, and every string is shown as it stands: markup in it is escaped, never interpreted.

/// A whole report, from the verdict at the top to the last section.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Title of the page.
    pub title: String,
    /// The result in words: a few sentences, shown large at the top, one paragraph each.
    pub verdict: Vec<String>,
    /// Name and value of what identifies the run: seed, machine, date, wall time.
    pub facts: Vec<(String, String)>,
    /// The body.
    pub sections: Vec<Section>,
}

/// A headed part of a report.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Section {
    /// Heading.
    pub title: String,
    /// What stands under it, in order.
    pub items: Vec<Item>,
}

/// One thing in a section.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// Prose; a blank line starts a new paragraph.
    Text(String),
    /// A table.
    Table(Table),
    /// A figure over the whole width.
    Figure(Figure),
    /// Small multiples under one caption, lettered (a), (b), … in order.
    Grid {
        /// Caption of the whole grid.
        caption: String,
        /// Figures a row, at most: a row holds fewer where they would become too small to read
        /// (more than two never fit on the page, and a phone shows one).
        columns: usize,
        /// The figures, row by row.
        figures: Vec<Figure>,
    },
    /// A command or other text to be shown letter for letter.
    Code(String),
}

/// A table. Rows may be shorter or longer than the header: missing cells are empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// What the table shows.
    pub caption: String,
    /// Column names.
    pub header: Vec<String>,
    /// Cells, row by row.
    pub rows: Vec<Vec<String>>,
    /// Indices of the columns that hold numbers: they are aligned on the right, in digits of equal width.
    pub numeric: Vec<usize>,
    /// Index of the row to set off, such as the winner's.
    pub highlight: Option<usize>,
}

/// One pair of axes and what is drawn in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Short title, above the figure.
    pub title: String,
    /// What is to be seen, below the figure.
    pub caption: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// What is drawn. Series of the same name share colour, marker and legend entry,
    /// in this figure and in every other figure of the report.
    pub series: Vec<Series>,
}

/// An axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What is measured, with its unit: `wall time (s)`.
    pub label: String,
    /// Linear or logarithmic.
    pub scale: Scale,
    /// First and last value shown, in the data's units; `None` takes them from the data.
    pub range: Option<(f64, f64)>,
}

/// How values become lengths along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Equal differences are equally long.
    #[default]
    Linear,
    /// Equal ratios are equally long. Values that are not positive have no place and are counted in the caption.
    Log,
}

/// Named data, and the mark that shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name in the legend; it decides the colour.
    pub name: String,
    /// `(x, y)` in the order in which they are joined.
    pub points: Vec<(f64, f64)>,
    /// How the points are shown.
    pub mark: Mark,
}

/// How a series is shown.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// A line, with a marker here and there so that colour is not the only difference.
    Line,
    /// A dashed line without markers, for references and bounds.
    Dashed,
    /// A marker at each point.
    Points,
    /// Bars that touch: a point is `(left edge, height)`, and a bar reaches to the next one's left edge.
    Bars {
        /// Right edge of the last bar.
        end: f64,
    },
    /// A translucent band; the points are its lower edge.
    Band {
        /// Upper edge, one value a point.
        upper: Vec<f64>,
    },
}

impl Axis {
    /// A linear axis over the range of the data.
    pub fn linear(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            scale: Scale::Linear,
            range: None,
        }
    }

    /// A logarithmic axis over the range of the data.
    pub fn log(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            scale: Scale::Log,
            range: None,
        }
    }

    /// The same axis from `low` to `high`, whatever the data. What lies outside is cut off.
    pub fn with_range(mut self, low: f64, high: f64) -> Self {
        self.range = Some((low, high));
        self
    }
}

impl Series {
    /// A line through `points`.
    pub fn line(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self {
            name: name.into(),
            points,
            mark: Mark::Line,
        }
    }

    /// A dashed line through `points`.
    pub fn dashed(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self {
            name: name.into(),
            points,
            mark: Mark::Dashed,
        }
    }

    /// A marker at each of `points`.
    pub fn points(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self {
            name: name.into(),
            points,
            mark: Mark::Points,
        }
    }

    /// A histogram: bar `i` reaches from `edges[i]` to `edges[i + 1]` and is `heights[i]` high, so that there is
    /// one edge more than there are heights. Heights without a right edge are left out.
    pub fn histogram(name: impl Into<String>, edges: &[f64], heights: &[f64]) -> Self {
        let bars = heights.len().min(edges.len().saturating_sub(1));
        let points = edges
            .iter()
            .copied()
            .zip(heights.iter().copied())
            .take(bars)
            .collect();
        let end = edges.get(bars).copied().unwrap_or(f64::NAN);
        Self {
            name: name.into(),
            points,
            mark: Mark::Bars { end },
        }
    }

    /// A band through `(x, lower, upper)`.
    pub fn band(name: impl Into<String>, edges: &[(f64, f64, f64)]) -> Self {
        let points = edges.iter().map(|&(x, lower, _)| (x, lower)).collect();
        let upper = edges.iter().map(|&(_, _, upper)| upper).collect();
        Self {
            name: name.into(),
            points,
            mark: Mark::Band { upper },
        }
    }
}

impl Table {
    /// Width of the widest row, header included.
    pub(crate) fn columns(&self) -> usize {
        self.rows
            .iter()
            .map(Vec::len)
            .chain([self.header.len()])
            .max()
            .unwrap_or(0)
    }
}
