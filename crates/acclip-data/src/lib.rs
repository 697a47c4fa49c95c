//! Text, questions and images as batches, all from a seed.
//!
//! ```text
//! Corpus ──split──▶ documents ──Tokenizer──▶ ids ──Sequences──▶ [CLS] … [SEP] windows
//!                                                                  │
//!                                   Order, Pass (which ones) ──────┤
//!                                   Masker (what is hidden) ───────┴──▶ MaskedBatch
//! ```
//!
//! For next-sentence prediction, [`Pairs`] of segments take the place of the windows: [`sentences()`],
//! [`Tokenizer::encode_sentences`], [`Pairs::new`], [`Masker::pair_batch`]. For a language model of words,
//! a [`WordCorpus`] gives ids, and a [`WordStream`] their segments. Questions are in [`squad`], images in [`images`].
//!
//! Nothing here keeps a random state. Every draw comes from [`rng::stream`], a counter-based generator
//! keyed by (seed, purpose, step, index), so that step 1000 can be made without steps 0 to 999, and a
//! run that was stopped goes on with the same batches.
//!
//! The crate does not know: models, tensors, optimizers, the clock, threads of its own.
//!
//! # Example
//! ```
//! use acclip_data::{Corpus, Document, Masker, Masking, Order, Purpose, Sequences, Tokenizer};
//!
//! let text = "the quick brown fox jumps over the lazy dog and runs away ".repeat(20);
//! let corpus = Corpus::new(vec![Document::new("a", &text), Document::new("b", &text)])?;
//! let (train, _valid) = corpus.split(0.5, 7)?;
//!
//! let tokenizer = Tokenizer::train(&train, 80)?;
//! let tokens = tokenizer.encode_documents(&train)?;
//! let sequences = Sequences::new(&tokens, 16, &tokenizer.specials())?;
//! let masker = Masker::new(Masking::default(), tokenizer.specials(), tokenizer.vocab_size())?;
//!
//! let mut order = Order::new(sequences.len(), 4, 7)?;
//! for step in 0..3 {
//!     let batch = masker.batch(&sequences, order.indices(step), 7, Purpose::MASK, step);
//!     assert_eq!(batch.tokens.len(), 4 * 16);
//! }
//! # Ok::<(), acclip_data::Error>(())
//! ```

mod corpus;
mod error;
pub mod images;
mod masking;
mod order;
mod pairs;
mod read;
pub mod rng;
mod sentences;
mod sequences;
pub mod squad;
mod tokenizer;
mod train;
mod whole_words;
mod words;

pub use corpus::{Corpus, Document};
pub use error::Error;
pub use masking::{MaskedBatch, Masker, Masking};
pub use order::{Order, Pass};
pub use pairs::{Pair, Pairs};
pub use rng::Purpose;
pub use sentences::sentences;
pub use sequences::Sequences;
pub use tokenizer::{Specials, Tokenizer, TokensWithOffsets};
pub use words::{
    Segment, Vocabulary, VocabularyLimits, WordCorpus, WordStream, counts, frequency_bins,
};
