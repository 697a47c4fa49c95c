//! WordPiece: text to ids and back, with BERT's uncased normalisation.
//!
//! Text is cleaned of control characters, put into lower case, stripped of accents, and cut at white
//! space, around punctuation and around each Chinese character. Each word is then replaced by the longest
//! vocabulary entries that spell it, from left to right; entries that continue a word begin with `##`. A
//! word that cannot be spelled, or has more than 100 characters, becomes `[UNK]`.
//!
//! Words such as `[MASK]` in the text are plain text here: no text makes a special token but `[UNK]`.
//!
//! Reference: Devlin et al. 2019, §3; Wu et al., "Google's neural machine translation system" (2016), §4.1.

use crate::{
    Document, Error,
    read::{io_error, read_text},
    sentences::sentences,
};
use std::{collections::HashMap, fs, ops::Range, path::Path};
use tokenizers::{
    ModelWrapper, Tokenizer as Pipeline, models::wordpiece::WordPiece, normalizers::BertNormalizer,
    pre_tokenizers::bert::BertPreTokenizer,
};

/// Documents that are tokenised at once: bounds the memory of the library's bookkeeping.
const DOCUMENTS_AT_ONCE: usize = 64;

/// Names of the special tokens, in the order of their ids in a trained vocabulary.
pub(crate) const SPECIALS: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// Ids of the special tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Specials {
    /// Fills a batch's short sequences; 0 in a trained vocabulary.
    pub pad: u32,
    /// A word that the vocabulary cannot spell.
    pub unk: u32,
    /// Begins a sequence.
    pub cls: u32,
    /// Ends a sequence.
    pub sep: u32,
    /// Stands for a hidden token.
    pub mask: u32,
}

impl Specials {
    /// Whether `id` is one of the five.
    pub fn contains(&self, id: u32) -> bool {
        [self.pad, self.unk, self.cls, self.sep, self.mask].contains(&id)
    }
}

/// The ids of a text, and the bytes of the text that each of them stands for.
pub type TokensWithOffsets = (Vec<u32>, Vec<Range<usize>>);

/// A vocabulary and the rules that cut text into it.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    pipeline: Pipeline,
    /// Token `i` has id `i`.
    tokens: Vec<String>,
    specials: Specials,
}

impl Tokenizer {
    /// Takes a vocabulary from a file.
    ///
    /// * `*.json`: a `tokenizer.json` with a WordPiece model, used with its own normalisation;
    /// * anything else: a `vocab.txt`, one token a line, the first line being id 0, used with BERT's
    ///   uncased normalisation.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Io`], [`Error::NotUtf8`], [`Error::Binary`]; [`Error::Vocab`] for a
    /// malformed file; [`Error::MissingSpecial`].
    pub fn load(path: impl AsRef<Path>) -> Result<Tokenizer, Error> {
        let path = path.as_ref();
        let text = read_text(path)?;
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            Tokenizer::from_json(&text, path)
        } else {
            let lines = text.strip_suffix('\n').unwrap_or(&text).split('\n');
            Tokenizer::from_tokens(lines.map(str::to_owned).collect(), path)
        }
    }

    /// The uncased BERT pipeline on `tokens`; `path` is for the error messages.
    pub(crate) fn from_tokens(tokens: Vec<String>, path: &Path) -> Result<Tokenizer, Error> {
        let mut line_of = HashMap::new();
        for (i, token) in tokens.iter().enumerate() {
            if token.is_empty() {
                let detail = format!(
                    "line {} is blank; a vocabulary has one token on every line",
                    i + 1
                );
                return Err(Error::Vocab {
                    path: path.into(),
                    detail,
                });
            }
            if let Some(first) = line_of.insert(token.as_str(), i) {
                let detail = format!(
                    "lines {} and {} are both {token:?}; remove one",
                    first + 1,
                    i + 1
                );
                return Err(Error::Vocab {
                    path: path.into(),
                    detail,
                });
            }
        }
        let specials = find_specials(|token| line_of.get(token).map(|&i| i as u32), path)?;

        let failed = |source| Error::Tokenizer { source };
        let vocab = WordPiece::read_bytes(tokens.join("\n").as_bytes()).map_err(failed)?;
        let model = WordPiece::builder().vocab(vocab).build().map_err(failed)?;
        let mut pipeline = Pipeline::new(model);
        pipeline
            .with_normalizer(Some(BertNormalizer::default()))
            .with_pre_tokenizer(Some(BertPreTokenizer));
        Ok(Tokenizer {
            pipeline,
            tokens,
            specials,
        })
    }

    fn from_json(json: &str, path: &Path) -> Result<Tokenizer, Error> {
        let wrong = |detail| Error::Vocab {
            path: path.into(),
            detail,
        };
        let mut pipeline = Pipeline::from_bytes(json).map_err(|error| {
            wrong(format!(
                "not a tokenizer.json: {error}; write it again with the tokenizers library"
            ))
        })?;
        if !matches!(pipeline.get_model(), ModelWrapper::WordPiece(_)) {
            return Err(wrong(
                "its model is not WordPiece; take the tokenizer of an uncased BERT".into(),
            ));
        }
        pipeline.with_padding(None);
        pipeline
            .with_truncation(None)
            .map_err(|source| Error::Tokenizer { source })?;
        pipeline.set_encode_special_tokens(true);

        let mut entries: Vec<(String, u32)> = pipeline.get_vocab(true).into_iter().collect();
        entries.sort_unstable_by_key(|(_, id)| *id);
        if let Some(i) = (0..entries.len()).find(|&i| entries[i].1 as usize != i) {
            return Err(wrong(format!(
                "no token, or two, for id {i}; ids must be 0, 1, 2, … without gaps"
            )));
        }
        let specials = find_specials(|token| pipeline.token_to_id(token), path)?;
        let tokens = entries.into_iter().map(|(token, _)| token).collect();
        Ok(Tokenizer {
            pipeline,
            tokens,
            specials,
        })
    }

    /// Writes `vocab.txt`: one token a line, in the order of the ids.
    ///
    /// [`Tokenizer::load`] reads it back to the same tokenizer, unless this one came from a
    /// `tokenizer.json` with another normalisation, which a word list cannot hold.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save_vocab(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        fs::write(path, self.vocab()).map_err(|source| io_error(path, "write", source))
    }

    /// The content of a `vocab.txt`: one token a line, in the order of their ids.
    pub fn vocab(&self) -> String {
        self.tokens.join("\n") + "\n"
    }

    /// The ids of a text, without `[CLS]` and `[SEP]`.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if the library fails.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        let encoding = self
            .pipeline
            .encode_fast(text, false)
            .map_err(|source| Error::Tokenizer { source })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The ids of each text, as [`Tokenizer::encode`] gives them, and the bytes of the text that each token
    /// stands for; on all cores, and the result does not depend on their number.
    ///
    /// The ranges ascend, and begin and end between characters. Tokens that are pieces of one character each
    /// stand for the whole of it (a Hangul syllable is cut into its letters).
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_with_offsets(&self, texts: &[&str]) -> Result<Vec<TokensWithOffsets>, Error> {
        let mut encoded = Vec::with_capacity(texts.len());
        for chunk in texts.chunks(DOCUMENTS_AT_ONCE) {
            let encodings = self
                .pipeline
                .encode_batch(chunk.to_vec(), false)
                .map_err(|source| Error::Tokenizer { source })?;
            encoded.extend(encodings.iter().map(|encoding| {
                let offsets = encoding.get_offsets().iter();
                let offsets = offsets.map(|&(start, end)| start..end).collect();
                (encoding.get_ids().to_vec(), offsets)
            }));
        }
        Ok(encoded)
    }

    /// The ids of each document, on all cores; the result does not depend on their number.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_documents(&self, documents: &[&Document]) -> Result<Vec<Vec<u32>>, Error> {
        let mut ids = Vec::with_capacity(documents.len());
        for chunk in documents.chunks(DOCUMENTS_AT_ONCE) {
            ids.extend(self.encode_texts(chunk.iter().map(|document| document.text.as_str()))?);
        }
        Ok(ids)
    }

    /// The ids of each sentence of each document, as [`Pairs`](crate::Pairs) take them: document →
    /// sentence → ids. The [sentences](crate::sentences()) are cut by a rule. On all cores.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_sentences(&self, documents: &[&Document]) -> Result<Vec<Vec<Vec<u32>>>, Error> {
        documents
            .iter()
            .map(|document| self.encode_texts(sentences(&document.text)))
            .collect()
    }

    fn encode_texts<'a>(
        &self,
        texts: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<Vec<u32>>, Error> {
        let encodings = self
            .pipeline
            .encode_batch_fast(texts.into_iter().collect(), false)
            .map_err(|source| Error::Tokenizer { source })?;
        Ok(encodings
            .iter()
            .map(|encoding| encoding.get_ids().to_vec())
            .collect())
    }

    /// The number of tokens, special ones included.
    pub fn vocab_size(&self) -> usize {
        self.tokens.len()
    }

    /// Ids of the special tokens.
    pub fn specials(&self) -> Specials {
        self.specials
    }

    /// Whether this id continues a word: its token begins with `##`, and is more than that.
    pub fn continues_word(&self, id: u32) -> bool {
        self.token(id)
            .and_then(|token| token.strip_prefix("##"))
            .is_some_and(|rest| !rest.is_empty())
    }

    /// The token with this id: a word, a `##` continuation, or a special token.
    pub fn token(&self, id: u32) -> Option<&str> {
        self.tokens.get(id as usize).map(String::as_str)
    }
}

fn find_specials(id: impl Fn(&str) -> Option<u32>, path: &Path) -> Result<Specials, Error> {
    let find = |token| {
        id(token).ok_or(Error::MissingSpecial {
            path: path.into(),
            token,
        })
    };
    let [pad, unk, cls, sep, mask] = SPECIALS;
    Ok(Specials {
        pad: find(pad)?,
        unk: find(unk)?,
        cls: find(cls)?,
        sep: find(sep)?,
        mask: find(mask)?,
    })
}
