//! A corpus is a list of named documents; the held-out split takes whole documents.
//!
//! Three sources: [`Corpus::embedded`] (233 State of the Union addresses, 1790 to 2021, public domain,
//! packed by `reference/corpus/pack.py`), [`Corpus::read`] (any UTF-8 file or folder), [`Corpus::new`].

use crate::{
    Error,
    rng::{Purpose, stream},
};
use flate2::read::GzDecoder;
use rand::seq::SliceRandom;
use serde::Deserialize;
use std::io::Read;

/// One JSON object a line, `{"name": …, "text": …}`, gzip.
const ADDRESSES: &[u8] = include_bytes!("../assets/sotu.jsonl.gz");

/// A text and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Document {
    /// What to call it: `1790 George Washington`, `letters/3.txt`, or `book.txt:120` (file and line).
    pub name: String,
    /// The text; lines end in `\n`.
    pub text: String,
}

impl Document {
    /// A document.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Document {
        Document {
            name: name.into(),
            text: text.into(),
        }
    }
}

/// Documents in a fixed order; at least one, none of them blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corpus {
    documents: Vec<Document>,
}

impl Corpus {
    /// A corpus of these documents, in this order; blank ones are left out.
    ///
    /// # Errors
    /// [`Error::Empty`] if none is left.
    pub fn new(documents: Vec<Document>) -> Result<Corpus, Error> {
        Corpus::from_place(documents, "the list of documents")
    }

    pub(crate) fn from_place(mut documents: Vec<Document>, place: &str) -> Result<Corpus, Error> {
        documents.retain(|document| !document.text.trim().is_empty());
        if documents.is_empty() {
            return Err(Error::Empty {
                place: place.into(),
            });
        }
        Ok(Corpus { documents })
    }

    /// The State of the Union addresses, one document each, by year.
    ///
    /// # Errors
    /// [`Error::Embedded`] if the program's copy is damaged.
    pub fn embedded() -> Result<Corpus, Error> {
        let damaged = |error: &dyn std::fmt::Display| Error::Embedded {
            detail: error.to_string(),
        };
        let mut lines = String::new();
        GzDecoder::new(ADDRESSES)
            .read_to_string(&mut lines)
            .map_err(|error| damaged(&error))?;
        let documents = lines
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<Vec<Document>, _>>()
            .map_err(|error| damaged(&error))?;
        Corpus::from_place(documents, "the embedded corpus")
    }

    /// The documents.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// Bytes of text in all documents together.
    pub fn bytes(&self) -> usize {
        self.documents
            .iter()
            .map(|document| document.text.len())
            .sum()
    }

    /// Draws documents to hold out, and returns (training, held-out), each in the corpus's order.
    ///
    /// `held_out` is the share of the documents, by number; it is rounded to whole documents, with at
    /// least one on each side. The draw depends on `seed` and the number of documents alone.
    ///
    /// # Errors
    /// [`Error::Setting`] unless 0 < `held_out` < 1; [`Error::OneDocument`] if there is nothing to split.
    pub fn split(
        &self,
        held_out: f64,
        seed: u64,
    ) -> Result<(Vec<&Document>, Vec<&Document>), Error> {
        if !(held_out > 0.0 && held_out < 1.0) {
            return Err(Error::Setting {
                name: "held_out",
                value: held_out.to_string(),
                range: "above 0 and below 1: a share of the documents",
            });
        }
        let n = self.documents.len();
        if n < 2 {
            return Err(Error::OneDocument);
        }
        let count = ((held_out * n as f64).round() as usize).clamp(1, n - 1);
        let mut is_held_out: Vec<bool> = (0..n).map(|i| i < count).collect();
        is_held_out.shuffle(&mut stream(seed, Purpose::SPLIT, 0, 0));

        let (valid, train): (Vec<_>, Vec<_>) = self
            .documents
            .iter()
            .zip(is_held_out)
            .partition(|(_, held_out)| *held_out);
        let documents =
            |side: Vec<(_, bool)>| side.into_iter().map(|(document, _)| document).collect();
        Ok((documents(train), documents(valid)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn numbered(n: usize) -> Corpus {
        Corpus::new(
            (0..n)
                .map(|i| Document::new(i.to_string(), "text"))
                .collect(),
        )
        .unwrap()
    }

    fn names(documents: &[&Document]) -> Vec<String> {
        documents
            .iter()
            .map(|document| document.name.clone())
            .collect()
    }

    #[test]
    fn the_embedded_corpus_is_whole() {
        let corpus = Corpus::embedded().unwrap();
        let documents = corpus.documents();
        assert_eq!(documents.len(), 233);
        assert_eq!(corpus.bytes(), 10_761_159);
        assert_eq!(documents[0].name, "1790 George Washington");
        assert!(
            documents[0]
                .text
                .starts_with("Fellow-Citizens of the Senate")
        );
        let names: HashSet<&str> = documents.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names.len(), 233);
        for name in [
            "1797 John Adams",
            "1897 William McKinley",
            "1963 John F. Kennedy",
        ] {
            assert!(names.contains(name), "{name}");
        }
        // The one damaged byte of the source, mended.
        let harrison = documents
            .iter()
            .find(|d| d.name == "1890 Benjamin Harrison")
            .unwrap();
        assert!(harrison.text.contains("4 and 4 1/2 per cent bonds"));
        assert!(
            documents
                .iter()
                .all(|d| !d.text.chars().any(|c| c.is_control() && c != '\n'))
        );
    }

    #[test]
    fn a_split_is_disjoint_complete_and_in_order() {
        let corpus = numbered(40);
        for seed in 0..20 {
            let (train, valid) = corpus.split(0.1, seed).unwrap();
            assert_eq!((train.len(), valid.len()), (36, 4));
            let mut all: Vec<usize> = names(&train)
                .iter()
                .chain(&names(&valid))
                .map(|name| name.parse().unwrap())
                .collect();
            assert!(all[..36].is_sorted() && all[36..].is_sorted());
            all.sort_unstable();
            assert_eq!(all, (0..40).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_seed_decides_who_is_held_out() {
        let corpus = numbered(40);
        let held_out = |seed| names(&corpus.split(0.1, seed).unwrap().1);
        assert_eq!(held_out(1), held_out(1));
        assert_ne!(held_out(1), held_out(2));
        // 4 of 40 in 200 draws: each is held out about 20 times (binomial deviation 4.2).
        let mut count = [0; 40];
        for name in (0..200).flat_map(held_out) {
            count[name.parse::<usize>().unwrap()] += 1;
        }
        assert!(count.iter().all(|&c| (3..=37).contains(&c)), "{count:?}");
    }

    #[test]
    fn a_small_corpus_has_at_least_one_document_on_each_side() {
        for (n, share, expected) in [(2, 0.01, 1), (2, 0.99, 1), (3, 0.5, 2), (10, 0.999, 9)] {
            let corpus = numbered(n);
            let (train, valid) = corpus.split(share, 0).unwrap();
            assert_eq!(
                (train.len(), valid.len()),
                (n - expected, expected),
                "{n} at {share}"
            );
        }
        assert!(matches!(numbered(1).split(0.5, 0), Err(Error::OneDocument)));
        for share in [0.0, 1.0, -0.5, f64::NAN, f64::INFINITY] {
            assert!(matches!(
                numbered(9).split(share, 0),
                Err(Error::Setting {
                    name: "held_out",
                    ..
                })
            ));
        }
    }

    #[test]
    fn blank_documents_are_left_out() {
        let corpus =
            Corpus::new(vec![Document::new("a", " \n\t"), Document::new("b", "x")]).unwrap();
        assert_eq!(corpus.documents(), [Document::new("b", "x")]);
        assert!(matches!(
            Corpus::new(vec![Document::new("a", " ")]),
            Err(Error::Empty { .. })
        ));
    }
}
