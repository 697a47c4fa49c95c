//! The sizes of a ResNet: its blocks, and what parameters it has.
//!
//! A network is a stem, four stages of blocks, and a linear layer. From a stage to the next the channels double, and
//! rows and columns halve. With w the width of a stage (64, 128, 256, 512, if the first has the published 64):
//!
//! ```text
//! basic (18, 34)       conv 3 × 3, w, stride s     conv 3 × 3, w
//! bottleneck (50)      conv 1 × 1, w               conv 3 × 3, w, stride s     conv 1 × 1, 4 w
//! ```
//!
//! The stride s is 2 in the first block of stages 2 to 4, and 1 in all others. A bottleneck has it at the 3 × 3
//! convolution, as torchvision (there "v1.5"); He et al. 2016 have it at the first 1 × 1.

use crate::{Error, Parameter};
use acclip_kernels::convolution::Shape;
use serde::{Deserialize, Serialize};

/// How many layers with weights there are between the images and the scores, shortcuts not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub enum Depth {
    /// Basic blocks, 2 in each stage.
    D18,
    /// Basic blocks, 3, 4, 6 and 3 in the stages.
    D34,
    /// Bottlenecks, 3, 4, 6 and 3 in the stages.
    D50,
}

/// What stands before the blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stem {
    /// For images of 32 × 32 or so: a 3 × 3 convolution of stride 1.
    Small,
    /// For those of 224 × 224, as torchvision: a 7 × 7 convolution of stride 2, and a 3 × 3 max-pool of stride 2
    /// (AlexNet: 11 × 11 of stride 4).
    Large,
}

/// The sizes of a ResNet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNetConfig {
    /// Which blocks, and how many: 18, 34 or 50.
    pub depth: Depth,
    /// What stands before the blocks.
    pub stem: Stem,
    /// Channels of an image.
    pub channels: usize,
    /// Classes.
    pub classes: usize,
    /// Width of the first stage; 64 as published.
    pub width: usize,
}

/// A convolution and the batch normalisation behind it.
pub(crate) struct Convolution {
    /// Of the convolution: `name`.weight is (O, I, K, K).
    pub name: String,
    /// Of the batch normalisation.
    pub norm: String,
    /// The place of the batch normalisation in the order of the parameters.
    pub place: usize,
    /// I and O.
    pub channels: [usize; 2],
    kernel: usize,
    stride: usize,
}

/// A block: relu(its convolutions + its shortcut).
pub(crate) struct Block {
    /// One after the other, with a ReLU behind each but the last.
    pub convolutions: Vec<Convolution>,
    /// The convolution of the shortcut, where the block changes the size.
    pub shortcut: Option<Convolution>,
}

impl Depth {
    /// Blocks in each stage.
    fn blocks(self) -> [usize; 4] {
        match self {
            Depth::D18 => [2; 4],
            Depth::D34 | Depth::D50 => [3, 4, 6, 3],
        }
    }

    /// Channels that leave a block, per channel of its width.
    fn expansion(self) -> usize {
        match self {
            Depth::D18 | Depth::D34 => 1,
            Depth::D50 => 4,
        }
    }

    /// Kernel, stride and outputs of the convolutions of a block of some width.
    fn block(self, width: usize, stride: usize) -> Vec<[usize; 3]> {
        match self {
            Depth::D18 | Depth::D34 => vec![[3, stride, width], [3, 1, width]],
            Depth::D50 => {
                let wide = width * self.expansion();
                vec![[1, 1, width], [3, stride, width], [1, 1, wide]]
            }
        }
    }
}

impl From<Depth> for u32 {
    fn from(depth: Depth) -> Self {
        match depth {
            Depth::D18 => 18,
            Depth::D34 => 34,
            Depth::D50 => 50,
        }
    }
}

impl TryFrom<u32> for Depth {
    type Error = Error;

    fn try_from(layers: u32) -> Result<Self, Error> {
        let known = [Depth::D18, Depth::D34, Depth::D50];
        let found = known.into_iter().find(|depth| u32::from(*depth) == layers);
        found.ok_or_else(|| Error::Config {
            field: "depth",
            value: layers.to_string(),
            problem: "a ResNet has 18, 34 or 50 layers".into(),
        })
    }
}

impl ResNetConfig {
    /// Width of the four stages.
    fn stages(&self) -> [usize; 4] {
        [1, 2, 4, 8].map(|factor| factor * self.width)
    }

    /// The first convolution.
    pub(crate) fn first(&self) -> Convolution {
        let (kernel, stride) = match self.stem {
            Stem::Small => (3, 1),
            Stem::Large => (7, 2),
        };
        Convolution {
            name: "conv1".into(),
            norm: "bn1".into(),
            place: 0,
            channels: [self.channels, self.width],
            kernel,
            stride,
        }
    }

    /// The blocks of all stages, one after the other.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let (mut inputs, mut place) = (self.width, 0);
        let mut all = Vec::new();
        let stages = self.stages().into_iter().zip(self.depth.blocks());
        for (stage, (width, blocks)) in stages.enumerate() {
            for block in 0..blocks {
                let mut add = |name: &str, norm: &str, channels, [kernel, stride]: [usize; 2]| {
                    let at = |part: &str| format!("layer{}.{block}.{part}", stage + 1);
                    place += 1;
                    Convolution {
                        name: at(name),
                        norm: at(norm),
                        place,
                        channels,
                        kernel,
                        stride,
                    }
                };
                let stride = if block == 0 && stage > 0 { 2 } else { 1 };
                let outputs = width * self.depth.expansion();
                let (mut convolutions, mut from) = (Vec::new(), inputs);
                for (i, [kernel, stride, to]) in (1..).zip(self.depth.block(width, stride)) {
                    let (name, norm) = (format!("conv{i}"), format!("bn{i}"));
                    convolutions.push(add(&name, &norm, [from, to], [kernel, stride]));
                    from = to;
                }
                let shortcut = (stride != 1 || inputs != outputs).then(|| {
                    let channels = [inputs, outputs];
                    add("downsample.0", "downsample.1", channels, [1, stride])
                });
                all.push(Block {
                    convolutions,
                    shortcut,
                });
                inputs = outputs;
            }
        }
        all
    }

    /// Every convolution, in the order of the parameters.
    pub(crate) fn convolutions(&self) -> Vec<Convolution> {
        let blocks = self.blocks().into_iter();
        let of_blocks = blocks.flat_map(|b| b.convolutions.into_iter().chain(b.shortcut));
        [self.first()].into_iter().chain(of_blocks).collect()
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
            let shape = vec![outputs, inputs, c.kernel, c.kernel];
            add(format!("{}.weight", c.name), shape, true);
            add(format!("{}.weight", c.norm), vec![outputs], false);
            add(format!("{}.bias", c.norm), vec![outputs], false);
        }
        let [.., last] = self.stages();
        let width = last * self.depth.expansion();
        add("fc.weight".into(), vec![self.classes, width], true);
        add("fc.bias".into(), vec![self.classes], false);
        list
    }
}

impl Convolution {
    /// On images of N, H, W, with half the kernel as padding.
    pub fn shape(&self, [n, height, width]: [usize; 3]) -> Shape {
        Shape {
            n,
            height,
            width,
            channels_in: self.channels[0],
            channels_out: self.channels[1],
            kernel: self.kernel,
            stride: self.stride,
            padding: self.kernel / 2,
        }
    }
}
