//! `config.json`, in and out.

use super::refuse;
use crate::{Error, files};
use acclip_models::{BertConfig, Head};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::Path;

/// The fields of `config.json` that say what a BERT computes.
#[derive(Serialize, Deserialize)]
pub(super) struct HubConfig {
    #[serde(default)]
    architectures: Vec<String>,
    /// Not in files that were converted from Google's.
    #[serde(default = "bert")]
    model_type: String,
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    #[serde(default = "two")]
    type_vocab_size: usize,
    hidden_act: String,
    hidden_dropout_prob: f64,
    attention_probs_dropout_prob: f64,
    #[serde(default = "layer_norm_eps")]
    layer_norm_eps: f64,
    #[serde(default = "absolute")]
    position_embedding_type: String,
    #[serde(default)]
    is_decoder: bool,
    #[serde(default)]
    add_cross_attention: bool,
    #[serde(default = "tied")]
    tie_word_embeddings: bool,
    #[serde(default)]
    pruned_heads: Map<String, Value>,
}

fn bert() -> String {
    "bert".into()
}

fn two() -> usize {
    2
}

fn layer_norm_eps() -> f64 {
    BertConfig::LAYER_NORM_EPS
}

fn absolute() -> String {
    "absolute".into()
}

fn tied() -> bool {
    true
}

impl HubConfig {
    /// The sizes in a `config.json`, with `head`; or the name of the field that is missing, malformed or not supported.
    pub fn read(path: &Path, head: Head) -> Result<BertConfig, Error> {
        let text = files::read(path)?;
        let hub: HubConfig = {
            let json = &mut serde_json::Deserializer::from_str(&text);
            serde_path_to_error::deserialize(json)
                .map_err(|error| refuse(path, error.to_string()))?
        };
        let unsupported = |field: &str, value: String, problem: &str| {
            Err(refuse(path, format!("{field} = {value}: {problem}")))
        };
        for (field, value, supported) in [
            ("model_type", &hub.model_type, "bert"),
            ("hidden_act", &hub.hidden_act, "gelu"),
            (
                "position_embedding_type",
                &hub.position_embedding_type,
                "absolute",
            ),
        ] {
            if value != supported {
                let problem = format!("only \"{supported}\" is supported");
                return unsupported(field, format!("{value:?}"), &problem);
            }
        }
        for (field, value) in [
            ("is_decoder", hub.is_decoder),
            ("add_cross_attention", hub.add_cross_attention),
        ] {
            if value {
                return unsupported(field, "true".into(), "only encoders are supported");
            }
        }
        if !hub.tie_word_embeddings && head != Head::Span {
            let problem = "the decoder must be the word embeddings";
            return unsupported("tie_word_embeddings", "false".into(), problem);
        }
        if !hub.pruned_heads.is_empty() {
            let value = Value::from(hub.pruned_heads).to_string();
            return unsupported("pruned_heads", value, "every block must have all heads");
        }
        let (hidden, attention) = (hub.hidden_dropout_prob, hub.attention_probs_dropout_prob);
        if hidden != attention {
            let problem = format!("must be hidden_dropout_prob = {hidden}; edit one of them");
            return unsupported(
                "attention_probs_dropout_prob",
                attention.to_string(),
                &problem,
            );
        }
        let config = BertConfig {
            vocab_size: hub.vocab_size,
            hidden: hub.hidden_size,
            layers: hub.num_hidden_layers,
            heads: hub.num_attention_heads,
            feed_forward: hub.intermediate_size,
            max_len: hub.max_position_embeddings,
            segments: hub.type_vocab_size,
            dropout: hub.hidden_dropout_prob,
            attention: true,
            layer_norm_eps: hub.layer_norm_eps,
            head,
        };
        (config.validate()).map_err(|error| refuse(path, error.to_string()))?;
        Ok(config)
    }

    /// What describes a model of ours.
    pub fn new(config: &BertConfig) -> Self {
        let architecture = match config.head {
            Head::MaskedLm => "BertForMaskedLM",
            Head::Pretraining => "BertForPreTraining",
            Head::Span => "BertForQuestionAnswering",
        };
        Self {
            architectures: vec![architecture.into()],
            model_type: "bert".into(),
            vocab_size: config.vocab_size,
            hidden_size: config.hidden,
            num_hidden_layers: config.layers,
            num_attention_heads: config.heads,
            intermediate_size: config.feed_forward,
            max_position_embeddings: config.max_len,
            type_vocab_size: config.segments,
            hidden_act: "gelu".into(),
            hidden_dropout_prob: config.dropout,
            attention_probs_dropout_prob: config.dropout,
            layer_norm_eps: config.layer_norm_eps,
            position_embedding_type: absolute(),
            is_decoder: false,
            add_cross_attention: false,
            tie_word_embeddings: tied(),
            pruned_heads: Map::new(),
        }
    }
}
