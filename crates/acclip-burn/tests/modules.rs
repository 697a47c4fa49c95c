//! What of a module is a block, and what a step leaves as it was.

mod common;

use acclip_burn::{Block, Hyper, default_block, optimizer};
use burn::module::{Module, ParamGroup};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use common::{Net, bits, device, gradients, layout, numbers};

/// Nested modules, a list, and BatchNorm, whose running statistics Burn shows as floats too.
#[derive(Module, Debug)]
struct Deep {
    layers: Vec<Linear>,
    norm: BatchNorm,
}

impl Deep {
    fn new(device: &Device) -> Self {
        Deep {
            layers: (0..2)
                .map(|_| LinearConfig::new(3, 3).init(device))
                .collect(),
            norm: BatchNormConfig::new(3).init(device),
        }
    }

    fn grads(&self) -> GradientsParams {
        let device = self.layers[0].weight.val().device();
        let mut x = common::tensor(&numbers(12, 1.0), [4, 3], &device);
        for layer in &self.layers {
            x = layer.forward(x);
        }
        let loss = self.norm.forward(x).powf_scalar(4.0).sum();
        GradientsParams::from_grads(loss.backward(), self)
    }
}

#[test]
fn blocks_are_the_trainable_parameters_by_path() {
    let optim = optimizer("acclip", &Hyper::default()).unwrap();
    assert_eq!(
        optim.layout(&Net::new(&[0.0; 30], &device())).unwrap(),
        layout()
    );
    let found = optim.layout(&Deep::new(&device())).unwrap();
    let names: Vec<&str> = found
        .blocks()
        .map(|(block, _)| block.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "layers.0.weight",
            "layers.0.bias",
            "layers.1.weight",
            "layers.1.bias",
            "norm.gamma",
            "norm.beta"
        ]
    );
}

#[test]
fn a_rule_makes_the_blocks() {
    let optim = optimizer("adamw", &Hyper::default()).unwrap();
    let optim = optim.with_blocks(|path, shape| match path {
        "gain" => Block::new("the gain", [2, 2], true),
        _ => default_block(path, shape),
    });
    let found = optim.layout(&Net::new(&[0.0; 30], &device())).unwrap();
    let (gain, range) = found.blocks().nth(2).unwrap();
    assert_eq!(
        (gain, range),
        (&Block::new("the gain", [2, 2], true), 16..20)
    );
}

#[test]
fn decay_acts_where_the_rule_says() {
    let hyper = Hyper {
        weight_decay: Some(0.5),
        ..Hyper::default()
    };
    let start = numbers(30, 1.0);
    let step = |decay: fn(&str) -> bool| {
        let net = Net::new(&start, &device());
        let mut optim = (optimizer("sgd", &hyper).unwrap())
            .with_blocks(move |path, shape| Block::new(path, shape, decay(path)));
        let (grads, _) = gradients(&net, net.loss(0, true));
        optim.step(0.05, net, grads).unwrap().flat()
    };
    let (none, gain) = (step(|_| false), step(|path| path == "gain"));
    let moved: Vec<usize> = (0..30).filter(|&i| none[i] != gain[i]).collect();
    assert_eq!(moved, [16, 17, 18, 19]);
}

#[test]
fn frozen_parameters_and_running_statistics_do_not_move() {
    let hyper = Hyper {
        weight_decay: Some(0.5),
        ..Hyper::default()
    };
    let mut deep = Deep::new(&device());
    deep = deep.freeze_group(ParamGroup::from_predicate("layers.0"));
    let mut optim = optimizer("adamw", &hyper).unwrap();
    assert_eq!(optim.layout(&deep).unwrap().blocks().count(), 4);
    let values = |deep: &Deep| {
        let (frozen, free) = (&deep.layers[0].weight, &deep.layers[1].weight);
        let mean = deep.norm.running_mean.value_sync();
        [
            frozen.val().into_data(),
            free.val().into_data(),
            mean.into_data(),
        ]
    };
    for _ in 0..2 {
        let grads = deep.grads();
        let [frozen, free, mean] = values(&deep);
        deep = optim.step(0.1, deep, grads).unwrap();
        let after = values(&deep);
        assert_eq!((&after[0], &after[2]), (&frozen, &mean));
        assert_ne!(after[1], free);
        assert!(!deep.layers[0].weight.is_require_grad());
        assert!(deep.layers[1].weight.is_require_grad());
    }
}

#[test]
fn ids_and_gradient_checkpointing_are_kept() {
    let device = device().gradient_checkpointing();
    let mut net = Net::new(&numbers(30, 1.0), &device);
    let id = net.gain.id;
    let strategy = net.gain.val().gradient_checkpointing_strategy();
    assert_ne!(
        strategy,
        common::device().gradient_checkpointing_strategy(),
        "or the test shows nothing"
    );
    let mut optim = optimizer("acclip", &Hyper::default()).unwrap();
    for step in 0..3 {
        let (grads, _) = gradients(&net, net.loss(step, true));
        net = optim.step(0.05, net, grads).unwrap();
        assert_eq!(net.gain.id, id);
        assert_eq!(net.gain.val().gradient_checkpointing_strategy(), strategy);
    }
}

#[test]
fn a_module_that_was_validated_trains_on() {
    let mut net = Net::new(&numbers(30, 1.0), &device());
    let mut optim = optimizer("adamw", &Hyper::default()).unwrap();
    for step in 0..2 {
        let (grads, _) = gradients(&net, net.loss(step, true));
        net = optim.step(0.05, net, grads).unwrap();
        let valid = net.valid();
        assert_eq!(bits(&valid.flat()), bits(&net.flat()));
        net = valid.train();
    }
    assert_eq!(optim.stats().map(|stats| stats.grad_norm > 0.0), Some(true));
}

#[test]
fn a_bare_parameter_is_a_module_too() {
    let device = device();
    let x: Tensor<2> = common::tensor(&numbers(6, 1.0), [2, 3], &device);
    let param = burn::module::Param::from_tensor(x);
    let grads = GradientsParams::from_grads(param.val().square().sum().backward(), &param);
    let mut optim = optimizer("acclip", &Hyper::default()).unwrap();
    let before = param.val().into_data();
    let param = optim.step(0.05, param, grads).unwrap();
    assert_ne!(param.val().into_data(), before);
}
