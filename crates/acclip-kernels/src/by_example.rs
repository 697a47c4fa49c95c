//! Norms of the gradients of single examples, in the backward pass of their batch.
//!
//! A batch's gradient is a sum over examples, G = Σᵢ Gᵢ. For each example of a layer this module gives ‖Gᵢ‖² and, for
//! a vector V of the parameters' size, ⟨Gᵢ, V⟩ ([`Moments`]), from which ‖Gᵢ − V‖² follows, without keeping any Gᵢ.
//!
//! Rows n of the activations belong to examples: `groups` has the range of rows of each example, in order.
//! For a linear layer Gᵢ = Σₙ δₙ aₙᵀ over the rows of i, with δ = dy and a = x, and
//!
//! ```text
//! ‖Gᵢ‖² = Σₙₘ (δₙ·δₘ)(aₙ·aₘ)        2 R² (I + O) operations for R rows: two Gram matrices
//! ```
//!
//! or the square of the product itself, which has to be made for G anyway: here in blocks of the outputs, so that the
//! block of G and that of Gᵢ stay in the cache. The cheaper one is chosen ([`gram_is_cheaper`]).
//!
//! (The Gram form: Goodfellow, *Efficient Per-Example Gradient Computations*, 2015; with sequences, Li et al., *Large
//! Language Models Can Be Strong Differentially Private Learners*, 2022.)

use crate::matmul::Threads;
use crate::{Matrix, MatrixMut, Real, lanes, matmul, matmul_into};
use rayon::prelude::*;
use std::ops::Range;

/// ‖Gᵢ‖² and ⟨Gᵢ, V⟩ of an example's gradient Gᵢ; the second is 0 where no V is given.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moments {
    /// ‖Gᵢ‖².
    pub square: f64,
    /// ⟨Gᵢ, V⟩.
    pub product: f64,
}

impl std::ops::AddAssign for Moments {
    fn add_assign(&mut self, other: Self) {
        self.square += other.square;
        self.product += other.product;
    }
}

/// Entries of G in a block: a quarter of a megabyte in `f32`.
const BLOCK: usize = 64 * 1024;

/// How many entries of Gᵢ can be squared and added to G in the time of one multiplication and addition in a product
/// (measured on two cores of Zen 4).
const ENTRY: usize = 20;

/// Whether Gram matrices cost less than squaring the product, for an example of `rows`.
#[must_use]
pub fn gram_is_cheaper(rows: usize, inputs: usize, outputs: usize) -> bool {
    rows * rows * (inputs + outputs) < ENTRY * inputs * outputs
}

/// Columns of a row-major matrix: the outputs of one of several layers that were computed as one.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a, F> {
    /// The whole matrix, (N, stride).
    pub data: &'a [F],
    /// Columns of the whole matrix.
    pub stride: usize,
    /// The first column that counts.
    pub first: usize,
    /// How many do, O.
    pub width: usize,
}

impl<'a, F: Real> Columns<'a, F> {
    /// All columns of a matrix (N, `width`).
    #[must_use]
    pub fn all(data: &'a [F], width: usize) -> Self {
        Self {
            data,
            stride: width,
            first: 0,
            width,
        }
    }

    /// The columns `columns` of those that count, in `rows`.
    fn view(&self, rows: &Range<usize>, columns: Range<usize>) -> Matrix<'a, F> {
        let begin = rows.start * self.stride + self.first + columns.start;
        let data = &self.data[begin.min(self.data.len())..];
        Matrix::strided(data, rows.len(), columns.len(), self.stride)
    }
}

/// dW (O, I) = dyᵀ x, added to what is there where `add`, and the moments of each example. `x` is (N, I), `dy`
/// (N, O), `along` (O, I).
///
/// # Panics
/// If the shapes do not fit each other.
pub fn linear<F: Real>(
    x: &[F],
    dy: Columns<F>,
    groups: &[Range<usize>],
    dw: &mut [F],
    add: bool,
    along: Option<&[F]>,
) -> Vec<Moments> {
    let (outputs, n) = (dy.width, dy.data.len() / dy.stride);
    let inputs = dw.len() / outputs;
    let rows = groups.iter().map(Range::len).max().unwrap_or(0);
    if gram_is_cheaper(rows, inputs, outputs) {
        let all = dy.view(&(0..n), 0..outputs).t();
        let into = MatrixMut::new(dw, outputs, inputs);
        matmul_into(
            into,
            add,
            F::ONE,
            all,
            Matrix::new(x, n, inputs),
            Threads::All,
        );
        return by_gram(x, dy, groups, along, inputs);
    }
    if !add {
        dw.fill(F::ZERO);
    }
    by_product(x, dy, groups, dw, along, inputs)
}

/// The moments from Gᵢ itself, added to `dw` block by block.
fn by_product<F: Real>(
    x: &[F],
    dy: Columns<F>,
    groups: &[Range<usize>],
    dw: &mut [F],
    along: Option<&[F]>,
    inputs: usize,
) -> Vec<Moments> {
    let block = (BLOCK / inputs.max(1)).clamp(1, dy.width.max(1));
    let blocks: Vec<Vec<Moments>> = dw
        .par_chunks_mut(block * inputs)
        .enumerate()
        .map(|(i, dw)| {
            let (first, width) = (i * block, dw.len() / inputs);
            let along = along.map(|along| &along[first * inputs..][..dw.len()]);
            let mut product = vec![F::ZERO; dw.len()];
            let example = |rows: &Range<usize>| {
                if rows.is_empty() {
                    return Moments::default();
                }
                let dy = dy.view(rows, first..first + width);
                let x = &x[rows.start * inputs..rows.end * inputs];
                let x = Matrix::new(x, rows.len(), inputs);
                let into = MatrixMut::new(&mut product, width, inputs);
                matmul_into(into, false, F::ONE, dy.t(), x, Threads::One);
                add_and_measure(&product, dw, along)
            };
            groups.iter().map(example).collect()
        })
        .collect();
    let mut total = vec![Moments::default(); groups.len()];
    for block in blocks {
        for (total, moments) in total.iter_mut().zip(block) {
            *total += moments;
        }
    }
    total
}

/// Adds `g` to `sum` and returns its moments.
fn add_and_measure<F: Real>(g: &[F], sum: &mut [F], along: Option<&[F]>) -> Moments {
    crate::vectorized(
        #[inline(always)]
        || {
            for (sum, g) in sum.iter_mut().zip(g) {
                *sum += *g;
            }
            measure(g, along)
        },
    )
}

/// The moments of `g`, to be called inside [`crate::vectorized`].
#[inline(always)]
fn measure<F: Real>(g: &[F], along: Option<&[F]>) -> Moments {
    Moments {
        square: dot_inline(g, g),
        product: along.map_or(0.0, |along| dot_inline(g, along)),
    }
}

/// The moments from Gram matrices.
fn by_gram<F: Real>(
    x: &[F],
    dy: Columns<F>,
    groups: &[Range<usize>],
    along: Option<&[F]>,
    inputs: usize,
) -> Vec<Moments> {
    let example = |rows: &Range<usize>| {
        let n = rows.len();
        let a = Matrix::new(&x[rows.start * inputs..rows.end * inputs], n, inputs);
        let delta = dy.view(rows, 0..dy.width);
        let grams = [delta, a].map(|m| matmul(m, m.t(), Threads::One));
        let product = along.map_or(0.0, |along| {
            // Σₙ aₙ·(Vᵀ δₙ)
            let pulled = matmul(delta, Matrix::new(along, dy.width, inputs), Threads::One);
            dot(&pulled, &x[rows.start * inputs..rows.end * inputs])
        });
        Moments {
            square: dot(&grams[0], &grams[1]),
            product,
        }
    };
    groups.par_iter().map(example).collect()
}

/// Σ x y, in `f64`.
fn dot<F: Real>(x: &[F], y: &[F]) -> f64 {
    crate::vectorized(
        #[inline(always)]
        || dot_inline(x, y),
    )
}

/// [`dot`], to be called inside [`crate::vectorized`].
#[inline(always)]
fn dot_inline<F: Real>(x: &[F], y: &[F]) -> f64 {
    lanes::sum_of_two(
        x,
        y,
        #[inline(always)]
        |x, y| x.f64() * y.f64(),
    )
}

/// The moments of db (O), where Gᵢ is the sum of the rows of `dy` (N, O).
///
/// # Panics
/// If the shapes do not fit each other.
#[must_use]
pub fn bias<F: Real>(dy: Columns<F>, groups: &[Range<usize>], along: Option<&[F]>) -> Vec<Moments> {
    column_sums(groups, along, dy.width, |n, sums| {
        let row = &dy.data[n * dy.stride + dy.first..];
        for (sum, dy) in sums.iter_mut().zip(row) {
            *sum += dy.f64();
        }
    })
}

/// The moments of the gain of a LayerNorm, Gᵢ = Σₙ dyₙ ∘ x̂ₙ: `dy` and `normalized` are (N, H).
///
/// # Panics
/// If the shapes do not fit each other.
#[must_use]
pub fn gain<F: Real>(
    dy: &[F],
    normalized: &[F],
    groups: &[Range<usize>],
    along: Option<&[F]>,
    width: usize,
) -> Vec<Moments> {
    column_sums(groups, along, width, |n, sums| {
        let rows = dy[n * width..].iter().zip(&normalized[n * width..]);
        for (sum, (dy, x)) in sums.iter_mut().zip(rows) {
            *sum += dy.f64() * x.f64();
        }
    })
}

/// The moments of Gᵢ (W) to which `add` adds the share of each row.
fn column_sums<F: Real>(
    groups: &[Range<usize>],
    along: Option<&[F]>,
    width: usize,
    add: impl Fn(usize, &mut [f64]) + Send + Sync,
) -> Vec<Moments> {
    let example = |rows: &Range<usize>| {
        let mut sums = vec![0.0_f64; width];
        rows.clone().for_each(|n| add(n, &mut sums));
        let along = along.map(|along| sums.iter().zip(along).map(|(s, v)| s * v.f64()).sum());
        Moments {
            square: sums.iter().map(|s| s * s).sum(),
            product: along.unwrap_or(0.0),
        }
    };
    groups.par_iter().map(example).collect()
}

/// A linear layer whose weight is an embedding table, too: `x` (M, H), `dy` (M, V), the rows of each example.
#[derive(Debug)]
pub struct TiedDecoder<'a, F> {
    /// (M, H).
    pub x: &'a [F],
    /// (M, V).
    pub dy: &'a [F],
    /// The rows of each example.
    pub groups: &'a [Range<usize>],
}

impl<F> TiedDecoder<'_, F> {
    /// V, of M rows.
    fn vocabulary(&self) -> usize {
        self.dy.len() / self.groups.iter().map(Range::len).sum::<usize>().max(1)
    }
}

/// The moments of an embedding table (V, H): Gᵢ has in each row the sum of the rows of `d` (N, H) whose id it is. With a
/// tied decoder it is added to the decoder's Gᵢ, whose own moments [`linear`] gave: what is returned is what comes to
/// them.
///
/// # Panics
/// If the shapes do not fit each other.
#[must_use]
pub fn table<F: Real>(
    d: &[F],
    ids: &[i64],
    groups: &[Range<usize>],
    along: Option<&[F]>,
    width: usize,
    decoder: Option<TiedDecoder<F>>,
) -> Vec<Moments> {
    let example = |(i, rows): (usize, &Range<usize>)| {
        let mut order: Vec<usize> = rows.clone().collect();
        order.sort_by_key(|&n| ids[n]);
        let mut moments = Moments::default();
        let mut sum = vec![0.0_f64; width];
        for same in order.chunk_by(|&a, &b| ids[a] == ids[b]) {
            sum.fill(0.0);
            for &n in same {
                for (sum, d) in sum.iter_mut().zip(&d[n * width..]) {
                    *sum += d.f64();
                }
            }
            let id = ids[same[0]] as usize;
            moments.square += sum.iter().map(|s| s * s).sum::<f64>();
            if let Some(along) = along {
                let along = &along[id * width..][..width];
                moments.product += sum.iter().zip(along).map(|(s, v)| s * v.f64()).sum::<f64>();
            }
            if let Some(decoder) = &decoder {
                // 2 ⟨sum, Σₘ δₘ[id] xₘ⟩
                for m in decoder.groups[i].clone() {
                    let delta = decoder.dy[m * decoder.vocabulary() + id].f64();
                    let x = &decoder.x[m * width..][..width];
                    let dot: f64 = sum.iter().zip(x).map(|(s, x)| s * x.f64()).sum();
                    moments.square += 2.0 * delta * dot;
                }
            }
        }
        moments
    };
    groups.par_iter().enumerate().map(example).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, same_on_threads, values};

    /// Numbers that `f32` holds exactly.
    fn exact<F: Real>(n: usize, seed: u64) -> Vec<F> {
        let numbers = values::<f32>(n, seed).into_iter();
        numbers.map(|x| F::of(f64::from(x))).collect()
    }

    /// Ranges of these lengths, one after the other.
    fn groups(lengths: &[usize]) -> Vec<Range<usize>> {
        let begin = |i: usize| lengths[..i].iter().sum::<usize>();
        let ranges = (0..lengths.len()).map(|i| begin(i)..begin(i + 1));
        ranges.collect()
    }

    fn moments(g: &[f64], along: Option<&[f64]>) -> Moments {
        let dot = |v: &[f64]| g.iter().zip(v).map(|(g, v)| g * v).sum();
        Moments {
            square: dot(g),
            product: along.map_or(0.0, dot),
        }
    }

    /// Squares and products within `tolerance` of ‖Gᵢ‖² and of 1 + ‖Gᵢ‖².
    #[track_caller]
    fn assert_moments(found: &[Moments], exact: &[Moments], tolerance: f64) {
        assert_eq!(found.len(), exact.len());
        for (i, (found, exact)) in found.iter().zip(exact).enumerate() {
            let square = (found.square - exact.square).abs();
            let product = (found.product - exact.product).abs();
            let size = exact.square.abs();
            assert!(
                square <= tolerance * size && product <= tolerance * (1.0 + size),
                "example {i}: {found:?}, not {exact:?}"
            );
        }
    }

    fn both<F: Real>(m: &[Moments]) -> Vec<F> {
        m.iter()
            .flat_map(|m| [m.square, m.product].map(F::of))
            .collect()
    }

    /// Three layers of `outputs` side by side, on examples of `lengths` rows.
    struct Case {
        inputs: usize,
        outputs: usize,
        lengths: &'static [usize],
    }

    impl Case {
        fn rows(&self) -> usize {
            self.lengths.iter().sum()
        }

        fn gram(&self) -> bool {
            let rows = self.lengths.iter().max().copied().unwrap_or(0);
            gram_is_cheaper(rows, self.inputs, self.outputs)
        }

        /// dW of each layer, set or added to 1, and the moments.
        fn run<F: Real>(&self, add: bool, along: bool) -> (Vec<F>, Vec<Moments>) {
            let (x, dy, v) = self.operands::<F>();
            let size = self.inputs * self.outputs;
            let (mut dws, mut all) = (Vec::new(), Vec::new());
            for layer in 0..3 {
                let columns = Columns {
                    data: &dy,
                    stride: 3 * self.outputs,
                    first: layer * self.outputs,
                    width: self.outputs,
                };
                let mut dw = vec![F::of(if add { 1.0 } else { 7.0 }); size];
                let along = along.then(|| &v[layer * size..][..size]);
                all.extend(linear(
                    &x,
                    columns,
                    &groups(self.lengths),
                    &mut dw,
                    add,
                    along,
                ));
                dws.extend(dw);
            }
            (dws, all)
        }

        fn operands<F: Real>(&self) -> (Vec<F>, Vec<F>, Vec<F>) {
            let n = self.rows();
            let (outputs, inputs) = (3 * self.outputs, self.inputs);
            let v = exact(outputs * inputs, 3);
            (exact(n * inputs, 1), exact(n * outputs, 2), v)
        }

        fn naive(&self, add: bool, along: bool) -> (Vec<f64>, Vec<Moments>) {
            let (x, dy, v) = self.operands::<f64>();
            let size = self.inputs * self.outputs;
            let mut dws = vec![if add { 1.0 } else { 0.0 }; 3 * size];
            let mut all = Vec::new();
            for (layer, dw) in dws.chunks_mut(size).enumerate() {
                for rows in groups(self.lengths) {
                    let mut g = vec![0.0; size];
                    for (n, o) in rows.flat_map(|n| (0..self.outputs).map(move |o| (n, o))) {
                        let delta = dy[(3 * n + layer) * self.outputs + o];
                        for i in 0..self.inputs {
                            g[o * self.inputs + i] += delta * x[n * self.inputs + i];
                        }
                    }
                    all.push(moments(&g, along.then(|| &v[layer * size..][..size])));
                    dw.iter_mut().zip(g).for_each(|(dw, g)| *dw += g);
                }
            }
            (dws, all)
        }
    }

    const CASES: [Case; 7] = [
        Case {
            inputs: 3,
            outputs: 5,
            lengths: &[],
        },
        Case {
            inputs: 3,
            outputs: 5,
            lengths: &[0, 0],
        },
        Case {
            inputs: 1,
            outputs: 1,
            lengths: &[1],
        },
        Case {
            inputs: 19,
            outputs: 37,
            lengths: &[3, 0, 1, 11],
        },
        Case {
            inputs: 7,
            outputs: 5,
            lengths: &[0, 13, 8, 1],
        },
        // Several blocks of outputs, by either way.
        Case {
            inputs: 300,
            outputs: 451,
            lengths: &[65, 0, 7],
        },
        Case {
            inputs: 300,
            outputs: 451,
            lengths: &[2, 5],
        },
    ];

    /// In `f64` within 1e-12, in `f32` within 2e-5 for dW and 1e-5 for the moments.
    #[test]
    fn linear_layers_against_each_examples_gradient() {
        let by_gram = CASES.iter().filter(|case| case.gram()).count();
        assert_eq!(by_gram, 5);
        for case in CASES {
            for (add, along) in [(false, true), (true, false)] {
                let (dw, exact) = case.naive(add, along);
                let (found, moments) = case.run::<f64>(add, along);
                assert_close(&found, &dw, 1e-12);
                assert_moments(&moments, &exact, 1e-12);
                let (found, moments) = case.run::<f32>(add, along);
                assert_close(&found, &dw, 2e-5);
                assert_moments(&moments, &exact, 1e-5);
            }
        }
    }

    /// The moments of the columns' sums, for the second of three layers, and of a gain.
    #[test]
    fn vectors_against_each_examples_gradient() {
        fn check<F: Real>(tolerance: f64) {
            for (lengths, width) in [(&[][..], 3), (&[1], 1), (&[3, 0, 1, 70], 37), (&[0], 5)] {
                let (ranges, n) = (groups(lengths), lengths.iter().sum::<usize>());
                let (dy, x) = (exact::<F>(n * 3 * width, 1), exact::<F>(n * width, 2));
                let v = exact::<F>(width, 3);
                let wide = v.iter().map(|v| v.f64()).collect::<Vec<_>>();
                let columns = Columns {
                    data: &dy,
                    stride: 3 * width,
                    first: width,
                    width,
                };
                let dense = (0..n).flat_map(|n| &dy[(3 * n + 1) * width..][..width]);
                let dense: Vec<F> = dense.copied().collect();
                for along in [false, true] {
                    let naive = |gain: bool| {
                        let g = |rows: &Range<usize>| {
                            let mut g = vec![0.0; width];
                            for (n, j) in rows.clone().flat_map(|n| (0..width).map(move |j| (n, j)))
                            {
                                let x = if gain { x[n * width + j].f64() } else { 1.0 };
                                g[j] += dense[n * width + j].f64() * x;
                            }
                            moments(&g, along.then_some(&wide))
                        };
                        ranges.iter().map(g).collect::<Vec<_>>()
                    };
                    let v = along.then_some(&v[..]);
                    assert_moments(&bias(columns, &ranges, v), &naive(false), tolerance);
                    let all = Columns::all(&dense, width);
                    assert_moments(&bias(all, &ranges, v), &naive(false), tolerance);
                    let gain = gain(&dense, &x, &ranges, v, width);
                    assert_moments(&gain, &naive(true), tolerance);
                }
            }
        }
        check::<f64>(1e-12);
        check::<f32>(1e-12); // sums are in f64
    }

    /// Ids that repeat within an example and among examples; the decoder has other rows. With a decoder, what comes
    /// to its own moments.
    #[test]
    fn tables_against_each_examples_gradient() {
        fn check<F: Real>(tolerance: f64) {
            let (height, width) = (11, 5);
            for (lengths, heads) in [
                (&[7, 0, 1, 40][..], &[3, 2, 0, 9][..]),
                (&[1], &[1]),
                (&[0], &[0]),
                (&[5], &[0]),
                (&[], &[]),
            ] {
                let (ranges, n) = (groups(lengths), lengths.iter().sum::<usize>());
                let (head_ranges, m) = (groups(heads), heads.iter().sum::<usize>());
                let ids: Vec<i64> = (0..n).map(|i| (i * i * 3 % height) as i64).collect();
                let (d, v) = (exact::<F>(n * width, 1), exact::<F>(height * width, 2));
                let (x, dy) = (exact::<F>(m * width, 3), exact::<F>(m * height, 4));
                let wide = v.iter().map(|v| v.f64()).collect::<Vec<_>>();
                for (along, tied) in [(false, false), (true, false), (false, true), (true, true)] {
                    let along = along.then_some(());
                    let example = |i: usize| {
                        let (mut own, mut all) = (vec![0.0; v.len()], vec![0.0; v.len()]);
                        for m in head_ranges[i].clone().filter(|_| tied) {
                            for (id, j) in
                                (0..height).flat_map(|id| (0..width).map(move |j| (id, j)))
                            {
                                let g = dy[m * height + id].f64() * x[m * width + j].f64();
                                own[id * width + j] += g;
                                all[id * width + j] += g;
                            }
                        }
                        for (n, j) in ranges[i]
                            .clone()
                            .flat_map(|n| (0..width).map(move |j| (n, j)))
                        {
                            all[ids[n] as usize * width + j] += d[n * width + j].f64();
                        }
                        let along = along.map(|()| &wide[..]);
                        let (own, all) = (moments(&own, along), moments(&all, along));
                        Moments {
                            square: all.square - own.square,
                            product: all.product - own.product,
                        }
                    };
                    let expected: Vec<Moments> = (0..ranges.len()).map(example).collect();
                    let decoder = tied.then_some(TiedDecoder {
                        x: &x,
                        dy: &dy,
                        groups: &head_ranges,
                    });
                    let along = along.map(|()| &v[..]);
                    let found = table(&d, &ids, &ranges, along, width, decoder);
                    assert_close(&both::<f64>(&found), &both(&expected), tolerance);
                }
            }
        }
        check::<f64>(1e-12);
        check::<f32>(1e-12); // sums are in f64
    }

    #[test]
    fn same_bits() {
        for case in CASES {
            same_on_threads(|| {
                let (dw, moments) = case.run::<f64>(true, true);
                [dw, both(&moments)].concat()
            });
            same_on_threads(|| case.run::<f32>(false, false).0);
        }
    }
}
