//! Every fused op against its stock form, and the two forms of a whole model.

mod image;
mod model;
mod pairs;
mod tape;
mod transformer_xl;

use super::tape::{read, record};
use crate::weights::{Table, Weights, tensor, values};
use crate::{Backend, Device, Parameter, Real};
use acclip_kernels as kernels;
use burn::tensor::Tensor;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::{Arc, Mutex};

/// What `f64` results may differ by, relative to the largest entry: of the two forms' order of summation.
const WIDE: f64 = 1e-12;
/// What `f32` results may differ by from `f64`, relative to the largest entry.
const NARROW: f64 = 3e-6;

/// What a LayerNorm adds to the variance.
const EPS: f64 = 1e-5;

/// All that a pass through an op gives.
#[derive(Debug, Clone, PartialEq)]
struct Outcome<F> {
    output: Vec<F>,
    /// The gradient of each input.
    inputs: Vec<Vec<F>>,
    /// The gradient of each parameter.
    parameters: Vec<Vec<F>>,
}

/// The parameters and inputs of a pass through an op. The output's gradient, like all else, is made from a seed.
#[derive(Debug, Clone)]
struct Setting {
    parameters: Vec<Parameter>,
    inputs: Vec<[usize; 2]>,
    /// Written over the inputs' first numbers.
    head: Vec<f64>,
}

fn flex() -> Device {
    Backend::Flex.device().unwrap()
}

/// `n` numbers evenly distributed in (−2, 2), exact in `f32`.
fn numbers<F: Real>(n: usize, seed: u64) -> Vec<F> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let number = |_| (generator.next_u32() >> 8) as f32 / (1 << 22) as f32 - 2.0;
    (0..n).map(number).map(|x| F::of(f64::from(x))).collect()
}

impl Setting {
    fn new(parameters: &[(&str, &[usize])], inputs: &[[usize; 2]]) -> Self {
        let parameter = |(name, shape): &(&str, &[usize])| Parameter {
            name: name.to_string(),
            shape: shape.to_vec(),
            decay: true,
        };
        Self {
            parameters: parameters.iter().map(parameter).collect(),
            inputs: inputs.to_vec(),
            head: Vec::new(),
        }
    }

    fn table(&self) -> Arc<Table> {
        Arc::new(Table::new(self.parameters.clone()))
    }

    /// Begins a pass.
    fn weights<F: Real>(&self, stock: bool) -> Weights<F> {
        let table = self.table();
        let flat = Arc::new(numbers(table.len(), 1));
        Weights::new(&table, &flat, &flex().autodiff(), stock, [].into()).unwrap()
    }

    fn input<F: Real>(&self, i: usize) -> Vec<F> {
        let mut x = numbers(self.inputs[i].iter().product(), 10 + i as u64);
        for (x, head) in x.iter_mut().zip(&self.head) {
            *x = F::of(*head);
        }
        x
    }

    /// Runs `op` on the inputs, and back from a gradient of its output.
    fn run<F: Real>(&self, stock: bool, op: impl Op<F>) -> Outcome<F> {
        let w = self.weights(stock);
        let device = w.device().clone();
        let (mut inputs, mut taps) = (Vec::new(), Vec::new());
        for (i, shape) in self.inputs.iter().enumerate() {
            let tap = Arc::new(Mutex::new(Vec::new()));
            let x = tensor(self.input::<F>(i), *shape, &device).require_grad();
            inputs.push(tapped(x, Arc::clone(&tap)));
            taps.push(tap);
        }
        let output = op(&w, inputs);
        let numbers = values::<F, 2>(output.clone());
        // Whatever stands in the gradient is overwritten.
        let mut grad = vec![F::of(7.0); self.table().len()];
        w.backward(loss(output), &mut grad).unwrap();
        let mut rest = &grad[..];
        let split = |parameter: &Parameter| {
            let (own, tail) = rest.split_at(parameter.len());
            rest = tail;
            own.to_vec()
        };
        Outcome {
            output: numbers,
            parameters: self.parameters.iter().map(split).collect(),
            inputs: taps
                .into_iter()
                .map(|tap| tap.lock().unwrap().clone())
                .collect(),
        }
    }
}

/// An op, or several.
trait Op<F>: Fn(&Weights<F>, Vec<Tensor<2>>) -> Tensor<2> {}
impl<F, T: Fn(&Weights<F>, Vec<Tensor<2>>) -> Tensor<2>> Op<F> for T {}

/// A scalar whose gradient with respect to `y` is a sequence of numbers.
fn loss(y: Tensor<2>) -> Tensor<1> {
    let [n, width] = y.dims();
    match y.dtype() {
        burn::tensor::DType::F64 => loss_of::<f64>(y, n * width),
        _ => loss_of::<f32>(y, n * width),
    }
}

fn loss_of<F: Real>(y: Tensor<2>, n: usize) -> Tensor<1> {
    let (_, node) = read::<F, 2>(y);
    record([node], vec![F::ZERO], [1], move |_| [Some(numbers(n, 99))])
}

/// `x`, whose gradient will be put into `tap`.
fn tapped<F: Real>(x: Tensor<2>, tap: Arc<Mutex<Vec<F>>>) -> Tensor<2> {
    let shape = x.dims();
    let (x, node) = read::<F, 2>(x);
    record([node], x.into_vec(), shape, move |dx| {
        let dx = dx.into_vec();
        tap.lock().unwrap().clone_from(&dx);
        [Some(dx)]
    })
}

/// Demands that `found` differ from `exact` by at most `tolerance`, relative to the largest entry.
#[track_caller]
fn assert_close<F: kernels::Real>(what: &str, found: &[F], exact: &[f64], tolerance: f64) {
    assert_eq!(found.len(), exact.len(), "{what}");
    let largest = exact.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    for (i, (found, exact)) in found.iter().zip(exact).enumerate() {
        let error = (found.f64() - exact).abs();
        assert!(
            error <= tolerance * largest,
            "{what}, entry {i}: {found:?}, not {exact}: error {:e} of the largest",
            error / largest
        );
    }
}

/// Demands that two passes agree.
#[track_caller]
fn assert_agree<F: Real>(found: &Outcome<F>, exact: &Outcome<f64>, tolerance: f64) {
    assert_close("output", &found.output, &exact.output, tolerance);
    let parts = [
        ("input", &found.inputs, &exact.inputs),
        ("parameter", &found.parameters, &exact.parameters),
    ];
    for (what, found, exact) in parts {
        assert_eq!(found.len(), exact.len());
        for (i, (found, exact)) in found.iter().zip(exact).enumerate() {
            assert_close(&format!("gradient of {what} {i}"), found, exact, tolerance);
        }
    }
}

/// Runs an op in its stock form in `f64`, and demands the same of its fused form, in `f64` and in `f32`.
macro_rules! compare {
    ($setting:expr, $op:expr) => {{
        let setting: &$crate::ops::tests::Setting = &$setting;
        let exact = setting.run::<f64>(true, $op);
        let wide = setting.run::<f64>(false, $op);
        $crate::ops::tests::assert_agree(&wide, &exact, $crate::ops::tests::WIDE);
        let narrow = setting.run::<f32>(false, $op);
        $crate::ops::tests::assert_agree(&narrow, &exact, $crate::ops::tests::NARROW);
    }};
}
use compare;
