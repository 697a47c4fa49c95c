//! ResNet for image classification, of 18, 34 or 50 layers.
//!
//! Residual blocks (He et al., *Deep Residual Learning for Image Recognition*, CVPR 2016), with the names and layouts of
//! torchvision. With BN the batch normalisation of a channel,
//!
//! ```text
//! h ← relu(BN(conv(images)))                        3 × 3; for large images 7 × 7, stride 2, and a max-pool
//! each block:  h ← relu(F(h) + shortcut(h))
//!              F(h) = BN(conv(relu(BN(conv(h)))))   basic, 18 and 34: two 3 × 3 convolutions
//!              F(h) = BN(conv(relu(BN(conv(relu(BN(conv(h))))))))      bottleneck, 50: 1 × 1, 3 × 3, 1 × 1
//! loss = mean of −log softmax(W mean_pixels(h) + b)[class]
//! ```
//!
//! The shortcut is h itself, or BN of a 1 × 1 convolution where the block changes the size. Images are
//! (N, H, W, C): the channels of a pixel side by side.
//!
//! Departures from torchvision: the stem for small images, which torchvision has not (He et al., section 4.2, have it
//! for CIFAR-10), and initial biases of 0 in the last layer.

use crate::image_model::ImageBatch;
use crate::ops::{self, Relu};
use crate::resnet_config::{Block, Convolution, ResNetConfig, Stem};
use crate::running_statistics::Normalization;
use crate::weights::Weights;
use crate::{Parameter, Real};
use acclip_kernels::convolution::Shape;
use burn::tensor::Tensor;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

/// Initial parameters: convolutions from N(0, 2/(O K²)) (He et al. 2015, by outputs, as torchvision), the last
/// layer uniform within ±1/√I, gains 1, biases 0.
pub(crate) fn init<F: Real>(parameters: &[Parameter], generator: &mut dyn Rng) -> Vec<F> {
    let mut flat = Vec::new();
    for parameter in parameters {
        let draw = |_| match parameter.shape[..] {
            [outputs, _, kernel, _] => {
                let z: f64 = StandardNormal.sample(generator);
                z * (2.0 / (outputs * kernel * kernel) as f64).sqrt()
            }
            [_, inputs] => {
                let u = generator.next_u32() as f64 / 2f64.powi(32);
                (2.0 * u - 1.0) / (inputs as f64).sqrt()
            }
            _ if parameter.name.ends_with(".weight") => 1.0,
            _ => 0.0,
        };
        flat.extend((0..parameter.len()).map(draw).map(F::of));
    }
    flat
}

/// The scores (N, classes) of a batch. Where the normalisation is that of the batch, running statistics are moved.
pub(crate) fn logits<F: Real>(
    config: &ResNetConfig,
    weights: &Weights<F>,
    batch: &ImageBatch<F>,
    normalization: Normalization<F>,
) -> Tensor<2> {
    let mut pass = Pass {
        weights,
        normalization,
    };
    let first = config.first();
    let size = [batch.labels.len(), batch.height, batch.width];
    let stem = ops::stem(weights, &first.name, first.shape(size), batch.images);
    let mut h = pass.normalize(&first, stem, None, Relu::Yes);
    if config.stem == Stem::Large {
        h = ops::max_pool(weights, window(&h), h);
    }
    for block in config.blocks() {
        h = pass.block(&block, h);
    }
    ops::linear(weights, "fc", ops::average_pool(weights, h))
}

/// Windows of 3 × 3, a stride of 2 apart, with a border of 1.
fn window(x: &Tensor<4>) -> Shape {
    let [n, height, width, channels] = x.dims();
    Shape {
        n,
        height,
        width,
        channels_in: channels,
        channels_out: channels,
        kernel: 3,
        stride: 2,
        padding: 1,
    }
}

/// One pass over the model.
struct Pass<'a, F> {
    weights: &'a Weights<F>,
    normalization: Normalization<'a, F>,
}

impl<F: Real> Pass<'_, F> {
    fn block(&mut self, block: &Block, h: Tensor<4>) -> Tensor<4> {
        let (last, before) = (block.convolutions.split_last()).expect("a block has convolutions");
        let mut y = h.clone();
        for c in before {
            let x = self.convolve(c, y);
            y = self.normalize(c, x, None, Relu::Yes);
        }
        let y = self.convolve(last, y);
        let shortcut = match &block.shortcut {
            None => h,
            Some(c) => {
                let x = self.convolve(c, h);
                self.normalize(c, x, None, Relu::No)
            }
        };
        self.normalize(last, y, Some(shortcut), Relu::Yes)
    }

    fn convolve(&self, c: &Convolution, x: Tensor<4>) -> Tensor<4> {
        let [n, height, width, _] = x.dims();
        ops::convolution(self.weights, &c.name, c.shape([n, height, width]), x)
    }

    fn normalize(
        &mut self,
        c: &Convolution,
        x: Tensor<4>,
        residual: Option<Tensor<4>>,
        relu: Relu,
    ) -> Tensor<4> {
        let [n, height, width, _] = x.dims();
        let frozen = self.normalization.frozen(c.place);
        let (y, of_batch) = ops::batch_norm(self.weights, &c.norm, x, residual, relu, frozen);
        (self.normalization).update(c.place, &of_batch, n * height * width);
        y
    }
}
