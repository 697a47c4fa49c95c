//! The five laws of [`crate::tail::comparison`], fitted to x ≥ x_min by maximum likelihood.
//!
//! All in u = x/x_min and y = ln u. Each fit is a root of one monotone function or a concave
//! maximum:
//!
//! - lognormal: y is a normal variable given y ≥ 0. With c = −m/σ and the excess
//!   h = φ(c)/Φ(−c) − c, its mean is σh and its variance σ² (1 − (c + h) h); the quotient
//!   variance/mean² rises with c from 0 to 1, and is solved for c;
//! - stretched exponential: λ = 1/mean(u^b − 1), and 1/b + mean y − mean(u^b y)/mean(u^b − 1) = 0;
//! - cut-off power law: two moments, of y and of u, by Newton's method.

use serde::{Deserialize, Serialize};

use crate::tail::cutoff;

/// A law on x ≥ x_min, with u = x/x_min. Rates are per x_min.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TailLaw {
    /// Density α u^{−α−1}.
    PowerLaw {
        /// Tail index α: the density's exponent minus one.
        tail_index: f64,
    },
    /// Density λ e^{−λ(u−1)}.
    Exponential {
        /// λ, per x_min.
        rate: f64,
    },
    /// ln u normal, given u ≥ 1.
    Lognormal {
        /// Mean of ln u before truncation: μ − ln x_min. Often negative.
        location: f64,
        /// Standard deviation σ of ln u before truncation.
        sigma: f64,
    },
    /// Survival e^{−λ(u^b − 1)}.
    StretchedExponential {
        /// λ, per x_min^b.
        rate: f64,
        /// b: 1 is the exponential law, 0 the power law.
        shape: f64,
    },
    /// Density ∝ u^{−a} e^{−λu}.
    CutoffPowerLaw {
        /// a, of the **density**; may be below 1, and negative.
        exponent: f64,
        /// λ, per x_min.
        rate: f64,
    },
}

/// u and y of the values of a tail.
pub(crate) struct Points {
    u: Vec<f64>,
    y: Vec<f64>,
    mean_u: f64,
    mean_y: f64,
    variance_y: f64,
}

impl Points {
    pub(crate) fn new(tail: &[f64], x_min: f64) -> Self {
        let n = tail.len() as f64;
        let u: Vec<f64> = tail.iter().map(|x| x / x_min).collect();
        let y: Vec<f64> = tail.iter().map(|x| x.ln() - x_min.ln()).collect();
        let mean_y = y.iter().sum::<f64>() / n;
        Self {
            mean_u: u.iter().map(|u| u / n).sum(),
            mean_y,
            variance_y: y.iter().map(|y| (y - mean_y).powi(2)).sum::<f64>() / n,
            u,
            y,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.u.len()
    }

    pub(crate) fn power_law(&self) -> TailLaw {
        TailLaw::PowerLaw {
            tail_index: 1.0 / self.mean_y,
        }
    }

    pub(crate) fn exponential(&self) -> TailLaw {
        TailLaw::Exponential {
            rate: 1.0 / (self.mean_u - 1.0),
        }
    }

    pub(crate) fn lognormal(&self) -> TailLaw {
        let quotient = self.variance_y / self.mean_y.powi(2);
        let at = |c: f64| {
            let h = mills_excess(c);
            (1.0 - (c + h) * h) / (h * h)
        };
        // Beyond c = 1000 the lognormal law is the power law to six digits of its density.
        if quotient >= at(1000.0) {
            return self.power_law();
        }
        let (mut low, mut high) = (-1.0, 1000.0);
        while at(low) > quotient {
            low *= 2.0;
        }
        while high - low > 1e-14 * (1.0 + high.abs()) {
            let middle = 0.5 * (low + high);
            if middle == low || middle == high {
                break;
            }
            if at(middle) < quotient {
                low = middle;
            } else {
                high = middle;
            }
        }
        let sigma = self.mean_y / mills_excess(low);
        TailLaw::Lognormal {
            location: -low * sigma,
            sigma,
        }
    }

    pub(crate) fn stretched_exponential(&self) -> TailLaw {
        if self.variance_y >= self.mean_y.powi(2) {
            return self.power_law();
        }
        let n = self.len() as f64;
        // Relative to the largest value, so that u^b does not overflow.
        let top = self.y.iter().copied().fold(0.0, f64::max);
        let shift = |b: f64| (-b * top).exp();
        let power = |b: f64| {
            let terms = self.y.iter().map(|y| match b * top {
                small if small < 600.0 => (b * y).exp_m1() * shift(b),
                _ => (b * (y - top)).exp(),
            });
            terms.sum::<f64>() / n
        };
        let slope = |b: f64| {
            let weighted = self
                .y
                .iter()
                .map(|y| (b * (y - top)).exp() * y)
                .sum::<f64>()
                / n;
            1.0 / b + self.mean_y - weighted / power(b)
        };
        let (mut low, mut high) = (1e-9 / self.mean_y, 1.0 / self.mean_y);
        while slope(high) > 0.0 {
            low = high;
            high *= 2.0;
        }
        while high - low > 1e-14 * high {
            let middle = low.midpoint(high);
            if middle == low || middle == high {
                break;
            }
            if slope(middle) > 0.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        let b = low.midpoint(high);
        TailLaw::StretchedExponential {
            rate: shift(b) / power(b),
            shape: b,
        }
    }

    pub(crate) fn cutoff_power_law(&self) -> TailLaw {
        match cutoff::fit(self.mean_y, self.mean_u) {
            Some((exponent, rate)) => TailLaw::CutoffPowerLaw { exponent, rate },
            None => self.power_law(),
        }
    }
}

impl TailLaw {
    /// ln density of u at every point.
    pub(crate) fn densities(&self, points: &Points) -> Vec<f64> {
        let both = points.u.iter().zip(&points.y);
        match *self {
            TailLaw::PowerLaw { tail_index: alpha } => {
                both.map(|(_, y)| alpha.ln() - (alpha + 1.0) * y).collect()
            }
            TailLaw::Exponential { rate } => {
                both.map(|(u, _)| rate.ln() - rate * (u - 1.0)).collect()
            }
            TailLaw::Lognormal { location, sigma } => {
                // −ln Φ(−c) − c²/2 + ln φ-constants = ln(h + c) with h the Mills excess.
                let c = -location / sigma;
                let start = (mills_excess(c) + c).ln() - sigma.ln();
                both.map(|(_, y)| start - y - y / sigma * (0.5 * y / sigma + c))
                    .collect()
            }
            TailLaw::StretchedExponential { rate, shape } => {
                let start = shape.ln() + rate.ln();
                both.map(|(_, y)| start + (shape - 1.0) * y - rate * (shape * y).exp_m1())
                    .collect()
            }
            TailLaw::CutoffPowerLaw { exponent, rate } => {
                let ln_mass = cutoff::moments(exponent, rate).ln_mass;
                both.map(|(u, y)| -exponent * y - rate * (u - 1.0) - ln_mass)
                    .collect()
            }
        }
    }
}

/// φ(c)/Φ(−c) − c, the mean excess of a normal variable over c; positive, and near 1/c for large c.
/// Relative error at most 1e-13 (statrs' erfc, at 1e-10, would spoil it): from c = 1 on by the
/// continued fraction 1/(c + 2/(c + 3/(c + …))), below by Φ(−c) = ½ − φ(c) (c + c³/3 + c⁵/15 + …).
pub(crate) fn mills_excess(c: f64) -> f64 {
    if c >= 1.0 {
        let tail = (2..=200).rev().fold(c, |tail, i| c + f64::from(i) / tail);
        return 1.0 / tail;
    }
    let density = (-0.5 * c * c).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if c < -9.0 {
        // Φ(−c) is 1 to the last digit.
        return density - c;
    }
    let (mut term, mut sum) = (c, 0.0);
    for i in 1..200 {
        sum += term;
        term *= c * c / f64::from(2 * i + 1);
    }
    density / (0.5 - density * sum) - c
}

#[cfg(test)]
mod tests {
    use super::*;

    /// mpmath 1.4.1, 30 digits.
    #[test]
    fn mills_excess_of_the_normal_law() {
        let golden = [
            (-3.0, 3.004437839042126),
            (-20.0, 20.0),
            (0.0, 0.7978845608028654),
            (2.5, 0.32274479766390723),
            (3.0, 0.2830986549304365),
            (8.0, 0.12136811223611269),
            (100.0, 0.009998000999260705),
            (1000.0, 0.00099999800001),
        ];
        for (c, expected) in golden {
            let found = mills_excess(c);
            assert!((found / expected - 1.0_f64).abs() < 1e-13, "{c}: {found}");
        }
    }
}
