//! A vocabulary of whole words, the most frequent first.
//!
//! `<eos>`, the end of a line, is id 0. The words follow by falling count, those of the same count in the
//! order in which the text first has them: adaptive softmax and adaptive inputs cut the ids at places of
//! this order. `<unk>` is always there. It stands for every word that is left out, and for itself where the
//! text has it; its count, which is the sum, decides its place. A text of which nothing is left out and
//! which has no `<unk>` gives it count 0 and, with that, the last id.
//!
//! Departure from the authors' code: it has no `<unk>` unless the text has one, and stops at an unknown
//! word.
//!
//! Reference: `pytorch/utils/vocabulary.py` of kimiyoung/transformer-xl.

use crate::Error;
use serde::{Deserialize, Serialize};
use std::{cmp::Reverse, collections::HashMap};

const EOS: &str = "<eos>";
const UNK: &str = "<unk>";

/// Which words get an id of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VocabularyLimits {
    /// How often a word must occur.
    pub min_count: u64,
    /// The most ids there may be, `<eos>` and `<unk>` included; at least 3.
    pub max_size: Option<usize>,
}

impl Default for VocabularyLimits {
    fn default() -> Self {
        VocabularyLimits {
            min_count: 1,
            max_size: None,
        }
    }
}

/// Words and their ids.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    /// Word `i` has id `i`.
    words: Vec<String>,
    /// How often each occurs in the text the vocabulary was made from.
    counts: Vec<u64>,
    ids: HashMap<String, u32>,
    unk: u32,
}

impl Vocabulary {
    /// The vocabulary of `text`, in which white space parts the words and a line ends in `\n`.
    ///
    /// # Errors
    /// [`Error::Setting`] if `max_size` is below 3, [`Error::NoWords`] if no word is left.
    pub fn new(text: &str, limits: VocabularyLimits) -> Result<Vocabulary, Error> {
        let VocabularyLimits {
            min_count,
            max_size,
        } = limits;
        if let Some(size @ 0..3) = max_size {
            return Err(Error::Setting {
                name: "max_size",
                value: size.to_string(),
                range: "at least 3: <eos>, <unk> and a word",
            });
        }
        let [mut eos, mut unk] = [0, 0];
        let mut first_of_unk = usize::MAX;
        // word → (count, place of the first occurrence)
        let mut seen: HashMap<&str, (u64, usize)> = HashMap::new();
        for (place, word) in words(text).enumerate() {
            match word {
                EOS => eos += 1,
                UNK => {
                    unk += 1;
                    first_of_unk = first_of_unk.min(place);
                }
                _ => seen.entry(word).or_insert((0, place)).0 += 1,
            }
        }
        let distinct = seen.len();
        let mut entries: Vec<(&str, u64, usize)> = seen
            .into_iter()
            .map(|(word, (count, first))| (word, count, first))
            .collect();
        let by_rank = |&(_, count, first): &(&str, u64, usize)| (Reverse(count), first);
        entries.sort_unstable_by_key(by_rank);
        let kept = entries.partition_point(|&(_, count, _)| count >= min_count);
        let kept = kept.min(max_size.map_or(kept, |size| size - 2));
        unk += entries
            .drain(kept..)
            .map(|(_, count, _)| count)
            .sum::<u64>();
        if entries.is_empty() {
            return Err(Error::NoWords {
                distinct,
                min_count,
            });
        }
        entries.push((UNK, unk, first_of_unk));
        entries.sort_unstable_by_key(by_rank);

        let entries = [(EOS, eos, 0)].into_iter().chain(entries);
        let (words, counts): (Vec<String>, Vec<u64>) = entries
            .map(|(word, count, _)| (word.to_owned(), count))
            .unzip();
        let ids: HashMap<String, u32> = words.iter().cloned().zip(0..).collect();
        Ok(Vocabulary {
            unk: ids[UNK],
            words,
            counts,
            ids,
        })
    }

    /// The ids of a text: those of its words, and `<eos>` after each line.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        words(text)
            .map(|word| self.ids.get(word).copied().unwrap_or(self.unk))
            .collect()
    }

    /// How many ids there are; at least three.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// The word with this id.
    pub fn word(&self, id: u32) -> Option<&str> {
        self.words.get(id as usize).map(String::as_str)
    }

    /// The id of this word; `None` if it has none of its own.
    pub fn id(&self, word: &str) -> Option<u32> {
        self.ids.get(word).copied()
    }

    /// How often each id occurs in the text the vocabulary was made from.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The share of `ids` that are `<unk>`, in [0, 1]; 0 if there are none.
    pub fn unknown_share(&self, ids: &[u32]) -> f64 {
        let unknown = ids.iter().filter(|&&id| id == self.unk).count();
        unknown as f64 / ids.len().max(1) as f64
    }
}

/// The words of each line, and `<eos>` after them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| line.split_whitespace().chain([EOS]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "b a c\n\nc <unk> a c\n d";

    fn limits(min_count: u64, max_size: Option<usize>) -> VocabularyLimits {
        VocabularyLimits {
            min_count,
            max_size,
        }
    }

    fn listed(text: &str, limits: VocabularyLimits) -> Vec<(String, u64)> {
        let vocabulary = Vocabulary::new(text, limits).unwrap();
        let counts = vocabulary.counts().to_vec();
        (vocabulary.words.into_iter().zip(counts)).collect()
    }

    fn expected(entries: &[(&str, u64)]) -> Vec<(String, u64)> {
        entries.iter().map(|&(word, n)| (word.into(), n)).collect()
    }

    /// Four lines: c 3, a 2, then b, <unk> and d once each, in this order.
    #[test]
    fn words_by_count_then_by_first_occurrence() {
        let all = [
            ("<eos>", 4),
            ("c", 3),
            ("a", 2),
            ("b", 1),
            ("<unk>", 1),
            ("d", 1),
        ];
        assert_eq!(listed(TEXT, VocabularyLimits::default()), expected(&all));
        assert_eq!(listed(TEXT, limits(0, Some(6))), expected(&all));
        let vocabulary = Vocabulary::new(TEXT, limits(1, None)).unwrap();
        assert_eq!(
            vocabulary.encode(TEXT),
            [3, 2, 1, 0, 0, 1, 4, 2, 1, 0, 5, 0]
        );
        assert_eq!(vocabulary.encode("a zebra\n"), [2, 4, 0]);
        assert!(vocabulary.encode("").is_empty());
        assert_eq!(vocabulary.len(), 6);
        assert_eq!((vocabulary.id("d"), vocabulary.id("e")), (Some(5), None));
        assert_eq!(
            (vocabulary.word(4), vocabulary.word(6)),
            (Some("<unk>"), None)
        );
    }

    #[test]
    fn words_left_out_count_as_unknown() {
        let twice = [("<eos>", 4), ("c", 3), ("<unk>", 3), ("a", 2)];
        // Of c and <unk>, three each, c is first in the text.
        assert_eq!(listed(TEXT, limits(2, None)), expected(&twice));
        assert_eq!(listed(TEXT, limits(1, Some(4))), expected(&twice));
        let three = [("<eos>", 4), ("<unk>", 5), ("c", 3)];
        assert_eq!(listed(TEXT, limits(1, Some(3))), expected(&three));
        assert_eq!(listed(TEXT, limits(3, None)), expected(&three));
    }

    #[test]
    fn unknown_is_there_even_if_nothing_is_unknown() {
        let all = [("<eos>", 1), ("y", 1), ("x", 1), ("<unk>", 0)];
        assert_eq!(listed("y x", VocabularyLimits::default()), expected(&all));
        // `<eos>` in the text is the end of a line.
        let all = [("<eos>", 2), ("y", 1), ("x", 1), ("<unk>", 0)];
        assert_eq!(listed("y <eos> x", limits(1, None)), expected(&all));
    }

    #[test]
    fn counts_are_those_of_the_encoded_text() {
        for limits in [limits(1, None), limits(2, None), limits(1, Some(3))] {
            let vocabulary = Vocabulary::new(TEXT, limits).unwrap();
            let counts = crate::counts(&vocabulary.encode(TEXT), vocabulary.len());
            assert_eq!(counts, vocabulary.counts());
        }
    }

    #[test]
    fn the_unknown_share_by_hand() {
        let vocabulary = Vocabulary::new(TEXT, limits(3, None)).unwrap();
        let ids = vocabulary.encode("c c d\nc"); // c c <unk> <eos> c <eos>
        assert_eq!(vocabulary.unknown_share(&ids), 1.0 / 6.0);
        assert_eq!(vocabulary.unknown_share(&[]), 0.0);
    }

    #[test]
    fn nothing_to_learn_is_an_error() {
        for (text, limits, words) in [
            ("a b b", limits(3, None), 2),
            ("<unk> <eos>\n", limits(1, None), 0),
            ("", limits(1, None), 0),
        ] {
            let error = Vocabulary::new(text, limits).unwrap_err();
            assert!(matches!(error, Error::NoWords { distinct, .. } if distinct == words));
        }
        for size in 0..3 {
            let error = Vocabulary::new("a b", limits(1, Some(size))).unwrap_err();
            assert!(matches!(
                error,
                Error::Setting {
                    name: "max_size",
                    ..
                }
            ));
        }
    }
}
