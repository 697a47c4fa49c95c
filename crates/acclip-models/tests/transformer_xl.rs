//! Transformer-XL against Hugging Face's `TransfoXLLMHeadModel` in f64: losses, the gradient of every parameter and the
//! memory, entry by entry, over four segments; and what the golden file does not show.
//!
//! Oracle: `reference/transformer-xl/generate.py` (its versions stand in `reference/transformer-xl/golden.json`).

use acclip_models::{
    Backend, Error, Memory, Parameter, SegmentBatch, TransformerXl, TransformerXlConfig, len,
};
use rand::{RngExt, SeedableRng, TryRng};
use rand_chacha::ChaCha8Rng;
use safetensors::SafeTensors;
use std::convert::Infallible;
use std::sync::Arc;

const GOLDEN: &[u8] = include_bytes!("../../../reference/transformer-xl/golden.safetensors");
/// Of an entry, absolutely; the largest gradient is 1.2, and a state about 3.
const TOLERANCE: f64 = 1e-13;

fn config() -> TransformerXlConfig {
    TransformerXlConfig {
        vocab_size: 29,
        layers: 3,
        hidden: 12,
        heads: 2,
        head_width: 5,
        feed_forward: 22,
        target_len: 5,
        memory_len: 7,
        dropout: 0.0,
        attention_dropout: 0.0,
        cutoffs: vec![],
        tied: true,
        untie_r: false,
    }
}

fn model(config: TransformerXlConfig) -> TransformerXl {
    TransformerXl::new(config, &Backend::Flex.device().unwrap()).unwrap()
}

/// Tokens and targets, each (B, T), of the segment from `begin` on of rows of `stream`.
fn cut(stream: &[Vec<u32>], begin: usize, length: usize) -> [Vec<u32>; 2] {
    [begin, begin + 1].map(|begin| {
        let rows = stream.iter().map(|row| &row[begin..begin + length]);
        rows.flatten().copied().collect()
    })
}

fn batch(segment: &[Vec<u32>; 2], rows: usize) -> SegmentBatch<'_> {
    SegmentBatch {
        batch: rows,
        length: segment[0].len() / rows,
        tokens: &segment[0],
        targets: &segment[1],
    }
}

fn f64s(file: &SafeTensors, name: &str) -> Vec<f64> {
    let view = file.tensor(name).unwrap();
    let bytes = view.data().as_chunks::<8>().0;
    bytes.iter().map(|b| f64::from_le_bytes(*b)).collect()
}

#[track_caller]
fn assert_close(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() < TOLERANCE, "{what}[{i}]: {f} for {e}");
    }
}

/// A generator of one number: the key of the masks.
struct Key(u64);

impl TryRng for Key {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("a pass draws one number of 64 bits")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Infallible> {
        unreachable!("a pass draws one number of 64 bits")
    }
}

fn golden(case: &str, config: TransformerXlConfig) {
    let file = SafeTensors::deserialize(GOLDEN).unwrap();
    let stream = file.tensor("stream").unwrap();
    let ids = stream.data().as_chunks::<8>().0.iter();
    let ids: Vec<u32> = ids.map(|b| i64::from_le_bytes(*b) as u32).collect();
    let stream: Vec<Vec<u32>> = ids.chunks(21).map(<[u32]>::to_vec).collect();
    let model = model(config);
    let named = |p: &Parameter| f64s(&file, &format!("{case}/param/{}", p.name));
    let params: Arc<Vec<f64>> = Arc::new(model.parameters().iter().flat_map(named).collect());
    let of_case = format!("{case}/param/");
    let names = file.names();
    let known = names.iter().filter(|name| name.starts_with(&of_case));
    assert_eq!(
        known.count(),
        model.parameters().len(),
        "a parameter we do not have"
    );

    let mut memory = Memory::empty();
    for (i, length) in [0, 5, 7, 7].into_iter().enumerate() {
        assert_eq!(memory.length(), length);
        let segment = cut(&stream, 5 * i, 5);
        let batch = batch(&segment, 3);
        let mut key = Key(i as u64 + 1);
        let forward = model
            .forward(&params, &batch, &memory, Some(&mut key))
            .unwrap();
        let expected = f64s(&file, &format!("{case}/{i}/loss"));
        assert_close("loss", &[forward.loss], &expected);
        if model.config().dropout == 0.0 {
            let (loss, after) = model.evaluate(&params, &batch, &memory).unwrap();
            assert_close("loss of an evaluation", &[loss], &expected);
            assert_eq!(after, forward.memory);
        }
        let mut grad = vec![f64::NAN; params.len()];
        memory = forward.backward(&mut grad).unwrap();
        let mut rest = &grad[..];
        for parameter in model.parameters() {
            let (found, tail) = rest.split_at(parameter.len());
            rest = tail;
            let expected = f64s(&file, &format!("{case}/{i}/grad/{}", parameter.name));
            assert_close(&parameter.name, found, &expected);
        }
    }
    let arrays = memory.to_arrays();
    assert_eq!(arrays.len(), 3);
    for (i, (name, shape, values)) in arrays.iter().enumerate() {
        assert_eq!(
            (&name[..], &shape[..]),
            (&format!("memory.{i}")[..], &[3, 7, 12][..])
        );
        assert_close(name, values, &f64s(&file, &format!("{case}/memory/{i}")));
    }
}

#[test]
fn golden_with_a_full_softmax() {
    golden("full", config());
}

#[test]
fn golden_with_an_adaptive_softmax() {
    let cutoffs = vec![11, 19];
    golden(
        "adaptive",
        TransformerXlConfig {
            cutoffs,
            ..config()
        },
    );
}

#[test]
fn golden_with_untied_weights() {
    let untied = TransformerXlConfig {
        cutoffs: vec![11, 19],
        tied: false,
        untie_r: true,
        ..config()
    };
    golden("untied", untied);
}

/// The masks are made in Python, too: where and in which order they act.
#[test]
fn golden_with_dropout() {
    let (dropout, attention_dropout) = (0.2, 0.3);
    golden(
        "dropout",
        TransformerXlConfig {
            dropout,
            attention_dropout,
            ..config()
        },
    );
}

/// Rows of random tokens.
fn random_rows(rows: usize, length: usize, vocabulary: u32) -> Vec<Vec<u32>> {
    let mut generator = ChaCha8Rng::seed_from_u64(4);
    let mut row = |_| {
        (0..length)
            .map(|_| generator.random_range(0..vocabulary))
            .collect()
    };
    (0..rows).map(&mut row).collect()
}

/// Parameters far from symmetric points.
fn parameters(model: &TransformerXl) -> Vec<f64> {
    let mut generator = ChaCha8Rng::seed_from_u64(2);
    let start: Vec<f64> = model.config().init(&mut generator);
    let mut noise = || 0.6 * (generator.random::<f64>() - 0.5);
    start.into_iter().map(|x| x + noise()).collect()
}

/// Where the memory holds all that came before, cutting a text into segments, of any lengths, changes no loss.
#[test]
fn segments_and_memory_are_one_long_segment() {
    let memory_len = 40;
    let model = model(TransformerXlConfig {
        memory_len,
        ..config()
    });
    let params = Arc::new(parameters(&model));
    let stream = random_rows(2, 23, 29);
    let at_once = cut(&stream, 0, 22);
    let (expected, _) = model
        .evaluate(&params, &batch(&at_once, 2), &Memory::empty())
        .unwrap();
    let (mut memory, mut sum, mut begin) = (Memory::empty(), 0.0, 0);
    for length in [1, 9, 3, 9] {
        let segment = cut(&stream, begin, length);
        let (loss, after) = model
            .evaluate(&params, &batch(&segment, 2), &memory)
            .unwrap();
        sum += loss * length as f64;
        begin += length;
        memory = after;
        assert_eq!(memory.length(), begin);
    }
    assert!(
        (sum / 22.0 - expected).abs() < 1e-13,
        "{} for {expected}",
        sum / 22.0
    );
}

/// Of a segment longer than the memory, the last positions are remembered.
#[test]
fn a_memory_shorter_than_the_segment() {
    let segment = cut(&random_rows(2, 12, 29), 0, 11);
    let [short, long] = [7, 40].map(|memory_len| {
        let model = model(TransformerXlConfig {
            memory_len,
            ..config()
        });
        let params = Arc::new(parameters(&model));
        let (_, memory) = model
            .evaluate(&params, &batch(&segment, 2), &Memory::empty())
            .unwrap();
        memory.to_arrays()
    });
    assert_eq!((short.len(), long.len()), (3, 3));
    for ((_, shape, short), (_, _, long)) in short.iter().zip(&long) {
        assert_eq!(shape, &[2, 7, 12]);
        let last = long.chunks(11 * 12).flat_map(|row| &row[4 * 12..]);
        assert!(short.iter().eq(last));
    }
}

/// The gradient against fourth-order central differences, with dropout at every place and a memory: the masks are the
/// same at every evaluation, since they are a function of the generator.
#[test]
fn gradients_agree_with_central_differences() {
    for cutoffs in [vec![], vec![7, 20]] {
        let model = model(TransformerXlConfig {
            dropout: 0.2,
            attention_dropout: 0.3,
            tied: cutoffs.is_empty(),
            cutoffs,
            ..config()
        });
        let params = parameters(&model);
        let stream = random_rows(3, 11, 29);
        let before = cut(&stream, 0, 5);
        let (_, memory) = model
            .evaluate(
                &Arc::new(params.clone()),
                &batch(&before, 3),
                &Memory::empty(),
            )
            .unwrap();
        let segment = cut(&stream, 5, 5);
        let forward = |params: &Arc<Vec<f64>>| {
            let mut masks = ChaCha8Rng::seed_from_u64(3);
            let batch = batch(&segment, 3);
            model
                .forward(params, &batch, &memory, Some(&mut masks))
                .unwrap()
        };
        let mut grad = vec![0.0; params.len()];
        forward(&Arc::new(params.clone()))
            .backward(&mut grad)
            .unwrap();
        let largest = grad.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
        for i in (0..params.len()).step_by(37) {
            // Small, so that few entries cross the kink of a ReLU.
            let step = 1e-5;
            let at = |x: f64| {
                let mut moved = params.clone();
                moved[i] += x * step;
                forward(&Arc::new(moved)).loss
            };
            let numeric = (8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / (12.0 * step);
            let error = (numeric - grad[i]).abs() / largest;
            assert!(error < 1e-8, "[{i}]: {numeric} for {}", grad[i]);
        }
    }
}

/// Each kind of dropout changes the loss of training and its own key changes it, and neither changes an evaluation.
#[test]
fn dropout_is_for_training() {
    let stream = random_rows(3, 6, 29);
    let segment = cut(&stream, 0, 5);
    let batch = batch(&segment, 3);
    let plain = model(config());
    let params = Arc::new(parameters(&plain));
    let exact = plain.evaluate(&params, &batch, &Memory::empty()).unwrap().0;
    for (dropout, attention_dropout) in [(0.2, 0.0), (0.0, 0.2)] {
        let model = model(TransformerXlConfig {
            dropout,
            attention_dropout,
            ..config()
        });
        let loss = |seed: Option<u64>| {
            let mut masks = seed.map(ChaCha8Rng::seed_from_u64);
            let masks = masks.as_mut().map(|masks| masks as &mut dyn rand::Rng);
            model
                .forward(&params, &batch, &Memory::empty(), masks)
                .unwrap()
                .loss
        };
        assert_eq!(loss(None), exact);
        assert_eq!(
            model.evaluate(&params, &batch, &Memory::empty()).unwrap().0,
            exact
        );
        assert_eq!(loss(Some(1)), loss(Some(1)));
        assert!(loss(Some(1)) != exact && loss(Some(2)) != loss(Some(1)));
    }
}

/// Rows in which each token is the one six places before, but for one in ten, drawn anew.
fn echo(rows: usize, length: usize, vocabulary: u32) -> Vec<Vec<u32>> {
    let mut generator = ChaCha8Rng::seed_from_u64(6);
    let mut row = |_| {
        let mut row: Vec<u32> = Vec::with_capacity(length);
        for i in 0..length {
            let fresh = i < 6 || generator.random_range(0..10) == 0;
            row.push(if fresh {
                generator.random_range(0..vocabulary)
            } else {
                row[i - 6]
            });
        }
        row
    };
    (0..rows).map(&mut row).collect()
}

/// Trains in `f32` over `stream`, segments of four in order, and returns the mean loss of the first and of the last ten.
fn train(
    config: TransformerXlConfig,
    stream: &[Vec<u32>],
    mut update: impl FnMut(usize, &mut [f32], &[f32]),
) -> (f64, f64) {
    let model = model(config);
    let mut params = Arc::new(
        model
            .config()
            .init::<f32>(&mut ChaCha8Rng::seed_from_u64(1)),
    );
    let mut grad = vec![0.0; params.len()];
    let mut memory = Memory::empty();
    let mut masks = ChaCha8Rng::seed_from_u64(2);
    let mut losses = Vec::new();
    for begin in (0..stream[0].len() - 4).step_by(4) {
        let segment = cut(stream, begin, 4);
        let batch = batch(&segment, stream.len());
        let forward = model
            .forward(&params, &batch, &memory, Some(&mut masks))
            .unwrap();
        losses.push(forward.loss);
        memory = forward.backward(&mut grad).unwrap();
        update(losses.len(), Arc::<Vec<f32>>::make_mut(&mut params), &grad);
    }
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    (mean(&losses[..10]), mean(&losses[losses.len() - 10..]))
}

fn small(memory_len: usize) -> TransformerXlConfig {
    TransformerXlConfig {
        vocab_size: 8,
        layers: 1,
        hidden: 32,
        heads: 2,
        head_width: 16,
        feed_forward: 64,
        target_len: 4,
        memory_len,
        ..config()
    }
}

/// Adam.
fn adam(learning_rate: f32) -> impl FnMut(usize, &mut [f32], &[f32]) {
    let (mut m, mut v) = (Vec::new(), Vec::new());
    move |t, params, grad| {
        m.resize(grad.len(), 0.0);
        v.resize(grad.len(), 0.0);
        let (rise, rise2) = (1.0 - 0.9_f32.powi(t as i32), 1.0 - 0.99_f32.powi(t as i32));
        for (i, g) in grad.iter().enumerate() {
            m[i] = 0.9 * m[i] + 0.1 * g;
            v[i] = 0.99 * v[i] + 0.01 * g * g;
            params[i] -= learning_rate * (m[i] / rise) / ((v[i] / rise2).sqrt() + 1e-8);
        }
    }
}

/// A hundred and fifty steps learn a period of three.
#[test]
fn descent_lowers_the_loss() {
    let rows = (0..4).map(|b| (0..601).map(|i| ((b + i) % 3) as u32).collect());
    let stream: Vec<Vec<u32>> = rows.collect();
    let (first, last) = train(small(8), &stream, adam(1e-2));
    assert!(first > 1.0 && last < 0.1, "{first} to {last}");
}

/// What came six tokens ago is beyond a segment of four. A model with memory learns to look it up; one without learns
/// nothing, and stays at the entropy of the tokens, ln 8 = 2.08.
#[test]
fn memory_reaches_beyond_the_segment() {
    let stream = echo(16, 4 * 250 + 1, 8);
    let last = |memory_len| train(small(memory_len), &stream, adam(3e-3)).1;
    let (with, without) = (last(8), last(0));
    assert!(
        with < 1.0 && without > 1.9,
        "{with} with, {without} without"
    );
}

#[test]
fn memory_from_arrays() {
    let model = model(config());
    let params = Arc::new(parameters(&model));
    let stream = random_rows(3, 6, 29);
    let segment = cut(&stream, 0, 5);
    let (_, memory) = model
        .evaluate(&params, &batch(&segment, 3), &Memory::empty())
        .unwrap();
    assert_eq!(Memory::from_arrays(memory.to_arrays()).unwrap(), memory);
    assert_eq!(Memory::<f64>::from_arrays(vec![]).unwrap(), Memory::empty());
    let mut reversed = memory.to_arrays();
    reversed.reverse();
    assert_eq!(Memory::from_arrays(reversed).unwrap(), memory);
    // As a file has the layers of a deep model: memory.10 before memory.2.
    let deep = |i: usize| (format!("memory.{i}"), vec![1, 1, 1], vec![i as f64]);
    let mut by_name: Vec<_> = (0..12).map(deep).collect();
    by_name.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(by_name[2].0, "memory.10");
    let again = Memory::from_arrays(by_name).unwrap().to_arrays();
    assert_eq!(again, (0..12).map(deep).collect::<Vec<_>>());

    type Arrays = Vec<(String, Vec<usize>, Vec<f64>)>;
    let refused = |change: fn(&mut Arrays)| {
        let mut arrays = memory.to_arrays();
        change(&mut arrays);
        Memory::from_arrays(arrays).unwrap_err().to_string()
    };
    for (message, expected) in [
        (refused(|a| drop(a.remove(0))), "'memory.1' where memory.0"),
        (
            refused(|a| a[1].1 = vec![5, 3, 12]),
            "[5, 3, 12], not [3, 5, 12]",
        ),
        (refused(|a| a[0].1 = vec![15, 12]), "not three sizes"),
        (refused(|a| a[2].2.truncate(7)), "memory.2 has 7 numbers"),
        (
            refused(|a| a[0].1 = vec![usize::MAX, 2, 12]),
            "memory.0 has 180 numbers",
        ),
    ] {
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let model = model(config());
    let params = Arc::new(parameters(&model));
    let stream = random_rows(3, 6, 29);
    let [tokens, targets] = cut(&stream, 0, 5);
    let fit = SegmentBatch {
        batch: 3,
        length: 5,
        tokens: &tokens,
        targets: &targets,
    };
    let (_, memory) = model.evaluate(&params, &fit, &Memory::empty()).unwrap();
    let wide = vec![29; 15];
    let other = Memory::from_arrays(vec![("memory.0".into(), vec![3, 5, 12], vec![0.0; 180])]);
    let other = other.unwrap();
    for (batch, memory, expected) in [
        (
            SegmentBatch { length: 4, ..fit },
            &memory,
            "tokens: 15 ids for 3 × 4",
        ),
        (
            SegmentBatch {
                targets: &targets[1..],
                ..fit
            },
            &memory,
            "targets: 14 ids",
        ),
        (
            SegmentBatch {
                targets: &wide,
                ..fit
            },
            &memory,
            "targets: id 29 at place 0",
        ),
        (
            SegmentBatch {
                tokens: &wide,
                ..fit
            },
            &memory,
            "tokens: id 29 at place 0",
        ),
        (SegmentBatch { batch: 0, ..fit }, &memory, "length: 0 × 5"),
        (
            SegmentBatch {
                batch: usize::MAX,
                ..fit
            },
            &memory,
            "tokens: 15 ids",
        ),
        (
            SegmentBatch {
                batch: 5,
                length: 3,
                ..fit
            },
            &memory,
            "memory: 3 layers of 3 × 5 × 12",
        ),
        (fit, &other, "memory: 1 layers"),
    ] {
        let error = model
            .evaluate(&params, &batch, memory)
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
    let short = Arc::new(params[1..].to_vec());
    assert!(model.evaluate(&short, &fit, &memory).is_err());
    let forward = model.forward(&params, &fit, &memory, None).unwrap();
    assert!(matches!(
        forward.backward(&mut vec![0.0; 3]),
        Err(Error::Shape { .. })
    ));
}

#[test]
fn configurations_that_cannot_be() {
    fn error(change: fn(&mut TransformerXlConfig)) -> String {
        let mut config = config();
        change(&mut config);
        config.validate().unwrap_err().to_string()
    }
    assert!(config().validate().is_ok());
    for (error, expected) in [
        (error(|c| c.vocab_size = 0), "vocab_size = 0"),
        (error(|c| c.layers = 1001), "layers = 1001"),
        (error(|c| c.hidden = 13), "hidden = 13: must be even"),
        (error(|c| c.heads = 0), "heads = 0"),
        (error(|c| c.memory_len = usize::MAX), "memory_len"),
        (error(|c| c.dropout = 1.0), "dropout = 1"),
        (
            error(|c| c.attention_dropout = f64::NAN),
            "attention_dropout = NaN",
        ),
        (error(|c| c.cutoffs = vec![5, 5]), "cutoffs = [5, 5]"),
        (error(|c| c.cutoffs = vec![0]), "cutoffs = [0]"),
        (error(|c| c.cutoffs = vec![29]), "cutoffs = [29]"),
    ] {
        assert!(error.contains(expected), "{error}");
    }
    for name in TransformerXlConfig::NAMES {
        assert!(
            TransformerXlConfig::named(name, 100)
                .unwrap()
                .validate()
                .is_ok()
        );
    }
    let error = TransformerXlConfig::named("huge", 9)
        .unwrap_err()
        .to_string();
    assert!(error.contains("lab, paper"), "{error}");
}

/// Of each kind of parameter, mean and standard deviation, to five standard errors.
#[test]
fn initial_parameters() {
    let config = TransformerXlConfig {
        vocab_size: 500,
        hidden: 128,
        cutoffs: vec![100, 300],
        ..config()
    };
    let flat: Vec<f64> = config.init(&mut ChaCha8Rng::seed_from_u64(9));
    let mut begin = 0;
    for parameter in config.parameters() {
        let own = &flat[begin..begin + parameter.len()];
        begin += parameter.len();
        let n = own.len() as f64;
        let mean = own.iter().sum::<f64>() / n;
        let std = (own.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
        let name = &parameter.name;
        let exempt = name.ends_with("bias") || name.contains("layer_norm");
        assert_eq!(parameter.decay, !exempt, "{name}");
        if name.ends_with(".bias") || name.ends_with("cluster_bias") {
            assert!(own.iter().all(|x| *x == 0.0), "{name}");
            continue;
        }
        let centre = if name.ends_with("layer_norm.weight") {
            1.0
        } else {
            0.0
        };
        assert!(
            (mean - centre).abs() < 5.0 * 0.02 / n.sqrt(),
            "{name}: mean {mean}"
        );
        assert!(
            (std - 0.02).abs() < 5.0 * 0.02 / (2.0 * n).sqrt(),
            "{name}: {std}"
        );
    }
    assert_eq!(begin, len(&config.parameters()));
}
