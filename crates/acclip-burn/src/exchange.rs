//! Between a module's tensors and the flat buffers: gathers, scatters, and never computes.
//!
//! Numbers travel through host memory in row-major order of the logical shape, whatever the
//! strides of the tensor: a transposed weight is gathered as it prints.

use crate::Error;
use crate::table::{Place, Table};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradAdaptor;
use burn::tensor::{DType, Tensor, TensorData, TensorReadError};
use std::collections::HashMap;

/// Reads every block's parameter and gradient; a parameter without gradient gets zeros.
pub(crate) fn gather<M: Module>(
    module: &M,
    table: &Table,
    mut grads: GradAdaptor,
    params: &mut Vec<f32>,
    grad: &mut Vec<f32>,
) -> Result<(), Error> {
    let given = count(&grads);
    params.resize(table.layout.len(), 0.0);
    grad.resize(table.layout.len(), 0.0);
    let mut gather = Gather {
        places: &table.places,
        grads: &mut grads,
        params,
        grad,
        result: Ok(()),
    };
    module.visit(&mut gather);
    gather.result?;
    if count(&grads) == given {
        return Err(Error::NoGradient { given });
    }
    Ok(())
}

/// Writes the parameters back; everything that is no block stays the very tensor it was.
pub(crate) fn scatter<M: Module>(module: M, table: &Table, params: &[f32]) -> M {
    module.map(&mut Scatter {
        places: &table.places,
        params,
    })
}

/// How many gradients there are.
fn count(grads: &GradAdaptor) -> usize {
    match grads {
        GradAdaptor::Single(grads) => grads.len(),
        GradAdaptor::Multi(multi) => multi.grads.iter().map(|(grads, _)| grads.len()).sum(),
    }
}

struct Gather<'a> {
    places: &'a HashMap<ParamId, Place>,
    grads: &'a mut GradAdaptor,
    params: &'a mut [f32],
    grad: &'a mut [f32],
    result: Result<(), Error>,
}

impl Gather<'_> {
    fn block<const D: usize>(&mut self, param: &Param<Tensor<D>>) -> Result<(), Error> {
        let Some(place) = self.places.get(&param.id) else {
            return Ok(());
        };
        let (tensor, range) = (param.base(), place.range.clone());
        let shape = tensor.dims();
        read("parameter", place, tensor, &mut self.params[range.clone()])?;

        let target = &mut self.grad[range];
        let Some((gradient, _)) = self.grads.remove::<D>(param.id) else {
            target.fill(0.0);
            return Ok(());
        };
        if gradient.dims() != shape {
            return Err(Error::GradientShape {
                name: place.path.clone(),
                expected: shape.to_vec(),
                found: gradient.dims().to_vec(),
            });
        }
        read("gradient", place, gradient, target)
    }
}

impl ModuleVisitor for Gather<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.result.is_ok() {
            self.result = self.block(param);
        }
    }
}

/// Copies a tensor into `target`, which has as many coordinates.
fn read<const D: usize>(
    what: &'static str,
    place: &Place,
    tensor: Tensor<D>,
    target: &mut [f32],
) -> Result<(), Error> {
    let name = || place.path.clone();
    if tensor.dtype() != DType::F32 {
        return Err(Error::DType {
            what,
            name: name(),
            found: tensor.dtype(),
        });
    }
    let failed = |source| Error::Read {
        what,
        name: name(),
        source: Box::new(source),
    };
    let data = (tensor.inner().try_into_data())
        .map_err(TensorReadError::from)
        .map_err(failed)?;
    let values = data.as_slice::<f32>().map_err(TensorReadError::from);
    target.copy_from_slice(values.map_err(failed)?);
    Ok(())
}

struct Scatter<'a> {
    places: &'a HashMap<ParamId, Place>,
    params: &'a [f32],
}

impl ModuleMapper for Scatter<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let place = self.places.get(&param.id);
        let Some(place) = place.filter(|place| !place.range.is_empty()) else {
            return param;
        };
        let (id, old, mapper) = param.consume();
        let data = TensorData::new(self.params[place.range.clone()].to_vec(), old.dims());
        // The device of the old tensor carries its gradient-checkpointing strategy along.
        let mut new = Tensor::from_data(data, (&old.device(), DType::F32)).require_grad();
        if old.is_distributed() {
            new = new.set_distributed(id);
        }
        Param::from_mapped_value(id, new, mapper)
    }
}
