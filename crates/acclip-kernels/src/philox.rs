//! Philox 4×32-10, a counter-based random generator: four words that depend on a counter and a key alone, so
//! that any part of a random sequence can be made again, by any thread, in any order.
//!
//! With the counter (c₀, c₁, c₂, c₃) and the key (k₀, k₁), one of ten rounds is
//!
//! ```text
//! c₀, c₁, c₂, c₃ ← high(M₁ c₂) ⊕ c₁ ⊕ k₀, low(M₁ c₂), high(M₀ c₀) ⊕ c₃ ⊕ k₁, low(M₀ c₀)
//! k₀, k₁ ← k₀ + W₀, k₁ + W₁
//! ```
//!
//! Reference: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
//! SC 2011.

const M0: u64 = 0xD251_1F53;
const M1: u64 = 0xCD9E_8D57;
const W0: u32 = 0x9E37_79B9;
const W1: u32 = 0xBB67_AE85;
const LOW: u64 = 0xFFFF_FFFF;

/// N blocks at once: word w of block j is `counter[w][j]`, each below 2³². They stand in `u64` for the sake of
/// the vector instruction that multiplies the low halves of 64-bit lanes.
#[inline(always)]
pub fn philox4x32_10<const N: usize>(
    mut counter: [[u64; N]; 4],
    mut key: [u32; 2],
) -> [[u64; N]; 4] {
    for _ in 0..10 {
        let (k0, k1) = (u64::from(key[0]), u64::from(key[1]));
        let [c0, c1, c2, c3] = &mut counter;
        for j in 0..N {
            // The high halves of c₁ and c₃ carry remains of a product until they are masked here.
            let product0 = M0 * (c0[j] & LOW);
            let product1 = M1 * (c2[j] & LOW);
            c0[j] = (product1 >> 32) ^ c1[j] ^ k0;
            c2[j] = (product0 >> 32) ^ c3[j] ^ k1;
            c1[j] = product1;
            c3[j] = product0;
        }
        key = [key[0].wrapping_add(W0), key[1].wrapping_add(W1)];
    }
    counter.map(|word| word.map(|c| c & LOW))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that the authors publish with the generator.
    #[test]
    fn known_answers() {
        for (counter, key, words) in [
            (
                [0; 4],
                [0; 2],
                [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8],
            ),
            (
                [0xFFFF_FFFF; 4],
                [0xFFFF_FFFF; 2],
                [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD],
            ),
            (
                [0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344],
                [0xA409_3822, 0x299F_31D0],
                [0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1],
            ),
        ] {
            assert_eq!(
                philox4x32_10(counter.map(|c: u64| [c]), key),
                words.map(|w: u64| [w])
            );
        }
    }
}
