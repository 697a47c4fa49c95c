//! A whole BERT in its two forms, and on any number of threads.

use super::{assert_close, flex, numbers};
use crate::{Bert, BertConfig, Head, Input, MaskedBatch, Real, len};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// Sequences of ids with segments and padding; of which about every fifth position is masked.
struct Example {
    batch: usize,
    length: usize,
    tokens: Vec<u32>,
    segments: Vec<u32>,
    real: Vec<bool>,
    positions: Vec<u32>,
    labels: Vec<u32>,
}

impl Example {
    fn new(batch: usize, length: usize, vocabulary: usize) -> Self {
        let n = batch * length;
        let token = |i: usize| (i * i * 7919 % vocabulary) as u32;
        Self {
            batch,
            length,
            tokens: (0..n).map(token).collect(),
            segments: (0..n).map(|i| u32::from(i % length > 3)).collect(),
            real: (0..n).map(|i| i < n - 3).collect(),
            positions: (0..n as u32).filter(|i| i * i % 5 == 1).collect(),
            labels: (0..n)
                .filter(|i| i * i % 5 == 1)
                .map(|i| token(i + 9))
                .collect(),
        }
    }

    fn masked<'a, F>(&'a self, vectors: Option<&'a [F]>) -> MaskedBatch<'a, F> {
        MaskedBatch {
            batch: self.batch,
            length: self.length,
            input: vectors.map_or(Input::Tokens(&self.tokens), Input::Vectors),
            segments: Some(&self.segments),
            real: &self.real,
            positions: &self.positions,
            labels: &self.labels,
            next: None,
        }
    }
}

fn config(attention: bool) -> BertConfig {
    BertConfig {
        vocab_size: 101,
        hidden: 20,
        layers: 2,
        heads: 5, // of width 4, as in `pairs::attention`
        feed_forward: 37,
        max_len: 40,
        segments: 2,
        dropout: 0.2,
        attention,
        layer_norm_eps: 1e-12,
        head: Head::MaskedLm,
    }
}

/// The loss, and then its gradient.
fn run<F: Real>(bert: &Bert, example: &Example, tokens: bool) -> Vec<F> {
    // Initial weights, and something to each: gains and biases, too.
    let start: Vec<f32> = bert.config().init(&mut ChaCha8Rng::seed_from_u64(2));
    let moved = start.iter().zip(numbers::<f32>(len(bert.parameters()), 3));
    let params = moved
        .map(|(x, noise)| F::of(f64::from(x + 0.05 * noise)))
        .collect();
    let vectors = numbers(example.tokens.len() * bert.config().hidden, 4);
    let batch = example.masked((!tokens).then_some(&vectors[..]));
    let mut masks = ChaCha8Rng::seed_from_u64(5);
    let forward = bert
        .forward(&Arc::new(params), &batch, Some(&mut masks))
        .unwrap();
    let mut all = vec![F::of(7.0); len(bert.parameters())];
    let loss = F::of(forward.loss);
    forward.backward(&mut all).unwrap();
    all.insert(0, loss);
    all
}

/// In `f64` within 1e-12 of the largest entry of each parameter's gradient, and in `f32` within 1e-5 of that in `f64`.
/// (The gradient of a key's bias is 0 in theory: softmax does not see it. What is left is rounding, and is held against
/// the whole gradient.)
#[test]
fn fused_and_stock_agree() {
    let example = Example::new(3, 29, 101);
    for (attention, tokens) in [(true, true), (true, false), (false, true), (false, false)] {
        let bert = Bert::new(config(attention), &flex()).unwrap();
        let stock = bert.clone().with_stock_operations(true);
        let exact = run::<f64>(&stock, &example, tokens);
        let (wide, narrow) = (
            run::<f64>(&bert, &example, tokens),
            run::<f32>(&bert, &example, tokens),
        );
        assert!((wide[0] - exact[0]).abs() <= 1e-13 * exact[0]);
        assert!((f64::from(narrow[0]) - exact[0]).abs() <= 1e-6 * exact[0]);
        let mut begin = 1;
        for parameter in bert.parameters() {
            let own = begin..begin + parameter.len();
            begin = own.end;
            if parameter.name.ends_with("key.bias") {
                continue;
            }
            let what = format!("{} ({attention}, {tokens})", parameter.name);
            assert_close(&what, &wide[own.clone()], &exact[own.clone()], 1e-12);
            assert_close(&what, &narrow[own.clone()], &exact[own], 1e-5);
        }
        assert_eq!(begin, exact.len());
        assert_close("the gradient", &wide[1..], &exact[1..], 1e-12);
        assert_close("the gradient", &narrow[1..], &exact[1..], 1e-5);
    }
}

/// At a size where every kernel cuts its work into several chunks, with recomputation, too.
#[test]
fn same_bits() {
    fn check<F: Real>() {
        let config = BertConfig {
            vocab_size: 3000,
            hidden: 96,
            heads: 4,
            feed_forward: 400,
            max_len: 70,
            ..config(true)
        };
        let bert = Bert::new(config, &flex()).unwrap();
        let again = bert.clone().with_recomputation(true);
        for batch in [1, 5] {
            let example = Example::new(batch, 70, 3000);
            let in_pool = |bert: &Bert, threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                pool.build()
                    .unwrap()
                    .install(|| run::<F>(bert, &example, true))
            };
            let expected = in_pool(&bert, 1);
            for threads in [2, 3, 4, 3] {
                assert!(in_pool(&bert, threads) == expected, "{threads} threads");
            }
            assert!(in_pool(&again, 2) == expected, "recomputation");
        }
    }
    check::<f32>();
    check::<f64>();
}
