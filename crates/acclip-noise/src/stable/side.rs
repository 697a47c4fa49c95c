//! The function g of Zolotarev's integral, on one side of ζ.
//!
//! In S0 with scale 1 and location 0, ζ = −β tan(πα/2) is where the two halves of the law meet,
//! and P(X > ζ) = L/π. For x > ζ, with u in (0, L), φ = L − u and y = x − ζ, Nolan's integrals read
//!
//! ```text
//! g(u) = (y cos A · sin φ / sin αu)^{α/(α−1)} · sin(L + (α−1)u) / (sin φ cos A)
//! f(x) = α / (π |α−1| y) ∫ g e^{−g} du
//! α > 1:  1 − F(x) = (1/π) ∫ e^{−g} du          α < 1:  F(x) = 1 − L/π + (1/π) ∫ e^{−g} du
//! tan A = β tan(πα/2),    αL = A + πα/2
//! ```
//!
//! g is monotone: it falls with u for α > 1 and rises for α < 1. Nothing here is a difference of
//! nearly equal numbers, on purpose. With e = |α − 1| and p = πe/2, the angle a = π/2 − |A| obeys
//! tan a = tan(p)/|β|, and every angle of the integrand is built from a ± p:
//!
//! ```text
//! tan(a − p) = tan p (1 − |β|) / (|β| + tan² p)
//! ```
//!
//! Near α = 1 with sign A = + ("the body": all moderate x), S2 = sin αu = sin(φ + m) with m = O(e),
//! so that the power 1/e acts on 1 + e·X where X has a limit; at e = 0 that limit is the formula
//! of α = 1, and no special case is left. Where g is so steep that even this cannot place it
//! (|dg/du| ~ 1/e), g is computed relative to the point at which g = 1 ([`Anchor`]).
//!
//! References: Zolotarev (1986), "One-dimensional stable distributions", §2.2; Nolan (1997),
//! "Numerical calculation of stable densities and distribution functions", Stochastic Models 13,
//! theorem 1. The formulas in a, m and X are rearrangements of theirs.

use std::f64::consts::{FRAC_PI_2, PI};

/// ln(1 + e·x)/e, continued to e = 0 by x.
fn ln_1p_over(e: f64, x: f64) -> f64 {
    if e == 0.0 { x } else { (e * x).ln_1p() / e }
}

/// sin(e·x)/e, continued to e = 0 by x.
fn sin_over(e: f64, x: f64) -> f64 {
    if e == 0.0 { x } else { (e * x).sin() / e }
}

/// The half of a law with x > ζ; the other half is the law of −X with −β.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Side {
    pub(super) alpha: f64,
    /// 1 + β, twice the share of this side in the tails.
    pub(super) share: f64,
    /// |α − 1|.
    e: f64,
    /// Sign of α − 1; + at 0.
    sign: f64,
    /// Whether A > 0, so that L tends to π with α → 1 (for β ≠ 0).
    body: bool,
    /// a and sin a, both over e.
    a_over: f64,
    sin_a_over: f64,
    /// cos A = sin a and sin A.
    pub(super) cos_a: f64,
    sin_a: f64,
    /// The interval's length L and π − L.
    pub(super) l: f64,
    pub(super) k: f64,
    /// αL and π − αL.
    al: f64,
    c: f64,
    /// π − αL (α ≥ 1) or π − L (α < 1), over e.
    rest_over: f64,
}

/// A point of the interval with the sines of its three angles.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    /// Distance from the left end.
    pub(super) u: f64,
    /// Distance from the right end.
    pub(super) phi: f64,
    /// sin φ, sin αu, and sin(L + (α − 1)u)/e.
    s1: f64,
    s2: f64,
    s3: f64,
}

/// A point at which ln g is known, for differences from it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Anchor {
    point: Point,
    log_g: f64,
}

impl Anchor {
    pub(super) fn new(point: Point, log_g: f64) -> Self {
        Self { point, log_g }
    }
}

impl Side {
    /// For 0 < `alpha` ≤ 2 and |`beta`| ≤ 1; not for α = 1 with β ≥ 0.
    pub(super) fn new(alpha: f64, beta: f64) -> Self {
        let e = (alpha - 1.0).abs();
        let sign = if alpha < 1.0 { -1.0 } else { 1.0 };
        let b = beta.abs();
        // p = πe/2 in [0, π/2]; its cosine from the complement, exact near α = 0 and 2.
        let complement = if alpha < 1.0 { alpha } else { 2.0 - alpha };
        let p = FRAC_PI_2 * e;
        let (sin_p, cos_p) = if e < 0.5 {
            p.sin_cos()
        } else {
            let (sin, cos) = (FRAC_PI_2 * complement).sin_cos();
            (cos, sin)
        };
        let sin_p_over = if e == 0.0 { FRAC_PI_2 } else { sin_p / e };
        let radius = sin_p.hypot(b * cos_p);
        let a = sin_p.atan2(b * cos_p);
        let x = sin_p_over * cos_p * (1.0 - b) / (b * cos_p * cos_p + sin_p * sin_p);
        // (a − p)/e
        let difference_over = if e == 0.0 { x } else { (e * x).atan() / e };
        let difference = e * difference_over;
        let body = if sign > 0.0 { beta <= 0.0 } else { beta > 0.0 };
        // π − (a + p), from the complements of both.
        let far_from_pi = (b * cos_p).atan2(sin_p) + FRAC_PI_2 * complement;
        // The far side of the body has A = −(π/2 − a).
        let (al, c, l, k);
        let rest_over;
        match (sign > 0.0, body) {
            (true, true) => {
                c = difference;
                k = (a + p) / alpha;
                (al, l) = (PI - c, PI - k);
                rest_over = difference_over;
            }
            (true, false) => {
                al = a + p;
                c = far_from_pi;
                l = al / alpha;
                k = PI - l;
                rest_over = c / e;
            }
            (false, true) => {
                c = a + p;
                al = far_from_pi;
                k = difference / alpha;
                l = PI - k;
                rest_over = difference_over / alpha;
            }
            (false, false) => {
                al = difference;
                l = al / alpha;
                (c, k) = (PI - al, PI - l);
                rest_over = k / e;
            }
        }
        Self {
            alpha,
            share: 1.0 + beta,
            e,
            sign,
            body,
            a_over: if e == 0.0 { FRAC_PI_2 / b } else { a / e },
            sin_a_over: sin_p_over / radius,
            cos_a: sin_p / radius,
            sin_a: b * cos_p / radius * if body { 1.0 } else { -1.0 },
            l,
            k,
            al,
            c,
            rest_over,
        }
    }

    /// The same with the tails exchanged, of use only far out at α = 1.
    pub(super) fn opposite(self) -> Self {
        Self {
            share: 2.0 - self.share,
            ..self
        }
    }

    /// y cos A for x in S0.
    pub(super) fn y_cos_a(&self, x: f64) -> f64 {
        self.sin_a + x * self.cos_a
    }

    /// |α − 1| y, which has a limit at α = 1.
    pub(super) fn e_y(&self, y_cos_a: f64) -> f64 {
        y_cos_a / self.sin_a_over
    }

    /// ζ, or ∓∞ at α = 1.
    pub(super) fn zeta(&self) -> f64 {
        -self.sin_a / self.cos_a
    }

    /// The point at distance `u` from the left and `phi` from the right.
    pub(super) fn point(&self, u: f64, phi: f64) -> Point {
        let Self { alpha, e, .. } = *self;
        let s1 = if phi < FRAC_PI_2 { phi } else { self.k + u }.sin();
        let s2 = if alpha * u < FRAC_PI_2 {
            alpha * u
        } else {
            self.c + alpha * phi
        }
        .sin();
        Point {
            u,
            phi,
            s1,
            s2,
            s3: sin_over(e, self.third_over(u, phi)),
        }
    }

    /// The angle L + (α − 1)u or its complement to π, whichever is exact when small, over e.
    fn third_over(&self, u: f64, phi: f64) -> f64 {
        let e = self.e;
        if self.sign > 0.0 {
            if self.l + e * u < FRAC_PI_2 {
                (self.l + e * u) / e
            } else {
                self.rest_over + phi
            }
        } else if self.al + e * phi < FRAC_PI_2 {
            (self.al + e * phi) / e
        } else {
            self.rest_over + u
        }
    }

    /// ln g at `point` for `x` in S0 and its y cos A.
    pub(super) fn log_g(&self, point: &Point, x: f64, y_cos_a: f64) -> f64 {
        let Self { alpha, e, sign, .. } = *self;
        let Point { u, phi, s1, s2, s3 } = *point;
        let last = (s3 / self.sin_a_over / s1).ln();
        if self.body && e < 0.1 && self.cos_a < 0.5 {
            let m_over = self.rest_over + if sign > 0.0 { phi } else { u };
            let cos_phi = if phi < FRAC_PI_2 {
                phi.cos()
            } else {
                -(self.k + u).cos()
            };
            // (a − m)/e without the difference.
            let half = if sign > 0.0 {
                0.5 * (FRAC_PI_2 - phi)
            } else {
                0.5 * ((FRAC_PI_2 - e * self.a_over) / alpha - u)
            };
            let sum = (0.5 * e * (self.a_over + m_over)).sin();
            let top = x * self.sin_a_over - 2.0 * sum * sin_over(e, half);
            let power = (top * s1 - cos_phi * s3) / s2;
            if e == 0.0 || e * power > -0.5 {
                return sign * alpha * ln_1p_over(e, power) + last;
            }
        }
        let log = if y_cos_a < 1e250 {
            (y_cos_a * (s1 / s2)).ln()
        } else {
            y_cos_a.ln() + (s1 / s2).ln()
        };
        sign * alpha / e * log + last
    }

    /// |d ln g/du| at `point`.
    pub(super) fn slope(&self, point: &Point) -> f64 {
        let Point { u, phi, s1, s2, s3 } = *point;
        let cos = if self.alpha * u < FRAC_PI_2 {
            (self.alpha * u).cos()
        } else {
            -(self.c + self.alpha * phi).cos()
        };
        let t = s3 / s1 / s2;
        let sum = t + self.sign * cos / s2;
        sum * (sum / t) + 1.0 / t
    }

    /// ln g at `point`, which lies `step` to the right of the anchor, as a difference.
    pub(super) fn log_g_from(&self, anchor: &Anchor, point: &Point, step: f64) -> f64 {
        let Self { alpha, e, sign, .. } = *self;
        let from = &anchor.point;
        let last = (point.s3 / from.s3).ln();
        let ratio = point.s1 / from.s1;
        // sin φ sin αu* − sin φ* sin αu, over e sin φ*.
        let middle = if alpha * from.u + 0.5 * (1.0 + alpha) * step < FRAC_PI_2 {
            (alpha * from.u + 0.5 * (1.0 + alpha) * step).cos()
        } else {
            -(self.c + alpha * from.phi - 0.5 * (1.0 + alpha) * step).cos()
        };
        let top = -from.s3 / from.s1 * step.sin() - 2.0 * sign * sin_over(e, 0.5 * step) * middle;
        let power = top / point.s2;
        let first = if e == 0.0 || e * power > -0.5 {
            ln_1p_over(e, power)
        } else {
            (ratio * (from.s2 / point.s2)).ln() / e
        };
        anchor.log_g + sign * alpha * first - ratio.ln() + last
    }

    /// The limit of ln g at the end where it is smallest: −∞ unless |β| = 1 or α = 2.
    pub(super) fn log_g_min(&self, x: f64, y_cos_a: f64) -> f64 {
        if self.rest_over > 0.0 || !self.body {
            return f64::NEG_INFINITY;
        }
        let Self { alpha, e, sign, .. } = *self;
        let p = 0.5 * e * self.a_over;
        let near = -2.0 * p.sin() * sin_over(e, 0.5 * self.a_over) + x * self.sin_a_over;
        let first = if e == 0.0 || (e < 0.1 && e * near > -0.5) {
            ln_1p_over(e, near)
        } else {
            y_cos_a.ln() / e
        };
        sign * alpha * (first - ln_1p_over(e, sign)) - self.sin_a_over.ln()
    }

    /// Whether g vanishes (or is smallest) at the right end.
    pub(super) fn falls(&self) -> bool {
        self.sign > 0.0
    }
}
