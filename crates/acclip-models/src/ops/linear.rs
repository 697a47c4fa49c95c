//! Linear layers: y = x Wᵀ + b, or without b, alone or followed by GELU, ReLU or tanh.

use super::norm::dropout;
use super::tape::{Values, read, record};
use crate::Real;
use crate::by_example::{Asked, Decoder};
use crate::weights::{Slot, Weights};
use acclip_kernels::by_example::{self, Columns};
use acclip_kernels::{Dropout, gelu, linear as kernel, relu, tanh};
use burn::tensor::{Tensor, activation};
use std::ops::Range;

/// y (N, O) = x Wᵀ + b, with x (N, I), and W (O, I) and b (O) called `name`.weight and `name`.bias.
pub(crate) fn linear<F: Real>(w: &Weights<F>, name: &str, x: Tensor<2>) -> Tensor<2> {
    let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
    match (w.slot(&weight), w.slot(&bias)) {
        (Some(weight), Some(bias)) => fused(weight, Some(bias), x),
        _ => stock(w, &weight, &bias, x),
    }
}

/// y (N, O) = x Wᵀ, with W (O, I) called `weight`.
pub(crate) fn unbiased_linear<F: Real>(w: &Weights<F>, weight: &str, x: Tensor<2>) -> Tensor<2> {
    match w.slot(weight) {
        Some(slot) => fused(slot, None, x),
        None => x.matmul(w.leaf::<2>(weight).transpose()),
    }
}

fn stock<F: Real>(w: &Weights<F>, weight: &str, bias: &str, x: Tensor<2>) -> Tensor<2> {
    x.matmul(w.leaf::<2>(weight).transpose()) + w.vector(bias).unsqueeze()
}

/// Several linear layers of one input side by side, y (N, Σ O): the weights stand side by side in the flat buffer
/// in the order of `names`, and so do the biases.
pub(crate) fn packed_linear<F: Real>(w: &Weights<F>, names: &[String], x: Tensor<2>) -> Tensor<2> {
    let [weights, biases] =
        ["weight", "bias"].map(|kind| w.slots(&format!("{}.{kind}", names[0]), names.len()));
    let (Some(weights), Some(biases)) = (weights, biases) else {
        let parts = names.iter().map(|name| linear(w, name, x.clone()));
        return Tensor::cat(parts.collect(), 1);
    };
    fused(weights, Some(biases), x)
}

/// GELU(x Wᵀ + b).
pub(crate) fn linear_gelu<F: Real>(w: &Weights<F>, name: &str, x: Tensor<2>) -> Tensor<2> {
    let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
    let (Some(slot), Some(bias_slot)) = (w.slot(&weight), w.slot(&bias)) else {
        return activation::gelu(stock(w, &weight, &bias, x));
    };
    let layer = Layer::new(slot, Some(bias_slot), x.dims());
    let (x, node) = read::<F, 2>(x);
    let before = layer.forward(&x);
    let mut y = vec![F::ZERO; before.len()];
    gelu::forward(&before, &mut y);
    let shape = [layer.n, layer.outputs];
    record([node], y, shape, move |dy| {
        let mut dy = dy.into_vec();
        gelu::backward_in_place(&before, &mut dy);
        [Some(layer.backward(&x, &dy))]
    })
}

/// relu(x Wᵀ + b), with entries dropped by the mask.
pub(crate) fn linear_relu<F: Real>(
    w: &Weights<F>,
    name: &str,
    x: Tensor<2>,
    mask: Option<Dropout>,
) -> Tensor<2> {
    let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
    let (Some(slot), Some(bias_slot)) = (w.slot(&weight), w.slot(&bias)) else {
        let y = activation::relu(stock(w, &weight, &bias, x));
        return dropout(w, y, mask);
    };
    let layer = Layer::new(slot, Some(bias_slot), x.dims());
    let (x, node) = read::<F, 2>(x);
    let mut y = layer.forward(&x);
    relu::forward_in_place(&mut y);
    if let Some(mask) = mask {
        mask.apply_in_place(&mut y);
    }
    let (y, shape) = (Values::from(y), [layer.n, layer.outputs]);
    record([node], y.clone(), shape, move |dy| {
        let mut dy = dy.into_vec();
        if let Some(mask) = mask {
            mask.apply_in_place(&mut dy);
        }
        // What was dropped is 0 in y, too.
        relu::backward_in_place(&y, &mut dy);
        [Some(layer.backward(&x, &dy))]
    })
}

/// tanh(x Wᵀ + b).
pub(crate) fn linear_tanh<F: Real>(w: &Weights<F>, name: &str, x: Tensor<2>) -> Tensor<2> {
    let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
    let (Some(slot), Some(bias_slot)) = (w.slot(&weight), w.slot(&bias)) else {
        return activation::tanh(stock(w, &weight, &bias, x));
    };
    let layer = Layer::new(slot, Some(bias_slot), x.dims());
    let (x, node) = read::<F, 2>(x);
    let before = layer.forward(&x);
    let mut y = vec![F::ZERO; before.len()];
    tanh::forward(&before, &mut y);
    let (saved, shape) = (y.clone(), [layer.n, layer.outputs]);
    record([node], y, shape, move |dy| {
        let mut dy = dy.into_vec();
        tanh::backward_in_place(&saved, &mut dy);
        [Some(layer.backward(&x, &dy))]
    })
}

/// y (M, V) = x Eᵀ + b, with x (M, H), and E (V, H) an embedding table.
pub(crate) fn tied_decoder<F: Real>(
    w: &Weights<F>,
    table: &str,
    bias: &str,
    x: Tensor<2>,
) -> Tensor<2> {
    let (Some(slot), Some(bias_slot)) = (w.slot(table), w.slot(bias)) else {
        return stock(w, table, bias, x);
    };
    let layer = Layer::new(slot, Some(bias_slot), x.dims());
    let (x, node) = read::<F, 2>(x);
    let y = layer.forward(&x);
    let shape = [layer.n, layer.outputs];
    record([node], y, shape, move |dy| {
        let dx = layer.backward(&x, &dy);
        if let Some(asked) = layer.weight.asked() {
            let groups = asked.groups;
            layer.weight.keep(Decoder { x, dy, groups });
        }
        [Some(dx)]
    })
}

fn fused<F: Real>(weight: Slot<F>, bias: Option<Slot<F>>, x: Tensor<2>) -> Tensor<2> {
    let layer = Layer::new(weight, bias, x.dims());
    let (x, node) = read::<F, 2>(x);
    let y = layer.forward(&x);
    let shape = [layer.n, layer.outputs];
    record([node], y, shape, move |dy| [Some(layer.backward(&x, &dy))])
}

/// A linear layer on rows of some number.
struct Layer<F> {
    weight: Slot<F>,
    bias: Option<Slot<F>>,
    n: usize,
    inputs: usize,
    outputs: usize,
}

impl<F: Real> Layer<F> {
    fn new(weight: Slot<F>, bias: Option<Slot<F>>, [n, inputs]: [usize; 2]) -> Self {
        Self {
            outputs: weight.values().len() / inputs,
            weight,
            bias,
            n,
            inputs,
        }
    }

    fn forward(&self, x: &[F]) -> Vec<F> {
        let (weight, bias) = (self.weight.values(), self.bias.as_ref().map(Slot::values));
        kernel::forward(x, weight, bias, self.n, self.inputs, self.outputs)
    }

    /// Writes dW and db, and returns dx.
    fn backward(&self, x: &[F], dy: &[F]) -> Vec<F> {
        let (n, inputs, outputs) = (self.n, self.inputs, self.outputs);
        if let Some(bias) = &self.bias {
            bias.add(|db| kernel::backward_bias(dy, db));
        }
        match self.weight.asked() {
            None => (self.weight)
                .write(|dw, add| kernel::backward_weight(x, dy, dw, add, n, inputs, outputs)),
            Some(asked) => self.backward_by_example(x, dy, &asked),
        }
        kernel::backward_input(dy, self.weight.values(), n, inputs, outputs)
    }

    /// Writes dW, and the moments of dW and db of each example, for each of the layers that stand side by side.
    fn backward_by_example(&self, x: &[F], dy: &[F], asked: &Asked<F>) {
        let layers = self.weight.count();
        let (width, groups) = (self.outputs / layers, &asked.groups);
        let columns = |i: usize| Columns {
            data: dy,
            stride: self.outputs,
            first: i * width,
            width,
        };
        let part = |range: Range<usize>, i: usize| {
            let size = range.len() / layers;
            asked.along(range.start + i * size..range.start + (i + 1) * size)
        };
        let moments: Vec<_> = self.weight.write(|dw, add| {
            let parts = dw.chunks_exact_mut(width * self.inputs).enumerate();
            let along = |i| part(self.weight.range(), i);
            let linear = |(i, dw)| by_example::linear(x, columns(i), groups, dw, add, along(i));
            parts.map(linear).collect()
        });
        for (i, moments) in moments.into_iter().enumerate() {
            self.weight.add_moments(i, moments);
        }
        if let Some(bias) = &self.bias {
            for i in 0..layers {
                let along = part(bias.range(), i);
                bias.add_moments(i, by_example::bias(columns(i), groups, along));
            }
        }
    }
}
