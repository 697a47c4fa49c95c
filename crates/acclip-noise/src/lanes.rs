//! Random words and elementary functions for loops that become vector code.
//!
//! Everything here is a polynomial without branches or tables and is always inlined, so that a plain loop over
//! it, run by [`vectorised`], is compiled to AVX-512 or AVX2 where the processor has it. No operation is
//! contracted or reassociated: the bits are the same on every instruction set. Random numbers have no state: word
//! i of the stream `key` is a function of both.
//!
//! Reference: Steele, Lea & Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014 (SplitMix64).

use std::f64::consts::{LN_2, LOG2_E, PI};

/// Runs a loop compiled for the widest instruction set of this processor. No operation is contracted
/// or reassociated: every set gives the same bits. `f` and all that it calls must be
/// `#[inline(always)]`, and `f` must own what it needs (`move`): behind a reference that crosses this call the
/// compiler cannot tell that buffers do not overlap, and the loop stays scalar.
#[inline(always)]
pub fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(set) = pulp::x86::V4::try_new() {
            return pulp::Simd::vectorize(set, f);
        }
        if let Some(set) = pulp::x86::V3::try_new() {
            return pulp::Simd::vectorize(set, f);
        }
    }
    f()
}

/// Output `i` of SplitMix64 from the state `key`.
#[inline(always)]
pub fn mix(key: u64, i: u64) -> u64 {
    let z = key.wrapping_add((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Uniform on the 2⁵² midpoints (k + ½)/2⁵² of (0, 1).
#[inline(always)]
pub fn open01(bits: u64) -> f64 {
    // [1, 2) less 1 − 2⁻⁵³; exact.
    f64::from_bits(0x3ff0_0000_0000_0000 | (bits >> 12)) - (1.0 - 0.5 * f64::EPSILON)
}

/// [`open01`] − ½, exact.
#[inline(always)]
pub fn centred(bits: u64) -> f64 {
    open01(bits) - 0.5
}

/// sin πx and cos πx for |x| ≤ ½, each within 4·10⁻¹⁶ relative.
#[inline(always)]
pub fn sin_cos_pi(x: f64) -> (f64, f64) {
    (sin_pi(x), sin_pi(0.5 - x.abs()))
}

/// Taylor's polynomial of degree 21; the next term is below 2·10⁻¹⁸ at x = ½.
#[inline(always)]
fn sin_pi(x: f64) -> f64 {
    let x = PI * x;
    let z = x * x;
    let p = 1.0 / 51_090_942_171_709_440_000.0;
    let p = p * z - 1.0 / 121_645_100_408_832_000.0;
    let p = p * z + 1.0 / 355_687_428_096_000.0;
    let p = p * z - 1.0 / 1_307_674_368_000.0;
    let p = p * z + 1.0 / 6_227_020_800.0;
    let p = p * z - 1.0 / 39_916_800.0;
    let p = p * z + 1.0 / 362_880.0;
    let p = p * z - 1.0 / 5_040.0;
    let p = p * z + 1.0 / 120.0;
    let p = p * z - 1.0 / 6.0;
    x + x * (z * p)
}

/// ln x for normal x > 0, within 4·10⁻¹⁶·(1 + |ln x|).
#[inline(always)]
pub fn ln(x: f64) -> f64 {
    // x = 2^k (1 + f), with 1 + f in [√½, √2); ln(1 + f) = 2 artanh(s), s = f/(2 + f), |s| < 0.1716.
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    let bits = x.to_bits();
    let shifted = bits.wrapping_sub(SQRT_HALF);
    let k = whole((shifted as i64) >> 52);
    let f = f64::from_bits(bits.wrapping_sub(shifted & 0xfff0_0000_0000_0000)) - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let odd = 1.0 / 21.0;
    let odd = odd * z + 1.0 / 19.0;
    let odd = odd * z + 1.0 / 17.0;
    let odd = odd * z + 1.0 / 15.0;
    let odd = odd * z + 1.0 / 13.0;
    let odd = odd * z + 1.0 / 11.0;
    let odd = odd * z + 1.0 / 9.0;
    let odd = odd * z + 1.0 / 7.0;
    let odd = odd * z + 1.0 / 5.0;
    let odd = odd * z + 1.0 / 3.0;
    k * LN_2 + 2.0 * (s + s * (z * odd))
}

/// e^y − `subtract`, for `subtract` 0 or 1, without cancellation near y = 0 in the second case;
/// y is first brought into the range of exponents of `f64`.
#[inline(always)]
pub fn exp_minus(y: f64, subtract: f64) -> f64 {
    let y = y.clamp(-708.0, 709.0);
    // y = k ln 2 + r; ln 2 in two pieces, the first with 20 zeros at its end.
    const HIGH: f64 = 6.931_471_803_691_238e-1;
    const LOW: f64 = 1.908_214_929_270_587_7e-10;
    let rounded = y * LOG2_E + ROUND;
    let k = rounded - ROUND;
    let r = (y - k * HIGH) - k * LOW; // |r| ≤ 0.3466
    let p = 1.0 / 6_227_020_800.0;
    let p = p * r + 1.0 / 479_001_600.0;
    let p = p * r + 1.0 / 39_916_800.0;
    let p = p * r + 1.0 / 3_628_800.0;
    let p = p * r + 1.0 / 362_880.0;
    let p = p * r + 1.0 / 40_320.0;
    let p = p * r + 1.0 / 5_040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = r + r * (r * p);
    // 2^k = 2 · 2^{k−1}, since k = 1024 has no exponent of its own.
    let half_power = f64::from_bits(rounded.to_bits().wrapping_add(1022) << 52);
    2.0 * (half_power * p + (half_power - 0.5 * subtract))
}

/// Adding it rounds to a whole number, which then stands in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// A small whole number as an `f64`, without the conversion that AVX2 lacks.
#[inline(always)]
fn whole(k: i64) -> f64 {
    f64::from_bits(ROUND.to_bits().wrapping_add(k as u64)) - ROUND
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_are_within_their_stated_errors() {
        for i in 0..20_000 {
            let x = (i as f64 - 9_999.5) / 20_000.0;
            let (sin, cos) = sin_cos_pi(x);
            let (exact_sin, exact_cos) = ((PI * x).sin(), (PI * (0.5 - x.abs())).sin());
            assert!((sin / exact_sin - 1.0).abs() <= 4e-16, "{x}");
            assert!((cos / exact_cos - 1.0).abs() <= 4e-16, "{x}");
            let y = (x * 1400.0).exp();
            assert!(
                (ln(y) - y.ln()).abs() <= 4e-16 * (1.0 + y.ln().abs()),
                "{y}"
            );
            let y = x * 3.0 * x.abs();
            assert!((exp_minus(y, 1.0) / y.exp_m1() - 1.0).abs() <= 8e-16, "{y}");
            let y = x * 1400.0;
            assert!((exp_minus(y, 0.0) / y.exp() - 1.0).abs() <= 8e-16, "{y}");
        }
    }
}
