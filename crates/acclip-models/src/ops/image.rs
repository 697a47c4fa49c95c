//! Layers of images, (N, H, W, C): convolution, ReLU, batch normalisation with residual and ReLU.

use super::tape::{Node, Values, read, record, start};
use crate::Real;
use crate::weights::{Slot, Weights, tensor, values};
use acclip_kernels::batch_norm::{BatchNorm, Gradients, Mode, Statistics};
use acclip_kernels::convolution::{self as kernel, Shape};
use acclip_kernels::{chunks, relu};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, module};

/// Added to the variance in every batch normalisation (as torchvision has it).
const EPS: f64 = 1e-5;

/// A convolution of the images themselves, which have no gradient: (N, H', W', O) from `images` (N, H, W, I).
pub(crate) fn stem<F: Real>(w: &Weights<F>, name: &str, shape: Shape, images: &[F]) -> Tensor<4> {
    let Some(kernel) = Kernel::find(w, name, shape) else {
        let size = [shape.n, shape.height, shape.width, shape.channels_in];
        let images = tensor(images.to_vec(), size, w.device());
        return stock_convolution(w, name, shape, images);
    };
    let begin = start(vec![F::ZERO].into(), [1], w.device().is_autodiff());
    let (_, node) = read::<F, 1>(begin);
    kernel.apply(images.to_vec().into(), node, false)
}

/// (N, H', W', O) from x (N, H, W, I), with the weights (O, I, K, K) called `name`.weight, and the bias (O) called
/// `name`.bias where the model has one.
pub(crate) fn convolution<F: Real>(
    w: &Weights<F>,
    name: &str,
    shape: Shape,
    x: Tensor<4>,
) -> Tensor<4> {
    let Some(kernel) = Kernel::find(w, name, shape) else {
        return stock_convolution(w, name, shape, x);
    };
    let (x, node) = read::<F, 4>(x);
    kernel.apply(x, node, true)
}

fn names<F: Real>(w: &Weights<F>, name: &str) -> (String, Option<String>) {
    let bias = Some(format!("{name}.bias")).filter(|bias| w.has(bias));
    (format!("{name}.weight"), bias)
}

fn stock_convolution<F: Real>(w: &Weights<F>, name: &str, shape: Shape, x: Tensor<4>) -> Tensor<4> {
    let (weight, bias) = names(w, name);
    let (stride, padding) = ([shape.stride; 2], [shape.padding; 2]);
    let options = ConvOptions::new(stride, padding, [1, 1], 1);
    let bias = bias.map(|bias| w.vector(&bias));
    let y = module::conv2d(x.permute([0, 3, 1, 2]), w.leaf::<4>(&weight), bias, options);
    y.permute([0, 2, 3, 1])
}

/// A fused convolution.
struct Kernel<F> {
    shape: Shape,
    weight: Slot<F>,
    bias: Option<Slot<F>>,
}

impl<F: Real> Kernel<F> {
    fn find(w: &Weights<F>, name: &str, shape: Shape) -> Option<Self> {
        let (weight, bias) = names(w, name);
        Some(Self {
            shape,
            weight: w.slot(&weight)?,
            bias: bias.and_then(|bias| w.slot(&bias)),
        })
    }

    /// `inner` says whether x has a gradient.
    fn apply(self, x: Values<F>, node: Node, inner: bool) -> Tensor<4> {
        let shape = self.shape;
        let mut y = vec![F::ZERO; shape.n * shape.output_image()];
        let bias = self.bias.as_ref().map(Slot::values);
        kernel::forward(shape, &x, self.weight.values(), bias, &mut y);
        record([node], y, output_size(&shape), move |dy| {
            let mut dx = inner.then(|| vec![F::ZERO; x.len()]);
            let weight = self.weight.values();
            (self.weight).add(|dw| kernel::backward(shape, &x, weight, &dy, dx.as_deref_mut(), dw));
            if let Some(bias) = &self.bias {
                bias.add(|db| chunks::add_column_sums(db, &dy));
            }
            [dx]
        })
    }
}

/// (N, H', W', O).
pub(super) fn output_size(shape: &Shape) -> [usize; 4] {
    [
        shape.n,
        shape.output_height(),
        shape.output_width(),
        shape.channels_out,
    ]
}

/// max(x, 0).
pub(crate) fn relu<F: Real, const D: usize>(w: &Weights<F>, x: Tensor<D>) -> Tensor<D> {
    if w.is_stock() {
        return burn::tensor::activation::relu(x);
    }
    let shape = x.dims();
    let (x, node) = read::<F, D>(x);
    let mut y = x.into_vec();
    relu::forward_in_place(&mut y);
    let y = Values::from(y);
    record([node], y.clone(), shape, move |dy| {
        let mut dx = dy.into_vec();
        relu::backward_in_place(&y, &mut dx);
        [Some(dx)]
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
