//! Multi-head self-attention over packed queries, keys and values.

use super::norm::factors;
use super::tape::{read, record};
use crate::Real;
use crate::weights::Weights;
use acclip_kernels::Dropout;
use acclip_kernels::attention::{self as kernel, Shape};
use burn::tensor::{Bool, Tensor, TensorData, activation};
use std::sync::Arc;

/// Sequences, and how they are split into heads.
#[derive(Clone)]
pub(crate) struct Heads {
    pub shape: Shape,
    /// (B, T): false where a position is padding, which nobody attends to.
    pub real: Arc<[bool]>,
}

/// (B·T, heads·D) from `qkv` (B·T, 3·heads·D): softmax(Q Kᵀ/√D) V for each sequence and head, with dropout of the
/// attention weights.
pub(crate) fn attention<F: Real>(
    w: &Weights<F>,
    heads: &Heads,
    qkv: Tensor<2>,
    dropout: Option<Dropout>,
) -> Tensor<2> {
    let shape = heads.shape;
    let out = [shape.batch * shape.length, shape.hidden()];
    if w.is_stock() {
        return stock::<F>(heads, qkv, dropout).reshape(out);
    }
    let (qkv, node) = read::<F, 2>(qkv);
    let real = Arc::clone(&heads.real);
    let mut weights = vec![F::ZERO; shape.weights()];
    let mut mixed = vec![F::ZERO; out[0] * out[1]];
    kernel::forward(
        &shape,
        &qkv,
        &real,
        dropout.as_ref(),
        &mut weights,
        &mut mixed,
    );
    record([node], mixed, out, move |dmixed| {
        let mut dqkv = vec![F::ZERO; qkv.len()];
        let dropout = dropout.as_ref();
        kernel::backward(&shape, &qkv, &real, dropout, &weights, &dmixed, &mut dqkv);
        [Some(dqkv)]
    })
}

fn stock<F: Real>(heads: &Heads, qkv: Tensor<2>, dropout: Option<Dropout>) -> Tensor<4> {
    let Shape {
        batch: b,
        length: t,
        heads: h,
        width,
    } = heads.shape;
    let device = qkv.device();
    let packed = qkv.reshape([b, t, 3, h, width]).permute([2, 0, 3, 1, 4]);
    let part =
        |i: usize| -> Tensor<4> { (packed.clone().narrow(0, i, 1)).reshape([b, h, t, width]) };
    let (q, k, v) = (part(0), part(1), part(2));
    let padding: Vec<bool> = heads.real.iter().map(|real| !real).collect();
    let padding = Tensor::<4, Bool>::from_data(TensorData::new(padding, [b, 1, 1, t]), &device);
    // Times, since the gradient of Burn's division rounds 1/√D to f32.
    let scores = q.matmul(k.transpose()) * (1.0 / (width as f64).sqrt());
    let scores = scores.mask_fill(padding.expand([b, h, t, t]), kernel::PADDING);
    let mut weights = activation::softmax(scores, 3);
    if let Some(dropout) = dropout {
        weights = weights * factors::<F, 4>(&dropout, [b, h, t, t], &device);
    }
    weights.matmul(v).swap_dims(1, 2)
}
