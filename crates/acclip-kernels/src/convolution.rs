//! Two-dimensional convolution (cross-correlation) of images in NHWC, forward and backward.
//!
//! With x (N, H, W, I), w (O, I, K, K) as torchvision stores it, stride s, padding p, and x = 0 outside:
//!
//! ```text
//! y[n, i, j, o]   = bias[o] + Σ_{c, k, l} x[n, s i + k − p, s j + l − p, c] w[o, c, k, l]
//! dx[n, a, b, c]  = Σ_{o, k, l} dy[n, i, j, o] w[o, c, k, l]      over s i + k − p = a, s j + l − p = b
//! dw[o, c, k, l] += Σ_{n, i, j} dy[n, i, j, o] x[n, s i + k − p, s j + l − p, c]
//! ```
//!
//! [`forward`] and [`backward`] choose: kernels of 3 × 3 with stride 1 go by Winograd's minimal filtering
//! (`winograd.rs`), all else by im2col ([`direct`]).

use crate::{Real, winograd};
use rayon::prelude::*;

pub mod direct;

/// Sizes of a convolution: x is (N, H, W, I), w is (O, I, K, K), y is (N, H', W', O).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Images N.
    pub n: usize,
    /// Rows H of an input image.
    pub height: usize,
    /// Columns W of an input image.
    pub width: usize,
    /// Channels I of the input.
    pub channels_in: usize,
    /// Channels O of the output.
    pub channels_out: usize,
    /// Rows and columns K of the kernel.
    pub kernel: usize,
    /// Pixels from one patch to the next, down and across.
    pub stride: usize,
    /// Pixels of zeros around the image.
    pub padding: usize,
}

impl Shape {
    /// H' = ⌊(H + 2p − K)/s⌋ + 1.
    ///
    /// # Panics
    /// If the kernel is larger than the padded image.
    #[must_use]
    pub fn output_height(&self) -> usize {
        self.output(self.height)
    }

    /// W' = ⌊(W + 2p − K)/s⌋ + 1.
    ///
    /// # Panics
    /// If the kernel is larger than the padded image.
    #[must_use]
    pub fn output_width(&self) -> usize {
        self.output(self.width)
    }

    fn output(&self, size: usize) -> usize {
        assert!(self.stride > 0 && self.kernel > 0);
        let padded = size + 2 * self.padding;
        assert!(self.kernel <= padded, "a kernel larger than the image");
        (padded - self.kernel) / self.stride + 1
    }

    /// Entries H·W·I of an input image.
    #[must_use]
    pub fn input_image(&self) -> usize {
        self.height * self.width * self.channels_in
    }

    /// Entries H'·W'·O of an output image.
    #[must_use]
    pub fn output_image(&self) -> usize {
        self.output_height() * self.output_width() * self.channels_out
    }

    /// Entries O·I·K·K of the weights.
    #[must_use]
    pub fn weights(&self) -> usize {
        self.channels_out * self.patch()
    }

    /// Entries K·K·I of a patch.
    pub(crate) fn patch(&self) -> usize {
        self.kernel * self.kernel * self.channels_in
    }

    /// Floating-point operations of the direct algorithm, forward: 2·N·H'·W'·O·K·K·I.
    #[must_use]
    pub fn operations(&self) -> f64 {
        2.0 * self.n as f64 * self.output_image() as f64 * self.patch() as f64
    }

    /// Whether [`forward`] and [`backward`] go by Winograd's algorithm.
    #[must_use]
    pub fn is_winograd(&self) -> bool {
        self.kernel == 3 && self.stride == 1 && self.channels_in >= 8
    }

    pub(crate) fn check<F>(&self, x: &[F], w: &[F], y: &[F]) {
        assert_eq!(x.len(), self.n * self.input_image(), "x (N, H, W, I)");
        assert_eq!(w.len(), self.weights(), "w (O, I, K, K)");
        assert_eq!(y.len(), self.n * self.output_image(), "y (N, H', W', O)");
    }
}

/// `y ← x ∗ w + bias`, with x (N, H, W, I), w (O, I, K, K), bias (O), y (N, H', W', O).
///
/// # Panics
/// If a length does not fit `shape`.
pub fn forward<F: Real>(shape: Shape, x: &[F], w: &[F], bias: Option<&[F]>, y: &mut [F]) {
    if shape.is_winograd() {
        winograd::forward(shape, x, w, y);
    } else {
        direct::forward(shape, x, w, y);
    }
    if let Some(bias) = bias {
        assert_eq!(bias.len(), shape.channels_out, "bias (O)");
        y.par_chunks_mut(shape.output_image().max(1))
            .for_each(|image| {
                for pixel in image.chunks_exact_mut(bias.len().max(1)) {
                    for (y, bias) in pixel.iter_mut().zip(bias) {
                        *y += *bias;
                    }
                }
            });
    }
}

/// `dx ←` and `dw +=` the gradients, from dy (N, H', W', O). A first layer needs no `dx`. The gradient of the
/// bias is [`crate::chunks::add_column_sums`] of dy.
///
/// # Panics
/// If a length does not fit `shape`.
pub fn backward<F: Real>(
    shape: Shape,
    x: &[F],
    w: &[F],
    dy: &[F],
    dx: Option<&mut [F]>,
    dw: &mut [F],
) {
    if shape.is_winograd() {
        winograd::backward(shape, x, w, dy, dx, dw);
    } else {
        if let Some(dx) = dx {
            direct::backward_data(shape, dy, w, dx);
        }
        direct::backward_weights(shape, x, dy, dw);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Numbers in (−1, 1).
    pub(crate) fn random(len: usize, seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..len).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    /// y, dx and dw by the definition.
    fn naive(s: Shape, x: &[f64], w: &[f64], dy: &[f64]) -> [Vec<f64>; 3] {
        let (h, width) = (s.output_height(), s.output_width());
        let mut y = vec![0.0; dy.len()];
        let mut dx = vec![0.0; x.len()];
        let mut dw = vec![0.0; w.len()];
        for n in 0..s.n {
            for i in 0..h {
                for j in 0..width {
                    for k in 0..s.kernel {
                        for l in 0..s.kernel {
                            let (a, b) = (i * s.stride + k, j * s.stride + l);
                            if a < s.padding || b < s.padding {
                                continue;
                            }
                            let (a, b) = (a - s.padding, b - s.padding);
                            if a >= s.height || b >= s.width {
                                continue;
                            }
                            for o in 0..s.channels_out {
                                for c in 0..s.channels_in {
                                    let at_y = ((n * h + i) * width + j) * s.channels_out + o;
                                    let at_x =
                                        ((n * s.height + a) * s.width + b) * s.channels_in + c;
                                    let at_w =
                                        ((o * s.channels_in + c) * s.kernel + k) * s.kernel + l;
                                    y[at_y] += x[at_x] * w[at_w];
                                    dx[at_x] += dy[at_y] * w[at_w];
                                    dw[at_w] += dy[at_y] * x[at_x];
                                }
                            }
                        }
                    }
                }
            }
        }
        [y, dx, dw]
    }

    fn shape(
        n: usize,
        (height, width): (usize, usize),
        channels_in: usize,
        channels_out: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> Shape {
        Shape {
            n,
            height,
            width,
            channels_in,
            channels_out,
            kernel,
            stride,
            padding,
        }
    }

    /// The largest difference, as a part of the root mean square of `b`.
    fn error<F: Real>(a: &[F], b: &[f64]) -> f64 {
        assert_eq!(a.len(), b.len());
        let square: f64 = b.iter().map(|b| b * b).sum::<f64>() / b.len().max(1) as f64;
        let worst = a
            .iter()
            .zip(b)
            .map(|(a, b)| (a.f64() - b).abs())
            .fold(0.0, f64::max);
        worst / square.sqrt().max(f64::MIN_POSITIVE)
    }

    /// Shapes, and whether they go by Winograd's algorithm.
    fn shapes() -> Vec<(Shape, bool)> {
        vec![
            (shape(3, (9, 7), 19, 5, 3, 1, 1), true),
            (shape(1, (4, 4), 16, 16, 3, 1, 1), true),
            (shape(9, (5, 6), 8, 17, 3, 1, 0), true),
            (shape(2, (3, 3), 33, 8, 3, 1, 2), true),
            // Six parts, the last one shorter, of two groups, the last one shorter.
            (shape(17, (20, 20), 68, 64, 3, 1, 1), true),
            // Six blocks of channels, so threads over blocks.
            (shape(2, (2, 2), 180, 190, 3, 1, 1), true),
            // The same with two groups, the last one shorter.
            (shape(3, (66, 66), 8, 320, 3, 1, 1), true),
            (shape(0, (5, 5), 8, 8, 3, 1, 1), true),
            (shape(2, (8, 9), 3, 5, 3, 1, 1), false),
            (shape(2, (8, 9), 6, 5, 3, 2, 1), false),
            (shape(3, (8, 9), 6, 5, 1, 2, 0), false),
            (shape(3, (5, 7), 6, 5, 1, 1, 0), false),
            (shape(2, (5, 7), 6, 5, 1, 1, 1), false),
            (shape(2, (15, 16), 3, 5, 7, 2, 3), false),
            (shape(1, (23, 20), 3, 5, 11, 4, 2), false),
            (shape(1, (3, 3), 2, 3, 3, 5, 0), false),
            // Blocks of rows across images, and a padding wider than the kernel.
            (shape(12, (33, 34), 40, 24, 3, 2, 1), false),
            (shape(2, (3, 2), 4, 3, 2, 1, 3), false),
            (shape(0, (5, 5), 8, 8, 3, 2, 1), false),
        ]
    }

    /// x, w and dy.
    fn operands<F: Real>(s: Shape) -> [Vec<F>; 3] {
        [s.n * s.input_image(), s.weights(), s.n * s.output_image()]
            .map(|len| random(len, len as u64).into_iter().map(F::of).collect())
    }

    /// y, dx and dw, the last one added to ones.
    fn results<F: Real>(s: Shape, [x, w, dy]: &[Vec<F>; 3]) -> [Vec<F>; 3] {
        let [mut dx, mut dw, mut y] = [x, w, dy].map(|v| vec![F::ONE; v.len()]);
        forward(s, x, w, None, &mut y);
        backward(s, x, w, dy, Some(&mut dx), &mut dw);
        [y, dx, dw]
    }

    fn agrees<F: Real>(winograd: f64, direct: f64) {
        for (s, is_winograd) in shapes() {
            assert_eq!(s.is_winograd(), is_winograd, "{s:?}");
            let operands = operands::<F>(s);
            let [x, w, dy] = operands
                .each_ref()
                .map(|v| v.iter().map(|v| v.f64()).collect::<Vec<_>>());
            let [y, dx, mut dw] = naive(s, &x, &w, &dy);
            dw.iter_mut().for_each(|dw| *dw += 1.0);
            let results = results(s, &operands);
            for ((name, result), expected) in
                ["y", "dx", "dw"].iter().zip(&results).zip([y, dx, dw])
            {
                let error = error(result, &expected);
                let tolerance = if is_winograd { winograd } else { direct };
                assert!(error <= tolerance, "{name} of {s:?}: {error}");
            }
        }
    }

    #[test]
    fn agrees_with_the_definition_in_f64() {
        agrees::<f64>(1e-13, 5e-14);
    }

    #[test]
    fn agrees_with_the_definition_in_f32() {
        agrees::<f32>(1.2e-5, 5e-6);
    }

    /// At the size of a layer of ResNet-18, in every entry within 1.2e-5 of the root mean square.
    #[test]
    fn winograd_agrees_with_direct() {
        for s in [
            shape(8, (32, 32), 64, 64, 3, 1, 1),
            shape(32, (4, 4), 512, 512, 3, 1, 1),
        ] {
            let operands = operands::<f32>(s);
            let [x, w, dy] = operands
                .each_ref()
                .map(|v| v.iter().map(|v| v.f64()).collect::<Vec<_>>());
            let [mut dx, mut dw, mut y] = [&x, &w, &dy].map(|v| vec![1.0; v.len()]);
            direct::forward(s, &x, &w, &mut y);
            direct::backward_data(s, &dy, &w, &mut dx);
            direct::backward_weights(s, &x, &dy, &mut dw);
            for (result, expected) in results(s, &operands).iter().zip([y, dx, dw]) {
                let error = error(result, &expected);
                assert!(error <= 1.2e-5, "{s:?}: {error}");
            }
        }
    }

    #[test]
    fn the_same_bits_on_any_number_of_threads() {
        for (s, _) in shapes() {
            let operands = operands::<f32>(s);
            let on = |threads| {
                let pool = rayon::ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .build()
                    .unwrap();
                pool.install(|| results(s, &operands))
            };
            let one = on(1);
            for threads in [1, 2, 3, 4] {
                assert_eq!(on(threads), one, "{s:?} on {threads} threads");
            }
        }
    }

    #[test]
    fn a_bias_is_added_and_dx_may_be_left_out() {
        for s in [
            shape(2, (5, 6), 8, 7, 3, 1, 1),
            shape(2, (5, 6), 3, 7, 3, 2, 1),
        ] {
            let operands = operands::<f64>(s);
            let [x, w, dy] = &operands;
            let [y, _, dw] = results(s, &operands);
            let bias = random(7, 4);
            let (mut with_bias, mut only_dw) = (y.clone(), vec![1.0; w.len()]);
            forward(s, x, w, Some(&bias), &mut with_bias);
            for (i, (with, without)) in with_bias.iter().zip(y).enumerate() {
                assert_eq!(*with, without + bias[i % 7]);
            }
            backward(s, x, w, dy, None, &mut only_dw);
            assert_eq!(only_dw, dw);
        }
    }

    #[test]
    #[should_panic(expected = "x (N, H, W, I)")]
    fn a_wrong_length_panics() {
        let s = shape(1, (4, 4), 8, 8, 3, 1, 1);
        forward(
            s,
            &[0.0_f32; 127],
            &vec![0.0; s.weights()],
            None,
            &mut [0.0; 128],
        );
    }
}
