//! Dropout: y = m ∘ x, where each mᵢ is 0 with probability p and 1 / (1 − p) otherwise.
//!
//! The mask is a function of a key, the number of the application, and the index of the entry: nothing is
//! stored between forward and backward, which is the same multiplication. Sixteen bits of a [Philox](crate)
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
        let mut index = start;
        let mut x = x;
        while !x.is_empty() {
            let factors = self.group::<F>((index / GROUP) as u64);
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
    fn group<F: Real>(&self, group: u64) -> [F; GROUP] {
        let mut counter = [[0; BLOCKS]; 4];
        for j in 0..BLOCKS {
            let block = group * BLOCKS as u64 + j as u64;
            counter[0][j] = block & 0xFFFF_FFFF;
            counter[1][j] = block >> 32;
            counter[2][j] = self.application[0];
            counter[3][j] = self.application[1];
        }
        let words = philox4x32_10(counter, self.key);
        let scale = F::of(self.scale());
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
