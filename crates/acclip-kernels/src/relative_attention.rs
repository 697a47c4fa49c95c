//! Causal self-attention over a memory, with relative positions.
//!
//! T queries attend to K = M + T keys: those of the memory, which came before, and their own. For each sequence and
//! head, with Q (T, D), the keys and values X, V (K, D), R (K, D), whose row j stands for the distance K − 1 − j between
//! a query and a key, the biases u and v (D), and the dropout factors m (0 or 1/(1−p))
//!
//! ```text
//! A = (Q + u) Xᵀ        C = (Q + v) Rᵀ
//! S at (i, j) = (A at (i, j) + C at (i, T − 1 − i + j)) / √D        for j ≤ M + i: no key after the query
//! P = softmax of each row of S over those j, 0 elsewhere            O = (P ∘ m) V
//!
//! dV = (P ∘ m)ᵀ dO        dP = (dO Vᵀ) ∘ m        dS = P ∘ (dP − Σⱼ dP ∘ P)
//! dC at (i, T − 1 − i + j) = dS at (i, j), 0 elsewhere
//! dQ = (dS X + dC R) / √D        du = Σᵢ (dS X)ᵢ / √D        dv = Σᵢ (dC R)ᵢ / √D
//! dX = dSᵀ (Q + u) / √D          dR = dCᵀ (Q + v) / √D, over all sequences
//! ```
//!
//! (Dai et al., *Transformer-XL: Attentive Language Models Beyond a Fixed-Length Context*, ACL 2019, §3.3 and
//! Appendix B, where the step from C to S is the "relative shift".) Queries, keys and values come packed, so that the
//! rows of the memory have queries, too, which nobody reads and whose gradient is 0. Backward needs P, and recomputes
//! m. Gradients over all sequences are summed in `f64`, in the order of the sequences.

use crate::chunks::add_column_sums;
use crate::matmul::Threads;
use crate::{Dropout, Matrix, MatrixMut, Real, lanes, matmul_into};
use rayon::prelude::*;

/// The sizes of an attention layer.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Sequences, B.
    pub batch: usize,
    /// Positions in each that ask, T.
    pub length: usize,
    /// Positions in each before them, M.
    pub memory: usize,
    /// Heads.
    pub heads: usize,
    /// Width of a head, D.
    pub width: usize,
}

/// What the layer computes with.
#[derive(Debug, Clone, Copy)]
pub struct Operands<'a, F> {
    /// Q, X and V, (B, K, 3, heads, D).
    pub qkv: &'a [F],
    /// R, (K, heads, D): from the largest distance to 0.
    pub positions: &'a [F],
    /// u, (heads, D).
    pub content_bias: &'a [F],
    /// v, (heads, D).
    pub position_bias: &'a [F],
}

/// Where the gradients go, each of the shape of its operand.
#[derive(Debug)]
pub struct Gradients<'a, F> {
    /// dQ, dX and dV.
    pub qkv: &'a mut [F],
    /// dR.
    pub positions: &'a mut [F],
    /// du.
    pub content_bias: &'a mut [F],
    /// dv.
    pub position_bias: &'a mut [F],
}

impl Shape {
    /// Positions that are attended to, K = M + T.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.memory + self.length
    }

    /// Width of a position, heads · D.
    #[must_use]
    pub fn hidden(&self) -> usize {
        self.heads * self.width
    }

    /// Entries of P: B · heads · T · K.
    #[must_use]
    pub fn weights(&self) -> usize {
        self.batch * self.heads * self.head_weights()
    }

    fn head_weights(&self) -> usize {
        self.length * self.keys()
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

    /// Where Q, X or V (`which` 0, 1, 2) of a head begins in a packed row.
    fn begin(&self, which: usize, head: usize) -> usize {
        which * self.hidden() + head * self.width
    }

    /// X or V of a head in the packed rows of a sequence.
    fn part<'a, F: Real>(&self, packed: &'a [F], which: usize, head: usize) -> Matrix<'a, F> {
        let begin = self.begin(which, head);
        let stride = 3 * self.hidden();
        Matrix::strided(&packed[begin..], self.keys(), self.width, stride)
    }

    fn part_mut<'a, F: Real>(
        &self,
        packed: &'a mut [F],
        which: usize,
        head: usize,
    ) -> MatrixMut<'a, F> {
        let begin = self.begin(which, head);
        let stride = 3 * self.hidden();
        MatrixMut::strided(&mut packed[begin..], self.keys(), self.width, stride)
    }

    /// `out` (T, D) ← Q + `bias` of a head, from the packed rows of a sequence.
    fn query<F: Real>(&self, packed: &[F], head: usize, bias: &[F], out: &mut [F]) {
        let bias = &bias[head * self.width..][..self.width];
        let rows = packed.chunks_exact(3 * self.hidden()).skip(self.memory);
        for (out, row) in out.chunks_exact_mut(self.width).zip(rows) {
            let q = &row[head * self.width..][..self.width];
            for ((out, q), bias) in out.iter_mut().zip(q).zip(bias) {
                *out = *q + *bias;
            }
        }
    }

    fn check_operands<F>(&self, x: &Operands<F>) {
        let hidden = self.hidden();
        self.check([
            ("qkv", x.qkv.len(), 3 * self.batch * self.keys() * hidden),
            ("positions", x.positions.len(), self.keys() * hidden),
            ("content_bias", x.content_bias.len(), hidden),
            ("position_bias", x.position_bias.len(), hidden),
        ]);
    }

    fn check<const N: usize>(&self, lengths: [(&str, usize, usize); N]) {
        for (name, len, expected) in lengths {
            assert_eq!(len, expected, "{name} of {self:?}");
        }
    }
}

/// O (B, T, heads · D) and P (B, heads, T, K).
///
/// # Panics
/// If a slice does not fit the sizes.
pub fn forward<F: Real>(
    shape: &Shape,
    x: &Operands<F>,
    dropout: Option<&Dropout>,
    weights: &mut [F],
    mixed: &mut [F],
) {
    let (t, k, d, hidden) = (shape.length, shape.keys(), shape.width, shape.hidden());
    let head_weights = shape.head_weights();
    shape.check_operands(x);
    shape.check([
        ("weights", weights.len(), shape.weights()),
        ("mixed", mixed.len(), shape.batch * t * hidden),
    ]);
    if mixed.is_empty() {
        return;
    }
    let sequences = (weights.par_chunks_mut(shape.heads * head_weights))
        .zip(mixed.par_chunks_mut(t * hidden))
        .zip(x.qkv.par_chunks(3 * k * hidden));
    sequences
        .enumerate()
        .for_each(|(b, ((weights, mixed), qkv))| {
            let mut query = vec![F::ZERO; t * d];
            // C, and later P ∘ m.
            let mut scratch = vec![F::ZERO; head_weights];
            for head in 0..shape.heads {
                let p = &mut weights[head * head_weights..][..head_weights];
                shape.query(qkv, head, x.position_bias, &mut query);
                let r = Matrix::strided(&x.positions[head * d..], k, d, hidden);
                let (c, q) = (
                    MatrixMut::new(&mut scratch, t, k),
                    Matrix::new(&query, t, d),
                );
                matmul_into(c, false, shape.scale(), q, r.t(), shape.threads());
                shape.query(qkv, head, x.content_bias, &mut query);
                let (a, q) = (MatrixMut::new(p, t, k), Matrix::new(&query, t, d));
                let keys = shape.part(qkv, 1, head).t();
                matmul_into(a, false, shape.scale(), q, keys, shape.threads());
                softmax(shape, p, &scratch);
                let p = match dropout {
                    None => &*p,
                    Some(dropout) => {
                        scratch.copy_from_slice(p);
                        dropout.multiply((b * shape.heads + head) * head_weights, &mut scratch);
                        &scratch
                    }
                };
                let out = MatrixMut::strided(&mut mixed[head * d..], t, d, hidden);
                let (p, v) = (Matrix::new(p, t, k), shape.part(qkv, 2, head));
                matmul_into(out, false, F::ONE, p, v, shape.threads());
            }
        });
}

/// The gradients from dO (B, T, heads · D), with P and the other arguments of [`forward`].
///
/// # Panics
/// If a slice does not fit the sizes.
pub fn backward<F: Real>(
    shape: &Shape,
    x: &Operands<F>,
    dropout: Option<&Dropout>,
    weights: &[F],
    dmixed: &[F],
    gradients: Gradients<F>,
) {
    let (t, k, hidden) = (shape.length, shape.keys(), shape.hidden());
    let head_weights = shape.head_weights();
    shape.check_operands(x);
    shape.check_operands(&Operands {
        qkv: &*gradients.qkv,
        positions: &*gradients.positions,
        content_bias: &*gradients.content_bias,
        position_bias: &*gradients.position_bias,
    });
    shape.check([
        ("weights", weights.len(), shape.weights()),
        ("dmixed", dmixed.len(), shape.batch * t * hidden),
    ]);
    // Of each sequence.
    let mut dpositions = vec![F::ZERO; shape.batch * k * hidden];
    let mut dbiases = vec![0.0; shape.batch * 2 * hidden];
    if !dmixed.is_empty() {
        let sequences = (weights.par_chunks(shape.heads * head_weights))
            .zip(dmixed.par_chunks(t * hidden))
            .zip(x.qkv.par_chunks(3 * k * hidden))
            .zip(gradients.qkv.par_chunks_mut(3 * k * hidden))
            .zip(dpositions.par_chunks_mut(k * hidden))
            .zip(dbiases.par_chunks_mut(2 * hidden));
        sequences.enumerate().for_each(
            |(b, (((((weights, dmixed), qkv), dqkv), dpositions), dbiases))| {
                let start = b * shape.heads * head_weights;
                let dbiases = dbiases.split_at_mut(hidden);
                let sequence = Sequence {
                    shape,
                    x,
                    dropout,
                    start,
                    weights,
                    dmixed,
                    qkv,
                };
                sequence.backward(dqkv, dpositions, dbiases);
            },
        );
    }
    gradients.positions.fill(F::ZERO);
    add_column_sums(gradients.positions, &dpositions);
    let (du, dv) = (gradients.content_bias, gradients.position_bias);
    for (i, bias) in du.iter_mut().chain(dv).enumerate() {
        let sum = dbiases.iter().skip(i).step_by(2 * hidden).sum();
        *bias = F::of(sum);
    }
}

/// One sequence on the way back.
struct Sequence<'a, F> {
    shape: &'a Shape,
    x: &'a Operands<'a, F>,
    dropout: Option<&'a Dropout>,
    /// The index of its first entry of P.
    start: usize,
    weights: &'a [F],
    dmixed: &'a [F],
    qkv: &'a [F],
}

impl<F: Real> Sequence<'_, F> {
    /// Sets dqkv (K, 3, heads, D) and dR (K, heads, D), and adds to du and dv (heads, D).
    fn backward(&self, dqkv: &mut [F], dpositions: &mut [F], (du, dv): (&mut [f64], &mut [f64])) {
        let Self { shape, x, qkv, .. } = *self;
        let (t, k, d, hidden) = (shape.length, shape.keys(), shape.width, shape.hidden());
        let (head_weights, threads) = (shape.head_weights(), shape.threads());
        for row in dqkv.chunks_exact_mut(3 * hidden).take(shape.memory) {
            row[..hidden].fill(F::ZERO);
        }
        let mut query = vec![F::ZERO; t * d];
        let mut parts = [vec![F::ZERO; t * d], vec![F::ZERO; t * d]];
        let mut ds = vec![F::ZERO; head_weights];
        // P ∘ m, and later dC.
        let mut scratch = vec![F::ZERO; head_weights];
        for head in 0..shape.heads {
            let p = &self.weights[head * head_weights..][..head_weights];
            let dout = Matrix::strided(&self.dmixed[head * d..], t, d, hidden);
            let r = Matrix::strided(&x.positions[head * d..], k, d, hidden);
            let [keys, values] = [1, 2].map(|which| shape.part(qkv, which, head));

            let dp = MatrixMut::new(&mut ds, t, k);
            matmul_into(dp, false, F::ONE, dout, values.t(), threads);
            let kept = match self.dropout {
                None => p,
                Some(dropout) => {
                    let start = self.start + head * head_weights;
                    scratch.copy_from_slice(p);
                    dropout.multiply(start, &mut scratch);
                    dropout.multiply(start, &mut ds);
                    &scratch
                }
            };
            let dvalues = shape.part_mut(dqkv, 2, head);
            matmul_into(
                dvalues,
                false,
                F::ONE,
                Matrix::new(kept, t, k).t(),
                dout,
                threads,
            );
            softmax_backward(shape, p, &mut ds, &mut scratch);

            let (ds, dc) = (Matrix::new(&ds, t, k), Matrix::new(&scratch, t, k));
            for (part, (d_scores, rows)) in parts.iter_mut().zip([(ds, keys), (dc, r)]) {
                let part = MatrixMut::new(part, t, d);
                matmul_into(part, false, shape.scale(), d_scores, rows, threads);
            }
            let dq = dqkv.chunks_exact_mut(3 * hidden).skip(shape.memory);
            let [of_keys, of_positions] = parts.each_ref().map(|part| part.chunks_exact(d));
            for (dq, (a, c)) in dq.zip(of_keys.zip(of_positions)) {
                let dq = dq[head * d..][..d].iter_mut();
                let (du, dv) = (&mut du[head * d..][..d], &mut dv[head * d..][..d]);
                for ((dq, (a, c)), (du, dv)) in dq.zip(a.iter().zip(c)).zip(du.iter_mut().zip(dv)) {
                    *dq = *a + *c;
                    *du += a.f64();
                    *dv += c.f64();
                }
            }
            shape.query(qkv, head, x.content_bias, &mut query);
            let dkeys = shape.part_mut(dqkv, 1, head);
            let q = Matrix::new(&query, t, d);
            matmul_into(dkeys, false, shape.scale(), ds.t(), q, threads);
            shape.query(qkv, head, x.position_bias, &mut query);
            let dr = MatrixMut::strided(&mut dpositions[head * d..], k, d, hidden);
            let q = Matrix::new(&query, t, d);
            matmul_into(dr, false, shape.scale(), dc.t(), q, threads);
        }
    }
}

/// P in the place of A, from A and C.
fn softmax<F: Real>(shape: &Shape, a: &mut [F], c: &[F]) {
    let (t, k) = (shape.length, shape.keys());
    crate::vectorized(
        #[inline(always)]
        || {
            for (i, (row, c)) in a.chunks_exact_mut(k).zip(c.chunks_exact(k)).enumerate() {
                let (row, future) = row.split_at_mut(shape.memory + i + 1);
                future.fill(F::ZERO);
                for (s, c) in row.iter_mut().zip(&c[t - 1 - i..]) {
                    *s += *c;
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

/// dS in the place of dP, and dC.
fn softmax_backward<F: Real>(shape: &Shape, p: &[F], dp: &mut [F], dc: &mut [F]) {
    let (t, k) = (shape.length, shape.keys());
    crate::vectorized(
        #[inline(always)]
        || {
            let rows = p.chunks_exact(k).zip(dp.chunks_exact_mut(k));
            for (i, ((p, dp), dc)) in rows.zip(dc.chunks_exact_mut(k)).enumerate() {
                let (dp, future) = dp.split_at_mut(shape.memory + i + 1);
                future.fill(F::ZERO);
                let p = &p[..dp.len()];
                let mean = F::of(lanes::sum_of_two(
                    p,
                    dp,
                    #[inline(always)]
                    |p, dp| (p * dp).f64(),
                ));
                let (far, dc) = dc.split_at_mut(t - 1 - i);
                far.fill(F::ZERO);
                for ((p, dp), dc) in p.iter().zip(dp).zip(dc) {
                    *dp = *p * (*dp - mean);
                    *dc = *dp;
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, same_on_threads, values};

    /// The inputs of a test: qkv, R, u, v and dO, exact in `f32`.
    struct Case {
        shape: Shape,
        inputs: [Vec<f64>; 4],
        dropout: Option<Dropout>,
        dmixed: Vec<f64>,
    }

    /// B, T, M, heads, D: no memory, a memory shorter and longer than the segment, one query, one key, no sequence, no
    /// multiples of the lanes.
    const SHAPES: [[usize; 5]; 8] = [
        [1, 1, 0, 1, 1],
        [2, 1, 5, 2, 3],
        [3, 5, 0, 2, 4],
        [2, 5, 3, 3, 2],
        [1, 4, 9, 2, 5],
        [2, 19, 17, 1, 7],
        [1, 33, 40, 2, 16],
        [0, 3, 2, 2, 2],
    ];

    fn shape([batch, length, memory, heads, width]: [usize; 5]) -> Shape {
        Shape {
            batch,
            length,
            memory,
            heads,
            width,
        }
    }

    impl Case {
        fn new(shape: Shape, dropout: Option<Dropout>) -> Self {
            let exact = |n, seed| values::<f32>(n, seed).into_iter().map(f64::from).collect();
            let (hidden, k) = (shape.hidden(), shape.keys());
            Self {
                inputs: [
                    exact(3 * shape.batch * k * hidden, 1),
                    exact(k * hidden, 2),
                    exact(hidden, 3),
                    exact(hidden, 4),
                ],
                dmixed: exact(shape.batch * shape.length * hidden, 5),
                shape,
                dropout,
            }
        }

        /// O, P, and the gradients, one after the other.
        fn run<F: Real>(&self) -> Vec<F> {
            let narrow = |x: &Vec<f64>| x.iter().map(|x| F::of(*x)).collect::<Vec<F>>();
            let (shape, dropout) = (&self.shape, self.dropout.as_ref());
            let inputs = self.inputs.each_ref().map(narrow);
            let x = Operands {
                qkv: &inputs[0],
                positions: &inputs[1],
                content_bias: &inputs[2],
                position_bias: &inputs[3],
            };
            let seven = F::of(7.0);
            let mut weights = vec![seven; shape.weights()];
            let mut mixed = vec![seven; self.dmixed.len()];
            forward(shape, &x, dropout, &mut weights, &mut mixed);
            let [mut qkv, mut positions, mut content_bias, mut position_bias] =
                inputs.each_ref().map(|x| vec![seven; x.len()]);
            let gradients = Gradients {
                qkv: &mut qkv,
                positions: &mut positions,
                content_bias: &mut content_bias,
                position_bias: &mut position_bias,
            };
            let dmixed = narrow(&self.dmixed);
            backward(shape, &x, dropout, &weights, &dmixed, gradients);
            [mixed, weights, qkv, positions, content_bias, position_bias].concat()
        }

        /// O and P from the definition: a score is that of the key, plus that of its distance from the query.
        fn naive(&self, inputs: &[Vec<f64>; 4]) -> (Vec<f64>, Vec<f64>) {
            let Shape {
                batch,
                length: t,
                memory,
                heads,
                width,
            } = self.shape;
            let [qkv, positions, u, v] = inputs;
            let (k, hidden) = (memory + t, heads * width);
            let mut mask = vec![1.0; self.shape.weights()];
            if let Some(dropout) = &self.dropout {
                dropout.factors(0, &mut mask);
            }
            let mut mixed = vec![0.0; batch * t * hidden];
            let mut weights = vec![0.0; mask.len()];
            for (b, h) in (0..batch).flat_map(|b| (0..heads).map(move |h| (b, h))) {
                let at = |which: usize, i: usize, d: usize| {
                    qkv[((b * k + i) * 3 + which) * hidden + h * width + d]
                };
                for i in 0..t {
                    let here = memory + i;
                    let score = |j: usize| {
                        let distance = here - j;
                        let term = |d: usize| {
                            let r = positions[(k - 1 - distance) * hidden + h * width + d];
                            let (u, v) = (u[h * width + d], v[h * width + d]);
                            let q = at(0, here, d);
                            (q + u) * at(1, j, d) + (q + v) * r
                        };
                        (0..width).map(term).sum::<f64>() / (width as f64).sqrt()
                    };
                    let scores: Vec<f64> = (0..=here).map(score).collect();
                    let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let sum: f64 = scores.iter().map(|s| (s - max).exp()).sum();
                    for (j, s) in scores.iter().enumerate() {
                        let w = ((b * heads + h) * t + i) * k + j;
                        weights[w] = (s - max).exp() / sum;
                        for d in 0..width {
                            let o = (b * t + i) * hidden + h * width + d;
                            mixed[o] += weights[w] * mask[w] * at(2, j, d);
                        }
                    }
                }
            }
            (mixed, weights)
        }

        /// ⟨O, dO⟩, by the definition.
        fn product(&self, inputs: &[Vec<f64>; 4]) -> f64 {
            let (mixed, _) = self.naive(inputs);
            mixed.iter().zip(&self.dmixed).map(|(o, d)| o * d).sum()
        }
    }

    fn cases() -> impl Iterator<Item = Case> {
        SHAPES.into_iter().flat_map(|sizes| {
            [None, Some(Dropout::new(0.3, 5, 1))].map(|dropout| Case::new(shape(sizes), dropout))
        })
    }

    /// Within 1e-12 of 1 + |entry| in `f64`; in `f32` within 2e-5, all against `f64`.
    #[test]
    fn forward_against_the_definition() {
        for case in cases() {
            let (mixed, weights) = case.naive(&case.inputs);
            let exact = [mixed, weights].concat();
            let wide = case.run::<f64>();
            assert_close(&wide[..exact.len()], &exact, 1e-12);
            assert_close(&case.run::<f32>(), &wide, 2e-5);
        }
    }

    /// Every entry of every gradient against a five-point central difference of the definition: within 1e-9 of
    /// 1 + |entry|.
    #[test]
    fn backward_against_differences() {
        for case in cases().filter(|case| case.shape.length < 10) {
            let gradients = case
                .run::<f64>()
                .split_off(case.dmixed.len() + case.shape.weights());
            let mut differences = Vec::new();
            let mut inputs = case.inputs.clone();
            for which in 0..inputs.len() {
                for i in 0..inputs[which].len() {
                    let x = inputs[which][i];
                    let step = 1e-3;
                    let mut at = |shift: f64| {
                        inputs[which][i] = x + shift * step;
                        case.product(&inputs)
                    };
                    let near = at(1.0) - at(-1.0);
                    let far = at(2.0) - at(-2.0);
                    differences.push((8.0 * near - far) / (12.0 * step));
                    inputs[which][i] = x;
                }
            }
            assert_close(&gradients, &differences, 1e-9);
        }
    }

    /// A query sees no key after it: the rows of O before the last have the same bits whatever the last position holds.
    #[test]
    fn no_key_after_the_query() {
        let case = Case::new(shape([1, 4, 3, 2, 5]), None);
        let before = case.run::<f64>();
        let mut other = Case::new(case.shape, None);
        let row = other.inputs[0].len() - 3 * case.shape.hidden();
        other.inputs[0][row..]
            .iter_mut()
            .for_each(|x| *x = 1e3 * *x - 1.0);
        let after = other.run::<f64>();
        let (seen, all) = (3 * case.shape.hidden(), case.dmixed.len());
        assert_eq!(before[..seen], after[..seen]);
        assert!((seen..all).all(|i| before[i] != after[i]));
    }

    /// Scores of 10⁴ and more.
    #[test]
    fn extreme_scores() {
        let mut case = Case::new(shape([2, 5, 3, 2, 4]), None);
        case.inputs[0].iter_mut().for_each(|x| *x *= 100.0);
        let (mixed, weights) = case.naive(&case.inputs);
        let exact = [mixed, weights].concat();
        let found = case.run::<f64>();
        assert!(found.iter().all(|x| x.is_finite()));
        assert_close(&found[..exact.len()], &exact, 1e-9);
    }

    #[test]
    fn same_bits() {
        for sizes in [[5, 40, 30, 2, 24], [1, 130, 100, 2, 41]] {
            let case = Case::new(shape(sizes), Some(Dropout::new(0.1, 3, 2)));
            same_on_threads(|| case.run::<f64>());
            same_on_threads(|| case.run::<f32>());
        }
    }

    #[test]
    #[should_panic(expected = "positions of Shape")]
    fn positions_that_do_not_fit() {
        let shape = shape([1, 2, 1, 1, 1]);
        let x = Operands {
            qkv: &[0.0; 9],
            positions: &[0.0; 2],
            content_bias: &[0.0],
            position_bias: &[0.0],
        };
        forward(&shape, &x, None, &mut [0.0; 6], &mut [0.0; 2]);
    }
}
