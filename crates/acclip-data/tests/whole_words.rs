//! Masking by whole words, and the cap on the labels.

use acclip_data::{
    Error, MaskedBatch, Masker, Masking, Pairs, Purpose, Sequences, Specials, Tokenizer,
};
use std::fs;

const SPECIALS: Specials = Specials {
    pad: 0,
    unk: 1,
    cls: 2,
    sep: 3,
    mask: 4,
};

/// Ids: a 5, b 6, c 7, ##x 8, ##y 9; `##` alone, 10, is a word.
fn tokenizer() -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vocab.txt");
    fs::write(
        &path,
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n##x\n##y\n##\n",
    )
    .unwrap();
    Tokenizer::load(path).unwrap()
}

fn masker(rate: f64, max_predictions: Option<usize>) -> Masker {
    let masking = Masking {
        rate,
        whole_words: true,
        max_predictions,
        ..Masking::default()
    };
    Masker::for_tokenizer(masking, &tokenizer()).unwrap()
}

fn batch(masker: &Masker, ids: &[u32], step: u64) -> MaskedBatch {
    let sequences = Sequences::new(&[ids.to_vec()], ids.len() + 2, &SPECIALS).unwrap();
    masker.batch(&sequences, &[0], 3, Purpose::MASK, step)
}

#[test]
fn continuations_begin_with_two_signs() {
    let tokenizer = tokenizer();
    let found: Vec<u32> = (0..20).filter(|&id| tokenizer.continues_word(id)).collect();
    assert_eq!(found, [8, 9]);
    assert_eq!(tokenizer.specials(), SPECIALS);
}

/// n = 10, k = 5: the places chosen are whole words, and no other word would have found room.
#[test]
fn words_are_chosen_whole() {
    // Places 1 to 10: axy, b, cx, a, byy
    let ids = [5, 8, 9, 6, 7, 8, 5, 6, 9, 9];
    let words: [&[u32]; 5] = [&[1, 2, 3], &[4], &[5, 6], &[7], &[8, 9, 10]];
    let masker = masker(0.5, None);
    let mut chosen = [0.0; 5];
    const STEPS: u64 = 6000;
    for step in 0..STEPS {
        let batch = batch(&masker, &ids, step);
        let whole: Vec<bool> = (words.iter())
            .map(|word| {
                let count = word.iter().filter(|p| batch.positions.contains(p)).count();
                assert!(count == 0 || count == word.len(), "{:?}", batch.positions);
                count > 0
            })
            .collect();
        let room = 5 - batch.positions.len();
        for (i, word) in words.iter().enumerate() {
            assert!(whole[i] || word.len() > room, "{:?}", batch.positions);
            chosen[i] += f64::from(u8::from(whole[i])) / STEPS as f64;
        }
        let labels: Vec<u32> = batch
            .positions
            .iter()
            .map(|&p| ids[p as usize - 1])
            .collect();
        assert_eq!(batch.labels, labels);
    }
    // In so many of the 120 orders of five words does each find room (a loop over all orders).
    for (share, orders) in chosen.iter().zip([46.0, 92.0, 56.0, 92.0, 46.0]) {
        let p = orders / 120.0;
        let deviation = (share - p) / f64::sqrt(p * (1.0 - p) / STEPS as f64);
        assert!(deviation.abs() < 4.0, "{chosen:?}");
    }
}

/// What becomes of a word's tokens is drawn for each: of 4000 words, 0.8² are masked in both.
#[test]
fn the_tokens_of_a_word_are_replaced_each_on_its_own() {
    let masker = masker(1.0, None);
    let (mut n, mut both) = (0.0, 0.0);
    for step in 0..1000 {
        let batch = batch(&masker, &[5, 8, 6, 9, 7, 8, 5, 9], step);
        assert_eq!(batch.positions.len(), 8);
        for word in batch.tokens[1..9].chunks(2) {
            n += 1.0;
            both += f64::from(u8::from(word == [4, 4]));
        }
    }
    let deviation = (both - 0.64 * n) / f64::sqrt(n * 0.64 * 0.36);
    assert!(deviation.abs() < 4.0, "{both} of {n}");
}

/// k = 1, 2 and 3 of words of three: their first k tokens, and either word as often.
#[test]
fn a_word_longer_than_the_budget_gives_its_first_tokens() {
    let ids = [5, 8, 9, 6, 8, 8, 7, 8, 9];
    for (rate, k) in [(0.01, 1), (0.22, 2), (0.33, 3)] {
        let masker = masker(rate, None);
        let mut first = [0; 3];
        for step in 0..300 {
            let positions = batch(&masker, &ids, step).positions;
            let start = positions[0];
            assert_eq!(positions, (start..start + k).collect::<Vec<_>>());
            first[(start as usize - 1) / 3] += 1;
            assert_eq!(start % 3, 1);
        }
        // 300 · 1/3 = 100, with deviation 8.2.
        assert!(first.iter().all(|&n| (67..=133).contains(&n)), "{first:?}");
    }
}

/// A continuation behind [CLS], [SEP] or [UNK] begins a word.
#[test]
fn words_do_not_reach_over_special_tokens() {
    let documents = [vec![vec![5]], vec![vec![8]]];
    let pairs = Pairs::new(&documents, 5, &SPECIALS, 0, 0).unwrap();
    assert_eq!(pairs.get(0).tokens, [2, 5, 3, 8, 3]);
    let masker = masker(0.5, None); // k = 1 of n = 2
    let mut seen = [0; 5];
    for step in 0..100 {
        let batch = masker.pair_batch(&pairs, &[0], 0, Purpose::MASK, step);
        assert_eq!(batch.positions.len(), 1);
        seen[batch.positions[0] as usize] += 1;
    }
    assert!(seen[1] > 20 && seen[3] > 20, "{seen:?}");

    let ids = [8, 1, 9, 5, 1, 8, 6, 6, 6, 6];
    let one = self::masker(0.1, None); // k = 1 of n = 8
    let mut places = [0; 12];
    for step in 0..400 {
        let batch = batch(&one, &ids, step);
        assert_eq!(batch.positions.len(), 1);
        places[batch.positions[0] as usize] += 1;
    }
    // Eight words of one token: 50 each, with deviation 6.6.
    for (place, &n) in places.iter().enumerate() {
        let is_word = ![0, 2, 5, 11].contains(&place);
        assert!(
            if is_word {
                (23..=77).contains(&n)
            } else {
                n == 0
            },
            "{places:?}"
        );
    }
}

#[test]
fn the_cap_bounds_the_labels_of_each_sequence() {
    let ids = [5; 20];
    for (whole_words, cap, expected) in [
        (false, None, 10),
        (false, Some(3), 3),
        (false, Some(11), 10),
        (true, Some(3), 3),
        (true, None, 10),
    ] {
        let masking = Masking {
            rate: 0.5,
            whole_words,
            max_predictions: cap,
            ..Masking::default()
        };
        let masker = Masker::for_tokenizer(masking, &tokenizer()).unwrap();
        assert_eq!(batch(&masker, &ids, 0).labels.len(), expected);
    }
}

/// Without whole words, a tokenizer changes nothing.
#[test]
fn a_tokenizer_changes_nothing_for_single_tokens() {
    let tokenizer = tokenizer();
    let plain = Masker::new(Masking::default(), SPECIALS, 11).unwrap();
    let same = Masker::for_tokenizer(Masking::default(), &tokenizer).unwrap();
    let ids = [5, 8, 9, 6, 7, 8, 5, 6, 9, 9];
    for step in 0..20 {
        assert_eq!(batch(&plain, &ids, step), batch(&same, &ids, step));
    }
}

#[test]
fn settings_out_of_range_are_errors() {
    for (whole_words, max_predictions, expected) in [
        (true, None, "masking.whole_words"),
        (false, Some(0), "masking.max_predictions"),
    ] {
        let masking = Masking {
            whole_words,
            max_predictions,
            ..Masking::default()
        };
        let error = Masker::new(masking, SPECIALS, 11).unwrap_err();
        assert!(matches!(error, Error::Setting { name, .. } if name == expected));
    }
    let settings: Masking =
        serde_json::from_str(r#"{"rate": 0.2, "max_predictions": 20}"#).unwrap();
    assert_eq!(
        (settings.max_predictions, settings.whole_words),
        (Some(20), false)
    );
}
