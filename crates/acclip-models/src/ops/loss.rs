//! Softmax cross-entropy.

use super::embedding::indices;
use super::tape::{read, record};
use crate::Real;
use crate::weights::{Weights, values};
use acclip_kernels::cross_entropy as kernel;
use burn::tensor::{Int, Tensor, activation};

/// Mean of −log softmax(logits)[label] over the rows. logits is (M, V), labels is (M); the loss, and the same on the
/// tape.
///
/// The row's maximum is subtracted first, so logits of ±10⁴ are fine. The fused form makes the gradient at once, in
/// the place of the logits.
pub(crate) fn cross_entropy<F: Real>(
    w: &Weights<F>,
    logits: Tensor<2>,
    labels: &[u32],
) -> (f64, Tensor<1>) {
    if w.is_stock() {
        let loss = stock(logits, indices(labels, w.device()));
        return (first::<F>(loss.clone()), loss);
    }
    let (logits, node) = read::<F, 2>(logits);
    let mut gradient = logits.into_vec();
    let loss = kernel::forward_in_place(&mut gradient, &ids(labels), None);
    let output = record([node], vec![F::of(loss)], [1], move |scale| {
        let scale = scale[0];
        if scale != F::ONE {
            gradient.iter_mut().for_each(|g| *g *= scale);
        }
        [Some(gradient)]
    });
    (loss, output)
}

/// The same loss, and how many rows have their highest logit at the label.
pub(crate) fn score<F: Real>(w: &Weights<F>, logits: Tensor<2>, labels: &[u32]) -> (f64, usize) {
    if !w.is_stock() {
        let (logits, _) = read::<F, 2>(logits);
        return kernel::evaluate(&logits, &ids(labels), None);
    }
    let best: Vec<i64> = logits.clone().argmax(1).into_data().iter::<i64>().collect();
    let correct = best.iter().zip(ids(labels)).filter(|(b, l)| **b == *l);
    let correct = correct.count();
    let loss = stock(logits, indices(labels, w.device()));
    (first::<F>(loss), correct)
}

/// −log softmax(logits)[label] of every row.
pub(crate) fn losses<F: Real>(logits: Tensor<2>, labels: &[u32]) -> Vec<f64> {
    let [_, width] = logits.dims();
    let logits = values::<F, 2>(logits);
    let rows = logits.chunks_exact(width).zip(labels);
    rows.map(|(row, label)| {
        let number = |x: &F| acclip_kernels::Real::f64(*x);
        let most = row.iter().map(number).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = row.iter().map(|x| (number(x) - most).exp()).sum();
        most + sum.ln() - number(&row[*label as usize])
    })
    .collect()
}

fn stock(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    -activation::log_softmax(logits, 1)
        .gather(1, labels.unsqueeze_dim(1))
        .mean()
}

/// Ids as the kernels take them.
pub(super) fn ids(ids: &[u32]) -> Vec<i64> {
    ids.iter().map(|&id| i64::from(id)).collect()
}

/// The value of a one-entry tensor.
pub(super) fn first<F: Real>(x: Tensor<1>) -> f64 {
    acclip_kernels::Real::f64(values::<F, 1>(x)[0])
}
