//! Convolution by im2col, for any kernel, stride and padding; the slow twin of `winograd.rs`.
//!
//! The patches under the kernel, (K, K, I) each, are laid out as the rows of a matrix, and
//!
//! ```text
//! y = patches w        dpatches = dy wᵀ        dwᵀ += dyᵀ patches
//! ```
//!
//! a block of output rows at a time: the matrix of all patches is never made. A kernel of 1 × 1 with stride 1
//! needs none, for x itself is the matrix.
//!
//! Reference: Chellapilla, Puri, Simard, *High performance convolutional neural networks for document
//! processing*, 2006.

use crate::Real;
use crate::convolution::Shape;
use crate::matmul::{Matrix, MatrixMut, Threads, matmul_into};
use rayon::prelude::*;

/// Entries of a block of patches, about.
const BLOCK: usize = 128 * 1024;

/// Output rows in a block.
fn block_rows(shape: &Shape) -> usize {
    (BLOCK / (shape.output_width() * shape.patch())).max(1)
}

/// Whether x is its own matrix of patches.
fn is_pointwise(shape: &Shape) -> bool {
    (shape.kernel, shape.stride, shape.padding) == (1, 1, 0)
}

/// As [`super::forward`], without a bias.
///
/// # Panics
/// If a length does not fit `shape`.
pub fn forward<F: Real>(shape: Shape, x: &[F], w: &[F], y: &mut [F]) {
    shape.check(x, w, y);
    if x.is_empty() || y.is_empty() {
        y.fill(F::ZERO);
        return;
    }
    let (patch, outputs) = (shape.patch(), shape.channels_out);
    let w = transposed(&shape, w);
    let w = Matrix::new(&w, patch, outputs);
    if is_pointwise(&shape) {
        let pixels = y.len() / outputs;
        let x = Matrix::new(x, pixels, patch);
        let y = MatrixMut::new(y, pixels, outputs);
        return matmul_into(y, false, F::ONE, x, w, Threads::All);
    }
    let rows = block_rows(&shape);
    y.par_chunks_mut(rows * shape.output_width() * outputs)
        .enumerate()
        .for_each(|(i, y)| {
            let pixels = y.len() / outputs;
            let mut patches = vec![F::ZERO; pixels * patch];
            im2col(&shape, x, i * rows, &mut patches);
            let patches = Matrix::new(&patches, pixels, patch);
            let y = MatrixMut::new(y, pixels, outputs);
            matmul_into(y, false, F::ONE, patches, w, Threads::One);
        });
}

/// `dx ←` the gradient of the input.
///
/// # Panics
/// If a length does not fit `shape`.
pub fn backward_data<F: Real>(shape: Shape, dy: &[F], w: &[F], dx: &mut [F]) {
    shape.check(dx, w, dy);
    if dx.is_empty() || dy.is_empty() {
        dx.fill(F::ZERO);
        return;
    }
    let (patch, outputs) = (shape.patch(), shape.channels_out);
    let w = packed(&shape, w);
    let w = Matrix::new(&w, outputs, patch);
    if is_pointwise(&shape) {
        let pixels = dy.len() / outputs;
        let dy = Matrix::new(dy, pixels, outputs);
        let dx = MatrixMut::new(dx, pixels, patch);
        return matmul_into(dx, false, F::ONE, dy, w, Threads::All);
    }
    let rows = block_rows(&shape).min(shape.output_height());
    // Patches overlap within an image, but not from image to image.
    dx.par_chunks_mut(shape.input_image())
        .zip(dy.par_chunks(shape.output_image()))
        .for_each(|(dx, dy)| {
            dx.fill(F::ZERO);
            let mut patches = vec![F::ZERO; rows * shape.output_width() * patch];
            let blocks = dy.chunks(rows * shape.output_width() * outputs);
            for (i, dy) in blocks.enumerate() {
                let pixels = dy.len() / outputs;
                let patches = &mut patches[..pixels * patch];
                let dy = Matrix::new(dy, pixels, outputs);
                let dst = MatrixMut::new(patches, pixels, patch);
                matmul_into(dst, false, F::ONE, dy, w, Threads::One);
                add_col2im(&shape, patches, i * rows, dx);
            }
        });
}

/// `dw +=` the gradient of the weights.
///
/// # Panics
/// If a length does not fit `shape`.
pub fn backward_weights<F: Real>(shape: Shape, x: &[F], dy: &[F], dw: &mut [F]) {
    shape.check(x, dw, dy);
    if x.is_empty() || dy.is_empty() {
        return;
    }
    let (patch, outputs) = (shape.patch(), shape.channels_out);
    if is_pointwise(&shape) {
        let pixels = dy.len() / outputs;
        let dy = Matrix::new(dy, pixels, outputs);
        let x = Matrix::new(x, pixels, patch);
        let dw = MatrixMut::new(dw, outputs, patch);
        return matmul_into(dw, true, F::ONE, dy.t(), x, Threads::All);
    }
    // One sum, so larger blocks, and all threads in a product.
    let rows = block_rows(&shape);
    let block = 8 * rows * shape.output_width();
    let mut sum = vec![F::ZERO; dw.len()];
    let mut patches = vec![F::ZERO; block.min(dy.len() / outputs) * patch];
    for (i, dy) in dy.chunks(block * outputs).enumerate() {
        let pixels = dy.len() / outputs;
        let patches = &mut patches[..pixels * patch];
        patches
            .par_chunks_mut(rows * shape.output_width() * patch)
            .enumerate()
            .for_each(|(j, patches)| im2col(&shape, x, (8 * i + j) * rows, patches));
        let patches = Matrix::new(patches, pixels, patch);
        let dy = Matrix::new(dy, pixels, outputs);
        let sum = MatrixMut::new(&mut sum, outputs, patch);
        matmul_into(sum, true, F::ONE, dy.t(), patches, Threads::All);
    }
    let (inputs, area) = (shape.channels_in, shape.kernel * shape.kernel);
    dw.par_chunks_mut(patch)
        .zip(sum.par_chunks(patch))
        .for_each(|(dw, sum)| {
            for c in 0..inputs {
                for k in 0..area {
                    dw[c * area + k] += sum[k * inputs + c];
                }
            }
        });
}

/// (O, I, K, K) to (O, K, K, I), the order of a patch.
fn packed<F: Real>(shape: &Shape, w: &[F]) -> Vec<F> {
    let mut packed = vec![F::ZERO; w.len()];
    let (inputs, area) = (shape.channels_in, shape.kernel * shape.kernel);
    packed
        .par_chunks_mut(shape.patch())
        .zip(w.par_chunks(shape.patch()))
        .for_each(|(packed, w)| {
            for k in 0..area {
                for c in 0..inputs {
                    packed[k * inputs + c] = w[c * area + k];
                }
            }
        });
    packed
}

/// (O, I, K, K) to (K, K, I, O).
fn transposed<F: Real>(shape: &Shape, w: &[F]) -> Vec<F> {
    let mut transposed = vec![F::ZERO; w.len()];
    let (inputs, area) = (shape.channels_in, shape.kernel * shape.kernel);
    transposed
        .par_chunks_mut(shape.channels_out)
        .enumerate()
        .for_each(|(i, row)| {
            let at = i % inputs * area + i / inputs;
            for (entry, w) in row.iter_mut().zip(w.chunks_exact(shape.patch())) {
                *entry = w[at];
            }
        });
    transposed
}

/// Calls `run(start, image, len)` for the runs of entries that the patches of the output rows `first..first +
/// rows` consist of, in their order: `image` says where the run starts in x (N, H, W, I), or that it is padding.
#[inline(always)]
fn runs(
    shape: &Shape,
    first: usize,
    rows: usize,
    mut run: impl FnMut(usize, Option<usize>, usize),
) {
    let (channels, kernel) = (shape.channels_in, shape.kernel);
    let (output_height, output_width) = (shape.output_height(), shape.output_width());
    let mut at = 0;
    for i in first..first + rows {
        let image = i / output_height * shape.height;
        let top = i % output_height * shape.stride;
        for j in 0..output_width {
            // The columns of the patch inside the image, first to last: [left, right).
            let column = j * shape.stride;
            let left = shape.padding.saturating_sub(column).min(kernel);
            let right = (shape.width + shape.padding).saturating_sub(column);
            let right = right.clamp(left, kernel);
            for k in 0..kernel {
                let row = (top + k).wrapping_sub(shape.padding);
                if row < shape.height && left < right {
                    let start = (image + row) * shape.width + column + left - shape.padding;
                    run(at, None, left * channels);
                    let len = (right - left) * channels;
                    run(at + left * channels, Some(start * channels), len);
                    run(at + right * channels, None, (kernel - right) * channels);
                } else {
                    run(at, None, kernel * channels);
                }
                at += kernel * channels;
            }
        }
    }
}

/// The patches under the output rows from `first` on, counted through all images.
fn im2col<F: Real>(shape: &Shape, x: &[F], first: usize, patches: &mut [F]) {
    let rows = patches.len() / (shape.output_width() * shape.patch());
    runs(shape, first, rows, |at, image, len| match image {
        Some(start) => patches[at..at + len].copy_from_slice(&x[start..start + len]),
        None => patches[at..at + len].fill(F::ZERO),
    });
}

/// The adjoint of [`im2col`]: adds every patch to where it lies in `x`.
fn add_col2im<F: Real>(shape: &Shape, patches: &[F], first: usize, x: &mut [F]) {
    let rows = patches.len() / (shape.output_width() * shape.patch());
    crate::vectorized(
        #[inline(always)]
        || {
            runs(
                shape,
                first,
                rows,
                #[inline(always)]
                |at, image, len| {
                    if let Some(start) = image {
                        let x = &mut x[start..start + len];
                        for (x, patch) in x.iter_mut().zip(&patches[at..at + len]) {
                            *x += *patch;
                        }
                    }
                },
            );
        },
    );
}
