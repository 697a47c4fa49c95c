//! Multi-head self-attention over packed queries, keys and values.
//!
//! For each sequence and head, with Q, K, V (T, D) and the dropout factors M (0 or 1/(1−p))
//!
//! ```text
//! S = Q Kᵀ / √D,  −10³⁰ where the key is padding        P = softmax of each row of S
//! O = (P ∘ M) V
//!
//! dV = (P ∘ M)ᵀ dO        dP = (dO Vᵀ) ∘ M        dS = P ∘ (dP − Σₖ dP ∘ P), 0 at padding
//! dQ = dS K / √D          dK = dSᵀ Q / √D
//! ```
//!
//! (Vaswani et al., *Attention Is All You Need*, 2017.) A row whose keys are all padding attends to all of them
//! alike, as a softmax of equal scores does. Backward needs P, (B, heads, T, T), and recomputes M. Scores of
//! other kinds, as the relative positions of Transformer-XL, would be added to S before the softmax, and dS is
//! their gradient.

use crate::matmul::Threads;
use crate::{Dropout, Matrix, MatrixMut, Real, lanes, matmul_into};
use rayon::prelude::*;

/// The score of a key that is padding.
pub const PADDING: f64 = -1e30;

/// The sizes of an attention layer.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Sequences, B.
    pub batch: usize,
    /// Positions in each, T.
    pub length: usize,
    /// Heads.
    pub heads: usize,
    /// Width of a head, D.
    pub width: usize,
}

impl Shape {
    /// Width of a position, heads · D.
    #[must_use]
    pub fn hidden(&self) -> usize {
        self.heads * self.width
    }

    /// Entries of P: B · heads · T².
    #[must_use]
    pub fn weights(&self) -> usize {
        self.batch * self.head_weights() * self.heads
    }

    fn head_weights(&self) -> usize {
        self.length * self.length
    }

    /// Where sequences are few, each product takes all threads.
    fn threads(&self) -> Threads {
        match self.batch {
            0 | 1 => Threads::All,
            _ => Threads::One,
        }
    }

    fn scale<F: Real>(&self) -> F {
        F::of(1.0 / (self.width as f64).sqrt())
    }

    /// Q, K or V (`which` 0, 1, 2) of a head in the packed rows (T, 3, heads, D) of a sequence.
    fn part<'a, F: Real>(&self, packed: &'a [F], which: usize, head: usize) -> Matrix<'a, F> {
        let begin = which * self.hidden() + head * self.width;
        Matrix::strided(&packed[begin..], self.length, self.width, 3 * self.hidden())
    }

    fn part_mut<'a, F: Real>(
        &self,
        packed: &'a mut [F],
        which: usize,
        head: usize,
    ) -> MatrixMut<'a, F> {
        let begin = which * self.hidden() + head * self.width;
        MatrixMut::strided(
            &mut packed[begin..],
            self.length,
            self.width,
            3 * self.hidden(),
        )
    }

    fn check(&self, lengths: [(&str, usize, usize); 4]) {
        for (name, len, expected) in lengths {
            assert_eq!(len, expected, "{name} of {self:?}");
        }
    }
}

/// O (B, T, heads · D) and P (B, heads, T, T) from `qkv` (B, T, 3, heads, D) and `real` (B, T), which is false
/// where a key is padding.
///
/// # Panics
/// If a slice does not fit the sizes.
pub fn forward<F: Real>(
    shape: &Shape,
    qkv: &[F],
    real: &[bool],
    dropout: Option<&Dropout>,
    weights: &mut [F],
    mixed: &mut [F],
) {
    let (t, hidden, head_weights) = (shape.length, shape.hidden(), shape.head_weights());
    shape.check([
        ("qkv", qkv.len(), 3 * shape.batch * t * hidden),
        ("real", real.len(), shape.batch * t),
        ("weights", weights.len(), shape.weights()),
        ("mixed", mixed.len(), shape.batch * t * hidden),
    ]);
    if mixed.is_empty() {
        return;
    }
    let sequences = (weights.par_chunks_mut(shape.heads * head_weights))
        .zip(mixed.par_chunks_mut(t * hidden))
        .zip(qkv.par_chunks(3 * t * hidden).zip(real.par_chunks(t)));
    sequences
        .enumerate()
        .for_each(|(b, ((weights, mixed), (qkv, real)))| {
            let mut dropped = vec![F::ZERO; dropout.map_or(0, |_| head_weights)];
            for head in 0..shape.heads {
                let p = &mut weights[head * head_weights..][..head_weights];
                let (q, k) = (shape.part(qkv, 0, head), shape.part(qkv, 1, head));
                let scores = MatrixMut::new(p, t, t);
                matmul_into(scores, false, shape.scale(), q, k.t(), shape.threads());
                softmax(p, real);
                let p = match dropout {
                    None => &*p,
                    Some(dropout) => {
                        dropped.copy_from_slice(p);
                        dropout.multiply((b * shape.heads + head) * head_weights, &mut dropped);
                        &dropped
                    }
                };
                let out =
                    MatrixMut::strided(&mut mixed[head * shape.width..], t, shape.width, hidden);
                let v = shape.part(qkv, 2, head);
                matmul_into(out, false, F::ONE, Matrix::new(p, t, t), v, shape.threads());
            }
        });
}

/// dqkv (B, T, 3, heads, D) from dO (B, T, heads · D), with P and the other arguments of [`forward`].
///
/// # Panics
/// If a slice does not fit the sizes.
pub fn backward<F: Real>(
    shape: &Shape,
    qkv: &[F],
    real: &[bool],
    dropout: Option<&Dropout>,
    weights: &[F],
    dmixed: &[F],
    dqkv: &mut [F],
) {
    let (t, hidden, head_weights) = (shape.length, shape.hidden(), shape.head_weights());
    shape.check([
        ("qkv", qkv.len(), 3 * shape.batch * t * hidden),
        ("dqkv", dqkv.len(), qkv.len()),
        ("weights", weights.len(), shape.weights()),
        ("dmixed", dmixed.len(), shape.batch * t * hidden),
    ]);
    if dqkv.is_empty() {
        return;
    }
    let sequences = (weights.par_chunks(shape.heads * head_weights))
        .zip(dmixed.par_chunks(t * hidden))
        .zip(qkv.par_chunks(3 * t * hidden).zip(real.par_chunks(t)))
        .zip(dqkv.par_chunks_mut(3 * t * hidden));
    sequences
        .enumerate()
        .for_each(|(b, (((weights, dmixed), (qkv, real)), dqkv))| {
            let mut dropped = vec![F::ZERO; head_weights];
            let mut dp = vec![F::ZERO; head_weights];
            for head in 0..shape.heads {
                let p = &weights[head * head_weights..][..head_weights];
                let start = (b * shape.heads + head) * head_weights;
                let dout = Matrix::strided(&dmixed[head * shape.width..], t, shape.width, hidden);
                let [q, k, v] = [0, 1, 2].map(|which| shape.part(qkv, which, head));
                let kept = match dropout {
                    None => p,
                    Some(dropout) => {
                        dropped.copy_from_slice(p);
                        dropout.multiply(start, &mut dropped);
                        &dropped
                    }
                };
                let dv = shape.part_mut(dqkv, 2, head);
                let kept = Matrix::new(kept, t, t).t();
                matmul_into(dv, false, F::ONE, kept, dout, shape.threads());
                let product = MatrixMut::new(&mut dp, t, t);
                matmul_into(product, false, F::ONE, dout, v.t(), shape.threads());
                if let Some(dropout) = dropout {
                    dropout.multiply(start, &mut dp);
                }
                softmax_backward(p, &mut dp, real);
                let ds = Matrix::new(&dp, t, t);
                let dq = shape.part_mut(dqkv, 0, head);
                matmul_into(dq, false, shape.scale(), ds, k, shape.threads());
                let dk = shape.part_mut(dqkv, 1, head);
                matmul_into(dk, false, shape.scale(), ds.t(), q, shape.threads());
            }
        });
}

/// Replaces each row of the scores by its softmax; a row has an entry for each key.
fn softmax<F: Real>(scores: &mut [F], real: &[bool]) {
    let padded = real.contains(&false);
    crate::vectorized(
        #[inline(always)]
        || {
            for row in scores.chunks_exact_mut(real.len()) {
                if padded {
                    for (s, real) in row.iter_mut().zip(real) {
                        *s = if *real { *s } else { F::of(PADDING) };
                    }
                }
                let max = lanes::max(row);
                let sum = lanes::sum_mut(
                    row,
                    #[inline(always)]
                    |s| {
                        *s = (*s - max).exp();
                        s.f64()
                    },
                );
                let scale = F::of(1.0 / sum);
                for s in row.iter_mut() {
                    *s *= scale;
                }
            }
        },
    );
}

/// Replaces dP by dS = P ∘ (dP − Σ dP ∘ P), row by row; 0 at padding.
fn softmax_backward<F: Real>(p: &[F], dp: &mut [F], real: &[bool]) {
    let padded = real.contains(&false);
    crate::vectorized(
        #[inline(always)]
        || {
            for (p, dp) in p
                .chunks_exact(real.len())
                .zip(dp.chunks_exact_mut(real.len()))
            {
                let mean = F::of(lanes::sum_of_two(
                    p,
                    dp,
                    #[inline(always)]
                    |p, dp| (p * dp).f64(),
                ));
                for (p, dp) in p.iter().zip(dp.iter_mut()) {
                    *dp = *p * (*dp - mean);
                }
                if padded {
                    for (dp, real) in dp.iter_mut().zip(real) {
                        *dp = if *real { *dp } else { F::ZERO };
                    }
                }
            }
        },
    );
}
