//! The sizes of a Transformer-XL: what parameters it has, and how they begin.

use crate::parameters::{Real, len};
use crate::{Error, Parameter};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

/// Standard deviation of the initial weights, and of LayerNorm gains around 1.
const INIT_STD: f64 = 0.02;

/// The sizes of a Transformer-XL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformerXlConfig {
    /// Number of tokens in the vocabulary, V.
    pub vocab_size: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Width of the hidden states, H; even, since positions are pairs of sine and cosine.
    pub hidden: usize,
    /// Number of attention heads.
    pub heads: usize,
    /// Width of a head, D. Heads · D may differ from H.
    pub head_width: usize,
    /// Width of the feed-forward layer.
    pub feed_forward: usize,
    /// Positions of a training segment, T. The model itself takes segments of any length.
    pub target_len: usize,
    /// Positions that are remembered from the segments before, at most; 0 for no memory.
    pub memory_len: usize,
    /// Probability of dropping an entry of a hidden state, in training.
    pub dropout: f64,
    /// Probability of dropping an attention weight, in training.
    pub attention_dropout: f64,
    /// Where the adaptive softmax cuts the vocabulary, sorted from frequent to rare; empty for a full softmax.
    pub cutoffs: Vec<usize>,
    /// Whether the output layer shares its weights with the embeddings.
    pub tied: bool,
    /// Whether each block has its own u and v, the biases of queries towards contents and positions.
    pub untie_r: bool,
}

impl TransformerXlConfig {
    /// The names that [`TransformerXlConfig::named`] knows, smallest first.
    pub const NAMES: [&'static str; 2] = ["lab", "paper"];

    /// A size by name. `paper` is the model of Zhang et al.'s proof of concept, as far as the paper says: 6 layers and
    /// segments of 128, else the "base" script of the authors of Transformer-XL. `lab` is our own, for minutes on a
    /// laptop. Both have a full softmax, as those authors have wherever a vocabulary is small.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the names there are.
    pub fn named(name: &str, vocab_size: usize) -> Result<Self, Error> {
        let (layers, hidden, heads, head_width, feed_forward, target_len, memory_len) = match name {
            "lab" => (3, 128, 4, 32, 512, 64, 64),
            "paper" => (6, 410, 10, 41, 2100, 128, 150),
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
            layers,
            hidden,
            heads,
            head_width,
            feed_forward,
            target_len,
            memory_len,
            dropout: 0.1,
            attention_dropout: 0.0,
            cutoffs: Vec::new(),
            tied: true,
            untie_r: false,
        })
    }

    /// Checks that such a model can exist.
    ///
    /// # Errors
    /// [`Error::Config`] names the field.
    pub fn validate(&self) -> Result<(), Error> {
        let config = |field, value: String, problem: String| {
            Err(Error::Config {
                field,
                value,
                problem,
            })
        };
        for (field, value, least, most) in [
            ("vocab_size", self.vocab_size, 1, 1 << 24),
            ("layers", self.layers, 1, 1000),
            ("hidden", self.hidden, 1, 1 << 20),
            ("heads", self.heads, 1, 1 << 20),
            ("head_width", self.head_width, 1, 1 << 20),
            ("feed_forward", self.feed_forward, 1, 1 << 20),
            ("target_len", self.target_len, 1, 1 << 20),
            ("memory_len", self.memory_len, 0, 1 << 20),
        ] {
            if !(least..=most).contains(&value) {
                let problem = format!("must be from {least} to {most}");
                return config(field, value.to_string(), problem);
            }
        }
        if !self.hidden.is_multiple_of(2) {
            let problem = "must be even: positions are pairs of sine and cosine".to_string();
            return config("hidden", self.hidden.to_string(), problem);
        }
        for (field, value) in [
            ("dropout", self.dropout),
            ("attention_dropout", self.attention_dropout),
        ] {
            if !(0.0..1.0).contains(&value) {
                return config(field, value.to_string(), "must be in [0, 1)".to_string());
            }
        }
        let inside = |cutoff: &usize| (1..self.vocab_size).contains(cutoff);
        if !self.cutoffs.iter().all(inside) || !self.cutoffs.is_sorted_by(|a, b| a < b) {
            let problem = format!(
                "must ascend, above 0 and below vocab_size = {}",
                self.vocab_size
            );
            return config("cutoffs", format!("{:?}", self.cutoffs), problem);
        }
        Ok(())
    }

    /// Every parameter, in the order of the flat buffer.
    pub fn parameters(&self) -> Vec<Parameter> {
        let (v, h, f, c) = (
            self.vocab_size,
            self.hidden,
            self.feed_forward,
            self.cutoffs.len(),
        );
        let (n, d) = (self.heads, self.head_width);
        let mut list = Vec::new();
        let mut add = |name: String, shape: &[usize]| {
            let exempt = name.ends_with("bias") || name.contains("layer_norm");
            list.push(Parameter {
                name,
                shape: shape.to_vec(),
                decay: !exempt,
            });
        };
        add(
            "transformer.word_emb.emb_layers.0.weight".to_string(),
            &[v, h],
        );
        let biases = ["r_w_bias", "r_r_bias"];
        for bias in biases.iter().filter(|_| !self.untie_r) {
            add(format!("transformer.{bias}"), &[n, d]);
        }
        for i in 0..self.layers {
            let attention = format!("transformer.layers.{i}.dec_attn");
            for bias in biases.iter().filter(|_| self.untie_r) {
                add(format!("{attention}.{bias}"), &[n, d]);
            }
            add(format!("{attention}.qkv_net.weight"), &[3 * n * d, h]);
            add(format!("{attention}.r_net.weight"), &[n * d, h]);
            add(format!("{attention}.o_net.weight"), &[h, n * d]);
            let feed_forward = format!("transformer.layers.{i}.pos_ff");
            for (layer, rows, columns) in [(0, f, h), (3, h, f)] {
                let name = format!("{feed_forward}.CoreNet.{layer}");
                add(format!("{name}.weight"), &[rows, columns]);
                add(format!("{name}.bias"), &[rows]);
            }
            for part in [attention, feed_forward] {
                add(format!("{part}.layer_norm.weight"), &[h]);
                add(format!("{part}.layer_norm.bias"), &[h]);
            }
        }
        if c > 0 {
            add("crit.cluster_weight".to_string(), &[c, h]);
            add("crit.cluster_bias".to_string(), &[c]);
        }
        if !self.tied {
            add("crit.out_layers.0.weight".to_string(), &[v, h]);
        }
        add("crit.out_layers.0.bias".to_string(), &[v]);
        list
    }

    /// Initial parameters, as the authors' `train.py` draws them: weights, u and v from N(0, 0.02²), LayerNorm gains
    /// from N(1, 0.02²), all other biases 0.
    pub fn init<F: Real>(&self, generator: &mut dyn Rng) -> Vec<F> {
        let parameters = self.parameters();
        let mut flat = Vec::with_capacity(len(&parameters));
        for Parameter { name, shape, .. } in &parameters {
            let drawn = !name.ends_with(".bias") && !name.ends_with("cluster_bias");
            let mean = f64::from(name.ends_with("layer_norm.weight"));
            for _ in 0..shape.iter().product() {
                let mut noise = || -> f64 { StandardNormal.sample(generator) };
                flat.push(F::from_elem(match drawn {
                    true => mean + INIT_STD * noise(),
                    false => 0.0,
                }));
            }
        }
        flat
    }
}
