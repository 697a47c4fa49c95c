//! ResNet-18 for image classification.
//!
//! Basic blocks of two 3 × 3 convolutions (He et al., *Deep Residual Learning for Image Recognition*, CVPR 2016), with
//! the names and layouts of torchvision. With BN the batch normalisation of a channel,
//!
//! ```text
//! h ← relu(BN(conv(images)))                        3 × 3; for large images 7 × 7, stride 2, and a max-pool
//! each block:  h ← relu(BN(conv(relu(BN(conv(h))))) + shortcut(h))
//! loss = mean of −log softmax(W mean_pixels(h) + b)[class]
//! ```
//!
//! The shortcut is h itself, or BN of a 1 × 1 convolution where the block changes the size. Images are
//! (N, H, W, C): the channels of a pixel side by side.

use crate::ops::{self, Relu};
use crate::weights::{Table, Weights};
use crate::{Device, Error, Parameter, Real};
use acclip_kernels::batch_norm::Statistics;
use acclip_kernels::convolution::Shape;
use burn::tensor::Tensor;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Momentum of the running statistics: the weight of the new ones.
const MOMENTUM: f64 = 0.1;
/// Channels of the four stages, and blocks in each.
const STAGES: [usize; 4] = [64, 128, 256, 512];
const BLOCKS: usize = 2;

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

/// Labelled images.
#[derive(Debug, Clone, Copy)]
pub struct ImageBatch<'a, F> {
    /// (N, height, width, channels), row-major.
    pub images: &'a [F],
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// The class of each image, (N).
    pub labels: &'a [u32],
}

/// Mean and variance of every channel of every batch normalisation, in the order of the parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningStatistics<F>(Vec<Statistics<F>>);

/// Where a batch normalisation takes mean and variance from.
#[derive(Debug)]
pub enum Normalization<'a, F> {
    /// The batch; running statistics are moved towards those of the batch. Training.
    Batch(&'a mut RunningStatistics<F>),
    /// Running statistics, which stay as they are. Evaluation, and measurements of noise.
    Frozen(&'a RunningStatistics<F>),
}

/// A finished forward pass, from which the gradient can be taken.
pub struct ImageForward<F> {
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    output: Tensor<1>,
    weights: Weights<F>,
}

impl<F: Real> ImageForward<F> {
    /// Writes ∇loss into `grad`, in the layout of the parameters.
    ///
    /// # Errors
    /// [`Error::Shape`] if `grad` has another length than the parameters.
    pub fn backward(self, grad: &mut Vec<F>) -> Result<(), Error> {
        self.weights.backward(self.output, grad)
    }

    /// As [`crate::Forward::copied`].
    pub fn copied(&self) -> u64 {
        self.weights.copied()
    }
}

/// A ResNet-18: sizes and a device. The parameters stay with the caller.
#[derive(Debug, Clone)]
pub struct ResNet {
    config: ResNetConfig,
    table: Arc<Table>,
    /// Channels of each batch normalisation.
    norms: Vec<usize>,
    device: Device,
    stock: bool,
}

/// A convolution and the batch normalisation behind it.
struct Convolution {
    name: String,
    norm: String,
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
}

impl ResNetConfig {
    /// Every convolution, in the order of the parameters.
    fn convolutions(&self) -> Vec<Convolution> {
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

impl ResNet {
    /// Makes the model on a device.
    ///
    /// # Errors
    /// [`Error::Config`] if there is no channel or no class.
    pub fn new(config: ResNetConfig, device: &Device) -> Result<Self, Error> {
        for (field, value) in [("channels", config.channels), ("classes", config.classes)] {
            if !(1..=1 << 20).contains(&value) {
                return Err(Error::Config {
                    field,
                    value: value.to_string(),
                    problem: "must be from 1 to 1048576".into(),
                });
            }
        }
        let norms = config
            .convolutions()
            .iter()
            .map(|c| c.channels[1])
            .collect();
        Ok(Self {
            table: Arc::new(Table::new(config.parameters())),
            norms,
            config,
            device: device.clone(),
            stock: false,
        })
    }

    /// As [`crate::Bert::with_stock_operations`].
    #[must_use]
    pub fn with_stock_operations(self, stock: bool) -> Self {
        Self { stock, ..self }
    }

    /// The sizes.
    pub fn config(&self) -> &ResNetConfig {
        &self.config
    }

    /// Every parameter, in the order of the flat buffer.
    pub fn parameters(&self) -> &[Parameter] {
        self.table.parameters()
    }

    /// Running statistics at the start: mean 0, variance 1.
    pub fn running_statistics<F: Real>(&self) -> RunningStatistics<F> {
        let start = |channels: &usize| Statistics {
            mean: vec![F::ZERO; *channels],
            variance: vec![F::ONE; *channels],
        };
        RunningStatistics(self.norms.iter().map(start).collect())
    }

    /// The loss of a batch, ready for [`ImageForward::backward`].
    ///
    /// # Errors
    /// [`Error::Shape`] if the parameters, the batch or the statistics do not fit the model.
    pub fn forward<F: Real>(
        &self,
        params: &Arc<Vec<F>>,
        batch: &ImageBatch<F>,
        normalization: Normalization<F>,
    ) -> Result<ImageForward<F>, Error> {
        let mut pass = self.pass(
            params,
            batch,
            normalization,
            &self.device.clone().autodiff(),
        )?;
        let logits = pass.logits(batch);
        let weights = pass.weights;
        let (loss, output) = ops::cross_entropy(&weights, logits, batch.labels);
        Ok(ImageForward {
            loss,
            output,
            weights,
        })
    }

    /// The loss of a batch with frozen statistics, and how many of its images have the highest score at their class.
    ///
    /// # Errors
    /// As [`ResNet::forward`].
    pub fn evaluate<F: Real>(
        &self,
        params: &Arc<Vec<F>>,
        batch: &ImageBatch<F>,
        statistics: &RunningStatistics<F>,
    ) -> Result<(f64, usize), Error> {
        let frozen = Normalization::Frozen(statistics);
        let mut pass = self.pass(params, batch, frozen, &self.device)?;
        let logits = pass.logits(batch);
        Ok(ops::score(&pass.weights, logits, batch.labels))
    }

    fn pass<'a, F: Real>(
        &self,
        params: &Arc<Vec<F>>,
        batch: &ImageBatch<F>,
        normalization: Normalization<'a, F>,
        device: &Device,
    ) -> Result<Pass<'a, F>, Error> {
        self.check(batch)?;
        let statistics = match &normalization {
            Normalization::Batch(running) => &running.0,
            Normalization::Frozen(running) => &running.0,
        };
        let found: Vec<usize> = statistics.iter().map(|s| s.mean.len()).collect();
        if found != self.norms {
            return Err(Error::Shape {
                what: "statistics",
                problem: "they are those of another model".into(),
            });
        }
        let images = (0..batch.labels.len()).map(|n| n..n + 1).collect();
        Ok(Pass {
            weights: Weights::new(&self.table, params, device, self.stock, images)?,
            convolutions: self.config.convolutions().into_iter(),
            normalization,
            norm: 0,
            stem: self.config.stem,
        })
    }

    fn check<F>(&self, batch: &ImageBatch<F>) -> Result<(), Error> {
        let n = batch.labels.len();
        let wrong = |what, problem| Err(Error::Shape { what, problem });
        if n == 0
            || batch
                .labels
                .iter()
                .any(|&l| l as usize >= self.config.classes)
        {
            let problem = format!("{n} labels, or one ≥ {}", self.config.classes);
            return wrong("labels", problem);
        }
        let (height, width, channels) = (batch.height, batch.width, self.config.channels);
        if height == 0 || width == 0 || batch.images.len() != n * height * width * channels {
            let problem = format!(
                "{} numbers for {n} × {height} × {width} × {channels}",
                batch.images.len()
            );
            return wrong("images", problem);
        }
        Ok(())
    }
}

/// One pass over the model.
struct Pass<'a, F> {
    weights: Weights<F>,
    convolutions: std::vec::IntoIter<Convolution>,
    normalization: Normalization<'a, F>,
    norm: usize,
    stem: Stem,
}

impl<F: Real> Pass<'_, F> {
    /// (N, classes).
    fn logits(&mut self, batch: &ImageBatch<F>) -> Tensor<2> {
        let c = self.next();
        let size = [batch.labels.len(), batch.height, batch.width];
        let stem = ops::stem(&self.weights, &c.name, c.shape(size), batch.images);
        let mut h = self.normalize(&c, stem, None, Relu::Yes);
        if self.stem == Stem::Large {
            let channels = STAGES[0];
            let pool = shape(size_of(&h), [channels, channels], 3, 2);
            h = ops::max_pool(&self.weights, pool, h);
        }
        for stage in 0..STAGES.len() {
            for block in 0..BLOCKS {
                h = self.block(h, stage > 0 && block == 0);
            }
        }
        let h = ops::average_pool(&self.weights, h);
        ops::linear(&self.weights, "fc", h)
    }

    /// A block; one that `shrinks` has a convolution in its shortcut.
    fn block(&mut self, h: Tensor<4>, shrinks: bool) -> Tensor<4> {
        let (first, second) = (self.next(), self.next());
        let y = self.convolve(&first, h.clone());
        let y = self.normalize(&first, y, None, Relu::Yes);
        let y = self.convolve(&second, y);
        if !shrinks {
            return self.normalize(&second, y, Some(h), Relu::Yes);
        }
        let shortcut = self.next();
        let at = self.norm;
        self.norm += 1; // the shortcut's comes after that of `second`
        let h = self.convolve(&shortcut, h);
        let h = self.normalize(&shortcut, h, None, Relu::No);
        self.norm = at;
        let y = self.normalize(&second, y, Some(h), Relu::Yes);
        self.norm += 1;
        y
    }

    fn next(&mut self) -> Convolution {
        self.convolutions.next().expect("the list has all")
    }

    fn convolve(&self, c: &Convolution, x: Tensor<4>) -> Tensor<4> {
        ops::convolution(&self.weights, &c.name, c.shape(size_of(&x)), x)
    }

    fn normalize(
        &mut self,
        c: &Convolution,
        x: Tensor<4>,
        residual: Option<Tensor<4>>,
        relu: Relu,
    ) -> Tensor<4> {
        let [n, height, width] = size_of(&x);
        let frozen = match &self.normalization {
            Normalization::Batch(_) => None,
            Normalization::Frozen(running) => Some(&running.0[self.norm]),
        };
        let (y, of_batch) = ops::batch_norm(&self.weights, &c.norm, x, residual, relu, frozen);
        if let Normalization::Batch(running) = &mut self.normalization {
            of_batch.update_running(n * height * width, MOMENTUM, &mut running.0[self.norm]);
        }
        self.norm += 1;
        y
    }
}

impl Convolution {
    fn shape(&self, size: [usize; 3]) -> Shape {
        shape(size, self.channels, self.kernel, self.stride)
    }
}

/// With half the kernel as padding.
fn shape(
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

/// Images, rows and columns.
fn size_of(x: &Tensor<4>) -> [usize; 3] {
    let [n, height, width, _] = x.dims();
    [n, height, width]
}
