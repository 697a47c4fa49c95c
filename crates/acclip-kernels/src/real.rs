//! The numbers that the kernels compute with.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// `f32` (training) or `f64` (checks).
///
/// The functions are branch-free polynomials in `f32`, so that a loop over them becomes vector code, and
/// those of the standard library or of `libm` in `f64`.
pub trait Real:
    bytemuck::Pod
    + PartialOrd
    + Send
    + Sync
    + std::fmt::Debug
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + Sum
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// −∞.
    const NEG_INFINITY: Self;
    /// The nearest of this type.
    fn of(x: f64) -> Self;
    /// As `f64`, exactly.
    fn f64(self) -> f64;
    /// √x.
    fn sqrt(self) -> Self;
    /// The larger one; `other` where either is NaN.
    fn max(self, other: Self) -> Self;
    /// The smaller one; `other` where either is NaN.
    fn min(self, other: Self) -> Self;
    /// eˣ. In `f32` within 1.02 units in the last place of the true value; ∞ from 88.72284 on, and 0 where eˣ
    /// would lie below the normal numbers (x < −87.33654).
    fn exp(self) -> Self;
    /// The error function, 2/√π ∫₀ˣ e^(−t²) dt. In `f32` within 1.4e-7 of the true value, and within [−1, 1].
    fn erf(self) -> Self;
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const NEG_INFINITY: Self = f32::NEG_INFINITY;
    #[inline(always)]
    fn of(x: f64) -> Self {
        x as f32
    }
    #[inline(always)]
    fn f64(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        self.sqrt()
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        if self > other { self } else { other }
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        if self < other { self } else { other }
    }
    #[inline(always)]
    fn exp(self) -> Self {
        exp(self)
    }
    #[inline(always)]
    fn erf(self) -> Self {
        erf(self)
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const NEG_INFINITY: Self = f64::NEG_INFINITY;
    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        self.sqrt()
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        if self > other { self } else { other }
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        if self < other { self } else { other }
    }
    #[inline(always)]
    fn exp(self) -> Self {
        f64::exp(self)
    }
    #[inline(always)]
    fn erf(self) -> Self {
        libm::erf(self)
    }
}

/// eˣ = 2ⁿ eʳ with n the whole number nearest to x / ln 2, |r| ≤ ln 2 / 2, and eʳ = 1 + r + r² q(r), where q
/// interpolates at the five Chebyshev nodes (relative error 1.1e-8).
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// The least x with a normal eˣ, and the largest with a finite one.
    const NORMAL: std::ops::RangeInclusive<f32> = -87.336_54..=88.722_83;
    /// 1.5 · 2²³: a sum with it is rounded to a whole number, which stands in its low bits.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 = HIGH + LOW; HIGH has few bits, so that n · HIGH is exact.
    const HIGH: f32 = 0.693_359_4;
    const LOW: f32 = -2.121_944_4e-4;
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * HIGH) - n * LOW;
    let q = 1.392_625e-3;
    let q = q * r + 8.363_233e-3;
    let q = q * r + 4.166_655_2e-2;
    let q = q * r + 1.666_657_6e-1;
    let q = q * r + 0.5;
    let power = q * r * r + r + 1.0;
    // n into the exponent. For a normal result it does not overflow, though 2ⁿ alone may (n = 128).
    let result = f32::from_bits(power.to_bits().wrapping_add(shifted.to_bits() << 23));
    if x < *NORMAL.start() {
        0.0
    } else if x <= *NORMAL.end() {
        result
    } else {
        x + f32::INFINITY
    }
}

/// Below 1.06, erf x = x + x p(x²), where p has degree 6 and interpolates at Chebyshev nodes (relative error 1.5e-8);
/// from there on, erf |x| = 1 − 1 / q(|x|)⁸, where q has degree 7 and is a least-squares fit on [1, 3.94], reweighted
/// until the largest error was least (2.9e-8). Beyond, ±1 is the nearest `f32`.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let t = x * x;
    let p = 8.019_908e-5;
    let p = p * t - 8.075_781_5e-4;
    let p = p * t + 5.197_426_3e-3;
    let p = p * t - 2.685_931e-2;
    let p = p * t + 1.128_372_6e-1;
    let p = p * t - 3.761_263_8e-1;
    let p = p * t + 1.283_791_7e-1;
    let a = x.abs();
    let q = 5.479_425_3e-4;
    let q = q * a - 4.052_772_7e-3;
    let q = q * a + 1.800_216_4e-2;
    let q = q * a - 3.371_068e-2;
    let q = q * a + 7.481_653e-2;
    let q = q * a + 4.840_679e-2;
    let q = q * a + 1.597_256_8e-1;
    let q = q * a + 9.963_764_6e-1;
    let q2 = q * q;
    let q4 = q2 * q2;
    if a < 1.06 {
        x + x * p
    } else {
        (1.0 - 1.0 / (q4 * q4)).copysign(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;

    /// The largest `error` over the `f32` of every 61st bit pattern.
    fn worst(error: impl Fn(f32) -> f64 + Sync) -> (f64, f32) {
        (0..u32::MAX / 61)
            .into_par_iter()
            .map(|i| f32::from_bits(61 * i))
            .filter(|x| !x.is_nan())
            .map(|x| (error(x), x))
            .reduce(|| (0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a })
    }

    /// `f32` numbers at 2 to the power of the exponent of x are this far apart.
    fn unit_in_the_last_place(x: f64) -> f64 {
        (x.log2().floor() - 23.0).exp2()
    }

    #[test]
    fn exp_of_every_61st() {
        let (error, at) = worst(|x| {
            let (y, exact) = (Real::exp(x), f64::from(x).exp());
            if exact < f64::from(f32::MIN_POSITIVE) {
                return if y == 0.0 { 0.0 } else { f64::INFINITY };
            }
            if exact as f32 == f32::INFINITY {
                return if y == f32::INFINITY {
                    0.0
                } else {
                    f64::INFINITY
                };
            }
            (f64::from(y) - exact).abs() / unit_in_the_last_place(exact)
        });
        assert!(error <= 1.02, "{error} at {at}");
    }

    #[test]
    fn erf_of_every_61st() {
        let (error, at) = worst(|x| {
            let (y, exact) = (Real::erf(x), libm::erf(f64::from(x)));
            if y.abs() > 1.0 || Real::erf(-x).to_bits() != (-y).to_bits() {
                return f64::INFINITY;
            }
            (f64::from(y) - exact).abs()
        });
        assert!(error <= 1.4e-7, "{error} at {at}");
    }

    #[test]
    fn ends() {
        for (x, exp, erf) in [
            (f32::NEG_INFINITY, 0.0, -1.0),
            (-1e4, 0.0, -1.0),
            (-0.0, 1.0, -0.0),
            (0.0, 1.0, 0.0),
            (1e4, f32::INFINITY, 1.0),
            (f32::INFINITY, f32::INFINITY, 1.0),
        ] {
            assert_eq!(Real::exp(x).to_bits(), exp.to_bits(), "exp {x}");
            assert_eq!(Real::erf(x).to_bits(), f32::to_bits(erf), "erf {x}");
        }
        // The largest finite result, and the least normal one.
        assert!(Real::exp(88.722_83_f32).is_finite() && Real::exp(88.722_84_f32) == f32::INFINITY);
        assert!(Real::exp(-87.336_54_f32).is_normal() && Real::exp(-87.336_55_f32) == 0.0);
        for bits in [0x7FC0_0000, 0x7F80_0001, 0xFFFF_FFFF, 0x7FC0_01FF] {
            let nan = f32::from_bits(bits);
            assert!(
                Real::exp(nan).is_nan() && Real::erf(nan).is_nan(),
                "{bits:x}"
            );
        }
    }
}
