//! Models of images: fused operations against Burn's own, gradients against differences, running statistics, dropout,
//! threads, refusals.

use acclip_models::{
    AlexNetConfig, Backend, Error, ImageBatch, ImageModel, ImageModelConfig, Normalization,
    RunningStatistics, Stem, len,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

fn model(name: &str, stem: Stem) -> ImageModel {
    let config = ImageModelConfig::named(name, stem, 3, 7).unwrap();
    ImageModel::new(config, &Backend::Flex.device().unwrap()).unwrap()
}

/// Three images.
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

fn init(model: &ImageModel) -> Arc<Vec<f64>> {
    let mut generator = ChaCha8Rng::seed_from_u64(2);
    let mut params: Vec<f64> = model.init(&mut generator);
    assert_eq!(params.len(), len(model.parameters()));
    // Away from gains of 1 and biases of 0.
    params
        .iter_mut()
        .for_each(|x| *x += generator.random_range(-0.03..0.03));
    Arc::new(params)
}

type Pass = (f64, Vec<f64>, RunningStatistics<f64>);

fn trained(model: &ImageModel, params: &Arc<Vec<f64>>, batch: &ImageBatch<f64>) -> Pass {
    let mut running = model.running_statistics();
    let mut grad = vec![f64::NAN; params.len()];
    let normalization = Normalization::Batch(&mut running);
    let masks = &mut ChaCha8Rng::seed_from_u64(5);
    let forward = model
        .forward(params, batch, normalization, Some(masks))
        .unwrap();
    let loss = forward.loss;
    forward.backward(&mut grad).unwrap();
    (loss, grad, running)
}

/// The loss alone.
fn loss(model: &ImageModel, params: Vec<f64>, batch: &ImageBatch<f64>, seed: u64) -> f64 {
    let (params, mut running) = (Arc::new(params), model.running_statistics());
    let normalization = Normalization::Batch(&mut running);
    let masks = &mut ChaCha8Rng::seed_from_u64(seed);
    let forward = model.forward(&params, batch, normalization, Some(masks));
    forward.unwrap().loss
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |max: f64, x| max.max(x.abs()))
}

#[track_caller]
fn assert_near(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    let differences: Vec<f64> = found.iter().zip(expected).map(|(f, e)| f - e).collect();
    let error = largest(&differences) / largest(expected);
    assert!(error < tolerance, "{what}: {error}");
}

#[test]
fn they_have_the_published_number_of_parameters() {
    let count = |name, stem, classes| {
        let config = ImageModelConfig::named(name, stem, 3, classes).unwrap();
        len(&config.parameters())
    };
    // torchvision's weights for ImageNet.
    assert_eq!(count("resnet18", Stem::Large, 1000), 11_689_512);
    assert_eq!(count("resnet34", Stem::Large, 1000), 21_797_672);
    assert_eq!(count("resnet50", Stem::Large, 1000), 25_557_032);
    assert_eq!(count("alexnet", Stem::Large, 1000), 61_100_840);
    // The same with a 3 × 3 stem and ten classes.
    assert_eq!(count("resnet18", Stem::Small, 10), 11_173_962);
}

#[test]
fn fused_and_stock_operations_agree() {
    for (name, stem, height, width) in [
        ("resnet18", Stem::Small, 9, 11),
        ("resnet18", Stem::Large, 37, 33),
        ("resnet50", Stem::Small, 9, 11),
        ("alexnet", Stem::Small, 28, 11), // with dropout
    ] {
        let model = model(name, stem);
        let (params, images) = (init(&model), Images::new(height, width));
        let fused = trained(&model, &params, &images.batch());
        let with_stock = model.clone().with_stock_operations(true);
        let stock = trained(&with_stock, &params, &images.batch());
        assert_near(&[fused.0], &[stock.0], 1e-12, "loss");
        let mut begin = 0;
        for parameter in model.parameters() {
            let range = begin..begin + parameter.len();
            begin = range.end;
            let [fused, stock] = [&fused.1, &stock.1].map(|grad| &grad[range.clone()]);
            assert_near(fused, stock, 1e-9, &parameter.name);
        }
        let frozen = |model: &ImageModel| {
            let batch = images.batch();
            let frozen = Normalization::Frozen(&fused.2);
            let mut grad = vec![f64::NAN; params.len()];
            let forward = model.forward(&params, &batch, frozen, None).unwrap();
            forward.backward(&mut grad).unwrap();
            (model.evaluate(&params, &batch, &fused.2).unwrap(), grad)
        };
        let (found, grad) = frozen(&model);
        let (stock, stock_grad) = frozen(&with_stock);
        assert_near(&[found.loss], &[stock.loss], 1e-12, "frozen loss");
        assert_eq!(
            (found.top1, found.top5, found.images),
            (stock.top1, stock.top5, 3)
        );
        assert_near(&grad, &stock_grad, 1e-9, "frozen gradient");
    }
}

#[test]
fn gradients_agree_with_central_differences() {
    let model = model("resnet18", Stem::Small);
    let (params, images) = (init(&model), Images::new(6, 5));
    let (_, grad, _) = trained(&model, &params, &images.batch());
    // The largest entry of each parameter: one ReLU that flips between the two points would show.
    let mut begin = 0;
    for parameter in model.parameters() {
        let range = begin..begin + parameter.len();
        begin = range.end;
        let by_size = |a: &usize, b: &usize| grad[*a].abs().total_cmp(&grad[*b].abs());
        let i = range.max_by(by_size).unwrap();
        let at = |step: f64| {
            let mut moved = params.to_vec();
            moved[i] += step;
            loss(&model, moved, &images.batch(), 5)
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

/// A gradient through dropout is that of the loss with the same masks, which the generator decides.
#[test]
fn dropout_is_a_function_of_the_generator() {
    let model = model("alexnet", Stem::Small);
    let params: Vec<f64> = model.init(&mut ChaCha8Rng::seed_from_u64(2));
    let (params, images) = (Arc::new(params), Images::new(8, 9));
    let (first, grad, running) = trained(&model, &params, &images.batch());
    let norm = grad.iter().map(|g| g * g).sum::<f64>().sqrt();
    let at = |step: f64, seed| {
        let moved = params.iter().zip(&grad).map(|(p, g)| p + step * g / norm);
        loss(&model, moved.collect(), &images.batch(), seed)
    };
    let numeric = (at(1e-6, 5) - at(-1e-6, 5)) / 2e-6;
    assert_near(&[numeric], &[norm], 1e-6, "slope along the gradient");
    assert_eq!(at(0.0, 5), first);
    assert_ne!(at(0.0, 6), first);
    let plain = model.evaluate(&params, &images.batch(), &running).unwrap();
    assert_ne!(plain.loss, first);

    let ImageModelConfig::AlexNet(config) = model.config() else {
        panic!("an AlexNet")
    };
    let without = |dropout| {
        let config = AlexNetConfig {
            dropout,
            ..config.clone()
        };
        ImageModel::new(
            ImageModelConfig::AlexNet(config),
            &Backend::Flex.device().unwrap(),
        )
    };
    assert_eq!(
        loss(&without(0.0).unwrap(), params.to_vec(), &images.batch(), 5),
        plain.loss
    );
    for wrong in [1.0, -0.1, f64::NAN] {
        let error = without(wrong).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Config {
                    field: "dropout",
                    ..
                }
            ),
            "{error}"
        );
    }
}

/// Sets the parameters called `name` to `value(place)`.
fn set(model: &ImageModel, params: &mut [f64], name: &str, value: impl Fn(usize) -> f64) {
    let before = model.parameters().iter().take_while(|p| p.name != name);
    let begin: usize = before.map(|p| p.len()).sum();
    let parameter = model.parameters().iter().find(|p| p.name == name);
    for i in 0..parameter.unwrap().len() {
        params[begin + i] = value(i);
    }
}

/// Through two layers that hand on what they get, 4096 ones, the first score is the mean of a product of two masks: 1
/// within 5 deviations (√(3/4096) = 0.027) if they are independent, 2 if they are the same.
#[test]
fn two_layers_drop_independently() {
    let model = model("alexnet", Stem::Small);
    let mut params = vec![0.0; len(model.parameters())];
    set(&model, &mut params, "features.10.bias", |_| 1.0);
    for name in ["classifier.1.weight", "classifier.4.weight"] {
        let identity = |i| f64::from(u8::from(i % 4097 == 0));
        set(&model, &mut params, name, identity);
    }
    let first_row = |i| if i < 4096 { 1.0 / 4096.0 } else { 0.0 };
    set(&model, &mut params, "classifier.6.weight", first_row);
    let images = Images::new(8, 8);
    let batch = ImageBatch {
        images: &images.images[..8 * 8 * 3],
        labels: &[0],
        ..images.batch()
    };
    let score = -((loss(&model, params, &batch, 1).exp() - 1.0) / 6.0).ln();
    assert!((score - 1.0).abs() < 0.14, "{score}");
}

/// With no weights, every image has the scores of the last bias.
#[test]
fn an_evaluation_counts_the_first_and_the_first_five() {
    let model = model("resnet18", Stem::Small);
    let mut params = vec![0.0; len(model.parameters())];
    let scores = [0.5, 3.0, -1.0, 2.0, 1.0, 0.0, -2.0];
    set(&model, &mut params, "fc.bias", |i| scores[i]);
    let images = Images::new(2, 2);
    let labels = [1, 3, 5, 2, 6, 1, 0]; // ranks 0, 1, 4, 5, 6, 0, 3
    let pixels: Vec<f64> = images.images.iter().copied().cycle().take(7 * 12).collect();
    let batch = ImageBatch {
        images: &pixels,
        labels: &labels,
        ..images.batch()
    };
    let (params, running) = (Arc::new(params), model.running_statistics());
    let found = model.evaluate(&params, &batch, &running).unwrap();
    assert_eq!((found.top1, found.top5, found.images), (2, 5, 7));
    let log_sum = scores.iter().map(|s: &f64| s.exp()).sum::<f64>().ln();
    let mean = labels.iter().map(|l| scores[*l as usize]).sum::<f64>() / 7.0;
    assert_near(&[found.loss], &[log_sum - mean], 1e-14, "loss");
    assert_eq!(
        model.logits(&params, &batch, &running).unwrap()[..7],
        scores
    );
}

/// The standard deviation of each initial weight, within 5 %, and of AlexNet's biases within 30 %.
#[test]
fn initial_parameters_have_the_scale_of_torchvision() {
    for name in ["resnet50", "alexnet"] {
        let model = model(name, Stem::Small);
        let flat: Vec<f32> = model.init(&mut ChaCha8Rng::seed_from_u64(3));
        let (mut begin, mut fan_in) = (0, 1);
        for p in model.parameters() {
            let own = &flat[begin..begin + p.len()];
            begin += p.len();
            let mean = own.iter().map(|x| f64::from(*x)).sum::<f64>() / own.len() as f64;
            let square = own.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / own.len() as f64;
            let (expected, tolerance) = match (&p.shape[..], name) {
                ([o, _, k, _], "resnet50") => ((2.0 / (o * k * k) as f64).sqrt(), 0.05),
                ([_, inputs @ ..], _) if !inputs.is_empty() => {
                    fan_in = inputs.iter().product();
                    ((1.0 / (3 * fan_in) as f64).sqrt(), 0.05)
                }
                (_, "alexnet") if p.len() > 50 => ((1.0 / (3 * fan_in) as f64).sqrt(), 0.3),
                (_, "alexnet") => continue,
                _ => {
                    let constant = if p.name.ends_with(".weight") {
                        1.0
                    } else {
                        0.0
                    };
                    assert!(own.iter().all(|x| *x == constant), "{}", p.name);
                    continue;
                }
            };
            assert_near(&[square.sqrt()], &[expected], tolerance, &p.name);
            assert!(
                mean.abs() < 5.0 * expected / (own.len() as f64).sqrt(),
                "{}",
                p.name
            );
        }
    }
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    for (name, side) in [("resnet18", 17), ("resnet50", 9), ("alexnet", 17)] {
        let model = model(name, Stem::Small);
        let params: Vec<f32> = model.init(&mut ChaCha8Rng::seed_from_u64(2));
        let params = Arc::new(params);
        let images = Images::new(side, side - 1);
        let numbers: Vec<f32> = images.images.iter().map(|x| *x as f32).collect();
        let pass = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| {
                let batch = ImageBatch {
                    images: &numbers,
                    height: side,
                    width: side - 1,
                    labels: &[6, 0, 3],
                };
                let mut running = model.running_statistics();
                let mut grad = vec![0.0; params.len()];
                let normalization = Normalization::Batch(&mut running);
                let masks: &mut dyn Rng = &mut ChaCha8Rng::seed_from_u64(5);
                let forward = model.forward(&params, &batch, normalization, Some(masks));
                let forward = forward.unwrap();
                let loss = forward.loss;
                forward.backward(&mut grad).unwrap();
                (loss, grad, running)
            })
        };
        let expected = pass(1);
        for threads in [2, 3, 4] {
            assert!(pass(threads) == expected, "{name}, {threads} threads");
        }
    }
}

#[test]
fn running_statistics_become_arrays_and_again_statistics() {
    let model = model("resnet18", Stem::Small);
    let (params, images) = (init(&model), Images::new(6, 5));
    let (.., running) = trained(&model, &params, &images.batch());
    let arrays = running.to_arrays();
    assert_eq!(arrays.len(), 40);
    let names = [
        "bn1.running_mean",
        "bn1.running_var",
        "layer1.0.bn1.running_mean",
    ];
    assert_eq!([0, 1, 2].map(|i| &arrays[i].0[..]), names);
    assert_eq!(arrays[1].1, [64]);
    let read = |arrays| model.running_statistics::<f64>().with_arrays(arrays);
    assert_eq!(read(arrays.clone()).unwrap(), running);
    let mut wrong = arrays;
    wrong.push(wrong[4].clone());
    wrong[0].0 = "bn0.running_mean".into();
    wrong[1].1 = vec![8, 8];
    wrong[2].2.pop();
    assert_eq!(
        read(wrong).unwrap_err().to_string(),
        "running statistics: 'bn0.running_mean' is unknown; \
         'bn1.running_var' has shape [8, 8] and 64 numbers, not [64]; \
         'layer1.0.bn1.running_mean' has shape [64] and 63 numbers, not [64]; \
         'layer1.0.bn2.running_mean' is there twice; \
         'bn1.running_mean' is missing"
    );
    let none = self::model("alexnet", Stem::Small).running_statistics::<f64>();
    assert_eq!(none.to_arrays(), []);
    assert_eq!(none.clone().with_arrays([]).unwrap(), none);
}

#[test]
fn what_does_not_fit_is_named() {
    let (resnet, images) = (model("resnet18", Stem::Small), Images::new(6, 5));
    let params = init(&resnet);
    let named = |batch: ImageBatch<f64>| {
        let mut running = resnet.running_statistics();
        let normalization = Normalization::Batch(&mut running);
        let result = resnet.forward(&params, &batch, normalization, None);
        match result.err() {
            Some(Error::Shape { what, .. }) => what,
            _ => "nothing",
        }
    };
    let good = images.batch();
    assert_eq!(named(good), "nothing");
    assert_eq!(named(ImageBatch { height: 5, ..good }), "images");
    let huge = usize::MAX / 2;
    assert_eq!(
        named(ImageBatch {
            height: huge,
            ..good
        }),
        "images"
    );
    for (labels, what) in [
        (&[1, 2][..], "images"),
        (&[1, 2, 7], "labels"),
        (&[], "labels"),
    ] {
        assert_eq!(named(ImageBatch { labels, ..good }), what);
    }
    let of_another = model("resnet50", Stem::Small).running_statistics();
    let error = resnet.evaluate(&params, &good, &of_another).unwrap_err();
    assert!(matches!(
        error,
        Error::Shape {
            what: "statistics",
            ..
        }
    ));

    for (stem, least) in [(Stem::Small, 8), (Stem::Large, 63)] {
        let alexnet = model("alexnet", stem);
        let small = Images::new(least, least - 1);
        let none = alexnet.running_statistics();
        // The size is refused before the parameters are looked at.
        let result = alexnet.evaluate(&Arc::new(Vec::new()), &small.batch(), &none);
        let problem = format!(
            "images: {least} × {} pixels; the model needs {least} × {least}",
            least - 1
        );
        assert_eq!(result.unwrap_err().to_string(), problem);
        let params = Arc::new(vec![0.0; len(alexnet.parameters())]);
        let least = Images::new(least, least);
        assert!(alexnet.evaluate(&params, &least.batch(), &none).is_ok());
    }
}

#[test]
fn configurations_have_names_and_can_be_stored() {
    for name in ImageModelConfig::NAMES {
        let config = ImageModelConfig::named(name, Stem::Small, 1, 10).unwrap();
        let stored = serde_json::to_string(&config).unwrap();
        assert_eq!(
            serde_json::from_str::<ImageModelConfig>(&stored).unwrap(),
            config
        );
    }
    let read = |text: &str| {
        let text =
            format!(r#"{{"family":"resnet",{text}"stem":"small","channels":3,"classes":9}}"#);
        let config = serde_json::from_str::<ImageModelConfig>(&text);
        config.map_err(|error| error.to_string())
    };
    assert!(read(r#""depth":18,"width":64,"#).is_ok());
    assert!(
        read(r#""depth":101,"#)
            .unwrap_err()
            .contains("18, 34 or 50")
    );
    assert!(
        read(r#""depth":18,"height":2,"#)
            .unwrap_err()
            .contains("height")
    );
    let unknown = ImageModelConfig::named("vgg16", Stem::Large, 3, 1000).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "unknown image model 'vgg16'; known: resnet18, resnet34, resnet50, alexnet"
    );
    for (channels, classes, width, wrong) in [
        (0, 10, 64, "channels"),
        (3, 0, 64, "classes"),
        (3, 10, 0, "width"),
    ] {
        let config = ImageModelConfig::named("alexnet", Stem::Small, channels, classes).unwrap();
        let config = config.with_width(width);
        let device = Backend::Flex.device().unwrap();
        let error = ImageModel::new(config, &device).unwrap_err();
        assert!(matches!(error, Error::Config { field, .. } if field == wrong));
    }
}

/// A quarter of the width has a sixteenth of the weights, but for those beside images and classes.
#[test]
fn every_width_is_proportional_to_the_first() {
    for name in ImageModelConfig::NAMES {
        let whole = ImageModelConfig::named(name, Stem::Small, 3, 10).unwrap();
        assert_eq!(whole.width(), 64);
        let narrow = whole.clone().with_width(16);
        for (a, b) in whole.parameters().iter().zip(narrow.parameters()) {
            assert_eq!(a.name, b.name);
            let outer = |i: usize, size: usize| (i == 0 && size == 10) || (i == 1 && size == 3);
            for (i, (x, y)) in a.shape.iter().zip(&b.shape).enumerate() {
                let kernel = i > 1;
                let expected = if kernel || outer(i, *x) { *x } else { x / 4 };
                assert_eq!(
                    *y, expected,
                    "{name} {}: {:?} {:?}",
                    a.name, a.shape, b.shape
                );
            }
        }
    }
}
