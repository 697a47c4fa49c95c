//! Convolution with 3 × 3 kernels and stride 1 by Winograd's minimal filtering F(4 × 4, 3 × 3), forward and
//! backward.
//!
//! A tile of 4 × 4 outputs depends on a tile d of 6 × 6 inputs. With the matrices that `transforms.rs` shows,
//!
//! ```text
//! v = Bᵀ d B        u = G w Gᵀ        m[k] = Σ_c v[k, c] u[k, c, o]        y = Aᵀ m A
//! ```
//!
//! for each of the 36 entries k: 36 products of matrices (tiles × I)(I × O), with a quarter of the direct
//! algorithm's multiplications. Backward is the adjoint of the same map:
//!
//! ```text
//! e = A dy Aᵀ       du[k] = Σ_tiles v[k] e[k]       dv[k] = e[k] u[k]ᵀ       dw = Gᵀ du G       dx += B dv Bᵀ
//! ```
//!
//! where dx adds up the overlap of neighbouring tiles.
//!
//! **Accuracy.** With independent entries of mean 0, the error of y, dx and dw in `f32` is about 1e-6 of their
//! root mean square, and at most 1.2e-5 of it in any entry (64 to 512 channels); the direct algorithm's is
//! 2e-7 and 2e-6. The usual points 0, ±1, ±2 would lose a factor of 3.
//!
//! **Order.** Channels are cut into blocks of 64, so that a block of u (64 × 64) and its factors stay in a core's
//! cache. Where u is small, the images are cut into parts for the threads, u is kept whole, and every part sums
//! its own du; where it is large (deep layers: wide and small images), the threads take blocks of channels, and
//! a block of u or du lives only while it is used.
//!
//! Reference: Lavin, Gray, *Fast algorithms for convolutional neural networks*, 2016.

use crate::Real;
use crate::convolution::Shape;
use crate::matmul::{Matrix, MatrixMut, Threads, matmul_into};
use kernel::{Kernel, Rows, add_kernel_adjoint};
use rayon::prelude::*;
use tiles::{Tiles, images, images_mut};
use transforms::POINTS;

mod kernel;
mod tiles;
mod transforms;

/// Channels of a block.
const SIDE: usize = 64;
/// Entries of a block of u or du.
const BLOCK: usize = POINTS * SIDE * SIDE;
/// Entries of u that every thread may read for itself.
const SMALL: usize = 4 * BLOCK;
/// Parts of a batch, each with its own du.
const PARTS: usize = 8;

/// The blocks of channels: first channel and width.
fn blocks(channels: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..channels)
        .step_by(SIDE)
        .map(move |start| (start, SIDE.min(channels - start)))
}

/// Whether u is kept whole and the images are cut, rather than the channels.
fn is_small(shape: &Shape) -> bool {
    shape.channels_in.div_ceil(SIDE) * shape.channels_out.div_ceil(SIDE) * BLOCK <= SMALL
}

/// Runs `f` on every item, on this thread or on all.
fn for_each<T: Send>(
    threads: Threads,
    items: impl IndexedParallelIterator<Item = T>,
    f: impl Fn(T) + Send + Sync,
) {
    match threads {
        Threads::One => items.with_min_len(usize::MAX).for_each(f),
        Threads::All => items.for_each(f),
    }
}

/// How the images are cut.
struct Plan {
    /// Images of a part; every part is a task.
    part: usize,
    /// Images of a group; the groups of a part follow each other.
    group: usize,
    /// Threads of a group.
    threads: Threads,
}

impl Plan {
    fn new(shape: &Shape, tiles: &Tiles) -> Self {
        let (part, threads, entries) = if is_small(shape) {
            (shape.n.div_ceil(PARTS), Threads::One, 2 * BLOCK)
        } else {
            (shape.n, Threads::All, 64 * BLOCK)
        };
        let image = POINTS * tiles.count * (shape.channels_in + shape.channels_out);
        Self {
            part,
            group: (entries / image).clamp(1, part),
            threads,
        }
    }
}

/// `y ← x ∗ w`, as [`crate::convolution::forward`], for K = 3 and s = 1.
///
/// # Panics
/// If a length or a size does not fit.
pub fn forward<F: Real>(shape: Shape, x: &[F], w: &[F], y: &mut [F]) {
    shape.check(x, w, y);
    assert_eq!((shape.kernel, shape.stride), (3, 1));
    if x.is_empty() || y.is_empty() {
        y.fill(F::ZERO);
        return;
    }
    let tiles = Tiles::new(shape);
    let plan = Plan::new(&shape, &tiles);
    let kernel = Kernel::new(shape, w, Rows::Input);
    let (inputs, outputs) = (shape.channels_in, shape.channels_out);
    let (image_x, image_y) = (shape.input_image(), shape.output_image());
    y.par_chunks_mut(plan.part * image_y)
        .zip(x.par_chunks(plan.part * image_x))
        .for_each(|(y, x)| {
            let rows = plan.group * tiles.count;
            let mut v = vec![F::ZERO; POINTS * rows * inputs];
            let mut m = vec![F::ZERO; POINTS * rows * outputs];
            let groups = y
                .chunks_mut(plan.group * image_y)
                .zip(x.chunks(plan.group * image_x));
            for (y, x) in groups {
                let n = y.len() / image_y;
                let rows = n * tiles.count;
                let v = &mut v[..POINTS * rows * inputs];
                let m = &mut m[..POINTS * rows * outputs];
                for_each(
                    plan.threads,
                    images_mut(v, inputs, n)
                        .into_par_iter()
                        .zip(x.par_chunks(image_x)),
                    |(mut v, x)| tiles.transform_input(x, &mut v),
                );
                for_each(
                    plan.threads,
                    m.par_chunks_mut(POINTS * rows * SIDE).enumerate(),
                    |(b, m)| forward_block(&kernel, rows, b * SIDE, v, m),
                );
                for_each(
                    plan.threads,
                    images(m, outputs, n)
                        .into_par_iter()
                        .zip(y.par_chunks_mut(image_y)),
                    |(m, y)| tiles.transform_output(&m, y),
                );
            }
        });
}

/// `m ← v u` for the block of output channels from `o` on.
fn forward_block<F: Real>(kernel: &Kernel<F>, rows: usize, o: usize, v: &[F], m: &mut [F]) {
    let width_o = SIDE.min(kernel.shape.channels_out - o);
    let mut scratch = kernel.scratch();
    for (c, width_c) in blocks(kernel.shape.channels_in) {
        let u = kernel.block(c, o, &mut scratch);
        let v = &v[POINTS * rows * c..];
        products(rows, c > 0, (v, width_c), u, (&mut *m, width_o));
    }
}

/// `dv ← e uᵀ` for the block of input channels from `c` on.
fn backward_block<F: Real>(kernel: &Kernel<F>, rows: usize, c: usize, e: &[F], dv: &mut [F]) {
    let width_c = SIDE.min(kernel.shape.channels_in - c);
    let mut scratch = kernel.scratch();
    for (o, width_o) in blocks(kernel.shape.channels_out) {
        let u = kernel.block(c, o, &mut scratch);
        let e = &e[POINTS * rows * o..];
        products(rows, o > 0, (e, width_o), u, (&mut *dv, width_c));
    }
}

/// `c ← a b`, or `c += a b` where `add`, for every point of a block.
fn products<F: Real>(
    rows: usize,
    add: bool,
    (a, inner): (&[F], usize),
    b: &[F],
    (c, columns): (&mut [F], usize),
) {
    for ((c, a), b) in c
        .chunks_exact_mut(rows * columns)
        .zip(a.chunks_exact(rows * inner))
        .zip(b.chunks_exact(inner * columns))
    {
        matmul_into(
            MatrixMut::new(c, rows, columns),
            add,
            F::ONE,
            Matrix::new(a, rows, inner),
            Matrix::new(b, inner, columns),
            Threads::One,
        );
    }
}

/// `du ← eᵀ v`, or `du += eᵀ v` where `add`, for one block.
fn weights_block<F: Real>(
    rows: usize,
    add: bool,
    (v, width_c): (&[F], usize),
    (e, width_o): (&[F], usize),
    du: &mut [F],
) {
    for ((du, v), e) in du
        .chunks_exact_mut(width_o * width_c)
        .take(POINTS)
        .zip(v.chunks_exact(rows * width_c))
        .zip(e.chunks_exact(rows * width_o))
    {
        matmul_into(
            MatrixMut::new(du, width_o, width_c),
            add,
            F::ONE,
            Matrix::new(e, rows, width_o).t(),
            Matrix::new(v, rows, width_c),
            Threads::One,
        );
    }
}

/// Where the gradient of the weights goes.
enum Target<'a, F> {
    /// To the sum du of a part, by blocks.
    Part(&'a mut [F]),
    /// To dw, a block at a time.
    Weights(&'a mut [F]),
}

/// `dx ←` and `dw +=`, as [`crate::convolution::backward`], for K = 3 and s = 1.
///
/// # Panics
/// If a length or a size does not fit.
pub fn backward<F: Real>(
    shape: Shape,
    x: &[F],
    w: &[F],
    dy: &[F],
    dx: Option<&mut [F]>,
    dw: &mut [F],
) {
    shape.check(x, w, dy);
    shape.check(dx.as_deref().unwrap_or(x), dw, dy);
    assert_eq!((shape.kernel, shape.stride), (3, 1));
    if x.is_empty() || dy.is_empty() {
        if let Some(dx) = dx {
            dx.fill(F::ZERO);
        }
        return;
    }
    let tiles = Tiles::new(shape);
    let plan = Plan::new(&shape, &tiles);
    let (inputs, outputs) = (shape.channels_in, shape.channels_out);
    let (image_x, image_y) = (shape.input_image(), shape.output_image());
    let kernel = dx.is_some().then(|| Kernel::new(shape, w, Rows::Output));
    let parts = shape.n.div_ceil(plan.part);
    let whole = inputs.div_ceil(SIDE) * outputs.div_ceil(SIDE) * BLOCK;
    let mut du = Vec::new();
    let targets: Vec<Target<F>> = if is_small(&shape) {
        du.resize(parts * whole, F::ZERO);
        du.chunks_exact_mut(whole).map(Target::Part).collect()
    } else {
        vec![Target::Weights(dw)]
    };
    let dx: Vec<Option<&mut [F]>> = match dx {
        Some(dx) => dx.chunks_mut(plan.part * image_x).map(Some).collect(),
        None => (0..parts).map(|_| None).collect(),
    };
    targets
        .into_par_iter()
        .zip(dx)
        .zip(x.par_chunks(plan.part * image_x))
        .zip(dy.par_chunks(plan.part * image_y))
        .for_each(|(((mut target, mut dx), x), dy)| {
            let rows = plan.group * tiles.count;
            let mut v = vec![F::ZERO; POINTS * rows * inputs];
            let mut e = vec![F::ZERO; POINTS * rows * outputs];
            let groups = x
                .chunks(plan.group * image_x)
                .zip(dy.chunks(plan.group * image_y));
            for (g, (x, dy)) in groups.enumerate() {
                let n = dy.len() / image_y;
                let rows = n * tiles.count;
                let v = &mut v[..POINTS * rows * inputs];
                let e = &mut e[..POINTS * rows * outputs];
                for_each(
                    plan.threads,
                    images_mut(v, inputs, n)
                        .into_par_iter()
                        .zip(x.par_chunks(image_x)),
                    |(mut v, x)| tiles.transform_input(x, &mut v),
                );
                for_each(
                    plan.threads,
                    images_mut(e, outputs, n)
                        .into_par_iter()
                        .zip(dy.par_chunks(image_y)),
                    |(mut e, dy)| tiles.transform_gradient(dy, &mut e),
                );
                backward_weights(&shape, rows, g > 0, v, e, &mut target);
                let (Some(dx), Some(kernel)) = (&mut dx, &kernel) else {
                    continue;
                };
                for_each(
                    plan.threads,
                    v.par_chunks_mut(POINTS * rows * SIDE).enumerate(),
                    |(b, dv)| backward_block(kernel, rows, b * SIDE, e, dv),
                );
                let dx = &mut dx[g * plan.group * image_x..][..n * image_x];
                for_each(
                    plan.threads,
                    images(v, inputs, n)
                        .into_par_iter()
                        .zip(dx.par_chunks_mut(image_x)),
                    |(dv, dx)| {
                        dx.fill(F::ZERO);
                        tiles.add_input_adjoint(&dv, dx);
                    },
                );
            }
        });
    if !du.is_empty() {
        add_parts(&shape, &du, dw);
    }
}

/// The gradient of the weights from a group of images; `later` where it is not the first of its part.
fn backward_weights<F: Real>(
    shape: &Shape,
    rows: usize,
    later: bool,
    v: &[F],
    e: &[F],
    target: &mut Target<F>,
) {
    let inputs = shape.channels_in;
    match target {
        Target::Part(du) => {
            let mut du = du.chunks_exact_mut(BLOCK);
            for (o, width_o) in blocks(shape.channels_out) {
                let e = &e[POINTS * rows * o..];
                for ((c, width_c), du) in blocks(inputs).zip(&mut du) {
                    let v = &v[POINTS * rows * c..];
                    weights_block(rows, later, (v, width_c), (e, width_o), du);
                }
            }
        }
        Target::Weights(dw) => {
            dw.par_chunks_mut(SIDE * inputs * 9)
                .zip(e.par_chunks(POINTS * rows * SIDE))
                .for_each(|(dw, e)| {
                    let width_o = dw.len() / (inputs * 9);
                    let mut du = vec![F::ZERO; BLOCK];
                    for (c, width_c) in blocks(inputs) {
                        let v = &v[POINTS * rows * c..];
                        weights_block(rows, false, (v, width_c), (e, width_o), &mut du);
                        add_kernel_adjoint(shape, c, &du, dw);
                    }
                });
        }
    }
}

/// `dw +=` the gradient from the sum of the parts of du, in their order.
fn add_parts<F: Real>(shape: &Shape, du: &[F], dw: &mut [F]) {
    let inputs = shape.channels_in;
    let across = inputs.div_ceil(SIDE);
    let whole = across * shape.channels_out.div_ceil(SIDE) * BLOCK;
    dw.par_chunks_mut(SIDE * inputs * 9)
        .enumerate()
        .for_each(|(b, dw)| {
            for (c, _) in blocks(inputs) {
                let at = (b * across + c / SIDE) * BLOCK;
                let mut sum = du[at..at + BLOCK].to_vec();
                for part in du.chunks_exact(whole).skip(1) {
                    for (sum, du) in sum.iter_mut().zip(&part[at..at + BLOCK]) {
                        *sum += *du;
                    }
                }
                add_kernel_adjoint(shape, c, &sum, dw);
            }
        });
}
