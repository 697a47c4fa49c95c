//! `acclip bench train`: how long a training step takes, by part, and what it needs.
//!
//! Three fixed configurations, on made-up data, so that other programs can be timed on the same work
//! (`reference/train/bench_torch.py` does so with PyTorch):
//!
//! ```text
//! A   BERT, 4 layers of 256 (4 heads, feed-forward 1024), vocabulary 8192, 16 × 128 tokens, 19 of each masked
//! B   BERT, 2 layers of 768 (12 heads, feed-forward 3072), vocabulary 8192, 4 × 128 tokens, 19 of each masked
//! C   ResNet-18 with a stem for small images, 32 images of 32 × 32
//! ```
//!
//! A step is a forward pass, a backward pass, and AdamW, in `f32`. After the steps, their matrix products run alone:
//! what these take is about the least that a step could take.

use crate::args::{BenchTrain, TrainConfig};
use acclip_kernels::attention::Shape;
use acclip_kernels::{Matrix, MatrixMut, linear, matmul::Threads, matmul_into};
use acclip_models::{
    Backend, Bert, BertConfig, ImageBatch, Input, MaskedBatch, Normalization, Parameter, ResNet,
    ResNetConfig, RunningStatistics, Stem,
};
use acclip_optim::{Block, Hyper, Layout, Optimizer, State};
use acclip_train::Error;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;

/// Tokens in the vocabulary, and in a sequence, and how many of these are masked (15 %).
const VOCABULARY: usize = 8192;
const LENGTH: usize = 128;
const MASKED: usize = 19;
/// Images in a batch, their rows and columns, and classes.
const IMAGES: usize = 32;
const SIDE: usize = 32;
const CLASSES: usize = 10;
/// Of parameters, data and dropout masks.
const SEED: u64 = 0;

/// What was measured, for `--json`.
#[derive(Serialize)]
struct TrainReport {
    version: &'static str,
    config: String,
    backend: Backend,
    threads: usize,
    seed: u64,
    params: usize,
    /// Tokens, or images, in a step.
    batch: usize,
    /// Of each step, in milliseconds.
    step_ms: Vec<f64>,
    /// Medians, in milliseconds.
    parts_ms: Parts,
    /// Of the matrix products of a step alone: the median, in milliseconds. Not for C, whose convolutions are no plain
    /// products.
    products_ms: Option<f64>,
    /// How many times as long a step takes with the norms of every example's gradient; where they are asked for.
    by_example_ratio: Option<f64>,
    /// Tokens, or images, of the median step.
    per_second: f64,
    /// Largest resident memory of the process, in MiB, after the warm-up; `None` where the system does not say.
    peak_memory_mib: Option<f64>,
    /// Bytes that a step copies between the flat parameters and gradient and tensors.
    copied_bytes: u64,
    /// Loss of the last step, in nats.
    loss: f64,
}

#[derive(Serialize)]
struct Parts {
    forward: f64,
    backward: f64,
    optimizer: f64,
}

/// Runs the benchmark, and prints it.
pub fn run(args: &BenchTrain) -> Result<(), Error> {
    let report = measure(args)?;
    if args.json {
        let json = serde_json::to_string_pretty(&report).expect("numbers and names");
        println!("{json}");
        return Ok(());
    }
    let (step, parts) = (median(&report.step_ms), &report.parts_ms);
    let least = report.step_ms.iter().copied().fold(f64::INFINITY, f64::min);
    let most = report.step_ms.iter().copied().fold(0.0, f64::max);
    println!(
        "config {}: {} parameters, {} {} a step, {} threads, seed {}",
        report.config,
        report.params,
        report.batch,
        args.config.unit(),
        report.threads,
        report.seed
    );
    println!(
        "step        {step:8.1} ms   (n = {}, {least:.1}–{most:.1})",
        report.step_ms.len()
    );
    println!("  forward   {:8.1} ms", parts.forward);
    println!("  backward  {:8.1} ms", parts.backward);
    println!("  optimizer {:8.1} ms", parts.optimizer);
    if let Some(products) = report.products_ms {
        let outside = 100.0 * (1.0 - products / step);
        println!(
            "products    {products:8.1} ms   alone: {outside:.0} % of a step is something else"
        );
    }
    if let Some(ratio) = report.by_example_ratio {
        println!(
            "by example  {ratio:8.2} times a step, with the norm of every sequence's gradient"
        );
    }
    println!(
        "speed       {:8.0} {} a second",
        report.per_second,
        args.config.unit()
    );
    if let Some(peak) = report.peak_memory_mib {
        println!("memory      {peak:8.0} MiB at its peak");
    }
    println!(
        "copies      {:8} bytes a step between flat buffers and tensors",
        report.copied_bytes
    );
    println!("medians of the steps; loss {:.4} at the last", report.loss);
    Ok(())
}

fn measure(args: &BenchTrain) -> Result<TrainReport, Error> {
    let mut subject = Subject::new(args)?;
    for _ in 0..args.warmup {
        subject.step(args.by_example)?;
    }
    let peak_memory_mib = peak_memory();
    let mut rows = Vec::new();
    for _ in 0..args.steps {
        rows.push(subject.step(false)?);
    }
    // By turns, so that a noisy neighbour meets both.
    let mut ratios = Vec::new();
    for _ in 0..if args.by_example { args.steps } else { 0 } {
        let mut time = |by_example| Ok::<f64, Error>(subject.step(by_example)?.iter().sum());
        let (plain, by_example): (f64, f64) = (time(false)?, time(true)?);
        ratios.push(by_example / plain);
    }
    let products = match &subject.model {
        Model::Bert(model, tokens) => Some(Products::of(model, tokens)),
        Model::ResNet(..) => None,
    };
    let products_ms = products.map(|mut products| {
        products.time();
        let times: Vec<f64> = (0..args.steps).map(|_| products.time()).collect();
        median(&times)
    });
    let column = |i: usize| median(&rows.iter().map(|row| row[i]).collect::<Vec<f64>>());
    let step_ms: Vec<f64> = rows.iter().map(|row| row.iter().sum()).collect();
    let batch = subject.model.batch();
    Ok(TrainReport {
        version: env!("CARGO_PKG_VERSION"),
        config: format!("{:?}", args.config),
        backend: args.backend,
        threads: rayon::current_num_threads(),
        seed: SEED,
        params: subject.params.len(),
        batch,
        parts_ms: Parts {
            forward: column(0),
            backward: column(1),
            optimizer: column(2),
        },
        products_ms,
        by_example_ratio: (!ratios.is_empty()).then(|| median(&ratios)),
        per_second: batch as f64 / median(&step_ms) * 1e3,
        step_ms,
        peak_memory_mib,
        copied_bytes: subject.copied,
        loss: subject.loss,
    })
}

/// A model, and the batch that it sees at every step.
enum Model {
    Bert(Bert, Tokens),
    ResNet(ResNet, Images, RunningStatistics<f32>),
}

impl Model {
    fn new(args: &BenchTrain, generator: &mut ChaCha8Rng) -> Result<Self, Error> {
        let device = args.backend.device()?;
        let (layers, hidden, heads, batch) = match args.config {
            TrainConfig::A => (4, 256, 4, 16),
            TrainConfig::B => (2, 768, 12, 4),
            TrainConfig::C => {
                let config = ResNetConfig {
                    stem: Stem::Small,
                    channels: 3,
                    classes: CLASSES,
                };
                let model = ResNet::new(config, &device)?.with_stock_operations(args.stock);
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
            Model::ResNet(model, ..) => model.config().init(generator),
        }
    }

    /// Tokens or images in the batch.
    fn batch(&self) -> usize {
        match self {
            Model::Bert(_, tokens) => tokens.tokens.len(),
            Model::ResNet(_, images, _) => images.labels.len(),
        }
    }
}

/// A model in training.
struct Subject {
    model: Model,
    params: Arc<Vec<f32>>,
    grad: Vec<f32>,
    layout: Layout,
    optimizer: Optimizer,
    state: State<f32>,
    generator: ChaCha8Rng,
    copied: u64,
    loss: f64,
}

impl Subject {
    fn new(args: &BenchTrain) -> Result<Self, Error> {
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
    fn step(&mut self, by_example: bool) -> Result<[f64; 3], Error> {
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
                let forward = model.forward(&self.params, &images.view(), normalization)?;
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
struct Images {
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
struct Tokens {
    batch: usize,
    tokens: Vec<u32>,
    real: Vec<bool>,
    positions: Vec<u32>,
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
        }
    }
}

/// The matrix products of a step: of each linear layer three, and of each head six.
struct Products {
    /// Rows, inputs and outputs, and how often.
    linears: Vec<([usize; 3], usize)>,
    attention: Shape,
    layers: usize,
    numbers: Vec<f32>,
    results: Vec<f32>,
}

impl Products {
    fn of(model: &Bert, tokens: &Tokens) -> Self {
        let c = model.config();
        let (n, masked) = (tokens.batch * LENGTH, tokens.positions.len());
        let (h, ff) = (c.hidden, c.feed_forward);
        let linears = vec![
            ([n, h, 3 * h], c.layers),
            ([n, h, h], c.layers),
            ([n, h, ff], c.layers),
            ([n, ff, h], c.layers),
            ([masked, h, h], 1),
            ([masked, h, c.vocab_size], 1),
        ];
        let largest = |[n, i, o]: [usize; 3]| (n * i).max(n * o).max(i * o);
        let sizes = linears.iter().map(|(shape, _)| largest(*shape));
        let numbers = (0..sizes.max().expect("has some")).map(|i| (i % 1001) as f32 / 1e3);
        Self {
            results: vec![0.0; numbers.len()],
            numbers: numbers.collect(),
            linears,
            attention: Shape {
                batch: tokens.batch,
                length: LENGTH,
                heads: c.heads,
                width: h / c.heads,
            },
            layers: c.layers,
        }
    }

    /// Milliseconds that all of them take.
    fn time(&mut self) -> f64 {
        let start = Instant::now();
        for ([n, inputs, outputs], times) in self.linears.iter().copied() {
            let x = &self.numbers[..n * inputs];
            let w = &self.numbers[..inputs * outputs];
            let dy = &self.numbers[..n * outputs];
            let dw = &mut self.results[..inputs * outputs];
            for _ in 0..times {
                drop(linear::forward(x, w, None, n, inputs, outputs));
                linear::backward_weight(x, dy, dw, false, n, inputs, outputs);
                drop(linear::backward_input(dy, w, n, inputs, outputs));
            }
        }
        for _ in 0..self.layers {
            self.attend();
        }
        start.elapsed().as_secs_f64() * 1e3
    }

    /// Those of a layer's attention.
    fn attend(&mut self) {
        let Shape {
            batch,
            length: t,
            heads,
            width,
        } = self.attention;
        let numbers = &self.numbers;
        let parts = self.results.par_chunks_mut(t * t.max(width)).take(batch);
        parts.for_each(|out| {
            let tall = Matrix::strided(numbers, t, width, heads * width);
            let square = Matrix::new(&numbers[..t * t], t, t);
            for _ in 0..heads {
                for _ in 0..2 {
                    let scores = MatrixMut::new(&mut out[..t * t], t, t);
                    matmul_into(scores, false, 1.0, tall, tall.t(), Threads::One);
                }
                for square in [square, square, square.t(), square.t()] {
                    let mixed = MatrixMut::new(&mut out[..t * width], t, width);
                    matmul_into(mixed, false, 1.0, square, tall, Threads::One);
                }
            }
        });
    }
}

/// Largest resident memory of this process so far, in MiB.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib / 1024.0)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0
}
