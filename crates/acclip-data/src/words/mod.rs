//! Text as one long stream of words, for language models such as Transformer-XL.
//!
//! A line of a file gives its words, cut at white space, and then `<eos>`; a blank line gives `<eos>`
//! alone. The words stand as they are in the file: nothing is put into lower case. The documents of a
//! corpus are not lines of words; there, a sentence takes the place of a line (see [`sentences()`]), and its
//! words are those of BERT before WordPiece: lower case, without accents, punctuation apart.
//!
//! Departures from the authors' code: it counts the words of all three files of the Penn Treebank and of
//! WikiText-2, while here the vocabulary is that of the training text, and a word beyond it is `<unk>`; it
//! puts the Penn Treebank into lower case, which is so already but for the `N` of its numbers.
//!
//! Reference: Dai et al., "Transformer-XL: Attentive language models beyond a fixed-length context" (2019);
//! `pytorch/data_utils.py` of kimiyoung/transformer-xl.

mod frequency;
mod stream;
mod vocabulary;

pub use frequency::{counts, frequency_bins};
pub use stream::{Segment, WordStream};
pub use vocabulary::{Vocabulary, VocabularyLimits};

use crate::{
    Document, Error,
    read::{io_error, read_text},
    sentences::sentences,
    train::for_each_word,
};
use std::{fs, path::Path};

/// Names of the files with the training, validation and test text, in the order in which they are tried.
const LAYOUTS: [[&str; 3]; 4] = [
    ["ptb.train.txt", "ptb.valid.txt", "ptb.test.txt"],
    ["wiki.train.tokens", "wiki.valid.tokens", "wiki.test.tokens"],
    ["wiki.train.raw", "wiki.valid.raw", "wiki.test.raw"],
    ["train.txt", "valid.txt", "test.txt"],
];

/// Training, validation and test text as ids, and the vocabulary of the training text.
#[derive(Clone, Debug)]
pub struct WordCorpus {
    /// The words behind the ids, the most frequent first.
    pub vocabulary: Vocabulary,
    /// The training text.
    pub train: Vec<u32>,
    /// The validation text.
    pub valid: Vec<u32>,
    /// The test text; `None` for a corpus that was split in two.
    pub test: Option<Vec<u32>>,
}

impl WordCorpus {
    /// Whether a folder has text that is split into training, validation and test files, in one of the forms that
    /// [`WordCorpus::read`] knows.
    pub fn is_split(folder: impl AsRef<Path>) -> bool {
        let folder = folder.as_ref();
        LAYOUTS.iter().any(|names| folder.join(names[0]).is_file())
    }

    /// Reads the Penn Treebank (`ptb.train.txt`, `ptb.valid.txt`, `ptb.test.txt`), WikiText
    /// (`wiki.train.tokens`, …, or `wiki.train.raw`, …) or any other text (`train.txt`, `valid.txt`,
    /// `test.txt`) from a folder. The first of these whose training file is there is taken.
    ///
    /// # Errors
    /// [`Error::NoWordFiles`] if no training file is there; [`Error::Missing`], [`Error::Io`],
    /// [`Error::NotUtf8`], [`Error::Binary`], [`Error::Empty`] for one of the three; and those of
    /// [`Vocabulary::new`].
    pub fn read(folder: impl AsRef<Path>, limits: VocabularyLimits) -> Result<WordCorpus, Error> {
        let folder = folder.as_ref();
        fs::read_dir(folder).map_err(|source| io_error(folder, "read", source))?;
        let names = LAYOUTS
            .iter()
            .find(|names| folder.join(names[0]).is_file())
            .ok_or_else(|| Error::NoWordFiles {
                folder: folder.into(),
                looked_for: LAYOUTS.iter().map(|names| names[0]).collect(),
            })?;
        let read = |name| {
            let path = folder.join(name);
            let text = read_text(&path)?;
            if text.trim().is_empty() {
                return Err(Error::Empty {
                    place: path.display().to_string(),
                });
            }
            Ok(text)
        };
        let [train, valid, test] = names.map(read);
        WordCorpus::from_texts(&train?, &valid?, Some(&test?), limits)
    }

    /// Takes the two sides of [`Corpus::split`](crate::Corpus::split).
    ///
    /// # Errors
    /// [`Error::Empty`] if a side holds no word, [`Error::Tokenizer`] if the library fails, and those of
    /// [`Vocabulary::new`].
    pub fn from_documents(
        train: &[&Document],
        valid: &[&Document],
        limits: VocabularyLimits,
    ) -> Result<WordCorpus, Error> {
        let train = sentence_lines(train, "the training documents")?;
        let valid = sentence_lines(valid, "the held-out documents")?;
        WordCorpus::from_texts(&train, &valid, None, limits)
    }

    fn from_texts(
        train: &str,
        valid: &str,
        test: Option<&str>,
        limits: VocabularyLimits,
    ) -> Result<WordCorpus, Error> {
        let vocabulary = Vocabulary::new(train, limits)?;
        Ok(WordCorpus {
            train: vocabulary.encode(train),
            valid: vocabulary.encode(valid),
            test: test.map(|text| vocabulary.encode(text)),
            vocabulary,
        })
    }
}

/// A sentence a line, its words with spaces between them; `place` is for the error message.
fn sentence_lines(documents: &[&Document], place: &str) -> Result<String, Error> {
    let mut lines = String::new();
    for sentence in documents.iter().flat_map(|d| sentences(&d.text)) {
        let start = lines.len();
        for_each_word(sentence, |word| {
            lines.push_str(word);
            lines.push(' ');
        })
        .map_err(|source| Error::Tokenizer { source })?;
        if lines.len() > start {
            lines.push('\n');
        }
    }
    if lines.is_empty() {
        return Err(Error::Empty {
            place: place.into(),
        });
    }
    Ok(lines)
}
