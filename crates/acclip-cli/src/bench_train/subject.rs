//! A model in training on a batch of made-up data.

use crate::args::{BenchTrain, TrainConfig};
use acclip_models::{
    Bert, BertConfig, Head, ImageBatch, ImageModel, ImageModelConfig, Input, MaskedBatch,
    Normalization, Parameter, RunningStatistics, Stem,
};
use acclip_optim::{Block, Hyper, Layout, Optimizer, State};
use acclip_train::Error;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use std::time::Instant;

/// Tokens in the vocabulary, and in a sequence, and how many of these are masked (15 %).
const VOCABULARY: usize = 8192;
pub const LENGTH: usize = 128;
const MASKED: usize = 19;
/// Images in a batch, their rows and columns, and classes.
const IMAGES: usize = 32;
const SIDE: usize = 32;
const CLASSES: usize = 10;
/// Of parameters, data and dropout masks.
pub const SEED: u64 = 0;

/// A model, and the batch that it sees at every step.
pub enum Model {
    Bert(Bert, Tokens),
    ResNet(ImageModel, Images, RunningStatistics<f32>),
}

impl Model {
    fn new(args: &BenchTrain, generator: &mut ChaCha8Rng) -> Result<Self, Error> {
        let device = args.backend.device()?;
        let (layers, hidden, heads, batch) = match args.config {
            TrainConfig::A => (4, 256, 4, 16),
            TrainConfig::B => (2, 768, 12, 4),
            TrainConfig::C => {
                let config = ImageModelConfig::named("resnet18", Stem::Small, 3, CLASSES)?;
                let model = ImageModel::new(config, &device)?.with_stock_operations(args.stock);
                let running = model.running_statistics();
                return Ok(Model::ResNet(model, Images::draw(generator), running));
            }
        };
        let config = BertConfig {
            vocab_size: VOCABULARY,
            hidden,
            layers,
            heads,
            feed_forward: 4 * hidden,
            max_len: LENGTH,
            segments: 2,
            dropout: args.dropout,
            attention: true,
            layer_norm_eps: BertConfig::LAYER_NORM_EPS,
            head: Head::MaskedLm,
        };
        let model = Bert::new(config, &device)?
            .with_stock_operations(args.stock)
            .with_recomputation(args.recompute);
        Ok(Model::Bert(model, Tokens::draw(batch, generator)))
    }

    fn parameters(&self) -> &[Parameter] {
        match self {
            Model::Bert(model, _) => model.parameters(),
            Model::ResNet(model, ..) => model.parameters(),
        }
    }

    fn init(&self, generator: &mut ChaCha8Rng) -> Vec<f32> {
        match self {
            Model::Bert(model, _) => model.config().init(generator),
            Model::ResNet(model, ..) => model.init(generator),
        }
    }

    /// Tokens or images in the batch.
    pub fn batch(&self) -> usize {
        match self {
            Model::Bert(_, tokens) => tokens.tokens.len(),
            Model::ResNet(_, images, _) => images.labels.len(),
        }
    }
}

/// A model in training.
pub struct Subject {
    pub model: Model,
    pub params: Arc<Vec<f32>>,
    grad: Vec<f32>,
    layout: Layout,
    optimizer: Optimizer,
    state: State<f32>,
    generator: ChaCha8Rng,
    pub copied: u64,
    pub loss: f64,
}

impl Subject {
    pub fn new(args: &BenchTrain) -> Result<Self, Error> {
        let mut generator = ChaCha8Rng::seed_from_u64(SEED);
        let model = Model::new(args, &mut generator)?;
        let params = model.init(&mut generator);
        let blocks = model.parameters().iter();
        let block = |p: &Parameter| Block::new(p.name.clone(), p.shape.clone(), p.decay);
        let layout = Layout::new(blocks.map(block).collect())?;
        let optimizer = Optimizer::new("adamw", &Hyper::default())?;
        Ok(Self {
            state: optimizer.init(&layout),
            grad: vec![0.0; params.len()],
            params: Arc::new(params),
            model,
            layout,
            optimizer,
            generator,
            copied: 0,
            loss: f64::NAN,
        })
    }

    /// One step; milliseconds of forward, backward and optimizer.
    pub fn step(&mut self, by_example: bool) -> Result<[f64; 3], Error> {
        let grad = &mut self.grad;
        let start = Instant::now();
        let forward_end = match &mut self.model {
            Model::Bert(model, tokens) => {
                let masks = Some(&mut self.generator as &mut dyn rand::Rng);
                let forward = model.forward(&self.params, &tokens.view(), masks)?;
                (self.loss, self.copied) = (forward.loss, forward.copied());
                let forward_end = Instant::now();
                match by_example {
                    true => drop(forward.backward_by_example(grad, None)?),
                    false => forward.backward(grad)?,
                }
                forward_end
            }
            Model::ResNet(model, images, running) => {
                let normalization = Normalization::Batch(running);
                let forward = model.forward(&self.params, &images.view(), normalization, None)?;
                (self.loss, self.copied) = (forward.loss, forward.copied());
                let forward_end = Instant::now();
                forward.backward(grad)?;
                forward_end
            }
        };
        let backward_end = Instant::now();
        let params: &mut Vec<f32> = Arc::make_mut(&mut self.params);
        (self.optimizer).step(1e-4, &self.layout, params, &self.grad, &mut self.state)?;
        let ends = [forward_end, backward_end, Instant::now()];
        let begins = [start, forward_end, backward_end];
        Ok([0, 1, 2].map(|i| (ends[i] - begins[i]).as_secs_f64() * 1e3))
    }
}

/// Made-up images.
pub struct Images {
    images: Vec<f32>,
    labels: Vec<u32>,
}

impl Images {
    fn draw(generator: &mut ChaCha8Rng) -> Self {
        let len = IMAGES * SIDE * SIDE * 3;
        Self {
            images: (0..len)
                .map(|_| generator.random_range(-1.0..1.0))
                .collect(),
            labels: (0..IMAGES).map(|i| (i % CLASSES) as u32).collect(),
        }
    }

    fn view(&self) -> ImageBatch<'_, f32> {
        ImageBatch {
            images: &self.images,
            height: SIDE,
            width: SIDE,
            labels: &self.labels,
        }
    }
}

/// Made-up sequences, without padding.
pub struct Tokens {
    pub batch: usize,
    tokens: Vec<u32>,
    real: Vec<bool>,
    pub positions: Vec<u32>,
    labels: Vec<u32>,
}

impl Tokens {
    fn draw(batch: usize, generator: &mut ChaCha8Rng) -> Self {
        let mut draw = |n: usize| -> Vec<u32> {
            (0..n)
                .map(|_| generator.random_range(0..VOCABULARY as u32))
                .collect()
        };
        let position = |i: usize| (i / MASKED * LENGTH + i % MASKED * LENGTH / MASKED) as u32;
        Self {
            batch,
            tokens: draw(batch * LENGTH),
            real: vec![true; batch * LENGTH],
            positions: (0..batch * MASKED).map(position).collect(),
            labels: draw(batch * MASKED),
        }
    }

    fn view(&self) -> MaskedBatch<'_, f32> {
        MaskedBatch {
            batch: self.batch,
            length: LENGTH,
            input: Input::Tokens(&self.tokens),
            segments: None,
            real: &self.real,
            positions: &self.positions,
            labels: &self.labels,
            next: None,
        }
    }
}
