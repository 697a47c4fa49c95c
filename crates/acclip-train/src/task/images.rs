//! Image classification by ResNet or AlexNet.
//!
//! Training augments images as configured; validation and measurements of noise take the plain view. In a measurement
//! batch normalisation takes running statistics, which stay as they are. Those of a model that has not been trained
//! say nothing (mean 0, variance 1), so there they are first collected over [`WARM_UP`] training batches.

use super::{Ask, Carried, HeldOut, Laps, Place, Scores, Task, init_stream};
use crate::files::write_json;
use crate::weights_file::{self, Weights};
use crate::{Config, CorpusFacts, Error, Timing};
use acclip_data::images::{Augment, ImageDataset, ImageOptions, Images, Normalization as Scaling};
use acclip_data::{Order, Purpose};
use acclip_models::{
    ImageBatch, ImageModel, ImageModelConfig, Normalization, Parameter, RunningStatistics,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Batches over which running statistics are collected at the start.
const WARM_UP: u64 = 50;

/// Images to train and to test on.
pub(crate) struct Pictures {
    images: ImageDataset,
    scaling: Scaling,
}

impl Pictures {
    /// Reads a folder of classes, CIFAR binaries or IDX files.
    pub fn load(config: &Config) -> Result<(Self, CorpusFacts), Error> {
        let path = config.corpus.path.as_deref().ok_or_else(|| {
            let problem = "name a folder with a subfolder of JPEG or PNG files for each class, CIFAR binaries or IDX \
                           files; there are no images built in";
            Error::config("corpus.path", problem)
        })?;
        let options = ImageOptions {
            size: config.images.size,
            held_out: config.corpus.held_out,
            seed: config.corpus.split_seed,
            check: config.images.check,
            ..ImageOptions::default()
        };
        let images = Images::read(path, &options)?;
        let (train, classes) = (&images.train, images.classes.len());
        let mut content = format!(
            "{} images of {} × {} in {classes} classes",
            train.len() + images.test.len(),
            train.height(),
            train.width()
        );
        for note in &images.notes {
            content += &format!("; {note}");
        }
        let facts = CorpusFacts {
            source: path.to_string(),
            content,
            crc32: images.crc32,
            labels: classes,
            train_examples: train.len(),
            valid_examples: images.test.len(),
        };
        let scaling = match (config.images.augment, train.channels()) {
            (Augment::ImageNet, 3) => Scaling::imagenet(), // to decode every image once takes an hour
            _ => Scaling::of(train)?,
        };
        Ok((Self { images, scaling }, facts))
    }
}

impl Pictures {
    /// The longer side of the images, in pixels.
    pub fn side(&self) -> usize {
        self.images.train.height().max(self.images.train.width())
    }
}

/// A model of images.
pub(crate) struct Classification<'a> {
    config: &'a Config,
    data: &'a Pictures,
    model: ImageModel,
    /// Pre-trained parameters and running statistics.
    pretrained: Option<Weights>,
}

impl<'a> Classification<'a> {
    pub fn new(config: &'a Config, data: &'a Pictures) -> Result<Self, Error> {
        let device = config.model.backend.device()?;
        let (channels, classes) = (data.images.train.channels(), data.images.classes.len());
        let sizes = config.image_model(channels, classes)?;
        let (train, least) = (&data.images.train, sizes.smallest_image());
        if train.height().min(train.width()) < least {
            let problem = format!(
                "{} takes images of at least {least} × {least}, and these are {} × {}; set it",
                config.model.size,
                train.height(),
                train.width()
            );
            return Err(Error::config("images.size", problem));
        }
        let model = ImageModel::new(sizes, &device)?;
        let statistics = Carried(model.running_statistics().to_arrays());
        // Of pre-trained weights for other classes the head is new: weights and biases of the last layer.
        let read = |path: &String| {
            let new = model.init(&mut init_stream(config.seed));
            weights_file::read(Path::new(path), model.parameters(), &statistics, (2, &new))
        };
        Ok(Self {
            config,
            data,
            pretrained: config.model.weights.as_ref().map(read).transpose()?,
            model,
        })
    }

    fn batch(
        &self,
        images: &Images,
        indices: &[usize],
        place: Option<Place>,
    ) -> Result<acclip_data::images::ImageBatch, Error> {
        let augment = self.config.images.augment;
        let (augment, step) = match place {
            Some(Place::Training { step, .. }) => (augment, step),
            _ => (augment.evaluation(), 0),
        };
        let (scaling, seed) = (&self.data.scaling, self.config.seed);
        Ok(images.batch(indices, augment, scaling, seed, Purpose::AUGMENT, step)?)
    }

    fn statistics(&self, carried: &mut Carried) -> Result<RunningStatistics<f32>, Error> {
        let start = self.model.running_statistics();
        Ok(start.with_arrays(std::mem::take(&mut carried.0))?)
    }
}

impl Task for Classification<'_> {
    fn parameters(&self) -> &[Parameter] {
        self.model.parameters()
    }

    fn initial(&self) -> Vec<f32> {
        match &self.pretrained {
            Some(found) => found.params.clone(),
            None => self.model.init(&mut init_stream(self.config.seed)),
        }
    }

    fn carried(&self) -> Carried {
        match &self.pretrained {
            Some(found) => found.carried.clone(),
            None => Carried(self.model.running_statistics().to_arrays()),
        }
    }

    fn examples(&self) -> usize {
        self.data.images.train.len()
    }

    fn prepare_measurement(
        &self,
        params: &Arc<Vec<f32>>,
        step: u64,
        carried: &mut Carried,
    ) -> Result<(), Error> {
        if step > 0 || carried.0.is_empty() || self.pretrained.is_some() {
            return Ok(());
        }
        let mut statistics = self.statistics(carried)?;
        let train = &self.data.images.train;
        let size = self.config.train.batch_size.min(train.len());
        let mut order = Order::new(train.len(), size, self.config.seed)?;
        for i in 0..WARM_UP {
            let batch = self.batch(train, order.indices(i), None)?;
            let normalization = Normalization::Batch(&mut statistics);
            self.model
                .forward(params, &view(&batch), normalization, None)?;
        }
        carried.0 = statistics.to_arrays();
        Ok(())
    }

    fn gradient(
        &self,
        ask: &Ask,
        carried: &mut Carried,
        grad: &mut Vec<f32>,
        timing: &mut Timing,
    ) -> Result<f64, Error> {
        let mut laps = Laps::start(timing);
        let batch = self.batch(&self.data.images.train, ask.indices, Some(ask.place))?;
        laps.data(batch.labels.len() as u64);
        let mut statistics = self.statistics(carried)?;
        let normalization = match ask.place {
            Place::Training { .. } => Normalization::Batch(&mut statistics),
            Place::Noise { .. } => Normalization::Frozen(&statistics),
        };
        let mut dropout = ask.place.dropout(self.config.seed);
        let dropout = dropout.as_mut().map(|d| d as &mut dyn rand::Rng);
        let forward = self
            .model
            .forward(ask.params, &view(&batch), normalization, dropout)?;
        carried.0 = statistics.to_arrays();
        let loss = forward.loss;
        laps.forward();
        forward.backward(grad)?;
        laps.backward();
        Ok(loss)
    }

    fn evaluate(
        &self,
        params: &Arc<Vec<f32>>,
        carried: &Carried,
        part: HeldOut,
    ) -> Result<Scores, Error> {
        let test = &self.data.images.test;
        let statistics = self.statistics(&mut carried.clone())?;
        let (mut loss, mut top1, mut top5, mut images) = (0.0, 0, 0, 0);
        for indices in part.batches(test.len(), self.config)? {
            let batch = self.batch(test, &indices, None)?;
            let e = self.model.evaluate(params, &view(&batch), &statistics)?;
            loss += e.loss * e.images as f64;
            top1 += e.top1;
            top5 += e.top5;
            images += e.images;
        }
        let share = |hits: usize| hits as f64 / images as f64;
        Ok(Scores {
            loss: loss / images as f64,
            accuracy: Some(share(top1)),
            others: BTreeMap::from([("top5".to_string(), share(top5))]),
        })
    }

    fn uniform_loss(&self) -> f64 {
        (self.data.images.classes.len().max(2) as f64).ln()
    }

    fn label_counts(&self) -> Vec<f64> {
        let mut counts = vec![0.0; self.data.images.classes.len()];
        for label in self.data.images.train.labels() {
            counts[*label as usize] += 1.0;
        }
        counts
    }

    fn export(
        &self,
        params: &Arc<Vec<f32>>,
        carried: &Carried,
        folder: &Path,
    ) -> Result<Scores, Error> {
        let file = folder.join("model.safetensors");
        weights_file::write(&file, self.model.parameters(), params, carried)?;
        write_json(&folder.join("classes.json"), &self.data.images.classes)?;
        self.evaluate(params, carried, HeldOut::All)
    }

    fn describe(&self) -> String {
        let m = &self.config.model;
        let width = m.width.map_or(String::new(), |w| {
            format!(", {w} channels in its first stage")
        });
        let family = match self.model.config() {
            ImageModelConfig::ResNet(_) => "a ResNet",
            ImageModelConfig::AlexNet(_) => "an AlexNet",
        };
        let weights = m.weights.as_ref();
        let weights = weights.map_or(String::new(), |w| format!(", from the weights of {w}"));
        let fresh = self.pretrained.as_ref().map(|found| &found.fresh[..]);
        let fresh = match fresh {
            None | Some([]) => String::new(),
            Some(names) => format!("; new, for other classes: {}", names.join(", ")),
        };
        format!(
            "{} ({family}) with the {:?} stem{width}{weights}{fresh}",
            m.size, m.stem
        )
    }
}

fn view(batch: &acclip_data::images::ImageBatch) -> ImageBatch<'_, f32> {
    ImageBatch {
        images: &batch.pixels,
        height: batch.height,
        width: batch.width,
        labels: &batch.labels,
    }
}
