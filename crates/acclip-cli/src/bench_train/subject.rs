//! A model in training on a batch of made-up data.

use super::bert::{MaskedLm, Spans};
use super::images::Images;
use super::products::Products;
use super::segments::Segments;
use crate::args::{BenchTrain, TrainConfig};
use acclip_models::Parameter;
use acclip_optim::{Block, Hyper, Layout, Optimizer, State};
use acclip_train::Error;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use std::time::Instant;

/// Of parameters, data and dropout masks.
pub const SEED: u64 = 0;

/// A model, and the batch that it sees at every step.
pub trait Model {
    /// Every parameter, in the order of the flat buffer.
    fn parameters(&self) -> &[Parameter];

    /// New parameters.
    fn init(&self, generator: &mut ChaCha8Rng) -> Vec<f32>;

    /// Tokens or images in the batch.
    fn batch(&self) -> usize;

    /// Writes the gradient of the batch into `grad`, with dropout masks from the generator; `by_example` takes the norm
    /// of every sequence's gradient, too, where [`TrainConfig::by_example`] says that it can be had.
    fn gradient(
        &mut self,
        params: &Arc<Vec<f32>>,
        grad: &mut Vec<f32>,
        generator: &mut ChaCha8Rng,
        by_example: bool,
    ) -> Result<Pass, Error>;

    /// The matrix products of a step; none of a model that is not made of plain ones.
    fn products(&self) -> Option<Products> {
        None
    }
}

/// What is known of a forward and a backward pass.
pub struct Pass {
    /// Of the batch, in nats.
    pub loss: f64,
    /// Bytes between flat buffers and tensors.
    pub copied: u64,
    /// Between forward and backward.
    pub middle: Instant,
}

fn model(args: &BenchTrain, generator: &mut ChaCha8Rng) -> Result<Box<dyn Model>, Error> {
    Ok(match args.config {
        TrainConfig::A | TrainConfig::B | TrainConfig::G => {
            Box::new(MaskedLm::new(args, generator)?)
        }
        TrainConfig::H => Box::new(Spans::new(args, generator)?),
        TrainConfig::D => Box::new(Segments::new(args, generator)?),
        TrainConfig::C | TrainConfig::E | TrainConfig::F => Box::new(Images::new(args, generator)?),
    })
}

/// `n` ids below `limit`.
pub fn draw(n: usize, limit: usize, generator: &mut ChaCha8Rng) -> Vec<u32> {
    (0..n)
        .map(|_| generator.random_range(0..limit as u32))
        .collect()
}

/// A model in training.
pub struct Subject {
    pub model: Box<dyn Model>,
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
        let model = model(args, &mut generator)?;
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
        let start = Instant::now();
        let (grad, generator) = (&mut self.grad, &mut self.generator);
        let pass = (self.model).gradient(&self.params, grad, generator, by_example)?;
        let backward_end = Instant::now();
        let params: &mut Vec<f32> = Arc::make_mut(&mut self.params);
        (self.optimizer).step(1e-4, &self.layout, params, &self.grad, &mut self.state)?;
        (self.loss, self.copied) = (pass.loss, pass.copied);
        let ends = [pass.middle, backward_end, Instant::now()];
        let begins = [start, pass.middle, backward_end];
        Ok([0, 1, 2].map(|i| (ends[i] - begins[i]).as_secs_f64() * 1e3))
    }
}
