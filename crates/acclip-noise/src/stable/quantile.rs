//! Quantiles of stable laws, by root search on the logarithm of the smaller tail.

use super::Stable;
use super::root::increasing_root;
use crate::Error;

/// The largest v with a finite point(v).
const V_MAX: f64 = 709.0;

/// The standardised point at v: linear near 0, exponential far out.
fn point(v: f64) -> f64 {
    v.abs().exp_m1().copysign(v)
}

impl Stable {
    /// The x with P(X ≤ x) = `p`, `p` in [0, 1]; at 0 and 1 the ends of the support.
    ///
    /// Quantiles outside the range of f64 are ±∞.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless 0 ≤ `p` ≤ 1.
    pub fn quantile(&self, p: f64) -> Result<f64, Error> {
        if !(0.0..=1.0).contains(&p) {
            return Err(Error::Parameter {
                name: "p",
                value: p,
                expected: "in [0, 1]",
            });
        }
        let s1 = self.s1();
        if p == 0.0 || p == 1.0 {
            let sign = if p == 0.0 { -1.0 } else { 1.0 };
            let bounded = s1.alpha < 1.0 && s1.beta == -sign;
            return Ok(if bounded {
                s1.location
            } else {
                sign * f64::INFINITY
            });
        }
        let upper = p > 0.5;
        let target = if upper { 1.0 - p } else { p }.ln();
        // Increasing in v, with its slope.
        let value = |v: f64| {
            let x = point(v);
            let log_tail = self.probability(x, upper).ln();
            let slope = (self.log_pdf_standard(x) + v.abs() - log_tail).exp();
            let value = log_tail - target;
            (if upper { -value } else { value }, slope)
        };
        if value(V_MAX).0 < 0.0 || value(-V_MAX).0 > 0.0 {
            let sign = if upper { 1.0 } else { -1.0 };
            return Ok(sign * f64::INFINITY);
        }
        let v = increasing_root(V_MAX, 1e-15, 0.0, value);
        let location = if self.centred_s1() {
            s1.location
        } else {
            self.s0().location
        };
        Ok(location + s1.scale * point(v))
    }
}
