//! Each op of images in its two forms. Inputs are (N, whatever): an op reshapes what it gets.

use super::{Setting, compare};
use crate::ops;
use acclip_kernels::convolution::Shape;
use burn::tensor::Tensor;

fn shape(
    [n, height, width]: [usize; 3],
    [channels_in, channels_out]: [usize; 2],
    [kernel, stride, padding]: [usize; 3],
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

fn images(s: &Shape, x: &Tensor<2>) -> Tensor<4> {
    x.clone().reshape([s.n, s.height, s.width, s.channels_in])
}

fn flat(x: Tensor<4>) -> Tensor<2> {
    let [n, height, width, channels] = x.dims();
    x.reshape([n, height * width * channels])
}

/// With a bias and without, by each algorithm; the stem, whose images have no gradient.
#[test]
fn convolution() {
    for s in [
        shape([2, 7, 6], [9, 5], [3, 1, 1]), // Winograd
        shape([3, 9, 8], [2, 7], [5, 1, 2]),
        shape([2, 23, 20], [3, 5], [11, 4, 2]),
        shape([2, 5, 4], [6, 3], [1, 1, 0]),
        shape([2, 5, 4], [6, 3], [1, 2, 0]),
    ] {
        let weight = [s.channels_out, s.channels_in, s.kernel, s.kernel];
        let parameters: [(&str, &[usize]); 2] =
            [("c.weight", &weight), ("c.bias", &[s.channels_out])];
        let input = [s.n, s.input_image()];
        for parameters in [&parameters[..], &parameters[..1]] {
            let setting = Setting::new(parameters, &[input]);
            compare!(setting, |w, x| flat(ops::convolution(
                w,
                "c",
                s,
                images(&s, &x[0])
            )));
            let stem = Setting::new(parameters, &[]);
            macro_rules! stem {
                ($real:ty, $stock:expr) => {{
                    let x = super::numbers::<$real>(s.n * s.input_image(), 3);
                    stem.run::<$real>($stock, |w, _| flat(ops::stem(w, "c", s, &x)))
                }};
            }
            let exact = stem!(f64, true);
            super::assert_agree(&stem!(f64, false), &exact, super::WIDE);
            super::assert_agree(&stem!(f32, false), &exact, super::NARROW);
        }
    }
}

/// At 0 the slope is 0.
#[test]
fn relu() {
    let mut setting = Setting::new(&[], &[[5, 37]]);
    setting.head = vec![0.0, -0.0, 1e4, -1e4];
    compare!(setting, |w, x| ops::relu(w, x[0].clone()));
    // Of a tensor that something else uses, too.
    compare!(setting, |w, x| ops::relu(w, x[0].clone()) + x[0].clone());
    compare!(setting, |w, x| {
        let y: Tensor<4> = x[0].clone().reshape([5, 1, 37, 1]);
        flat(ops::relu(w, y))
    });
}

#[test]
fn pools() {
    for s in [
        shape([2, 9, 7], [5, 5], [3, 2, 1]),
        shape([3, 6, 8], [4, 4], [2, 2, 0]),
        shape([1, 7, 9], [3, 3], [3, 2, 0]),
    ] {
        let setting = Setting::new(&[], &[[s.n, s.input_image()]]);
        compare!(setting, |w, x| flat(ops::max_pool(w, s, images(&s, &x[0]))));
        compare!(setting, |w, x| ops::average_pool(w, images(&s, &x[0])));
        for grid in [[1, 1], [6, 6], [3, 4], [2, 7]] {
            compare!(setting, |w, x| {
                ops::adaptive_average_pool(w, grid, images(&s, &x[0]))
            });
        }
    }
}
