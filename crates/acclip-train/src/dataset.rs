//! The corpus as the trainer sees it: masked batches of training and of held-out text.

use crate::config::{CorpusConfig, MIN_BATCHES};
use crate::{Config, Error, memory};
use acclip_data::{Corpus, Masker, Masking, Sequences, Tokenizer};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Tokenised text, split by document into training and held-out sequences.
pub struct Dataset {
    /// The vocabulary.
    pub tokenizer: Tokenizer,
    /// Training sequences.
    pub train: Sequences,
    /// Held-out sequences.
    pub valid: Sequences,
    /// What masks them.
    pub masker: Masker,
    /// What the text is.
    pub facts: CorpusFacts,
}

/// What a corpus is, for the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorpusFacts {
    /// Where it comes from.
    pub source: String,
    /// Number of documents.
    pub documents: usize,
    /// Size of the text, in bytes.
    pub bytes: usize,
    /// Checksum of the text: a run is continued on the text that it began with.
    pub crc32: u32,
    /// Number of tokens in the vocabulary.
    pub vocab_size: usize,
    /// Number of training sequences.
    pub train_sequences: usize,
    /// Number of held-out sequences.
    pub valid_sequences: usize,
    /// Tokens in the training sequences.
    pub train_tokens: usize,
}

impl Dataset {
    /// Reads the corpus, splits it, gets or trains the vocabulary (on the training documents alone)
    /// and tokenises. `vocab`, where given, is the vocabulary of a run folder to be continued.
    ///
    /// # Errors
    /// [`Error::Data`] says what is wrong with a file.
    pub fn load(config: &Config, vocab: Option<&Path>) -> Result<Self, Error> {
        let CorpusConfig {
            path,
            vocab: configured,
            vocab_size,
            held_out,
            split_seed,
        } = &config.corpus;
        let corpus = match path {
            Some(path) => Corpus::read(path)?,
            None => Corpus::embedded()?,
        };
        let (train, valid) = corpus.split(*held_out, *split_seed)?;
        let tokenizer = match vocab.or(configured.as_deref().map(Path::new)) {
            Some(path) => Tokenizer::load(path)?,
            None => Tokenizer::train(&train, *vocab_size)?,
        };
        let specials = tokenizer.specials();
        let sequences = |documents: &[&acclip_data::Document]| {
            let tokens = tokenizer.encode_documents(documents)?;
            Sequences::new(&tokens, config.model.seq_len, &specials)
        };
        let (train, valid) = (sequences(&train)?, sequences(&valid)?);
        Ok(Self {
            masker: Masker::new(Masking::default(), specials, tokenizer.vocab_size())?,
            facts: CorpusFacts {
                source: path
                    .clone()
                    .unwrap_or_else(|| "State of the Union addresses, 1790–2021 (embedded)".into()),
                documents: corpus.documents().len(),
                bytes: corpus.bytes(),
                crc32: checksum(&corpus),
                vocab_size: tokenizer.vocab_size(),
                train_sequences: train.len(),
                valid_sequences: valid.len(),
                train_tokens: train.total_tokens(),
            },
            tokenizer,
            train,
            valid,
        })
    }

    /// How often each token occurs in the training sequences, by id; special tokens count as never.
    #[must_use]
    pub fn token_counts(&self) -> Vec<f64> {
        let mut counts = vec![0.0; self.tokenizer.vocab_size()];
        for i in 0..self.train.len() {
            for &id in self.train.get(i) {
                counts[id as usize] += 1.0;
            }
        }
        let special = self.tokenizer.specials();
        for id in [
            special.pad,
            special.unk,
            special.cls,
            special.sep,
            special.mask,
        ] {
            counts[id as usize] = 0.0;
        }
        counts
    }

    /// Whether there is text for a training run.
    ///
    /// # Errors
    /// [`Error::Config`] if the training or the held-out text does not fill a batch.
    pub fn check_training(&self, config: &Config) -> Result<(), Error> {
        let size = config.train.batch_size;
        enough("train.batch_size", size, &self.train, "training", config)?;
        enough("train.batch_size", size, &self.valid, "held-out", config)
    }

    /// Whether `jobs` runs of the configured model fit in memory at a time.
    ///
    /// # Errors
    /// [`Error::Config`] with what is needed and what there is.
    pub fn check_memory(&self, config: &Config, jobs: usize) -> Result<(), Error> {
        memory::check(config, self.tokenizer.vocab_size(), jobs)
    }

    /// Whether there is text for a noise measurement.
    ///
    /// # Errors
    /// [`Error::Config`] if the training text has fewer than [`MIN_BATCHES`] batches.
    pub fn check_noise(&self, config: &Config) -> Result<(), Error> {
        let size = config.noise.batch_size.saturating_mul(MIN_BATCHES);
        enough("noise.batch_size", size, &self.train, "training", config)
    }
}

/// Refuses a text with fewer than `needed` sequences.
fn enough(
    key: &str,
    needed: usize,
    sequences: &Sequences,
    part: &str,
    config: &Config,
) -> Result<(), Error> {
    if sequences.len() >= needed {
        return Ok(());
    }
    let problem = format!(
        "needs {needed} sequences, but the {part} text has {} of up to {} tokens; \
         make batches or model.seq_len smaller, or the corpus larger",
        sequences.len(),
        config.model.seq_len
    );
    Err(Error::config(key, problem))
}

/// Checksum of every document's text, in order.
fn checksum(corpus: &Corpus) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for document in corpus.documents() {
        hasher.update(document.text.as_bytes());
        hasher.update(&[0]);
    }
    hasher.finalize()
}
