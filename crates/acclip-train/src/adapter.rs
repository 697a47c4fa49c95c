//! Between the model's list of parameters and the optimizer's layout.

use crate::Error;
use acclip_models::Parameter;
use acclip_optim::{Block, Layout};

/// The optimizer's view of a model's parameters.
pub(crate) fn layout(parameters: &[Parameter]) -> Result<Layout, Error> {
    let block = |p: &Parameter| Block::new(p.name.clone(), p.shape.clone(), p.decay);
    Ok(Layout::new(parameters.iter().map(block).collect())?)
}
