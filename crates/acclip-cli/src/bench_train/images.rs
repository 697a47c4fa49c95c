//! ResNets and AlexNet, on made-up images.

use super::subject::{Model, Pass};
use crate::args::{BenchTrain, TrainConfig};
use acclip_models::{
    ImageBatch, ImageModel, ImageModelConfig, Normalization, Parameter, RunningStatistics, Stem,
};
use acclip_train::Error;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use std::time::Instant;

const CHANNELS: usize = 3;
const CLASSES: usize = 10;

/// A model of images, and a batch of them.
pub struct Images {
    model: ImageModel,
    running: RunningStatistics<f32>,
    images: Vec<f32>,
    /// Rows, and columns, of an image.
    side: usize,
    labels: Vec<u32>,
}

impl Images {
    /// The model and batch of C, E or F.
    pub fn new(args: &BenchTrain, generator: &mut ChaCha8Rng) -> Result<Self, Error> {
        let (name, stem, images, side) = match args.config {
            TrainConfig::E => ("resnet50", Stem::Large, 16, 64),
            TrainConfig::F => ("alexnet", Stem::Large, 16, 224),
            _ => ("resnet18", Stem::Small, 32, 32),
        };
        let config = ImageModelConfig::named(name, stem, CHANNELS, CLASSES)?;
        let model = ImageModel::new(config, &args.backend.device()?)?;
        let model = model.with_stock_operations(args.stock);
        Ok(Self {
            running: model.running_statistics(),
            model,
            images: (0..images * side * side * CHANNELS)
                .map(|_| generator.random_range(-1.0..1.0))
                .collect(),
            side,
            labels: (0..images).map(|i| (i % CLASSES) as u32).collect(),
        })
    }
}

impl Model for Images {
    fn parameters(&self) -> &[Parameter] {
        self.model.parameters()
    }

    fn init(&self, generator: &mut ChaCha8Rng) -> Vec<f32> {
        self.model.init(generator)
    }

    fn batch(&self) -> usize {
        self.labels.len()
    }

    fn gradient(
        &mut self,
        params: &Arc<Vec<f32>>,
        grad: &mut Vec<f32>,
        generator: &mut ChaCha8Rng,
        _by_example: bool,
    ) -> Result<Pass, Error> {
        let batch = ImageBatch {
            images: &self.images,
            height: self.side,
            width: self.side,
            labels: &self.labels,
        };
        let normalization = Normalization::Batch(&mut self.running);
        let forward = (self.model).forward(params, &batch, normalization, Some(generator))?;
        let pass = Pass {
            loss: forward.loss,
            copied: forward.copied(),
            middle: Instant::now(),
        };
        forward.backward(grad)?;
        Ok(pass)
    }
}
