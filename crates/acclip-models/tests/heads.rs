//! BERT's two other heads against Hugging Face's `BertForPreTraining` and `BertForQuestionAnswering` in f64: losses,
//! scores, and the gradient of every parameter entry by entry; and what that cannot show.
//!
//! Oracle: `reference/bert/heads.py` (its versions stand in `reference/bert/heads.json`). ε of LayerNorm is 1e-3 there,
//! so that a wrong one shows in every digit.

use acclip_models::{
    Backend, Bert, BertConfig, Error, Head, Input, MaskedBatch, NextEvaluation, Real, SpanBatch,
    len,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use safetensors::SafeTensors;
use std::sync::Arc;

const GOLDEN: &[u8] = include_bytes!("../../../reference/bert/heads.safetensors");
const TOLERANCE: f64 = 1e-11;
const BATCH: usize = 3;
const LENGTH: usize = 10;

fn config(head: Head) -> BertConfig {
    BertConfig {
        vocab_size: 29,
        hidden: 16,
        layers: 2,
        heads: 4,
        feed_forward: 24,
        max_len: 12,
        segments: 2,
        dropout: 0.25,
        attention: true,
        layer_norm_eps: 1e-3,
        head,
    }
}

fn bert(head: Head) -> Bert {
    Bert::new(config(head), &Backend::Flex.device().unwrap()).unwrap()
}

/// The golden file's batch, and the labels of all heads.
struct Example {
    file: SafeTensors<'static>,
    tokens: Vec<u32>,
    segments: Vec<u32>,
    real: Vec<bool>,
    positions: Vec<u32>,
    labels: Vec<u32>,
    next: Vec<u32>,
    starts: Vec<u32>,
    ends: Vec<u32>,
}

impl Example {
    fn new() -> Self {
        let file = SafeTensors::deserialize(GOLDEN).unwrap();
        let ids = |name: &str| -> Vec<i64> {
            let bytes = file.tensor(name).unwrap().data().as_chunks::<8>().0;
            bytes.iter().map(|b| i64::from_le_bytes(*b)).collect()
        };
        let small = |name: &str| ids(name).iter().map(|&i| i as u32).collect();
        let labelled = ids("labels").into_iter().enumerate();
        let labelled = labelled.filter(|(_, label)| *label >= 0);
        let (positions, labels) = labelled.map(|(i, label)| (i as u32, label as u32)).unzip();
        Self {
            tokens: small("input_ids"),
            segments: small("token_type_ids"),
            real: ids("attention_mask").iter().map(|&i| i == 1).collect(),
            positions,
            labels,
            next: small("next"),
            starts: small("starts"),
            ends: small("ends"),
            file,
        }
    }

    fn numbers(&self, name: &str) -> Vec<f64> {
        let bytes = self.file.tensor(name).unwrap().data().as_chunks::<8>().0;
        bytes.iter().map(|b| f64::from_le_bytes(*b)).collect()
    }

    /// The parameters, or the gradient, of a case.
    fn flat(&self, bert: &Bert, case: &str) -> Vec<f64> {
        let names = bert.parameters().iter();
        names
            .flat_map(|p| self.numbers(&format!("{case}/{}", p.name)))
            .collect()
    }

    fn masked<F>(&self) -> MaskedBatch<'_, F> {
        MaskedBatch {
            batch: BATCH,
            length: LENGTH,
            input: Input::Tokens(&self.tokens),
            segments: Some(&self.segments),
            real: &self.real,
            positions: &self.positions,
            labels: &self.labels,
            next: Some(&self.next),
        }
    }

    fn spans(&self) -> SpanBatch<'_> {
        SpanBatch {
            batch: BATCH,
            length: LENGTH,
            tokens: &self.tokens,
            segments: Some(&self.segments),
            real: &self.real,
            starts: &self.starts,
            ends: &self.ends,
        }
    }
}

#[track_caller]
fn assert_close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs();
        assert!(
            error < tolerance,
            "{what}, entry {i}: {found} for {expected}"
        );
    }
}

/// Mean of −log softmax(row)[label] over rows of `width`, and how many rows have their largest entry there.
fn cross_entropy(logits: &[f64], width: usize, labels: &[u32]) -> (f64, usize) {
    let rows = logits.chunks(width).zip(labels);
    let loss = |(row, &label): (&[f64], &u32)| {
        let sum: f64 = row.iter().map(|x| x.exp()).sum();
        sum.ln() - row[label as usize]
    };
    let hit = |pair: &(&[f64], &u32)| pair.0.iter().all(|x| *x <= pair.0[*pair.1 as usize]);
    let hits = rows.clone().filter(hit).count();
    (rows.map(loss).sum::<f64>() / labels.len() as f64, hits)
}

#[test]
fn pretraining() {
    let (example, bert) = (Example::new(), bert(Head::Pretraining));
    let params = Arc::new(example.flat(&bert, "pretraining/param"));
    let batch = example.masked();
    let forward = bert.forward(&params, &batch, None).unwrap();
    let loss = example.numbers("pretraining/loss");
    assert_close("loss", &[forward.loss], &loss, TOLERANCE);
    let mut grad = vec![f64::NAN; params.len()];
    forward.backward(&mut grad).unwrap();
    let expected = example.flat(&bert, "pretraining/grad");
    assert_close("gradient", &grad, &expected, TOLERANCE);

    let logits = example.numbers("pretraining/logits");
    let (tokens, pairs) = logits.split_at(29 * example.labels.len());
    let (token_loss, correct) = cross_entropy(tokens, 29, &example.labels);
    let (next_loss, next_correct) = cross_entropy(pairs, 2, &example.next);
    let evaluation = bert.evaluate(&params, &batch).unwrap();
    assert_eq!((evaluation.correct, evaluation.losses.len()), (correct, 6));
    let next: NextEvaluation = evaluation.next.unwrap();
    assert_eq!((next.correct, next.pairs), (next_correct, BATCH));
    let losses = [evaluation.loss, next.loss];
    assert_close("evaluation", &losses, &[token_loss, next_loss], TOLERANCE);
    assert_close("sum", &[losses[0] + losses[1]], &loss, TOLERANCE);
}

#[test]
fn spans() {
    let (example, bert) = (Example::new(), bert(Head::Span));
    let params = Arc::new(example.flat(&bert, "span/param"));
    let batch = example.spans();
    let forward = bert.forward_spans(&params, &batch, None).unwrap();
    let loss = example.numbers("span/loss");
    assert_close("loss", &[forward.loss], &loss, TOLERANCE);
    let mut grad = vec![f64::NAN; params.len()];
    forward.backward(&mut grad).unwrap();
    assert_close(
        "gradient",
        &grad,
        &example.flat(&bert, "span/grad"),
        TOLERANCE,
    );
    // Labels are not needed for scores.
    let unlabelled = SpanBatch {
        starts: &[],
        ends: &[],
        ..batch
    };
    let scores = bert.spans(&params, &unlabelled).unwrap();
    assert_close(
        "scores",
        &scores,
        &example.numbers("span/logits"),
        TOLERANCE,
    );
}

/// The scores of `span` are W h + b of what `encode` gives, to rounding.
#[test]
fn encode_is_what_the_head_stands_on() {
    let (example, bert) = (Example::new(), bert(Head::Span));
    let params = Arc::new(example.flat(&bert, "span/param"));
    let (tokens, segments) = (&example.tokens, Some(&example.segments[..]));
    let h = bert
        .encode(&params, tokens, segments, &example.real, BATCH, LENGTH)
        .unwrap();
    let weight = example.numbers("span/param/qa_outputs.weight");
    let bias = example.numbers("span/param/qa_outputs.bias");
    let score = |h: &[f64], k: usize| -> f64 {
        let products = h.iter().zip(&weight[16 * k..]).map(|(h, w)| h * w);
        products.sum::<f64>() + bias[k]
    };
    let scores: Vec<f64> = h
        .chunks(16)
        .flat_map(|h| [score(h, 0), score(h, 1)])
        .collect();
    assert_eq!(scores.len(), 2 * BATCH * LENGTH);
    assert_close(
        "scores",
        &scores,
        &example.numbers("span/logits"),
        TOLERANCE,
    );
}

/// Both heads in Burn's own operations in `f64`, and in `f32`; with dropout, and with recomputation.
#[test]
fn forms_agree() {
    fn gradient<F: Real>(example: &Example, bert: &Bert, params: &[f64]) -> Vec<f64> {
        let params: Arc<Vec<F>> = Arc::new(params.iter().map(|x| F::of(*x)).collect());
        let mut masks = ChaCha8Rng::seed_from_u64(3);
        let forward = match bert.config().head {
            Head::Span => bert.forward_spans(&params, &example.spans(), Some(&mut masks)),
            _ => bert.forward(&params, &example.masked(), Some(&mut masks)),
        };
        let forward = forward.unwrap();
        let loss = forward.loss;
        let mut grad = vec![F::ZERO; params.len()];
        forward.backward(&mut grad).unwrap();
        let grad = grad.iter().map(|g| F::f64(*g));
        [loss].into_iter().chain(grad).collect()
    }
    let example = Example::new();
    for (head, case) in [
        (Head::Pretraining, "pretraining/param"),
        (Head::Span, "span/param"),
    ] {
        let bert = bert(head);
        let params = example.flat(&bert, case);
        let wide = gradient::<f64>(&example, &bert, &params);
        let stock = bert.clone().with_stock_operations(true);
        let exact = gradient::<f64>(&example, &stock, &params);
        assert_close("f64", &wide, &exact, 1e-12);
        assert_close(
            "f32",
            &gradient::<f32>(&example, &bert, &params),
            &exact,
            3e-5,
        );
        let again = bert.clone().with_recomputation(true);
        assert!(gradient::<f64>(&example, &again, &params) == wide);
    }
}

/// Moments of single examples: each is what its sequence alone gives.
#[test]
fn spans_by_example() {
    let (example, bert) = (Example::new(), bert(Head::Span));
    let params = Arc::new(example.flat(&bert, "span/param"));
    let along = Arc::new(example.flat(&bert, "span/grad"));
    let mut grad = vec![0.0; params.len()];
    let forward = bert.forward_spans(&params, &example.spans(), None).unwrap();
    let found = forward
        .backward_by_example(&mut grad, Some(&along))
        .unwrap();
    assert_close("gradient", &grad, &along, TOLERANCE);
    assert_eq!(found.examples, BATCH);
    for b in 0..BATCH {
        let rows = b * LENGTH..(b + 1) * LENGTH;
        let alone = SpanBatch {
            batch: 1,
            length: LENGTH,
            tokens: &example.tokens[rows.clone()],
            segments: Some(&example.segments[rows.clone()]),
            real: &example.real[rows],
            starts: &example.starts[b..=b],
            ends: &example.ends[b..=b],
        };
        let forward = bert.forward_spans(&params, &alone, None).unwrap();
        forward.backward(&mut grad).unwrap();
        let square: f64 = grad.iter().map(|g| g * g).sum();
        let product: f64 = grad.iter().zip(&*along).map(|(g, v)| g * v).sum();
        let totals = [found.total_squares()[b], found.total_products()[b]];
        assert_close("moments", &totals, &[square, product], 1e-11 * square);
    }
    let bert = self::bert(Head::Pretraining);
    let params = Arc::new(example.flat(&bert, "pretraining/param"));
    let forward = bert.forward(&params, &example.masked(), None).unwrap();
    let error = forward
        .backward_by_example(&mut vec![0.0; params.len()], None)
        .unwrap_err();
    assert!(error.to_string().contains("pretraining"), "{error}");
}

/// A longer table of positions changes nothing, and its rest has no gradient.
#[test]
fn positions_that_are_not_used() {
    let example = Example::new();
    let long = BertConfig {
        max_len: 40,
        ..config(Head::Span)
    };
    let short = bert(Head::Span);
    let long = Bert::new(long, &Backend::Flex.device().unwrap()).unwrap();
    let params = example.flat(&short, "span/param");
    let end = (29 + 12) * 16; // of the short table
    let mut longer = params.clone();
    longer.splice(end..end, vec![f64::NAN; 28 * 16]);
    assert_eq!(longer.len(), len(long.parameters()));
    let gradient = |bert: &Bert, params: &[f64]| {
        let params = Arc::new(params.to_vec());
        let mut grad = vec![7.0; params.len()];
        let forward = bert.forward_spans(&params, &example.spans(), None).unwrap();
        forward.backward(&mut grad).unwrap();
        grad
    };
    let expected = gradient(&short, &params);
    let mut found = gradient(&long, &longer);
    let rest: Vec<f64> = found.drain(end..end + 28 * 16).collect();
    assert!(rest.iter().all(|g| *g == 0.0));
    assert!(found == expected);
}

/// Heads differ in their own parameters alone, and those stand where the others' do not.
#[test]
fn parameters_of_each_head() {
    let names = |head| -> Vec<String> {
        let parameters = config(head).parameters().into_iter();
        parameters.map(|p| p.name).collect()
    };
    let added = |head| -> Vec<String> {
        let mut names = names(head);
        names.retain(|name| !name.starts_with("bert.e"));
        names.sort();
        names
    };
    let masked = added(Head::MaskedLm);
    assert_eq!(masked.len(), 5);
    let pair = |name: &str| [format!("{name}.bias"), format!("{name}.weight")];
    let mut pretraining = masked.clone();
    pretraining.extend(pair("bert.pooler.dense"));
    pretraining.extend(pair("cls.seq_relationship"));
    pretraining.sort();
    assert_eq!(added(Head::Pretraining), pretraining);
    assert_eq!(added(Head::Span), pair("qa_outputs"));
    for head in [Head::Pretraining, Head::Span] {
        let init: Vec<f32> = config(head).init(&mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(init.len(), len(&config(head).parameters()));
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let (example, bert) = (Example::new(), bert(Head::Span));
    let params = Arc::new(example.flat(&bert, "span/param"));
    let good = example.spans();
    let named = |batch: SpanBatch| match bert.forward_spans(&params, &batch, None) {
        Err(Error::Shape { what, .. }) => what,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    };
    let batches = [
        ("length", SpanBatch { length: 13, ..good }),
        (
            "input",
            SpanBatch {
                tokens: &[1],
                ..good
            },
        ),
        (
            "segments",
            SpanBatch {
                segments: Some(&[2; 30]),
                ..good
            },
        ),
        ("real", SpanBatch { real: &[], ..good }),
        (
            "starts",
            SpanBatch {
                starts: &[3, 0],
                ..good
            },
        ),
        (
            "starts",
            SpanBatch {
                starts: &[10, 0, 0],
                ..good
            },
        ),
        ("ends", SpanBatch { ends: &[], ..good }),
        // The third sequence has four tokens, and then padding.
        (
            "ends",
            SpanBatch {
                ends: &[7, 0, 4],
                ..good
            },
        ),
        (
            "ends",
            SpanBatch {
                ends: &[2, 0, 3],
                ..good
            },
        ),
    ];
    for (what, batch) in batches {
        assert_eq!(named(batch), what, "{batch:?}");
    }
    let head = |error: Error| assert!(matches!(error, Error::Config { field: "head", .. }));
    head(
        bert.forward(&params, &example.masked(), None)
            .err()
            .unwrap(),
    );
    head(bert.evaluate(&params, &example.masked()).unwrap_err());

    let bert = self::bert(Head::Pretraining);
    let params = Arc::new(example.flat(&bert, "pretraining/param"));
    head(bert.forward_spans(&params, &good, None).err().unwrap());
    head(bert.spans(&params, &good).unwrap_err());
    for next in [None, Some(&[0, 1][..]), Some(&[0, 1, 2])] {
        let batch = MaskedBatch {
            next,
            ..example.masked()
        };
        let error = bert.evaluate(&params, &batch).unwrap_err();
        assert!(
            matches!(error, Error::Shape { what: "next", .. }),
            "{error}"
        );
    }
    let short: Arc<Vec<f64>> = Arc::new(vec![0.0]);
    let error = bert.encode(&short, &[1], None, &[true], 1, 1).unwrap_err();
    assert!(
        matches!(error, Error::Shape { what: "params", .. }),
        "{error}"
    );

    let bert = self::bert(Head::MaskedLm);
    let params: Arc<Vec<f64>> = Arc::new(vec![0.0; len(bert.parameters())]);
    let error = bert.evaluate(&params, &example.masked()).unwrap_err();
    assert!(
        matches!(error, Error::Shape { what: "next", .. }),
        "{error}"
    );
    for layer_norm_eps in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let config = BertConfig {
            layer_norm_eps,
            ..config(Head::Span)
        };
        let error = config.validate().unwrap_err();
        assert!(error.to_string().contains("layer_norm_eps"), "{error}");
    }
}
