//! The moments of single examples' gradients against the gradients themselves, one backward pass an example.

use acclip_models::{
    Backend, Bert, BertConfig, Error, Head, Input, MaskedBatch, gaussian_vectors, len,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

const EXAMPLES: usize = 4;
const VOCABULARY: u32 = 23;

fn bert(attention: bool) -> Bert {
    let config = BertConfig {
        vocab_size: VOCABULARY as usize,
        hidden: 12,
        layers: 2,
        heads: 3,
        feed_forward: 20,
        max_len: 40,
        segments: 2,
        dropout: 0.2,
        attention,
        layer_norm_eps: 1e-12,
        head: Head::MaskedLm,
    };
    Bert::new(config, &Backend::Flex.device().unwrap()).unwrap()
}

struct Example {
    length: usize,
    tokens: Vec<u32>,
    vectors: Vec<f64>,
    segments: Vec<u32>,
    real: Vec<bool>,
    positions: Vec<u32>,
    labels: Vec<u32>,
}

impl Example {
    /// Sequences with 3, 1, 0 and 4 masked positions; the last one ends in padding.
    fn new(length: usize) -> Self {
        let n = EXAMPLES * length;
        let vectors = gaussian_vectors(n, 12, &mut ChaCha8Rng::seed_from_u64(1));
        let places = [
            (0, 1),
            (0, 2),
            (0, 5),
            (1, 0),
            (3, 0),
            (3, 1),
            (3, 3),
            (3, 4),
        ];
        Self {
            length,
            // Tokens repeat within a sequence, and labels are among them.
            tokens: (0..n as u32).map(|i| i * i * 7 % VOCABULARY).collect(),
            vectors: vectors.iter().map(|x| f64::from(*x)).collect(),
            segments: (0..n).map(|i| u32::from(i % length > 3)).collect(),
            real: (0..n).map(|i| i < n - 2).collect(),
            positions: places
                .iter()
                .map(|(b, t)| (b * length + t) as u32)
                .collect(),
            labels: (0..places.len() as u32)
                .map(|i| i * 5 % VOCABULARY)
                .collect(),
        }
    }

    /// The whole batch, with the masked positions of `rows` alone.
    fn batch(&self, tokens: bool, rows: std::ops::Range<usize>) -> MaskedBatch<'_, f64> {
        MaskedBatch {
            batch: EXAMPLES,
            length: self.length,
            input: match tokens {
                true => Input::Tokens(&self.tokens),
                false => Input::Vectors(&self.vectors),
            },
            segments: Some(&self.segments),
            real: &self.real,
            positions: &self.positions[rows.clone()],
            labels: &self.labels[rows],
            next: None,
        }
    }

    fn rows(&self, example: usize) -> std::ops::Range<usize> {
        let first = |b: usize| {
            self.positions
                .partition_point(|&p| (p as usize) < b * self.length)
        };
        first(example)..first(example + 1)
    }
}

/// Parameters, and a vector of their size, away from symmetric points.
fn flat(bert: &Bert, seed: u64) -> Arc<Vec<f64>> {
    let noise = gaussian_vectors(
        1,
        len(bert.parameters()),
        &mut ChaCha8Rng::seed_from_u64(seed),
    );
    let start: Vec<f64> = bert.config().init(&mut ChaCha8Rng::seed_from_u64(2));
    let moved = start.iter().zip(noise);
    Arc::new(moved.map(|(x, n)| x + 0.2 * f64::from(n)).collect())
}

fn masks() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(3)
}

/// Short sequences go by Gram matrices, long ones by the product itself.
#[test]
fn moments_are_those_of_each_example_alone() {
    for (attention, tokens, length) in [
        (true, true, 8),
        (true, true, 40),
        (true, false, 8),
        (false, true, 40),
        (false, false, 8),
    ] {
        let (bert, example) = (bert(attention), Example::new(length));
        let (params, along) = (flat(&bert, 4), flat(&bert, 5));
        let all = example.batch(tokens, 0..example.positions.len());
        let mut expected = vec![0.0; params.len()];
        let forward = bert.forward(&params, &all, Some(&mut masks())).unwrap();
        forward.backward(&mut expected).unwrap();

        let mut grad = vec![f64::NAN; params.len()];
        let forward = bert.forward(&params, &all, Some(&mut masks())).unwrap();
        let found = forward
            .backward_by_example(&mut grad, Some(&along))
            .unwrap();
        for (g, e) in grad.iter().zip(&expected) {
            assert!((g - e).abs() < 1e-14, "gradient: {g} for {e}");
        }
        for b in 0..EXAMPLES {
            let alone = example.batch(tokens, example.rows(b));
            let mut grad = vec![0.0; params.len()];
            if !alone.positions.is_empty() {
                let forward = bert.forward(&params, &alone, Some(&mut masks())).unwrap();
                forward.backward(&mut grad).unwrap();
            }
            let mut rest = grad.iter().zip(along.iter());
            for (p, parameter) in bert.parameters().iter().enumerate() {
                let own = rest.by_ref().take(parameter.len());
                let (square, product) =
                    own.fold((0.0, 0.0), |(s, p), (g, v)| (s + g * g, p + g * v));
                let found = [&found.squares, &found.products].map(|m| m[p * EXAMPLES + b]);
                for (found, expected) in found.into_iter().zip([square, product]) {
                    assert!(
                        (found - expected).abs() < 1e-12 * (1.0 + expected.abs()),
                        "{} of {b} ({attention} {tokens} {length}): {found} for {expected}",
                        parameter.name
                    );
                }
            }
            let total: f64 = grad.iter().map(|g| g * g).sum();
            assert!((found.total_squares()[b] / total - 1.0).abs() < 1e-12 || total == 0.0);
            let total: f64 = grad.iter().zip(&*along).map(|(g, v)| g * v).sum();
            assert!((found.total_products()[b] - total).abs() < 1e-12 * (1.0 + total.abs()));
        }
    }
}

#[test]
fn recomputation_changes_no_bit() {
    let (bert, example) = (bert(true), Example::new(8));
    let params = flat(&bert, 4);
    let all = example.batch(true, 0..example.positions.len());
    let run = |bert: &Bert| {
        let mut grad = vec![0.0; params.len()];
        let forward = bert.forward(&params, &all, Some(&mut masks())).unwrap();
        let moments = forward.backward_by_example(&mut grad, None).unwrap();
        (grad, moments)
    };
    assert!(run(&bert) == run(&bert.clone().with_recomputation(true)));
}

#[test]
fn what_it_cannot_do_is_an_error() {
    let (bert, example) = (bert(true), Example::new(8));
    let params = flat(&bert, 4);
    let mut grad = vec![0.0; params.len()];
    let all = example.batch(true, 0..example.positions.len());
    let short = Arc::new(vec![0.0; 3]);
    let forward = bert.forward(&params, &all, None).unwrap();
    let error = forward
        .backward_by_example(&mut grad, Some(&short))
        .unwrap_err();
    assert!(
        matches!(error, Error::Shape { what: "along", .. }),
        "{error}"
    );
    let unordered = MaskedBatch {
        positions: &[9, 1],
        labels: &[1, 2],
        ..all
    };
    let forward = bert.forward(&params, &unordered, None).unwrap();
    let error = forward.backward_by_example(&mut grad, None).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Shape {
                what: "positions",
                ..
            }
        ),
        "{error}"
    );
    let stock = bert.with_stock_operations(true);
    let forward = stock.forward(&params, &all, None).unwrap();
    let error = forward.backward_by_example(&mut grad, None).unwrap_err();
    assert!(error.to_string().contains("flex"), "{error}");
}
