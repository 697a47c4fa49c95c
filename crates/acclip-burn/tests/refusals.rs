//! Bad input is refused by name and changes nothing.

mod common;

use acclip_burn::{Block, Difference, Error, Hyper, ModuleOptimizer, optimizer};
use burn::module::{Module, Param, ParamGroup};
use burn::nn::{Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor};
use common::{Net, bits, device, gradients, numbers, tensor};

fn acclip() -> ModuleOptimizer {
    optimizer("acclip", &Hyper::default()).unwrap()
}

/// A net, and an optimizer that has taken one step on it.
fn started() -> (Net, ModuleOptimizer) {
    let (net, mut optim) = (Net::new(&numbers(30, 1.0), &device()), acclip());
    let (grads, _) = gradients(&net, net.loss(0, true));
    (optim.step(0.05, net, grads).unwrap(), optim)
}

/// The gradients of a loss that every parameter of `net` is in.
fn grads(net: &Net) -> GradientsParams {
    let weights = net.first.weight.val().sum() + net.second.weight.val().sum();
    GradientsParams::from_grads((weights + net.gain.val().sum()).backward(), net)
}

#[test]
fn a_module_that_changed_is_refused_by_the_names_that_changed() {
    let (net, mut optim) = started();
    let before = optim.state().unwrap().1.clone();
    let mut other = net.clone();
    other.second = LinearConfig::new(4, 5).with_bias(false).init(&device());
    let error = optim.step(0.05, other.clone(), grads(&other)).unwrap_err();
    assert!(
        matches!(&error, Error::ModuleChanged { differences } if *differences == [
            Difference::Reshaped { name: "second.weight".into(), was: vec![4, 2], is: vec![4, 5] },
            Difference::Gone { name: "second.bias".into() },
        ])
    );
    let text = error.to_string();
    assert!(text.contains("`second.weight` was [4, 2] and is [4, 5], `second.bias` is gone"));

    let frozen = net.clone().freeze_group(ParamGroup::from_path("gain"));
    let error = optim
        .step(0.05, frozen.clone(), grads(&frozen))
        .unwrap_err();
    assert!(
        error.to_string().contains("`gain` is gone or no longer"),
        "{error}"
    );

    let renamed = |path: &str, shape: &[usize]| {
        let name = match path {
            "first.bias" => "gain",
            "gain" => "first.bias",
            "second.bias" => "tail",
            _ => path,
        };
        Block::new(name, shape, false)
    };
    let mut swapped = optim.clone().with_blocks(renamed);
    let error = swapped.step(0.05, net.clone(), grads(&net)).unwrap_err();
    assert!(
        matches!(&error, Error::ModuleChanged { differences } if *differences == [
            Difference::Gone { name: "second.bias".into() },
            Difference::New { name: "tail".into() },
        ])
    );
    let mut swapped = optim.clone().with_blocks(move |path, shape| match path {
        "second.bias" => Block::new(path, shape, false),
        _ => renamed(path, shape),
    });
    let error = swapped.step(0.05, net.clone(), grads(&net)).unwrap_err();
    assert!(
        matches!(&error, Error::ModuleChanged { differences } if *differences == [
            Difference::Moved { name: "first.bias".into() },
            Difference::Moved { name: "gain".into() },
        ])
    );

    assert_eq!(optim.state().unwrap().1, &before);
    optim.step(0.05, net.clone(), grads(&net)).unwrap();
}

#[test]
fn a_gradient_that_is_not_finite_changes_nothing() {
    let (net, mut optim) = started();
    let (params, before) = (net.flat(), optim.state().unwrap().1.clone());
    let mut bad = grads(&net);
    let plain = device().without_autodiff();
    bad.register(net.gain.id, tensor(&[0.0, f32::NAN, 0.0, 0.0], [4], &plain));
    let error = optim.step(0.05, net.clone(), bad).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`gain` is not finite at index 1"),
        "{error}"
    );
    assert_eq!(bits(&net.flat()), bits(&params));
    assert_eq!(optim.state().unwrap().1, &before);

    // Nor does it fix the layout of an optimizer that has not begun.
    let mut fresh = acclip();
    assert!(fresh.step(f64::NAN, net.clone(), grads(&net)).is_err());
    assert!(fresh.state().is_none());
}

#[test]
fn gradients_of_another_module_are_refused() {
    let (net, mut optim) = started();
    let stranger = Net::new(&numbers(30, 1.0), &device());
    let error = optim.step(0.05, net.clone(), grads(&stranger)).unwrap_err();
    assert!(matches!(error, Error::NoGradient { given: 3 }), "{error}");
    let error = optim.step(0.05, net, GradientsParams::new()).unwrap_err();
    assert!(matches!(error, Error::NoGradient { given: 0 }), "{error}");
}

#[test]
fn gradients_of_another_shape_or_type_are_refused() {
    let (net, mut optim) = started();
    let plain = device().without_autodiff();
    let mut bad = grads(&net);
    bad.register(net.second.weight.id, tensor(&[1.0; 8], [2, 4], &plain));
    let error = optim.step(0.05, net.clone(), bad).unwrap_err();
    let text = "`second.weight` is [4, 2], but its gradient is [2, 4]";
    assert_eq!(error.to_string(), text);

    let mut bad = grads(&net);
    bad.register(net.gain.id, tensor(&[1.0; 4], [4], &plain).cast(DType::F64));
    let error = optim.step(0.05, net, bad).unwrap_err();
    assert!(
        error.to_string().contains("gradient of `gain` is F64"),
        "{error}"
    );
}

#[test]
fn modules_that_cannot_be_trained_are_refused() {
    let optim = acclip();
    let layer: Linear = LinearConfig::new(3, 2).init(&device());
    let error = optim.layout(&layer.valid()).unwrap_err();
    assert!(matches!(error, Error::NothingToTrain), "{error}");

    let mut wide = layer.clone();
    let ones = Tensor::<2>::ones([3, 2], &device()).cast(DType::F64);
    wide.weight = Param::from_tensor(ones.detach());
    let error = optim.layout(&wide).unwrap_err();
    assert!(
        error.to_string().contains("parameter of `weight` is F64"),
        "{error}"
    );

    let error = optim
        .layout(&vec![layer.clone(), layer.clone()])
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("`0.weight` and `1.weight` are the same"),
        "{error}"
    );

    let short = optim.with_blocks(|path, shape| Block::new(path, &shape[1..], true));
    let error = short.layout(&layer).unwrap_err();
    assert!(matches!(error, Error::BlockSize { .. }), "{error}");

    let same = acclip().with_blocks(|_, shape| Block::new("same", shape, true));
    let error = same.layout(&layer).unwrap_err();
    assert!(matches!(error, Error::Optim(_)), "{error}");
}

#[test]
fn a_state_that_does_not_belong_is_refused() {
    let (net, optim) = started();
    let (layout, state) = optim.state().unwrap();
    let mut other = optimizer("adamw", &Hyper::default()).unwrap();
    other.restore(layout.clone(), state.clone());
    let error = other.step(0.05, net.clone(), grads(&net)).unwrap_err();
    assert!(matches!(error, Error::Optim(_)), "{error}");
    assert!(optimizer("acclop", &Hyper::default()).is_err());
}
