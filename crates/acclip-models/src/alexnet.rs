//! AlexNet for image classification: convolutions with biases, ReLU and max-pools, without normalisation.
//!
//! ```text
//! h ← pool(relu(conv(images, 64 channels)))            features.0
//! h ← pool(relu(conv(h, 192)))                         features.3
//! h ← relu(conv(h, 384)),  relu(conv(h, 256))          features.6, features.8
//! h ← pool(relu(conv(h, 256)))                         features.10
//! z ← the means of h over a grid, flattened, (N, C·P·Q)
//! z ← relu(W dropout(z) + b), twice                    classifier.1, classifier.4
//! loss = mean of −log softmax(W z + b)[class]          classifier.6
//! ```
//!
//! Names and layouts are torchvision's, after Krizhevsky, *One weird trick for parallelizing convolutional neural
//! networks*, arXiv:1404.5997, 2014. Its sizes, and those of the form for small images:
//!
//! ```text
//!                stem large, as torchvision        stem small
//! features.0     11 × 11, stride 4, padding 2      3 × 3, stride 1, padding 1
//! features.3     5 × 5, padding 2                  5 × 5, padding 2
//! others         3 × 3, padding 1                  3 × 3, padding 1
//! pools          3 × 3, stride 2                   2 × 2, stride 2
//! grid           6 × 6                             4 × 4
//! smallest image 63 × 63                           8 × 8
//! ```
//!
//! The small form is ours: torchvision's leaves nothing of an image of 32 × 32. Its grid is the last map of such an
//! image; the map of 28 × 28, 3 × 3, is spread over it. Dropout masks are functions of (key, layer, index).

use crate::image_model::ImageBatch;
use crate::resnet_config::Stem;
use crate::weights::Weights;
use crate::{Error, Parameter, Real, ops};
use acclip_kernels::Dropout;
use acclip_kernels::convolution::Shape;
use burn::tensor::Tensor;
use rand::Rng;
use serde::{Deserialize, Serialize};

/// The sizes of an AlexNet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlexNetConfig {
    /// For which images: small, of 32 × 32 or so, or large, of 224 × 224.
    pub stem: Stem,
    /// Channels of an image.
    pub channels: usize,
    /// Classes.
    pub classes: usize,
    /// Probability of dropping an input of a hidden layer of the classifier.
    pub dropout: f64,
    /// Channels of the first convolution, to which all other widths are proportional; 64 as published.
    pub width: usize,
}

/// A convolution, and whether a pool follows.
struct Layer {
    name: &'static str,
    /// Kernel, stride, padding.
    window: [usize; 3],
    channels: [usize; 2],
    pool: bool,
}

impl AlexNetConfig {
    fn layers(&self) -> [Layer; 5] {
        let layer = |name, window, channels, pool| Layer {
            name,
            window,
            channels,
            pool,
        };
        let first = match self.stem {
            Stem::Small => [3, 1, 1],
            Stem::Large => [11, 4, 2],
        };
        let [a, b, c, d] = [1, 3, 6, 4].map(|factor| factor * self.width);
        [
            layer("features.0", first, [self.channels, a], true),
            layer("features.3", [5, 1, 2], [a, b], true),
            layer("features.6", [3, 1, 1], [b, c], false),
            layer("features.8", [3, 1, 1], [c, d], false),
            layer("features.10", [3, 1, 1], [d, d], true),
        ]
    }

    /// Width of the two hidden layers of the classifier.
    fn hidden(&self) -> usize {
        64 * self.width
    }

    /// Kernel, stride and padding of a pool.
    fn pool(&self) -> [usize; 3] {
        match self.stem {
            Stem::Small => [2, 2, 0],
            Stem::Large => [3, 2, 0],
        }
    }

    /// Rows and columns before the classifier.
    fn grid(&self) -> [usize; 2] {
        match self.stem {
            Stem::Small => [4, 4],
            Stem::Large => [6, 6],
        }
    }

    /// Rows and columns of the smallest image of which something is left.
    pub(crate) fn smallest_image(&self) -> usize {
        match self.stem {
            Stem::Small => 8,
            Stem::Large => 63,
        }
    }

    /// Refuses a probability that is none.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.dropout {
            p if (0.0..1.0).contains(&p) => Ok(()),
            p => Err(Error::Config {
                field: "dropout",
                value: p.to_string(),
                problem: "must be at least 0 and below 1".into(),
            }),
        }
    }

    /// Every parameter, in the order of the flat buffer. Weight decay applies to weights.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut list = Vec::new();
        let mut add = |name: &str, weight: Vec<usize>| {
            let bias = vec![weight[0]];
            for (kind, shape, decay) in [("weight", weight, true), ("bias", bias, false)] {
                let name = format!("{name}.{kind}");
                list.push(Parameter { name, shape, decay });
            }
        };
        for Layer {
            name,
            window: [kernel, ..],
            channels: [inputs, outputs],
            ..
        } in self.layers()
        {
            add(name, vec![outputs, inputs, kernel, kernel]);
        }
        let [p, q] = self.grid();
        let hidden = self.hidden();
        add("classifier.1", vec![hidden, 4 * self.width * p * q]);
        add("classifier.4", vec![hidden, hidden]);
        add("classifier.6", vec![self.classes, hidden]);
        list
    }
}

/// Initial parameters: weights and biases uniform within ±1/√(inputs of an output), PyTorch's default.
pub(crate) fn init<F: Real>(parameters: &[Parameter], generator: &mut dyn Rng) -> Vec<F> {
    let mut flat = Vec::new();
    let mut bound = 0.0;
    for parameter in parameters {
        if let [_, inputs @ ..] = &parameter.shape[..]
            && !inputs.is_empty()
        {
            bound = 1.0 / (inputs.iter().product::<usize>() as f64).sqrt(); // for the bias that follows, too
        }
        let draw = |_| bound * (generator.next_u32() as f64 / 2f64.powi(31) - 1.0);
        flat.extend((0..parameter.len()).map(draw).map(F::of));
    }
    flat
}

/// The scores (N, classes) of a batch. Without a key nothing is dropped.
pub(crate) fn logits<F: Real>(
    config: &AlexNetConfig,
    weights: &Weights<F>,
    batch: &ImageBatch<F>,
    key: Option<u64>,
) -> Tensor<2> {
    let images = [batch.labels.len(), batch.height, batch.width];
    let mut h: Option<Tensor<4>> = None;
    for layer in config.layers() {
        let y = match h {
            None => {
                let shape = shape(images, layer.channels, layer.window);
                ops::stem(weights, layer.name, shape, batch.images)
            }
            Some(h) => {
                let shape = shape(size(&h), layer.channels, layer.window);
                ops::convolution(weights, layer.name, shape, h)
            }
        };
        let mut y = ops::relu(weights, y);
        if layer.pool {
            let [_, channels] = layer.channels;
            let pool = shape(size(&y), [channels; 2], config.pool());
            y = ops::max_pool(weights, pool, y);
        }
        h = Some(y);
    }
    let h = h.expect("there are convolutions");
    let mut z = ops::adaptive_average_pool(weights, config.grid(), h);
    for (op, name) in (0..).zip(["classifier.1", "classifier.4"]) {
        let key = key.filter(|_| config.dropout > 0.0);
        let mask = key.map(|key| Dropout::new(config.dropout, key, op));
        z = ops::linear(weights, name, ops::dropout(weights, z, mask));
        z = ops::relu(weights, z);
    }
    ops::linear(weights, "classifier.6", z)
}

/// N, H and W.
fn size(x: &Tensor<4>) -> [usize; 3] {
    let [n, height, width, _] = x.dims();
    [n, height, width]
}

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
