//! Random streams that need no state: one ChaCha8 generator for every (seed, purpose, step, index).
//!
//! ChaCha is a block cipher in counter mode: with a 256-bit key it gives 2⁶⁸ bytes that show no relation
//! to those of another key. The key here *is* the four numbers, 64 bits each, little-endian, side by side.
//! Two draws therefore share their random numbers only if all four agree, and nothing has to be saved to
//! continue a run: the step number is enough.
//!
//! Reference: D. J. Bernstein, "ChaCha, a variant of Salsa20" (2008); counter-based generators as in
//! Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What random numbers are for. Two purposes never share a stream.
///
/// A purpose is its name, so each crate can declare its own:
/// ```
/// use acclip_data::Purpose;
/// const DROPOUT: Purpose = Purpose::new("dropout");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Purpose(u64);

impl Purpose {
    /// Which documents are held out.
    pub const SPLIT: Purpose = Purpose::new("split");
    /// The order of the training sequences.
    pub const ORDER: Purpose = Purpose::new("order");
    /// The order of a pass over the data for noise measurement.
    pub const PASS: Purpose = Purpose::new("pass");
    /// Pairs of segments for next-sentence prediction (step: the copy, index: the document).
    pub const PAIRS: Purpose = Purpose::new("pairs");
    /// Masks of the training batches (new ones at every step).
    pub const MASK: Purpose = Purpose::new("mask");
    /// Masks of the validation batches (always with step 0: the same at every evaluation).
    pub const VALID: Purpose = Purpose::new("valid");
    /// Masks of a noise measurement (always with step 0: the same in both passes).
    pub const NOISE: Purpose = Purpose::new("noise");
    /// Crops and flips of the training images (new ones at every step).
    pub const AUGMENT: Purpose = Purpose::new("augment");

    /// The purpose called `name`: one to eight bytes, read as a little-endian number.
    ///
    /// # Panics
    /// If `name` is empty or longer than eight bytes; in a `const`, that is a compile error.
    pub const fn new(name: &str) -> Purpose {
        let name = name.as_bytes();
        assert!(
            !name.is_empty() && name.len() <= 8,
            "a purpose has one to eight bytes"
        );
        let mut value = 0;
        let mut i = name.len();
        while i > 0 {
            i -= 1;
            value = value << 8 | name[i] as u64;
        }
        Purpose(value)
    }
}

/// The generator of (`seed`, `purpose`, `step`, `index`), at its beginning.
///
/// `step` is a training step or an epoch, `index` a sequence, a layer or a block of parameters; put 0
/// where there is none. The same four numbers give the same stream on every machine and thread.
pub fn stream(seed: u64, purpose: Purpose, step: u64, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, number) in key.chunks_exact_mut(8).zip([seed, purpose.0, step, index]) {
        bytes.copy_from_slice(&number.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    const TEST: Purpose = Purpose::new("test");

    /// Keystream of ChaCha8 for the all-zero 256-bit key and IV: test case TC1 of J. Strömbergson, "Test
    /// vectors for the stream cipher ChaCha" (Internet draft, 2013).
    #[test]
    fn zero_key_is_chacha8() {
        let mut rng = stream(0, Purpose(0), 0, 0);
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        let expected = [
            0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6, 0x7f, 0x5b, 0xb8, 0xe8, 0x1f, 0x09,
            0xa5, 0xa1,
        ];
        assert_eq!(bytes, expected);
    }

    #[test]
    fn every_number_of_the_key_counts() {
        let first = |seed, purpose, step, index| stream(seed, purpose, step, index).next_u64();
        let base = first(1, TEST, 2, 3);
        assert_eq!(base, first(1, TEST, 2, 3));
        for other in [
            first(2, TEST, 2, 3),
            first(1, Purpose::MASK, 2, 3),
            first(1, TEST, 3, 3),
            first(1, TEST, 2, 4),
            first(1, TEST, 3, 2),
            first(1 | 1 << 63, TEST, 2, 3),
            first(1, TEST, 2, 3 | 1 << 63),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_purpose_is_its_name() {
        assert_eq!(Purpose::new("ab"), Purpose(0x6261));
        assert_eq!(Purpose::new("abcdefgh"), Purpose(0x6867_6665_6463_6261));
        let all = [
            Purpose::SPLIT,
            Purpose::ORDER,
            Purpose::PASS,
            Purpose::PAIRS,
            Purpose::MASK,
            Purpose::VALID,
            Purpose::NOISE,
            Purpose::AUGMENT,
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a != b));
        }
    }
}
