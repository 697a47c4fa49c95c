//! What the golden files do not show: initialisation, dropout under the gradient, padding, and the
//! cell of the ablation that has no oracle of its own.

use acclip_models::{
    Backend, Bert, BertConfig, Error, Head, Input, MaskedBatch, gaussian_vectors, len,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

fn config(attention: bool, dropout: f64) -> BertConfig {
    BertConfig {
        vocab_size: 23,
        hidden: 12,
        layers: 2,
        heads: 3,
        feed_forward: 20,
        max_len: 9,
        segments: 2,
        dropout,
        attention,
        layer_norm_eps: 1e-12,
        head: Head::MaskedLm,
    }
}

fn bert(attention: bool, dropout: f64) -> Bert {
    Bert::new(config(attention, dropout), &Backend::Flex.device().unwrap()).unwrap()
}

/// Tokens of 3 sequences of 8, the last two places of the last one padding.
struct Example {
    tokens: Vec<u32>,
    vectors: Vec<f64>,
    real: Vec<bool>,
}

impl Example {
    fn new() -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(5);
        let vectors = gaussian_vectors(24, 12, &mut generator);
        Self {
            tokens: (0..24).map(|i| (i * 7 + 3) % 23).collect(),
            vectors: vectors.iter().map(|x| f64::from(*x)).collect(),
            real: (0..24).map(|i| i < 22).collect(),
        }
    }

    fn batch(&self, tokens: bool) -> MaskedBatch<'_, f64> {
        MaskedBatch {
            batch: 3,
            length: 8,
            input: match tokens {
                true => Input::Tokens(&self.tokens),
                false => Input::Vectors(&self.vectors),
            },
            segments: None,
            real: &self.real,
            positions: &[1, 6, 11, 17, 20],
            labels: &[4, 0, 22, 9, 9],
            next: None,
        }
    }
}

/// Parameters far from symmetric points.
fn parameters(bert: &Bert) -> Arc<Vec<f64>> {
    let mut generator = ChaCha8Rng::seed_from_u64(2);
    let noise = gaussian_vectors(1, len(bert.parameters()), &mut generator);
    let start: Vec<f64> = bert.config().init(&mut generator);
    let moved = start.iter().zip(noise);
    Arc::new(moved.map(|(x, n)| x + 0.2 * f64::from(n)).collect())
}

/// The gradient against fourth-order central differences, with dropout on: the masks are the same
/// at every evaluation, since they are a function of the generator.
#[test]
fn gradients_agree_with_central_differences() {
    let example = Example::new();
    for (attention, tokens) in [(true, true), (true, false), (false, true), (false, false)] {
        let bert = bert(attention, 0.2);
        let params = parameters(&bert);
        let batch = example.batch(tokens);
        let loss = |params: &Arc<Vec<f64>>| {
            let mut masks = ChaCha8Rng::seed_from_u64(3);
            bert.forward(params, &batch, Some(&mut masks)).unwrap().loss
        };
        let mut grad = vec![0.0; params.len()];
        let mut masks = ChaCha8Rng::seed_from_u64(3);
        let forward = bert.forward(&params, &batch, Some(&mut masks)).unwrap();
        forward.backward(&mut grad).unwrap();
        let largest = grad.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
        for i in (0..params.len()).step_by(37) {
            let step = 1e-3;
            let at = |x: f64| {
                let mut moved = params.to_vec();
                moved[i] += x * step;
                loss(&Arc::new(moved))
            };
            let numeric = (8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / (12.0 * step);
            let error = (numeric - grad[i]).abs() / largest;
            assert!(
                error < 1e-8,
                "{attention} {tokens} [{i}]: {numeric} for {}",
                grad[i]
            );
        }
    }
}

#[test]
fn initial_weights_are_the_published_normal_cut_at_two_deviations() {
    let config = BertConfig::named("tiny", 2000, 64).unwrap();
    let draw = |seed| -> Vec<f32> { config.init(&mut ChaCha8Rng::seed_from_u64(seed)) };
    let flat = draw(1);
    assert_eq!(flat, draw(1));
    assert_ne!(flat, draw(2));
    let mut weights = Vec::new();
    let mut rest = &flat[..];
    for parameter in config.parameters() {
        let (values, tail) = rest.split_at(parameter.len());
        rest = tail;
        match (
            parameter.decay,
            parameter.name.ends_with("LayerNorm.weight"),
        ) {
            (true, _) => weights.extend_from_slice(values),
            (false, gain) => assert!(values.iter().all(|&x| x == f32::from(u8::from(gain)))),
        }
    }
    let n = weights.len() as f64;
    let mean = weights.iter().map(|&w| f64::from(w)).sum::<f64>() / n;
    let sd = (weights.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / n).sqrt();
    // A normal cut at two deviations has 0.87962 of its deviation.
    assert!((sd / (0.02 * 0.879_62) - 1.0).abs() < 0.01, "{sd}");
    assert!(mean.abs() < 5.0 * sd / n.sqrt(), "{mean}");
    assert!(weights.iter().all(|w| w.abs() <= 0.04));
}

#[test]
fn gaussian_vectors_have_unit_root_mean_square() {
    let mut generator = ChaCha8Rng::seed_from_u64(9);
    let vectors = gaussian_vectors(50, 12, &mut generator);
    for vector in vectors.chunks(12) {
        let mean_square = vector.iter().map(|x| x * x).sum::<f32>() / 12.0;
        assert!((mean_square - 1.0).abs() < 1e-5);
    }
    assert_ne!(vectors[..12], vectors[12..24]);
}

#[test]
fn what_stands_on_padding_does_not_matter() {
    let mut example = Example::new();
    let bert = bert(true, 0.0);
    let params = parameters(&bert);
    let loss = |example: &Example| bert.evaluate(&params, &example.batch(true)).unwrap().loss;
    let before = loss(&example);
    example.tokens[22] = 1;
    example.tokens[23] = 2;
    assert_eq!(loss(&example), before);
    example.tokens[21] = 1;
    assert_ne!(loss(&example), before, "the last real token does matter");
}

#[test]
fn dropout_acts_in_training_alone() {
    let (example, bert) = (Example::new(), bert(true, 0.5));
    let params = parameters(&bert);
    let batch = example.batch(true);
    let evaluated = bert.evaluate(&params, &batch).unwrap().loss;
    let without = bert.forward(&params, &batch, None).unwrap().loss;
    assert!((evaluated - without).abs() < 1e-12);
    let dropped = |seed| {
        let mut masks = ChaCha8Rng::seed_from_u64(seed);
        let masks: &mut dyn Rng = &mut masks;
        bert.forward(&params, &batch, Some(masks)).unwrap().loss
    };
    assert!(dropped(1) != evaluated && dropped(1) != dropped(2));
    assert_eq!(dropped(1), dropped(1));
}

#[test]
fn what_does_not_fit_is_named() {
    let (example, bert) = (Example::new(), bert(true, 0.0));
    let params = parameters(&bert);
    let good = example.batch(true);
    let named = |params: &Arc<Vec<f64>>, batch: MaskedBatch<f64>| match bert
        .forward(params, &batch, None)
    {
        Err(Error::Shape { what, .. }) => what,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    };
    assert_eq!(named(&Arc::new(params[1..].to_vec()), good), "params");
    assert_eq!(named(&params, MaskedBatch { length: 10, ..good }), "length");
    assert_eq!(named(&params, MaskedBatch { batch: 2, ..good }), "input");
    assert_eq!(
        named(
            &params,
            MaskedBatch {
                input: Input::Vectors(&[0.0]),
                ..good
            }
        ),
        "input"
    );
    assert_eq!(
        named(
            &params,
            MaskedBatch {
                input: Input::Tokens(&[99; 24]),
                ..good
            }
        ),
        "input"
    );
    assert_eq!(
        named(
            &params,
            MaskedBatch {
                segments: Some(&[2; 24]),
                ..good
            }
        ),
        "segments"
    );
    assert_eq!(
        named(
            &params,
            MaskedBatch {
                real: &[true],
                ..good
            }
        ),
        "real"
    );
    assert_eq!(
        named(
            &params,
            MaskedBatch {
                positions: &[],
                labels: &[],
                ..good
            }
        ),
        "positions"
    );
    assert_eq!(
        named(
            &params,
            MaskedBatch {
                labels: &[23; 5],
                ..good
            }
        ),
        "labels"
    );
    let forward = bert.forward(&params, &good, None).unwrap();
    assert!(matches!(
        forward.backward(&mut vec![0.0]),
        Err(Error::Shape { what: "grad", .. })
    ));
    let mut odd = config(true, 0.0);
    odd.heads = 5;
    assert!(matches!(
        odd.validate(),
        Err(Error::Config {
            field: "hidden",
            ..
        })
    ));
    assert!(
        BertConfig::named("tinny", 10, 10)
            .unwrap_err()
            .to_string()
            .contains("tiny")
    );
}

/// After a pass nobody else looks at the parameters, and gradient and parameters stand where they stood.
#[test]
fn neither_parameters_nor_gradient_are_copied() {
    let (bert, example) = (bert(true, 0.2), Example::new());
    let mut params = parameters(&bert);
    let mut grad = vec![0.0; params.len()];
    let places = (params.as_ptr(), grad.as_ptr());
    let mut masks = ChaCha8Rng::seed_from_u64(3);
    let forward = bert
        .forward(&params, &example.batch(true), Some(&mut masks))
        .unwrap();
    assert_eq!(forward.copied(), 0);
    assert!(
        Arc::get_mut(&mut params).is_none(),
        "the pass looks at them"
    );
    forward.backward(&mut grad).unwrap();
    assert!(Arc::get_mut(&mut params).is_some(), "the pass is over");
    let params: &mut Vec<f64> = Arc::make_mut(&mut params);
    assert_eq!((params.as_ptr(), grad.as_ptr()), places);
}
