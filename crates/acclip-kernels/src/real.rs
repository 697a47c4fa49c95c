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
    /// The error function, 2/√π ∫₀ˣ e^(−t²) dt. In `f32` within 2.4e-7 of the true value, relatively, and within
    /// [−1, 1].
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
    let q = 1.392_625_04e-3;
    let q = q * r + 8.363_232_95e-3;
    let q = q * r + 4.166_655_24e-2;
    let q = q * r + 1.666_657_63e-1;
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

/// erf x = x p(x²) / q(x²) with both of degree 5: a least-squares fit on [0, 3.92], reweighted until the
/// largest relative error was least (1.9e-8). Beyond, ±1 is the nearest `f32`.
#[inline(always)]
fn erf(x: f32) -> f32 {
    const ONE_FROM: f32 = 3.919_206;
    let t = x * x;
    let p = 2.050_694_11e-6;
    let p = p * t + 2.848_499_79e-4;
    let p = p * t + 3.763_480_41e-3;
    let p = p * t + 5.274_219_75e-2;
    let p = p * t + 1.903_547_11e-1;
    let p = p * t + 1.128_379_15;
    let q = 3.809_626_34e-5;
    let q = q * t + 1.162_045_4e-3;
    let q = q * t + 1.496_493_07e-2;
    let q = q * t + 1.140_880_4e-1;
    let q = q * t + 5.020_303_07e-1;
    let q = q * t + 1.0;
    let result = (x * p / q).min(1.0).max(-1.0);
    if x >= ONE_FROM {
        1.0
    } else if x <= -ONE_FROM {
        -1.0
    } else {
        result
    }
}
