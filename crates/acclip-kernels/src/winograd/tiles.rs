//! Transformed images: where their entries stand, and the passes from and to images.

use super::transforms::{self, IN, LANES, Lanes, OUT, POINTS, both};
use super::{SIDE, blocks};
use crate::Real;
use crate::convolution::Shape;

/// The tiles of an image.
#[derive(Clone, Copy)]
pub struct Tiles {
    shape: Shape,
    /// Tiles across.
    columns: usize,
    /// Tiles of an image.
    pub count: usize,
}

impl Tiles {
    pub fn new(shape: Shape) -> Self {
        let columns = shape.output_width().div_ceil(OUT);
        Self {
            shape,
            columns,
            count: columns * shape.output_height().div_ceil(OUT),
        }
    }

    /// Where in an input image entry (i, j) of a tile starts.
    #[inline(always)]
    fn input(&self, tile: usize, i: usize, j: usize) -> Option<usize> {
        let s = &self.shape;
        let row = (tile / self.columns * OUT + i).wrapping_sub(s.padding);
        let column = (tile % self.columns * OUT + j).wrapping_sub(s.padding);
        (row < s.height && column < s.width).then(|| (row * s.width + column) * s.channels_in)
    }

    /// Where in an output image entry (i, j) of a tile starts.
    #[inline(always)]
    fn output(
        &self,
        tile: usize,
        i: usize,
        j: usize,
        height: usize,
        width: usize,
    ) -> Option<usize> {
        let row = tile / self.columns * OUT + i;
        let column = tile % self.columns * OUT + j;
        (row < height && column < width).then(|| (row * width + column) * self.shape.channels_out)
    }

    /// `v ← Bᵀ d B` of every tile of an image.
    pub fn transform_input<F: Real>(&self, x: &[F], v: &mut [&mut [F]]) {
        let channels = self.shape.channels_in;
        crate::vectorized(
            #[inline(always)]
            || {
                for tile in 0..self.count {
                    for c in (0..channels).step_by(LANES) {
                        let lanes = LANES.min(channels - c);
                        let (first, at) = place(channels, tile, c);
                        both(
                            #[inline(always)]
                            |i, j| match self.input(tile, i, j) {
                                Some(at) => Lanes::load(&x[at + c..][..lanes]),
                                None => Lanes::ZERO,
                            },
                            #[inline(always)]
                            |d| transforms::input(d),
                            #[inline(always)]
                            |i, j, d| d.store(&mut v[first + i * IN + j][at..][..lanes]),
                        );
                    }
                }
            },
        );
    }

    /// `e ← A dy Aᵀ` of every tile of an image.
    pub fn transform_gradient<F: Real>(&self, dy: &[F], e: &mut [&mut [F]]) {
        let channels = self.shape.channels_out;
        let (height, width) = (self.shape.output_height(), self.shape.output_width());
        crate::vectorized(
            #[inline(always)]
            || {
                for tile in 0..self.count {
                    for c in (0..channels).step_by(LANES) {
                        let lanes = LANES.min(channels - c);
                        let (first, at) = place(channels, tile, c);
                        both(
                            #[inline(always)]
                            |i, j| match self.output(tile, i, j, height, width) {
                                Some(at) => Lanes::load(&dy[at + c..][..lanes]),
                                None => Lanes::ZERO,
                            },
                            #[inline(always)]
                            |g| transforms::output_adjoint(g),
                            #[inline(always)]
                            |i, j, g| g.store(&mut e[first + i * IN + j][at..][..lanes]),
                        );
                    }
                }
            },
        );
    }

    /// `y ← Aᵀ m A` of every tile of an image.
    pub fn transform_output<F: Real>(&self, m: &[&[F]], y: &mut [F]) {
        let channels = self.shape.channels_out;
        let (height, width) = (self.shape.output_height(), self.shape.output_width());
        crate::vectorized(
            #[inline(always)]
            || {
                for tile in 0..self.count {
                    for c in (0..channels).step_by(LANES) {
                        let lanes = LANES.min(channels - c);
                        let (first, at) = place(channels, tile, c);
                        both(
                            #[inline(always)]
                            |i, j| Lanes::load(&m[first + i * IN + j][at..][..lanes]),
                            #[inline(always)]
                            |m| transforms::output(m),
                            #[inline(always)]
                            |i, j, out| {
                                if let Some(at) = self.output(tile, i, j, height, width) {
                                    out.store(&mut y[at + c..][..lanes]);
                                }
                            },
                        );
                    }
                }
            },
        );
    }

    /// `dx += B dv Bᵀ` of every tile of an image.
    pub fn add_input_adjoint<F: Real>(&self, v: &[&[F]], dx: &mut [F]) {
        let channels = self.shape.channels_in;
        crate::vectorized(
            #[inline(always)]
            || {
                for tile in 0..self.count {
                    for c in (0..channels).step_by(LANES) {
                        let lanes = LANES.min(channels - c);
                        let (first, at) = place(channels, tile, c);
                        both(
                            #[inline(always)]
                            |i, j| Lanes::load(&v[first + i * IN + j][at..][..lanes]),
                            #[inline(always)]
                            |v| transforms::input_adjoint(v),
                            #[inline(always)]
                            |i, j, d| {
                                if let Some(at) = self.input(tile, i, j) {
                                    let dx = &mut dx[at + c..][..lanes];
                                    (Lanes::load(dx) + d).store(dx);
                                }
                            },
                        );
                    }
                }
            },
        );
    }
}

/// Transformed images are (⌈C/64⌉, 36, tiles, 64), the last block narrower where 64 does not divide C. Of one
/// image's tiles, in the list of [`images_mut`]: the first slice of the block with channel `c`, and where in
/// each slice it stands.
#[inline(always)]
fn place(channels: usize, tile: usize, c: usize) -> (usize, usize) {
    let start = c / SIDE * SIDE;
    let width = SIDE.min(channels - start);
    (c / SIDE * POINTS, tile * width + c - start)
}

/// Transformed images, cut into images: of each, a slice of every block and point.
pub fn images_mut<F>(mut data: &mut [F], channels: usize, n: usize) -> Vec<Vec<&mut [F]>> {
    let tiles = data.len() / (POINTS * channels * n);
    let mut images: Vec<Vec<_>> = (0..n).map(|_| Vec::new()).collect();
    for (_, width) in blocks(channels) {
        for _ in 0..POINTS {
            for image in &mut images {
                let (slice, rest) = data.split_at_mut(tiles * width);
                image.push(slice);
                data = rest;
            }
        }
    }
    images
}

/// As [`images_mut`].
pub fn images<F>(mut data: &[F], channels: usize, n: usize) -> Vec<Vec<&[F]>> {
    let tiles = data.len() / (POINTS * channels * n);
    let mut images: Vec<Vec<_>> = (0..n).map(|_| Vec::new()).collect();
    for (_, width) in blocks(channels) {
        for _ in 0..POINTS {
            for image in &mut images {
                let (slice, rest) = data.split_at(tiles * width);
                image.push(slice);
                data = rest;
            }
        }
    }
    images
}
