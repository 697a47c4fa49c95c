//! Quadrature of Zolotarev's integral.
//!
//! The variable is s with u = L/(1 + e^{−s}): both ends of the interval go to infinity, boundary
//! layers of any width (α → 2, |β| → 1) have width one, and g becomes a power at either end. All
//! three integrals are integrals of a positive function times g e^{−g}, so nothing cancels and
//! relative accuracy survives in either tail:
//!
//! ```text
//! ∫ g e^{−g} du     = ∫ uφ/L · g e^{−g} ds
//! ∫ e^{−g} du       = ∫ w |g'/g| uφ/L · g e^{−g} ds           w: distance from the end where g → 0
//! ∫ (1 − e^{−g}) du = ∫ (L − w) |g'/g| uφ/L · g e^{−g} ds     if g takes all positive values
//! ```
//!
//! (the last two by parts; the third one stays as it is if g has a positive minimum or α < 1/2). The
//! integrand is laid out around the s at which g = 1, or, on the light side of a law with |β| = 1,
//! where g is little above its minimum; e^{−min g} is then kept as a logarithm.

use super::quadrature::whole_line;
use super::root::increasing_root;
use super::side::{Anchor, Point, Side};

/// What is integrated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Integral {
    /// g e^{−g}.
    Density,
    /// e^{−g}.
    Rest,
    /// 1 − e^{−g}.
    Part,
}

/// Beyond this g at its minimum the integral is e^{−g} to 11 digits of its logarithm.
const DEEP: f64 = 1e13;
/// |s| at which e^{−|s|} leaves the range of f64.
const S_MAX: f64 = 700.0;

/// A side, an x on it, and the point from which the integral is laid out.
struct Layout<'a> {
    side: &'a Side,
    x: f64,
    y_cos_a: f64,
    what: Integral,
    /// s and e^s at the centre.
    s: f64,
    exp_s: f64,
    centre: Point,
    /// Differences are taken from here if g is steep.
    anchor: Option<Anchor>,
    /// ln g at the end where it is smallest and g there, if that is the centre.
    reference: Option<(f64, f64)>,
    /// Whether 1 − e^{−g} is integrated by parts.
    by_parts: bool,
}

/// ln of the integral, for `x` > ζ in S0 with its y cos A.
pub(super) fn log_integral(side: &Side, x: f64, y_cos_a: f64, what: Integral) -> f64 {
    if what == Integral::Part && side.log_g_min(x, y_cos_a) > 7.0 {
        return side.l.ln();
    }
    let layout = Layout::new(side, x, y_cos_a, what);
    if let Some((_, g)) = layout.reference
        && g > DEEP
    {
        return -g;
    }
    let sum = layout.sum();
    let scale = layout.weight_scale();
    let shift = layout.reference.map_or(0.0, |(log_g, g)| log_g - g);
    sum.ln() + scale.ln() + shift
}

impl<'a> Layout<'a> {
    fn new(side: &'a Side, x: f64, y_cos_a: f64, what: Integral) -> Self {
        let log_min = side.log_g_min(x, y_cos_a);
        let alpha = side.alpha;
        let mut layout = Self {
            side,
            x,
            y_cos_a,
            what,
            s: 0.0,
            exp_s: 1.0,
            centre: side.point(0.5 * side.l, 0.5 * side.l),
            anchor: None,
            reference: None,
            by_parts: true,
        };
        let mut level = 0.0;
        if log_min > -0.1 {
            level = log_min.exp().ln_1p();
            if what != Integral::Part {
                layout.reference = Some((log_min, log_min.exp()));
            }
        }
        layout.s = layout.root(level);
        layout.exp_s = layout.s.exp();
        layout.centre = layout.point(0.0);
        // By parts, 1 − e^{−g} decays like g, which is slow for small α and stops at a minimum.
        layout.by_parts = alpha >= 0.5 && log_min == f64::NEG_INFINITY;
        if level > 0.0 {
            return layout;
        }
        let slope = side.slope(&layout.centre);
        if slope * layout.jacobian(&layout.centre) > 100.0 {
            layout.anchor = Some(Anchor::new(layout.centre, 0.0));
        }
        layout
    }

    /// The point at s + `tau`.
    fn point(&self, tau: f64) -> Point {
        let exp_s = (self.exp_s * tau.exp()).clamp(1e-304, 1e304);
        let phi = self.side.l / (1.0 + exp_s);
        self.side.point(phi * exp_s, phi)
    }

    fn jacobian(&self, point: &Point) -> f64 {
        point.u * (point.phi / self.side.l)
    }

    /// The s at which ln g = `level`; g is monotone and takes all values below its maximum.
    fn root(&self, level: f64) -> f64 {
        let sign = if self.side.falls() { -1.0 } else { 1.0 };
        let value = |s: f64| {
            let exp_s = s.exp();
            let phi = self.side.l / (1.0 + exp_s);
            let point = self.side.point(phi * exp_s, phi);
            let slope = self.side.slope(&point) * self.jacobian(&point);
            let log_g = self.side.log_g(&point, self.x, self.y_cos_a);
            (sign * (log_g - level), slope)
        };
        increasing_root(S_MAX, 1e-15, 0.1, value)
    }

    /// uφ/L at the centre, by which the integrand is divided.
    fn weight_scale(&self) -> f64 {
        self.jacobian(&self.centre)
    }

    /// The integrand at s + `tau`, over [`Self::weight_scale`] and over g e^{−g} at the reference;
    /// and a bound on what lies beyond.
    fn integrand(&self, tau: f64) -> (f64, f64) {
        let side = self.side;
        let point = self.point(tau);
        let log_g = match &self.anchor {
            Some(anchor) => {
                let step = tau.exp_m1() * self.centre.u * (point.phi / side.l);
                side.log_g_from(anchor, &point, step)
            }
            None => side.log_g(&point, self.x, self.y_cos_a),
        };
        let log_g_exp = match self.reference {
            None => {
                if log_g > 7.0 && (self.what != Integral::Part || self.by_parts) {
                    return (0.0, 0.0);
                }
                log_g - log_g.exp()
            }
            Some((log_ref, ref_g)) => {
                let rise = (log_g - log_ref).max(0.0);
                if rise > 7.0 {
                    return (0.0, 0.0);
                }
                rise - ref_g * rise.exp_m1()
            }
        };
        let g_exp = log_g_exp.exp();
        let scale = self.weight_scale();
        let jacobian = self.jacobian(&point) / scale;
        // w, and how much is left on the side away from the centre.
        let (w, rest) = if side.falls() {
            (point.phi, point.u)
        } else {
            (point.u, point.phi)
        };
        // Bounds: g e^{−g} falls on either side of g = 1; w does towards the end where g is small.
        let below = (tau > 0.0) == side.falls();
        let (value, left) = match self.what {
            Integral::Density if below => (1.0, w * self.peak(g_exp)),
            Integral::Density => (1.0, rest * g_exp),
            Integral::Rest if below => (w * side.slope(&point), w * self.peak(g_exp)),
            Integral::Rest => (w * side.slope(&point), side.l * g_exp),
            Integral::Part if self.by_parts => (rest * side.slope(&point), side.l * g_exp),
            Integral::Part => {
                let part = -(-log_g.exp()).exp_m1();
                let left = if below { w * part } else { rest };
                return (jacobian * part, left / scale);
            }
        };
        (value * jacobian * g_exp, left / scale)
    }

    /// The largest g e^{−g} between a point and the end where g is small, given that at the point.
    fn peak(&self, g_exp: f64) -> f64 {
        if self.reference.is_some() { 1.0 } else { g_exp }
    }

    fn sum(&self) -> f64 {
        let slope = self.side.slope(&self.centre) * self.weight_scale();
        // The direction in which g falls comes first.
        let sign = if self.side.falls() { 1.0 } else { -1.0 };
        let unit = if self.reference.is_some() {
            1.0
        } else {
            1.0 / (1.0 + slope)
        };
        whole_line(|tau| self.integrand(tau), sign, slope, unit)
    }
}
