//! Transformed weights u and their gradient du, by blocks of channels.

use super::transforms::{self, IN, LANES, Lanes, both};
use super::{BLOCK, SIDE, is_small};
use crate::Real;
use crate::convolution::Shape;
use rayon::prelude::*;

/// The rows and the columns of a block of u: the input channels are the rows forward, the columns backward.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Forward.
    Input,
    /// Backward.
    Output,
}

/// The transformed weights, by blocks (36, 64, 64).
pub struct Kernel<'a, F> {
    pub shape: Shape,
    w: &'a [F],
    rows: Rows,
    /// All blocks, where they are small.
    blocks: Vec<F>,
}

impl<'a, F: Real> Kernel<'a, F> {
    pub fn new(shape: Shape, w: &'a [F], rows: Rows) -> Self {
        let mut kernel = Self {
            shape,
            w,
            rows,
            blocks: Vec::new(),
        };
        if is_small(&shape) {
            let across = shape.channels_in.div_ceil(SIDE);
            let mut blocks = vec![F::ZERO; across * shape.channels_out.div_ceil(SIDE) * BLOCK];
            blocks.par_chunks_mut(BLOCK).enumerate().for_each(|(i, u)| {
                kernel.transform(i % across * SIDE, i / across * SIDE, u);
            });
            kernel.blocks = blocks;
        }
        kernel
    }

    /// Room for [`Kernel::block`].
    pub fn scratch(&self) -> Vec<F> {
        let len = if self.blocks.is_empty() { BLOCK } else { 0 };
        vec![F::ZERO; len]
    }

    /// The block from input channel `c` and output channel `o` on; `scratch` (BLOCK) may come to hold it.
    pub fn block<'b>(&'b self, c: usize, o: usize, scratch: &'b mut [F]) -> &'b [F] {
        if self.blocks.is_empty() {
            self.transform(c, o, scratch);
            return scratch;
        }
        let i = o / SIDE * self.shape.channels_in.div_ceil(SIDE) + c / SIDE;
        &self.blocks[i * BLOCK..(i + 1) * BLOCK]
    }

    /// `u ← G w Gᵀ` of a block, (36, rows, columns).
    fn transform(&self, c: usize, o: usize, u: &mut [F]) {
        let inputs = self.shape.channels_in;
        let w = &self.w[(o * inputs + c) * 9..];
        let down = (SIDE.min(inputs - c), 9);
        let across = (SIDE.min(self.shape.channels_out - o), inputs * 9);
        let ((rows, row), (columns, column)) = match self.rows {
            Rows::Input => (down, across),
            Rows::Output => (across, down),
        };
        crate::vectorized(
            #[inline(always)]
            || {
                for r in 0..rows {
                    for c in (0..columns).step_by(LANES) {
                        let lanes = LANES.min(columns - c);
                        let mut tile = [[Lanes::ZERO; 3]; 3];
                        for l in 0..lanes {
                            let w = &w[r * row + (c + l) * column..][..9];
                            for k in 0..9 {
                                tile[k / 3][k % 3].0[l] = w[k];
                            }
                        }
                        both(
                            #[inline(always)]
                            |i, j| tile[i][j],
                            #[inline(always)]
                            |w| transforms::kernel(w),
                            #[inline(always)]
                            |i, j, w| {
                                w.store(&mut u[((i * IN + j) * rows + r) * columns + c..][..lanes]);
                            },
                        );
                    }
                }
            },
        );
    }
}

/// `dw += Gᵀ du G` of a block du (36, outputs, inputs), from input channel `c` on; `dw` are its outputs' weights.
pub fn add_kernel_adjoint<F: Real>(shape: &Shape, c: usize, du: &[F], dw: &mut [F]) {
    let columns = SIDE.min(shape.channels_in - c);
    let rows = dw.len() / (shape.channels_in * 9);
    crate::vectorized(
        #[inline(always)]
        || {
            for r in 0..rows {
                let dw = &mut dw[(r * shape.channels_in + c) * 9..][..columns * 9];
                for c in (0..columns).step_by(LANES) {
                    let lanes = LANES.min(columns - c);
                    let mut tile = [[Lanes::ZERO; 3]; 3];
                    both(
                        #[inline(always)]
                        |i, j| Lanes::load(&du[((i * IN + j) * rows + r) * columns + c..][..lanes]),
                        #[inline(always)]
                        |u| transforms::kernel_adjoint(u),
                        #[inline(always)]
                        |i, j, w| tile[i][j] = w,
                    );
                    for l in 0..lanes {
                        let dw = &mut dw[(c + l) * 9..][..9];
                        for k in 0..9 {
                            dw[k] += tile[k / 3][k % 3].0[l];
                        }
                    }
                }
            }
        },
    );
}
