//! Transformer-XL, on the same segment of a made-up text at every step, after the memory of the step before.

use super::subject::{Model, Pass, draw};
use crate::args::BenchTrain;
use acclip_models::{Memory, Parameter, SegmentBatch, TransformerXl, TransformerXlConfig};
use acclip_train::Error;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use std::time::Instant;

const VOCABULARY: usize = 10_000;
const SEGMENTS: usize = 8;
/// Words of a segment, and of the memory.
const LENGTH: usize = 128;

/// A Transformer-XL, and a batch of segments.
pub struct Segments {
    model: TransformerXl,
    memory: Memory<f32>,
    tokens: Vec<u32>,
    targets: Vec<u32>,
}

impl Segments {
    /// The model and batch of D. The memory is full from the first step on, with zeros.
    pub fn new(args: &BenchTrain, generator: &mut ChaCha8Rng) -> Result<Self, Error> {
        let config = TransformerXlConfig {
            target_len: LENGTH,
            memory_len: LENGTH,
            dropout: args.dropout,
            ..TransformerXlConfig::named("paper", VOCABULARY)?
        };
        let shape = [SEGMENTS, LENGTH, config.hidden];
        let zeros = vec![0.0; shape.iter().product()];
        let layer = |i| (format!("memory.{i}"), shape.to_vec(), zeros.clone());
        let memory = Memory::from_arrays((0..config.layers).map(layer).collect())?;
        let model = TransformerXl::new(config, &args.backend.device()?)?;
        Ok(Self {
            model: model.with_stock_operations(args.stock),
            memory,
            tokens: draw(SEGMENTS * LENGTH, VOCABULARY, generator),
            targets: draw(SEGMENTS * LENGTH, VOCABULARY, generator),
        })
    }
}

impl Model for Segments {
    fn parameters(&self) -> &[Parameter] {
        self.model.parameters()
    }

    fn init(&self, generator: &mut ChaCha8Rng) -> Vec<f32> {
        self.model.config().init(generator)
    }

    fn batch(&self) -> usize {
        self.tokens.len()
    }

    fn gradient(
        &mut self,
        params: &Arc<Vec<f32>>,
        grad: &mut Vec<f32>,
        generator: &mut ChaCha8Rng,
        _by_example: bool,
    ) -> Result<Pass, Error> {
        let batch = SegmentBatch {
            batch: SEGMENTS,
            length: LENGTH,
            tokens: &self.tokens,
            targets: &self.targets,
        };
        let forward = (self.model).forward(params, &batch, &self.memory, Some(generator))?;
        let pass = Pass {
            loss: forward.loss,
            copied: forward.copied(),
            middle: Instant::now(),
        };
        self.memory = forward.backward(grad)?;
        Ok(pass)
    }
}
