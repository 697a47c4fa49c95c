//! One flat buffer of parameters, seen as named tensors.
//!
//! A model's parameters lie back to back in one slice in the order of its list of [`Parameter`]s.
//! [`Leaves`] uploads such a slice as autodiff leaves; after the backward pass it writes every
//! gradient into a slice of the same layout. A parameter that the loss does not reach has gradient 0.

use crate::{Device, Error};
use burn::tensor::{DType, Element, Gradients, Tensor, TensorData};
use std::collections::HashMap;

/// Name, shape and decay group of one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The Hugging Face name.
    pub name: String,
    /// Row-major shape; a linear layer is `[out, in]`.
    pub shape: Vec<usize>,
    /// Whether weight decay applies: not to biases and LayerNorm (Devlin et al. 2019).
    pub decay: bool,
}

impl Parameter {
    /// How many numbers it holds.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The length of the flat buffer that holds `parameters`.
pub fn len(parameters: &[Parameter]) -> usize {
    parameters.iter().map(Parameter::len).sum()
}

/// `f32` (training) or `f64` (checks of the gradient).
pub trait Real: Element + sealed::Sealed {
    /// Burn's name of the type.
    const DTYPE: DType;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl Real for f32 {
    const DTYPE: DType = DType::F32;
}

impl Real for f64 {
    const DTYPE: DType = DType::F64;
}

/// A parameter buffer on a device, one rank-1 leaf a parameter.
pub(crate) struct Leaves {
    leaves: Vec<Tensor<1>>,
    shapes: Vec<Vec<usize>>,
    index: HashMap<String, usize>,
}

impl Leaves {
    /// Uploads `flat`; on an autodiff device the leaves are tracked.
    pub fn upload<F: Real>(
        parameters: &[Parameter],
        flat: &[F],
        device: &Device,
    ) -> Result<Self, Error> {
        let expected = len(parameters);
        if flat.len() != expected {
            return Err(Error::Shape {
                what: "params",
                problem: format!("{} numbers, but the model has {expected}", flat.len()),
            });
        }
        let mut rest = flat;
        let mut leaves = Vec::with_capacity(parameters.len());
        for parameter in parameters {
            let (values, tail) = rest.split_at(parameter.len());
            rest = tail;
            let leaf = tensor(values.to_vec(), [values.len()], device);
            leaves.push(if device.is_autodiff() {
                leaf.require_grad()
            } else {
                leaf
            });
        }
        Ok(Self {
            leaves,
            shapes: parameters.iter().map(|p| p.shape.clone()).collect(),
            index: parameters
                .iter()
                .enumerate()
                .map(|(i, p)| (p.name.clone(), i))
                .collect(),
        })
    }

    /// A vector parameter. Names come from the model's own list, so one that is missing is a bug.
    pub fn vector(&self, name: &str) -> Tensor<1> {
        self.leaves[self.index[name]].clone()
    }

    /// A matrix parameter.
    pub fn matrix(&self, name: &str) -> Tensor<2> {
        let i = self.index[name];
        let [rows, columns] = self.shapes[i][..] else {
            unreachable!("{name} is listed as a matrix")
        };
        self.leaves[i].clone().reshape([rows, columns])
    }

    /// Writes the gradient of every leaf into `grad`, in the layout of the parameters.
    pub fn gather<F: Real>(&self, mut gradients: Gradients, grad: &mut [F]) -> Result<(), Error> {
        let expected: usize = self
            .shapes
            .iter()
            .map(|s| s.iter().product::<usize>())
            .sum();
        if grad.len() != expected {
            return Err(Error::Shape {
                what: "grad",
                problem: format!("{} numbers, but the model has {expected}", grad.len()),
            });
        }
        let mut rest = grad;
        for leaf in &self.leaves {
            let (target, tail) = rest.split_at_mut(leaf.dims()[0]);
            rest = tail;
            match leaf.grad_remove(&mut gradients) {
                Some(gradient) => target.copy_from_slice(&values::<F, 1>(gradient)),
                None => target.fill(F::from_elem(0.0)),
            }
        }
        Ok(())
    }
}

/// A tensor of `values`, of their own type whatever the device's default.
pub(crate) fn tensor<F: Real, const D: usize>(
    values: Vec<F>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), (device, F::DTYPE))
}

/// The values of a tensor, row-major.
pub(crate) fn values<F: Real, const D: usize>(tensor: Tensor<D>) -> Vec<F> {
    tensor
        .into_data()
        .try_into_vec::<F>()
        .expect("a tensor made by `tensor::<F, D>` holds F")
}
