//! How a fused op is recorded on Burn's tape.
//!
//! An op [`read`]s its inputs, computes its output from slices, and gives [`record`] a closure for the backward pass.
//! Burn runs the closures in reverse, hands each the gradient of its output, and adds up gradients of a tensor that is
//! used more than once. What an op needs in backward is what its closure captures, and is freed with it.

use crate::{Device, Real};
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::{Autodiff, BackendTypes, DispatchDevice, Flex};
use burn::tensor::{Shape, Tensor, TensorData};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::{Arc, Mutex};

type Tracked = <Autodiff<Flex> as BackendTypes>::FloatTensorPrimitive;

/// What the code that calls the fused ops has seen to.
const ON_FLEX: &str = "fused ops are called on flex";

/// Whether tensors on this device are computed by the fused ops.
pub(crate) fn is_fused(device: &Device) -> bool {
    let device = device.clone().inner();
    matches!(device.as_dispatch(), DispatchDevice::Flex(_))
}

/// The numbers of a tensor on `flex`, row-major. A clone shares them.
#[derive(Debug, Clone)]
pub(crate) struct Values<F> {
    tensor: FlexTensor,
    real: PhantomData<F>,
}

/// A tensor's shape and its place on the tape, if there is one.
pub(crate) struct Node {
    shape: Vec<usize>,
    guard: Option<NodeGuard>,
}

impl<F: Real> Values<F> {
    fn new(tensor: FlexTensor) -> Self {
        Self {
            tensor: tensor.to_contiguous(),
            real: PhantomData,
        }
    }

    /// A tensor of the same numbers.
    fn reshape(self, shape: &[usize]) -> FlexTensor {
        let layout = Layout::contiguous(Shape::from(shape.to_vec()));
        self.tensor.with_layout(layout)
    }

    /// The numbers as a vector: without a copy if nobody else looks at them.
    pub fn into_vec(self) -> Vec<F> {
        let numbers = self.tensor.into_data().try_into_vec();
        numbers.expect("values are of type F")
    }
}

impl<F: Real> From<Vec<F>> for Values<F> {
    fn from(values: Vec<F>) -> Self {
        let shape = [values.len()];
        Self::new(flex(values, &shape))
    }
}

impl<F: Real> Deref for Values<F> {
    type Target = [F];
    fn deref(&self) -> &[F] {
        let numbers = self.tensor.as_slice();
        numbers.expect("values are dense and of type F")
    }
}

fn flex<F: Real>(values: Vec<F>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.to_vec()))
}

/// The numbers of an op's input, and its place on the tape.
pub(crate) fn read<F: Real, const D: usize>(tensor: Tensor<D>) -> (Values<F>, Node) {
    let shape = tensor.dims().to_vec();
    if tensor.device().is_autodiff() {
        let tracked = tensor.try_into_primitive::<Autodiff<Flex>>();
        let (values, guard) = tracked.expect(ON_FLEX).into_parts();
        let guard = Some(guard);
        return (Values::new(values), Node { shape, guard });
    }
    let values = tensor.try_into_primitive::<Flex>().expect(ON_FLEX);
    (Values::new(values), Node { shape, guard: None })
}

/// A tensor that begins a pass, which is differentiated where `tracked`.
pub(crate) fn start<F: Real, const D: usize>(
    values: Values<F>,
    shape: [usize; D],
    tracked: bool,
) -> Tensor<D> {
    let tensor = values.reshape(&shape);
    match tracked {
        true => Tensor::from_primitive::<Autodiff<Flex>>(Tracked::new(tensor).require_grad()),
        false => Tensor::from_primitive::<Flex>(tensor),
    }
}

/// The output of an op, and how its gradient reaches its inputs: `backward` gets ∂loss/∂output and returns
/// ∂loss/∂input for each input, `None` where there is none to give.
pub(crate) fn record<F: Real, const N: usize, const D: usize>(
    inputs: [Node; N],
    output: impl Into<Values<F>>,
    shape: [usize; D],
    backward: impl FnOnce(Values<F>) -> [Option<Vec<F>>; N] + Send + 'static,
) -> Tensor<D> {
    let output = output.into().reshape(&shape);
    if inputs.iter().any(|input| input.guard.is_none()) {
        return Tensor::from_primitive::<Flex>(output);
    }
    let shapes = inputs.each_ref().map(|input| input.shape.clone());
    let guards = inputs.map(|input| input.guard.expect("just seen"));
    let closure = Closure(Arc::new(Mutex::new(Some(Box::new(backward)))));
    let op = FusedOp(PhantomData).prepare::<NoCheckpointing>(guards);
    let output = match op.compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish((closure, shapes), output),
        OpsKind::UnTracked(prep) => prep.finish(output),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

type Function<F, const N: usize> = dyn FnOnce(Values<F>) -> [Option<Vec<F>>; N] + Send;

/// The backward function of an op, which runs once. (Burn asks that an op's state be `Clone`.)
#[derive(Clone)]
struct Closure<F, const N: usize>(Arc<Mutex<Option<Box<Function<F, N>>>>>);

impl<F, const N: usize> fmt::Debug for Closure<F, N> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Closure")
    }
}

#[derive(Debug)]
struct FusedOp<F>(PhantomData<F>);

impl<F: Real, const N: usize> Backward<Flex, N> for FusedOp<F> {
    type State = (Closure<F, N>, [Vec<usize>; N]);

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (closure, shapes) = ops.state;
        let function = closure.0.lock().ok().and_then(|mut f| f.take());
        let function = function.expect("Burn runs each step once");
        let output = Values::new(grads.consume::<Flex>(&ops.node));
        let inputs = ops.parents.into_iter().zip(function(output)).zip(shapes);
        for ((parent, gradient), shape) in inputs {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<Flex>(parent.id, flex(gradient, &shape));
            }
        }
    }
}
