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
    /// Upper end; may be infinite, which is `null` in JSON.
    #[serde(with = "infinite_as_null")]
    pub high: f64,
    /// Nominal coverage, in (0, 1).
    pub level: f64,
}

/// JSON has no infinity.
mod infinite_as_null {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(*value).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
    }
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
        write!(f, "{:.2} [{:.2}, ", self.estimate, self.low)?;
        match self.high.is_finite() {
            true => write!(f, "{:.2}]", self.high),
            false => write!(f, "∞)"),
        }
    }
}
