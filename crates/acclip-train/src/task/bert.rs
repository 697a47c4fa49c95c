//! A BERT of the configured size, or with the configured pre-trained weights.

use super::{Carried, init_stream};
use crate::files::read;
use crate::hugging_face::{read_bert, vocabulary_file, write_bert};
use crate::{Config, Error, weights_file};
use acclip_data::Tokenizer;
use acclip_models::{Bert, BertConfig, Head};
use std::path::{Path, PathBuf};

/// A model, and the weights it starts from where they are not drawn.
pub(super) struct Start {
    pub model: Bert,
    weights: Option<Vec<f32>>,
    /// Which of the weights are new, and which are of no use, in words.
    told: String,
    seed: u64,
    std: Option<f64>,
}

impl Start {
    /// The configured model for a vocabulary of `vocab_size` tokens.
    pub fn new(config: &Config, vocab_size: usize, head: Head) -> Result<Self, Error> {
        let (bert, weights, told) = match &config.model.weights {
            None => (config.bert(vocab_size, head)?, None, String::new()),
            Some(folder) => {
                let found = read_bert(Path::new(folder), head, config.seed)?;
                fits(config, &found.config, vocab_size, folder)?;
                let bert = BertConfig {
                    dropout: config.model.dropout.unwrap_or(found.config.dropout),
                    ..found.config
                };
                let list = |what: &str, names: &[String]| match names.is_empty() {
                    true => String::new(),
                    false => format!("; {what}: {}", names.join(", ")),
                };
                let told = list("new", &found.fresh) + &list("without use here", &found.unused);
                (bert, Some(found.params), told)
            }
        };
        let model = Bert::new(bert, &config.model.backend.device()?)?;
        Ok(Self {
            model: model.with_recomputation(config.model.recompute),
            weights,
            told,
            seed: config.seed,
            std: config.model.init_std,
        })
    }

    /// The parameters at which a run starts.
    pub fn initial(&self) -> Vec<f32> {
        match &self.weights {
            Some(weights) => weights.clone(),
            None => {
                let (bert, generator) = (self.model.config(), &mut init_stream(self.seed));
                match self.std {
                    Some(std) => bert.init_with(std, generator),
                    None => bert.init(generator),
                }
            }
        }
    }
}

/// Writes a model for other programs: in Hugging Face's format, or, where that has no such model, the weights alone.
pub(super) fn write(
    config: &Config,
    bert: &BertConfig,
    params: &[f32],
    tokenizer: &Tokenizer,
    folder: &Path,
) -> Result<(), Error> {
    if !bert.attention {
        let file = folder.join("model.safetensors");
        return weights_file::write(&file, &bert.parameters(), params, &Carried::default());
    }
    // A tokenizer.json says more than a list of tokens. A run keeps the one that it was given.
    let kept = folder.with_file_name("tokenizer.json");
    let given = match (&config.corpus.vocab, &config.model.weights) {
        _ if kept.exists() => Some(kept),
        (Some(vocab), _) => Some(PathBuf::from(vocab)),
        (None, Some(weights)) => Some(vocabulary_file(Path::new(weights))?),
        (None, None) => None,
    };
    let text = match given.filter(|path| path.extension().is_some_and(|e| e == "json")) {
        Some(path) => read(&path)?,
        None => tokenizer.vocab(),
    };
    write_bert(folder, bert, params, &text)
}

/// Refuses pre-trained weights for another vocabulary, or for sequences shorter than configured.
fn fits(config: &Config, bert: &BertConfig, vocab_size: usize, folder: &str) -> Result<(), Error> {
    if bert.vocab_size < vocab_size {
        let problem = format!(
            "the vocabulary has {vocab_size} tokens, but the model in {folder} has {} embeddings; leave \
             corpus.vocab out, so that the model's own is taken",
            bert.vocab_size
        );
        return Err(Error::config("corpus.vocab", problem));
    }
    if bert.max_len < config.model.seq_len {
        let problem = format!(
            "is {}, but the model in {folder} has {} positions",
            config.model.seq_len, bert.max_len
        );
        return Err(Error::config("model.seq_len", problem));
    }
    Ok(())
}

/// The model in a sentence.
pub(super) fn describe(config: &Config, start: &Start, head: &str) -> String {
    let (m, bert) = (&config.model, start.model.config());
    let free = if m.attention {
        ""
    } else {
        " without attention"
    };
    let size = match &m.weights {
        Some(folder) => format!("BERT with the weights of {folder}"),
        None => format!("BERT “{}”", m.size),
    };
    format!(
        "{size}{free}, {} layers of {}, with {head}, dropout {}, on {:?} input{}",
        bert.layers, bert.hidden, bert.dropout, m.input, start.told
    )
}
