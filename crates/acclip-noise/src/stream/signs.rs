//! Random signs without memory, and sums of a gradient under eight of them at once.
//!
//! The signs of entry j in eight projections are the bits of one byte of
//!
//! ```text
//! word(⌊j/8⌋) = mix(key + (⌊j/8⌋ + 1) φ)            φ = 0x9e3779b97f4a7c15
//! ```
//!
//! which is output number ⌊j/8⌋ of the generator SplitMix64 started at `key`: it can be had for
//! any j, in any order, on any worker. Eight sums of d signed entries would cost 8d additions.
//! Instead each entry is added once to that of 256 sums which belongs to its byte,
//!
//! ```text
//! T[b] = Σ_{j: byte(j) = b} gⱼ                pₖ = Σ_b ±T[b]      (minus if bit k of b is set)
//! ```
//!
//! Reference: Steele, Lea & Flood (2014), "Fast splittable pseudorandom number generators".

use crate::stream::Real;

/// Projections that share a pass.
pub(super) const GROUP: usize = 8;

const PHI: u64 = 0x9e37_79b9_7f4a_7c15;

/// The key of a group of eight projections.
pub(super) fn key(seed: u64, group: usize) -> u64 {
    mix(mix(seed.wrapping_add(PHI)) ^ group as u64)
}

/// Σⱼ ±gⱼ for `piece`, whose first entry is number `start` of the flat gradient.
pub(super) fn project<F: Real>(piece: &[F], start: usize, key: u64) -> [f64; GROUP] {
    let mut table = [0.0; 256];
    let mut add = |byte: u64, x: F| table[usize::from(byte as u8)] += x.into();
    // Up to where a word begins, then whole words, then what is left.
    let head = (start.wrapping_neg() % GROUP).min(piece.len());
    let (head, rest) = piece.split_at(head);
    for (j, &x) in (start..).zip(head) {
        add(word(key, j / GROUP) >> (8 * (j % GROUP)), x);
    }
    let (words, tail) = rest.as_chunks::<GROUP>();
    let first = (start + head.len()) / GROUP;
    for (block, entries) in (first..).zip(words) {
        let word = word(key, block);
        for (i, &x) in entries.iter().enumerate() {
            add(word >> (8 * i), x);
        }
    }
    let word = word(key, first + words.len());
    for (i, &x) in tail.iter().enumerate() {
        add(word >> (8 * i), x);
    }
    signed_sums(&table)
}

/// pₖ = Σ_b ±T[b].
fn signed_sums(table: &[f64; 256]) -> [f64; GROUP] {
    let mut sums = [0.0; GROUP];
    for (byte, &x) in table.iter().enumerate() {
        for (k, sum) in sums.iter_mut().enumerate() {
            *sum += if byte >> k & 1 == 1 { -x } else { x };
        }
    }
    sums
}

#[inline(always)]
fn word(key: u64, block: usize) -> u64 {
    mix(key.wrapping_add((block as u64).wrapping_add(1).wrapping_mul(PHI)))
}

#[inline(always)]
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sign of entry j in projection k of the group.
    fn sign(key: u64, k: usize, j: usize) -> f64 {
        let byte = word(key, j / GROUP) >> (8 * (j % GROUP));
        if byte >> k & 1 == 1 { -1.0 } else { 1.0 }
    }

    #[test]
    fn table_equals_eight_signed_sums_at_any_start_and_length() {
        // Integers, so that the order of summation does not matter.
        let gradient: Vec<f32> = (0..600).map(|j| (j * j % 257) as f32 - 99.0).collect();
        for start in 0..20 {
            for length in (0..40).chain([513, 580]) {
                let piece = &gradient[start..start + length];
                let found = project(piece, start, 5);
                for (k, found) in found.into_iter().enumerate() {
                    let signed = |(i, &x): (usize, &f32)| sign(5, k, start + i) * f64::from(x);
                    let expected: f64 = piece.iter().enumerate().map(signed).sum();
                    assert_eq!(found, expected, "start {start}, length {length}, k {k}");
                }
            }
        }
    }

    #[test]
    fn words_are_those_of_splitmix64() {
        // The first outputs for seed 1234567, as in the test vectors of Vigna's C code.
        let expected = [
            6457827717110365317_u64,
            3203168211198807973,
            9817491932198370423,
        ];
        let found = [0, 1, 2].map(|block| word(1_234_567, block));
        assert_eq!(found, expected);
    }

    #[test]
    fn signs_are_balanced_and_uncorrelated() {
        const D: usize = 4096;
        let rows: Vec<Vec<f64>> = (0..64)
            .map(|k| {
                let key = key(3, k / GROUP);
                (0..D).map(|j| sign(key, k % GROUP, j)).collect()
            })
            .collect();
        let limit = 5.0 * (D as f64).sqrt();
        for (k, row) in rows.iter().enumerate() {
            assert!(row.iter().sum::<f64>().abs() < limit);
            let lagged = row.iter().zip(&row[1..]);
            assert!(lagged.map(|(x, y)| x * y).sum::<f64>().abs() < limit);
            for other in &rows[..k] {
                let dot: f64 = row.iter().zip(other).map(|(x, y)| x * y).sum();
                assert!(dot.abs() < limit);
            }
        }
        assert_ne!(key(0, 0), key(1, 0));
    }
}
