//! Real weights, read and run: sentence vectors of all-MiniLM-L6-v2 (six layers, 22.7 million parameters).
//!
//! Oracle: `reference/bert/minilm.py`, transformers in `f64` (its versions, and the checksum of the weights, stand in
//! `reference/bert/minilm.json`). The weights are not in this repository; the generator says where they are. The test
//! runs by
//!
//! ```text
//! ACCLIP_MINILM=FOLDER cargo test --release --workspace --test minilm -- --ignored
//! ```

use acclip_data::Tokenizer;
use acclip_models::{Backend, Bert, Head, Real};
use acclip_train::{Pretrained, read_bert};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const GOLDEN: &str = include_str!("../../../reference/bert/minilm.json");

/// The vectors of `sentences` of ids, (N, H): the mean of the last hidden states, of norm 1.
fn vectors<F: Real>(found: &Pretrained, sentences: &[Vec<u32>], pad: u32) -> Vec<Vec<f64>> {
    let bert = Bert::new(found.config.clone(), &Backend::Flex.device().unwrap()).unwrap();
    let params: Vec<F> = (found.params.iter())
        .map(|x| F::of(f64::from(*x)))
        .collect();
    let length = sentences.iter().map(Vec::len).max().unwrap();
    let (mut tokens, mut real) = (Vec::new(), Vec::new());
    for ids in sentences {
        let padding = length - ids.len();
        tokens.extend(ids.iter().copied().chain(std::iter::repeat_n(pad, padding)));
        real.extend((0..length).map(|t| t < ids.len()));
    }
    let batch = sentences.len();
    let hidden = bert
        .encode(&Arc::new(params), &tokens, None, &real, batch, length)
        .unwrap();
    let width = found.config.hidden;
    let vector = |(ids, hidden): (&Vec<u32>, &[F])| {
        let mut mean = vec![0.0; width];
        for h in hidden.chunks(width).take(ids.len()) {
            for (mean, h) in mean.iter_mut().zip(h) {
                *mean += F::f64(*h);
            }
        }
        let norm = mean.iter().map(|x| x * x).sum::<f64>().sqrt();
        mean.iter().map(|x| x / norm).collect()
    };
    let rows = hidden.chunks(length * width);
    sentences.iter().zip(rows).map(vector).collect()
}

/// `f64`: to the ten digits that the file holds. `f32`: entries are about 0.05, of which 1e-6 is 2e-5.
#[test]
#[ignore = "needs the weights, in the folder that ACCLIP_MINILM names"]
fn sentence_vectors() {
    let folder =
        std::env::var("ACCLIP_MINILM").expect("ACCLIP_MINILM names the folder of the weights");
    let found = read_bert(&PathBuf::from(&folder), Head::MaskedLm, 1).unwrap();
    assert!(found.vocab.starts_with(Path::new(&folder)));
    assert_eq!(found.unused.len(), 2, "the pooler: {:?}", found.unused);
    assert_eq!(found.fresh.len(), 5, "the head: {:?}", found.fresh);

    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let sentences: Vec<String> = serde_json::from_value(golden["sentences"].clone()).unwrap();
    let ids: Vec<Vec<u32>> = serde_json::from_value(golden["input_ids"].clone()).unwrap();
    let expected: Vec<Vec<f64>> = serde_json::from_value(golden["vectors"].clone()).unwrap();
    let tokenizer = Tokenizer::load(&found.vocab).unwrap();
    let specials = tokenizer.specials();
    for (sentence, ids) in sentences.iter().zip(&ids) {
        let own = tokenizer.encode(sentence).unwrap();
        let own = [&[specials.cls], &own[..], &[specials.sep]].concat();
        assert_eq!(&own, ids, "{sentence}");
    }
    let largest = |found: &[Vec<f64>]| -> f64 {
        assert_eq!(found.len(), expected.len());
        let pairs = found.iter().flatten().zip(expected.iter().flatten());
        pairs.map(|(x, y)| (x - y).abs()).fold(0.0, f64::max)
    };
    let wide = largest(&vectors::<f64>(&found, &ids, specials.pad));
    let narrow = largest(&vectors::<f32>(&found, &ids, specials.pad));
    println!("largest error of an entry: {wide:e} in f64, {narrow:e} in f32");
    assert!(wide < 1e-9, "{wide:e}");
    assert!(narrow < 1e-6, "{narrow:e}");
}
