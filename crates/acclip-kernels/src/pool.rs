//! Max-pooling and global average pooling of images in NHWC, forward and backward.
//!
//! ```text
//! max:      y[n, i, j, c] = max_{k, l} x[n, s i + k − p, s j + l − p, c]      over pixels inside the image
//! average:  y[n, c]       = Σ_{i, j} x[n, i, j, c] / (H W)
//! ```
//!
//! Of equal maxima the first counts, in the order (k, l), and NaN counts as the largest: as in PyTorch.

use crate::Real;
use crate::convolution::Shape;
use rayon::prelude::*;

fn check<F>(shape: &Shape, x: &[F], y: &[F], place: &[u8]) {
    assert_eq!(shape.channels_in, shape.channels_out, "C");
    assert!(
        2 * shape.padding <= shape.kernel,
        "a window of padding alone"
    );
    assert!(shape.kernel <= 16, "a place is a byte");
    assert_eq!(x.len(), shape.n * shape.input_image(), "x (N, H, W, C)");
    assert_eq!(y.len(), shape.n * shape.output_image(), "y (N, H', W', C)");
    assert_eq!(place.len(), y.len(), "place (N, H', W', C)");
}

/// Calls `f` with the entries of every window inside an image: where the output pixel starts, the place K k + l
/// in the window, and where the input pixel starts.
#[inline(always)]
fn windows(shape: &Shape, mut f: impl FnMut(usize, usize, usize)) {
    let width = shape.output_width();
    for pixel in 0..shape.output_height() * width {
        for place in 0..shape.kernel * shape.kernel {
            let row =
                (pixel / width * shape.stride + place / shape.kernel).wrapping_sub(shape.padding);
            let column =
                (pixel % width * shape.stride + place % shape.kernel).wrapping_sub(shape.padding);
            if row < shape.height && column < shape.width {
                let x = (row * shape.width + column) * shape.channels_in;
                f(pixel * shape.channels_in, place, x);
            }
        }
    }
}

/// `y ←` the maxima and `place ←` where they stand in their windows (K k + l), from x (N, H, W, C), y and place
/// (N, H', W', C). The shape is that of a convolution with as many channels out as in; K ≤ 16, p ≤ K/2.
///
/// # Panics
/// If a length or a size does not fit.
pub fn max_forward<F: Real>(shape: Shape, x: &[F], y: &mut [F], place: &mut [u8]) {
    check(&shape, x, y, place);
    if y.is_empty() {
        return;
    }
    let channels = shape.channels_in;
    y.par_chunks_mut(shape.output_image())
        .zip(place.par_chunks_mut(shape.output_image()))
        .zip(x.par_chunks(shape.input_image()))
        .for_each(|((y, place), x)| {
            y.fill(F::NEG_INFINITY);
            place.fill(u8::MAX);
            crate::vectorized(
                #[inline(always)]
                || {
                    windows(
                        &shape,
                        #[inline(always)]
                        |at, k, from| {
                            let y = &mut y[at..at + channels];
                            let place = &mut place[at..at + channels];
                            let x = &x[from..from + channels];
                            for ((y, place), x) in y.iter_mut().zip(place).zip(x) {
                                // A first −∞ is a maximum too.
                                let nan = x.partial_cmp(x).is_none();
                                if *x > *y || nan || *place == u8::MAX {
                                    *y = *x;
                                    *place = k as u8;
                                }
                            }
                        },
                    );
                },
            );
        });
}

/// `dx ←` the gradient (N, H, W, C), from dy and place (N, H', W', C).
///
/// # Panics
/// If a length or a size does not fit.
pub fn max_backward<F: Real>(shape: Shape, dy: &[F], place: &[u8], dx: &mut [F]) {
    check(&shape, dx, dy, place);
    dx.fill(F::ZERO);
    if dy.is_empty() {
        return;
    }
    let channels = shape.channels_in;
    dx.par_chunks_mut(shape.input_image())
        .zip(dy.par_chunks(shape.output_image()))
        .zip(place.par_chunks(shape.output_image()))
        .for_each(|((dx, dy), place)| {
            crate::vectorized(
                #[inline(always)]
                || {
                    windows(
                        &shape,
                        #[inline(always)]
                        |at, k, to| {
                            let dy = &dy[at..at + channels];
                            let place = &place[at..at + channels];
                            let dx = &mut dx[to..to + channels];
                            for ((dx, dy), place) in dx.iter_mut().zip(dy).zip(place) {
                                *dx += if usize::from(*place) == k {
                                    *dy
                                } else {
                                    F::ZERO
                                };
                            }
                        },
                    );
                },
            );
        });
}

/// `y ←` the mean of every channel of every image, from x (N, P, C) with P = H·W pixels, and y (N, C). The sum is
/// `f64`.
///
/// # Panics
/// If a length does not fit.
pub fn average_forward<F: Real>(pixels: usize, channels: usize, x: &[F], y: &mut [F]) {
    if y.is_empty() {
        assert!(x.is_empty(), "x (N, P, C)");
        return;
    }
    assert_eq!(x.len(), y.len() * pixels, "x (N, P, C)");
    y.par_chunks_exact_mut(channels)
        .zip(x.par_chunks_exact(pixels * channels))
        .for_each(|(y, x)| {
            let mut sums = vec![0.0; channels];
            crate::vectorized(
                #[inline(always)]
                || {
                    for pixel in x.chunks_exact(channels) {
                        for (sum, x) in sums.iter_mut().zip(pixel) {
                            *sum += x.f64();
                        }
                    }
                },
            );
            for (y, sum) in y.iter_mut().zip(sums) {
                *y = F::of(sum / pixels as f64);
            }
        });
}

/// `dx ←` the gradient (N, P, C), from dy (N, C).
///
/// # Panics
/// If a length does not fit.
pub fn average_backward<F: Real>(pixels: usize, channels: usize, dy: &[F], dx: &mut [F]) {
    assert_eq!(dx.len(), dy.len() * pixels, "dx (N, P, C)");
    if dx.is_empty() {
        return;
    }
    let part = F::of(1.0 / pixels as f64);
    dx.par_chunks_exact_mut(pixels * channels)
        .zip(dy.par_chunks_exact(channels))
        .for_each(|(dx, dy)| {
            for pixel in dx.chunks_exact_mut(channels) {
                for (dx, dy) in pixel.iter_mut().zip(dy) {
                    *dx = *dy * part;
                }
            }
        });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convolution::tests::random;

    fn shape(
        n: usize,
        height: usize,
        width: usize,
        [channels, kernel, stride, padding]: [usize; 4],
    ) -> Shape {
        Shape {
            n,
            height,
            width,
            channels_in: channels,
            channels_out: channels,
            kernel,
            stride,
            padding,
        }
    }

    /// The maxima, and dx from dy, an output entry at a time.
    fn naive(s: Shape, x: &[f64], dy: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (mut y, mut dx) = (Vec::new(), vec![0.0; x.len()]);
        for n in 0..s.n {
            for i in 0..s.output_height() {
                for j in 0..s.output_width() {
                    for c in 0..s.channels_in {
                        let mut best: Option<usize> = None;
                        for a in 0..s.height {
                            for b in 0..s.width {
                                let inside = |a: usize, i: usize| {
                                    (i * s.stride..i * s.stride + s.kernel)
                                        .contains(&(a + s.padding))
                                };
                                let at = ((n * s.height + a) * s.width + b) * s.channels_in + c;
                                if inside(a, i)
                                    && inside(b, j)
                                    && best.is_none_or(|best| x[at] > x[best])
                                {
                                    best = Some(at);
                                }
                            }
                        }
                        let best = best.unwrap();
                        dx[best] += dy[y.len()];
                        y.push(x[best]);
                    }
                }
            }
        }
        (y, dx)
    }

    fn run<F: Real>(s: Shape, x: &[F], dy: &[F]) -> (Vec<F>, Vec<F>) {
        let (mut y, mut dx) = (vec![F::ONE; dy.len()], vec![F::ONE; x.len()]);
        let mut place = vec![9; dy.len()];
        max_forward(s, x, &mut y, &mut place);
        max_backward(s, dy, &place, &mut dx);
        (y, dx)
    }

    #[test]
    fn maxima_agree_with_the_definition() {
        for s in [
            shape(2, 9, 7, [5, 3, 2, 1]),
            shape(3, 6, 6, [17, 2, 2, 0]),
            shape(1, 13, 13, [3, 3, 2, 0]),
            shape(1, 3, 4, [1, 3, 1, 1]),
            shape(1, 16, 17, [2, 16, 1, 8]),
            shape(0, 4, 4, [3, 2, 2, 0]),
        ] {
            // Few values, so that maxima tie.
            let x: Vec<f64> = random(s.n * s.input_image(), 1)
                .iter()
                .map(|x| (4.0 * x).round())
                .collect();
            let dy: Vec<f64> = random(s.n * s.output_image(), 2)
                .iter()
                .map(|x| (9.0 * x).round())
                .collect();
            let (y, dx) = naive(s, &x, &dy);
            assert_eq!(run(s, &x, &dy), (y, dx), "{s:?}");
        }
    }

    #[test]
    fn nan_is_the_largest_and_the_least_number_is_found() {
        let s = shape(1, 2, 2, [1, 2, 2, 0]);
        let (y, dx) = run(s, &[1.0_f32, f32::NAN, 3.0, 2.0], &[5.0]);
        assert!(y[0].is_nan());
        assert_eq!(dx, [0.0, 5.0, 0.0, 0.0]);
        let (y, dx) = run(s, &[f32::NEG_INFINITY; 4], &[5.0]);
        assert_eq!((y, dx), (vec![f32::NEG_INFINITY], vec![5.0, 0.0, 0.0, 0.0]));
    }

    #[test]
    fn averages_agree_with_the_definition() {
        for (n, pixels, channels) in [(3, 16, 19), (1, 1, 1), (2, 49, 5), (0, 4, 3)] {
            let x = random(n * pixels * channels, 1);
            let dy = random(n * channels, 2);
            let (mut y, mut dx) = (vec![1.0; dy.len()], vec![1.0; x.len()]);
            average_forward(pixels, channels, &x, &mut y);
            average_backward(pixels, channels, &dy, &mut dx);
            for i in 0..n {
                for c in 0..channels {
                    let at = |p: usize| (i * pixels + p) * channels + c;
                    let mean = (0..pixels).map(|p| x[at(p)]).sum::<f64>() / pixels as f64;
                    assert!((y[i * channels + c] - mean).abs() <= 1e-15);
                    for p in 0..pixels {
                        let expected = dy[i * channels + c] / pixels as f64;
                        assert!((dx[at(p)] - expected).abs() <= 1e-16);
                    }
                }
            }
        }
    }

    #[test]
    fn the_same_bits_on_any_number_of_threads() {
        let s = shape(5, 9, 7, [5, 3, 2, 1]);
        let of = |len, seed| {
            random(len, seed)
                .iter()
                .map(|x| *x as f32)
                .collect::<Vec<_>>()
        };
        let (x, dy) = (of(5 * s.input_image(), 1), of(5 * s.output_image(), 2));
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                let mut mean = vec![0.0; 5 * 5];
                average_forward(63, 5, &x, &mut mean);
                (run(s, &x, &dy), mean)
            })
        };
        for threads in [2, 3, 4] {
            assert_eq!(on(threads), on(1), "{threads} threads");
        }
    }
}
