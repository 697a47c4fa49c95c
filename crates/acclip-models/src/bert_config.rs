//! The sizes of a BERT and its head: what parameters it has, and how they begin.

use crate::parameters::{Real, len};
use crate::{Error, Parameter};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

/// Standard deviation of the initial weights, drawn from a normal cut at two deviations.
const INIT_STD: f64 = 0.02;

/// What stands on the encoder, and is trained with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// A score for every token at the masked positions. Hugging Face: `BertForMaskedLM`.
    #[default]
    MaskedLm,
    /// That, and whether the second segment follows the first in the text. Hugging Face: `BertForPreTraining`.
    Pretraining,
    /// Two scores for every position: whether an answer begins there, and whether one ends there. Hugging Face:
    /// `BertForQuestionAnswering`.
    Span,
}

/// The sizes of a BERT, and its head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BertConfig {
    /// Number of tokens in the vocabulary, V.
    pub vocab_size: usize,
    /// Width of the hidden states, H; a multiple of `heads`.
    pub hidden: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Number of attention heads.
    pub heads: usize,
    /// Width of the feed-forward layer.
    pub feed_forward: usize,
    /// Longest sequence, in tokens.
    pub max_len: usize,
    /// Number of segment embeddings.
    pub segments: usize,
    /// Probability of dropping an entry, in training.
    pub dropout: f64,
    /// `false` removes self-attention from every block.
    pub attention: bool,
    /// What is added to the variance in every LayerNorm.
    #[serde(default = "layer_norm_eps")]
    pub layer_norm_eps: f64,
    /// What stands on the encoder.
    #[serde(default)]
    pub head: Head,
}

fn layer_norm_eps() -> f64 {
    BertConfig::LAYER_NORM_EPS
}

impl BertConfig {
    /// What is added to the variance in Devlin et al.'s code.
    pub const LAYER_NORM_EPS: f64 = 1e-12;

    /// The names that [`BertConfig::named`] knows, smallest first.
    pub const NAMES: [&'static str; 8] = [
        "nano", "tiny", "mini", "small", "medium", "base6", "base", "large",
    ];

    /// A published size by name: `base` and `large` (Devlin et al.), `base6` (the paper's 6 layers),
    /// `tiny` to `medium` (the BERT miniatures, Turc et al. 2019), and `nano`, our own, for minutes
    /// on a laptop.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the names there are.
    pub fn named(name: &str, vocab_size: usize, max_len: usize) -> Result<Self, Error> {
        let (layers, hidden, heads) = match name {
            "nano" => (2, 64, 4),
            "tiny" => (2, 128, 2),
            "mini" => (4, 256, 4),
            "small" => (4, 512, 8),
            "medium" => (8, 512, 8),
            "base6" => (6, 768, 12),
            "base" => (12, 768, 12),
            "large" => (24, 1024, 16),
            _ => {
                return Err(Error::Unknown {
                    what: "model size",
                    name: name.to_string(),
                    known: Self::NAMES.join(", "),
                });
            }
        };
        Ok(Self {
            vocab_size,
            hidden,
            layers,
            heads,
            feed_forward: 4 * hidden,
            max_len,
            segments: 2,
            dropout: 0.1,
            attention: true,
            layer_norm_eps: Self::LAYER_NORM_EPS,
            head: Head::MaskedLm,
        })
    }

    /// Checks that such a model can exist.
    ///
    /// # Errors
    /// [`Error::Config`] names the field.
    pub fn validate(&self) -> Result<(), Error> {
        let config = |field, value: String, problem: &str| {
            Err(Error::Config {
                field,
                value,
                problem: problem.to_string(),
            })
        };
        for (field, value) in [
            ("vocab_size", self.vocab_size),
            ("hidden", self.hidden),
            ("layers", self.layers),
            ("heads", self.heads),
            ("feed_forward", self.feed_forward),
            ("max_len", self.max_len),
            ("segments", self.segments),
        ] {
            let most = if field == "layers" { 1000 } else { 1 << 20 };
            if !(1..=most).contains(&value) {
                let problem = format!("must be from 1 to {most}");
                return config(field, value.to_string(), &problem);
            }
        }
        if !self.hidden.is_multiple_of(self.heads) {
            let problem = format!("must be a multiple of heads = {}", self.heads);
            return config("hidden", self.hidden.to_string(), &problem);
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return config("dropout", self.dropout.to_string(), "must be in [0, 1)");
        }
        if !(self.layer_norm_eps > 0.0 && self.layer_norm_eps.is_finite()) {
            let value = self.layer_norm_eps.to_string();
            return config("layer_norm_eps", value, "must be above 0 (BERT: 1e-12)");
        }
        Ok(())
    }

    /// Every parameter, in the order of the flat buffer.
    pub fn parameters(&self) -> Vec<Parameter> {
        let (h, f) = (self.hidden, self.feed_forward);
        let mut list = Vec::new();
        let mut add = |name: String, shape: &[usize], decay: bool| {
            list.push(Parameter {
                name,
                shape: shape.to_vec(),
                decay,
            });
        };
        for (name, rows) in [
            ("word", self.vocab_size),
            ("position", self.max_len),
            ("token_type", self.segments),
        ] {
            add(
                format!("bert.embeddings.{name}_embeddings.weight"),
                &[rows, h],
                true,
            );
        }
        let mut norms = vec!["bert.embeddings.LayerNorm".to_string()];
        let mut linears = Vec::new();
        for i in 0..self.layers {
            let layer = format!("bert.encoder.layer.{i}");
            if self.attention {
                let packed = ["query", "key", "value"];
                let packed = packed.map(|name| format!("{layer}.attention.self.{name}"));
                linears.push((packed.to_vec(), h, h));
                linears.push((vec![format!("{layer}.attention.output.dense")], h, h));
                norms.push(format!("{layer}.attention.output.LayerNorm"));
            }
            linears.push((vec![format!("{layer}.intermediate.dense")], f, h));
            linears.push((vec![format!("{layer}.output.dense")], h, f));
            norms.push(format!("{layer}.output.LayerNorm"));
        }
        let mut head = |name: &str, rows, columns| {
            linears.push((vec![name.to_string()], rows, columns));
        };
        let predicts_tokens = self.head != Head::Span;
        if predicts_tokens {
            head("cls.predictions.transform.dense", h, h);
            norms.push("cls.predictions.transform.LayerNorm".to_string());
        }
        match self.head {
            Head::MaskedLm => {}
            Head::Pretraining => {
                head("bert.pooler.dense", h, h);
                head("cls.seq_relationship", 2, h);
            }
            Head::Span => head("qa_outputs", 2, h),
        }
        // Side by side, queries, keys and values are one matrix.
        for (names, rows, columns) in linears {
            for name in &names {
                add(format!("{name}.weight"), &[rows, columns], true);
            }
            for name in &names {
                add(format!("{name}.bias"), &[rows], false);
            }
        }
        for name in norms {
            add(format!("{name}.weight"), &[h], false);
            add(format!("{name}.bias"), &[h], false);
        }
        if predicts_tokens {
            add(
                "cls.predictions.bias".to_string(),
                &[self.vocab_size],
                false,
            );
        }
        list
    }

    /// Initial parameters: weights from N(0, 0.02²) cut at two deviations, LayerNorm gains 1, biases 0.
    pub fn init<F: Real>(&self, generator: &mut dyn Rng) -> Vec<F> {
        self.init_with(INIT_STD, generator)
    }

    /// The same with another standard deviation of the weights.
    pub fn init_with<F: Real>(&self, std: f64, generator: &mut dyn Rng) -> Vec<F> {
        let parameters = self.parameters();
        let mut flat = Vec::with_capacity(len(&parameters));
        for parameter in &parameters {
            let gain = parameter.name.ends_with("LayerNorm.weight");
            for _ in 0..parameter.len() {
                flat.push(F::from_elem(match (gain, parameter.decay) {
                    (true, _) => 1.0,
                    (false, false) => 0.0,
                    (false, true) => std * truncated_normal(generator),
                }));
            }
        }
        flat
    }
}

/// A standard normal variable, drawn again while it is beyond ±2.
fn truncated_normal(generator: &mut dyn Rng) -> f64 {
    loop {
        let z: f64 = StandardNormal.sample(generator);
        if z.abs() <= 2.0 {
            return z;
        }
    }
}
