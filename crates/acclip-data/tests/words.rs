//! Text as words: files and documents, columns and segments.

use acclip_data::{
    Corpus, Document, Error, Segment, VocabularyLimits, WordCorpus, WordStream, counts,
};
use std::fs;
use tempfile::{TempDir, tempdir};

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn read(files: &[(&str, &str)]) -> Result<WordCorpus, Error> {
    WordCorpus::read(folder(files).path(), VocabularyLimits::default())
}

#[test]
fn the_files_of_each_layout_are_read() {
    for names in [
        ["ptb.train.txt", "ptb.valid.txt", "ptb.test.txt"],
        ["wiki.train.tokens", "wiki.valid.tokens", "wiki.test.tokens"],
        ["wiki.train.raw", "wiki.valid.raw", "wiki.test.raw"],
        ["train.txt", "valid.txt", "test.txt"],
    ] {
        let texts = [
            " the cat \n \n the N <unk> \n",
            " a cat the \n",
            "\n the The ",
        ];
        let files: Vec<(&str, &str)> = names.into_iter().zip(texts).collect();
        let corpus = read(&files).unwrap();
        // <eos> 3 times, the twice; cat, N, <unk> once each.
        let words: Vec<_> = (0..6).map(|id| corpus.vocabulary.word(id)).collect();
        let expected = [
            Some("<eos>"),
            Some("the"),
            Some("cat"),
            Some("N"),
            Some("<unk>"),
            None,
        ];
        assert_eq!(words, expected);
        assert_eq!(corpus.vocabulary.counts(), [3, 2, 1, 1, 1]);
        assert_eq!(corpus.train, [1, 2, 0, 0, 1, 3, 4, 0]);
        assert_eq!(corpus.valid, [4, 2, 1, 0]);
        assert_eq!(corpus.test.as_deref(), Some(&[0, 1, 4, 0][..]));
        assert_eq!(corpus.vocabulary.unknown_share(&corpus.valid), 0.25);
    }
}

#[test]
fn the_treebank_comes_before_other_files() {
    let corpus = read(&[
        ("train.txt", "x"),
        ("ptb.train.txt", "y"),
        ("ptb.valid.txt", "y"),
        ("ptb.test.txt", "y"),
    ]);
    assert_eq!(corpus.unwrap().vocabulary.word(1), Some("y"));
}

#[test]
fn what_is_missing_is_named() {
    let error = read(&[("valid.txt", "a"), ("wiki.train.txt", "a")]).unwrap_err();
    let text = error.to_string();
    for name in [
        "ptb.train.txt",
        "wiki.train.tokens",
        "wiki.train.raw",
        "train.txt",
    ] {
        assert!(text.contains(name), "{text}");
    }
    assert!(matches!(error, Error::NoWordFiles { .. }));

    let error = read(&[("train.txt", "a"), ("valid.txt", "a")]).unwrap_err();
    assert!(matches!(error, Error::Missing { path } if path.ends_with("test.txt")));
    let error = read(&[("train.txt", "a"), ("valid.txt", " \n"), ("test.txt", "a")]).unwrap_err();
    assert!(matches!(error, Error::Empty { place } if place.ends_with("valid.txt")));
    let error = read(&[
        ("train.txt", "<unk>"),
        ("valid.txt", "a"),
        ("test.txt", "a"),
    ])
    .unwrap_err();
    assert!(matches!(error, Error::NoWords { distinct: 0, .. }));

    let gone = folder(&[]).path().join("gone");
    let error = WordCorpus::read(&gone, VocabularyLimits::default()).unwrap_err();
    assert!(matches!(error, Error::Missing { path } if path == gone));
}

/// A sentence of a document is a line; punctuation stands alone, case and accents are gone.
#[test]
fn documents_are_cut_into_sentences() {
    let train = Document::new("a", "The café\nwas closed. It was late, Mr. X!\n\n\u{7}");
    let valid = Document::new("b", "It closed. Why?");
    let limits = VocabularyLimits {
        min_count: 1,
        max_size: None,
    };
    let corpus = WordCorpus::from_documents(&[&train], &[&valid], limits).unwrap();
    let text = |ids: &[u32]| -> String {
        let words = ids.iter().map(|&id| corpus.vocabulary.word(id).unwrap());
        words.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        text(&corpus.train),
        "the cafe was closed . <eos> it was late , mr . x ! <eos>"
    );
    assert_eq!(text(&corpus.valid), "it closed . <eos> <unk> <unk> <eos>");
    assert_eq!(corpus.test, None);

    let blank = Document::new("c", "\u{7}");
    for (train, valid, side) in [(&blank, &valid, "training"), (&train, &blank, "held-out")] {
        let error = WordCorpus::from_documents(&[train], &[valid], limits).unwrap_err();
        assert!(matches!(error, Error::Empty { place } if place.contains(side)));
    }
}

/// The most frequent words of the first addresses come first, and the counts are those of the ids.
#[test]
fn the_embedded_corpus_as_words() {
    let corpus = Corpus::embedded().unwrap();
    let (train, valid) = corpus.split(0.1, 0).unwrap();
    let limits = VocabularyLimits {
        min_count: 3,
        max_size: Some(3000),
    };
    let words = WordCorpus::from_documents(&train[..40], &valid[..4], limits).unwrap();
    let vocabulary = &words.vocabulary;
    assert_eq!(vocabulary.len(), 3000);
    assert_eq!(vocabulary.word(1), Some("the"));
    assert!(vocabulary.counts()[1..].is_sorted_by(|a, b| a >= b));
    assert_eq!(counts(&words.train, 3000), vocabulary.counts());
    let unknown = vocabulary.unknown_share(&words.valid);
    assert!((0.01..0.2).contains(&unknown), "{unknown}");
}

fn segment(batch_size: usize, len: usize, tokens: &[u32], targets: &[u32]) -> Segment {
    Segment {
        batch_size,
        len,
        tokens: tokens.to_vec(),
        targets: targets.to_vec(),
    }
}

fn all(stream: &WordStream) -> Vec<Segment> {
    (0..stream.segments()).map(|k| stream.segment(k)).collect()
}

/// Eleven words in two columns of five; the eleventh is left over.
#[test]
fn training_columns_by_hand() {
    let ids: Vec<u32> = (0..11).collect();
    let stream = WordStream::new(ids.clone(), 2, 2).unwrap();
    let expected = [
        segment(2, 2, &[0, 1, 5, 6], &[1, 2, 6, 7]),
        segment(2, 2, &[2, 3, 7, 8], &[3, 4, 8, 9]),
    ];
    assert_eq!(all(&stream), expected);
    assert_eq!((stream.whole_segments(), stream.targets()), (2, 8));

    let stream = WordStream::new(ids, 2, 3).unwrap();
    let expected = [
        segment(2, 3, &[0, 1, 2, 5, 6, 7], &[1, 2, 3, 6, 7, 8]),
        segment(2, 1, &[3, 8], &[4, 9]),
    ];
    assert_eq!(all(&stream), expected);
    assert_eq!((stream.whole_segments(), stream.targets()), (1, 8));
}

/// Eleven words have ten targets: four in the first of three columns, three in the others.
#[test]
fn evaluation_columns_by_hand() {
    let stream = WordStream::evaluation((0..11).collect(), 3, 2).unwrap();
    let expected = [
        segment(3, 2, &[0, 1, 4, 5, 7, 8], &[1, 2, 5, 6, 8, 9]),
        segment(3, 1, &[2, 6, 9], &[3, 7, 10]),
        segment(1, 1, &[3], &[4]),
    ];
    assert_eq!(all(&stream), expected);
    assert_eq!((stream.whole_segments(), stream.targets()), (1, 10));
}

/// Any number of words, columns and places: each word but the first is a target once, after its
/// predecessor, and a column goes on where it stopped.
#[test]
fn evaluation_loses_nothing() {
    for n in 2..24 {
        for batch_size in 1..n {
            for target_len in [1, 2, 3, 7, 50] {
                let ids: Vec<u32> = (0..n as u32).collect();
                let stream = WordStream::evaluation(ids, batch_size, target_len).unwrap();
                let mut found = Vec::new();
                let mut last = vec![None; batch_size];
                for segment in all(&stream) {
                    assert!(segment.len <= target_len);
                    for (b, last) in last.iter_mut().enumerate().take(segment.batch_size) {
                        let row = b * segment.len..(b + 1) * segment.len;
                        let (tokens, targets) =
                            (&segment.tokens[row.clone()], &segment.targets[row]);
                        assert!(tokens.iter().zip(targets).all(|(a, b)| a + 1 == *b));
                        assert!(last.is_none_or(|last| last == tokens[0]));
                        *last = targets.last().copied();
                        found.extend_from_slice(targets);
                    }
                }
                assert_eq!(found.len(), stream.targets());
                found.sort_unstable();
                assert_eq!(found, (1..n as u32).collect::<Vec<_>>());
            }
        }
    }
}

/// Against the obvious loop over places: word `i` of column `b` is word `b · ⌊n/B⌋ + i` of the text.
#[test]
fn training_columns_against_a_plain_loop() {
    for n in 2..24u32 {
        for batch_size in 1..n {
            for target_len in 1..n {
                let column = n / batch_size;
                let ids = (0..n).map(|i| i * i).collect();
                let stream = WordStream::new(ids, batch_size as usize, target_len as usize);
                if column < target_len + 1 {
                    assert!(matches!(stream, Err(Error::TooFewWords { .. })));
                    continue;
                }
                let mut expected = Vec::new();
                for first in (0..column - 1).step_by(target_len as usize) {
                    let end = (first + target_len).min(column - 1);
                    let word = |shift: u32| {
                        let rows = (0..batch_size).flat_map(|b| {
                            (first..end).map(move |i| (b * column + i + shift).pow(2))
                        });
                        rows.collect::<Vec<u32>>()
                    };
                    let len = (end - first) as usize;
                    expected.push(segment(batch_size as usize, len, &word(0), &word(1)));
                }
                let stream = stream.unwrap();
                assert_eq!(all(&stream), expected);
                let whole = expected
                    .iter()
                    .filter(|s| s.len == target_len as usize)
                    .count();
                assert_eq!(stream.whole_segments(), whole);
                let targets: usize = expected.iter().map(|s| s.targets.len()).sum();
                assert_eq!(stream.targets(), targets);
            }
        }
    }
}

#[test]
fn too_little_text_is_an_error() {
    let ids = |n: u32| (0..n).collect::<Vec<u32>>();
    for (batch_size, target_len, name) in [(0, 3, "batch_size"), (3, 0, "target_len")] {
        for make in [WordStream::new, WordStream::evaluation] {
            let error = make(ids(30), batch_size, target_len).unwrap_err();
            assert!(matches!(error, Error::Setting { name: found, .. } if found == name));
        }
    }
    assert!(WordStream::new(ids(8), 2, 3).is_ok());
    let error = WordStream::new(ids(7), 2, 3).unwrap_err();
    assert!(matches!(
        error,
        Error::TooFewWords {
            words: 7,
            batch_size: 2,
            needed: 8
        }
    ));
    assert!(WordStream::evaluation(ids(4), 3, 9).is_ok());
    let error = WordStream::evaluation(ids(3), 3, 9).unwrap_err();
    assert!(matches!(
        error,
        Error::TooFewWords {
            words: 3,
            batch_size: 3,
            needed: 4
        }
    ));
    for make in [WordStream::new, WordStream::evaluation] {
        assert!(matches!(
            make(vec![], 1, 1),
            Err(Error::TooFewWords { words: 0, .. })
        ));
        assert!(matches!(
            make(ids(9), usize::MAX, usize::MAX),
            Err(Error::TooFewWords { .. })
        ));
    }
}

#[test]
#[should_panic = "segment 2 of 2"]
fn a_segment_beyond_the_last_panics() {
    WordStream::new((0..11).collect(), 2, 2).unwrap().segment(2);
}
