//! Reading SQuAD v1.1, and everything that can be wrong in it.
//!
//! ```text
//! { version, data: [ { title, paragraphs: [ { context, qas: [ { id, question, answers: [
//!       { text, answer_start } ] } ] } ] } ] }
//! ```
//! `answer_start` counts Unicode code points, as Python does, from 0.
//!
//! What is malformed is an error before anything starts: a missing field, a context or an answer that is
//! blank, a question without answers, an id twice, no question at all. An offset at which the answer does not
//! stand is none: the official scorer never looks at offsets, and BERT's `run_squad.py` leaves such a question out
//! of training with a warning. So the answer is kept, without a place ([`Answer::bytes`] is `None`), and
//! [`Windows::for_training`](super::Windows::for_training) leaves its question out and counts it.
//!
//! Departure: `run_squad.py` still accepts a wrong offset if it points into the right words; here the text at the
//! offset must be the answer, to the character.
//!
//! Reference: Rajpurkar et al., "SQuAD: 100,000+ questions for machine comprehension of text" (2016).

use crate::{Error, read::read_text};
use serde::{Deserialize, de::DeserializeOwned};
use std::{collections::HashMap, ops::Range, path::Path, sync::Arc};

/// The questions of one file, in its order; at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Squad {
    /// What the file says its version is; `1.1` is expected.
    pub version: String,
    /// All questions of all paragraphs.
    pub questions: Vec<Question>,
}

/// A question about a paragraph.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Unique in the file.
    pub id: String,
    /// Title of the article.
    pub article: Arc<str>,
    /// The paragraph, shared by its questions.
    pub context: Arc<str>,
    /// The question itself.
    pub question: String,
    /// At least one.
    pub answers: Vec<Answer>,
}

/// A piece of the context that answers the question.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Its text.
    pub text: String,
    /// Where the file says that it begins, in code points of the context.
    pub start: usize,
    /// Where it stands, in bytes of the context; `None` if `start` does not lead to it.
    pub bytes: Option<Range<usize>>,
}

#[derive(Deserialize)]
struct RawFile {
    version: String,
    data: Vec<RawArticle>,
}

#[derive(Deserialize)]
struct RawArticle {
    title: String,
    paragraphs: Vec<RawParagraph>,
}

#[derive(Deserialize)]
struct RawParagraph {
    context: String,
    qas: Vec<RawQuestion>,
}

#[derive(Deserialize)]
struct RawQuestion {
    id: String,
    question: String,
    answers: Vec<RawAnswer>,
}

#[derive(Deserialize)]
struct RawAnswer {
    text: String,
    answer_start: usize,
}

impl Squad {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Io`], [`Error::NotUtf8`], [`Error::Binary`]; [`Error::Squad`] with the place
    /// (`data[3].paragraphs[0].qas[2]`, article and question id) for what is malformed.
    pub fn read(path: impl AsRef<Path>) -> Result<Squad, Error> {
        let path = path.as_ref();
        Squad::from_json(&read_text(path)?, &path.display().to_string())
    }

    /// As [`Squad::read`], from the content of a file; `name` is for the error messages.
    ///
    /// # Errors
    /// [`Error::Squad`].
    pub fn from_json(json: &str, name: &str) -> Result<Squad, Error> {
        let file: RawFile = parse(json, name)?;
        let mut questions = Vec::new();
        let mut place_of: HashMap<String, String> = HashMap::new();
        for (i, article) in file.data.into_iter().enumerate() {
            let title: Arc<str> = article.title.into();
            for (j, paragraph) in article.paragraphs.into_iter().enumerate() {
                let place = format!("data[{i}].paragraphs[{j}]");
                let context: Arc<str> = paragraph.context.into();
                if context.trim().is_empty() {
                    let place = format!("{name}: {place} (article {title:?})");
                    return Err(malformed(
                        place,
                        "its context is blank; give the paragraph, or take it out",
                    ));
                }
                for (k, raw) in paragraph.qas.into_iter().enumerate() {
                    let place = format!("{place}.qas[{k}]");
                    let wrong = |detail: &str| {
                        let id = &raw.id;
                        let place = format!("{name}: {place} (article {title:?}, question {id:?})");
                        malformed(place, detail)
                    };
                    if raw.answers.is_empty() {
                        return Err(wrong(
                            "it has no answers; SQuAD v1.1 has one or more for every question (v2.0 does not)",
                        ));
                    }
                    if let Some(i) = raw.answers.iter().position(|a| a.text.trim().is_empty()) {
                        let detail =
                            format!("answers[{i}] is blank; give its text, or take it out");
                        return Err(wrong(&detail));
                    }
                    if let Some(first) = place_of.get(&raw.id) {
                        let detail = format!("{first} has the same id; give each question its own");
                        return Err(wrong(&detail));
                    }
                    place_of.insert(raw.id.clone(), place);
                    let answers = raw.answers.into_iter().map(|a| Answer::new(a, &context));
                    questions.push(Question {
                        answers: answers.collect(),
                        id: raw.id,
                        article: title.clone(),
                        context: context.clone(),
                        question: raw.question,
                    });
                }
            }
        }
        if questions.is_empty() {
            return Err(malformed(
                name.into(),
                "there is no question in it; give a SQuAD v1.1 file",
            ));
        }
        Ok(Squad {
            version: file.version,
            questions,
        })
    }

    /// Answers that do not stand where the file says.
    pub fn mismatched_answers(&self) -> usize {
        let answers = self.questions.iter().flat_map(|q| &q.answers);
        answers.filter(|answer| answer.bytes.is_none()).count()
    }
}

impl Answer {
    fn new(raw: RawAnswer, context: &str) -> Answer {
        let begin = context
            .char_indices()
            .map(|(at, _)| at)
            .nth(raw.answer_start);
        let bytes = begin
            .filter(|&at| context[at..].starts_with(&raw.text))
            .map(|at| at..at + raw.text.len());
        Answer {
            text: raw.text,
            start: raw.answer_start,
            bytes,
        }
    }
}

/// JSON to a type; an error names the field's path, line and column.
pub(super) fn parse<T: DeserializeOwned>(json: &str, name: &str) -> Result<T, Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let place = match error.path().to_string() {
            path if path == "." => name.to_owned(),
            path => format!("{name}: {path}"),
        };
        malformed(place, &format!("{}; correct the file", error.inner()))
    })?;
    deserializer
        .end()
        .map_err(|error| malformed(name.into(), &format!("{error}; correct the file")))?;
    Ok(value)
}

pub(super) fn malformed(place: String, detail: &str) -> Error {
    Error::Squad {
        place,
        detail: detail.into(),
    }
}
