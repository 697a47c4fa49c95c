//! The convolutions of ResNet-18 on 32 images of 32 × 32, by Winograd where the layer is one for it, and directly.
//!
//! `cargo bench -p acclip-kernels --bench convolution`. Operations are counted as those of the definition.

use acclip_kernels::convolution::{self, Shape, direct};
use divan::Bencher;
use divan::counter::ItemsCount;

fn main() {
    divan::main();
}

/// Rows and columns of the input, channels in and out, kernel, stride.
const LAYERS: [[usize; 5]; 8] = [
    [32, 3, 64, 3, 1],
    [32, 64, 64, 3, 1],
    [32, 64, 128, 3, 2],
    [32, 64, 128, 1, 2],
    [16, 128, 128, 3, 1],
    [8, 256, 256, 3, 1],
    [8, 256, 512, 3, 2],
    [4, 512, 512, 3, 1],
];

struct Layer {
    shape: Shape,
    x: Vec<f32>,
    w: Vec<f32>,
    y: Vec<f32>,
}

impl Layer {
    fn new([side, channels_in, channels_out, kernel, stride]: [usize; 5]) -> Self {
        let shape = Shape {
            n: 32,
            height: side,
            width: side,
            channels_in,
            channels_out,
            kernel,
            stride,
            padding: kernel / 2,
        };
        let numbers = |n: usize| (0..n).map(|i| (i * 7919 % 8191) as f32 / 8191.0 - 0.5);
        Self {
            shape,
            x: numbers(shape.n * shape.input_image()).collect(),
            w: numbers(shape.weights()).collect(),
            y: numbers(shape.n * shape.output_image()).collect(),
        }
    }
}

/// Times `f`, which takes `passes` times the operations of a forward pass.
fn time(bencher: Bencher, shape: Shape, passes: f64, f: impl FnMut()) {
    let operations = ItemsCount::new((passes * shape.operations()) as u64);
    bencher.counter(operations).bench_local(f);
}

#[divan::bench(args = LAYERS)]
fn forward(bencher: Bencher, layer: [usize; 5]) {
    let Layer { shape, x, w, mut y } = Layer::new(layer);
    time(bencher, shape, 1.0, || {
        convolution::forward(shape, &x, &w, None, &mut y);
    });
}

#[divan::bench(args = LAYERS)]
fn forward_direct(bencher: Bencher, layer: [usize; 5]) {
    let Layer { shape, x, w, mut y } = Layer::new(layer);
    time(bencher, shape, 1.0, || {
        direct::forward(shape, &x, &w, &mut y)
    });
}

#[divan::bench(args = LAYERS)]
fn backward(bencher: Bencher, layer: [usize; 5]) {
    let Layer { shape, x, w, y: dy } = Layer::new(layer);
    let (mut dx, mut dw) = (x.clone(), w.clone());
    time(bencher, shape, 2.0, || {
        convolution::backward(shape, &x, &w, &dy, Some(&mut dx), &mut dw);
    });
}

#[divan::bench(args = LAYERS)]
fn backward_direct(bencher: Bencher, layer: [usize; 5]) {
    let Layer { shape, x, w, y: dy } = Layer::new(layer);
    let (mut dx, mut dw) = (x.clone(), w.clone());
    time(bencher, shape, 2.0, || {
        direct::backward_data(shape, &dy, &w, &mut dx);
        direct::backward_weights(shape, &x, &dy, &mut dw);
    });
}
