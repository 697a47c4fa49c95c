//! Layers of images, (N, H, W, C): convolution, batch normalisation with residual and ReLU, pooling.

use super::tape::{Node, Values, read, record, start};
use crate::Real;
use crate::weights::{Slot, Weights, tensor, values};
use acclip_kernels::batch_norm::{BatchNorm, Gradients, Mode, Statistics};
use acclip_kernels::convolution::{self as kernel, Shape};
use acclip_kernels::pool;
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Tensor, module};

/// Added to the variance in every batch normalisation (as torchvision has it).
const EPS: f64 = 1e-5;

/// A convolution of the images themselves, which have no gradient: (N, H', W', O) from `images` (N, H, W, I).
pub(crate) fn stem<F: Real>(w: &Weights<F>, name: &str, shape: Shape, images: &[F]) -> Tensor<4> {
    let Some(slot) = w.slot(name) else {
        let size = [shape.n, shape.height, shape.width, shape.channels_in];
        let images = tensor(images.to_vec(), size, w.device());
        return convolution(w, name, shape, images);
    };
    let begin = start(vec![F::ZERO].into(), [1], w.device().is_autodiff());
    let (_, node) = read::<F, 1>(begin);
    fused(slot, shape, images.to_vec().into(), node, false)
}

/// (N, H', W', O) from x (N, H, W, I), with the weights (O, I, K, K) called `name`, and no bias.
pub(crate) fn convolution<F: Real>(
    w: &Weights<F>,
    name: &str,
    shape: Shape,
    x: Tensor<4>,
) -> Tensor<4> {
    let Some(slot) = w.slot(name) else {
        let (stride, padding) = ([shape.stride; 2], [shape.padding; 2]);
        let options = ConvOptions::new(stride, padding, [1, 1], 1);
        let y = module::conv2d(x.permute([0, 3, 1, 2]), w.leaf::<4>(name), None, options);
        return y.permute([0, 2, 3, 1]);
    };
    let (x, node) = read::<F, 4>(x);
    fused(slot, shape, x, node, true)
}

fn fused<F: Real>(slot: Slot<F>, shape: Shape, x: Values<F>, node: Node, inner: bool) -> Tensor<4> {
    let mut y = vec![F::ZERO; shape.n * shape.output_image()];
    kernel::forward(shape, &x, slot.values(), None, &mut y);
    let size = [
        shape.n,
        shape.output_height(),
        shape.output_width(),
        shape.channels_out,
    ];
    record([node], y, size, move |dy| {
        let mut dx = inner.then(|| vec![F::ZERO; x.len()]);
        slot.add(|dw| kernel::backward(shape, &x, slot.values(), &dy, dx.as_deref_mut(), dw));
        [dx]
    })
}

/// What follows the statistics of a batch normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relu {
    Yes,
    No,
}

/// relu(γ (x − μ)/√(σ² + ε) + β + residual), with γ and β called `name`, and μ and σ² of the batch, or `frozen` ones.
/// Returns μ and σ², too.
pub(crate) fn batch_norm<F: Real>(
    w: &Weights<F>,
    name: &str,
    x: Tensor<4>,
    residual: Option<Tensor<4>>,
    relu: Relu,
    frozen: Option<&Statistics<F>>,
) -> (Tensor<4>, Statistics<F>) {
    let [gamma, beta] = ["weight", "bias"].map(|kind| format!("{name}.{kind}"));
    let (Some(gamma), Some(beta)) = (w.slot(&gamma), w.slot(&beta)) else {
        let affine = [w.vector(&gamma), w.vector(&beta)];
        return stock(affine, x, residual, relu, frozen);
    };
    let shape = x.dims();
    let (x, node) = read::<F, 4>(x);
    let mode = frozen.map_or(Mode::Batch, |_| Mode::Frozen);
    let statistics = frozen
        .cloned()
        .unwrap_or_else(|| Statistics::of(&x, shape[3]));
    let layer = Layer {
        statistics: statistics.clone(),
        mode,
        gamma,
        beta,
        relu,
    };
    let mut y = vec![F::ZERO; x.len()];
    let output = match residual {
        None => {
            layer.kernel().forward(&x, None, &mut y);
            let y = Values::from(y);
            record([node], y.clone(), shape, move |dy| {
                [Some(layer.backward(&x, &y, &dy, None))]
            })
        }
        Some(residual) => {
            let (residual, other) = read::<F, 4>(residual);
            layer.kernel().forward(&x, Some(&residual), &mut y);
            let y = Values::from(y);
            record([node, other], y.clone(), shape, move |dy| {
                let mut dresidual = vec![F::ZERO; dy.len()];
                let dx = layer.backward(&x, &y, &dy, Some(&mut dresidual));
                [Some(dx), Some(dresidual)]
            })
        }
    };
    (output, statistics)
}

/// A fused batch normalisation.
struct Layer<F> {
    statistics: Statistics<F>,
    mode: Mode,
    gamma: Slot<F>,
    beta: Slot<F>,
    relu: Relu,
}

impl<F: Real> Layer<F> {
    fn kernel(&self) -> BatchNorm<'_, F> {
        BatchNorm {
            statistics: &self.statistics,
            mode: self.mode,
            gamma: self.gamma.values(),
            beta: self.beta.values(),
            eps: EPS,
            relu: self.relu == Relu::Yes,
        }
    }

    /// Writes dγ and dβ, and returns dx.
    fn backward(&self, x: &[F], y: &[F], dy: &[F], dresidual: Option<&mut [F]>) -> Vec<F> {
        let channels = self.gamma.values().len();
        let mut dx = vec![F::ZERO; x.len()];
        let (mut dgamma, mut dbeta) = (vec![F::ZERO; channels], vec![F::ZERO; channels]);
        let gradients = Gradients {
            dx: &mut dx,
            dresidual,
            dgamma: &mut dgamma,
            dbeta: &mut dbeta,
        };
        self.kernel().backward(x, y, dy, gradients);
        self.gamma.add_values(&dgamma);
        self.beta.add_values(&dbeta);
        dx
    }
}

fn stock<F: Real>(
    [gamma, beta]: [Tensor<1>; 2],
    x: Tensor<4>,
    residual: Option<Tensor<4>>,
    relu: Relu,
    frozen: Option<&Statistics<F>>,
) -> (Tensor<4>, Statistics<F>) {
    let (channels, device) = (x.dims()[3], x.device());
    let row = |x: Tensor<1>| x.reshape([1, 1, 1, channels]);
    let (mean, variance) = match frozen {
        Some(s) => [&s.mean, &s.variance]
            .map(|v| row(tensor(v.clone(), [channels], &device)))
            .into(),
        None => {
            let average = |x: Tensor<4>| x.mean_dim(0).mean_dim(1).mean_dim(2);
            let mean = average(x.clone());
            let difference = x.clone() - mean.clone();
            (mean, average(difference.clone() * difference))
        }
    };
    let statistics = Statistics {
        mean: values::<F, 1>(mean.clone().reshape([channels])),
        variance: values::<F, 1>(variance.clone().reshape([channels])),
    };
    let mut y = (x - mean) / (variance + EPS).sqrt() * row(gamma) + row(beta);
    if let Some(residual) = residual {
        y = y + residual;
    }
    if relu == Relu::Yes {
        y = burn::tensor::activation::relu(y);
    }
    (y, statistics)
}

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
    let out = [
        shape.n,
        shape.output_height(),
        shape.output_width(),
        shape.channels_out,
    ];
    record([node], y, out, move |dy| {
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
