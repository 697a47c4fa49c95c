//! Masked batches: shape, shares, and what the masks depend on.

use acclip_data::{Error, Masker, Masking, Purpose, Sequences, Specials};

const SPECIALS: Specials = Specials {
    pad: 0,
    unk: 1,
    cls: 2,
    sep: 3,
    mask: 4,
};
const VOCAB_SIZE: usize = 1000;
const MAX_LEN: usize = 64;

/// Sequences of 64, …, 64, then one of 10 + 2: ids from 5 on, and an [UNK] in every tenth place.
fn sequences(windows: u32) -> Sequences {
    let ids = 0..windows * 62 + 10;
    let document = ids
        .map(|i| {
            if i % 10 == 0 {
                SPECIALS.unk
            } else {
                5 + i * 7 % 995
            }
        })
        .collect();
    Sequences::new(&[document], MAX_LEN, &SPECIALS).unwrap()
}

fn masker(masking: Masking) -> Masker {
    Masker::new(masking, SPECIALS, VOCAB_SIZE).unwrap()
}

fn settings(rate: f64, mask: f64, random: f64) -> Masking {
    Masking {
        rate,
        mask,
        random,
        ..Masking::default()
    }
}

/// The shape of a batch, by hand: B = 2 sequences of T = 5 tokens, all masked.
#[test]
fn everything_masked_by_hand() {
    let documents = [vec![10, 11, 12], vec![13, 14, 15]];
    let sequences = Sequences::new(&documents, 5, &SPECIALS).unwrap();
    assert_eq!(sequences.len(), 2);
    let full = masker(settings(1.0, 1.0, 0.0));
    let batch = full.batch(&sequences, &[1, 0], 0, Purpose::MASK, 0);
    assert_eq!(batch.tokens, [2, 4, 4, 4, 3, 2, 4, 4, 4, 3]);
    assert_eq!(batch.real, [true; 10]);
    assert_eq!(batch.positions, [1, 2, 3, 6, 7, 8]);
    assert_eq!(batch.labels, [13, 14, 15, 10, 11, 12]);
}

#[test]
fn padding_by_hand() {
    let document = vec![10, 11, 12, 13, 14, 15, 16, 17, 1];
    let sequences = Sequences::new(&[document], 13, &SPECIALS).unwrap();
    let batch = masker(settings(1.0, 0.0, 0.0)).batch(&sequences, &[0], 0, Purpose::MASK, 0);
    assert_eq!((batch.batch_size, batch.seq_len), (1, 13));
    assert_eq!(
        batch.tokens,
        [2, 10, 11, 12, 13, 14, 15, 16, 17, 1, 3, 0, 0]
    );
    assert_eq!(batch.real, [[true; 11].as_slice(), &[false; 2]].concat());
    assert_eq!(batch.positions, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(batch.labels, [10, 11, 12, 13, 14, 15, 16, 17]);
}

/// A (sequence, position) seen from outside: labels are the true ids, the rest is untouched, and
/// nothing special or padded is ever chosen.
#[test]
fn only_ordinary_tokens_are_chosen_and_the_rest_is_untouched() {
    let sequences = sequences(20);
    let indices: Vec<usize> = (0..sequences.len()).collect();
    let masker = masker(Masking::default());
    for step in 0..50 {
        let batch = masker.batch(&sequences, &indices, 3, Purpose::MASK, step);
        assert!(batch.positions.is_sorted_by(|a, b| a < b));
        assert_eq!(batch.positions.len(), batch.labels.len());
        let mut label_at = vec![None; batch.tokens.len()];
        for (&place, &label) in batch.positions.iter().zip(&batch.labels) {
            label_at[place as usize] = Some(label);
        }
        for (b, &index) in indices.iter().enumerate() {
            let sequence = sequences.get(index);
            let mut chosen = 0;
            for t in 0..MAX_LEN {
                let place = b * MAX_LEN + t;
                let (seen, label) = (batch.tokens[place], label_at[place]);
                assert_eq!(batch.real[place], t < sequence.len());
                let Some(&id) = sequence.get(t) else {
                    assert_eq!((seen, label), (SPECIALS.pad, None));
                    continue;
                };
                match label {
                    None => assert_eq!(seen, id),
                    Some(label) => {
                        assert_eq!(label, id);
                        assert!(!SPECIALS.contains(id));
                        assert!(seen == SPECIALS.mask || !SPECIALS.contains(seen));
                        chosen += 1;
                    }
                }
            }
            // Exactly round(0.15 n): n = 55 or 56 → 8, and n = 9 → 1.
            assert_eq!(chosen, if sequence.len() == MAX_LEN { 8 } else { 1 });
        }
    }
}

/// k = round(rate · n) by hand for n = 9: 0.3 · 9 = 2.7 → 3, 0.25 · 9 = 2.25 → 2, 0.5 · 9 = 4.5 → 5.
#[test]
fn the_number_of_labels_is_rounded() {
    let sequences = sequences(2);
    assert_eq!(sequences.get(2).len(), 12);
    for (rate, count) in [(0.3, 3), (0.25, 2), (0.5, 5), (1.0, 9)] {
        let masker = masker(settings(rate, 0.8, 0.1));
        let batch = masker.batch(&sequences, &[2], 0, Purpose::MASK, 0);
        assert_eq!(batch.labels.len(), count, "rate {rate}");
    }
}

#[test]
fn at_least_one_is_masked_however_small_the_rate() {
    let sequences = sequences(2);
    let batch = masker(settings(1e-9, 0.8, 0.1)).batch(&sequences, &[0, 1, 2], 0, Purpose::MASK, 0);
    let rows: Vec<u32> = batch
        .positions
        .iter()
        .map(|place| place / MAX_LEN as u32)
        .collect();
    assert_eq!(rows, [0, 1, 2]);
}

/// 80 / 10 / 10 over n = 160,800 labels, within four standard deviations of the binomial,
/// and every place of a sequence equally often.
#[test]
fn shares_are_eighty_ten_ten() {
    let sequences = sequences(20);
    let indices: Vec<usize> = (0..20).collect();
    let masker = masker(Masking::default());
    let (mut n, mut masked, mut kept, mut random) = (0.0, 0.0, 0.0, 0.0);
    let mut chosen_at = [0.0; MAX_LEN];
    let mut ordinary_at = [0.0; MAX_LEN];
    for step in 0..1005 {
        let batch = masker.batch(&sequences, &indices, 11, Purpose::MASK, step);
        for (&place, &label) in batch.positions.iter().zip(&batch.labels) {
            n += 1.0;
            chosen_at[place as usize % MAX_LEN] += 1.0;
            match batch.tokens[place as usize] {
                id if id == SPECIALS.mask => masked += 1.0,
                id if id == label => kept += 1.0,
                _ => random += 1.0,
            }
        }
        for &index in &indices {
            for (t, &id) in sequences.get(index).iter().enumerate() {
                // 8 of the 55 or 56 ordinary tokens.
                let ordinary = sequences
                    .get(index)
                    .iter()
                    .filter(|&&id| !SPECIALS.contains(id))
                    .count();
                ordinary_at[t] += if SPECIALS.contains(id) {
                    0.0
                } else {
                    8.0 / ordinary as f64
                };
            }
        }
    }
    assert_eq!(n, 160_800.0);
    // One random replacement in 995 happens to be the token itself and looks kept.
    let same = 0.1 / 995.0;
    for (count, p) in [(masked, 0.8), (kept, 0.1 + same), (random, 0.1 - same)] {
        let deviation = (count - n * p) / f64::sqrt(n * p * (1.0 - p));
        assert!(
            deviation.abs() < 4.0,
            "{count} of {n} is {deviation:.1} deviations from {p}"
        );
    }
    for t in 1..MAX_LEN - 1 {
        let deviation = (chosen_at[t] - ordinary_at[t]) / f64::sqrt(ordinary_at[t]);
        assert!(
            deviation.abs() < 4.5,
            "place {t}: {} chosen, {} expected",
            chosen_at[t],
            ordinary_at[t]
        );
    }
}

/// Replacements: n = 16,080 or so draws from 995 ordinary ids, uniform by a χ² test.
#[test]
fn random_tokens_are_uniform_over_the_ordinary_ones() {
    let sequences = sequences(20);
    let indices: Vec<usize> = (0..20).collect();
    let masker = masker(settings(1.0, 0.0, 1.0));
    let mut count = [0.0f64; VOCAB_SIZE];
    let mut n = 0.0;
    for step in 0..100 {
        let batch = masker.batch(&sequences, &indices, 1, Purpose::MASK, step);
        for &place in &batch.positions {
            count[batch.tokens[place as usize] as usize] += 1.0;
            n += 1.0;
        }
    }
    assert_eq!(count[..5], [0.0; 5]);
    let expected = n / 995.0;
    let chi2: f64 = count[5..]
        .iter()
        .map(|c| (c - expected).powi(2) / expected)
        .sum();
    // 994 degrees of freedom: mean 994, standard deviation √1988 = 44.6.
    assert!((chi2 - 994.0).abs() < 4.0 * 44.6, "chi² = {chi2}");
}

/// The masks depend on the key and the sequence, and on nothing else.
#[test]
fn masks_depend_on_the_key_alone() {
    let sequences = sequences(8);
    let masker = masker(Masking::default());
    let batch = |indices: &[usize], seed, purpose, step| {
        masker.batch(&sequences, indices, seed, purpose, step)
    };
    let base = batch(&[0, 1, 2, 3], 5, Purpose::MASK, 9);
    assert_eq!(base, batch(&[0, 1, 2, 3], 5, Purpose::MASK, 9));
    assert_ne!(base, batch(&[0, 1, 2, 3], 6, Purpose::MASK, 9));
    assert_ne!(base, batch(&[0, 1, 2, 3], 5, Purpose::VALID, 9));
    assert_ne!(base, batch(&[0, 1, 2, 3], 5, Purpose::MASK, 10));

    // Sequence 2 alone is row 2 of the batch.
    let alone = batch(&[2], 5, Purpose::MASK, 9);
    assert_eq!(alone.tokens, base.tokens[2 * MAX_LEN..3 * MAX_LEN]);
    // Two sequences of equal length are masked at different places.
    let places = |b: usize| -> Vec<u32> {
        let row = (b * MAX_LEN) as u32..((b + 1) * MAX_LEN) as u32;
        base.positions
            .iter()
            .filter(|p| row.contains(p))
            .map(|p| p - row.start)
            .collect()
    };
    assert_ne!(places(0), places(1));
}

/// Pinned: another version of the random crates must not silently change the masks of a stored run.
#[test]
fn the_masks_are_pinned() {
    let batch = masker(settings(0.15, 0.4, 0.4)).batch(&sequences(1), &[0], 1, Purpose::MASK, 2);
    assert_eq!(batch.positions, [3, 14, 17, 18, 23, 33, 40, 47]);
    let seen: Vec<u32> = batch
        .positions
        .iter()
        .map(|&p| batch.tokens[p as usize])
        .collect();
    assert_eq!(seen, [175, 4, 696, 191, 159, 229, 4, 4]);
}

#[test]
fn settings_out_of_range_are_errors() {
    let name = |masking, vocab_size| match Masker::new(masking, SPECIALS, vocab_size) {
        Err(Error::Setting { name, .. }) => name,
        Err(other) => panic!("{other}"),
        Ok(_) => "ok",
    };
    assert_eq!(name(Masking::default(), VOCAB_SIZE), "ok");
    assert_eq!(name(settings(1.0, 0.5, 0.5), VOCAB_SIZE), "ok");
    for rate in [0.0, -0.1, 1.1, f64::NAN] {
        assert_eq!(name(settings(rate, 0.8, 0.1), VOCAB_SIZE), "masking.rate");
    }
    for mask in [-0.1, 1.1, f64::NAN] {
        assert_eq!(name(settings(0.15, mask, 0.0), VOCAB_SIZE), "masking.mask");
    }
    for random in [-0.1, 0.3, f64::NAN] {
        assert_eq!(
            name(settings(0.15, 0.8, random), VOCAB_SIZE),
            "masking.random"
        );
    }
    assert_eq!(name(Masking::default(), 5), "vocab_size");
}
