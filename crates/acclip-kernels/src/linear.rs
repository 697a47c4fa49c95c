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
        y.par_chunks_mut(chunks::rows(outputs) * outputs.max(1))
            .for_each(|rows| add_to_rows(rows, b));
    }
    y
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
