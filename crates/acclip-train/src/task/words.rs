//! Language modelling by Transformer-XL: the next word of a text, from the segment before and what is remembered.
//!
//! Training walks through the text in `train.batch_size` columns; the memory of each goes from step to step, and begins
//! anew where the text does. A gradient of a noise measurement is one of `noise.batch_size` single segments, from any
//! places, each with the memory of the words before it alone, so that batches do not depend on one another.

use super::text::{checksum, content, corpus, source};
use super::{Ask, Carried, HeldOut, Laps, Place, Scores, Task, init_stream};
use crate::files::{read, write_atomic, write_json};
use crate::weights_file;
use crate::{Config, CorpusFacts, Error, Timing};
use acclip_data::{VocabularyLimits, WordCorpus, WordStream};
use acclip_models::{Memory, Parameter, SegmentBatch, TransformerXl};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Words of training and held-out text.
pub(crate) struct Words {
    words: WordCorpus,
    train: WordStream,
    /// The training text as one column, of which any segment can be taken.
    single: WordStream,
    valid: WordStream,
    /// The test text of a folder that has one.
    test: Option<WordStream>,
    /// How many segments before an example are remembered.
    remembered: usize,
}

impl Words {
    /// Segments that have so many before them: example i is segment i + remembered.
    fn examples(&self) -> usize {
        self.single.whole_segments().saturating_sub(self.remembered)
    }

    /// Reads a folder of Penn Treebank, WikiText or the like, or splits any text.
    pub fn load(config: &Config) -> Result<(Self, CorpusFacts), Error> {
        let c = &config.corpus;
        let limits = VocabularyLimits {
            max_size: Some(c.vocab_size),
            ..VocabularyLimits::default()
        };
        let ready = c
            .path
            .as_deref()
            .map(Path::new)
            .filter(|path| WordCorpus::is_split(path));
        let (mut words, what, crc32) = match ready {
            Some(folder) => {
                let words = WordCorpus::read(folder, limits)?;
                let what = format!("{} words", words.train.len());
                let crc32 = of_words(&words);
                (words, what, crc32)
            }
            None => {
                let corpus = corpus(config)?;
                let (train, valid) = corpus.split(c.held_out, c.split_seed)?;
                let words = WordCorpus::from_documents(&train, &valid, limits)?;
                (words, content(&corpus), checksum(&corpus))
            }
        };
        if let Some(most) = c.max_words {
            let whole = words.train.len();
            if most > whole {
                let problem =
                    format!("{most} is more than the {whole} words to train on; leave it out");
                return Err(Error::config("corpus.max_words", problem));
            }
            words.train.truncate(most);
        }
        let (batch, length) = (config.train.batch_size, config.model.seq_len);
        let xl = config.transformer_xl(words.vocabulary.len())?;
        let data = Self {
            remembered: xl.memory_len.div_ceil(length),
            train: WordStream::new(words.train.clone(), batch, length)?,
            single: WordStream::new(words.train.clone(), 1, length)?,
            valid: WordStream::evaluation(words.valid.clone(), batch, length)?,
            test: (words.test.clone())
                .map(|test| WordStream::evaluation(test, batch, length))
                .transpose()?,
            words,
        };
        let vocabulary = &data.words.vocabulary;
        let facts = CorpusFacts {
            source: source(config),
            content: format!(
                "{what}; trained on {} words; {:.1} % of the held-out words are unknown",
                data.words.train.len(),
                100.0 * vocabulary.unknown_share(&data.words.valid)
            ),
            crc32,
            labels: vocabulary.len(),
            train_examples: data.examples(),
            valid_examples: data.valid.targets() / length,
        };
        Ok((data, facts))
    }

    /// The words, one a line, in the order of their ids.
    fn list(&self) -> String {
        let vocabulary = &self.words.vocabulary;
        let words = (0..vocabulary.len() as u32).filter_map(|id| vocabulary.word(id));
        words.map(|word| format!("{word}\n")).collect()
    }

    /// Refuses weights whose words, listed in a file beside them, are not those of this text.
    fn check_words(&self, file: &Path) -> Result<(), Error> {
        match read(file)? == self.list() {
            true => Ok(()),
            false => Err(Error::Pretrained {
                path: file.to_path_buf(),
                problem: format!(
                    "these are not the {} words of the text; take the text that the model was trained on, with the same \
                     corpus.vocab_size, corpus.held_out and corpus.split_seed",
                    self.words.vocabulary.len()
                ),
            }),
        }
    }
}

/// The file of the words in a folder of weights.
const WORDS: &str = "vocab.txt";

/// Checksum of the training and the held-out text, word by word.
fn of_words(words: &WordCorpus) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for id in words.train.iter().chain(&words.valid) {
        hasher.update(words.vocabulary.word(*id).unwrap_or_default().as_bytes());
        hasher.update(&[0]);
    }
    hasher.finalize()
}

/// Transformer-XL on words.
pub(crate) struct LanguageModel<'a> {
    config: &'a Config,
    data: &'a Words,
    model: TransformerXl,
    pretrained: Option<Vec<f32>>,
}

impl<'a> LanguageModel<'a> {
    pub fn new(config: &'a Config, data: &'a Words) -> Result<Self, Error> {
        let device = config.model.backend.device()?;
        let xl = config.transformer_xl(data.words.vocabulary.len())?;
        let model = TransformerXl::new(xl, &device)?;
        let read = |folder: &String| {
            let folder = Path::new(folder);
            data.check_words(&folder.join(WORDS))?;
            weights_file::read(folder, model.parameters(), &Carried::default(), (0, &[]))
        };
        let pretrained = config.model.weights.as_ref().map(read).transpose()?;
        Ok(Self {
            config,
            data,
            pretrained: pretrained.map(|found| found.params),
            model,
        })
    }

    /// The mean loss over at most so many segments, each after those before it.
    fn loss(&self, params: &Arc<Vec<f32>>, stream: &WordStream, most: usize) -> Result<f64, Error> {
        let (mut memory, mut loss, mut words) = (Memory::empty(), 0.0, 0);
        for k in 0..stream.segments().min(most) {
            let batch = Owned::of(stream.segment(k));
            if batch.batch != self.config.train.batch_size {
                memory = Memory::empty(); // the last words of the longer columns
            }
            let (mean, after) = self.model.evaluate(params, &batch.view(), &memory)?;
            loss += mean * batch.tokens.len() as f64;
            words += batch.tokens.len();
            memory = after;
        }
        Ok(loss / words as f64)
    }

    /// Segments from any places as a batch, and what is remembered of the words before them.
    fn scattered(
        &self,
        params: &Arc<Vec<f32>>,
        indices: &[usize],
    ) -> Result<(Owned, Memory<f32>), Error> {
        let first = self.data.remembered;
        let mut memory = Memory::empty();
        for before in 0..first {
            let places: Vec<usize> = indices.iter().map(|i| i + before).collect();
            let segments = Owned::gather(&self.data.single, &places);
            memory = self.model.evaluate(params, &segments.view(), &memory)?.1;
        }
        let places: Vec<usize> = indices.iter().map(|i| i + first).collect();
        Ok((Owned::gather(&self.data.single, &places), memory))
    }
}

impl Task for LanguageModel<'_> {
    fn parameters(&self) -> &[Parameter] {
        self.model.parameters()
    }

    fn initial(&self) -> Vec<f32> {
        match &self.pretrained {
            Some(params) => params.clone(),
            None => self.model.config().init(&mut init_stream(self.config.seed)),
        }
    }

    fn examples(&self) -> usize {
        self.data.examples()
    }

    fn gradient(
        &self,
        ask: &Ask,
        carried: &mut Carried,
        grad: &mut Vec<f32>,
        timing: &mut Timing,
    ) -> Result<f64, Error> {
        let mut laps = Laps::start(timing);
        let (batch, memory) = match ask.place {
            Place::Noise { .. } => self.scattered(ask.params, ask.indices)?,
            Place::Training { batch, .. } => {
                let at = batch % self.data.train.whole_segments() as u64;
                let memory = match at {
                    0 => Memory::empty(),
                    _ => Memory::from_arrays(std::mem::take(&mut carried.0))?,
                };
                (Owned::of(self.data.train.segment(at as usize)), memory)
            }
        };
        laps.data(batch.tokens.len() as u64);
        let mut dropout = ask.place.dropout(self.config.seed);
        let dropout = dropout.as_mut().map(|d| d as &mut dyn rand::Rng);
        let forward = self
            .model
            .forward(ask.params, &batch.view(), &memory, dropout)?;
        let loss = forward.loss;
        laps.forward();
        let memory = forward.backward(grad)?;
        if let Place::Training { .. } = ask.place {
            carried.0 = memory.to_arrays();
        }
        laps.backward();
        Ok(loss)
    }

    fn evaluate(
        &self,
        params: &Arc<Vec<f32>>,
        _: &Carried,
        part: HeldOut,
    ) -> Result<Scores, Error> {
        let most = match part {
            HeldOut::Sample => self.config.train.eval_batches,
            HeldOut::All => usize::MAX,
        };
        let loss = self.loss(params, &self.data.valid, most)?;
        Ok(Scores {
            loss,
            accuracy: None,
            others: BTreeMap::from([("perplexity".to_string(), loss.exp())]),
        })
    }

    fn uniform_loss(&self) -> f64 {
        (self.data.words.vocabulary.len() as f64).ln()
    }

    fn label_counts(&self) -> Vec<f64> {
        let words = &self.data.words;
        let counts = acclip_data::counts(&words.train, words.vocabulary.len());
        counts.into_iter().map(|count| count as f64).collect()
    }

    fn export(
        &self,
        params: &Arc<Vec<f32>>,
        carried: &Carried,
        folder: &Path,
    ) -> Result<Scores, Error> {
        let file = folder.join("model.safetensors");
        weights_file::write(&file, self.model.parameters(), params, &Carried::default())?;
        write_atomic(&folder.join(WORDS), self.data.list().as_bytes())?;
        write_json(&folder.join("config.json"), self.model.config())?;
        let mut scores = self.evaluate(params, carried, HeldOut::All)?;
        if let Some(test) = &self.data.test {
            let loss = self.loss(params, test, usize::MAX)?;
            scores.others.insert("test_loss".into(), loss);
            scores.others.insert("test_perplexity".into(), loss.exp());
        }
        Ok(scores)
    }

    fn describe(&self) -> String {
        let xl = self.model.config();
        let weights = self.config.model.weights.as_ref();
        let weights = weights.map_or(String::new(), |w| format!(" with the weights of {w}"));
        format!(
            "Transformer-XL “{}”{weights}, {} layers of {}, segments of {} with a memory of {}, dropout {}",
            self.config.model.size, xl.layers, xl.hidden, xl.target_len, xl.memory_len, xl.dropout
        )
    }
}

/// Segments with everything they own.
struct Owned {
    batch: usize,
    length: usize,
    tokens: Vec<u32>,
    targets: Vec<u32>,
}

impl Owned {
    fn of(segment: acclip_data::Segment) -> Self {
        Self {
            batch: segment.batch_size,
            length: segment.len,
            tokens: segment.tokens,
            targets: segment.targets,
        }
    }

    /// Single segments side by side.
    fn gather(stream: &WordStream, indices: &[usize]) -> Self {
        let segments: Vec<_> = indices.iter().map(|i| stream.segment(*i)).collect();
        Self {
            batch: segments.len(),
            length: segments.first().map_or(0, |segment| segment.len),
            tokens: segments.iter().flat_map(|s| &s.tokens).copied().collect(),
            targets: segments.iter().flat_map(|s| &s.targets).copied().collect(),
        }
    }

    fn view(&self) -> SegmentBatch<'_> {
        SegmentBatch {
            batch: self.batch,
            length: self.length,
            tokens: &self.tokens,
            targets: &self.targets,
        }
    }
}
