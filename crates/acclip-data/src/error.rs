//! Everything that can go wrong, with what was wrong, where, and what to do.

use std::path::PathBuf;

/// An error of this crate. Every message names the place and a remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The corpus or the vocabulary is not there.
    #[error("{}: no such file or folder; check the path", path.display())]
    Missing {
        /// The path as it was given.
        path: PathBuf,
    },

    /// The operating system refused to read or write.
    #[error("{}: cannot {action} it: {source}; check that it exists and its permissions", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// `read` or `write`.
        action: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// A text file holds bytes that are not UTF-8.
    #[error("{}: not UTF-8 at byte {byte} (counted from 0); convert the file to UTF-8, or take it out of the corpus", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Offset of the first byte that is not part of a valid character.
        byte: usize,
    },

    /// A file holds a zero byte, which no text does.
    #[error("{}: not a text file (zero byte at byte {byte}, counted from 0); take it out of the corpus, or convert it to UTF-8", path.display())]
    Binary {
        /// The file.
        path: PathBuf,
        /// Offset of the first zero byte.
        byte: usize,
    },

    /// There is no text at all.
    #[error(
        "{place}: no text, only white space or nothing; give a UTF-8 text file, or a folder of them"
    )]
    Empty {
        /// The file, the folder, or a description.
        place: String,
    },

    /// The corpus built into the program could not be unpacked.
    #[error("the embedded corpus is damaged ({detail}); build the program again from a clean copy")]
    Embedded {
        /// What failed.
        detail: String,
    },

    /// Fewer than two documents cannot be split.
    #[error(
        "the corpus is one document, and a held-out split needs two; give a folder of files, or put blank lines between documents"
    )]
    OneDocument,

    /// A setting lies outside its range.
    #[error("{name} is {value}; it must be {range}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// The values that are allowed.
        range: &'static str,
    },

    /// The vocabulary asked for does not even hold the single characters of the corpus.
    #[error(
        "a vocabulary of {asked} tokens is too small: the special tokens and the single characters of this corpus take {least}; ask for at least that many, better several thousand"
    )]
    VocabTooSmall {
        /// The size that was asked for.
        asked: usize,
        /// The smallest size that works.
        least: usize,
    },

    /// A vocabulary file is malformed.
    #[error("{}: {detail}", path.display())]
    Vocab {
        /// The file.
        path: PathBuf,
        /// What is wrong in it, where, and what to do.
        detail: String,
    },

    /// A vocabulary has no entry for a special token.
    #[error("{}: the vocabulary has no {token}; it needs [PAD], [UNK], [CLS], [SEP] and [MASK], as BERT's has", path.display())]
    MissingSpecial {
        /// The file.
        path: PathBuf,
        /// The token that is missing.
        token: &'static str,
    },

    /// The tokenizer library failed.
    #[error("the tokenizer failed: {source}; check the vocabulary, or train one on the corpus")]
    Tokenizer {
        /// What the library said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// No window of the text is long enough to be a sequence.
    #[error(
        "no document has a run of {needed} ordinary tokens, so there is no sequence to train on; give more text, or a vocabulary that fits it"
    )]
    NoSequence {
        /// Ordinary (non-special) tokens that a window must hold.
        needed: usize,
    },

    /// There are fewer sequences than a batch holds.
    #[error(
        "{sequences} sequences do not fill one batch of {batch_size}; give more text, a shorter sequence length or a smaller batch"
    )]
    LessThanOneBatch {
        /// Sequences there are.
        sequences: usize,
        /// Sequences in a batch.
        batch_size: usize,
    },
}
