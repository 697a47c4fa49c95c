//! Stochastic rounding to bf16 and to 8-bit codes, and the random bits for it.
//!
//! What the formats are, and what rounding does to an average: `storage.rs`.

use half::bf16;

/// By what 8-bit codes are shifted: 2⁻¹⁵, the float of code 0.
pub(crate) const SHIFT: f32 = 1.0 / 32768.0;
/// Place of the last bit of a code in an `f32`: 3 bits of the fraction are kept, and a sign; or 4.
pub(crate) const SIGNED: u32 = 20;
pub(crate) const UNSIGNED: u32 = 19;

/// Rounds to one of the two nearest bf16 values, up with the probability that makes the mean exact.
/// What is beyond the largest stays the largest; infinities and NaN stay what they are.
#[inline(always)]
pub(crate) fn round_bf16(x: f32, random: u32) -> bf16 {
    let bits = x.to_bits();
    let size = bits & 0x7fff_ffff;
    let special = size >= 0x7f80_0000;
    let up = size.wrapping_add(random & 0xffff);
    let up = if up >= 0x7f80_0000 { 0x7f7f_0000 } else { up };
    let size = if special {
        size | (u32::from(size > 0x7f80_0000) << 22)
    } else {
        up
    };
    bf16::from_bits(((bits & 0x8000_0000 | size) >> 16) as u16)
}

/// The value of a code whose last place is bit `LAST` of an `f32`.
#[inline(always)]
pub(crate) fn decode<const LAST: u32>(code: u8, scale: f32, sign: u32) -> f32 {
    let bits = SHIFT.to_bits() + (u32::from(code) << LAST);
    let value = (f32::from_bits(bits) - SHIFT) * scale;
    f32::from_bits(value.to_bits() | sign << 31)
}

/// The code of `y` ≥ 0, rounded stochastically; may exceed the largest by one.
#[inline(always)]
pub(crate) fn encode<const LAST: u32>(y: f32, random: u32) -> u32 {
    // Between two codes, floats of one exponent are evenly spaced, so adding random bits below the
    // last place and cutting them off rounds up with the right probability.
    let bits = (y + SHIFT).to_bits() + (random & ((1 << LAST) - 1));
    (bits - SHIFT.to_bits()) >> LAST
}

/// Random bits for the coordinates of one slot in one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dice {
    key: u32,
    offset: u32,
}

impl Dice {
    /// For `slot` in step `t` of a run with this seed.
    pub(crate) fn new(seed: u64, t: u64, slot: usize) -> Self {
        let mut z = seed ^ t.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (slot as u64) << 56;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Dice {
            key: (z ^ (z >> 31)) as u32,
            offset: 0,
        }
    }

    /// For the coordinates from `start` on.
    pub(crate) fn at(self, start: usize) -> Self {
        // The upper half of a large index enters the key.
        let high = (start as u64 >> 32) as u32;
        Dice {
            key: self.key ^ high.wrapping_mul(0x85eb_ca6b),
            offset: start as u32,
        }
    }

    /// 32 random bits for one coordinate: a bijective mixing of 32-bit words, twice keyed.
    #[inline(always)]
    pub(crate) fn roll(self, index: usize) -> u32 {
        let mut h = self.offset.wrapping_add(index as u32) ^ self.key;
        h = (h ^ (h >> 16)).wrapping_mul(0x7feb_352d);
        h = (h ^ (h >> 15)).wrapping_add(self.key.rotate_left(16));
        h = h.wrapping_mul(0x846c_a68b);
        h ^ (h >> 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bf16_is_right_in_the_mean_and_keeps_what_it_can_hold() {
        let x = 1.003_f32;
        let rolls =
            (0..4000).map(|t| f64::from(round_bf16(x, Dice::new(0, t, 0).roll(7)).to_f32()));
        let mean = rolls.sum::<f64>() / 4000.0;
        assert!((mean - f64::from(x)).abs() < 4.0 * 0.004 / 63.0, "{mean}");
        for exact in [0.0, -0.0, 1.5, -3.25, f32::INFINITY, f32::NEG_INFINITY] {
            for random in [0, 1, u32::MAX] {
                assert_eq!(
                    round_bf16(exact, random).to_f32().to_bits(),
                    exact.to_bits()
                );
            }
        }
        assert!(round_bf16(f32::NAN, 3).is_nan());
        assert!(round_bf16(f32::MAX, u32::MAX).is_finite());
    }

    #[test]
    fn dice_differ_by_seed_step_slot_and_coordinate() {
        let rolls = [
            Dice::new(0, 1, 0).roll(0),
            Dice::new(1, 1, 0).roll(0),
            Dice::new(0, 2, 0).roll(0),
            Dice::new(0, 1, 1).roll(0),
            Dice::new(0, 1, 0).roll(1),
            Dice::new(0, 1, 0).at(1 << 32).roll(0),
        ];
        for (i, a) in rolls.iter().enumerate() {
            assert!(rolls[..i].iter().all(|b| a != b));
        }
        assert_eq!(Dice::new(0, 1, 0).at(5).roll(2), Dice::new(0, 1, 0).roll(7));
    }
}
