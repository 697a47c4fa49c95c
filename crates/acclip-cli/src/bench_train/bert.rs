//! BERT, on made-up sequences without padding, under each of its heads.

use super::products::Products;
use super::subject::{Model, Pass, draw};
use crate::args::{BenchTrain, TrainConfig};
use acclip_models::{Bert, BertConfig, Forward, Head, Input, MaskedBatch, Parameter, SpanBatch};
use acclip_train::Error;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use std::time::Instant;

const VOCABULARY: usize = 8192;
/// Tokens of a sequence, and how many of them are masked (15 %).
const LENGTH: usize = 128;
const MASKED: usize = 19;
/// Tokens of a window of a text with a question, and of an answer.
const WINDOW: usize = 384;
const ANSWER: u32 = 4;

/// Layers, width, heads and sequences a batch; feed-forward layers are four times as wide.
type Sizes = [usize; 4];

fn model(sizes: Sizes, max_len: usize, head: Head, args: &BenchTrain) -> Result<Bert, Error> {
    let [layers, hidden, heads, _] = sizes;
    let config = BertConfig {
        vocab_size: VOCABULARY,
        hidden,
        layers,
        heads,
        feed_forward: 4 * hidden,
        max_len,
        segments: 2,
        dropout: args.dropout,
        attention: true,
        layer_norm_eps: BertConfig::LAYER_NORM_EPS,
        head,
    };
    Ok(Bert::new(config, &args.backend.device()?)?
        .with_stock_operations(args.stock)
        .with_recomputation(args.recompute))
}

fn backward(forward: Forward<f32>, grad: &mut Vec<f32>, by_example: bool) -> Result<Pass, Error> {
    let pass = Pass {
        loss: forward.loss,
        copied: forward.copied(),
        middle: Instant::now(),
    };
    match by_example {
        true => drop(forward.backward_by_example(grad, None)?),
        false => forward.backward(grad)?,
    }
    Ok(pass)
}

/// Masked tokens, and, with the heads of pre-training, the next sentence.
pub struct MaskedLm {
    model: Bert,
    batch: usize,
    tokens: Vec<u32>,
    real: Vec<bool>,
    positions: Vec<u32>,
    labels: Vec<u32>,
    next: Option<Vec<u32>>,
}

impl MaskedLm {
    /// The model and batch of A, B or G.
    pub fn new(args: &BenchTrain, generator: &mut ChaCha8Rng) -> Result<Self, Error> {
        let (sizes, head) = match args.config {
            TrainConfig::B => ([2, 768, 12, 4], Head::MaskedLm),
            TrainConfig::G => ([4, 256, 4, 16], Head::Pretraining),
            _ => ([4, 256, 4, 16], Head::MaskedLm),
        };
        let [.., batch] = sizes;
        let position = |i: usize| (i / MASKED * LENGTH + i % MASKED * LENGTH / MASKED) as u32;
        Ok(Self {
            model: model(sizes, LENGTH, head, args)?,
            batch,
            tokens: draw(batch * LENGTH, VOCABULARY, generator),
            real: vec![true; batch * LENGTH],
            positions: (0..batch * MASKED).map(position).collect(),
            labels: draw(batch * MASKED, VOCABULARY, generator),
            next: (head == Head::Pretraining).then(|| (0..batch as u32).map(|b| b % 2).collect()),
        })
    }
}

impl Model for MaskedLm {
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
        by_example: bool,
    ) -> Result<Pass, Error> {
        let batch = MaskedBatch {
            batch: self.batch,
            length: LENGTH,
            input: Input::Tokens(&self.tokens),
            segments: None,
            real: &self.real,
            positions: &self.positions,
            labels: &self.labels,
            next: self.next.as_deref(),
        };
        let forward = self.model.forward(params, &batch, Some(generator))?;
        backward(forward, grad, by_example)
    }

    fn products(&self) -> Option<Products> {
        let (config, masked) = (self.model.config(), self.positions.len());
        let (h, v) = (config.hidden, config.vocab_size);
        let mut head = vec![[masked, h, h], [masked, h, v]];
        if self.next.is_some() {
            head.extend([[self.batch, h, h], [self.batch, h, 2]]);
        }
        Some(Products::of(config, self.batch, LENGTH, &head))
    }
}

/// Answers to questions: where they begin and end.
pub struct Spans {
    model: Bert,
    tokens: Vec<u32>,
    real: Vec<bool>,
    starts: Vec<u32>,
    ends: Vec<u32>,
}

impl Spans {
    /// The model and batch of H.
    pub fn new(args: &BenchTrain, generator: &mut ChaCha8Rng) -> Result<Self, Error> {
        let sizes = [6, 384, 12, 4];
        let [.., batch] = sizes;
        let starts = draw(batch, WINDOW / 2, generator);
        Ok(Self {
            model: model(sizes, WINDOW, Head::Span, args)?,
            tokens: draw(batch * WINDOW, VOCABULARY, generator),
            real: vec![true; batch * WINDOW],
            ends: starts.iter().map(|start| start + ANSWER - 1).collect(),
            starts,
        })
    }
}

impl Model for Spans {
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
        by_example: bool,
    ) -> Result<Pass, Error> {
        let batch = SpanBatch {
            batch: self.starts.len(),
            length: WINDOW,
            tokens: &self.tokens,
            segments: None,
            real: &self.real,
            starts: &self.starts,
            ends: &self.ends,
        };
        let forward = (self.model).forward_spans(params, &batch, Some(generator))?;
        backward(forward, grad, by_example)
    }

    fn products(&self) -> Option<Products> {
        let config = self.model.config();
        let head = [self.tokens.len(), config.hidden, 2];
        Some(Products::of(config, self.starts.len(), WINDOW, &[head]))
    }
}
