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
use crate::resnet_config::{BLOCKS, Convolution, ResNetConfig, STAGES, Stem, shape};
use crate::weights::{Table, Weights};
use crate::{Device, Error, Parameter, Real};
use acclip_kernels::batch_norm::Statistics;
use burn::tensor::Tensor;
use std::sync::Arc;

/// Momentum of the running statistics: the weight of the new ones.
const MOMENTUM: f64 = 0.1;
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

/// Images, rows and columns.
fn size_of(x: &Tensor<4>) -> [usize; 3] {
    let [n, height, width, _] = x.dims();
    [n, height, width]
}
