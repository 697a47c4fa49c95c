//! First terms of the series at ζ and at infinity, where the second ones are no longer seen.
//!
//! With y = x − ζ > 0 and the side's A and L (see `side`),
//!
//! ```text
//! f = Γ(1 + 1/α) sin(π − L) (cos A)^{1/α} / π · (1 + O(y (cos A)^{1/α} Γ(2/α)/Γ(1/α)))      y → 0
//! f = Γ(1 + α) sin(πα/2) (1 + β) y^{−1−α} / π · (1 + O(1/(y^α cos A)))                      y → ∞
//! ```
//!
//! Near α = 1, where ζ is far away, the second one holds with x in place of y and O(ln x/x).
//!
//! Reference: Zolotarev (1986), "One-dimensional stable distributions", §2.4 and 2.5.

use std::f64::consts::{FRAC_PI_2, PI};

use statrs::function::gamma::{gamma, ln_gamma};

use super::side::Side;

/// Relative size of the next term.
const UNSEEN: f64 = 1e-18;

/// The x in S0 from which the first term near α = 1 is exact.
pub(super) const FAR: f64 = 1e20;

/// The law at ζ.
pub(super) struct Near {
    pub(super) log_pdf: f64,
    /// P(ζ < X < x).
    pub(super) between: f64,
}

impl Near {
    pub(super) fn new(side: &Side, y_cos_a: f64) -> Option<Self> {
        // Γ(2/α)/Γ(1/α) exceeds 1.
        if y_cos_a >= UNSEEN || side.alpha == 1.0 {
            return None;
        }
        let inverse = 1.0 / side.alpha;
        let (log_y, log_cos) = ((y_cos_a / side.cos_a).ln(), side.cos_a.ln());
        let sine = side.l.min(side.k).sin();
        let log_next = log_y + log_cos * inverse + ln_gamma(2.0 * inverse) - ln_gamma(inverse);
        if y_cos_a > 0.0 && log_next >= UNSEEN.ln() + sine.ln() {
            return None;
        }
        let log_pdf = ln_gamma(1.0 + inverse) + sine.ln() + log_cos * inverse - PI.ln();
        Some(Self {
            log_pdf,
            between: (log_pdf + log_y).exp(),
        })
    }
}

/// The law far from ζ.
pub(super) struct Far {
    pub(super) log_pdf: f64,
    pub(super) sf: f64,
}

impl Far {
    pub(super) fn new(side: &Side, x: f64, y_cos_a: f64) -> Option<Self> {
        let alpha = side.alpha;
        let y = y_cos_a / side.cos_a;
        let far = if (alpha - 1.0).abs() < 0.1 && x > FAR {
            x
        } else if y > 1.0 && y.powf(alpha) * side.cos_a > 1.0 / UNSEEN {
            y
        } else {
            return None;
        };
        let complement = if alpha < 1.0 { alpha } else { 2.0 - alpha };
        let factor = gamma(1.0 + alpha) * (FRAC_PI_2 * complement).sin() * side.share / PI;
        if factor <= 0.0 {
            return None;
        }
        let log_tail = factor.ln() - alpha * far.ln();
        Some(Self {
            log_pdf: log_tail - far.ln(),
            sf: log_tail.exp() / alpha,
        })
    }
}
