//! The linear layer, y = x Wᵀ + b, with x (N, I), W (O, I) as PyTorch stores it, b (O) and y (N, O).
//!
//! ```text
//! dx = dy W        dW += dyᵀ x        db += Σₙ dyₙ
//! ```

use crate::chunks::{self, add_column_sums};
use crate::matmul::Threads;
use crate::transpose::transposed;
use crate::{Matrix, MatrixMut, Real, matmul, matmul_into};
use rayon::prelude::*;

/// y (N, O) = x Wᵀ + b.
///
/// # Panics
/// If a slice does not fit the sizes.
#[must_use]
pub fn forward<F: Real>(
    x: &[F],
    w: &[F],
    b: Option<&[F]>,
    n: usize,
    inputs: usize,
    outputs: usize,
) -> Vec<F> {
    let x = Matrix::new(x, n, inputs);
    let mut y = if transpose_first(n, inputs, outputs) {
        let w = transposed(w, outputs, inputs);
        matmul(x, Matrix::new(&w, inputs, outputs), Threads::All)
    } else {
        matmul(x, Matrix::new(w, outputs, inputs).t(), Threads::All)
    };
    if let Some(b) = b {
        assert_eq!(b.len(), outputs, "bias");
        add_bias(&mut y, b);
    }
    y
}

/// Adds `b` (O) to every row of `y` (N, O), on all threads.
pub(crate) fn add_bias<F: Real>(y: &mut [F], b: &[F]) {
    y.par_chunks_mut(chunks::rows(b.len()) * b.len().max(1))
        .for_each(|rows| add_to_rows(rows, b));
}

/// Whether to transpose W in memory before the product. `gemm` reads a transposed matrix slowly when its rows are
/// long (3072 entries: 0.62 of its usual speed), and a copy pays if there are rows enough to use it. (Measured on
/// two cores of Zen 4: 0.70 of the time at N 512, I 3072, O 768; 0.92 at 2048, 1024, 256; 1.05 at 512, 768, 3072.)
fn transpose_first(n: usize, inputs: usize, outputs: usize) -> bool {
    n >= 256 && 3 * inputs >= outputs
}

/// Adds `b` (O) to every row of `rows` (N, O).
fn add_to_rows<F: Real>(rows: &mut [F], b: &[F]) {
    crate::vectorized(
        #[inline(always)]
        || {
            for row in rows.chunks_exact_mut(b.len()) {
                for (y, b) in row.iter_mut().zip(b) {
                    *y += *b;
                }
            }
        },
    );
}

/// dx (N, I) = dy W.
///
/// # Panics
/// If a slice does not fit the sizes.
#[must_use]
pub fn backward_input<F: Real>(
    dy: &[F],
    w: &[F],
    n: usize,
    inputs: usize,
    outputs: usize,
) -> Vec<F> {
    let (dy, w) = (Matrix::new(dy, n, outputs), Matrix::new(w, outputs, inputs));
    matmul(dy, w, Threads::All)
}

/// dW (O, I) = dyᵀ x, added to what is there where `add`.
///
/// # Panics
/// If a slice does not fit the sizes.
pub fn backward_weight<F: Real>(
    x: &[F],
    dy: &[F],
    dw: &mut [F],
    add: bool,
    n: usize,
    inputs: usize,
    outputs: usize,
) {
    let (x, dy) = (Matrix::new(x, n, inputs), Matrix::new(dy, n, outputs));
    let dw = MatrixMut::new(dw, outputs, inputs);
    matmul_into(dw, add, F::ONE, dy.t(), x, Threads::All);
}

/// db (O) = Σₙ dyₙ, added to what is there.
pub fn backward_bias<F: Real>(dy: &[F], db: &mut [F]) {
    add_column_sums(db, dy);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, same_on_threads, values};

    /// Of rows, inputs and outputs: none of a number, one, no multiples, and both sides of [`transpose_first`], over
    /// several chunks of rows.
    const SHAPES: [[usize; 3]; 7] = [
        [0, 3, 5],
        [1, 1, 1],
        [7, 5, 3],
        [33, 65, 17],
        [257, 19, 201],
        [259, 67, 131],
        [5, 0, 3],
    ];

    /// y without and with bias, dx, dW set and added to 1, and db added to 1, one after the other.
    fn run<F: Real>([n, inputs, outputs]: [usize; 3]) -> Vec<F> {
        let [x, w, b, dy] = operands::<F>([n, inputs, outputs]);
        let mut dw = vec![F::of(7.0); w.len()];
        let (mut added, mut db) = (vec![F::ONE; w.len()], vec![F::ONE; outputs]);
        backward_weight(&x, &dy, &mut dw, false, n, inputs, outputs);
        backward_weight(&x, &dy, &mut added, true, n, inputs, outputs);
        backward_bias(&dy, &mut db);
        [
            forward(&x, &w, None, n, inputs, outputs),
            forward(&x, &w, Some(&b), n, inputs, outputs),
            backward_input(&dy, &w, n, inputs, outputs),
            dw,
            added,
            db,
        ]
        .concat()
    }

    /// x, W, b and dy, exact in `f32`.
    fn operands<F: Real>([n, inputs, outputs]: [usize; 3]) -> [Vec<F>; 4] {
        let sizes = [n * inputs, outputs * inputs, outputs, n * outputs];
        let mut seed = 0;
        sizes.map(|size| {
            seed += 1;
            let numbers = values::<f32>(size, seed).into_iter();
            numbers.map(|x| F::of(f64::from(x))).collect()
        })
    }

    fn naive(shape: [usize; 3]) -> Vec<f64> {
        let [n, inputs, outputs] = shape;
        let [x, w, b, dy] = operands::<f64>(shape);
        let (mut y, mut dx) = (vec![0.0; n * outputs], vec![0.0; n * inputs]);
        let (mut dw, mut db) = (vec![0.0; outputs * inputs], vec![1.0; outputs]);
        for (r, o) in (0..n).flat_map(|r| (0..outputs).map(move |o| (r, o))) {
            for i in 0..inputs {
                y[r * outputs + o] += x[r * inputs + i] * w[o * inputs + i];
                dx[r * inputs + i] += dy[r * outputs + o] * w[o * inputs + i];
                dw[o * inputs + i] += dy[r * outputs + o] * x[r * inputs + i];
            }
            db[o] += dy[r * outputs + o];
        }
        let biased = y.iter().zip(b.iter().cycle()).map(|(y, b)| y + b).collect();
        let added = dw.iter().map(|dw| 1.0 + dw).collect();
        [y, biased, dx, dw, added, db].concat()
    }

    /// Within 1e-12 of 1 + |entry| in `f64`, and within 2e-5 in `f32`.
    #[test]
    fn against_loops() {
        assert!(SHAPES.iter().any(|&[n, i, o]| transpose_first(n, i, o)));
        assert!(!transpose_first(257, 19, 201));
        for shape in SHAPES {
            let exact = naive(shape);
            assert_close(&run::<f64>(shape), &exact, 1e-12);
            assert_close(&run::<f32>(shape), &exact, 2e-5);
        }
    }

    #[test]
    fn same_bits() {
        for shape in [[600, 67, 131], [257, 19, 201], [1, 700, 300]] {
            same_on_threads(|| run::<f64>(shape));
            same_on_threads(|| run::<f32>(shape));
        }
    }

    #[test]
    #[should_panic(expected = "bias")]
    fn a_bias_that_does_not_fit() {
        let _ = forward(&[1.0, 2.0], &[1.0, 2.0], Some(&[1.0, 2.0]), 1, 2, 1);
    }
}
