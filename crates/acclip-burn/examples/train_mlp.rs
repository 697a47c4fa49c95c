//! Trains one small net twice, from the same start: with acclip and with Burn's own AdamW.
//!
//! The task is to tell apart the three arms of a spiral. The two loops differ in one line.
//! `cargo run --release -p acclip-burn --example train_mlp`

use acclip_burn::Hyper;
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::error::Error;

const ARMS: usize = 3;
const POINTS: usize = 100; // on an arm
const STEPS: usize = 400;
const SEED: u64 = 42;

#[derive(Module, Debug)]
struct Mlp {
    inner: Linear,
    middle: Linear,
    outer: Linear,
}

impl Mlp {
    fn new(hidden: usize, device: &Device) -> Self {
        Mlp {
            inner: LinearConfig::new(2, hidden).init(device),
            middle: LinearConfig::new(hidden, hidden).init(device),
            outer: LinearConfig::new(hidden, ARMS).init(device),
        }
    }

    /// Mean cross-entropy of points (N, 2) with labels (N).
    fn loss(&self, (points, labels): &Data) -> Tensor<1> {
        let hidden = self.inner.forward(points.clone()).tanh();
        let logits = self.outer.forward(self.middle.forward(hidden).tanh());
        let device = logits.device();
        let loss = CrossEntropyLossConfig::new().init(&device);
        loss.forward(logits, labels.clone())
    }
}

type Data = (Tensor<2>, Tensor<1, Int>);

/// Three arms of one turn each, 120° apart.
fn spiral(device: &Device) -> Data {
    let (mut points, mut labels) = (Vec::new(), Vec::new());
    for arm in 0..ARMS {
        for i in 0..POINTS {
            let radius = (i + 1) as f32 / POINTS as f32;
            let turn = radius + arm as f32 / ARMS as f32;
            let (sin, cos) = (turn * std::f32::consts::TAU).sin_cos();
            points.extend([radius * cos, radius * sin]);
            labels.push(arm as i32);
        }
    }
    let count = labels.len();
    (
        Tensor::from_data(TensorData::new(points, [count, 2]), device),
        Tensor::from_data(TensorData::new(labels, [count]), device),
    )
}

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    device.seed(SEED);
    let data = spiral(&device);

    let mut ours = Mlp::new(32, &device);
    let mut theirs = ours.clone();

    let mut acclip = acclip_burn::optimizer("acclip", &Hyper::default())?;
    let mut adamw = AdamWConfig::new().init();

    println!(
        "{:>5} {:>10} {:>10} {:>10}",
        "step", "acclip", "AdamW", "clipped"
    );
    for step in 0..=STEPS {
        let (our_loss, their_loss) = (ours.loss(&data), theirs.loss(&data));
        if step % 50 == 0 {
            let values = [our_loss.clone(), their_loss.clone()].map(Tensor::into_scalar::<f32>);
            let clipped = acclip.stats().map_or(0.0, |stats| stats.clipped);
            println!(
                "{step:>5} {:>10.5} {:>10.5} {clipped:>10.3}",
                values[0], values[1]
            );
        }

        let grads = GradientsParams::from_grads(our_loss.backward(), &ours);
        ours = acclip.step(1e-2, ours, grads)?;

        let grads = GradientsParams::from_grads(their_loss.backward(), &theirs);
        theirs = adamw.step(1e-2, theirs, grads);
    }
    Ok(())
}
