//! The official scorer of SQuAD v1.1: exact match and F1, in per cent.
//!
//! Both compare *normalised* texts: put into lower case, freed of ASCII punctuation, of the words `a`, `an`,
//! `the`, and cut at white space into tokens, in this order (so `the-end` is one token, `theend`).
//!
//! * exact match: 1 if the tokens are the same in the same order, else 0;
//! * F1 = 2 P R / (P + R), with m the size of the intersection of the two multisets of tokens, P = m / (tokens
//!   predicted), R = m / (tokens of the answer), and F1 = 0 where m = 0, two empty texts included.
//!
//! A question scores the best over its answers, each measure by itself; a question without prediction scores 0.
//! The result is the mean over all questions, summed in their order: the same bits as the official one.
//!
//! "To the letter" includes Python's idea of letters: a word is a run of Unicode letters and numbers, so that in a
//! decomposed `á` the `a` stands alone and is an article; white space includes U+001C to U+001F. The tables of
//! Python 3.11 are Unicode 14; characters assigned later are classed as this program's libraries class them.
//!
//! Departure: a malformed file is an error here, and a duplicate id too, which the official program counts twice.
//!
//! Reference: Rajpurkar et al., "SQuAD: 100,000+ questions for machine comprehension of text" (2016), §6.1; the
//! official `evaluate-v1.1.py`. Interval: Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), §13.3.

use super::{Squad, read::parse};
use crate::{
    Error,
    read::read_text,
    rng::{Purpose, stream},
};
use rand::RngExt;
use regex::{Captures, Regex};
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
    sync::LazyLock,
};

/// The draws of the bootstrap.
const RESAMPLE: Purpose = Purpose::new("resample");

/// Words in the sense of Python's `\b`, once punctuation (and with it `_`) is gone.
static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[\p{L}\p{N}]+").expect("valid"));

/// The scores of a file of predictions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Mean exact match, in per cent.
    pub exact_match: f64,
    /// Mean F1, in per cent.
    pub f1: f64,
    /// Questions.
    pub total: usize,
    /// Ids of the questions without a prediction; they score 0.
    pub missing: Vec<String>,
    /// Predictions for ids that the data do not have; they are ignored.
    pub unknown: usize,
    /// What a reader should know, in sentences: another version than 1.1, missing and unknown ids.
    pub notes: Vec<String>,
    /// Each question's scores, in the order of the data.
    pub by_question: Vec<QuestionScore>,
}

/// The scores of one question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QuestionScore {
    /// Its id.
    pub id: String,
    /// Title of its article.
    pub article: String,
    /// Whether the prediction is one of the answers.
    pub exact_match: bool,
    /// In [0, 1].
    pub f1: f64,
}

/// What the bootstrap draws with replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Questions, as if each were independent of the others.
    Question,
    /// Articles with all their questions, which are alike: the wider and more honest interval for new articles.
    Article,
}

/// Intervals of 95 %, in per cent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Intervals {
    /// Of the mean exact match.
    pub exact_match: [f64; 2],
    /// Of the mean F1.
    pub f1: [f64; 2],
}

/// Scores the predictions in one file against the data in another.
///
/// # Errors
/// As [`Squad::read`] and [`read_predictions`].
pub fn evaluate_files(
    data: impl AsRef<Path>,
    predictions: impl AsRef<Path>,
) -> Result<Score, Error> {
    Ok(score(&Squad::read(data)?, &read_predictions(predictions)?))
}

/// Reads a `predictions.json`: one object of texts by question id.
///
/// # Errors
/// [`Error::Missing`], [`Error::Io`], [`Error::NotUtf8`], [`Error::Binary`]; [`Error::Squad`] with the id, line
/// and column if it is anything else.
pub fn read_predictions(path: impl AsRef<Path>) -> Result<BTreeMap<String, String>, Error> {
    let path = path.as_ref();
    parse(&read_text(path)?, &path.display().to_string())
}

/// Scores predictions, by question id.
pub fn score(squad: &Squad, predictions: &BTreeMap<String, String>) -> Score {
    let mut notes = Vec::new();
    if squad.version != "1.1" {
        notes.push(format!(
            "The data say version {:?}; this is the scorer of version 1.1.",
            squad.version
        ));
    }
    let mut missing = Vec::new();
    let mut by_question = Vec::with_capacity(squad.questions.len());
    for question in &squad.questions {
        let mut scored = QuestionScore {
            id: question.id.clone(),
            article: question.article.to_string(),
            exact_match: false,
            f1: 0.0,
        };
        match predictions.get(&question.id) {
            Some(prediction) => {
                let predicted = tokens(prediction);
                for answer in &question.answers {
                    let truth = tokens(&answer.text);
                    scored.exact_match |= predicted == truth;
                    scored.f1 = scored.f1.max(f1(&predicted, &truth));
                }
            }
            None => {
                notes.push(format!("Unanswered question {} scores 0.", question.id));
                missing.push(question.id.clone());
            }
        }
        by_question.push(scored);
    }
    let known: HashSet<&str> = squad.questions.iter().map(|q| q.id.as_str()).collect();
    let unknown = predictions
        .keys()
        .filter(|id| !known.contains(id.as_str()))
        .count();
    if unknown > 0 {
        notes.push(format!(
            "Predictions for ids that are not in the data, ignored: {unknown}."
        ));
    }
    let total = by_question.len();
    let matches = by_question.iter().filter(|q| q.exact_match).count();
    // One after another: `sum` of an f64 iterator begins with -0.0 and keeps the order, as Python does.
    let f1: f64 = by_question.iter().map(|q| q.f1).sum();
    Score {
        exact_match: 100.0 * matches as f64 / total as f64,
        f1: 100.0 * f1 / total as f64,
        total,
        missing,
        unknown,
        notes,
        by_question,
    }
}

/// A text as the scorer compares it: lower case, no punctuation, no articles, tokens joined by one blank.
///
/// ```
/// use acclip_data::squad::normalize_answer;
/// assert_eq!(normalize_answer(" The  well-known Dr. A. Who "), "wellknown dr who");
/// ```
pub fn normalize_answer(text: &str) -> String {
    tokens(text).join(" ")
}

fn tokens(text: &str) -> Vec<String> {
    let mut text = text.to_lowercase();
    text.retain(|c| !c.is_ascii_punctuation());
    let text = WORD.replace_all(&text, |word: &Captures| match &word[0] {
        "a" | "an" | "the" => " ".to_owned(),
        word => word.to_owned(),
    });
    let tokens = text.split(is_space).filter(|token| !token.is_empty());
    tokens.map(str::to_owned).collect()
}

/// White space of Python's `str.split()`.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

fn f1(predicted: &[String], truth: &[String]) -> f64 {
    let mut left: HashMap<&str, usize> = HashMap::new();
    for token in truth {
        *left.entry(token).or_default() += 1;
    }
    let mut same = 0;
    for token in predicted {
        if let Some(count) = left.get_mut(token.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            same += 1;
        }
    }
    if same == 0 {
        return 0.0;
    }
    let precision = f64::from(same) / predicted.len() as f64;
    let recall = f64::from(same) / truth.len() as f64;
    (2.0 * precision * recall) / (precision + recall)
}

impl Score {
    /// Percentile bootstrap: the middle 95 % of the means of `resamples` samples of as many units, drawn with
    /// replacement. Resample r takes its draws from (`seed`, r) alone.
    ///
    /// The limits are order statistics: of n sorted means, numbers ⌊0.025 n⌋ and n − 1 − ⌊0.025 n⌋, from 0.
    ///
    /// # Errors
    /// [`Error::Setting`] if `resamples < 40`, since below that 2.5 % is less than one.
    pub fn bootstrap(&self, resamples: usize, seed: u64, unit: Unit) -> Result<Intervals, Error> {
        if resamples < 40 {
            return Err(Error::Setting {
                name: "resamples",
                value: resamples.to_string(),
                range: "at least 40; a thousand is usual",
            });
        }
        let same_unit = |a: &QuestionScore, b: &QuestionScore| match unit {
            Unit::Question => false,
            Unit::Article => a.article == b.article,
        };
        // (questions, exact matches, sum of F1) of each unit.
        let sums = |unit: &[QuestionScore]| {
            let matches = unit.iter().filter(|q| q.exact_match).count();
            let f1: f64 = unit.iter().map(|q| q.f1).sum();
            (unit.len(), matches, f1)
        };
        let units: Vec<_> = self.by_question.chunk_by(same_unit).map(sums).collect();
        let (mut exact_matches, mut f1s): (Vec<f64>, Vec<f64>) = (0..resamples)
            .map(|resample| {
                let mut rng = stream(seed, RESAMPLE, 0, resample as u64);
                let (mut n, mut matches, mut f1) = (0, 0, 0.0);
                for _ in 0..units.len() {
                    let drawn = units[rng.random_range(0..units.len())];
                    n += drawn.0;
                    matches += drawn.1;
                    f1 += drawn.2;
                }
                (100.0 * matches as f64 / n as f64, 100.0 * f1 / n as f64)
            })
            .unzip();
        let middle = |means: &mut Vec<f64>| {
            means.sort_unstable_by(f64::total_cmp);
            let cut = resamples / 40;
            [means[cut], means[resamples - 1 - cut]]
        };
        Ok(Intervals {
            exact_match: middle(&mut exact_matches),
            f1: middle(&mut f1s),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every character that Python 3.11 knows: its lower case, whether it belongs to words, whether it is
    /// white space. Tables of reference/squad/generate.py.
    #[test]
    fn characters_are_classed_as_python_does() {
        let golden = include_str!("../../../../reference/squad/golden.json");
        let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
        let tables = &golden["unicode"];
        let set = |name: &str| -> HashSet<u32> {
            let ranges: Vec<u32> = serde_json::from_value(tables[name].clone()).unwrap();
            ranges
                .chunks(2)
                .flat_map(|range| range[0]..=range[1])
                .collect()
        };
        let text = |name: &str| tables[name].as_str().unwrap();
        let mut lower: HashMap<char, String> =
            serde_json::from_value(tables["longer"].clone()).unwrap();
        for (c, low) in text("upper").chars().zip(text("lower").chars()) {
            lower.insert(c, low.into());
        }
        assert!(lower.len() > 1300);
        let [unassigned, word, space] = ["unassigned", "word", "space"].map(set);
        let assigned = ('\0'..=char::MAX).filter(|&c| !unassigned.contains(&(c as u32)));
        let mut count = 0;
        for c in assigned {
            count += 1;
            let code = c as u32;
            let alone = c.to_string();
            assert_eq!(
                alone.to_lowercase(),
                *lower.get(&c).unwrap_or(&alone),
                "U+{code:04X}"
            );
            assert_eq!(WORD.is_match(&alone), word.contains(&code), "U+{code:04X}");
            assert_eq!(is_space(c), space.contains(&code), "U+{code:04X}");
        }
        assert!(count > 140_000);
    }
}
