//! Attention over a memory with relative positions.

use super::norm::factors;
use super::tape::{read, record};
use crate::Real;
use crate::weights::{Weights, tensor};
use acclip_kernels::Dropout;
use acclip_kernels::relative_attention::{self as kernel, Gradients, Operands, Shape};
use burn::tensor::{Bool, Tensor, TensorData, activation};

/// The score of a key after the query, in the stock form.
const FUTURE: f64 = -1e30;

/// (B·K, H): the rows of `memory` (B, M, H), which have no gradient, and then those of `h` (B·T, H), in each of the B
/// sequences.
pub(crate) fn after_memory<F: Real>(
    w: &Weights<F>,
    memory: &[F],
    h: Tensor<2>,
    batch: usize,
) -> Tensor<2> {
    if memory.is_empty() {
        return h;
    }
    let [n, hidden] = h.dims();
    let (t, m) = (n / batch, memory.len() / (batch * hidden));
    let rows = batch * (m + t);
    if w.is_stock() {
        let memory = tensor(memory.to_vec(), [batch, m, hidden], w.device());
        let h = h.reshape([batch, t, hidden]);
        return Tensor::cat(vec![memory, h], 1).reshape([rows, hidden]);
    }
    let (h, node) = read::<F, 2>(h);
    let sequences = memory
        .chunks_exact(m * hidden)
        .zip(h.chunks_exact(t * hidden));
    let mut all = Vec::with_capacity(rows * hidden);
    for (memory, h) in sequences {
        all.extend_from_slice(memory);
        all.extend_from_slice(h);
    }
    record([node], all, [rows, hidden], move |d| {
        let sequences = d.chunks_exact((m + t) * hidden);
        let dh = sequences.flat_map(|d| &d[m * hidden..]).copied();
        [Some(dh.collect())]
    })
}

/// (B·T, heads·D) from the packed `qkv` (B·K, 3·heads·D) and the positions R (K, heads·D): see
/// [`acclip_kernels::relative_attention`]. `biases` are the names of u and v, (heads, D).
pub(crate) fn relative_attention<F: Real>(
    w: &Weights<F>,
    shape: Shape,
    biases: &[String; 2],
    qkv: Tensor<2>,
    positions: Tensor<2>,
    dropout: Option<Dropout>,
) -> Tensor<2> {
    let out = [shape.batch * shape.length, shape.hidden()];
    let (Some(u), Some(v)) = (w.slot(&biases[0]), w.slot(&biases[1])) else {
        let biases = biases.each_ref().map(|name| w.leaf::<2>(name));
        return stock::<F>(shape, biases, qkv, positions, dropout).reshape(out);
    };
    let ((qkv, qkv_node), (positions, node)) = (read::<F, 2>(qkv), read::<F, 2>(positions));
    let mut weights = vec![F::ZERO; shape.weights()];
    let mut mixed = vec![F::ZERO; out[0] * out[1]];
    let operands = Operands {
        qkv: &qkv,
        positions: &positions,
        content_bias: u.values(),
        position_bias: v.values(),
    };
    kernel::forward(
        &shape,
        &operands,
        dropout.as_ref(),
        &mut weights,
        &mut mixed,
    );
    record([qkv_node, node], mixed, out, move |dmixed| {
        let operands = Operands {
            qkv: &qkv,
            positions: &positions,
            content_bias: u.values(),
            position_bias: v.values(),
        };
        let [mut dqkv, mut dpositions] = [qkv.len(), positions.len()].map(|n| vec![F::ZERO; n]);
        let [mut du, mut dv] = [shape.hidden(); 2].map(|n| vec![F::ZERO; n]);
        let gradients = Gradients {
            qkv: &mut dqkv,
            positions: &mut dpositions,
            content_bias: &mut du,
            position_bias: &mut dv,
        };
        let dropout = dropout.as_ref();
        kernel::backward(&shape, &operands, dropout, &weights, &dmixed, gradients);
        u.add_values(&du);
        v.add_values(&dv);
        [Some(dqkv), Some(dpositions)]
    })
}

fn stock<F: Real>(
    shape: Shape,
    [u, v]: [Tensor<2>; 2],
    qkv: Tensor<2>,
    positions: Tensor<2>,
    dropout: Option<Dropout>,
) -> Tensor<4> {
    let (b, t, m, k) = (shape.batch, shape.length, shape.memory, shape.keys());
    let (h, d) = (shape.heads, shape.width);
    let device = qkv.device();
    let packed = qkv.reshape([b, k, 3, h, d]).permute([2, 0, 3, 1, 4]);
    let part = |i: usize| -> Tensor<4> { packed.clone().narrow(0, i, 1).reshape([b, h, k, d]) };
    let (q, keys, values) = (part(0).narrow(2, m, t), part(1), part(2));
    let biased = |bias: Tensor<2>| q.clone() + bias.reshape([1, h, 1, d]);
    let r = positions.reshape([1, k, h, d]).permute([0, 2, 3, 1]);
    let by_content = biased(u).matmul(keys.transpose());
    let by_position = biased(v).matmul(r.expand([b, h, d, k]));
    // The relative shift: behind a column of zeros, rows of T of what were rows of K + 1 begin one entry later each.
    let zeros = Tensor::<4>::zeros([b, h, t, 1], (&device, F::DTYPE));
    let shifted = Tensor::cat(vec![zeros, by_position], 3).reshape([b, h, k + 1, t]);
    let by_position = shifted.narrow(2, 1, k).reshape([b, h, t, k]);
    let scores = (by_content + by_position) * (1.0 / (d as f64).sqrt());
    let future: Vec<bool> = (0..t)
        .flat_map(|i| (0..k).map(move |j| j > m + i))
        .collect();
    let future = Tensor::<4, Bool>::from_data(TensorData::new(future, [1, 1, t, k]), &device);
    let scores = scores.mask_fill(future.expand([b, h, t, k]), FUTURE);
    let mut weights = activation::softmax(scores, 3);
    if let Some(dropout) = dropout {
        weights = weights * factors::<F, 4>(&dropout, [b, h, t, k], &device);
    }
    weights.matmul(values).swap_dims(1, 2)
}
