//! Dropout: y = m ∘ x, where each mᵢ is 0 with probability p and 1 / (1 − p) otherwise.
//!
//! The mask is a function of a key, the number of the application, and the index of the entry: nothing is
//! stored between forward and backward, which is the same multiplication. Sixteen bits of a Philox
//! block decide on an entry, so p is rounded to a multiple of 2⁻¹⁶, and the scale is that of the rounded p: the
//! mean of m is 1.
//!
//! Reference: N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov, "Dropout: a simple way to
//! prevent neural networks from overfitting", JMLR 2014.

use crate::{Real, chunks::ENTRIES, philox::philox4x32_10, vectorized};
use rayon::prelude::*;

/// Blocks that are made at once.
const BLOCKS: usize = 8;
/// Entries that are made at once: a group, the entries i with the same i / GROUP.
const GROUP: usize = 8 * BLOCKS;

/// One application of dropout: its mask, for entries of any index.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// p · 2¹⁶.
    threshold: u64,
    key: [u32; 2],
    application: [u64; 2],
}

impl Dropout {
    /// Drops entries with probability `p`, rounded to a multiple of 2⁻¹⁶ below 1. Masks of different `key` or
    /// different `application` are independent.
    ///
    /// # Panics
    /// Unless 0 ≤ p < 1.
    #[must_use]
    pub fn new(p: f64, key: u64, application: u64) -> Self {
        assert!((0.0..1.0).contains(&p), "probability {p} of dropout");
        let halves = |x: u64| [x & 0xFFFF_FFFF, x >> 32];
        Self {
            threshold: ((p * 65536.0).round() as u64).min(65535),
            key: halves(key).map(|half| half as u32),
            application: halves(application),
        }
    }

    /// 1 / (1 − p), by which the entries that stay are multiplied.
    #[must_use]
    pub fn scale(&self) -> f64 {
        65536.0 / (65536 - self.threshold) as f64
    }

    /// The factors, 0 or [`scale`](Self::scale), of the entries from index `start` on, on the calling thread.
    pub fn factors<F: Real>(&self, start: usize, factors: &mut [F]) {
        vectorized(
            #[inline(always)]
            || {
                self.for_groups(
                    start,
                    factors,
                    #[inline(always)]
                    |x, m| *x = m,
                )
            },
        );
    }

    /// Multiplies `x`, the entries from index `start` on, by their factors, on the calling thread.
    pub fn multiply<F: Real>(&self, start: usize, x: &mut [F]) {
        vectorized(
            #[inline(always)]
            || self.multiply_inline(start, x),
        );
    }

    /// `y` ← m ∘ x.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn apply<F: Real>(&self, x: &[F], y: &mut [F]) {
        assert_eq!(x.len(), y.len(), "dropout");
        x.par_chunks(ENTRIES)
            .zip(y.par_chunks_mut(ENTRIES))
            .enumerate()
            .for_each(|(i, (x, y))| {
                for (j, (x, y)) in x.chunks(1024).zip(y.chunks_mut(1024)).enumerate() {
                    y.copy_from_slice(x);
                    self.multiply(i * ENTRIES + j * 1024, y);
                }
            });
    }

    /// `x` ← m ∘ x.
    pub fn apply_in_place<F: Real>(&self, x: &mut [F]) {
        x.par_chunks_mut(ENTRIES)
            .enumerate()
            .for_each(|(i, x)| self.multiply(i * ENTRIES, x));
    }

    /// [`multiply`](Self::multiply), to be called inside [`vectorized`].
    #[inline(always)]
    pub(crate) fn multiply_inline<F: Real>(&self, start: usize, x: &mut [F]) {
        if self.threshold > 0 {
            self.for_groups(
                start,
                x,
                #[inline(always)]
                |x, m| *x *= m,
            );
        }
    }

    /// Hands each entry of `x`, from index `start` on, to `f`, with its factor.
    #[inline(always)]
    fn for_groups<F: Real>(&self, start: usize, x: &mut [F], f: impl Fn(&mut F, F)) {
        let dropout = *self;
        let scale = F::of(self.scale());
        let mut index = start;
        let mut x = x;
        while !x.is_empty() {
            let factors = dropout.group((index / GROUP) as u64, scale);
            let skip = index % GROUP;
            let len = (GROUP - skip).min(x.len());
            let (head, rest) = x.split_at_mut(len);
            if let Some(whole) = head.as_mut_array::<GROUP>() {
                for (x, m) in whole.iter_mut().zip(factors) {
                    f(x, m);
                }
            } else {
                for (x, m) in head.iter_mut().zip(&factors[skip..]) {
                    f(x, *m);
                }
            }
            x = rest;
            index += len;
        }
    }

    /// The factors of a group. Entry i has half i / 8 of the words of block i mod 8.
    #[inline(always)]
    fn group<F: Real>(&self, group: u64, scale: F) -> [F; GROUP] {
        let mut counter = [[0; BLOCKS]; 4];
        // Lane by lane: from arrays of equal words the compiler makes code of half the speed.
        #[allow(clippy::needless_range_loop)]
        for j in 0..BLOCKS {
            let block = group * BLOCKS as u64 + j as u64;
            counter[0][j] = block & 0xFFFF_FFFF;
            counter[1][j] = block >> 32;
            counter[2][j] = self.application[0];
            counter[3][j] = self.application[1];
        }
        let words = philox4x32_10(counter, self.key);
        let mut factors = [F::ZERO; GROUP];
        for (half, factors) in factors.as_chunks_mut::<BLOCKS>().0.iter_mut().enumerate() {
            for (word, factor) in words[half / 2].iter().zip(factors) {
                let bits = (word >> (16 * (half % 2))) & 0xFFFF;
                *factor = if bits < self.threshold {
                    F::ZERO
                } else {
                    scale
                };
            }
        }
        factors
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{same_on_threads, values};

    fn mask(dropout: &Dropout, n: usize) -> Vec<f64> {
        let mut factors = vec![7.0; n];
        dropout.factors(0, &mut factors);
        factors
    }

    /// The documented assignment of bits to entries, one at a time.
    #[test]
    fn the_bits_of_an_entry() {
        let dropout = Dropout::new(0.3, 0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210);
        let start = 64 * ((1 << 32) - 1);
        let mut factors = [7.0; 1024];
        dropout.factors(start, &mut factors);
        for (i, factor) in factors.iter().enumerate() {
            let (group, place) = ((start + i) / 64, i % 64);
            let block = 8 * group + place % 8;
            let counter = [block, block >> 32, 0x7654_3210, 0xFEDC_BA98];
            let words = philox4x32_10(
                counter.map(|c| [c as u64 & 0xFFFF_FFFF]),
                [0x89AB_CDEF, 0x0123_4567],
            );
            let half = place / 8;
            let bits = words[half / 2][0] >> (16 * (half % 2)) & 0xFFFF;
            let dropped = bits < (0.3_f64 * 65536.0).round() as u64;
            assert_eq!(*factor, if dropped { 0.0 } else { dropout.scale() }, "{i}");
        }
    }

    #[test]
    fn a_part_of_the_mask_is_the_mask_of_the_part() {
        let dropout = Dropout::new(0.4, 5, 6);
        let whole = mask(&dropout, 700);
        for start in 0..200 {
            for len in [0, 1, 7, 63, 64, 65, 130, 300] {
                let mut part = vec![7.0; len];
                dropout.factors(start, &mut part);
                assert_eq!(part, whole[start..start + len], "{start} + {len}");
                let mut ones = vec![1.0; len];
                dropout.multiply(start, &mut ones);
                assert_eq!(ones, part);
            }
        }
    }

    #[test]
    fn whole_slices() {
        for n in [0, 1, 65, 3 * ENTRIES + 77] {
            let x = values::<f32>(n, 1);
            let dropout = Dropout::new(0.2, 3, 4);
            let y = same_on_threads(|| {
                let mut y = vec![7.0; n];
                dropout.apply(&x, &mut y);
                let mut in_place = x.clone();
                dropout.apply_in_place(&mut in_place);
                assert_eq!(y, in_place);
                y
            });
            // The mask does not depend on the type.
            for ((x, y), m) in x.iter().zip(y).zip(mask(&dropout, n)) {
                assert_eq!(y, x * m as f32);
            }
        }
    }

    #[test]
    fn zero_is_the_identity() {
        let x = values::<f32>(100, 1);
        let mut y = x.clone();
        Dropout::new(0.0, 1, 1).apply_in_place(&mut y);
        assert_eq!(x, y);
        // So many entries that each value of the sixteen bits occurs.
        let factors = mask(&Dropout::new(0.0, 1, 1), 1 << 20);
        assert!(factors.iter().all(|m| *m == 1.0));
    }

    #[test]
    fn the_mean_is_exact_after_rounding() {
        for p in [1e-9, 1e-5, 0.1, 0.5, 0.999_999_9] {
            let dropout = Dropout::new(p, 1, 1);
            let rounded = dropout.threshold as f64 / 65536.0;
            assert!((rounded - p).abs() <= 1.0 / 65536.0 && rounded < 1.0);
            assert_eq!((1.0 - rounded) * dropout.scale(), 1.0);
        }
    }

    #[test]
    #[should_panic(expected = "probability")]
    fn one_is_refused() {
        let _ = Dropout::new(1.0, 0, 0);
    }

    /// The share of dropped entries, and of pairs dropped together, within 4.5 deviations of independence: pairs
    /// at any small distance, in two applications, and under two keys.
    #[test]
    fn shares_and_independence() {
        const N: usize = 1 << 20;
        for p in [0.1, 0.5, 0.9] {
            let dropout = Dropout::new(p, 11, 4);
            let p = dropout.threshold as f64 / 65536.0;
            let near = |count: usize, n: usize, share: f64, what: &str| {
                let deviations =
                    (count as f64 - n as f64 * share) / (n as f64 * share * (1.0 - share)).sqrt();
                assert!(deviations.abs() < 4.5, "p {p}, {what}: {deviations}");
            };
            let dropped = |dropout: &Dropout| -> Vec<bool> {
                mask(dropout, N).iter().map(|m| *m == 0.0).collect()
            };
            let both = |a: &[bool], b: &[bool]| a.iter().zip(b).filter(|(a, b)| **a && **b).count();
            let a = dropped(&dropout);
            near(both(&a, &a), N, p, "share");
            for distance in (1..=130).chain([256, 512, 1024, 4096, 65536]) {
                let count = both(&a[distance..], &a);
                near(count, N - distance, p * p, &format!("distance {distance}"));
            }
            for (key, application) in [
                (11, 5),
                (11, 0),
                (12, 4),
                (10, 4),
                (4, 11),
                (11 + (1 << 32), 4),
                (11, 4 + (1 << 32)),
            ] {
                let dropout = Dropout::new(p, key, application);
                let b = dropped(&dropout);
                near(
                    both(&a, &b),
                    N,
                    p * p,
                    &format!("key {key}, application {application}"),
                );
            }
        }
    }
}
