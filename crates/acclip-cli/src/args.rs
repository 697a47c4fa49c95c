//! The command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Is my gradient noise heavy-tailed, and which optimizer and clipping threshold should I use?
///
/// The gradient of a minibatch is the true gradient plus noise. If now and then that noise is very
/// large (a heavy tail), plain SGD suffers, and clipping the gradient or an adaptive optimizer helps:
/// "Why are Adaptive Methods Good for Attention Models?" (Zhang et al., NeurIPS 2020).
///
/// Start with `acclip compare`: some minutes on two cores, then open report.html. Results go to stdout, progress and warnings to stderr. Exit status: 0 done; 2 wrong usage or
/// input, or a file that cannot be read or written; 130 stopped by Ctrl-C, resumable.
#[derive(Parser)]
#[command(name = "acclip", version, max_term_width = 100)]
pub struct Cli {
    /// Threads for computation; 0 is one for every core. Results do not depend on it.
    #[arg(long, global = true, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u16).range(..=1024))]
    pub threads: u16,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Compare optimizers under one tuning budget, and measure the noise they meet.
    ///
    /// Measures the gradient noise of BERT and of its attention-free twin, on text and on Gaussian
    /// input; tries the same number of settings for every optimizer; runs each one's best on fresh
    /// seeds; tests the differences; and writes a run folder with a self-contained report.html.
    #[command(after_help = "Optimizers:
  sgd, sgd-momentum   gradient descent, without and with momentum
  gclip               clips the gradient's norm, then momentum
  cclip               clips each coordinate of the gradient, then momentum
  acclip-paper        clips each coordinate of the momentum at a running threshold: Algorithm 1
  acclip              the same, divided by the coordinate's root mean square, as Adam does
  adamw, adamw-clip   AdamW, without and with clipping of the gradient's norm
  qclip               clips each coordinate at a streaming quantile: valid for noise of any law
  others              adam amsgrad adagrad rmsprop lion signum nesterov nsgd-momentum stable-adamw
                      gclip-block proj-gclip qclip-raw qclip-block adagc zclip autoclip agc
                      adamw-coordinate-clip (the documentation of acclip-optim helps to choose)

Model sizes (model.size): nano, tiny, mini, small, medium, base6, base, large

Examples:
  acclip compare                                  quick, on the embedded corpus
  acclip compare --corpus novel.txt --seed 7
  acclip compare --preset standard --set train.steps=5000
  acclip compare --set 'compare.optimizers=[\"adamw\", \"acclip\"]' --json
  acclip compare --resume runs/compare-20261124-101500")]
    Compare(Compare),
    /// Is my gradient noise heavy-tailed? From norms or gradients in a file, or from a model.
    ///
    /// With a FILE (CSV, NPY or safetensors, from any framework): its norms, or its gradients, a row
    /// each. Without: BERT on a corpus; with the weights frozen, passes over the data once for the mean gradient
    /// and once for the norm of each minibatch's difference from it. The verdict is light,
    /// heavy-finite-variance, infinite-variance or undecided, with the tail index, its interval, and advice.
    #[command(after_help = "Examples:
  acclip noise norms.csv                          noise norms, one a line
  acclip noise log.csv --column grad_norm --json
  acclip noise gradients.npy --out verdict        n × d gradients: also by coordinate
  acclip noise layers.safetensors                 a tensor of n rows a layer: also by layer
  acclip noise                                    BERT at initialisation, on the embedded corpus
  acclip noise --set noise.batch_size=1 --set noise.batches=4000
  acclip noise --set model.attention=false        the attention-free twin
  acclip noise --weights runs/train-20261124-101500
  acclip noise --calibrate                        how often is the verdict right?")]
    Noise(Noise),
    /// Train one model with one optimizer.
    #[command(after_help = "Examples:
  acclip train my.toml
  acclip train --set optimizer.name=adamw --set optimizer.learning_rate=0.001
  acclip train my.toml --set train.steps=20000 --out runs/long
  acclip train --resume runs/long

A file holds any of the keys that `acclip train --print-config` shows.")]
    Train(Train),
    /// Measure how fast something is on this machine.
    Bench(Bench),
}

#[derive(Args)]
pub struct Bench {
    #[command(subcommand)]
    pub what: BenchWhat,
}

#[derive(Subcommand)]
pub enum BenchWhat {
    /// A step of each optimizer, beside a loop that reads and writes the same memory.
    #[command(after_help = "Examples:
  acclip bench optim
  acclip bench optim --params 1000000 --optimizers adamw,acclip --json")]
    Optim(BenchOptim),
    /// Stable laws, tail fits and the verdict, on samples of up to 5 million values.
    Noise(BenchNoise),
    /// A training step on a fixed model and batch: time by part, memory, copies.
    #[command(after_help = "Examples:
  acclip bench train
  acclip bench train --config B --json
  acclip bench train --stock                      with Burn's own operations, for comparison")]
    Train(BenchTrain),
}

/// The fixed models and batches of `bench train`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "verbatim")]
pub enum TrainConfig {
    /// BERT, 4 layers of 256, 16 × 128 tokens
    A,
    /// BERT, 2 layers of 768, 4 × 128 tokens
    B,
    /// ResNet-18, 32 images of 32 × 32
    C,
}

impl TrainConfig {
    /// What a step is made of.
    pub fn unit(self) -> &'static str {
        match self {
            TrainConfig::A | TrainConfig::B => "tokens",
            TrainConfig::C => "images",
        }
    }
}

#[derive(Args)]
pub struct BenchTrain {
    /// Which model and batch.
    #[arg(long, value_name = "NAME", default_value = "A")]
    pub config: TrainConfig,
    /// Steps that are timed.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    pub steps: u16,
    /// Steps before those.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub warmup: u16,
    /// Probability of dropping an entry (A and B).
    #[arg(long, value_name = "P", default_value_t = 0.1)]
    pub dropout: f64,
    /// Which backend computes: flex; cuda or wgpu in a build with that feature.
    #[arg(long, value_name = "NAME", default_value = "flex", value_parser = backend)]
    pub backend: acclip_models::Backend,
    /// Compute with Burn's own operations instead of the fused ones.
    #[arg(long)]
    pub stock: bool,
    /// Take the norm of every sequence's gradient in the backward pass, too (A and B).
    #[arg(long, conflicts_with = "stock")]
    pub by_example: bool,
    /// Run blocks again in the backward pass instead of keeping what they computed.
    #[arg(long)]
    pub recompute: bool,
    /// Print the result as JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// A backend by name.
fn backend(name: &str) -> Result<acclip_models::Backend, String> {
    serde_json::from_value(name.into()).map_err(|_| "known: flex, cuda, wgpu".to_string())
}

#[derive(Args)]
pub struct BenchNoise {
    /// Rounds, of which the median is taken.
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub rounds: u16,
    /// Print the result as JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct BenchOptim {
    /// Parameters, in f32; fewer if memory does not allow it.
    #[arg(long, default_value_t = 110_000_000, value_name = "N")]
    pub params: usize,
    /// Measured with one block, and with this many.
    #[arg(long, default_value_t = 200, value_name = "K")]
    pub blocks: usize,
    /// Rounds, of which medians are taken.
    #[arg(long, default_value_t = 9, value_name = "N")]
    pub rounds: usize,
    /// Names, separated by commas; by default those with a kernel of their own.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub optimizers: Vec<String>,
    /// Print the result as JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// What every command takes.
#[derive(Args)]
pub struct Common {
    /// A preset to start from: smoke (seconds), quick (minutes), standard (hours).
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// UTF-8 text: a file (documents separated by blank lines) or a folder (a document a file).
    #[arg(long, value_name = "FILE|DIR")]
    pub corpus: Option<String>,
    /// A vocabulary to use instead of training one: vocab.txt or tokenizer.json.
    #[arg(long, value_name = "FILE")]
    pub vocab: Option<String>,
    /// Seed of everything random.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..9_000_000_000_000_000))]
    pub seed: Option<u64>,
    /// Set one configuration key; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The run folder; by default runs/ with command and time.
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub out: Option<PathBuf>,
    /// Continue the run in this folder, to the same bits as if it had not been stopped.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["preset", "corpus", "vocab", "seed", "set"])]
    pub resume: Option<PathBuf>,
    /// Print the result as JSON instead of text.
    #[arg(long)]
    pub json: bool,
    /// Print the resolved configuration and stop.
    #[arg(long, conflicts_with = "resume")]
    pub print_config: bool,
}

#[derive(Args)]
pub struct Compare {
    /// TOML file whose keys override the preset.
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub config: Option<PathBuf>,
    /// Runs at the same time; 0 is one for every core. Results do not depend on it.
    #[arg(long, value_name = "N", conflicts_with = "resume")]
    pub jobs: Option<usize>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct Noise {
    /// Norms or gradients to judge instead of a model's; - is CSV on the standard input.
    #[arg(value_name = "FILE", conflicts_with_all = ["config", "weights", "calibrate", "resume", "preset", "corpus", "vocab", "set", "print_config"])]
    pub file: Option<PathBuf>,
    /// The file holds norms, one number each.
    #[arg(long, requires = "file", conflicts_with = "vectors")]
    pub norms: bool,
    /// The file holds gradients, one in each row.
    #[arg(long, requires = "file")]
    pub vectors: bool,
    /// The only column (by name, or number from 1) or tensor of the file to read.
    #[arg(long, value_name = "NAME", requires = "file")]
    pub column: Option<String>,
    /// How often each class or token occurs, one number a line: to tell heavy noise from rare classes.
    #[arg(long, value_name = "FILE", requires = "file")]
    pub counts: Option<PathBuf>,
    /// Training steps that the advice on a threshold is for.
    #[arg(long, value_name = "N", default_value_t = acclip_noise::verdict::STEPS)]
    pub steps: u64,
    /// Try the verdict on laws of which the answer is known, and print its error rates.
    #[arg(long, conflicts_with_all = ["config", "weights", "resume", "preset", "corpus", "vocab", "set", "print_config", "out"])]
    pub calibrate: bool,
    /// Samples of each law.
    #[arg(long, value_name = "N", default_value_t = 200, requires = "calibrate", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub samples: u32,
    /// Gradients in a sample.
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "calibrate", value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub gradients: u32,
    /// TOML file whose keys override the preset.
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub config: Option<PathBuf>,
    /// Measure at the newest checkpoint of this run of `acclip train`, with its configuration.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["resume", "config", "preset", "corpus", "vocab"])]
    pub weights: Option<PathBuf>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct Train {
    /// TOML file whose keys override the preset.
    #[arg(value_name = "FILE", conflicts_with = "resume")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub common: Common,
}
