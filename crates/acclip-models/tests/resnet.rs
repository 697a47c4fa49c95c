//! ResNet-18: fused operations against Burn's own, gradients against differences, running statistics.

use acclip_models::{
    Backend, Error, ImageBatch, Normalization, ResNet, ResNetConfig, RunningStatistics, Stem, len,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

fn resnet(stem: Stem) -> ResNet {
    let config = ResNetConfig {
        stem,
        channels: 3,
        classes: 7,
    };
    ResNet::new(config, &Backend::Flex.device().unwrap()).unwrap()
}

/// Three images of an odd size, which becomes odd again and again.
struct Images {
    images: Vec<f64>,
    height: usize,
    width: usize,
}

impl Images {
    fn new(height: usize, width: usize) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(1);
        let numbers = (0..3 * height * width * 3).map(|_| generator.random_range(-1.0..1.0));
        Self {
            images: numbers.collect(),
            height,
            width,
        }
    }

    fn batch(&self) -> ImageBatch<'_, f64> {
        ImageBatch {
            images: &self.images,
            height: self.height,
            width: self.width,
            labels: &[6, 0, 3],
        }
    }
}

fn init(model: &ResNet) -> Arc<Vec<f64>> {
    let mut generator = ChaCha8Rng::seed_from_u64(2);
    let mut params: Vec<f64> = model.config().init(&mut generator);
    assert_eq!(params.len(), len(model.parameters()));
    // Away from gains of 1 and biases of 0.
    params
        .iter_mut()
        .for_each(|x| *x += generator.random_range(-0.03..0.03));
    Arc::new(params)
}

type Pass = (f64, Vec<f64>, RunningStatistics<f64>);

fn trained(model: &ResNet, params: &Arc<Vec<f64>>, batch: &ImageBatch<f64>) -> Pass {
    let mut running = model.running_statistics();
    let mut grad = vec![f64::NAN; params.len()];
    let normalization = Normalization::Batch(&mut running);
    let forward = model.forward(params, batch, normalization).unwrap();
    let loss = forward.loss;
    forward.backward(&mut grad).unwrap();
    (loss, grad, running)
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |max: f64, x| max.max(x.abs()))
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    let differences: Vec<f64> = found.iter().zip(expected).map(|(f, e)| f - e).collect();
    let error = largest(&differences) / largest(expected);
    assert!(error < tolerance, "{what}: {error}");
}

#[test]
fn it_has_the_published_number_of_parameters() {
    let config = |stem, classes| ResNetConfig {
        stem,
        channels: 3,
        classes,
    };
    // torchvision's resnet18, and the same with a 3 × 3 stem and ten classes.
    assert_eq!(len(&config(Stem::Large, 1000).parameters()), 11_689_512);
    assert_eq!(len(&config(Stem::Small, 10).parameters()), 11_173_962);
}

#[test]
fn fused_and_stock_operations_agree() {
    for (stem, height, width) in [(Stem::Small, 9, 11), (Stem::Large, 37, 33)] {
        let model = resnet(stem);
        let (params, images) = (init(&model), Images::new(height, width));
        let fused = trained(&model, &params, &images.batch());
        let stock = model.clone().with_stock_operations(true);
        let stock = trained(&stock, &params, &images.batch());
        assert_near(&[fused.0], &[stock.0], 1e-12, "loss");
        let mut begin = 0;
        for parameter in model.parameters() {
            let range = begin..begin + parameter.len();
            begin = range.end;
            let [fused, stock] = [&fused.1, &stock.1].map(|grad| &grad[range.clone()]);
            assert_near(fused, stock, 1e-9, &parameter.name);
        }
        let frozen = |model: &ResNet| {
            let batch = images.batch();
            let frozen = Normalization::Frozen(&fused.2);
            let mut grad = vec![f64::NAN; params.len()];
            let forward = model.forward(&params, &batch, frozen).unwrap();
            forward.backward(&mut grad).unwrap();
            let (loss, correct) = model.evaluate(&params, &batch, &fused.2).unwrap();
            (loss, correct, grad)
        };
        let (loss, correct, grad) = frozen(&model);
        let stock = frozen(&model.clone().with_stock_operations(true));
        assert_near(&[loss], &[stock.0], 1e-12, "frozen loss");
        assert_eq!(correct, stock.1);
        assert_near(&grad, &stock.2, 1e-9, "frozen gradient");
    }
}

#[test]
fn gradients_agree_with_central_differences() {
    let model = resnet(Stem::Small);
    let (params, images) = (init(&model), Images::new(6, 5));
    let (_, grad, _) = trained(&model, &params, &images.batch());
    // The largest entry of some parameters: one ReLU that flips between the two points would show.
    let mut begin = 0;
    for parameter in model.parameters() {
        let range = begin..begin + parameter.len();
        begin = range.end;
        let by_size = |a: &usize, b: &usize| grad[*a].abs().total_cmp(&grad[*b].abs());
        let i = range.max_by(by_size).unwrap();
        let at = |step: f64| {
            let mut moved = params.to_vec();
            moved[i] += step;
            let mut running = model.running_statistics();
            let normalization = Normalization::Batch(&mut running);
            let moved = Arc::new(moved);
            model
                .forward(&moved, &images.batch(), normalization)
                .unwrap()
                .loss
        };
        let numeric = (at(1e-6) - at(-1e-6)) / 2e-6;
        let error = (numeric - grad[i]).abs() / grad[i].abs().max(1e-3);
        assert!(
            error < 1e-5,
            "{}: {numeric} for {}",
            parameter.name,
            grad[i]
        );
    }
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let model = resnet(Stem::Small);
    let params: Vec<f32> = init(&model).iter().map(|x| *x as f32).collect();
    let params = Arc::new(params);
    let images = Images::new(17, 16);
    let numbers: Vec<f32> = images.images.iter().map(|x| *x as f32).collect();
    let pass = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let batch = ImageBatch {
                images: &numbers,
                height: 17,
                width: 16,
                labels: &[6, 0, 3],
            };
            let mut running = model.running_statistics();
            let mut grad = vec![0.0; params.len()];
            let normalization = Normalization::Batch(&mut running);
            let forward = model.forward(&params, &batch, normalization).unwrap();
            let loss = forward.loss;
            forward.backward(&mut grad).unwrap();
            (loss, grad, running)
        })
    };
    let expected = pass(1);
    for threads in [2, 3, 4] {
        assert!(pass(threads) == expected, "{threads} threads");
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let (model, images) = (resnet(Stem::Small), Images::new(6, 5));
    let params = init(&model);
    let named = |batch: ImageBatch<f64>| {
        let mut running = model.running_statistics();
        let result = model.forward(&params, &batch, Normalization::Batch(&mut running));
        match result.err() {
            Some(Error::Shape { what, .. }) => what,
            _ => "nothing",
        }
    };
    let good = images.batch();
    assert_eq!(named(good), "nothing");
    assert_eq!(named(ImageBatch { height: 5, ..good }), "images");
    assert_eq!(
        named(ImageBatch {
            labels: &[1, 2],
            ..good
        }),
        "images"
    );
    assert_eq!(
        named(ImageBatch {
            labels: &[1, 2, 7],
            ..good
        }),
        "labels"
    );
    assert_eq!(
        named(ImageBatch {
            labels: &[],
            ..good
        }),
        "labels"
    );
}
