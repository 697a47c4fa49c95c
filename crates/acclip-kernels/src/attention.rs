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
//! alike, as a softmax of equal scores does. Backward needs P, (B, heads, T, T), and recomputes M. Over a
//! memory, with the relative positions of Transformer-XL, attention is [`crate::relative_attention`]'s.

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

    fn check<const N: usize>(&self, lengths: [(&str, usize, usize); N]) {
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
        ("real", real.len(), shape.batch * t),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, same_on_threads, values};

    /// The inputs of a test; (B, T), and so on, as in [`forward`] and [`backward`].
    struct Case {
        shape: Shape,
        qkv: Vec<f64>,
        real: Vec<bool>,
        dropout: Option<Dropout>,
        dmixed: Vec<f64>,
    }

    fn shape(batch: usize, length: usize, heads: usize, width: usize) -> Shape {
        Shape {
            batch,
            length,
            heads,
            width,
        }
    }

    impl Case {
        /// Keys of which about every third is padding, where `padded`: all of the first sequence's, and none of the
        /// second's.
        fn new(shape: Shape, padded: bool, dropout: Option<Dropout>) -> Self {
            let (n, t) = (shape.batch * shape.length, shape.length);
            let real = |i: usize| !padded || i / t == 1 || (i / t > 1 && i % 3 != 1);
            // Numbers that `f32` holds exactly.
            let exact = |n, seed| values::<f32>(n, seed).into_iter().map(f64::from).collect();
            Self {
                qkv: exact(3 * n * shape.hidden(), 1),
                dmixed: exact(n * shape.hidden(), 2),
                real: (0..n).map(real).collect(),
                shape,
                dropout,
            }
        }

        /// O, P and dqkv, one after the other.
        fn run<F: Real>(&self) -> Vec<F> {
            let narrow = |x: &[f64]| x.iter().map(|x| F::of(*x)).collect::<Vec<F>>();
            let (shape, real, dropout) = (&self.shape, &self.real, self.dropout.as_ref());
            let (qkv, dmixed) = (narrow(&self.qkv), narrow(&self.dmixed));
            let seven = F::of(7.0);
            let mut weights = vec![seven; shape.weights()];
            let (mut mixed, mut dqkv) = (vec![seven; dmixed.len()], vec![seven; qkv.len()]);
            forward(shape, &qkv, real, dropout, &mut weights, &mut mixed);
            backward(shape, &qkv, real, dropout, &weights, &dmixed, &mut dqkv);
            [mixed, weights, dqkv].concat()
        }

        /// The same, entry by entry.
        fn naive(&self) -> Vec<f64> {
            let Shape {
                batch,
                length: t,
                heads,
                width,
            } = self.shape;
            let hidden = heads * width;
            let mut mask = vec![1.0; self.shape.weights()];
            if let Some(dropout) = &self.dropout {
                dropout.factors(0, &mut mask);
            }
            let mut mixed = vec![0.0; self.dmixed.len()];
            let mut weights = vec![0.0; mask.len()];
            let mut dqkv = vec![0.0; self.qkv.len()];
            let root = (width as f64).sqrt();
            for (b, head) in (0..batch).flat_map(|b| (0..heads).map(move |head| (b, head))) {
                // The places of entry d at position i: in O, in `qkv` (0, 1, 2), and of weight (i, j) in P.
                let o = |i: usize, d: usize| (b * t + i) * hidden + head * width + d;
                let at = |which: usize, i: usize, d: usize| {
                    ((b * t + i) * 3 + which) * hidden + head * width + d
                };
                let w = |i: usize, j: usize| ((b * heads + head) * t + i) * t + j;
                for i in 0..t {
                    let score = |j: usize| match self.real[b * t + j] {
                        true => {
                            let terms = (0..width)
                                .map(|d| self.qkv[at(0, i, d)] * self.qkv[at(1, j, d)] / root);
                            terms.sum()
                        }
                        false => PADDING,
                    };
                    let scores: Vec<f64> = (0..t).map(score).collect();
                    let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let sum: f64 = scores.iter().map(|s| (s - max).exp()).sum();
                    for j in 0..t {
                        weights[w(i, j)] = (scores[j] - max).exp() / sum;
                    }
                    let dp = |j: usize| -> f64 {
                        let terms =
                            (0..width).map(|d| self.dmixed[o(i, d)] * self.qkv[at(2, j, d)]);
                        terms.sum::<f64>() * mask[w(i, j)]
                    };
                    let mean: f64 = (0..t).map(|j| weights[w(i, j)] * dp(j)).sum();
                    for (j, d) in (0..t).flat_map(|j| (0..width).map(move |d| (j, d))) {
                        let kept = weights[w(i, j)] * mask[w(i, j)];
                        mixed[o(i, d)] += kept * self.qkv[at(2, j, d)];
                        dqkv[at(2, j, d)] += kept * self.dmixed[o(i, d)];
                        if self.real[b * t + j] {
                            let ds = weights[w(i, j)] * (dp(j) - mean) / root;
                            dqkv[at(0, i, d)] += ds * self.qkv[at(1, j, d)];
                            dqkv[at(1, j, d)] += ds * self.qkv[at(0, i, d)];
                        }
                    }
                }
            }
            [mixed, weights, dqkv].concat()
        }
    }

    /// Within 1e-12 of 1 + |entry| in `f64`, and within 4e-6 in `f32`.
    #[test]
    fn against_loops() {
        for shape in [
            shape(0, 5, 2, 3),
            shape(1, 1, 1, 1),
            shape(3, 1, 2, 5),
            shape(1, 23, 3, 7),
            shape(4, 13, 1, 5),
            shape(3, 35, 2, 17),
        ] {
            for padded in [false, true] {
                for dropout in [None, Some(Dropout::new(0.3, 5, 6))] {
                    let case = Case::new(shape, padded, dropout);
                    let exact = case.naive();
                    assert_close(&case.run::<f64>(), &exact, 1e-12);
                    assert_close(&case.run::<f32>(), &exact, 4e-6);
                }
            }
        }
    }

    /// The gradient is the derivative of Σ dO ∘ O.
    #[test]
    fn differences() {
        let case = Case::new(shape(2, 5, 2, 3), true, Some(Dropout::new(0.3, 5, 6)));
        let n = case.dmixed.len();
        let dqkv = &case.run::<f64>()[n + case.shape.weights()..];
        for (i, gradient) in dqkv.iter().enumerate() {
            let at = |h: f64| -> f64 {
                let mut qkv = case.qkv.clone();
                qkv[i] += h;
                let (mut weights, mut mixed) = (vec![0.0; case.shape.weights()], vec![0.0; n]);
                let dropout = case.dropout.as_ref();
                let (shape, real) = (&case.shape, &case.real);
                forward(shape, &qkv, real, dropout, &mut weights, &mut mixed);
                mixed.iter().zip(&case.dmixed).map(|(o, d)| o * d).sum()
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((gradient - difference).abs() < 1e-8, "{i}");
        }
    }

    /// Scores beyond ±10⁴, exact in `f32`.
    #[test]
    fn extreme_scores() {
        let mut case = Case::new(shape(3, 11, 1, 4), false, None);
        for (i, x) in case.qkv.iter_mut().enumerate() {
            if i % 12 < 8 {
                *x = x.signum() * 97.0;
            }
        }
        let score = |i: usize, j: usize| -> f64 {
            let (q, k) = (&case.qkv[12 * i..][..4], &case.qkv[12 * j + 4..][..4]);
            q.iter().zip(k).map(|(q, k)| q * k / 2.0).sum()
        };
        let scores: Vec<f64> = (0..121).map(|i| score(i / 11, i % 11)).collect();
        assert!(scores.iter().any(|s| *s > 1e4) && scores.iter().any(|s| *s < -1e4));
        for padded in [false, true] {
            if padded {
                case.real = (0..33).map(|i| i >= 11 && i % 3 != 1).collect();
            }
            let exact = case.naive();
            assert!(exact.iter().all(|x| x.is_finite()));
            assert_close(&case.run::<f64>(), &exact, 1e-12);
            assert_close(&case.run::<f32>(), &exact, 1e-5);
        }
    }

    /// A padded key has no weight and no gradient, and where all are padding, all are alike.
    #[test]
    fn padding() {
        let case = Case::new(shape(3, 6, 1, 2), true, None);
        let out = case.run::<f32>();
        let (weights, dqkv) = out[3 * 6 * 2..].split_at(case.shape.weights());
        for (i, p) in weights.iter().enumerate() {
            let (b, key) = (i / 36, i % 6);
            match (b, case.real[b * 6 + key]) {
                (0, _) => assert_eq!(*p, 1.0 / 6.0),
                (_, real) => assert_eq!(*p > 0.0, real),
            }
        }
        for (i, d) in dqkv.iter().enumerate() {
            let (row, which) = (i / 6, i % 6 / 2);
            let none = match which {
                0 => row < 6,
                1 => !case.real[row],
                _ => row >= 6 && !case.real[row],
            };
            assert_eq!(*d == 0.0, none, "row {row}, {which}");
        }
    }

    /// Of many sequences, and of one, whose products take all threads.
    #[test]
    fn same_bits() {
        for shape in [shape(5, 70, 3, 19), shape(1, 301, 2, 37)] {
            let case = Case::new(shape, shape.batch > 1, Some(Dropout::new(0.1, 5, 6)));
            same_on_threads(|| case.run::<f64>());
            same_on_threads(|| case.run::<f32>());
        }
    }

    #[test]
    #[should_panic(expected = "real of")]
    fn flags_that_do_not_fit() {
        let case = Case::new(shape(2, 3, 1, 1), false, None);
        let weights = vec![0.5; case.shape.weights()];
        let (real, mut dqkv) = (&case.real[..3], case.qkv.clone());
        backward(
            &case.shape,
            &case.qkv,
            real,
            None,
            &weights,
            &case.dmixed,
            &mut dqkv,
        );
    }
}
