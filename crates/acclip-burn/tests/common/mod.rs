//! A small net, and the flat twin that an adapted step is compared with.
#![allow(dead_code)] // Each test file uses its own part.

use acclip_burn::{Block, Hyper, Layout, State};
use acclip_optim::Optimizer;
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Gradients, Tensor, TensorData};

/// 3 → 4 → 2, the first weight held transposed, and a gain that only some losses use.
#[derive(Module, Debug)]
pub struct Net {
    pub first: Linear,
    pub gain: Param<Tensor<1>>,
    pub second: Linear,
}

/// Names, shapes and decay of its blocks, written down by hand.
pub fn layout() -> Layout {
    let blocks = [
        ("first.weight", vec![3, 4], true),
        ("first.bias", vec![4], false),
        ("gain", vec![4], false),
        ("second.weight", vec![4, 2], true),
        ("second.bias", vec![2], false),
    ];
    let block = |(name, shape, decay): (&str, Vec<usize>, bool)| Block::new(name, shape, decay);
    Layout::new(blocks.into_iter().map(block).collect()).unwrap()
}

/// Irregular numbers of about unit size.
pub fn numbers(count: usize, seed: f64) -> Vec<f32> {
    let number = |i: usize| ((i as f64 * 12.9898 + seed * 78.233).sin() * 43758.5453).fract();
    (0..count).map(|i| number(i) as f32).collect()
}

pub fn tensor<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

pub fn device() -> Device {
    Device::flex().autodiff()
}

impl Net {
    /// The net with these 30 parameters in the order of `layout`, under fresh random ids.
    pub fn new(flat: &[f32], device: &Device) -> Self {
        // [3, 4] given, laid out in memory as [4, 3] and seen through a transposition.
        let columns: Vec<f32> = (0..12).map(|i| flat[(i % 3) * 4 + i / 3]).collect();
        let param = |x: Tensor<2>| Param::from_tensor(x.detach());
        let vector = |x: &[f32]| Param::from_tensor(tensor(x, [x.len()], device));
        Net {
            first: Linear {
                weight: param(tensor(&columns, [4, 3], device).transpose()),
                bias: Some(vector(&flat[12..16])),
            },
            gain: vector(&flat[16..20]),
            second: Linear {
                weight: param(tensor(&flat[20..28], [4, 2], device)),
                bias: Some(vector(&flat[28..30])),
            },
        }
    }

    /// The same with the first weight in row-major memory, where a step leaves it. Products of
    /// transposed matrices round differently.
    pub fn row_major(flat: &[f32], device: &Device) -> Self {
        let mut net = Net::new(flat, device);
        net.first.weight = Param::from_tensor(tensor(&flat[..12], [3, 4], device));
        net
    }

    /// A loss whose gradient is asymmetric and different in every `step`.
    pub fn loss(&self, step: usize, with_gain: bool) -> Tensor<1> {
        let device = self.gain.val().device();
        let x = tensor(&numbers(15, step as f64 + 0.5), [5, 3], &device);
        let y = tensor(&numbers(10, step as f64 + 0.25), [5, 2], &device);
        let mut hidden = self.first.forward(x).tanh();
        if with_gain {
            hidden = hidden * self.gain.val().unsqueeze();
        }
        (self.second.forward(hidden) - y).square().sum()
    }

    /// The parameters in the order of `layout`, read one by one.
    pub fn flat(&self) -> Vec<f32> {
        let mut flat = self.first.weight.val().into_data().try_into_vec().unwrap();
        flat.extend(vector(&self.first.bias.as_ref().unwrap().val()));
        flat.extend(vector(&self.gain.val()));
        flat.extend(
            self.second
                .weight
                .val()
                .into_data()
                .try_into_vec::<f32>()
                .unwrap(),
        );
        flat.extend(vector(&self.second.bias.as_ref().unwrap().val()));
        flat
    }

    /// The gradients in the order of `layout`, 0 where there is none.
    pub fn flat_grad(&self, gradients: &Gradients) -> Vec<f32> {
        fn one<const D: usize>(param: &Param<Tensor<D>>, gradients: &Gradients) -> Vec<f32> {
            match param.val().grad(gradients) {
                Some(gradient) => gradient.into_data().try_into_vec().unwrap(),
                None => vec![0.0; param.val().shape().num_elements()],
            }
        }
        let mut flat = one(&self.first.weight, gradients);
        flat.extend(one(self.first.bias.as_ref().unwrap(), gradients));
        flat.extend(one(&self.gain, gradients));
        flat.extend(one(&self.second.weight, gradients));
        flat.extend(one(self.second.bias.as_ref().unwrap(), gradients));
        flat
    }
}

fn vector(tensor: &Tensor<1>) -> Vec<f32> {
    tensor.to_data().try_into_vec().unwrap()
}

/// The gradients of a loss, as the adapter takes them and flat.
pub fn gradients(net: &Net, loss: Tensor<1>) -> (GradientsParams, Vec<f32>) {
    let gradients = loss.backward();
    let flat = net.flat_grad(&gradients);
    (GradientsParams::from_grads(gradients, net), flat)
}

/// acclip-optim on flat buffers.
pub struct Flat {
    pub optimizer: Optimizer,
    pub layout: Layout,
    pub params: Vec<f32>,
    pub state: State<f32>,
}

impl Flat {
    pub fn new(name: &str, hyper: &Hyper, params: Vec<f32>) -> Self {
        let (optimizer, layout) = (Optimizer::new(name, hyper).unwrap(), layout());
        let state = optimizer.init(&layout);
        Flat {
            optimizer,
            layout,
            params,
            state,
        }
    }

    pub fn step(&mut self, learning_rate: f64, grad: &[f32]) {
        let (layout, params) = (&self.layout, &mut self.params);
        self.optimizer
            .step(learning_rate, layout, params, grad, &mut self.state)
            .unwrap();
    }
}

pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}
