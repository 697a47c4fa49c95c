//! Pairs of segments: what they are made of, how often, and what they depend on.
//!
//! A token of these documents tells where it is from: 1000 (d + 1) + place, in document d.

use acclip_data::{Error, Masker, Masking, Pair, Pairs, Purpose, Specials};
use std::collections::BTreeSet;

const SPECIALS: Specials = Specials {
    pad: 0,
    unk: 1,
    cls: 2,
    sep: 3,
    mask: 4,
};

/// Documents of sentences of these lengths.
fn documents(lengths: &[&[usize]]) -> Vec<Vec<Vec<u32>>> {
    let document = |(d, lengths): (usize, &&[usize])| {
        let mut tokens = 1000 * (d as u32 + 1)..;
        let mut sentence = |&n: &usize| tokens.by_ref().take(n).collect();
        lengths.iter().map(&mut sentence).collect()
    };
    lengths.iter().enumerate().map(document).collect()
}

fn pairs(documents: &[Vec<Vec<u32>>], max_len: usize, seed: u64, copy: u64) -> Pairs {
    Pairs::new(documents, max_len, &SPECIALS, seed, copy).unwrap()
}

fn all(pairs: &Pairs) -> impl Iterator<Item = Pair<'_>> {
    (0..pairs.len()).map(|i| pairs.get(i))
}

/// A and B, taken apart by the segments; `[CLS]` and the two `[SEP]` stand where they should.
fn segments<'a>(pair: &Pair<'a>) -> (&'a [u32], &'a [u32]) {
    assert_eq!(pair.tokens.len(), pair.segments.len());
    assert!(pair.segments.is_sorted() && pair.segments.iter().all(|&s| s < 2));
    let second = pair.segments.iter().position(|&s| s == 1).unwrap();
    let [cls, a @ .., sep] = &pair.tokens[..second] else {
        panic!("{pair:?}");
    };
    let [b @ .., end] = &pair.tokens[second..] else {
        panic!("{pair:?}");
    };
    assert_eq!(
        [*cls, *sep, *end],
        [SPECIALS.cls, SPECIALS.sep, SPECIALS.sep]
    );
    (a, b)
}

fn document_of(segment: &[u32]) -> u32 {
    segment[0] / 1000 - 1
}

/// `count` of `n` is within four standard deviations of the binomial.
fn assert_share(count: usize, n: usize, p: f64) {
    let n = n as f64;
    let deviation = (count as f64 - n * p) / f64::sqrt(n * p * (1.0 - p));
    assert!(
        deviation.abs() < 4.0,
        "{count} of {n} is {deviation:.1} deviations from {p}"
    );
}

/// One sentence each: there is nothing to draw.
#[test]
fn single_sentences_by_hand() {
    let documents = [vec![vec![10, 11]], vec![], vec![vec![], vec![20]]];
    let pairs = pairs(&documents, 9, 5, 0);
    let expected = [
        Pair {
            tokens: &[2, 10, 11, 3, 20, 3],
            segments: vec![0, 0, 0, 0, 1, 1],
            next: 1,
        },
        Pair {
            tokens: &[2, 20, 3, 10, 11, 3],
            segments: vec![0, 0, 0, 1, 1, 1],
            next: 1,
        },
    ];
    assert_eq!(all(&pairs).collect::<Vec<_>>(), expected);
    assert_eq!((pairs.max_len(), pairs.total_tokens()), (9, 12));
}

/// Two sentences of one token in either document, room for two tokens: every outcome, listed.
#[test]
fn two_sentences_by_hand() {
    let documents = documents(&[&[1, 1], &[1, 1]]);
    let mut follows = 0;
    let mut outcomes = BTreeSet::new();
    for seed in 0..400 {
        let pairs = pairs(&documents, 5, seed, 0);
        let first: Vec<(u32, u32, u32)> = all(&pairs)
            .map(|pair| (pair.tokens[1], pair.tokens[3], pair.next))
            .filter(|&(a, _, _)| a < 2000)
            .collect();
        follows += usize::from(first.len() == 1);
        outcomes.insert(first);
    }
    let mut expected = BTreeSet::from([vec![(1000, 1001, 0)]]);
    for x in [2000, 2001] {
        for y in [2000, 2001] {
            expected.insert(vec![(1000, x, 1), (1001, y, 1)]);
        }
    }
    assert_eq!(outcomes, expected);
    assert_share(follows, 400, 0.5);
}

/// Sentences of one to sixty tokens, some longer than a pair.
#[test]
fn every_pair_is_sound() {
    let lengths: Vec<usize> = (0..300).map(|i| 1 + i * i * 7 % 60).collect();
    let parts: Vec<&[usize]> = lengths.chunks(16).collect();
    let documents = documents(&parts);
    let mut cut = 0;
    for (max_len, copy) in [(5, 0), (6, 1), (20, 2), (64, 3), (128, 4), (512, 5)] {
        let pairs = pairs(&documents, max_len, 1, copy);
        for pair in all(&pairs) {
            assert!(pair.tokens.len() <= max_len);
            let (a, b) = segments(&pair);
            assert!(!a.is_empty() && !b.is_empty());
            for segment in [a, b] {
                assert!(segment.windows(2).all(|w| w[0] + 1 == w[1]), "{segment:?}");
            }
            if pair.next == 0 {
                assert_eq!(document_of(a), document_of(b));
                assert!(a[a.len() - 1] < b[0]);
                cut += usize::from(a[a.len() - 1] + 1 < b[0]);
            } else {
                assert_eq!(pair.next, 1);
                assert_ne!(document_of(a), document_of(b));
            }
        }
    }
    assert!(cut > 0);
}

/// Sentences of one token always fit: so nothing of a document is lost, and nothing is used twice, but for
/// the random segments.
#[test]
fn what_a_pair_leaves_over_begins_the_next() {
    let documents = documents(&[&[1; 500], &[1; 300], &[1; 7]]);
    for copy in 0..10 {
        let mut used = Vec::new();
        for pair in all(&pairs(&documents, 23, 2, copy)) {
            let (a, b) = segments(&pair);
            used.extend_from_slice(a);
            if pair.next == 0 {
                used.extend_from_slice(b);
            }
        }
        assert_eq!(used, documents.concat().concat());
    }
}

/// The coin is fair wherever at least two sentences are left for sure, and the cut is uniform.
#[test]
fn half_of_the_pairs_are_random() {
    let documents = documents(&[&[1; 190], &[1; 190]]);
    let (mut n, mut random) = (0, 0);
    let mut cuts = [0; 4];
    for copy in 0..400 {
        for pair in all(&pairs(&documents, 8, 3, copy)) {
            let (a, b) = segments(&pair);
            // A pair takes five sentences at most; one that has only the last of all is always random.
            if a[0] % 1000 < 185 {
                n += 1;
                random += pair.next as usize;
                if pair.next == 0 && a.len() + b.len() == 5 {
                    cuts[a.len() - 1] += 1;
                }
            }
        }
    }
    assert_share(random, n, 0.5);
    for count in cuts {
        assert_share(count, cuts.iter().sum(), 0.25);
    }
}

/// A tenth of the documents have a target drawn from 2..=20 instead of 20.
#[test]
fn a_tenth_of_the_documents_are_shorter() {
    let documents = documents(&[&[1; 40], &[1; 40]]);
    let (mut n, mut lengths) = (0, [0; 21]);
    for copy in 0..10_000 {
        let pairs = pairs(&documents, 23, 4, copy);
        let first = pairs.get(0);
        if first.next == 0 {
            n += 1;
            lengths[first.tokens.len() - 3] += 1;
        }
    }
    assert_share(lengths[..20].iter().sum(), n, 0.1 * 18.0 / 19.0);
    assert_eq!(lengths[..2], [0, 0]);
    let expected = n as f64 * 0.1 / 19.0;
    let chi2: f64 = (lengths[2..20].iter())
        .map(|&count| (count as f64 - expected).powi(2) / expected)
        .sum();
    // 18 degrees of freedom: mean 18, standard deviation 6.
    assert!(chi2 < 18.0 + 4.0 * 6.0, "{chi2}: {lengths:?}");
}

/// The other document, and where B begins in it, are uniform; it is never the document of A.
#[test]
fn random_segments_are_uniform() {
    let documents = documents(&[&[1; 4], &[1; 4], &[1; 4], &[1; 4]]);
    let mut count = [[[0; 4]; 4]; 4];
    for copy in 0..4000 {
        for pair in all(&pairs(&documents, 5, 6, copy)) {
            let (a, b) = segments(&pair);
            if pair.next == 1 {
                let [from, to] = [a, b].map(|segment| document_of(segment) as usize);
                count[from][to][(b[0] % 1000) as usize] += 1;
            }
        }
    }
    for (from, count) in count.iter().enumerate() {
        let n = count.as_flattened().iter().sum();
        for (to, &cell) in count
            .iter()
            .enumerate()
            .flat_map(|(to, c)| c.iter().map(move |c| (to, c)))
        {
            if from == to {
                assert_eq!(cell, 0);
            } else {
                assert_share(cell, n, 1.0 / 12.0);
            }
        }
    }
}

/// Sentences of 100 tokens and room for 20: ten remain of each, and of the 90 that go from A or from B,
/// about half go from the front. A of 5 and B of 100: A stays whole.
#[test]
fn the_longer_segment_is_cut_at_either_end() {
    let equal = documents(&[&[100], &[100]]);
    let (mut n, mut front) = (0, 0);
    for copy in 0..200 {
        let pairs = pairs(&equal, 23, 7, copy);
        for pair in all(&pairs) {
            let (a, b) = segments(&pair);
            assert_eq!((a.len(), b.len()), (10, 10));
            n += 2 * 90;
            front += (a[0] % 1000 + b[0] % 1000) as usize;
        }
    }
    assert_share(front, n, 0.5);

    let unequal = documents(&[&[5], &[100]]);
    let pairs = pairs(&unequal, 23, 7, 0);
    let (a, b) = segments(&pairs.get(0));
    assert_eq!((a, b.len()), (&unequal[0][0][..], 15));
    let (a, b) = segments(&pairs.get(1));
    assert_eq!((a.len(), b), (15, &unequal[0][0][..]));
    // Of an odd room, A keeps the odd token: B is cut when both are equally long.
    let odd = Pairs::new(&equal, 24, &SPECIALS, 7, 0).unwrap();
    let (a, b) = segments(&odd.get(0));
    assert_eq!((a.len(), b.len()), (11, 10));
}

/// Pairs that begin in a document depend on (seed, copy, its number) and the documents, and nothing else.
#[test]
fn pairs_depend_on_the_key_alone() {
    let documents = documents(&[&[3; 50], &[4; 50], &[5; 50]]);
    let base = pairs(&documents, 32, 1, 2);
    assert_eq!(base, pairs(&documents, 32, 1, 2));
    assert_ne!(base, pairs(&documents, 32, 2, 2));
    assert_ne!(base, pairs(&documents, 32, 1, 3));
    assert_ne!(base, pairs(&documents, 32, 2, 1));

    // Other sentences in the first document do not change the draws of the last one.
    let mut other = documents.clone();
    other[0].iter_mut().flatten().for_each(|id| *id += 500);
    let last = |pairs: &Pairs| -> Vec<(Vec<u32>, u32)> {
        let tokens = all(pairs).map(|pair| (segments(&pair).0.to_vec(), pair.next));
        tokens.filter(|(a, _)| document_of(a) == 2).collect()
    };
    assert_eq!(last(&base), last(&pairs(&other, 32, 1, 2)));
    let mut shorter = documents.clone();
    shorter[0].truncate(9);
    let shorter = pairs(&shorter, 32, 1, 2);
    assert_eq!(last(&base)[0], last(&shorter)[0]);
    // A blank document keeps its number: the cut of the first pair after it stays.
    let mut blank = documents.clone();
    blank[1].clear();
    for copy in 0..8 {
        let [full, blank] = [&documents, &blank].map(|d| last(&pairs(d, 32, 1, copy))[0].0.clone());
        assert_eq!(full, blank);
    }
}

/// Pinned: another version of the random crates must not silently change the pairs of a stored run.
#[test]
fn the_pairs_are_pinned() {
    let documents = documents(&[&[2, 3, 4, 2], &[3, 3, 3]]);
    let pairs = pairs(&documents, 12, 1, 2);
    let found: Vec<(Vec<u32>, u32)> = all(&pairs)
        .map(|pair| (pair.tokens.to_vec(), pair.next))
        .collect();
    let expected = [
        (
            vec![
                2, 1000, 1001, 1002, 1003, 1004, 3, 2005, 2006, 2007, 2008, 3,
            ],
            1,
        ),
        (vec![2, 1005, 1006, 1007, 1008, 3, 1009, 1010, 3], 0),
        (
            vec![2, 2000, 2001, 2002, 3, 1000, 1001, 1002, 1003, 1004, 3],
            1,
        ),
        (
            vec![2, 2003, 2004, 2005, 3, 1000, 1001, 1002, 1003, 1004, 3],
            1,
        ),
        (vec![2, 2006, 2007, 2008, 3, 1009, 1010, 3], 1),
    ];
    assert_eq!(found, expected);
}

#[test]
fn pairs_without_an_ordinary_token_are_dropped() {
    let documents = [
        vec![vec![SPECIALS.unk, SPECIALS.unk]],
        vec![vec![SPECIALS.unk]],
    ];
    let error = Pairs::new(&documents, 9, &SPECIALS, 0, 0).unwrap_err();
    assert!(matches!(error, Error::NoSequence { needed: 1 }));

    let documents = [vec![vec![1]], vec![vec![1]], vec![vec![7]]];
    let mut found = BTreeSet::new();
    for copy in 0..20 {
        found.extend(all(&pairs(&documents, 9, 0, copy)).map(|pair| pair.tokens.to_vec()));
    }
    assert_eq!(
        found,
        BTreeSet::from([vec![2, 1, 3, 7, 3], vec![2, 7, 3, 1, 3]])
    );
}

#[test]
fn a_single_document_is_an_error() {
    for documents in [
        vec![],
        documents(&[&[3, 4]]),
        documents(&[&[3, 4], &[], &[0, 0]]),
    ] {
        let error = Pairs::new(&documents, 9, &SPECIALS, 0, 0).unwrap_err();
        assert!(matches!(error, Error::NoOtherDocument { .. }), "{error}");
    }
    let error = Pairs::new(&documents(&[&[3], &[4]]), 4, &SPECIALS, 0, 0).unwrap_err();
    assert!(matches!(
        error,
        Error::Setting {
            name: "max_len",
            ..
        }
    ));
}

#[test]
fn a_batch_of_pairs_by_hand() {
    let pairs = pairs(&[vec![vec![10, 11]], vec![vec![20]]], 7, 5, 0);
    let masking = Masking {
        rate: 1.0,
        mask: 1.0,
        random: 0.0,
        ..Masking::default()
    };
    let masker = Masker::new(masking, SPECIALS, 100).unwrap();
    let batch = masker.pair_batch(&pairs, &[1, 0], 0, Purpose::MASK, 0);
    assert_eq!((batch.batch_size, batch.seq_len), (2, 7));
    assert_eq!(batch.tokens, [2, 4, 3, 4, 4, 3, 0, 2, 4, 4, 3, 4, 3, 0]);
    let real = [true, true, true, true, true, true, false];
    assert_eq!(batch.real, [real, real].concat());
    assert_eq!(batch.positions, [1, 3, 4, 8, 9, 11]);
    assert_eq!(batch.labels, [20, 10, 11, 10, 11, 20]);
    assert_eq!(
        batch.segments.unwrap(),
        [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0]
    );
    assert_eq!(batch.next.unwrap(), [1, 1]);
}

/// Row 2 of a batch is the batch of its pair alone, labels and all.
#[test]
fn a_row_does_not_depend_on_its_batch() {
    let pairs = pairs(&documents(&[&[3; 50], &[4; 50]]), 32, 1, 0);
    let masker = Masker::new(Masking::default(), SPECIALS, 3000).unwrap();
    let batch =
        |indices: &[usize], step| masker.pair_batch(&pairs, indices, 9, Purpose::MASK, step);
    let base = batch(&[4, 0, 7, 2], 3);
    let alone = batch(&[7], 3);
    assert_eq!(alone.tokens, base.tokens[64..96]);
    assert_eq!(
        alone.segments.unwrap(),
        base.segments.as_ref().unwrap()[64..96]
    );
    let next: Vec<u32> = [4, 0, 7, 2].map(|i| pairs.get(i).next).to_vec();
    assert_eq!(base.next.as_ref(), Some(&next));
    assert!(
        next.contains(&0) && next.contains(&1),
        "both labels: {next:?}"
    );
    assert_ne!(base.tokens, batch(&[4, 0, 7, 2], 4).tokens);
}

#[test]
fn copies_stand_one_after_another() {
    let documents = documents(&[&[3, 4, 5, 6], &[2, 2, 9, 1], &[7, 3, 3]]);
    let joined = Pairs::copies(&documents, 16, &SPECIALS, 5, 3).unwrap();
    let single: Vec<Pairs> = (0..3).map(|copy| pairs(&documents, 16, 5, copy)).collect();
    let expected: Vec<Pair> = single.iter().flat_map(all).collect();
    assert_eq!(all(&joined).collect::<Vec<_>>(), expected);
    let none = Pairs::copies(&documents, 16, &SPECIALS, 5, 0);
    assert!(matches!(none, Err(Error::Setting { name: "copies", .. })));
}
