//! Questions and contexts as token sequences: `[CLS] question [SEP] piece of the context [SEP]`.
//!
//! Of the question the first `max_question` tokens are kept. That leaves a window room for c context tokens, where
//! c = `max_len` − 3 − the question's. A context of at most c tokens is one window. A longer one gives windows that
//! begin at its tokens 0, s, 2s, … with s = min(c, `stride`), hold c tokens each, and end with the one that
//! reaches the end.
//!
//! **Maximum context.** A token that stands in several windows counts in one: where min(tokens to its left,
//! tokens to its right) + 0.01 · (context tokens of the window) is largest, the first of them on a tie.
//!
//! **Span.** The label of a training window is the first and the last token of the answer: the fewest tokens
//! that cover the answer's characters. A window that does not hold them all has the label [0, 0], `[CLS]`, as in
//! `run_squad.py`. Of several answers the first counts (`run_squad.py` takes files with one only).
//!
//! Departure: `run_squad.py` begins with the answer's words, cut at white space, and looks among their tokens for
//! those that spell the answer; it takes the whole words where none do. Offsets say directly which tokens they
//! are. The two differ where an answer ends within a WordPiece word (the answer `Japan` in `Japanese`: here the
//! pieces that touch `Japan`, there the word and the punctuation at it), or where it stands twice within its
//! words.
//!
//! Reference: Devlin et al., "BERT" (2019), §4.2; `run_squad.py` of google-research/bert.

use super::{Squad, read::malformed};
use crate::{Error, Tokenizer};
use std::{ops::Range, sync::Arc};

/// How contexts are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowOptions {
    /// Tokens in a window, special ones included; more than `max_question + 3`.
    pub max_len: usize,
    /// Context tokens from the beginning of a window to that of the next; at least 1.
    pub stride: usize,
    /// Tokens of the question; what is longer is cut off. At least 1.
    pub max_question: usize,
}

impl Default for WindowOptions {
    /// Those of `run_squad.py`: 384, 128, 64.
    fn default() -> Self {
        WindowOptions {
            max_len: 384,
            stride: 128,
            max_question: 64,
        }
    }
}

/// One sequence. A *place* is an index into its tokens.
#[derive(Clone, Debug)]
pub struct Window {
    /// Index into [`Squad::questions`].
    pub question: usize,
    /// `[CLS] question [SEP] context [SEP]`, without padding.
    pub tokens: Vec<u32>,
    /// Training: the places of the answer's first and last token; [0, 0] if it does not lie in this window.
    pub span: Option<[u32; 2]>,
    /// Place of the first context token.
    document: usize,
    /// For each context token of the window, whether this window is the one where it counts.
    max_context: Vec<bool>,
    /// Byte ranges of all tokens of the context, and the index of the first one here.
    offsets: Arc<[Range<usize>]>,
    first: usize,
}

impl Window {
    /// Places of the context's tokens.
    pub fn document(&self) -> Range<usize> {
        self.document..self.tokens.len() - 1
    }

    /// 0 for `[CLS] question [SEP]`, 1 for the context and its `[SEP]`.
    pub fn segment(&self, place: usize) -> u32 {
        u32::from(place >= self.document)
    }

    /// The bytes of the context that the token at `place` stands for; `None` outside the context.
    pub fn offset(&self, place: usize) -> Option<Range<usize>> {
        let inside = self.document().contains(&place);
        inside.then(|| self.offsets[self.first + place - self.document].clone())
    }

    /// Whether a context token counts in this window; false outside the context.
    pub fn is_max_context(&self, place: usize) -> bool {
        self.document().contains(&place) && self.max_context[place - self.document]
    }
}

/// All windows of a file, in the order of its questions.
#[derive(Clone, Debug)]
pub struct Windows {
    /// The windows; those of a question stand together.
    pub all: Vec<Window>,
    /// Training: questions whose answer lies in no window as a whole. Their windows are kept, with label [0, 0].
    pub outside: Vec<usize>,
    /// Training: questions left out because their answer does not stand where the file says.
    pub mismatched: Vec<usize>,
    max_len: usize,
    pad: u32,
}

/// B windows, padded to T = `max_len` in every batch, so that its bits do not depend on its company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanBatch {
    /// B.
    pub batch_size: usize,
    /// T.
    pub seq_len: usize,
    /// (B, T) row-major: ids, padded with `[PAD]`.
    pub tokens: Vec<u32>,
    /// (B, T): 1 for the context and its `[SEP]`, else 0.
    pub segments: Vec<u32>,
    /// (B, T): false where there is padding.
    pub real: Vec<bool>,
    /// (B) places of the answers' first tokens; empty if the windows were not made for training.
    pub starts: Vec<u32>,
    /// (B) places of the answers' last tokens; empty if the windows were not made for training.
    pub ends: Vec<u32>,
}

/// A context as tokens, with their byte ranges.
struct Context {
    tokens: Vec<u32>,
    offsets: Arc<[Range<usize>]>,
}

impl Windows {
    /// Windows with labels. A question whose first answer has no place is left out and counted.
    ///
    /// # Errors
    /// [`Error::Setting`]; [`Error::Squad`] if a context has no tokens, or if every question is left out;
    /// [`Error::Tokenizer`].
    pub fn for_training(
        squad: &Squad,
        tokenizer: &Tokenizer,
        options: &WindowOptions,
    ) -> Result<Windows, Error> {
        Windows::new(squad, tokenizer, options, true)
    }

    /// Windows without labels, of every question.
    ///
    /// # Errors
    /// [`Error::Setting`]; [`Error::Squad`] if a context has no tokens; [`Error::Tokenizer`].
    pub fn for_prediction(
        squad: &Squad,
        tokenizer: &Tokenizer,
        options: &WindowOptions,
    ) -> Result<Windows, Error> {
        Windows::new(squad, tokenizer, options, false)
    }

    fn new(
        squad: &Squad,
        tokenizer: &Tokenizer,
        options: &WindowOptions,
        training: bool,
    ) -> Result<Windows, Error> {
        options.check()?;
        let specials = tokenizer.specials();
        let mut windows = Windows {
            all: Vec::new(),
            outside: Vec::new(),
            mismatched: Vec::new(),
            max_len: options.max_len,
            pad: specials.pad,
        };
        let mut kept = Vec::with_capacity(squad.questions.len());
        for (i, question) in squad.questions.iter().enumerate() {
            if training && question.answers[0].bytes.is_none() {
                windows.mismatched.push(i);
            } else {
                kept.push((i, question));
            }
        }
        // The questions of a paragraph stand together and share its context.
        let paragraphs = || kept.chunk_by(|(_, a), (_, b)| Arc::ptr_eq(&a.context, &b.context));
        let contexts: Vec<&str> = paragraphs().map(|group| &*group[0].1.context).collect();
        let contexts = tokenizer.encode_with_offsets(&contexts)?;
        let texts: Vec<&str> = kept.iter().map(|(_, q)| q.question.as_str()).collect();
        let mut heads = tokenizer.encode_with_offsets(&texts)?.into_iter();

        for (group, (tokens, offsets)) in paragraphs().zip(contexts) {
            if tokens.is_empty() {
                let question = group[0].1;
                let place = format!("article {:?}, question {:?}", question.article, question.id);
                return Err(malformed(place, "its context has no tokens; take it out"));
            }
            let context = Context {
                tokens,
                offsets: offsets.into(),
            };
            for (&(i, question), (mut head, _)) in group.iter().zip(&mut heads) {
                head.truncate(options.max_question);
                head.insert(0, specials.cls);
                head.push(specials.sep);
                let answer = question.answers[0].bytes.as_ref().filter(|_| training);
                let cut = cut(i, &head, &context, answer, options);
                if cut.iter().all(|window| window.span == Some([0, 0])) {
                    windows.outside.push(i);
                }
                windows.all.extend(cut);
            }
        }
        if windows.all.is_empty() {
            return Err(malformed(
                "SQuAD".into(),
                "no answer stands where its offset says, so there is nothing to train on; correct the offsets",
            ));
        }
        Ok(windows)
    }

    /// How many windows there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// T, the length to which batches are padded.
    pub fn max_len(&self) -> usize {
        self.max_len
    }

    /// The windows `indices` as a batch.
    ///
    /// # Panics
    /// If an index is not below `len()`, as indexing a slice does.
    pub fn batch(&self, indices: &[usize]) -> SpanBatch {
        let (b, t) = (indices.len(), self.max_len);
        let mut batch = SpanBatch {
            batch_size: b,
            seq_len: t,
            tokens: vec![self.pad; b * t],
            segments: vec![0; b * t],
            real: vec![false; b * t],
            starts: Vec::new(),
            ends: Vec::new(),
        };
        for (row, &index) in indices.iter().enumerate() {
            let window = &self.all[index];
            let (begin, length) = (row * t, window.tokens.len());
            batch.tokens[begin..][..length].copy_from_slice(&window.tokens);
            batch.segments[begin..][window.document..length].fill(1);
            batch.real[begin..][..length].fill(true);
            if let Some([start, end]) = window.span {
                batch.starts.push(start);
                batch.ends.push(end);
            }
        }
        batch
    }
}

impl WindowOptions {
    fn check(&self) -> Result<(), Error> {
        let wrong = |name, value: usize, range| {
            Err(Error::Setting {
                name,
                value: value.to_string(),
                range,
            })
        };
        if self.max_question == 0 {
            return wrong("max_question", 0, "at least 1");
        }
        if self.stride == 0 {
            return wrong("stride", 0, "at least 1");
        }
        if self.max_len.saturating_sub(3) <= self.max_question {
            return wrong("max_len", self.max_len, "larger than max_question + 3");
        }
        Ok(())
    }
}

/// The windows of one question. `head` is `[CLS] question [SEP]`, `answer` a byte range of the context.
fn cut(
    question: usize,
    head: &[u32],
    context: &Context,
    answer: Option<&Range<usize>>,
    options: &WindowOptions,
) -> Vec<Window> {
    let answer = answer.map(|bytes| cover(&context.offsets, bytes));
    let size = options.max_len - head.len() - 1;
    let pieces = pieces(context.tokens.len(), size, options.stride);
    let window = |piece: &Range<usize>| {
        let span = answer.as_ref().map(|answer| {
            let held = piece.start <= answer.start && answer.end <= piece.end;
            let place = |token: usize| (token - piece.start + head.len()) as u32;
            match held && !answer.is_empty() {
                true => [place(answer.start), place(answer.end - 1)],
                false => [0, 0],
            }
        });
        let sep = &head[head.len() - 1..];
        let counts_here = |token| best_piece(&pieces, token) == *piece;
        Window {
            question,
            tokens: [head, &context.tokens[piece.clone()], sep].concat(),
            span,
            document: head.len(),
            max_context: piece.clone().map(counts_here).collect(),
            offsets: context.offsets.clone(),
            first: piece.start,
        }
    };
    pieces.iter().map(window).collect()
}

/// The fewest tokens that cover `bytes`; empty if no token touches them.
fn cover(offsets: &[Range<usize>], bytes: &Range<usize>) -> Range<usize> {
    let touches = |token: &Range<usize>| token.start < bytes.end && bytes.start < token.end;
    let start = offsets.iter().position(touches);
    let last = offsets.iter().rposition(touches);
    start
        .zip(last)
        .map_or(0..0, |(start, last)| start..last + 1)
}

/// Ranges of at most `size` of `n` tokens, overlapping, that cover them all.
fn pieces(n: usize, size: usize, stride: usize) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while start + size < n {
        pieces.push(start..start + size);
        start += size.min(stride);
    }
    pieces.push(start..n);
    pieces
}

/// The piece in which `token` has the most context, the first on a tie.
fn best_piece(pieces: &[Range<usize>], token: usize) -> Range<usize> {
    let context = |piece: &Range<usize>| {
        let least = (token - piece.start).min(piece.end - 1 - token);
        least as f64 + 0.01 * piece.len() as f64
    };
    let holding = pieces.iter().filter(|piece| piece.contains(&token));
    let best = holding.reduce(|best, piece| {
        if context(piece) > context(best) {
            piece
        } else {
            best
        }
    });
    best.cloned().unwrap_or_default()
}
