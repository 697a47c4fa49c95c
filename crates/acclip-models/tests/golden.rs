//! The model against Hugging Face's `BertForMaskedLM` in f64: logits are compared through the loss,
//! and the gradient of every parameter entry by entry, for the three architectures of the ablation.
//!
//! Oracle: `reference/bert/generate.py` (its versions stand in `reference/bert/golden.json`).
//! There a wrong epsilon (1e-7), GELU (tanh), variance (unbiased) or mask moves a gradient by 2.6e-6
//! or more; the tolerance here is 1e-11.

use acclip_models::{Backend, Bert, BertConfig, Head, Input, MaskedBatch};
use safetensors::SafeTensors;
use std::sync::Arc;

const GOLDEN: &[u8] = include_bytes!("../../../reference/bert/golden.safetensors");
const TOLERANCE: f64 = 1e-11;

fn config(attention: bool) -> BertConfig {
    BertConfig {
        vocab_size: 29,
        hidden: 16,
        layers: 2,
        heads: 4,
        feed_forward: 24,
        max_len: 12,
        segments: 2,
        dropout: 0.0,
        attention,
        layer_norm_eps: 1e-12,
        head: Head::MaskedLm,
    }
}

fn f64s(file: &SafeTensors, name: &str) -> Vec<f64> {
    let view = file.tensor(name).unwrap();
    let bytes = view.data().as_chunks::<8>().0;
    bytes.iter().map(|b| f64::from_le_bytes(*b)).collect()
}

fn ids(file: &SafeTensors, name: &str) -> Vec<i64> {
    let view = file.tensor(name).unwrap();
    let bytes = view.data().as_chunks::<8>().0;
    bytes.iter().map(|b| i64::from_le_bytes(*b)).collect()
}

/// Loss and gradient of one case beside the oracle's, which must agree to `TOLERANCE`.
fn check(case: &str, attention: bool, vectors: Option<&str>) {
    let file = SafeTensors::deserialize(GOLDEN).unwrap();
    let config = config(attention);
    let bert = Bert::new(config, &Backend::Flex.device().unwrap()).unwrap();
    let params: Vec<f64> = bert
        .parameters()
        .iter()
        .flat_map(|p| f64s(&file, &format!("param/{}", p.name)))
        .collect();
    let params = Arc::new(params);

    let tokens: Vec<u32> = ids(&file, "input_ids").iter().map(|&i| i as u32).collect();
    let segments: Vec<u32> = ids(&file, "token_type_ids")
        .iter()
        .map(|&i| i as u32)
        .collect();
    let real: Vec<bool> = ids(&file, "attention_mask")
        .iter()
        .map(|&i| i == 1)
        .collect();
    let (positions, labels): (Vec<u32>, Vec<u32>) = ids(&file, "labels")
        .iter()
        .enumerate()
        .filter(|(_, label)| **label >= 0)
        .map(|(i, label)| (i as u32, *label as u32))
        .unzip();
    let vectors = vectors.map(|name| f64s(&file, name));
    let batch = MaskedBatch {
        batch: 3,
        length: 10,
        input: match &vectors {
            Some(x) => Input::Vectors(x),
            None => Input::Tokens(&tokens),
        },
        segments: Some(&segments),
        real: &real,
        positions: &positions,
        labels: &labels,
        next: None,
    };

    let forward = bert.forward(&params, &batch, None).unwrap();
    let expected = f64s(&file, &format!("{case}loss"))[0];
    assert!(
        (forward.loss - expected).abs() < TOLERANCE,
        "{} for {expected}",
        forward.loss
    );
    let evaluation = bert.evaluate(&params, &batch).unwrap();
    assert!(
        (evaluation.loss - expected).abs() < TOLERANCE,
        "{evaluation:?}"
    );
    let logits = f64s(&file, &format!("{case}logits"));
    let hits = logits.chunks(29).zip(&labels).filter(|(row, label)| {
        let top = row.iter().cloned().fold(f64::MIN, f64::max);
        row[**label as usize] == top
    });
    assert_eq!(
        (evaluation.correct, evaluation.losses.len()),
        (hits.count(), 6)
    );
    let mean = evaluation.losses.iter().sum::<f64>() / 6.0;
    assert!((mean - evaluation.loss).abs() < 1e-12, "{mean}");

    let mut grad = vec![f64::NAN; params.len()];
    forward.backward(&mut grad).unwrap();
    let mut rest = &grad[..];
    for parameter in bert.parameters() {
        let (got, tail) = rest.split_at(parameter.len());
        rest = tail;
        let expected = f64s(&file, &format!("{case}grad/{}", parameter.name));
        assert_eq!(got.len(), expected.len());
        for (i, (g, e)) in got.iter().zip(&expected).enumerate() {
            assert!(
                (g - e).abs() < TOLERANCE,
                "{}[{i}]: {g} for {e}",
                parameter.name
            );
        }
    }
}

#[test]
fn attention_on_tokens() {
    check("", true, None);
}

#[test]
fn attention_free_twin() {
    check("free/", false, None);
}

#[test]
fn attention_on_gaussian_vectors() {
    check("gauss/", true, Some("gauss/x"));
}
