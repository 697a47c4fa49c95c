//! Question answering: BERT points at the answer's first and last token in windows of a context (SQuAD v1.1).
//!
//! Of a file, whole articles are held out; of a folder with the files as they are published, the questions of the
//! development file. A validation takes evenly spaced questions of them, as many as `train.eval_batches` batches hold
//! windows of; the model that is exported answers them all. Both are judged by the official exact match and F1, in per cent.

use super::bert::{Start, describe, write};
use super::masked_lm::counts;
use super::text::tokenizer;
use super::{Ask, Carried, HeldOut, Laps, Scores, Task};
use crate::files::{write_atomic, write_json};
use crate::{Config, CorpusFacts, Error, Timing};
use acclip_data::squad::{self, SpanOptions, Squad, WindowOptions, Windows};
use acclip_data::{Purpose, Tokenizer, rng};
use acclip_kernels::cross_entropy::{self, IGNORE};
use acclip_models::{Head, Parameter, SpanBatch};
use rand::seq::SliceRandom;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

/// The names under which SQuAD v1.1 is published.
const PUBLISHED: [&str; 2] = ["train-v1.1.json", "dev-v1.1.json"];

/// Windows of training and held-out articles.
pub(crate) struct Questions {
    pub tokenizer: Tokenizer,
    train: Windows,
    all: Held,
    /// Some of them, evenly spaced, where there are more than a validation takes.
    sample: Option<Held>,
}

/// Held-out questions.
struct Held {
    squad: Squad,
    windows: Windows,
    /// Where the answer stands in each window; `None` where the file does not say.
    spans: Vec<Option<[u32; 2]>>,
}

impl Held {
    fn new(squad: Squad, tokenizer: &Tokenizer, options: &WindowOptions) -> Result<Self, Error> {
        let windows = Windows::for_prediction(&squad, tokenizer, options)?;
        // Of the questions those without a place for their answer have no loss, but a score.
        let placed = squad.questions.iter().any(|q| q.answers[0].bytes.is_some());
        let labelled = placed.then(|| Windows::for_training(&squad, tokenizer, options));
        let labelled = labelled.transpose()?;
        let mut spans: HashMap<usize, Vec<Option<[u32; 2]>>> = HashMap::new();
        for window in labelled.iter().flat_map(|windows| &windows.all) {
            spans.entry(window.question).or_default().push(window.span);
        }
        let mut seen: HashMap<usize, usize> = HashMap::new();
        let spans = windows.all.iter().map(|window| {
            let i = seen.entry(window.question).or_default();
            *i += 1;
            spans.get(&window.question)?.get(*i - 1).copied().flatten()
        });
        let spans = spans.collect();
        Ok(Self {
            squad,
            windows,
            spans,
        })
    }
}

impl Questions {
    /// Reads the questions to train on and those held out, and cuts contexts into windows.
    pub fn load(config: &Config, kept: Option<&Path>) -> Result<(Self, CorpusFacts), Error> {
        let path = config.corpus.path.as_deref().ok_or_else(|| {
            Error::config(
                "corpus.path",
                "name a SQuAD v1.1 file, or a folder with train-v1.1.json and dev-v1.1.json; there is none built in",
            )
        })?;
        let [train, valid] = read(Path::new(path), config)?;
        let count = train.questions.len() + valid.questions.len();
        let crc32 = checksum([&train, &valid]);
        let tokenizer = tokenizer(config, kept, &[]).map_err(|error| match error {
            Error::Data(acclip_data::Error::Empty { .. }) => Error::config(
                "corpus.vocab",
                "name a vocabulary, or model.weights that have one: none is trained on questions",
            ),
            error => error,
        })?;
        let options = WindowOptions {
            max_len: config.model.seq_len,
            stride: config.questions.stride,
            max_question: config.questions.max_question,
        };
        let windows = Windows::for_training(&train, &tokenizer, &options)?;
        let all = Held::new(valid, &tokenizer, &options)?;
        let most = config
            .train
            .eval_batches
            .saturating_mul(config.train.batch_size);
        let sample = match all.windows.len().div_ceil(most) {
            1 => None,
            step => Some(Held::new(thinned(&all.squad, step), &tokenizer, &options)?),
        };
        let followed = sample.as_ref().unwrap_or(&all);
        if followed.spans.iter().all(Option::is_none) {
            let problem = "no question of a validation has its answer where the file says, so that there is no loss; repair \
                           answer_start, or make train.eval_batches larger";
            return Err(Error::config("corpus.path", problem));
        }
        let facts = CorpusFacts {
            source: path.to_string(),
            content: format!(
                "{count} questions; of those to train on, {} have no answer where the file says and are left out, {} \
                 have theirs in no window",
                windows.mismatched.len(),
                windows.outside.len()
            ),
            crc32,
            labels: tokenizer.vocab_size(),
            train_examples: windows.len(),
            valid_examples: all.windows.len(),
        };
        let questions = Self {
            tokenizer,
            train: windows,
            all,
            sample,
        };
        Ok((questions, facts))
    }
}

/// Training and held-out questions.
fn read(path: &Path, config: &Config) -> Result<[Squad; 2], Error> {
    match path.is_dir() {
        true => {
            let [train, valid] = PUBLISHED.map(|name| Squad::read(path.join(name)));
            Ok([train?, valid?])
        }
        false => split(&Squad::read(path)?, config),
    }
}

/// Training and held-out questions of one file: a share of the articles, at least one of each.
fn split(squad: &Squad, config: &Config) -> Result<[Squad; 2], Error> {
    let mut articles: Vec<&str> = squad.questions.iter().map(|q| &*q.article).collect();
    articles.sort_unstable();
    articles.dedup();
    if articles.len() < 2 {
        let problem = "the questions are all of one article, and whole articles are held out; take a file with more";
        return Err(Error::config("corpus.path", problem));
    }
    let mut generator = rng::stream(config.corpus.split_seed, Purpose::SPLIT, 0, 0);
    articles.shuffle(&mut generator);
    let count = (config.corpus.held_out * articles.len() as f64).round() as usize;
    let (held, _) = articles.split_at(count.clamp(1, articles.len() - 1));
    let part = |held_out: bool| {
        let questions = squad.questions.iter();
        let questions = questions.filter(|q| held.contains(&&*q.article) == held_out);
        Squad {
            questions: questions.cloned().collect(),
            ..squad.clone()
        }
    };
    Ok([part(false), part(true)])
}

/// Every `step`-th question.
fn thinned(squad: &Squad, step: usize) -> Squad {
    let questions = squad.questions.iter().step_by(step);
    Squad {
        questions: questions.cloned().collect(),
        ..squad.clone()
    }
}

/// Checksum of ids, questions and contexts, and of which are held out.
fn checksum(parts: [&Squad; 2]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        for question in &part.questions {
            for text in [&question.id, &question.question, &*question.context] {
                hasher.update(text.as_bytes());
                hasher.update(&[0]);
            }
        }
        hasher.update(&[1]);
    }
    hasher.finalize()
}

/// BERT with a span head.
pub(crate) struct QuestionAnswering<'a> {
    config: &'a Config,
    data: &'a Questions,
    start: Start,
}

impl<'a> QuestionAnswering<'a> {
    pub fn new(config: &'a Config, data: &'a Questions) -> Result<Self, Error> {
        Ok(Self {
            config,
            data,
            start: Start::new(config, data.tokenizer.vocab_size(), Head::Span)?,
        })
    }

    /// How well held-out questions are answered, and the answers: none by a model whose scores are not finite, which has
    /// diverged.
    fn answer(
        &self,
        params: &Arc<Vec<f32>>,
        held: &Held,
    ) -> Result<(Scores, Option<squad::Predictions>), Error> {
        let [starts, ends] = self.logits(params, &held.windows)?;
        if starts.iter().chain(&ends).any(|score| !score.is_finite()) {
            let lost = Scores {
                loss: f64::NAN,
                ..Scores::default()
            };
            return Ok((lost, None));
        }
        let of = |logits: &[f32], end: usize| {
            let label = |span: &Option<[u32; 2]>| span.map_or(IGNORE, |span| i64::from(span[end]));
            let labels: Vec<i64> = held.spans.iter().map(label).collect();
            cross_entropy::evaluate(logits, &labels, None).0
        };
        let options = SpanOptions {
            n_best: self.config.questions.n_best,
            max_answer: self.config.questions.max_answer,
        };
        let predictions = squad::predict(&held.squad, &held.windows, &starts, &ends, &options)?;
        let score = squad::score(&held.squad, &predictions.answers);
        let scores = Scores {
            loss: 0.5 * (of(&starts, 0) + of(&ends, 1)),
            accuracy: None,
            others: BTreeMap::from([
                ("exact_match".to_string(), score.exact_match),
                ("f1".to_string(), score.f1),
            ]),
        };
        Ok((scores, Some(predictions)))
    }

    /// Start and end logits of windows, (N, T) each.
    fn logits(&self, params: &Arc<Vec<f32>>, windows: &Windows) -> Result<[Vec<f32>; 2], Error> {
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        let all: Vec<usize> = (0..windows.len()).collect();
        for indices in all.chunks(self.config.train.batch_size) {
            let batch = windows.batch(indices);
            let logits = self.start.model.spans(params, &view(&batch))?;
            for pair in logits.chunks_exact(2) {
                starts.push(pair[0]);
                ends.push(pair[1]);
            }
        }
        Ok([starts, ends])
    }
}

impl Task for QuestionAnswering<'_> {
    fn parameters(&self) -> &[Parameter] {
        self.start.model.parameters()
    }

    fn initial(&self) -> Vec<f32> {
        self.start.initial()
    }

    fn examples(&self) -> usize {
        self.data.train.len()
    }

    fn gradient(
        &self,
        ask: &Ask,
        _: &mut Carried,
        grad: &mut Vec<f32>,
        timing: &mut Timing,
    ) -> Result<f64, Error> {
        let mut laps = Laps::start(timing);
        let batch = self.data.train.batch(ask.indices);
        laps.data(batch.real.iter().filter(|real| **real).count() as u64);
        let mut dropout = ask.place.dropout(self.config.seed);
        let dropout = dropout.as_mut().map(|d| d as &mut dyn rand::Rng);
        let model = &self.start.model;
        let forward = model.forward_spans(ask.params, &view(&batch), dropout)?;
        let loss = forward.loss;
        laps.forward();
        forward.backward(grad)?;
        laps.backward();
        Ok(loss)
    }

    fn evaluate(
        &self,
        params: &Arc<Vec<f32>>,
        _: &Carried,
        part: HeldOut,
    ) -> Result<Scores, Error> {
        let held = match (part, &self.data.sample) {
            (HeldOut::Sample, Some(sample)) => sample,
            _ => &self.data.all,
        };
        Ok(self.answer(params, held)?.0)
    }

    fn uniform_loss(&self) -> f64 {
        (self.data.train.max_len() as f64).ln()
    }

    fn label_counts(&self) -> Vec<f64> {
        let tokens = self.data.train.all.iter().flat_map(|window| &window.tokens);
        let specials = self.data.tokenizer.specials();
        counts(tokens, self.data.tokenizer.vocab_size(), &specials)
    }

    fn export(&self, params: &Arc<Vec<f32>>, _: &Carried, folder: &Path) -> Result<Scores, Error> {
        let bert = self.start.model.config();
        write(self.config, bert, params, &self.data.tokenizer, folder)?;
        let held = &self.data.all;
        let (scores, predictions) = self.answer(params, held)?;
        // The questions that were held out, and the answers in the official format, for `acclip squad-eval`.
        write_json(&folder.join("questions.json"), &official(&held.squad))?;
        if let Some(predictions) = predictions {
            let file = folder.join("predictions.json");
            write_atomic(&file, predictions.to_json().as_bytes())?;
        }
        Ok(scores)
    }

    fn describe(&self) -> String {
        describe(self.config, &self.start, "a span head")
    }
}

/// Questions as the official files have them, an article a paragraph a question.
fn official(squad: &Squad) -> serde_json::Value {
    let data = squad.questions.iter().map(|q| {
        let answers = q.answers.iter();
        let answers = answers.map(|a| json!({"text": a.text, "answer_start": a.start}));
        let answers: Vec<_> = answers.collect();
        let asked = json!({"id": q.id, "question": q.question, "answers": answers});
        json!({"title": &*q.article, "paragraphs": [{"context": &*q.context, "qas": [asked]}]})
    });
    json!({"version": "1.1", "data": data.collect::<Vec<_>>()})
}

fn view(batch: &squad::SpanBatch) -> SpanBatch<'_> {
    SpanBatch {
        batch: batch.batch_size,
        length: batch.seq_len,
        tokens: &batch.tokens,
        segments: Some(&batch.segments),
        real: &batch.real,
        starts: &batch.starts,
        ends: &batch.ends,
    }
}
