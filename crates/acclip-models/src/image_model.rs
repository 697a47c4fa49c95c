//! A model that classifies images: a ResNet or an AlexNet, behind one face.
//!
//! Like the other models it is a function of a flat parameter buffer. A batch normalisation has running statistics
//! beside its parameters, which the caller keeps and passes in; a model without any has empty ones, so that a trainer
//! need not ask which model it has.

use crate::image_model_config::ImageModelConfig;
use crate::running_statistics::{Normalization, RunningStatistics};
use crate::weights::{Table, Weights, values};
use crate::{Device, Error, Parameter, Real, alexnet, ops, resnet};
use acclip_kernels::rank;
use burn::tensor::Tensor;
use rand::Rng;
use std::sync::Arc;

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

/// What a model makes of labelled images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageEvaluation {
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Images whose class has the highest score.
    pub top1: usize,
    /// Images whose class is among the five highest scores. With five classes or fewer, all.
    pub top5: usize,
    /// All images.
    pub images: usize,
}

/// A model of images: sizes and a device. The parameters stay with the caller.
#[derive(Debug, Clone)]
pub struct ImageModel {
    config: ImageModelConfig,
    table: Arc<Table>,
    norms: Vec<(String, usize)>,
    device: Device,
    stock: bool,
}

impl ImageModel {
    /// Makes the model on a device.
    ///
    /// # Errors
    /// [`Error::Config`] if there is no channel or no class, or a probability is none.
    pub fn new(config: ImageModelConfig, device: &Device) -> Result<Self, Error> {
        config.validate()?;
        Ok(Self {
            table: Arc::new(Table::new(config.parameters())),
            norms: config.norms(),
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

    /// Which model, and its sizes.
    pub fn config(&self) -> &ImageModelConfig {
        &self.config
    }

    /// Every parameter, in the order of the flat buffer.
    pub fn parameters(&self) -> &[Parameter] {
        self.table.parameters()
    }

    /// Initial parameters, as [`ImageModelConfig::init`].
    pub fn init<F: Real>(&self, generator: &mut dyn Rng) -> Vec<F> {
        self.config.init(generator)
    }

    /// Running statistics at the start: mean 0, variance 1. Of an AlexNet, none.
    pub fn running_statistics<F: Real>(&self) -> RunningStatistics<F> {
        RunningStatistics::start(&self.norms)
    }

    /// The loss of a batch, ready for [`ImageForward::backward`]. The dropout masks are functions of one number that is
    /// drawn from `dropout`; without a generator, nothing is dropped.
    ///
    /// # Errors
    /// [`Error::Shape`] if the parameters, the batch or the statistics do not fit the model.
    pub fn forward<F: Real>(
        &self,
        params: &Arc<Vec<F>>,
        batch: &ImageBatch<F>,
        normalization: Normalization<F>,
        dropout: Option<&mut dyn Rng>,
    ) -> Result<ImageForward<F>, Error> {
        let device = self.device.clone().autodiff();
        let weights = self.begin(params, batch, normalization.statistics(), &device)?;
        let key = dropout.map(|generator| generator.next_u64());
        let logits = self.pass(&weights, batch, normalization, key);
        let (loss, output) = ops::cross_entropy(&weights, logits, batch.labels);
        Ok(ImageForward {
            loss,
            output,
            weights,
        })
    }

    /// The loss of a batch with frozen statistics and without dropout, and how many of its images are found.
    ///
    /// # Errors
    /// As [`ImageModel::forward`].
    pub fn evaluate<F: Real>(
        &self,
        params: &Arc<Vec<F>>,
        batch: &ImageBatch<F>,
        statistics: &RunningStatistics<F>,
    ) -> Result<ImageEvaluation, Error> {
        let weights = self.begin(params, batch, statistics, &self.device)?;
        let logits = self.pass(&weights, batch, Normalization::Frozen(statistics), None);
        let loss = ops::score(&weights, logits.clone(), batch.labels).loss;
        let ranks = rank::of_labels(&values::<F, 2>(logits), batch.labels);
        let among = |best: usize| ranks.iter().filter(|&&rank| rank < best).count();
        Ok(ImageEvaluation {
            loss,
            top1: among(1),
            top5: among(5),
            images: ranks.len(),
        })
    }

    /// The scores (N, classes) of a batch with frozen statistics and without dropout.
    ///
    /// # Errors
    /// As [`ImageModel::forward`].
    pub fn logits<F: Real>(
        &self,
        params: &Arc<Vec<F>>,
        batch: &ImageBatch<F>,
        statistics: &RunningStatistics<F>,
    ) -> Result<Vec<F>, Error> {
        let weights = self.begin(params, batch, statistics, &self.device)?;
        let frozen = Normalization::Frozen(statistics);
        Ok(values(self.pass(&weights, batch, frozen, None)))
    }

    fn pass<F: Real>(
        &self,
        weights: &Weights<F>,
        batch: &ImageBatch<F>,
        normalization: Normalization<F>,
        key: Option<u64>,
    ) -> Tensor<2> {
        match &self.config {
            ImageModelConfig::ResNet(config) => {
                resnet::logits(config, weights, batch, normalization)
            }
            ImageModelConfig::AlexNet(config) => alexnet::logits(config, weights, batch, key),
        }
    }

    /// Begins a pass on a batch that fits.
    fn begin<F: Real>(
        &self,
        params: &Arc<Vec<F>>,
        batch: &ImageBatch<F>,
        statistics: &RunningStatistics<F>,
        device: &Device,
    ) -> Result<Weights<F>, Error> {
        self.check(batch)?;
        if !statistics.fit(&self.norms) {
            return Err(Error::Shape {
                what: "statistics",
                problem: "they are those of another model".into(),
            });
        }
        let images = (0..batch.labels.len()).map(|n| n..n + 1).collect();
        Weights::new(&self.table, params, device, self.stock, images)
    }

    fn check<F>(&self, batch: &ImageBatch<F>) -> Result<(), Error> {
        let (n, classes) = (batch.labels.len(), self.config.classes());
        let wrong = |what, problem| Err(Error::Shape { what, problem });
        if n == 0 {
            return wrong("labels", "there are none".into());
        }
        if let Some(i) = batch.labels.iter().position(|&l| l as usize >= classes) {
            let label = batch.labels[i];
            let problem =
                format!("label {label} of image {i} of a batch; there are {classes} classes");
            return wrong("labels", problem);
        }
        let (height, width, channels) = (batch.height, batch.width, self.config.channels());
        let (found, least) = (batch.images.len(), self.config.smallest_image());
        let expected = [n, height, width, channels]
            .iter()
            .try_fold(1_usize, |a, b| a.checked_mul(*b));
        if expected != Some(found) {
            let problem = format!("{found} numbers for {n} × {height} × {width} × {channels}");
            return wrong("images", problem);
        }
        if height.min(width) < least {
            let problem = format!("{height} × {width} pixels; the model needs {least} × {least}");
            return wrong("images", problem);
        }
        Ok(())
    }
}
