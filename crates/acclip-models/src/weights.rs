//! A model's parameters during one pass, and the gradient that comes back.
//!
//! On `flex` the ops read the flat buffer itself, and write gradients into the flat gradient: nothing is copied.
//! On other backends each parameter is uploaded as a leaf, and its gradient is downloaded after the backward
//! pass. [`Weights::copied`] counts the bytes.

use crate::by_example::{Asked, ByExample, Decoder, Groups, Recorder};
use crate::ops::is_fused;
use crate::{Device, Error, Parameter, Real};
use acclip_kernels::by_example::Moments;
use burn::tensor::{Gradients, Tensor, TensorData};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

/// The parameters of a model in one pass. A clone is the same pass.
#[derive(Clone)]
pub(crate) struct Weights<F> {
    table: Arc<Table>,
    place: Place<F>,
    device: Device,
    rows: Groups,
}

/// Where everything lies in the flat buffer.
#[derive(Debug)]
pub(crate) struct Table {
    parameters: Vec<Parameter>,
    starts: Vec<usize>,
    index: HashMap<String, usize>,
}

#[derive(Clone)]
enum Place<F> {
    /// The flat buffer of the caller.
    Flat(Arc<Vec<F>>, Arc<Mutex<Sink<F>>>),
    /// A leaf a parameter.
    Leaves(Vec<Tensor<1>>),
}

/// The gradient, while a backward pass writes it.
#[derive(Debug)]
pub(crate) struct Sink<F> {
    grad: Vec<F>,
    /// Whether a parameter's gradient has been written, by parameter.
    written: Vec<bool>,
    /// Where single examples are asked for.
    recorder: Option<Recorder<F>>,
}

/// Adjacent parameters, for a fused op: their numbers, and where their gradient goes.
#[derive(Clone)]
pub(crate) struct Slot<F> {
    flat: Arc<Vec<F>>,
    sink: Arc<Mutex<Sink<F>>>,
    /// Their numbers, and where they lie.
    parameters: Range<usize>,
    range: Range<usize>,
    /// The rows of the op's input that belong to each example.
    rows: Groups,
}

impl Table {
    pub fn new(parameters: Vec<Parameter>) -> Self {
        let mut starts = vec![0];
        for parameter in &parameters {
            starts.push(starts.last().expect("has one") + parameter.len());
        }
        let names = parameters.iter().enumerate();
        Self {
            index: names.map(|(i, p)| (p.name.clone(), i)).collect(),
            parameters,
            starts,
        }
    }

    /// Every parameter, in the order of the flat buffer.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The length of the flat buffer.
    pub fn len(&self) -> usize {
        self.starts[self.parameters.len()]
    }

    /// Refuses a flat buffer of another length.
    fn check(&self, what: &'static str, found: usize) -> Result<(), Error> {
        match self.len() {
            expected if expected == found => Ok(()),
            expected => Err(Error::Shape {
                what,
                problem: format!("{found} numbers, but the model has {expected}"),
            }),
        }
    }

    fn range(&self, i: usize) -> Range<usize> {
        self.starts[i]..self.starts[i + 1]
    }
}

impl<F: Real> Weights<F> {
    /// Begins a pass. It will be differentiated if the device is one of autodiff; `stock` asks for Burn's own
    /// operations where there are fused ones.
    pub fn new(
        table: &Arc<Table>,
        flat: &Arc<Vec<F>>,
        device: &Device,
        stock: bool,
        rows: Groups,
    ) -> Result<Self, Error> {
        table.check("params", flat.len())?;
        let place = match is_fused(device) && !stock {
            true => {
                let sink = Sink {
                    grad: Vec::new(),
                    written: vec![false; table.parameters.len()],
                    recorder: None,
                };
                Place::Flat(Arc::clone(flat), Arc::new(Mutex::new(sink)))
            }
            false => {
                let leaf = |i| {
                    let values = flat[table.range(i)].to_vec();
                    let shape = [values.len()];
                    let leaf = tensor(values, shape, device);
                    match device.is_autodiff() {
                        true => leaf.require_grad(),
                        false => leaf,
                    }
                };
                Place::Leaves((0..table.parameters.len()).map(leaf).collect())
            }
        };
        Ok(Self {
            table: Arc::clone(table),
            place,
            device: device.clone(),
            rows,
        })
    }

    /// The same pass for ops whose rows belong to examples in another way.
    pub fn with_rows(&self, rows: Groups) -> Self {
        Self {
            rows,
            ..self.clone()
        }
    }

    /// Where the pass runs.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether Burn's own operations compute.
    pub fn is_stock(&self) -> bool {
        matches!(self.place, Place::Leaves(_))
    }

    /// How many bytes a pass, forward and backward, copies between the flat buffers and tensors.
    pub fn copied(&self) -> u64 {
        match self.place {
            Place::Flat(..) => 0,
            Place::Leaves(_) => (2 * self.table.len() * size_of::<F>()) as u64,
        }
    }

    /// Whether the model has a parameter of this name.
    pub fn has(&self, name: &str) -> bool {
        self.table.index.contains_key(name)
    }

    /// A parameter for a fused op; `None` where the ops are Burn's own. Names come from the model's own list, so
    /// one that is missing is a bug.
    pub fn slot(&self, name: &str) -> Option<Slot<F>> {
        self.slots(name, 1)
    }

    /// `count` parameters that stand side by side, from `name` on.
    pub fn slots(&self, name: &str, count: usize) -> Option<Slot<F>> {
        let Place::Flat(flat, sink) = &self.place else {
            return None;
        };
        let parameters = self.table.index[name]..self.table.index[name] + count;
        Some(Slot {
            flat: Arc::clone(flat),
            sink: Arc::clone(sink),
            range: self.table.starts[parameters.start]..self.table.starts[parameters.end],
            parameters,
            rows: Arc::clone(&self.rows),
        })
    }

    /// A vector parameter as a leaf, for Burn's own operations.
    pub fn vector(&self, name: &str) -> Tensor<1> {
        let Place::Leaves(leaves) = &self.place else {
            unreachable!("a fused pass has no leaves")
        };
        leaves[self.table.index[name]].clone()
    }

    /// A parameter of any shape as a leaf, for Burn's own operations.
    pub fn leaf<const D: usize>(&self, name: &str) -> Tensor<D> {
        let shape = &self.table.parameters[self.table.index[name]].shape;
        let shape: [usize; D] = shape[..].try_into().expect("the model knows its shapes");
        self.vector(name).reshape(shape)
    }

    /// Runs the backward pass of `loss` and writes the gradient into `grad`, in the layout of the parameters.
    pub fn backward(&self, loss: Tensor<1>, grad: &mut Vec<F>) -> Result<(), Error> {
        self.table.check("grad", grad.len())?;
        match &self.place {
            Place::Flat(_, sink) => self.backward_flat(loss, grad, sink),
            Place::Leaves(leaves) => {
                let mut gradients: Gradients = loss.backward();
                for (i, leaf) in leaves.iter().enumerate() {
                    let target = &mut grad[self.table.range(i)];
                    match leaf.grad_remove(&mut gradients) {
                        Some(gradient) => target.copy_from_slice(&values::<F, 1>(gradient)),
                        None => target.fill(F::ZERO),
                    }
                }
            }
        }
        Ok(())
    }

    /// [`Weights::backward`], with the moments of every example's gradient and its product with `along`. The loss is
    /// the mean over the rows of `heads`.
    pub fn backward_by_example(
        &self,
        loss: Tensor<1>,
        grad: &mut Vec<F>,
        along: Option<&Arc<Vec<F>>>,
        heads: &Groups,
    ) -> Result<ByExample, Error> {
        self.table.check("grad", grad.len())?;
        if let Some(along) = along {
            self.table.check("along", along.len())?;
        }
        let Place::Flat(_, sink) = &self.place else {
            return Err(Error::Unknown {
                what: "way to look at single examples",
                name: "on this backend".to_string(),
                known: "flex".to_string(),
            });
        };
        let parameters = self.table.parameters.len();
        let recorder = Recorder::new(parameters, heads.len(), along.cloned());
        lock(sink).recorder = Some(recorder);
        self.backward_flat(loss, grad, sink);
        let recorder = lock(sink).recorder.take();
        Ok(recorder.expect("it was just put there").finish(heads))
    }

    fn backward_flat(&self, loss: Tensor<1>, grad: &mut Vec<F>, sink: &Mutex<Sink<F>>) {
        lock(sink).grad = std::mem::take(grad);
        let _ = loss.backward();
        let mut sink = lock(sink);
        *grad = std::mem::take(&mut sink.grad);
        for i in 0..sink.written.len() {
            if !std::mem::take(&mut sink.written[i]) {
                grad[self.table.range(i)].fill(F::ZERO);
            }
        }
    }
}

impl<F: Real> Slot<F> {
    /// The numbers.
    pub fn values(&self) -> &[F] {
        &self.flat[self.range.clone()]
    }

    /// Lets `write` set the gradient, or add to it where its second argument is true. `write` must not ask for another
    /// slot.
    pub fn write<R>(&self, write: impl FnOnce(&mut [F], bool) -> R) -> R {
        let mut sink = lock(&self.sink);
        let written = &mut sink.written[self.parameters.clone()];
        let add = written.iter().all(|written| *written);
        assert!(add || !written.contains(&true), "parameters go together");
        written.fill(true);
        write(&mut sink.grad[self.range.clone()], add)
    }

    /// Lets `add` add to the gradient, which is 0 at first.
    pub fn add(&self, add: impl FnOnce(&mut [F])) {
        self.write(|grad, written| {
            if !written {
                grad.fill(F::ZERO);
            }
            add(grad);
        });
    }

    /// Where the numbers lie in the flat buffer.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// How many parameters these are.
    pub fn count(&self) -> usize {
        self.parameters.len()
    }

    /// Whether single examples are asked for, and what an op needs then.
    pub fn asked(&self) -> Option<Asked<F>> {
        let sink = lock(&self.sink);
        let recorder = sink.recorder.as_ref()?;
        Some(recorder.asked(&self.rows))
    }

    /// Adds the moments of each example to those of the parameter at place `i`.
    pub fn add_moments(&self, i: usize, moments: Vec<Moments>) {
        if let Some(recorder) = &mut lock(&self.sink).recorder {
            recorder.add(self.parameters.start + i, moments);
        }
    }

    /// Keeps a decoder until its table's other gradient comes.
    pub fn keep(&self, decoder: Decoder<F>) {
        if let Some(recorder) = &mut lock(&self.sink).recorder {
            recorder.keep(self.parameters.start, decoder);
        }
    }

    /// The decoder that was kept.
    pub fn take(&self) -> Option<Decoder<F>> {
        let mut sink = lock(&self.sink);
        sink.recorder.as_mut()?.take(self.parameters.start)
    }

    /// Adds `values` to the gradient.
    pub fn add_values(&self, values: &[F]) {
        self.add(|grad| {
            for (g, value) in grad.iter_mut().zip(values) {
                *g += *value;
            }
        });
    }
}

fn lock<F>(sink: &Mutex<Sink<F>>) -> MutexGuard<'_, Sink<F>> {
    sink.lock().expect("an op that panics ends the pass")
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
