//! SQuAD v1.1: questions about a paragraph, whose answer is a piece of that paragraph.
//!
//! ```text
//! data.json ──Squad──▶ questions ──Windows──▶ [CLS] question [SEP] piece of the context [SEP] ──▶ SpanBatch
//!                          │                                                                        │ a model
//!                          ▼                                                                        ▼
//!            exact match, F1 ◀──score── predictions.json ◀──predict── logits of starts and ends
//! ```
//!
//! A file each: [`Squad`] reads and checks, [`Windows`] cuts long contexts into overlapping pieces, [`predict`]
//! finds the best span, [`score()`] is the official scorer.
//!
//! Reference: Rajpurkar et al., "SQuAD: 100,000+ questions for machine comprehension of text" (2016); Devlin et
//! al., "BERT" (2019), §4.2, and its authors' `run_squad.py`; the official `evaluate-v1.1.py`.

mod read;
mod score;
mod spans;
mod windows;

pub use read::{Answer, Question, Squad};
pub use score::{
    Intervals, QuestionScore, Score, Unit, evaluate_files, normalize_answer, read_predictions,
    score,
};
pub use spans::{Predictions, Span, SpanOptions, best_span, predict};
pub use windows::{SpanBatch, Window, WindowOptions, Windows};
