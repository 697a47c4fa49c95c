//! The adaptive softmax with its cross-entropy.

use super::embedding::indices;
use super::loss::first;
use super::tape::{read, record};
use crate::Real;
use crate::weights::{Slot, Weights};
use acclip_kernels::adaptive_softmax::{self as kernel, Gradients, Places};
use burn::tensor::{Tensor, activation};

/// The names of the parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names {
    /// A row a token, (V, H), and a bias a token, (V).
    pub table: &'static str,
    pub bias: &'static str,
    /// A row a cluster, (C, H), and a bias a cluster, (C).
    pub clusters: &'static str,
    pub cluster_bias: &'static str,
}

/// Mean of −log p(target) over the rows of x (N, H): see [`acclip_kernels::adaptive_softmax`]. The loss, and the same
/// on the tape.
pub(crate) fn adaptive_softmax<F: Real>(
    w: &Weights<F>,
    names: &Names,
    cutoffs: &[usize],
    x: Tensor<2>,
    targets: &[u32],
) -> (f64, Tensor<1>) {
    let Some(layer) = Layer::find(w, names) else {
        let loss = stock(w, names, cutoffs, x, targets);
        return (first::<F>(loss.clone()), loss);
    };
    let (x, node) = read::<F, 2>(x);
    let (loss, saved) = kernel::forward(&x, &layer.parameters(), cutoffs, targets);
    let output = record([node], vec![F::of(loss)], [1], move |scale| {
        let zeros = |slot: &Slot<F>| vec![F::ZERO; slot.values().len()];
        let mut bias = zeros(&layer.bias);
        let (mut clusters, mut cluster_bias) = (zeros(&layer.clusters), zeros(&layer.cluster_bias));
        let mut dx = Vec::new();
        layer.table.add(|table| {
            let gradients = Gradients {
                table,
                bias: &mut bias,
                clusters: &mut clusters,
                cluster_bias: &mut cluster_bias,
            };
            let saved = saved.scaled(scale[0]);
            dx = kernel::backward(&x, &layer.parameters(), &saved, gradients);
        });
        layer.bias.add_values(&bias);
        layer.clusters.add_values(&clusters);
        layer.cluster_bias.add_values(&cluster_bias);
        [Some(dx)]
    });
    (loss, output)
}

/// The parameters in the flat buffer.
struct Layer<F> {
    table: Slot<F>,
    bias: Slot<F>,
    clusters: Slot<F>,
    cluster_bias: Slot<F>,
}

impl<F: Real> Layer<F> {
    fn find(w: &Weights<F>, names: &Names) -> Option<Self> {
        Some(Self {
            table: w.slot(names.table)?,
            bias: w.slot(names.bias)?,
            clusters: w.slot(names.clusters)?,
            cluster_bias: w.slot(names.cluster_bias)?,
        })
    }

    fn parameters(&self) -> kernel::Table<'_, F> {
        kernel::Table {
            table: self.table.values(),
            bias: self.bias.values(),
            clusters: self.clusters.values(),
            cluster_bias: self.cluster_bias.values(),
        }
    }
}

fn stock<F: Real>(
    w: &Weights<F>,
    names: &Names,
    cutoffs: &[usize],
    x: Tensor<2>,
    targets: &[u32],
) -> Tensor<1> {
    let (table, bias) = (w.leaf::<2>(names.table), w.vector(names.bias));
    let (clusters, cluster_bias) = (w.leaf::<2>(names.clusters), w.vector(names.cluster_bias));
    let log_probability = |x: Tensor<2>, table: Tensor<2>, bias: Tensor<1>, labels: &[i64]| {
        let logits = x.matmul(table.transpose()) + bias.unsqueeze();
        let labels = indices(&ids(labels), w.device()).unsqueeze_dim(1);
        activation::log_softmax(logits, 1).gather(1, labels).sum()
    };
    let short = cutoffs[0];
    let places = Places::new(targets, cutoffs, bias.dims()[0]);
    let head = Tensor::cat(vec![table.clone().narrow(0, 0, short), clusters], 0);
    let head_bias = Tensor::cat(vec![bias.clone().narrow(0, 0, short), cluster_bias], 0);
    let mut sum = log_probability(x.clone(), head, head_bias, &places.head);
    for tail in &places.tails {
        let (begin, tokens) = (tail.tokens.start, tail.tokens.len());
        let rows = x.clone().select(0, indices(&ids(&tail.rows), w.device()));
        let table = table.clone().narrow(0, begin, tokens);
        let bias = bias.clone().narrow(0, begin, tokens);
        sum = sum + log_probability(rows, table, bias, &tail.labels);
    }
    sum * (-1.0 / targets.len() as f64)
}

fn ids(ids: &[i64]) -> Vec<u32> {
    ids.iter().map(|&id| id as u32).collect()
}
