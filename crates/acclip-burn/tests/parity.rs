//! A step on a module has the bits of the same step on flat buffers.

mod common;

use acclip_burn::{Hyper, ModuleOptimizer, State, optimizer};
use acclip_optim::Tensor;
use burn::optim::{GradientsParams, MultiGradientsParams};
use common::{Flat, Net, bits, device, gradients, layout, numbers, tensor};
use std::collections::BTreeMap;

/// Weight decay on, so that a wrong decay flag shows.
fn hyper() -> Hyper {
    Hyper {
        weight_decay: Some(0.1),
        ..Hyper::default()
    }
}

#[test]
fn every_optimizer_equals_its_flat_twin_to_the_bit() {
    for name in acclip_optim::NAMES {
        let start = numbers(30, 1.0);
        let mut net = Net::new(&start, &device());
        assert_eq!(bits(&net.flat()), bits(&start), "the test's own order");
        let mut optim = optimizer(name, &hyper()).unwrap();
        let mut twin = Flat::new(name, &hyper(), start);
        for step in 0..6 {
            let (grads, flat) = gradients(&net, net.loss(step, true));
            net = optim.step(0.05, net, grads).unwrap();
            twin.step(0.05, &flat);
            assert_eq!(bits(&net.flat()), bits(&twin.params), "{name}, step {step}");
        }
        let (found, state) = optim.state().unwrap();
        assert_eq!((found, state), (&layout(), &twin.state), "{name}");
    }
}

#[test]
fn a_parameter_without_gradient_has_gradient_zero() {
    let start = numbers(30, 2.0);
    let mut net = Net::new(&start, &device());
    let mut optim = optimizer("adamw", &hyper()).unwrap();
    let mut twin = Flat::new("adamw", &hyper(), start);
    // Without at first; then with, so that there is momentum; then without again.
    for (step, with_gain) in [false, true, false, false].into_iter().enumerate() {
        let before = net.gain.val().into_data();
        let (grads, flat) = gradients(&net, net.loss(step, with_gain));
        assert_eq!(grads.len(), if with_gain { 5 } else { 4 });
        net = optim.step(0.05, net, grads).unwrap();
        twin.step(0.05, &flat);
        assert_eq!(bits(&net.flat()), bits(&twin.params), "step {step}");
        // Its momentum goes on once it has some.
        assert_eq!(net.gain.val().into_data() == before, step == 0);
    }
}

#[test]
fn transposed_parameters_and_gradients_are_read_in_row_major_order() {
    let (start, grad) = (numbers(30, 3.0), numbers(30, 4.0));
    let net = Net::new(&start, &device());
    let plain = device().without_autodiff();
    let columns: Vec<f32> = (0..12).map(|i| grad[(i % 3) * 4 + i / 3]).collect();
    let transposed = tensor(&columns, [4, 3], &plain).transpose();
    let mut grads = GradientsParams::new();
    grads.register(net.first.weight.id, transposed);
    let mut twin = Flat::new("acclip", &hyper(), start);
    let flat: Vec<f32> = (grad[..12].iter().copied().chain([0.0; 18])).collect();
    twin.step(0.05, &flat);
    let mut optim = optimizer("acclip", &hyper()).unwrap();
    let net = optim.step(0.05, net, grads).unwrap();
    assert_eq!(bits(&net.flat()), bits(&twin.params));
}

#[test]
fn gradients_of_several_devices_are_added_up() {
    let start = numbers(30, 5.0);
    let net = Net::new(&start, &device());
    let plain = device().without_autodiff();
    let mut multi = MultiGradientsParams::default();
    let mut parts = Vec::new();
    for step in 0..2 {
        let (grads, flat) = gradients(&net, net.loss(step, true));
        multi.grads.push((grads, plain.clone()));
        parts.push(flat);
    }
    let sum: Vec<f32> = parts[0].iter().zip(&parts[1]).map(|(a, b)| a + b).collect();
    let mut twin = Flat::new("gclip", &hyper(), start);
    twin.step(0.05, &sum);
    let mut optim = optimizer("gclip", &hyper()).unwrap();
    let net = optim.step(0.05, net, multi).unwrap();
    assert_eq!(bits(&net.flat()), bits(&twin.params));
}

/// A state as a file would hold it: text, and named arrays with their types.
struct Saved {
    header: BTreeMap<String, String>,
    arrays: Vec<(String, String, Vec<u8>)>,
}

fn save(optim: &ModuleOptimizer) -> Saved {
    let (layout, state) = optim.state().unwrap();
    let arrays = state.tensors().into_iter().map(|array| {
        let name = array.name.into_owned();
        (name, array.dtype.to_owned(), array.bytes.into_owned())
    });
    Saved {
        header: state.header(layout),
        arrays: arrays.collect(),
    }
}

fn load(saved: &Saved, net: &Net, optim: &mut ModuleOptimizer) {
    let layout = optim.layout(net).unwrap();
    let arrays = saved.arrays.iter().map(|(name, dtype, bytes)| Tensor {
        name: name.into(),
        dtype,
        bytes: bytes.into(),
    });
    let state = State::restore(optim.optimizer(), &layout, &saved.header, arrays).unwrap();
    optim.restore(layout, state);
}

#[test]
fn a_run_goes_on_from_a_saved_state_under_other_parameter_ids() {
    for name in ["acclip", "adamw-clip", "sgd-momentum"] {
        let run = |net: &mut Net, optim: &mut ModuleOptimizer, steps| {
            for step in steps {
                let (grads, _) = gradients(net, net.loss(step, true));
                *net = optim.step(0.05, net.clone(), grads).unwrap();
            }
        };
        let mut net = Net::new(&numbers(30, 6.0), &device());
        let mut optim = optimizer(name, &hyper()).unwrap();
        run(&mut net, &mut optim, 0..3);

        let (params, saved) = (net.flat(), save(&optim));
        run(&mut net, &mut optim, 3..6);

        let mut other = Net::row_major(&params, &device());
        assert_ne!(other.gain.id, net.gain.id);
        let mut optim = optimizer(name, &hyper()).unwrap();
        load(&saved, &other, &mut optim);
        run(&mut other, &mut optim, 3..6);
        assert_eq!(bits(&other.flat()), bits(&net.flat()), "{name}");
    }
}
