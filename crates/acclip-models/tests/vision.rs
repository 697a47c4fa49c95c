//! ResNet and AlexNet against torchvision in f64: loss, scores, running statistics, and of every parameter's gradient
//! its norm, its inner product with other numbers, and three entries; with the statistics of the batch, and frozen ones.
//!
//! Oracle: `reference/vision/generate.py` (its versions stand in `reference/vision/golden.json`). Parameters and images
//! are made on both sides by a formula, [`numbers`], which the file checks.

use acclip_models::{
    Backend, ImageBatch, ImageModel, ImageModelConfig, Normalization, RunningStatistics, Stem,
};
use serde_json::Value;
use std::sync::Arc;

/// Of a gradient relative to its norm, of an entry relative to the root mean square of its gradient's entries.
/// (Found: at most 6e-13 and 6e-12.)
const TOLERANCE: f64 = 1e-11;
const ENTRIES: f64 = 1e-10;

/// The first stream of: parameters, running statistics, images, directions, places.
const STREAMS: [u64; 5] = [1, 1000, 2000, 3000, 4000];

/// The finalizer of SplitMix64.
fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Word i of stream s is mix(mix(s) + (i + 1) γ).
fn bits(stream: u64) -> impl Iterator<Item = u64> {
    let start = mix(stream);
    (1..).map(move |i: u64| mix(start.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15))))
}

/// Numbers in [−1, 1): the upper 53 bits of each word over 2⁵², less 1.
fn numbers(stream: u64) -> impl Iterator<Item = f64> {
    bits(stream).map(|word| (word >> 11) as f64 / 2f64.powi(52) - 1.0)
}

fn f64s(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap().iter();
    list.map(|x| x.as_f64().unwrap()).collect()
}

fn usizes(value: &Value) -> Vec<usize> {
    let list = value.as_array().unwrap().iter();
    list.map(|x| x.as_u64().unwrap() as usize).collect()
}

/// Names and shapes.
fn shapes(value: &Value) -> Vec<(String, Vec<usize>)> {
    let list = value.as_array().unwrap().iter();
    list.map(|x| (x[0].as_str().unwrap().to_string(), usizes(&x[1])))
        .collect()
}

/// The parameters, by the formula: weights of variance 2/inputs, gains about 1, biases about 0.
fn parameters(model: &ImageModel) -> Arc<Vec<f64>> {
    let mut flat = Vec::new();
    for (i, p) in (0..).zip(model.parameters()) {
        let numbers = numbers(STREAMS[0] + i).take(p.len());
        match &p.shape[..] {
            [_, inputs @ ..] if !inputs.is_empty() => {
                let bound = (6.0 / inputs.iter().product::<usize>() as f64).sqrt();
                flat.extend(numbers.map(|u| u * bound));
            }
            _ if p.name.ends_with(".weight") => flat.extend(numbers.map(|u| 1.0 + 0.3 * u)),
            _ => flat.extend(numbers.map(|u| 0.2 * u)),
        }
    }
    Arc::new(flat)
}

/// The running statistics, by the formula.
fn statistics(model: &ImageModel) -> RunningStatistics<f64> {
    let mut arrays = model.running_statistics().to_arrays();
    for (i, (name, _, values)) in (0..).zip(&mut arrays) {
        for (value, u) in values.iter_mut().zip(numbers(STREAMS[1] + i)) {
            *value = if name.ends_with(".running_mean") {
                0.2 * u
            } else {
                4.0 + 2.0 * u
            };
        }
    }
    arrays.reverse();
    model.running_statistics().with_arrays(arrays).unwrap()
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// The largest error found, as a part of what is allowed.
#[derive(Default)]
struct Errors(f64);

impl Errors {
    #[track_caller]
    fn check(&mut self, what: &str, found: f64, expected: f64, allowed: f64) {
        let part = (found - expected).abs() / allowed;
        assert!(
            part <= 1.0,
            "{what}: {found}, not {expected}: {part} of what is allowed"
        );
        self.0 = self.0.max(part);
    }

    /// The norm of `x`, and its inner product with the numbers of a stream.
    fn digest(&mut self, what: &str, stream: u64, x: &[f64], expected: &[f64]) {
        let allowed = TOLERANCE * expected[0];
        let product = x.iter().zip(numbers(stream)).map(|(x, u)| x * u).sum();
        self.check(what, norm(x), expected[0], allowed);
        self.check(what, product, expected[1], allowed);
    }

    fn gradient(&mut self, model: &ImageModel, grad: &[f64], expected: &Value) {
        let mut rest = grad;
        let expected = expected.as_array().unwrap();
        assert_eq!(expected.len(), model.parameters().len());
        for ((i, p), expected) in (0..).zip(model.parameters()).zip(expected) {
            let (own, tail) = rest.split_at(p.len());
            rest = tail;
            let expected = f64s(expected);
            self.digest(&p.name, STREAMS[3] + i, own, &expected[3..]);
            let allowed = ENTRIES * expected[3] / (own.len() as f64).sqrt();
            for (word, expected) in bits(STREAMS[4] + i).zip(&expected[..3]) {
                let place = (word % own.len() as u64) as usize;
                self.check(&p.name, own[place], *expected, allowed);
            }
        }
    }
}

fn check(name: &str, stem: Stem) {
    let golden = include_str!("../../../reference/vision/golden.json");
    let golden: Value = serde_json::from_str(golden).unwrap();
    assert_eq!(
        f64s(&golden["numbers"]),
        numbers(5).take(4).collect::<Vec<_>>()
    );
    let is_case =
        |case: &&Value| case["name"] == name && case["stem"] == serde_json::to_value(stem).unwrap();
    let case = golden["cases"]
        .as_array()
        .unwrap()
        .iter()
        .find(is_case)
        .unwrap();

    let [channels, classes] =
        ["channels", "classes"].map(|size| case[size].as_u64().unwrap() as usize);
    let config = ImageModelConfig::named(name, stem, channels, classes).unwrap();
    let model = ImageModel::new(config, &Backend::Flex.device().unwrap()).unwrap();
    let of_model = model.parameters().iter();
    let of_model: Vec<_> = of_model
        .map(|p| (p.name.clone(), p.shape.clone()))
        .collect();
    assert_eq!(of_model, shapes(&case["parameters"]));
    let mut running = statistics(&model);
    let arrays = running.to_arrays().into_iter();
    let arrays: Vec<_> = arrays.map(|(name, shape, _)| (name, shape)).collect();
    assert_eq!(arrays, shapes(&case["statistics"]));

    let params = parameters(&model);
    let size = usizes(&case["size"]);
    let images: Vec<f64> = numbers(STREAMS[2])
        .take(size.iter().product::<usize>() * channels)
        .map(|u| 2.0 * u)
        .collect();
    let labels: Vec<u32> = usizes(&case["labels"]).iter().map(|l| *l as u32).collect();
    let batch = ImageBatch {
        images: &images,
        height: size[1],
        width: size[2],
        labels: &labels,
    };

    let mut errors = Errors::default();
    let frozen = &case["frozen"];
    let loss = frozen["loss"].as_f64().unwrap();
    let evaluation = model.evaluate(&params, &batch, &running).unwrap();
    errors.check("loss", evaluation.loss, loss, TOLERANCE * loss);
    let scores: Vec<Vec<f64>> = frozen["scores"]
        .as_array()
        .unwrap()
        .iter()
        .map(f64s)
        .collect();
    let found = model.logits(&params, &batch, &running).unwrap();
    assert_eq!(found.len(), labels.len() * classes);
    for (found, expected) in found.iter().zip(scores.iter().flatten()) {
        errors.check("scores", *found, *expected, TOLERANCE * norm(&scores[0]));
    }
    let hits = |best: usize| {
        let rows = scores.iter().zip(&labels);
        rows.filter(|(row, label)| {
            row.iter().filter(|x| **x > row[**label as usize]).count() < best
        })
        .count()
    };
    let counts = [evaluation.top1, evaluation.top5, evaluation.images];
    assert_eq!(counts, [hits(1), hits(5), labels.len()]);

    let mut grad = vec![f64::NAN; params.len()];
    let normalization = Normalization::Frozen(&running);
    let forward = model.forward(&params, &batch, normalization, None).unwrap();
    errors.check("loss", forward.loss, loss, TOLERANCE * loss);
    forward.backward(&mut grad).unwrap();
    errors.gradient(&model, &grad, &frozen["gradients"]);

    let expected = &case["batch"];
    let loss = expected["loss"].as_f64().unwrap();
    let normalization = Normalization::Batch(&mut running);
    let forward = model.forward(&params, &batch, normalization, None).unwrap();
    errors.check("loss of the batch", forward.loss, loss, TOLERANCE * loss);
    forward.backward(&mut grad).unwrap();
    errors.gradient(&model, &grad, &expected["gradients"]);
    let moved = expected["statistics"].as_array().unwrap();
    for ((i, (name, _, values)), expected) in (0..).zip(running.to_arrays()).zip(moved) {
        errors.digest(&name, STREAMS[3] + i, &values, &f64s(expected));
    }
    println!(
        "{name}, {stem:?}: {} of the error that is allowed",
        errors.0
    );
}

#[test]
fn resnet18_small() {
    check("resnet18", Stem::Small);
}

#[test]
fn resnet18_large() {
    check("resnet18", Stem::Large);
}

#[test]
fn resnet34_small() {
    check("resnet34", Stem::Small);
}

#[test]
fn resnet50_small() {
    check("resnet50", Stem::Small);
}

#[test]
fn resnet50_large() {
    check("resnet50", Stem::Large);
}

#[test]
fn alexnet_small() {
    check("alexnet", Stem::Small);
}

#[test]
fn alexnet_large() {
    check("alexnet", Stem::Large);
}
