//! Adaptive average pooling of images in NHWC to a grid of a fixed size, forward and backward.
//!
//! Cell (p, q) of a grid of P × Q is the mean of a window of the image:
//!
//! ```text
//! rows     ⌊p H / P⌋ … ⌈(p + 1) H / P⌉ − 1
//! columns  ⌊q W / Q⌋ … ⌈(q + 1) W / Q⌉ − 1
//! y[n, c, p, q] = mean of x[n, i, j, c] over the window
//! ```
//!
//! Windows overlap where H is no multiple of P, and an image smaller than the grid is spread over it: as PyTorch's
//! `AdaptiveAvgPool2d`. The output has its channels first, in the order in which torchvision flattens it for a linear
//! layer.

use crate::Real;
use rayon::prelude::*;
use std::ops::Range;

/// Sizes of an adaptive pooling: x is (N, H, W, C), y is (N, C, P, Q).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Images N.
    pub n: usize,
    /// Rows H and columns W of an image.
    pub image: [usize; 2],
    /// Rows P and columns Q of the grid.
    pub grid: [usize; 2],
    /// Channels C.
    pub channels: usize,
}

impl Shape {
    /// Entries H·W·C of an image.
    #[must_use]
    pub fn input_image(&self) -> usize {
        self.image[0] * self.image[1] * self.channels
    }

    /// Entries C·P·Q of an image's output.
    #[must_use]
    pub fn output_image(&self) -> usize {
        self.grid[0] * self.grid[1] * self.channels
    }

    fn check<F>(&self, x: &[F], y: &[F]) {
        assert!(!self.image.contains(&0), "an image without pixels");
        assert!(!self.grid.contains(&0), "a grid without cells");
        assert_eq!(x.len(), self.n * self.input_image(), "x (N, H, W, C)");
        assert_eq!(y.len(), self.n * self.output_image(), "y (N, C, P, Q)");
    }

    /// Rows (axis 0) or columns (axis 1) of the window of cell `p`.
    fn window(&self, axis: usize, p: usize) -> Range<usize> {
        let (size, cells) = (self.image[axis], self.grid[axis]);
        p * size / cells..((p + 1) * size).div_ceil(cells)
    }

    /// Calls `f` with each cell, p Q + q, where each pixel of its window starts, and how many pixels the window has.
    fn pixels(&self, mut f: impl FnMut(usize, usize, usize)) {
        for p in 0..self.grid[0] {
            for q in 0..self.grid[1] {
                let (rows, columns) = (self.window(0, p), self.window(1, q));
                let count = rows.len() * columns.len();
                for i in rows {
                    for j in columns.clone() {
                        let at = (i * self.image[1] + j) * self.channels;
                        f(p * self.grid[1] + q, at, count);
                    }
                }
            }
        }
    }
}

/// `y ←` the means (N, C, P, Q), from x (N, H, W, C). The sums are `f64`.
///
/// # Panics
/// If a length does not fit, or an image or the grid is empty.
pub fn forward<F: Real>(shape: Shape, x: &[F], y: &mut [F]) {
    shape.check(x, y);
    if y.is_empty() {
        return;
    }
    let (channels, cells) = (shape.channels, shape.grid[0] * shape.grid[1]);
    y.par_chunks_exact_mut(shape.output_image())
        .zip(x.par_chunks_exact(shape.input_image()))
        .for_each(|(y, x)| {
            let mut means = vec![0.0; cells * channels];
            shape.pixels(|cell, at, count| {
                let means = &mut means[cell * channels..][..channels];
                for (mean, x) in means.iter_mut().zip(&x[at..]) {
                    *mean += x.f64() / count as f64;
                }
            });
            for (c, y) in y.chunks_exact_mut(cells).enumerate() {
                for (cell, y) in y.iter_mut().enumerate() {
                    *y = F::of(means[cell * channels + c]);
                }
            }
        });
}

/// `dx ←` the gradient (N, H, W, C), from dy (N, C, P, Q).
///
/// # Panics
/// As [`forward`].
pub fn backward<F: Real>(shape: Shape, dy: &[F], dx: &mut [F]) {
    shape.check(dx, dy);
    if dx.is_empty() {
        return;
    }
    let (channels, cells) = (shape.channels, shape.grid[0] * shape.grid[1]);
    dx.par_chunks_exact_mut(shape.input_image())
        .zip(dy.par_chunks_exact(shape.output_image()))
        .for_each(|(dx, dy)| {
            let mut sums = vec![0.0; dx.len()];
            shape.pixels(|cell, at, count| {
                let sums = &mut sums[at..at + channels];
                for (sum, dy) in sums.iter_mut().zip(dy.chunks_exact(cells)) {
                    *sum += dy[cell].f64() / count as f64;
                }
            });
            for (dx, sum) in dx.iter_mut().zip(sums) {
                *dx = F::of(sum);
            }
        });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, same_on_threads, values};

    fn shape(n: usize, image: [usize; 2], grid: [usize; 2], channels: usize) -> Shape {
        Shape {
            n,
            image,
            grid,
            channels,
        }
    }

    fn run<F: Real>(s: Shape, x: &[F], dy: &[F]) -> [Vec<F>; 2] {
        let (mut y, mut dx) = (vec![F::ONE; dy.len()], vec![F::ONE; x.len()]);
        forward(s, x, &mut y);
        backward(s, dy, &mut dx);
        [y, dx]
    }

    /// PyTorch 2.13.0: `F.adaptive_avg_pool1d(torch.tensor([[1., 2., 4., 8., 16.]]), 3)`, and to 7 and 5.
    #[test]
    fn windows_are_those_of_pytorch() {
        let x = [1.0, 2.0, 4.0, 8.0, 16.0];
        for (cells, expected) in [
            (3, vec![1.5, 14.0 / 3.0, 12.0]),
            (7, vec![1.0, 1.5, 3.0, 4.0, 6.0, 12.0, 16.0]),
            (5, x.to_vec()),
            (1, vec![6.2]),
        ] {
            let mut y = vec![7.0; cells];
            forward(shape(1, [5, 1], [cells, 1], 1), &x, &mut y);
            assert_close(&y, &expected, 1e-15);
            forward(shape(1, [1, 5], [1, cells], 1), &x, &mut y);
            assert_close(&y, &expected, 1e-15);
        }
    }

    /// Each cell averages its window, channels come first, and the gradient is the transposed map.
    #[test]
    fn agrees_with_the_definition() {
        for s in [
            shape(2, [12, 6], [6, 6], 5),
            shape(3, [7, 4], [3, 2], 17),
            shape(1, [1, 2], [6, 6], 3),
            shape(0, [3, 3], [2, 2], 4),
        ] {
            let x = values::<f64>(s.n * s.input_image(), 1);
            let dy = values::<f64>(s.n * s.output_image(), 2);
            let mut expected = [vec![0.0; dy.len()], vec![0.0; x.len()]];
            let ([h, w], [p, q], c) = (s.image, s.grid, s.channels);
            let inside = |i: usize, size: usize, cell: usize, cells: usize| {
                // Pixel i and the cell overlap as intervals.
                i * cells < (cell + 1) * size && (i + 1) * cells > cell * size
            };
            for (at_y, dy) in dy.iter().enumerate() {
                let (n, at) = (at_y / (c * p * q), at_y % (c * p * q));
                let (channel, row, column) = (at / (p * q), at / q % p, at % q);
                let pixels: Vec<usize> = (0..h * w)
                    .filter(|at| inside(at / w, h, row, p) && inside(at % w, w, column, q))
                    .map(|at| (n * h * w + at) * c + channel)
                    .collect();
                for at in &pixels {
                    expected[0][at_y] += x[*at] / pixels.len() as f64;
                    expected[1][*at] += dy / pixels.len() as f64;
                }
            }
            let narrow = |v: &[f64]| v.iter().map(|x| *x as f32).collect::<Vec<_>>();
            let single = run(s, &narrow(&x), &narrow(&dy));
            for ((y, single), expected) in run(s, &x, &dy).iter().zip(&single).zip(&expected) {
                assert_close(y, expected, 1e-14);
                assert_close(single, expected, 2e-7);
            }
        }
    }

    #[test]
    fn same_bits() {
        let s = shape(7, [9, 5], [6, 6], 19);
        let x = values::<f32>(s.n * s.input_image(), 1);
        let dy = values::<f32>(s.n * s.output_image(), 2);
        same_on_threads(|| run(s, &x, &dy).concat());
    }

    #[test]
    #[should_panic(expected = "x (N, H, W, C)")]
    fn a_wrong_length_panics() {
        forward(shape(1, [2, 2], [1, 1], 3), &[0.0_f32; 11], &mut [0.0; 3]);
    }
}
