//! The parameters of a model: a list of names and shapes, laid back to back in one flat buffer.

use acclip_kernels as kernels;
use burn::tensor::{DType, Element};

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
pub trait Real: Element + kernels::Real + sealed::Sealed {
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
