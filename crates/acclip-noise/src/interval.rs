//! An estimate with its confidence interval.

use serde::{Deserialize, Serialize};

/// Confidence level of every interval in this crate.
pub(crate) const LEVEL: f64 = 0.95;

/// Normal quantile for [`LEVEL`]: P(|Z| ≤ z) = 0.95.
pub(crate) const Z: f64 = 1.959_963_984_540_054;

/// An estimate and the interval around it that covers the true value with
/// probability about `level`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// The estimate itself.
    pub estimate: f64,
    /// Upper end.
    pub high: f64,
    /// Nominal coverage, in (0, 1).
    pub level: f64,
}

impl Interval {
    /// Estimate ± z · `standard_error`, at level 0.95.
    pub(crate) fn normal(estimate: f64, standard_error: f64) -> Self {
        Self {
            low: estimate - Z * standard_error,
            estimate,
            high: estimate + Z * standard_error,
            level: LEVEL,
        }
    }

    /// Whether `value` lies inside, ends included.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

impl std::fmt::Display for Interval {
    /// `1.52 [1.28, 1.76]`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.2} [{:.2}, {:.2}]",
            self.estimate, self.low, self.high
        )
    }
}
