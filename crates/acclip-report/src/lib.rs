//! Tables and vector figures in one self-contained HTML file.
//!
//! A [`Report`] is plain data: a verdict in words, a strip of facts, and sections of text, tables and figures.
//! [`to_html`] turns it into one page that fetches nothing and runs nothing, reads well on a light or a dark screen,
//! on a phone and on paper, and gives a name the same colour in each figure. [`figure_svg`] draws one figure alone,
//! [`to_csv`] writes a table for a spreadsheet. Figures are drawn by `plotters`.
//!
//! The crate knows nothing of what is measured: no optimizer, no noise, no file, no clock. It never panics, whatever
//! the data: what has no place on an axis is left out and counted in the caption.
//!
//! ```
//! use acclip_report::{Axis, Figure, Item, Report, Section, Series, to_html};
//!
//! let curve = Figure {
//!     title: "Validation loss".into(),
//!     caption: "Mean over three seeds.".into(),
//!     x: Axis::linear("step"),
//!     y: Axis::log("loss (nats per token)"),
//!     series: vec![
//!         Series::line("AdamW", vec![(0.0, 9.1), (100.0, 6.2), (200.0, 5.4)]),
//!         Series::band("AdamW", &[(0.0, 9.0, 9.2), (100.0, 6.0, 6.4), (200.0, 5.3, 5.5)]),
//!     ],
//! };
//! let report = Report {
//!     title: "Which optimizer?".into(),
//!     verdict: vec!["AdamW reaches 5.4 nats in 200 steps.".into()],
//!     facts: vec![("seed".into(), "1".into())],
//!     sections: vec![Section { title: "Training".into(), items: vec![Item::Figure(curve)] }],
//! };
//! let html = to_html(&report);
//! assert!(html.starts_with("<!DOCTYPE html>"));
//! ```

mod axis;
mod csv;
mod draw;
mod error;
mod html;
mod legend;
mod marker;
mod model;
mod palette;
mod pen;
mod shape;
mod text;
mod thin;

pub use csv::to_csv;
pub use error::Error;
pub use html::{figure_svg, to_html};
pub use model::{Axis, Figure, Item, Mark, Report, Scale, Section, Series, Table};
