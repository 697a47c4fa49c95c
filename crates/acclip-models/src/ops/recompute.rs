//! Recomputation (gradient checkpointing): a block keeps its input alone, and runs again in the backward pass.
//!
//! (Chen et al., *Training Deep Nets with Sublinear Memory Cost*, 2016.) The block must give the same numbers again,
//! as it does where its dropout masks are functions of a key.

use super::tape::{read, record, start};
use crate::Real;
use crate::weights::Weights;
use burn::tensor::Tensor;

/// `block(h)`, without keeping what lies between. On other backends than `flex` the block simply runs: Burn has its
/// own checkpointing there.
pub(crate) fn recompute<F: Real>(
    w: &Weights<F>,
    h: Tensor<2>,
    block: impl Fn(Tensor<2>) -> Tensor<2> + Send + 'static,
) -> Tensor<2> {
    if w.is_stock() || !h.device().is_autodiff() {
        return block(h);
    }
    let shape = h.dims();
    let (h, node) = read::<F, 2>(h);
    let (y, _) = read::<F, 2>(block(start(h.clone(), shape, false)));
    record([node], y.into_vec(), shape, move |dy| {
        let h = start(h, shape, true);
        let (_, y) = read::<F, 2>(block(h.clone()));
        // A scalar whose gradient with respect to y is dy.
        let seed: Tensor<1> = record([y], vec![F::ZERO], [1], move |_| [Some(dy.into_vec())]);
        let dh = h.grad_remove(&mut seed.backward());
        [dh.map(|dh| read::<F, 2>(dh).0.into_vec())]
    })
}
