//! A checked stable law: which half of Zolotarev's integral answers which question.

use std::f64::consts::PI;

use super::ends::{FAR, Far, Near};
use super::integral::{Integral, log_integral};
use super::side::Side;
use super::{S0, S1};
use crate::Error;

/// A stable law with checked parameters.
///
/// ```
/// use acclip_noise::stable::{S1, Stable};
///
/// let law = Stable::try_from(S1 { alpha: 1.5, beta: 0.5, scale: 2.0, location: 0.0 })?;
/// let x = law.quantile(0.999)?;
/// assert!((law.sf(x) - 0.001).abs() < 1e-12);
/// # Ok::<(), acclip_noise::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stable {
    pub(super) s0: S0,
    pub(super) s1: S1,
    /// Whether the law was given in S1, whose location is then the exact one.
    given_s1: bool,
    /// The halves above and below ζ (of X and of −X); none for the Cauchy law.
    sides: Option<[Side; 2]>,
}

impl TryFrom<S0> for Stable {
    type Error = Error;

    /// # Errors
    /// [`Error::Parameter`] unless α in (0, 2], β in [−1, 1], 0 < scale < ∞, location finite.
    fn try_from(law: S0) -> Result<Self, Error> {
        let S0 {
            alpha,
            beta,
            scale,
            location,
        } = law;
        check(alpha, beta, scale, location)?;
        Ok(Self::new(law, law.into(), false))
    }
}

impl TryFrom<S1> for Stable {
    type Error = Error;

    /// # Errors
    /// [`Error::Parameter`] unless α in (0, 2], β in [−1, 1], 0 < scale < ∞, location finite.
    fn try_from(law: S1) -> Result<Self, Error> {
        let S1 {
            alpha,
            beta,
            scale,
            location,
        } = law;
        check(alpha, beta, scale, location)?;
        Ok(Self::new(law.into(), law, true))
    }
}

fn check(alpha: f64, beta: f64, scale: f64, location: f64) -> Result<(), Error> {
    let checks = [
        ("alpha", alpha, alpha > 0.0 && alpha <= 2.0, "in (0, 2]"),
        ("beta", beta, (-1.0..=1.0).contains(&beta), "in [-1, 1]"),
        (
            "scale",
            scale,
            scale > 0.0 && scale.is_finite(),
            "positive and finite",
        ),
        ("location", location, location.is_finite(), "finite"),
    ];
    for (name, value, fits, expected) in checks {
        if !fits {
            return Err(Error::Parameter {
                name,
                value,
                expected,
            });
        }
    }
    Ok(())
}

/// Where a point lies: on which side of ζ, and its coordinates there.
struct Place {
    side: Side,
    /// Whether X was replaced by −X.
    mirrored: bool,
    /// Standardised S0 coordinate on that side.
    z: f64,
    /// (z − ζ) cos A ≥ 0.
    y_cos_a: f64,
}

impl Stable {
    fn new(s0: S0, s1: S1, given_s1: bool) -> Self {
        let S0 { alpha, beta, .. } = s0;
        let beta = if alpha == 2.0 { 0.0 } else { beta };
        let sides = if alpha == 1.0 && beta.abs() < 1e-20 {
            // The Cauchy law: β changes it by a factor 1 + O(β ln |x|).
            None
        } else if alpha == 1.0 {
            // At α = 1 there is no ζ: the half with β < 0 is the whole law, but for its far end.
            let side = Side::new(1.0, -beta.abs());
            Some([side, side.opposite()])
        } else {
            Some([Side::new(alpha, beta), Side::new(alpha, -beta)])
        };
        Self {
            s0,
            s1,
            given_s1,
            sides,
        }
    }

    /// The parameters in S0.
    #[must_use]
    pub fn s0(&self) -> S0 {
        self.s0
    }

    /// The parameters in S1.
    #[must_use]
    pub fn s1(&self) -> S1 {
        self.s1
    }

    /// x in units of the scale, from the location in which the law was given.
    fn standard(&self, x: f64) -> f64 {
        let location = if self.centred_s1() {
            self.s1.location
        } else {
            self.s0.location
        };
        (x - location) / self.s0.scale
    }

    /// Whether standardised points are measured from δ₁.
    pub(super) fn centred_s1(&self) -> bool {
        self.given_s1 && self.s0.alpha != 1.0 && self.s0.alpha != 2.0
    }

    /// `t` in units of the scale from the given location; finite.
    fn place(&self, sides: &[Side; 2], t: f64) -> Place {
        if self.s0.alpha == 1.0 {
            let mirrored = self.s0.beta > 0.0;
            let z = if mirrored { -t } else { t };
            let (side, mirrored, z) = if z < -FAR {
                (sides[1], !mirrored, -z)
            } else {
                (sides[0], mirrored, z)
            };
            return Place {
                side,
                mirrored,
                z,
                y_cos_a: side.y_cos_a(z),
            };
        }
        let side = sides[0];
        if self.centred_s1() {
            let mirrored = t < 0.0;
            let (side, y) = (sides[usize::from(mirrored)], t.abs());
            return Place {
                side,
                mirrored,
                z: y + side.zeta(),
                y_cos_a: y * side.cos_a,
            };
        }
        let y_cos_a = side.y_cos_a(t);
        if y_cos_a >= 0.0 {
            Place {
                side,
                mirrored: false,
                z: t,
                y_cos_a,
            }
        } else {
            Place {
                side: sides[1],
                mirrored: true,
                z: -t,
                y_cos_a: -y_cos_a,
            }
        }
    }

    /// Density at `x`, in one over the unit of the sample; 0 outside the support, NaN for NaN.
    #[must_use]
    pub fn pdf(&self, x: f64) -> f64 {
        self.log_pdf(x).exp()
    }

    /// ln of the density at `x`; −∞ outside the support, NaN for NaN. It does not underflow.
    #[must_use]
    pub fn log_pdf(&self, x: f64) -> f64 {
        let t = self.standard(x);
        if t.is_infinite() {
            return f64::NEG_INFINITY;
        }
        self.log_pdf_standard(t) - self.s0.scale.ln()
    }

    pub(super) fn log_pdf_standard(&self, t: f64) -> f64 {
        if t.is_nan() {
            return t;
        }
        let Some(sides) = &self.sides else {
            return -(PI.ln() + 2.0 * 1.0_f64.hypot(t).ln());
        };
        let alpha = self.s0.alpha;
        let Place {
            side, z, y_cos_a, ..
        } = self.place(sides, t);
        if side.l == 0.0 {
            return f64::NEG_INFINITY;
        }
        if let Some(near) = Near::new(&side, y_cos_a) {
            return near.log_pdf;
        }
        if let Some(far) = Far::new(&side, z, y_cos_a) {
            return far.log_pdf;
        }
        let log_integral = log_integral(&side, z, y_cos_a, Integral::Density);
        log_integral + (alpha / (PI * side.e_y(y_cos_a))).ln()
    }

    /// P(X ≤ `x`); NaN for NaN.
    #[must_use]
    pub fn cdf(&self, x: f64) -> f64 {
        self.probability(self.standard(x), false)
    }

    /// P(X > `x`), with its own relative accuracy where it is small; NaN for NaN.
    #[must_use]
    pub fn sf(&self, x: f64) -> f64 {
        self.probability(self.standard(x), true)
    }

    /// P(T > `t`) if `upper`, else P(T ≤ `t`).
    pub(super) fn probability(&self, t: f64, upper: bool) -> f64 {
        if t.is_nan() {
            return t;
        }
        if t.is_infinite() {
            return if (t > 0.0) == upper { 0.0 } else { 1.0 };
        }
        let Some(sides) = &self.sides else {
            return 1.0_f64.atan2(if upper { t } else { -t }) / PI;
        };
        let Place {
            side,
            mirrored,
            z,
            y_cos_a,
        } = self.place(sides, t);
        // On the side itself: away from ζ, or towards it.
        let away = upper != mirrored;
        if side.l == 0.0 {
            return if away { 0.0 } else { 1.0 };
        }
        if let Some(near) = Near::new(&side, y_cos_a) {
            let (start, sign) = if away { (side.l, -1.0) } else { (side.k, 1.0) };
            return start / PI + sign * near.between;
        }
        if let Some(far) = Far::new(&side, z, y_cos_a) {
            return if away { far.sf } else { 1.0 - far.sf };
        }
        let what = if away == side.falls() {
            Integral::Rest
        } else {
            Integral::Part
        };
        let integral = log_integral(&side, z, y_cos_a, what).exp();
        let start = if away { 0.0 } else { side.k };
        let found = (start + integral) / PI;
        if found > 1.0 { 1.0 } else { found }
    }
}
