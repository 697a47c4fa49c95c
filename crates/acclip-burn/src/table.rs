//! Which parameters of a module are blocks, what they are called, and where they lie in the flat
//! buffers.
//!
//! A block is a float parameter that requires a gradient, in Burn's visiting order, which is the
//! order of the fields. Burn shows a visitor more floats than that: frozen parameters, and the
//! running mean and variance of BatchNorm. Those must not move, so they are no blocks.

use crate::{Difference, Error};
use acclip_optim::{Block, Layout};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Tensor};
use std::collections::HashMap;
use std::ops::Range;

/// Makes the block of a parameter from its path and shape.
pub(crate) type BlockRule = dyn Fn(&str, &[usize]) -> Block + Send + Sync;

/// A parameter's path in the module and its range in the flat buffers.
pub(crate) struct Place {
    pub path: String,
    pub range: Range<usize>,
}

/// The blocks of one module.
pub(crate) struct Table {
    pub layout: Layout,
    pub places: HashMap<ParamId, Place>,
}

impl Table {
    /// Lists the blocks of `module`.
    pub fn of<M: Module>(module: &M, rule: &BlockRule) -> Result<Self, Error> {
        let mut lister = Lister {
            rule,
            path: Vec::new(),
            found: Ok(Vec::new()),
        };
        module.visit(&mut lister);
        let found = lister.found?;
        if found.is_empty() {
            return Err(Error::NothingToTrain);
        }

        let layout = Layout::new(found.iter().map(|f| f.block.clone()).collect())?;
        let mut places: HashMap<ParamId, Place> = HashMap::new();
        for (Found { id, path, .. }, (_, range)) in found.into_iter().zip(layout.blocks()) {
            let place = Place { path, range };
            if let Some(first) = places.get(&id) {
                return Err(Error::SharedParameter {
                    first: first.path.clone(),
                    second: place.path,
                });
            }
            places.insert(id, place);
        }
        Ok(Table { layout, places })
    }
}

/// One parameter that requires a gradient.
struct Found {
    id: ParamId,
    path: String,
    block: Block,
}

/// Walks a module; stops listing at the first error.
struct Lister<'a> {
    rule: &'a BlockRule,
    path: Vec<String>,
    found: Result<Vec<Found>, Error>,
}

impl Lister<'_> {
    fn block(&self, path: &str, shape: &[usize], dtype: DType) -> Result<Block, Error> {
        if dtype != DType::F32 {
            return Err(Error::DType {
                what: "parameter",
                name: path.to_owned(),
                found: dtype,
            });
        }
        let block = (self.rule)(path, shape);
        if size(&block.shape) != size(shape) {
            return Err(Error::BlockSize {
                name: path.to_owned(),
                expected: shape.to_owned(),
                found: block.shape,
            });
        }
        Ok(block)
    }
}

impl ModuleVisitor for Lister<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.base();
        if self.found.is_err() || !tensor.is_require_grad() {
            return;
        }
        let path = self.path.join(".");
        let block = self.block(&path, &tensor.dims(), tensor.dtype());
        let id = param.id;
        match (&mut self.found, block) {
            (Ok(found), Ok(block)) => found.push(Found { id, path, block }),
            (_, Err(error)) => self.found = Err(error),
            (Err(_), Ok(_)) => {}
        }
    }
}

/// Number of coordinates, or `None` if it cannot be counted.
fn size(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1, |n: usize, &side| n.checked_mul(side))
}

/// What tells two layouts apart: names, shapes, order. Whether a block decays is not part of it.
pub(crate) fn differences(was: &Layout, is: &Layout) -> Vec<Difference> {
    let index = |layout: &Layout| -> HashMap<String, (usize, Vec<usize>)> {
        let blocks = layout.blocks().enumerate();
        blocks
            .map(|(at, (block, _))| (block.name.clone(), (at, block.shape.clone())))
            .collect()
    };
    let (old, new) = (index(was), index(is));
    let mut changed = Vec::new();
    let mut moved = Vec::new();
    for (block, _) in was.blocks() {
        let name = block.name.clone();
        match (old.get(&name), new.get(&name)) {
            (Some((_, was)), Some((_, is))) if was != is => changed.push(Difference::Reshaped {
                name,
                was: was.clone(),
                is: is.clone(),
            }),
            (Some((from, _)), Some((to, _))) if from != to => {
                moved.push(Difference::Moved { name });
            }
            (_, None) => changed.push(Difference::Gone { name }),
            _ => {}
        }
    }
    let unknown = is
        .blocks()
        .filter(|(block, _)| !old.contains_key(&block.name));
    changed.extend(unknown.map(|(block, _)| Difference::New {
        name: block.name.clone(),
    }));
    // A block that comes or goes moves all that follow: only a pure reordering is news.
    if changed.is_empty() { moved } else { changed }
}
