//! The command line.

use acclip_paper::EXPERIMENTS;
use acclip_theory::experiments::{Experiment, LEMMAS};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Is my gradient noise heavy-tailed, and which optimizer and clipping threshold should I use?
///
/// The gradient of a minibatch is the true gradient plus noise. If now and then that noise is very
/// large (a heavy tail), plain SGD suffers, and clipping the gradient or an adaptive optimizer helps:
/// "Why are Adaptive Methods Good for Attention Models?" (Zhang et al., NeurIPS 2020).
///
/// Start with `acclip compare`: some minutes on two cores, then open report.html. Results go to stdout,
/// progress and warnings to stderr. Exit status: 0 done; 1 done, but a check of `acclip theory` failed;
/// 2 wrong usage or input, or a file that cannot be read or written; 130 stopped by
/// Ctrl-C; what has a run folder goes on with --resume.
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
    /// input (of another task's model, its noise alone); tries the same number of settings for every optimizer; runs each one's best on fresh
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

Model sizes (model.size): nano, tiny, mini, small, medium, base6, base, large; lab, paper (Transformer-XL);
resnet18, resnet34, resnet50, alexnet (images)

Examples:
  acclip compare                                  quick, on the embedded corpus
  acclip compare --corpus novel.txt --seed 7
  acclip compare --preset standard --set train.steps=5000
  acclip compare --set 'compare.optimizers=[\"adamw\", \"acclip\"]' --json
  acclip compare --set task=pretraining
  acclip compare --set task=language-model --corpus wikitext-2
  acclip compare --set task=image-classification --corpus cifar10
  acclip compare --set task=question-answering --set model.weights=minilm --set compare.judge=f1
      --corpus train-v1.1.json
  acclip compare --resume runs/compare-20261124-101500")]
    Compare(Compare),
    /// Is my gradient noise heavy-tailed? From norms or gradients in a file, or from a model.
    ///
    /// With a FILE (CSV, NPY or safetensors, from any framework): its norms, or its gradients, a row
    /// each. Without: a model on its data, BERT on a text if no task is set; with the weights frozen, passes over the data once for the mean gradient
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
  acclip noise --set task=pretraining
  acclip noise --set task=language-model --corpus wikitext-2
  acclip noise --set task=image-classification --corpus cifar10
  acclip noise --set task=question-answering --set model.weights=minilm --corpus dev-v1.1.json
  acclip noise --weights runs/train-20261124-101500
  acclip noise --calibrate                        how often is the verdict right?")]
    Noise(Noise),
    /// Train one model with one optimizer.
    ///
    /// The task says which model on which data: BERT on masked tokens if none is set. Leaves the model in the run folder,
    /// in model/, as Hugging Face or torchvision has it; --set model.weights=RUN/model starts another run from it.
    #[command(after_help = "Examples:
  acclip train my.toml
  acclip train --set optimizer.name=adamw --set optimizer.learning_rate=0.001
  acclip train --set task=masked-lm --corpus novel.txt
  acclip train --set task=pretraining --set model.seq_len=128
  acclip train --set task=question-answering --set model.weights=minilm --corpus train-v1.1.json
  acclip train --set task=language-model --corpus wikitext-2
  acclip train --set task=image-classification --corpus cifar10
  acclip train my.toml --set train.steps=20000 --out runs/long
  acclip train --resume runs/long

A file holds any of the keys that `acclip train --print-config` shows.")]
    Train(Train),
    /// Run the theorems of the paper: rates measured beside rates proved.
    ///
    /// Runs many trajectories of SGD, GClip or CClip under noise of tail index α on the functions that a
    /// theorem is about, and compares what is measured with the proved bound or exponent. Prints tables and
    /// checks; with --out, writes a report with the figures, too. Exit status 1: a check failed.
    #[command(after_help = "Examples:
  acclip theory table1 --out table1               Table 1: all rates, with figures; minutes
  acclip theory theorem 4 --alpha 1.2,1.5,2
  acclip theory theorem 5 --steps 100000 --json
  acclip theory lemma 17 --trajectories 100000    random points
  acclip theory remark1 --seed 7 --out remark1

An option that is not given has the value that the experiment is made for; the output names all of them.")]
    Theory(Theory),
    /// A figure or table of the paper, with a verdict on each of its claims.
    ///
    /// At `--scale lab`, minutes to an hour on two cores and real data; at `--scale paper`, the sizes and
    /// hyper-parameters of the paper, for a GPU. Ends with what was reproduced, what was not, and what is
    /// undecided, each with n, effect, interval and test.
    #[command(after_help = "Examples:
  acclip paper list
  acclip paper fig4                               the embedded corpus
  acclip paper fig1 --images cifar10 --out fig1
  acclip paper table3 --questions dev-v1.1.json --weights minilm
  acclip paper --resume fig1")]
    Paper(Paper),
    /// Exact match and F1 of predictions for SQuAD v1.1, as the official script has them.
    ///
    /// PREDICTIONS is a JSON object of answers by question id, such as the predictions.json that
    /// `acclip train` leaves beside a model for question answering. Questions without a prediction score 0.
    #[command(after_help = "Example:
  acclip squad-eval dev-v1.1.json predictions.json --json")]
    SquadEval(SquadEval),
    /// Measure how fast something is on this machine.
    Bench(Bench),
}

#[derive(Args)]
pub struct SquadEval {
    /// The questions: a SQuAD v1.1 file.
    #[arg(value_name = "DATA")]
    pub data: PathBuf,
    /// The answers: an object of texts by question id.
    #[arg(value_name = "PREDICTIONS")]
    pub predictions: PathBuf,
    /// Seed of the bootstrap.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Print the result as JSON instead of text, with the scores of every question.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct Paper {
    /// Which figure or table; `list` tells what there is.
    #[arg(value_name = "NAME", required_unless_present = "resume", value_parser = paper_name)]
    pub name: Option<String>,
    /// lab: a laptop; paper: the sizes of the paper.
    #[arg(long, value_name = "SCALE", default_value = "lab", value_parser = ["lab", "paper"])]
    pub scale: String,
    /// UTF-8 text, a file or a folder; the embedded corpus if not given.
    #[arg(long, value_name = "FILE|DIR")]
    pub text: Option<PathBuf>,
    /// Words for a language model: a folder with ptb.train.txt, wiki.train.tokens or train.txt and the like; the text if
    /// not given.
    #[arg(long, value_name = "DIR")]
    pub words: Option<PathBuf>,
    /// Images: a folder with a subfolder for each class, CIFAR-10 binaries, or IDX files.
    #[arg(long, value_name = "DIR")]
    pub images: Option<PathBuf>,
    /// Questions: a SQuAD v1.1 file, of which articles are held out, or a folder with train-v1.1.json and dev-v1.1.json.
    #[arg(long, value_name = "FILE|DIR")]
    pub questions: Option<PathBuf>,
    /// A pre-trained BERT: config.json, model.safetensors, vocab.txt; or a folder with one for each cell.
    #[arg(long, value_name = "DIR")]
    pub weights: Option<PathBuf>,
    /// Seed of everything random; that of the plan if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..9_000_000_000_000_000))]
    pub seed: Option<u64>,
    /// Set one key of every cell's configuration; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The run folder; by default runs/ with name and time.
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub out: Option<PathBuf>,
    /// Continue the experiment in this folder, to the same bits as if it had not been stopped.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["name", "scale", "text", "words", "images", "questions", "weights", "seed", "set"])]
    pub resume: Option<PathBuf>,
    /// Print the result as JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// An experiment by name, or `list`.
fn paper_name(name: &str) -> Result<String, String> {
    let known = EXPERIMENTS.iter().map(|one| one.name);
    let known: Vec<&str> = ["list", "table1"].into_iter().chain(known).collect();
    match known.contains(&name) {
        true => Ok(name.to_string()),
        false => Err(format!("known: {}", known.join(", "))),
    }
}

#[derive(Args)]
pub struct Theory {
    #[command(subcommand)]
    pub what: TheoryWhat,
    #[command(flatten)]
    pub options: TheoryOptions,
}

#[derive(Subcommand)]
pub enum TheoryWhat {
    /// Table 1: measured exponents beside proved ones.
    Table1,
    /// A theorem, by its number in the paper.
    #[command(after_help = "Theorems:
  2   GClip on smooth non-convex functions
  4   projected GClip on strongly convex functions
  5   the lower bound for strongly convex functions
  6   the lower bound for non-convex functions
  8   CClip, and Corollary 7

Examples:
  acclip theory theorem 4
  acclip theory theorem 2 --alpha 1.5 --steps 65536 --out theorem-2")]
    Theorem {
        /// Its number.
        #[arg(value_name = "NUMBER", value_parser = theorem)]
        number: Numbered,
    },
    /// A lemma, by its number in the paper.
    #[command(after_help = "Lemmas:
  9   moments of a clipped gradient, where E‖g‖^α is bounded
  10  moments of a clipped gradient, where E‖g − ∇f‖^α is bounded
  11  how well a normalized gradient points along the true one
  12  E‖g‖^α against the moments of its coordinates
  13  moments of a gradient clipped by coordinate
  15  an optimizer tells two functions apart
  16  nothing tells them apart in few steps
  17  the zero-chain function: height, smoothness, gradient
  18  its stochastic gradient

Examples:
  acclip theory lemma 11
  acclip theory lemma 18 --alpha 1.2,1.5 --seed 3 --json")]
    Lemma {
        /// Its number.
        #[arg(value_name = "NUMBER", value_parser = lemma)]
        number: Numbered,
    },
    /// Remark 1: of noise with infinite variance, SGD's squared gradient has an infinite mean.
    Remark1,
    /// GClip against CClip as the dimension grows.
    Dimension,
    /// RMSProp as adaptive clipping.
    Rmsprop,
}

/// A theorem or lemma, and the experiment about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Numbered {
    /// Its number in the paper.
    pub number: u8,
    /// What is run.
    pub experiment: Experiment,
}

/// Theorems that can be run.
const THEOREMS: [Numbered; 5] = [
    Numbered::new(2, Experiment::Theorem2),
    Numbered::new(4, Experiment::Theorem4),
    Numbered::new(5, Experiment::Theorem5),
    Numbered::new(6, Experiment::Theorem6),
    Numbered::new(8, Experiment::Theorem8),
];

impl Numbered {
    const fn new(number: u8, experiment: Experiment) -> Self {
        Self { number, experiment }
    }

    /// The one of this number; otherwise a text that lists them.
    fn find(number: &str, among: &[Self]) -> Result<Self, String> {
        let found = among.iter().find(|one| one.number.to_string() == number);
        found.copied().ok_or_else(|| {
            let known: Vec<String> = among.iter().map(|one| one.number.to_string()).collect();
            format!("known: {}", known.join(", "))
        })
    }
}

/// A theorem by its number.
fn theorem(number: &str) -> Result<Numbered, String> {
    Numbered::find(number, &THEOREMS)
}

/// A lemma by its number.
fn lemma(number: &str) -> Result<Numbered, String> {
    let lemmas = LEMMAS.map(|number| Numbered::new(number, Experiment::Lemma(number)));
    Numbered::find(number, &lemmas)
}

/// What every experiment takes.
#[derive(Args)]
pub struct TheoryOptions {
    /// Tail indices of the noise, each in (1, 2], separated by commas; at 2 the variance is finite.
    #[arg(long, global = true, value_name = "LIST")]
    #[arg(value_delimiter = ',', value_parser = tail_index)]
    pub alpha: Vec<f64>,
    /// Trajectories for every point of a curve (random cases, for a lemma); rounded up to whole groups.
    #[arg(long, global = true, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub trajectories: Option<u32>,
    /// The longest run, in steps.
    #[arg(long, global = true, value_name = "K")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    pub steps: Option<u64>,
    /// Seed of everything random; 0 if not given.
    #[arg(long, global = true, value_name = "S")]
    #[arg(value_parser = clap::value_parser!(u64).range(..9_000_000_000_000_000))]
    pub seed: Option<u64>,
    /// Write report.html, finding.json and a CSV for each table and figure into this folder.
    #[arg(long, global = true, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print the result as JSON instead of text. A number that is not finite is null there.
    #[arg(long, global = true)]
    pub json: bool,
}

/// A tail index that the theorems are about.
fn tail_index(text: &str) -> Result<f64, String> {
    let alpha = text.trim().parse::<f64>().ok();
    let alpha = alpha.filter(|&alpha| alpha > 1.0 && alpha <= 2.0);
    alpha.ok_or_else(|| "a tail index is a number above 1 and at most 2".to_string())
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
    /// Transformer-XL, 6 layers of 410, 8 segments of 128 words
    D,
    /// ResNet-50, 16 images of 64 × 64
    E,
    /// AlexNet, 16 images of 224 × 224
    F,
    /// A with the heads of pre-training
    G,
    /// BERT, 6 layers of 384, 4 × 384 tokens, with the head of SQuAD
    H,
}

impl TrainConfig {
    /// What a step is made of.
    pub fn unit(self) -> &'static str {
        match self {
            TrainConfig::C | TrainConfig::E | TrainConfig::F => "images",
            _ => "tokens",
        }
    }

    /// Whether the model is a BERT.
    pub fn is_bert(self) -> bool {
        use TrainConfig::{A, B, G, H};
        matches!(self, A | B | G | H)
    }

    /// Whether the backward pass can take the norm of every sequence's gradient.
    pub fn by_example(self) -> bool {
        self.is_bert() && self != TrainConfig::G
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
    /// Probability of dropping an entry (BERT and Transformer-XL; AlexNet has its own).
    #[arg(long, value_name = "P", default_value_t = 0.1)]
    pub dropout: f64,
    /// Which backend computes: flex; cuda or wgpu in a build with that feature.
    #[arg(long, value_name = "NAME", default_value = "flex", value_parser = backend)]
    pub backend: acclip_models::Backend,
    /// Compute with Burn's own operations instead of the fused ones.
    #[arg(long)]
    pub stock: bool,
    /// Take the norm of every sequence's gradient in the backward pass, too (A, B and H).
    #[arg(long, conflicts_with = "stock")]
    pub by_example: bool,
    /// Run blocks again in the backward pass instead of keeping what they computed (A, B, G and H).
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
    /// UTF-8 text: a file (documents separated by blank lines) or a folder (a document a file); of other tasks, their
    /// data: a SQuAD v1.1 file; a folder of images by class, CIFAR binaries or IDX files.
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// The command and its options, or the error.
    fn theory(line: &str) -> Result<Theory, String> {
        let words = ["acclip", "theory"]
            .into_iter()
            .chain(line.split_whitespace());
        let parsed = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        match parsed.command {
            Command::Theory(theory) => Ok(theory),
            _ => unreachable!("the line begins with theory"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn theorems_and_lemmas_go_by_the_paper_s_numbers() {
        for one in THEOREMS {
            let found = theory(&format!("theorem {}", one.number)).unwrap();
            assert!(matches!(found.what, TheoryWhat::Theorem { number } if number == one));
        }
        assert_eq!(
            theorem("6").map(|one| one.experiment),
            Ok(Experiment::Theorem6)
        );
        for number in LEMMAS {
            let found = lemma(&number.to_string()).map(|one| one.experiment);
            assert_eq!(found, Ok(Experiment::Lemma(number)));
        }
        let error = theory("theorem 3").err().unwrap();
        assert!(error.contains("known: 2, 4, 5, 6, 8"), "{error}");
        let error = theory("lemma 14").err().unwrap();
        assert!(
            error.contains("known: 9, 10, 11, 12, 13, 15, 16, 17, 18"),
            "{error}"
        );
    }

    #[test]
    fn the_help_describes_every_theorem_and_lemma() {
        let mut cli = Cli::command();
        let theory = cli.find_subcommand_mut("theory").unwrap();
        let mut help = |name: &str| {
            let command = theory.find_subcommand_mut(name).unwrap();
            command.render_long_help().to_string()
        };
        let listed = |help: &str| -> Vec<u8> {
            let lines = help
                .lines()
                .filter_map(|line| line.split_whitespace().next());
            lines.filter_map(|word| word.parse().ok()).collect()
        };
        assert_eq!(
            listed(&help("theorem")),
            THEOREMS.map(|theorem| theorem.number)
        );
        assert_eq!(listed(&help("lemma")), LEMMAS);
    }

    #[test]
    fn options_stand_before_and_behind_the_experiment() {
        for line in [
            "--alpha 1.1,1.5,2 --steps 7 --trajectories 9 --seed 3 remark1 --json",
            "remark1 --json --alpha 1.1 --alpha 1.5,2 --seed 3 --steps 7 --trajectories 9",
        ] {
            let TheoryOptions {
                alpha,
                trajectories,
                steps,
                seed,
                out,
                json,
            } = theory(line).unwrap().options;
            assert_eq!(alpha, [1.1, 1.5, 2.0]);
            assert_eq!((trajectories, steps, seed), (Some(9), Some(7), Some(3)));
            assert!(out.is_none() && json);
        }
    }

    #[test]
    fn tail_indices_are_above_one_and_at_most_two() {
        for text in ["1", "0.5", "2.0001", "NaN", "inf", "-1.5", "", "heavy"] {
            assert!(tail_index(text).is_err(), "{text}");
        }
        assert_eq!(tail_index("2"), Ok(2.0));
        assert_eq!(tail_index("1.0001"), Ok(1.0001));
    }
}
