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

/// How well rows of logits meet their labels.
pub(crate) struct Score {
    /// The loss of [`cross_entropy`].
    pub loss: f64,
    /// −log softmax(logits)[label] of each row (M).
    pub losses: Vec<f64>,
    /// How many rows have their highest logit at the label.
    pub correct: usize,
}

/// The same loss, and hits.
pub(crate) fn score<F: Real>(w: &Weights<F>, logits: Tensor<2>, labels: &[u32]) -> Score {
    if !w.is_stock() {
        let (logits, _) = read::<F, 2>(logits);
        let mut losses = vec![0.0; labels.len()];
        let (loss, correct) = kernel::evaluate(&logits, &ids(labels), Some(&mut losses));
        return Score {
            loss,
            losses,
            correct,
        };
    }
    let best: Vec<i64> = logits.clone().argmax(1).into_data().iter::<i64>().collect();
    let hits = best.iter().zip(ids(labels)).filter(|(b, l)| **b == *l);
    let losses = surprises(logits, indices(labels, w.device()));
    Score {
        loss: first::<F>(losses.clone().mean()),
        losses: values::<F, 2>(losses)
            .into_iter()
            .map(acclip_kernels::Real::f64)
            .collect(),
        correct: hits.count(),
    }
}

fn stock(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    surprises(logits, labels).mean()
}

/// −log softmax(logits)[label] of each row, (M, 1).
fn surprises(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<2> {
    -activation::log_softmax(logits, 1).gather(1, labels.unsqueeze_dim(1))
}

/// Ids as the kernels take them.
pub(super) fn ids(ids: &[u32]) -> Vec<i64> {
    ids.iter().map(|&id| i64::from(id)).collect()
}

/// The value of a one-entry tensor.
pub(super) fn first<F: Real>(x: Tensor<1>) -> f64 {
    acclip_kernels::Real::f64(values::<F, 1>(x)[0])
}
