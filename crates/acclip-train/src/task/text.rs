//! The text of a task: corpus, vocabulary, and what is said of them.

use crate::hugging_face::vocabulary_file;
use crate::{Config, Error};
use acclip_data::{Corpus, Document, Tokenizer};
use std::path::Path;

/// The configured text, or the embedded one.
pub(super) fn corpus(config: &Config) -> Result<Corpus, Error> {
    Ok(match &config.corpus.path {
        Some(path) => Corpus::read(path)?,
        None => Corpus::embedded()?,
    })
}

/// Where the configured text comes from.
pub(super) fn source(config: &Config) -> String {
    let embedded = || "State of the Union addresses, 1790–2021 (embedded)".to_string();
    config.corpus.path.clone().unwrap_or_else(embedded)
}

/// How large a text is.
pub(super) fn content(corpus: &Corpus) -> String {
    let megabytes = corpus.bytes() as f64 / 1e6;
    format!("{} documents, {megabytes:.1} MB", corpus.documents().len())
}

/// Checksum of every document's text, in order.
pub(super) fn checksum(corpus: &Corpus) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for document in corpus.documents() {
        hasher.update(document.text.as_bytes());
        hasher.update(&[0]);
    }
    hasher.finalize()
}

/// The vocabulary of a run folder to be continued, the configured one, that of the pre-trained weights, or one trained
/// on the training documents.
pub(super) fn tokenizer(
    config: &Config,
    kept: Option<&Path>,
    train: &[&Document],
) -> Result<Tokenizer, Error> {
    let configured = config.corpus.vocab.as_deref().map(Path::new);
    let pretrained = config.model.weights.as_deref().map(Path::new);
    let pretrained = pretrained.map(vocabulary_file).transpose()?;
    let given = kept.or(configured).map(Path::to_path_buf).or(pretrained);
    Ok(match given {
        Some(path) => Tokenizer::load(path)?,
        None => Tokenizer::train(train, config.corpus.vocab_size)?,
    })
}
