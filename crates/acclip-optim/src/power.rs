//! x^α in `f32`, as a loop that vectorises.
//!
//! x^α = 2^(α·log₂ x), both functions by polynomials in `f64`, whose error (below 1e-12 relative, and
//! so below 2⁻¹⁵ units in the last place of the result) leaves the one rounding to `f32`. There are
//! no branches, tables or calls, so that a loop of it becomes vector code; `powf` is a call.

use std::f64::consts::LOG2_E;

/// x^α for finite x ≥ 0 and α > 0, within 0.50002 units in the last place; 0 for x = 0.
#[inline(always)]
pub(crate) fn power(x: f32, alpha: f64) -> f32 {
    // Every positive f32, subnormals too, is a normal f64.
    let y = exp2(alpha * log2(f64::from(x)));
    if x > 0.0 { y as f32 } else { 0.0 }
}

/// log₂ x for normal x > 0.
#[inline(always)]
fn log2(x: f64) -> f64 {
    // x = 2^k·(1+f), with 1+f in [√½, √2).
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    let bits = x.to_bits();
    let shifted = bits.wrapping_sub(SQRT_HALF);
    let k = whole((shifted as i64) >> 52);
    let f = f64::from_bits(bits.wrapping_sub(shifted & 0xfff0_0000_0000_0000)) - 1.0;
    // ln(1+f) = 2 artanh(s) with s = f/(2+f), |s| < 0.1716: s³/3, …, s¹⁵/15; the next is below 1e-14.
    let s = f / (2.0 + f);
    let z = s * s;
    let odd = 1.0 / 15.0;
    let odd = odd * z + 1.0 / 13.0;
    let odd = odd * z + 1.0 / 11.0;
    let odd = odd * z + 1.0 / 9.0;
    let odd = odd * z + 1.0 / 7.0;
    let odd = odd * z + 1.0 / 5.0;
    let odd = odd * z + 1.0 / 3.0;
    let log = 2.0 * (s + s * (z * odd));
    k + log * LOG2_E
}

/// 2^y; y is first brought into the range of exponents of `f64`.
#[inline(always)]
fn exp2(y: f64) -> f64 {
    let y = if y < 1000.0 { y } else { 1000.0 };
    let y = if y > -1000.0 { y } else { -1000.0 };
    // To the nearest whole number: adding 1.5·2⁵² leaves it in the low bits of the sum.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let rounded = y + ROUND;
    let k = rounded - ROUND;
    let t = (y - k) * std::f64::consts::LN_2; // |t| ≤ 0.3466
    let e = 1.0 / 479_001_600.0; // 1/12!
    let e = e * t + 1.0 / 39_916_800.0;
    let e = e * t + 1.0 / 3_628_800.0;
    let e = e * t + 1.0 / 362_880.0;
    let e = e * t + 1.0 / 40_320.0;
    let e = e * t + 1.0 / 5_040.0;
    let e = e * t + 1.0 / 720.0;
    let e = e * t + 1.0 / 120.0;
    let e = e * t + 1.0 / 24.0;
    let e = e * t + 1.0 / 6.0;
    let e = e * t + 0.5;
    let e = e * t + 1.0;
    let e = e * t + 1.0;
    let exponent = rounded.to_bits().wrapping_add(1023) << 52;
    e * f64::from_bits(exponent)
}

/// A small whole number as an `f64`, without the conversion that AVX2 lacks.
#[inline(always)]
fn whole(k: i64) -> f64 {
    const ROUND: f64 = 6_755_399_441_055_744.0;
    f64::from_bits(ROUND.to_bits().wrapping_add(k as u64)) - ROUND
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distance in units in the last place of the exact value.
    fn ulps(x: f32, exact: f64) -> f64 {
        let ulp = f64::from((exact as f32).next_up()) - f64::from(exact as f32);
        (f64::from(x) - exact).abs() / ulp
    }

    #[test]
    fn it_is_the_rounded_power() {
        let mut worst = 0.0_f64;
        for alpha in [0.3, 0.5, 0.7, 1.0, 1.2, 1.5, 1.9, 2.0, 1.0 / 1.3, 1.0 / 0.3] {
            let mut wide = 1e-44_f64;
            while wide < 3e38 {
                let x = wide as f32;
                let exact = f64::from(x).powf(alpha);
                if exact < f64::from(f32::MAX) && exact > f64::from(f32::MIN_POSITIVE) {
                    worst = worst.max(ulps(power(x, alpha), exact));
                }
                wide *= 1.000_917;
            }
        }
        assert!(worst <= 0.50002, "{worst}");
    }

    #[test]
    fn edges() {
        assert_eq!(power(0.0, 0.5), 0.0);
        assert_eq!(power(1.0, 1.7), 1.0);
        assert_eq!(power(f32::MAX, 2.0), f32::INFINITY);
        assert_eq!(power(1e-30, 2.0), 0.0);
        assert_eq!(power(f32::MAX, 1.0), f32::MAX);
        let tiny = f32::from_bits(1);
        assert_eq!(power(tiny, 0.5), f64::from(tiny).sqrt() as f32);
    }
}
