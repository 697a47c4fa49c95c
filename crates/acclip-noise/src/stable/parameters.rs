//! Nolan's two parametrisations and what lies between them.
//!
//! δ₀ = δ₁ + βγ tan(πα/2) for α ≠ 1, and δ₁ + β(2/π)γ ln γ at α = 1.
//!
//! Reference: Nolan (2020), "Univariate Stable Distributions", §1.3.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

use serde::{Deserialize, Serialize};

/// Parameters in Nolan's S0: continuous in all of them, also at α = 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct S0 {
    /// Tail index α, in (0, 2].
    pub alpha: f64,
    /// Skewness β, in [−1, 1]; positive leans to the right tail.
    pub beta: f64,
    /// Scale γ > 0, in the unit of the sample.
    pub scale: f64,
    /// Location δ₀, in the unit of the sample.
    pub location: f64,
}

/// Parameters in Nolan's S1: location is the mean for α > 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct S1 {
    /// Tail index α, in (0, 2].
    pub alpha: f64,
    /// Skewness β, in [−1, 1]; positive leans to the right tail.
    pub beta: f64,
    /// Scale γ > 0, in the unit of the sample.
    pub scale: f64,
    /// Location δ₁, in the unit of the sample; the mean for α > 1, ζ for α ≠ 1.
    pub location: f64,
}

/// δ₀ − δ₁.
fn shift(alpha: f64, beta: f64, scale: f64) -> f64 {
    if beta == 0.0 || alpha == 2.0 {
        0.0
    } else if alpha == 1.0 {
        beta * FRAC_2_PI * scale * scale.ln()
    } else {
        beta * scale * tan_half_pi(alpha)
    }
}

/// tan(πα/2), exact near its zeros and its pole.
fn tan_half_pi(alpha: f64) -> f64 {
    if alpha < 0.5 {
        (FRAC_PI_2 * alpha).tan()
    } else if alpha > 1.5 {
        -(FRAC_PI_2 * (2.0 - alpha)).tan()
    } else {
        -1.0 / (FRAC_PI_2 * (alpha - 1.0)).tan()
    }
}

impl From<S1> for S0 {
    fn from(law: S1) -> Self {
        let S1 {
            alpha,
            beta,
            scale,
            location,
        } = law;
        let location = location + shift(alpha, beta, scale);
        Self {
            alpha,
            beta,
            scale,
            location,
        }
    }
}

impl From<S0> for S1 {
    fn from(law: S0) -> Self {
        let S0 {
            alpha,
            beta,
            scale,
            location,
        } = law;
        let location = location - shift(alpha, beta, scale);
        Self {
            alpha,
            beta,
            scale,
            location,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shift_of(alpha: f64) -> f64 {
        let s1 = S1 {
            alpha,
            beta: 0.5,
            scale: 3.0,
            location: 1.0,
        };
        let s0 = S0::from(s1);
        assert!((S1::from(s0).location - 1.0).abs() < 1e-15);
        s0.location - 1.0
    }

    #[test]
    fn locations_differ_as_documented() {
        assert!((shift_of(0.5) - 1.5).abs() < 1e-15);
        assert!((shift_of(1.5) + 1.5).abs() < 1e-15);
        assert!((shift_of(1.0) - 1.5 * FRAC_2_PI * 3.0_f64.ln()).abs() < 1e-15);
        assert_eq!(shift_of(2.0), 0.0);
    }
}
