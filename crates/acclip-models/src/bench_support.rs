//! The fused operations and their stock forms, for `benches/ops.rs`.
//!
//! Hidden rather than behind a feature: a feature that one command needs would make every other build compile this
//! crate twice. The ops themselves stay private; what is public here is a list of them, and how to run one.

use crate::ops::tape::{read, record};
use crate::ops::{self, Heads, Relu, Table};
use crate::weights::{self, Weights, tensor};
use crate::{Backend, Parameter};
use acclip_kernels::Dropout;
use acclip_kernels::attention::Shape;
use acclip_kernels::convolution;
use burn::tensor::Tensor;
use std::sync::Arc;

/// Sequences, and the positions of each.
const SEQUENCES: [usize; 2] = [16, 128];
/// Positions, N.
const ROWS: usize = SEQUENCES[0] * SEQUENCES[1];
/// Width of a position, H.
const HIDDEN: usize = 256;
/// Width of the feed-forward layer.
const WIDE: usize = 1024;
const HEADS: usize = 4;
/// V.
const VOCABULARY: usize = 8192;
/// Masked positions, M: 19 in a sequence.
const MASKED: usize = 304;
/// Images, rows, columns and channels.
const IMAGES: [usize; 4] = [32, 32, 32, 64];

/// The same, as rows of pixels.
const PIXELS: [usize; 2] = [32 * 32 * 32, 64];

/// An op at the shapes of a training step of BERT with 4 layers.
#[derive(Debug, Clone, Copy)]
pub enum Op {
    /// (N, H) to (N, H).
    Linear,
    /// (N, wide) to (N, H).
    LinearBack,
    /// (N, H) to (N, wide), with GELU.
    LinearGelu,
    /// (N, H) to (N, 3 H).
    PackedLinear,
    /// (M, H) to (M, V).
    TiedDecoder,
    /// With dropout.
    Attention,
    /// Of (N, H).
    LayerNorm,
    /// Of (N, H), with dropout.
    ResidualNorm,
    /// Of (N, H).
    Dropout,
    /// Of three tables.
    Embed,
    /// M of N rows.
    SelectRows,
    /// Of (M, V).
    CrossEntropy,
    /// 64 to 64 channels, 3 × 3, of images.
    Convolution,
    /// Of images of 64 channels, with residual and ReLU.
    BatchNorm,
    /// 3 × 3, stride 2, of images of 64 channels.
    MaxPool,
}

impl Op {
    /// The shapes of the inputs, that of the output, and those of the parameters, which are called a, b and c.
    fn shapes(self) -> (Vec<[usize; 2]>, [usize; 2], Vec<Vec<usize>>) {
        let linear = |n, inputs, outputs| {
            let parameters = vec![vec![outputs, inputs], vec![outputs]];
            (vec![[n, inputs]], [n, outputs], parameters)
        };
        let h = [ROWS, HIDDEN];
        let norm = vec![vec![HIDDEN]; 2];
        match self {
            Op::Linear => linear(ROWS, HIDDEN, HIDDEN),
            Op::LinearBack => linear(ROWS, WIDE, HIDDEN),
            Op::LinearGelu => linear(ROWS, HIDDEN, WIDE),
            Op::PackedLinear => {
                let matrices = vec![vec![HIDDEN, HIDDEN]; 3];
                let parameters = [matrices, vec![vec![HIDDEN]; 3]].concat();
                (vec![h], [ROWS, 3 * HIDDEN], parameters)
            }
            Op::TiedDecoder => linear(MASKED, HIDDEN, VOCABULARY),
            Op::Attention => (vec![[ROWS, 3 * HIDDEN]], h, vec![]),
            Op::LayerNorm => (vec![h], h, norm),
            Op::ResidualNorm => (vec![h, h], h, norm),
            Op::Dropout => (vec![h], h, vec![]),
            Op::Embed => {
                let rows = [VOCABULARY, SEQUENCES[1], 2];
                (vec![], h, rows.map(|rows| vec![rows, HIDDEN]).to_vec())
            }
            Op::SelectRows => (vec![h], [MASKED, HIDDEN], vec![]),
            Op::CrossEntropy => (vec![[MASKED, VOCABULARY]], [1, 1], vec![]),
            Op::Convolution => (vec![PIXELS], PIXELS, vec![vec![64, 64, 3, 3]]),
            Op::BatchNorm => (vec![PIXELS; 2], PIXELS, vec![vec![64]; 2]),
            Op::MaxPool => (vec![PIXELS], [PIXELS[0] / 4, 64], vec![]),
        }
    }

    /// Names of the parameters, in the order of [`Op::shapes`].
    fn names(self) -> &'static [&'static str] {
        match self {
            Op::PackedLinear => &[
                "a.weight", "b.weight", "c.weight", "a.bias", "b.bias", "c.bias",
            ],
            Op::Embed => &["a", "b", "c"],
            Op::Convolution => &["a.weight"],
            _ => &["a.weight", "a.bias"],
        }
    }

    fn run(self, w: &Weights<f32>, mut inputs: Vec<Tensor<2>>) -> Tensor<2> {
        let dropout = Some(Dropout::new(0.1, 1, 2));
        let mut x = || inputs.pop().expect("as many inputs as shapes");
        let masked = |i: usize| (i * ROWS / MASKED) as u32;
        match self {
            Op::Linear | Op::LinearBack => ops::linear(w, "a", x()),
            Op::LinearGelu => ops::linear_gelu(w, "a", x()),
            Op::PackedLinear => ops::packed_linear(w, &["a", "b", "c"].map(String::from), x()),
            Op::TiedDecoder => ops::tied_decoder(w, "a.weight", "a.bias", x()),
            Op::Attention => {
                let [batch, length] = SEQUENCES;
                let shape = Shape {
                    batch,
                    length,
                    heads: HEADS,
                    width: HIDDEN / HEADS,
                };
                let real = vec![true; ROWS].into();
                ops::attention(w, &Heads { shape, real }, x(), dropout)
            }
            Op::LayerNorm => ops::layer_norm(w, "a", x(), 1e-12),
            Op::ResidualNorm => ops::residual_norm(w, "a", x(), x(), dropout, 1e-12),
            Op::Dropout => ops::dropout(w, x(), dropout),
            Op::Embed => {
                let table = |(name, rows): (&&'static str, usize)| Table {
                    name,
                    ids: (0..ROWS).map(|i| (i * i % rows) as u32).collect(),
                };
                let rows = [VOCABULARY, SEQUENCES[1], 2];
                let tables = self.names().iter().zip(rows).map(table);
                ops::embed(w, tables.collect(), None, [ROWS, HIDDEN])
            }
            Op::SelectRows => {
                ops::select_rows(w, x(), &(0..MASKED).map(masked).collect::<Vec<_>>())
            }
            Op::CrossEntropy => {
                let labels: Vec<u32> = (0..MASKED).map(|i| masked(i * 3 % MASKED)).collect();
                ops::cross_entropy(w, x(), &labels).1.reshape([1, 1])
            }
            Op::Convolution => {
                let shape = window(1);
                rows(ops::convolution(w, "a", shape, x().reshape(IMAGES)))
            }
            Op::BatchNorm => {
                let (x, residual) = (x().reshape(IMAGES), x().reshape(IMAGES));
                rows(ops::batch_norm(w, "a", x, Some(residual), Relu::Yes, None).0)
            }
            Op::MaxPool => rows(ops::max_pool(w, window(2), x().reshape(IMAGES))),
        }
    }

    /// A pass forward and backward through the op, ready to run. Preparing it makes what a model has at hand: the
    /// parameters where the op wants them, the inputs, and the gradient of the output.
    ///
    /// # Panics
    /// Never: the shapes fit each other.
    pub fn prepare(self, stock: bool) -> impl FnOnce() -> Vec<f32> {
        let numbers = |n: usize| -> Vec<f32> {
            let number = |i: usize| (i * 7919 % 8191) as f32 / 4096.0 - 1.0;
            (0..n).map(number).collect()
        };
        let (inputs, output, shapes) = self.shapes();
        let named = self.names().iter().zip(shapes);
        let parameters = named.map(|(name, shape)| Parameter {
            name: (*name).to_string(),
            shape,
            decay: true,
        });
        let table = Arc::new(weights::Table::new(parameters.collect()));
        let device = Backend::Flex.device().expect("always there").autodiff();
        let flat = Arc::new(numbers(table.len()));
        let w = Weights::new(&table, &flat, &device, stock, [].into()).expect("of this length");
        let input = |shape: [usize; 2]| {
            let x = tensor(numbers(shape[0] * shape[1]), shape, &device);
            x.require_grad()
        };
        let inputs: Vec<_> = inputs.into_iter().map(input).collect();
        let dy = numbers(output[0] * output[1]);
        let mut grad = vec![0.0; table.len()];
        move || {
            let (_, y) = read::<f32, 2>(self.run(&w, inputs));
            // A scalar whose gradient with respect to the output is dy.
            let loss = record([y], vec![0.0_f32], [1], move |_| [Some(dy)]);
            w.backward(loss, &mut grad).expect("of this length");
            grad
        }
    }
}

/// Windows of 3 × 3 on the images.
fn window(stride: usize) -> convolution::Shape {
    let [n, height, width, channels] = IMAGES;
    convolution::Shape {
        n,
        height,
        width,
        channels_in: channels,
        channels_out: channels,
        kernel: 3,
        stride,
        padding: 1,
    }
}

/// (N·H·W, C) of (N, H, W, C).
fn rows(x: Tensor<4>) -> Tensor<2> {
    let [n, height, width, channels] = x.dims();
    x.reshape([n * height * width, channels])
}
