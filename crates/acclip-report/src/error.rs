//! What can be wrong with a figure.

use std::fmt;

/// Why a figure cannot be drawn. Each variant names the figure by its title.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// An axis has a range that is empty, reversed, not finite, or not positive on a logarithmic scale.
    Range {
        /// Title of the figure.
        figure: String,
        /// Label of the axis.
        axis: String,
        /// The range as given.
        range: (f64, f64),
        /// Whether the axis is logarithmic.
        log: bool,
    },
    /// A band's edges differ in length.
    BandLength {
        /// Title of the figure.
        figure: String,
        /// Name of the series.
        series: String,
        /// Points of the lower edge.
        lower: usize,
        /// Values of the upper edge.
        upper: usize,
    },
    /// The plotting library refused; no input is known to cause it.
    Draw {
        /// Title of the figure.
        figure: String,
        /// What the library said.
        reason: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range {
                figure,
                axis,
                range: (low, high),
                log,
            } => {
                let positive = if *log {
                    ", both above zero since the axis is logarithmic"
                } else {
                    ""
                };
                write!(
                    f,
                    "figure \"{figure}\", axis \"{axis}\": the range {low} to {high} cannot be shown; \
                     give two finite numbers, the smaller first{positive}, or no range at all"
                )
            }
            Self::BandLength {
                figure,
                series,
                lower,
                upper,
            } => write!(
                f,
                "figure \"{figure}\", series \"{series}\": the band has {lower} lower points and {upper} upper \
                 values; give one upper value for each point"
            ),
            Self::Draw { figure, reason } => {
                write!(
                    f,
                    "figure \"{figure}\" could not be drawn: {reason}; please report this figure's data"
                )
            }
        }
    }
}

impl std::error::Error for Error {}
