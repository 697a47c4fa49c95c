//! From logits to answers: the best span of a question over all its windows.
//!
//! A window has two logits a place, a_i that the answer begins and b_j that it ends there. Of the `n_best` places
//! with the largest a and the `n_best` with the largest b, padding and question included, those pairs are
//! considered for which i ≤ j, j − i + 1 ≤ `max_answer`, both lie in the context, and token i has its maximum
//! context in this window. The answer is the pair with the largest a_i + b_j. On a tie the earlier window wins,
//! then the larger a_i, then the smaller i, then the larger b_j, then the smaller j; that is the order of
//! `run_squad.py`, whose sorts are stable.
//!
//! The answer's text is the piece of the context from the first byte of token i to the last of token j.
//!
//! Departures from `run_squad.py`: it spells the answer anew from tokens and aligns that with the words of the
//! context (`get_final_text`), giving whole words where that fails and one blank for any white space; offsets
//! give the same text without guessing, and parts of words where the span says so. Where there is no pair, it
//! predicts the word `empty`; here the answer is the empty text, and the question is counted.
//!
//! Reference: Devlin et al., "BERT" (2019), §4.2; `write_predictions` in `run_squad.py` of google-research/bert.

use super::{Squad, Window, Windows};
use crate::Error;
use std::{cmp::Ordering, collections::BTreeMap};

/// What a span must fulfil.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanOptions {
    /// Starts, and ends, that are considered in a window; at least 1.
    pub n_best: usize,
    /// Tokens that an answer may have; at least 1.
    pub max_answer: usize,
}

impl Default for SpanOptions {
    /// Those of `run_squad.py`: 20, 30.
    fn default() -> Self {
        SpanOptions {
            n_best: 20,
            max_answer: 30,
        }
    }
}

/// A span of one of several windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Which window, counted from 0.
    pub window: usize,
    /// Place of its first token.
    pub start: usize,
    /// Place of its last token.
    pub end: usize,
    /// a_start + b_end.
    pub score: f64,
}

/// An answer for every question.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// Question id → text.
    pub answers: BTreeMap<String, String>,
    /// Questions (indices) for which no span was allowed; their answer is empty.
    pub without_span: Vec<usize>,
}

impl Predictions {
    /// The content of the official `predictions.json`: an object of texts by id.
    pub fn to_json(&self) -> String {
        format!("{:#}\n", serde_json::json!(self.answers))
    }
}

/// The best span of the windows of one question; `None` if none is allowed.
///
/// A row is a window, its start logits and its end logits: T each, where T is at least its number of tokens.
///
/// # Panics
/// If a logit is NaN or a row is shorter than its window; [`predict`] checks both.
pub fn best_span<'a>(
    rows: impl IntoIterator<Item = (&'a Window, &'a [f32], &'a [f32])>,
    options: &SpanOptions,
) -> Option<Span> {
    let mut best: Option<Span> = None;
    for (index, (window, starts, ends)) in rows.into_iter().enumerate() {
        let document = window.document();
        assert!(
            document.end <= starts.len().min(ends.len()),
            "a row is shorter than its window"
        );
        let end_places = largest(ends, options.n_best);
        let start_places = largest(starts, options.n_best);
        for &start in start_places.iter().filter(|&&i| window.is_max_context(i)) {
            let allowed = start..document.end.min(start.saturating_add(options.max_answer));
            for &end in end_places.iter().filter(|&j| allowed.contains(j)) {
                let score = f64::from(starts[start]) + f64::from(ends[end]);
                if best.is_none_or(|best| score > best.score) {
                    best = Some(Span {
                        window: index,
                        start,
                        end,
                        score,
                    });
                }
            }
        }
    }
    best
}

/// The places of the `n` largest values, largest first, the earlier first on a tie.
fn largest(values: &[f32], n: usize) -> Vec<usize> {
    let descending = |&i: &usize, &j: &usize| -> Ordering {
        let order = values[j].partial_cmp(&values[i]);
        order.expect("a logit is NaN").then(i.cmp(&j))
    };
    let mut places: Vec<usize> = (0..values.len()).collect();
    if n < places.len() {
        places.select_nth_unstable_by(n, descending);
        places.truncate(n);
    }
    places.sort_unstable_by(descending);
    places
}

/// The answers of all questions of `squad` from the logits of all its windows.
///
/// `starts` and `ends` are (N, T) row-major, N = `windows.len()`, T = `windows.max_len()`.
///
/// # Errors
/// [`Error::Setting`]; [`Error::Logits`] if there are more or fewer than N · T, or if one is NaN or +∞ (−∞ is
/// allowed: a model may hide padding so).
///
/// # Panics
/// If `windows` were not made from `squad`.
pub fn predict(
    squad: &Squad,
    windows: &Windows,
    starts: &[f32],
    ends: &[f32],
    options: &SpanOptions,
) -> Result<Predictions, Error> {
    for (name, value) in [
        ("n_best", options.n_best),
        ("max_answer", options.max_answer),
    ] {
        if value == 0 {
            return Err(Error::Setting {
                name,
                value: "0".into(),
                range: "at least 1",
            });
        }
    }
    let (n, t) = (windows.len(), windows.max_len());
    for (name, logits) in [("start", starts), ("end", ends)] {
        if logits.len() != n * t {
            let detail = format!(
                "{} {name} logits; {n} windows of {t} places need {}",
                logits.len(),
                n * t
            );
            return Err(Error::Logits { detail });
        }
        if let Some(at) = logits
            .iter()
            .position(|x| x.is_nan() || *x == f32::INFINITY)
        {
            let (row, place, value) = (at / t, at % t, logits[at]);
            let id = &squad.questions[windows.all[row].question].id;
            let detail =
                format!("{name} logit {value} at place {place} of window {row} (question {id:?})");
            return Err(Error::Logits { detail });
        }
    }

    let mut found: Vec<Option<String>> = vec![None; squad.questions.len()];
    let mut row = 0;
    for group in windows.all.chunk_by(|a, b| a.question == b.question) {
        let rows = group.iter().enumerate().map(|(i, window)| {
            let at = (row + i) * t;
            (window, &starts[at..at + t], &ends[at..at + t])
        });
        if let Some(span) = best_span(rows, options) {
            let window = &group[span.window];
            let ends = window.offset(span.start).zip(window.offset(span.end));
            let question = window.question;
            found[question] = ends.map(|(first, last)| {
                squad.questions[question].context[first.start..last.end].to_owned()
            });
        }
        row += group.len();
    }
    let without_span = (0..found.len()).filter(|&i| found[i].is_none()).collect();
    let ids = squad.questions.iter().map(|question| question.id.clone());
    Ok(Predictions {
        answers: ids
            .zip(found.into_iter().map(Option::unwrap_or_default))
            .collect(),
        without_span,
    })
}
