//! Pooling of images, (N, H, W, C): maxima of windows, means of windows, the mean of an image.

use super::image::output_size;
use super::tape::{read, record};
use crate::Real;
use crate::weights::Weights;
use acclip_kernels::convolution::Shape;
use acclip_kernels::{adaptive_pool, pool};
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Tensor, module};

/// The largest entry of each window, (N, H', W', C) from x (N, H, W, C).
pub(crate) fn max_pool<F: Real>(w: &Weights<F>, shape: Shape, x: Tensor<4>) -> Tensor<4> {
    if w.is_stock() {
        let mut options = MaxPoolOptions::new([shape.kernel; 2]);
        options.stride = [shape.stride; 2];
        options.padding = [(shape.padding, shape.padding); 2];
        let y = module::max_pool2d(x.permute([0, 3, 1, 2]), options);
        return y.permute([0, 2, 3, 1]);
    }
    let (x, node) = read::<F, 4>(x);
    let (size, len) = (x.len(), shape.n * shape.output_image());
    let (mut y, mut place) = (vec![F::ZERO; len], vec![0; len]);
    pool::max_forward(shape, &x, &mut y, &mut place);
    record([node], y, output_size(&shape), move |dy| {
        let mut dx = vec![F::ZERO; size];
        pool::max_backward(shape, &dy, &place, &mut dx);
        [Some(dx)]
    })
}

/// The mean over the pixels, (N, C) from x (N, H, W, C).
pub(crate) fn average_pool<F: Real>(w: &Weights<F>, x: Tensor<4>) -> Tensor<2> {
    let [n, height, width, channels] = x.dims();
    if w.is_stock() {
        return x.mean_dim(1).mean_dim(2).reshape([n, channels]);
    }
    let pixels = height * width;
    let (x, node) = read::<F, 4>(x);
    let mut y = vec![F::ZERO; n * channels];
    pool::average_forward(pixels, channels, &x, &mut y);
    record([node], y, [n, channels], move |dy| {
        let mut dx = vec![F::ZERO; n * pixels * channels];
        pool::average_backward(pixels, channels, &dy, &mut dx);
        [Some(dx)]
    })
}

/// The means over the windows of a `grid` of P × Q, flattened as torchvision does: (N, C·P·Q) from x (N, H, W, C), with
/// the channels outermost.
pub(crate) fn adaptive_average_pool<F: Real>(
    w: &Weights<F>,
    grid: [usize; 2],
    x: Tensor<4>,
) -> Tensor<2> {
    let [n, height, width, channels] = x.dims();
    let outputs = channels * grid[0] * grid[1];
    if w.is_stock() {
        let y = module::adaptive_avg_pool2d(x.permute([0, 3, 1, 2]), grid);
        return y.reshape([n, outputs]);
    }
    let shape = adaptive_pool::Shape {
        n,
        image: [height, width],
        grid,
        channels,
    };
    let (x, node) = read::<F, 4>(x);
    let mut y = vec![F::ZERO; n * outputs];
    adaptive_pool::forward(shape, &x, &mut y);
    record([node], y, [n, outputs], move |dy| {
        let mut dx = vec![F::ZERO; n * shape.input_image()];
        adaptive_pool::backward(shape, &dy, &mut dx);
        [Some(dx)]
    })
}
