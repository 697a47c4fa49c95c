//! Training a WordPiece vocabulary on a corpus, the same one every time.
//!
//! The library's trainer starts from the single characters and joins the most frequent pair of neighbours
//! until the vocabulary is full; equally frequent pairs are joined in the order of their ids. It numbers
//! the continuations `##c` in the order of a hash map that is seeded anew in each process, so that left to
//! itself it gives another vocabulary in every run. Here the whole alphabet is sorted and numbered first,
//! and handed to the trainer as if it were special tokens; then every id, and so every tie, is settled.

use crate::{Document, Error, Tokenizer, tokenizer::SPECIALS};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};
use tokenizers::{
    AddedToken, Model, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
    Trainer,
    models::wordpiece::{WordPiece, WordPieceTrainer},
    normalizers::BertNormalizer,
    pre_tokenizers::bert::BertPreTokenizer,
};

/// Only so many characters get into the vocabulary, the most frequent ones (BERT's customary limit).
const ALPHABET_LIMIT: usize = 1000;

/// A pair must be seen so often to be joined.
const MIN_FREQUENCY: u64 = 2;

impl Tokenizer {
    /// Trains a vocabulary of `vocab_size` tokens, or of fewer if the text has no more pairs that repeat.
    ///
    /// `[PAD] [UNK] [CLS] [SEP] [MASK]` are ids 0 to 4, then come the single characters, then the joined
    /// pieces, the most frequent first. The vocabulary depends on the texts alone: not on the order of the
    /// documents, the process or the number of threads.
    ///
    /// # Errors
    /// [`Error::Empty`] if the documents hold no word, [`Error::VocabTooSmall`] if the single characters
    /// alone need more, [`Error::Tokenizer`] if the library fails.
    pub fn train(documents: &[&Document], vocab_size: usize) -> Result<Tokenizer, Error> {
        let failed = |source| Error::Tokenizer { source };
        let counts = count_words(documents).map_err(failed)?;
        if counts.is_empty() {
            return Err(Error::Empty {
                place: "the training documents".into(),
            });
        }

        let mut first_ids: Vec<String> = SPECIALS.map(String::from).to_vec();
        first_ids.extend(alphabet(&counts));
        if vocab_size < first_ids.len() {
            return Err(Error::VocabTooSmall {
                asked: vocab_size,
                least: first_ids.len(),
            });
        }

        let mut trainer = WordPieceTrainer::builder()
            .vocab_size(vocab_size)
            .min_frequency(MIN_FREQUENCY)
            .limit_alphabet(0) // nothing beyond `first_ids`
            .special_tokens(
                first_ids
                    .iter()
                    .map(|token| AddedToken::from(token, false))
                    .collect(),
            )
            .show_progress(false)
            .build();
        trainer
            .feed(counts.keys(), |word| {
                Ok(vec![word.to_owned(); counts[word]])
            })
            .map_err(failed)?;
        let mut model = WordPiece::default();
        trainer.train(&mut model).map_err(failed)?;

        let mut entries: Vec<(String, u32)> = model.get_vocab().into_iter().collect();
        entries.sort_unstable_by_key(|(_, id)| *id);
        let tokens = entries.into_iter().map(|(token, _)| token).collect();
        Tokenizer::from_tokens(tokens, Path::new("the trained vocabulary"))
    }
}

/// How often each word occurs, after normalisation.
fn count_words(documents: &[&Document]) -> tokenizers::Result<BTreeMap<String, usize>> {
    let mut counts = BTreeMap::new();
    for document in documents {
        for_each_word(&document.text, |word| match counts.get_mut(word) {
            Some(count) => *count += 1,
            None => drop(counts.insert(word.to_owned(), 1)),
        })?;
    }
    Ok(counts)
}

/// Hands over each word of `text`, as BERT cuts it before WordPiece: lower case, no accents, cut at white
/// space, around punctuation and around each Chinese character.
pub(crate) fn for_each_word(text: &str, mut take: impl FnMut(&str)) -> tokenizers::Result<()> {
    let normalizer = BertNormalizer::default();
    let mut text = PreTokenizedString::from(text);
    text.normalize(|part| normalizer.normalize(part))?;
    BertPreTokenizer.pre_tokenize(&mut text)?;
    for (word, _, _) in text.get_splits(OffsetReferential::Normalized, OffsetType::None) {
        take(word);
    }
    Ok(())
}

/// The single-character tokens: `c` for each kept character, then `##c` for those that continue a word.
fn alphabet(counts: &BTreeMap<String, usize>) -> Vec<String> {
    let mut frequency: BTreeMap<char, usize> = BTreeMap::new();
    let mut continuing: BTreeSet<char> = BTreeSet::new();
    for (word, count) in counts {
        for (i, c) in word.chars().enumerate() {
            *frequency.entry(c).or_default() += count;
            if i > 0 {
                continuing.insert(c);
            }
        }
    }
    let mut kept: Vec<char> = frequency.keys().copied().collect();
    kept.sort_by_key(|c| (std::cmp::Reverse(frequency[c]), *c));
    kept.truncate(ALPHABET_LIMIT);
    kept.sort_unstable();

    let firsts = kept.iter().map(char::to_string);
    let others = kept
        .iter()
        .filter(|c| continuing.contains(c))
        .map(|c| format!("##{c}"));
    firsts.chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn train(texts: &[&str], vocab_size: usize) -> Result<Vec<String>, Error> {
        let documents: Vec<Document> = texts.iter().map(|text| Document::new("", *text)).collect();
        let tokenizer = Tokenizer::train(&documents.iter().collect::<Vec<_>>(), vocab_size)?;
        Ok((0..tokenizer.vocab_size() as u32)
            .map(|id| tokenizer.token(id).unwrap().to_owned())
            .collect())
    }

    /// "ab" ×3, "abc" ×2, "cb" ×1. Characters: a b c; continuing: ##b ##c. Pairs: a+##b 5, ##b+##c 2,
    /// c+##b 1. So "ab" is joined first, then "ab"+"##c" (2), and "cb" is too rare.
    #[test]
    fn a_vocabulary_by_hand() {
        let expected = [
            "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "##b", "##c", "ab", "abc",
        ];
        assert_eq!(train(&["Ab ab ABC", "abc cb äb"], 100).unwrap(), expected);
        assert_eq!(
            train(&["Ab ab ABC", "abc cb äb"], 11).unwrap(),
            expected[..11]
        );
    }

    /// Four pairs occur equally often: they are joined in the order of the alphabet.
    #[test]
    fn ties_are_settled_by_the_alphabet() {
        let vocabulary = train(&["zy xw ba dc zy xw ba dc"], 100).unwrap();
        assert_eq!(vocabulary[vocabulary.len() - 4..], ["ba", "dc", "xw", "zy"]);
    }

    #[test]
    fn the_order_of_the_documents_does_not_matter() {
        let texts = [
            "the cat sat on the mat",
            "a mat on a cat",
            "that hat, the mat's hat",
        ];
        let reversed = [texts[2], texts[1], texts[0]];
        assert_eq!(train(&texts, 60).unwrap(), train(&reversed, 60).unwrap());
    }

    #[test]
    fn only_the_most_frequent_characters_are_kept() {
        // 1200 different Chinese characters once each, "x" and the last of them twice.
        let rare: String = (0..1200)
            .map(|i| char::from_u32(0x4e00 + i).unwrap())
            .collect();
        let last = char::from_u32(0x4e00 + 1199).unwrap();
        let vocabulary = train(&[&rare, "x x", &last.to_string()], 5000).unwrap();
        assert_eq!(vocabulary.len(), 5 + ALPHABET_LIMIT);
        assert!(vocabulary.contains(&"x".into()) && vocabulary.contains(&last.to_string()));
    }

    #[test]
    fn too_small_or_nothing_to_train_on() {
        assert!(matches!(
            train(&["ab cb"], 8),
            Err(Error::VocabTooSmall { asked: 8, least: 9 })
        ));
        assert_eq!(train(&["ab cb"], 9).unwrap().len(), 9);
        assert!(matches!(
            train(&[" \n", "\u{1}"], 50),
            Err(Error::Empty { .. })
        ));
        assert!(matches!(train(&[], 50), Err(Error::Empty { .. })));
    }
}
