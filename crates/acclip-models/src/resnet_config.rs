//! The sizes of a ResNet-18: what parameters it has, and how they begin.

use crate::{Parameter, Real};
use acclip_kernels::convolution::Shape;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

/// Channels of the four stages, and blocks in each.
pub(crate) const STAGES: [usize; 4] = [64, 128, 256, 512];
pub(crate) const BLOCKS: usize = 2;

/// What stands before the blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stem {
    /// For images of 32 × 32 or so: a 3 × 3 convolution of stride 1.
    Small,
    /// For those of 224 × 224: a 7 × 7 convolution of stride 2, and a 3 × 3 max-pool of stride 2.
    Large,
}

/// The sizes of a ResNet-18.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResNetConfig {
    /// What stands before the blocks.
    pub stem: Stem,
    /// Channels of an image.
    pub channels: usize,
    /// Classes.
    pub classes: usize,
}

/// A convolution and the batch normalisation behind it.
pub(crate) struct Convolution {
    pub name: String,
    pub norm: String,
    pub channels: [usize; 2],
    kernel: usize,
    stride: usize,
}

impl ResNetConfig {
    /// Every convolution, in the order of the parameters.
    pub(crate) fn convolutions(&self) -> Vec<Convolution> {
        let mut all = Vec::new();
        let mut add = |name: String, norm: String, channels, kernel, stride| {
            all.push(Convolution {
                name: format!("{name}.weight"),
                norm,
                channels,
                kernel,
                stride,
            });
        };
        let (kernel, stride) = match self.stem {
            Stem::Small => (3, 1),
            Stem::Large => (7, 2),
        };
        let first = [self.channels, STAGES[0]];
        add("conv1".into(), "bn1".into(), first, kernel, stride);
        let mut inputs = STAGES[0];
        for (stage, outputs) in STAGES.into_iter().enumerate() {
            for block in 0..BLOCKS {
                let at = |part: &str| format!("layer{}.{block}.{part}", stage + 1);
                let stride = if block == 0 && stage > 0 { 2 } else { 1 };
                add(at("conv1"), at("bn1"), [inputs, outputs], 3, stride);
                add(at("conv2"), at("bn2"), [outputs, outputs], 3, 1);
                if stride != 1 {
                    let (name, norm) = (at("downsample.0"), at("downsample.1"));
                    add(name, norm, [inputs, outputs], 1, stride);
                }
                inputs = outputs;
            }
        }
        all
    }

    /// Every parameter, in the order of the flat buffer. Weight decay applies to weights of convolutions and of the
    /// last layer.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut list = Vec::new();
        let mut add = |name: String, shape: Vec<usize>, decay| {
            list.push(Parameter { name, shape, decay });
        };
        for c in self.convolutions() {
            let [inputs, outputs] = c.channels;
            add(c.name, vec![outputs, inputs, c.kernel, c.kernel], true);
            add(format!("{}.weight", c.norm), vec![outputs], false);
            add(format!("{}.bias", c.norm), vec![outputs], false);
        }
        add("fc.weight".into(), vec![self.classes, STAGES[3]], true);
        add("fc.bias".into(), vec![self.classes], false);
        list
    }

    /// Initial parameters: convolutions from N(0, 2/(O K²)) (He et al. 2015, by outputs, as torchvision), the last
    /// layer uniform within ±1/√512, gains 1, biases 0.
    pub fn init<F: Real>(&self, generator: &mut dyn Rng) -> Vec<F> {
        let mut flat = Vec::new();
        for parameter in self.parameters() {
            let (shape, len) = (&parameter.shape, parameter.len());
            let draw = |_| match shape[..] {
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
            flat.extend((0..len).map(draw).map(F::of));
        }
        flat
    }
}

impl Convolution {
    pub fn shape(&self, size: [usize; 3]) -> Shape {
        shape(size, self.channels, self.kernel, self.stride)
    }
}

/// With half the kernel as padding.
pub(crate) fn shape(
    [n, height, width]: [usize; 3],
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
) -> Shape {
    Shape {
        n,
        height,
        width,
        channels_in: channels[0],
        channels_out: channels[1],
        kernel,
        stride,
        padding: kernel / 2,
    }
}
