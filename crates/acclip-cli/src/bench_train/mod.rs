//! `acclip bench train`: how long a training step takes, by part, and what it needs.
//!
//! Fixed configurations, on made-up data, so that other programs can be timed on the same work
//! (`reference/train/bench_torch.py` does so with PyTorch):
//!
//! ```text
//! A   BERT, 4 layers of 256 (4 heads, feed-forward 1024), vocabulary 8192, 16 × 128 tokens, 19 of each masked
//! B   BERT, 2 layers of 768 (12 heads, feed-forward 3072), vocabulary 8192, 4 × 128 tokens, 19 of each masked
//! C   ResNet-18 with a stem for small images, 32 images of 32 × 32
//! D   Transformer-XL, 6 layers of 410 (10 heads of 41, feed-forward 2100), vocabulary 10,000 with a full softmax,
//!     8 segments of 128 words after a memory of 128
//! E   ResNet-50, 16 images of 64 × 64
//! F   AlexNet, 16 images of 224 × 224
//! G   A with the heads of pre-training: masked tokens and the next sentence
//! H   BERT, 6 layers of 384 (12 heads, feed-forward 1536), vocabulary 8192, 4 × 384 tokens, the head of SQuAD
//! ```
//!
//! A step is a forward pass, a backward pass, and AdamW, in `f32`. After the steps of a BERT, their matrix products run
//! alone: what these take is about the least that a step could take.

mod bert;
mod images;
mod products;
mod segments;
mod subject;

use crate::args::BenchTrain;
use crate::bench::median;
use acclip_models::Backend;
use acclip_train::Error;
use serde::Serialize;
use subject::{SEED, Subject};

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
    /// Of the matrix products of a step alone: the median, in milliseconds. Of BERT only: convolutions are no plain
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
    let (step, parts) = (median(report.step_ms.iter().copied()), &report.parts_ms);
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
    check(args)?;
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
    let products_ms = subject.model.products().map(|mut products| {
        products.time();
        median((0..args.steps).map(|_| products.time()))
    });
    let column = |i: usize| median(rows.iter().map(|row| row[i]));
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
        by_example_ratio: (!ratios.is_empty()).then(|| median(ratios.iter().copied())),
        per_second: batch as f64 / median(step_ms.iter().copied()) * 1e3,
        step_ms,
        peak_memory_mib,
        copied_bytes: subject.copied,
        loss: subject.loss,
    })
}

/// Refuses what the model of a configuration cannot do.
fn check(args: &BenchTrain) -> Result<(), Error> {
    let config = args.config;
    for (flag, asked, able, who) in [
        (
            "--by-example",
            args.by_example,
            config.by_example(),
            "A, B and H",
        ),
        (
            "--recompute",
            args.recompute,
            config.is_bert(),
            "A, B, G and H",
        ),
    ] {
        if asked && !able {
            return Err(Error::Config {
                key: flag.into(),
                problem: format!("not with --config {config:?}; {who} can do it"),
            });
        }
    }
    Ok(())
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
