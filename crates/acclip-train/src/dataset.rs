//! The data of a run, read and checked, for whichever task it is.

use crate::config::MIN_BATCHES;
use crate::config::TaskKind;
use crate::task::{
    Classification, LanguageModel, MaskedLm, Pictures, QuestionAnswering, Questions, Task, Text,
    Words,
};
use crate::{Config, Error, memory};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Data, split into training and held-out examples.
pub struct Dataset {
    /// What the data is.
    pub facts: CorpusFacts,
    data: Data,
}

/// The data of each task.
enum Data {
    Text(Text),
    Questions(Questions),
    Words(Words),
    Images(Pictures),
}

/// What the data of a run is, for the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorpusFacts {
    /// Where it comes from.
    pub source: String,
    /// How large it is, in words.
    pub content: String,
    /// Checksum: a run is continued on the data that it began with.
    pub crc32: u32,
    /// Number of tokens in the vocabulary, or of classes.
    pub labels: usize,
    /// Number of training examples: sequences, windows, images.
    pub train_examples: usize,
    /// Number of held-out examples.
    pub valid_examples: usize,
}

impl Dataset {
    /// Reads the data of `config` and splits it. `vocab`, where given, is the vocabulary of a run folder to be continued.
    ///
    /// # Errors
    /// [`Error::Data`] says what is wrong with a file.
    pub fn load(config: &Config, vocab: Option<&Path>) -> Result<Self, Error> {
        let (data, facts) = match config.task {
            TaskKind::MaskedLm | TaskKind::Pretraining => {
                let (text, facts) = Text::load(config, vocab)?;
                (Data::Text(text), facts)
            }
            TaskKind::QuestionAnswering => {
                let (questions, facts) = Questions::load(config, vocab)?;
                (Data::Questions(questions), facts)
            }
            TaskKind::LanguageModel => {
                let (words, facts) = Words::load(config)?;
                (Data::Words(words), facts)
            }
            TaskKind::ImageClassification => {
                let (images, facts) = Pictures::load(config)?;
                (Data::Images(images), facts)
            }
        };
        let mut dataset = Self { facts, data };
        if let Some(weights) = &config.model.weights {
            // Weights that changed make another run as data does.
            dataset.facts.crc32 ^= weights_checksum(Path::new(weights))?;
        }
        Ok(dataset)
    }

    /// The configured model on this data.
    pub(crate) fn task<'a>(&'a self, config: &'a Config) -> Result<Box<dyn Task + 'a>, Error> {
        Ok(match &self.data {
            Data::Text(text) => Box::new(MaskedLm::new(config, text)?),
            Data::Questions(questions) => Box::new(QuestionAnswering::new(config, questions)?),
            Data::Words(words) => Box::new(LanguageModel::new(config, words)?),
            Data::Images(images) => Box::new(Classification::new(config, images)?),
        })
    }

    /// The tokenizer's vocabulary, one token a line, if there is one.
    pub fn vocabulary(&self) -> Option<String> {
        match &self.data {
            Data::Text(text) => Some(text.tokenizer.vocab()),
            Data::Questions(questions) => Some(questions.tokenizer.vocab()),
            Data::Words(_) | Data::Images(_) => None,
        }
    }

    /// The configured model in a sentence, and how many parameters it has.
    ///
    /// # Errors
    /// For an unknown or impossible size.
    pub fn describe(&self, config: &Config) -> Result<(String, usize), Error> {
        let task = self.task(config)?;
        Ok((task.describe(), acclip_models::len(task.parameters())))
    }

    /// Whether there is data for a training run.
    ///
    /// # Errors
    /// [`Error::Config`] if the training or the held-out data does not fill a batch.
    pub fn check_training(&self, config: &Config) -> Result<(), Error> {
        let size = config.train.batch_size;
        let facts = &self.facts;
        enough("train.batch_size", size, facts.train_examples, "training")?;
        match self.data {
            Data::Questions(_) => Ok(()), // held-out windows need not fill a batch
            _ => enough("train.batch_size", size, facts.valid_examples, "held-out"),
        }
    }

    /// Whether `jobs` runs of the configured model fit in memory at a time.
    ///
    /// # Errors
    /// [`Error::Config`] with what is needed and what there is.
    pub fn check_memory(&self, config: &Config, jobs: usize) -> Result<(), Error> {
        let side = match &self.data {
            Data::Images(images) => images.side(),
            _ => 0,
        };
        memory::check(config, self.facts.labels, side, jobs)
    }

    /// Whether there is data for a noise measurement.
    ///
    /// # Errors
    /// [`Error::Config`] if there are fewer than [`MIN_BATCHES`] training batches.
    pub fn check_noise(&self, config: &Config) -> Result<(), Error> {
        let size = config.noise.batch_size.saturating_mul(MIN_BATCHES);
        let examples = self.facts.train_examples;
        enough("noise.batch_size", size, examples, "training")
    }
}

/// Checksum of a file of weights, or of that in a folder.
fn weights_checksum(path: &Path) -> Result<u32, Error> {
    let file = match path.is_dir() {
        true => path.join("model.safetensors"),
        false => path.to_path_buf(),
    };
    if path.is_dir() && !file.exists() {
        return Err(Error::Pretrained {
            path: path.to_path_buf(),
            problem: "has no model.safetensors; of a run, name the folder model/ in it; with transformers, save the model in \
                      one file, with save_pretrained(folder, max_shard_size=\"100GB\")"
                .into(),
        });
    }
    let bytes = match std::fs::metadata(&file) {
        Ok(kind) if !kind.is_file() => Err(std::io::Error::other("not a file")), // a pipe would wait
        _ => std::fs::read(&file),
    };
    let bytes = bytes.map_err(Error::io("read", &file))?;
    Ok(crc32fast::hash(&bytes))
}

/// Refuses data with fewer than `needed` examples.
fn enough(key: &str, needed: usize, examples: usize, part: &str) -> Result<(), Error> {
    if examples >= needed {
        return Ok(());
    }
    let problem = format!(
        "needs {needed} examples, but the {part} data has {examples}; make batches or \
         model.seq_len smaller, or the data larger"
    );
    Err(Error::config(key, problem))
}
