//! The adaptive softmax: a large vocabulary as a short list and clusters of rarer tokens.
//!
//! Tokens are sorted from frequent to rare and cut at c₀ < c₁ < … < V: those below c₀ are the short list, and cluster i
//! has those from cᵢ to cᵢ₊₁. The head is a softmax over the short list and one entry a cluster, and each cluster has a
//! softmax of its own:
//!
//! ```text
//! log p(t) = log softmax(head) at t                                               for t < c₀
//! log p(t) = log softmax(head) at c₀ + i + log softmax(cluster i) at t − cᵢ       for t in cluster i
//! loss = −mean over the N rows of log p(target)
//! ```
//!
//! The logits of a token are x · table(t) + bias(t), those of a cluster x · clusters(i) + cluster_bias(i): a cluster's
//! own softmax is computed for the rows alone whose target is in it.
//!
//! (Grave, Joulin, Cissé, Grangier, Jégou, *Efficient softmax approximation for GPUs*, ICML 2017; the form is that of
//! Transformer-XL with `div_val` 1, where all tokens have vectors of one width.) The entries of the head are in the
//! order of the clusters, as in Hugging Face's transformers; the authors of Transformer-XL have them in reverse.

use crate::chunks::add_column_sums;
use crate::matmul::Threads;
use crate::{Matrix, MatrixMut, Real, cross_entropy, embedding, linear, matmul_into};
use std::ops::Range;

/// The parameters.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a, F> {
    /// A row a token, (V, H).
    pub table: &'a [F],
    /// (V).
    pub bias: &'a [F],
    /// A row a cluster, (C, H).
    pub clusters: &'a [F],
    /// (C).
    pub cluster_bias: &'a [F],
}

/// Where the gradients are added to, each of the shape of its parameter.
#[derive(Debug)]
pub struct Gradients<'a, F> {
    /// (V, H).
    pub table: &'a mut [F],
    /// (V).
    pub bias: &'a mut [F],
    /// (C, H).
    pub clusters: &'a mut [F],
    /// (C).
    pub cluster_bias: &'a mut [F],
}

/// Where the targets of a batch are.
#[derive(Debug, Clone)]
pub struct Places {
    /// The entry of the head of each row, (N).
    pub head: Vec<i64>,
    /// Each cluster that has a target in it.
    pub tails: Vec<Tail>,
}

/// A cluster, and the rows whose target is in it.
#[derive(Debug, Clone)]
pub struct Tail {
    /// Its tokens.
    pub tokens: Range<usize>,
    /// The rows, in order.
    pub rows: Vec<i64>,
    /// Their targets, counted from the first token of the cluster.
    pub labels: Vec<i64>,
}

/// What backward needs: the gradients of all logits.
#[derive(Debug, Clone)]
pub struct Saved<F> {
    places: Places,
    /// (N, c₀ + C).
    head: Vec<F>,
    /// (rows, tokens) of each tail.
    tails: Vec<Vec<F>>,
}

impl<F: Real> Saved<F> {
    /// The same for a loss of which the gradient is `scale`.
    #[must_use]
    pub fn scaled(mut self, scale: F) -> Self {
        if scale != F::ONE {
            let all = self.tails.iter_mut().chain([&mut self.head]);
            all.flatten().for_each(|d| *d *= scale);
        }
        self
    }
}

impl Places {
    /// Sorts `targets` (N) into the clusters that begin at `cutoffs` and end before the next, the last at `vocabulary`.
    ///
    /// # Panics
    /// Unless the cutoffs ascend, there is one, and all are above 0 and below `vocabulary`, as are the targets.
    #[must_use]
    pub fn new(targets: &[u32], cutoffs: &[usize], vocabulary: usize) -> Self {
        let ends = [&cutoffs[1..], &[vocabulary]].concat();
        assert!(cutoffs[0] > 0 && cutoffs.iter().zip(&ends).all(|(a, b)| a < b));
        let mut head = Vec::with_capacity(targets.len());
        let tokens = cutoffs.iter().zip(ends).map(|(&begin, end)| begin..end);
        let empty = |tokens| Tail {
            tokens,
            rows: Vec::new(),
            labels: Vec::new(),
        };
        let mut tails: Vec<Tail> = tokens.map(empty).collect();
        for (row, &target) in targets.iter().enumerate() {
            let target = target as usize;
            assert!(target < vocabulary, "target {target} of {vocabulary}");
            head.push(match cutoffs.partition_point(|&begin| begin <= target) {
                0 => target as i64,
                cluster => {
                    let tail = &mut tails[cluster - 1];
                    tail.rows.push(row as i64);
                    tail.labels.push((target - tail.tokens.start) as i64);
                    (cutoffs[0] + cluster - 1) as i64
                }
            });
        }
        tails.retain(|tail| !tail.rows.is_empty());
        Self { head, tails }
    }
}

/// The loss of x (N, H) and the targets (N), and what [`backward`] needs.
///
/// # Panics
/// If the shapes do not fit each other, or as [`Places::new`].
pub fn forward<F: Real>(
    x: &[F],
    parameters: &Table<F>,
    cutoffs: &[usize],
    targets: &[u32],
) -> (f64, Saved<F>) {
    let (n, vocabulary) = (targets.len(), parameters.bias.len());
    let (short, count) = (cutoffs[0], cutoffs.len());
    let hidden = parameters.clusters.len() / count;
    let places = Places::new(targets, cutoffs, vocabulary);
    let width = short + count;

    let mut head = vec![F::ZERO; n * width];
    let x_all = Matrix::new(x, n, hidden);
    let short_rows = Matrix::new(&parameters.table[..short * hidden], short, hidden);
    let clusters = Matrix::new(parameters.clusters, count, hidden);
    for (first, rows, columns) in [(0, short_rows, short), (short, clusters, count)] {
        let part = MatrixMut::strided(&mut head[first.min(n * width)..], n, columns, width);
        matmul_into(part, false, F::ONE, x_all, rows.t(), Threads::All);
    }
    let bias = [&parameters.bias[..short], parameters.cluster_bias].concat();
    linear::add_bias(&mut head, &bias);
    let mut loss = cross_entropy::forward_in_place(&mut head, &places.head, None);

    let tail = |tail: &Tail| {
        let (members, tokens) = (tail.rows.len(), tail.tokens.clone());
        let x = rows_of(x, &tail.rows, hidden);
        let table = &parameters.table[tokens.start * hidden..tokens.end * hidden];
        let bias = Some(&parameters.bias[tokens.clone()]);
        let mut logits = linear::forward(&x, table, bias, members, hidden, tokens.len());
        // A mean over the members; the loss is one over all rows.
        let share = members as f64 / n as f64;
        loss += share * cross_entropy::forward_in_place(&mut logits, &tail.labels, None);
        logits.iter_mut().for_each(|d| *d *= F::of(share));
        logits
    };
    let tails = places.tails.iter().map(tail).collect();
    (
        loss,
        Saved {
            places,
            head,
            tails,
        },
    )
}

/// dx (N, H), and the gradients of the parameters, added to what is there.
///
/// # Panics
/// If the shapes do not fit each other.
#[must_use]
pub fn backward<F: Real>(
    x: &[F],
    parameters: &Table<F>,
    saved: &Saved<F>,
    gradients: Gradients<F>,
) -> Vec<F> {
    let n = saved.places.head.len();
    let count = parameters.cluster_bias.len();
    let hidden = parameters.clusters.len() / count;
    let width = saved.head.len() / n.max(1);
    let short = width.saturating_sub(count);
    let mut dx = vec![F::ZERO; n * hidden];
    if n == 0 {
        return dx;
    }
    let mut dbias = vec![F::ZERO; width];
    add_column_sums(&mut dbias, &saved.head);
    for (sum, d) in gradients.bias[..short]
        .iter_mut()
        .chain(gradients.cluster_bias)
        .zip(&dbias)
    {
        *sum += *d;
    }
    let x_all = Matrix::new(x, n, hidden);
    let parts = [
        (
            0,
            &parameters.table[..short * hidden],
            &mut gradients.table[..short * hidden],
        ),
        (short, parameters.clusters, gradients.clusters),
    ];
    for (first, rows, drows) in parts {
        let columns = rows.len() / hidden;
        let d = Matrix::strided(&saved.head[first..], n, columns, width);
        let out = MatrixMut::new(&mut dx, n, hidden);
        matmul_into(
            out,
            first > 0,
            F::ONE,
            d,
            Matrix::new(rows, columns, hidden),
            Threads::All,
        );
        let drows = MatrixMut::new(drows, columns, hidden);
        matmul_into(drows, true, F::ONE, d.t(), x_all, Threads::All);
    }
    for (tail, d) in saved.places.tails.iter().zip(&saved.tails) {
        let (members, tokens) = (tail.rows.len(), tail.tokens.clone());
        let range = tokens.start * hidden..tokens.end * hidden;
        let x = rows_of(x, &tail.rows, hidden);
        linear::backward_bias(d, &mut gradients.bias[tokens.clone()]);
        let dtable = &mut gradients.table[range.clone()];
        linear::backward_weight(&x, d, dtable, true, members, hidden, tokens.len());
        let table = &parameters.table[range];
        let drows = linear::backward_input(d, table, members, hidden, tokens.len());
        embedding::scatter_add(&drows, &tail.rows, &mut dx);
    }
    dx
}

/// Some rows of x (N, H).
fn rows_of<F: Real>(x: &[F], rows: &[i64], hidden: usize) -> Vec<F> {
    let mut out = vec![F::ZERO; rows.len() * hidden];
    embedding::gather(x, rows, &mut out, false);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, same_on_threads, values};

    /// Rows, width, vocabulary and cutoffs. Of the clusters, some have every row, one, or none.
    const CASES: [(usize, usize, usize, &[usize]); 5] = [
        (1, 1, 2, &[1]),
        (7, 3, 11, &[4]),
        (12, 5, 23, &[3, 4, 20]),
        (40, 7, 300, &[100, 299]),
        (5, 3, 100, &[1, 2]),
    ];

    struct Case {
        inputs: [Vec<f64>; 5],
        cutoffs: Vec<usize>,
        targets: Vec<u32>,
    }

    fn case((n, hidden, vocabulary, cutoffs): (usize, usize, usize, &[usize])) -> Case {
        let exact = |n, seed| values::<f32>(n, seed).into_iter().map(f64::from).collect();
        let clusters = cutoffs.len();
        Case {
            inputs: [
                exact(n * hidden, 1),
                exact(vocabulary * hidden, 2),
                exact(vocabulary, 3),
                exact(clusters * hidden, 4),
                exact(clusters, 5),
            ],
            cutoffs: cutoffs.to_vec(),
            targets: (0..n)
                .map(|i| ((i * i * 7 + 1) % vocabulary) as u32)
                .collect(),
        }
    }

    impl Case {
        /// The loss, dx, and the gradients of the parameters, added to 1.
        fn run<F: Real>(&self) -> Vec<F> {
            let narrow = |x: &Vec<f64>| x.iter().map(|x| F::of(*x)).collect::<Vec<F>>();
            let [x, table, bias, clusters, cluster_bias] = self.inputs.each_ref().map(narrow);
            let parameters = Table {
                table: &table,
                bias: &bias,
                clusters: &clusters,
                cluster_bias: &cluster_bias,
            };
            let (loss, saved) = forward(&x, &parameters, &self.cutoffs, &self.targets);
            let ones = |x: &[F]| vec![F::ONE; x.len()];
            let (mut dtable, mut dbias) = (ones(&table), ones(&bias));
            let (mut dclusters, mut dcluster_bias) = (ones(&clusters), ones(&cluster_bias));
            let gradients = Gradients {
                table: &mut dtable,
                bias: &mut dbias,
                clusters: &mut dclusters,
                cluster_bias: &mut dcluster_bias,
            };
            let dx = backward(&x, &parameters, &saved, gradients);
            [
                vec![F::of(loss)],
                dx,
                dtable,
                dbias,
                dclusters,
                dcluster_bias,
            ]
            .concat()
        }

        /// The logarithm of the probability of every token, from the definition, in row `row`.
        fn log_probabilities(&self, inputs: &[Vec<f64>; 5], row: usize) -> Vec<f64> {
            let [x, table, bias, clusters, cluster_bias] = inputs;
            let hidden = clusters.len() / cluster_bias.len();
            let x = &x[row * hidden..][..hidden];
            let logit = |table: &[f64], bias: &[f64], t: usize| {
                let row = table[t * hidden..][..hidden].iter();
                bias[t] + row.zip(x).map(|(w, x)| w * x).sum::<f64>()
            };
            let log_softmax = |logits: Vec<f64>| {
                let sum: f64 = logits.iter().map(|x| x.exp()).sum();
                logits
                    .into_iter()
                    .map(move |x| x - sum.ln())
                    .collect::<Vec<f64>>()
            };
            let short = self.cutoffs[0];
            let tokens = (0..short).map(|t| logit(table, bias, t));
            let of_clusters = (0..cluster_bias.len()).map(|c| logit(clusters, cluster_bias, c));
            let mut all = log_softmax(tokens.chain(of_clusters).collect());
            let heads = all.split_off(short);
            let ends = [&self.cutoffs[1..], &[bias.len()]].concat();
            for ((begin, end), head) in self.cutoffs.iter().zip(ends).zip(heads) {
                let own = log_softmax((*begin..end).map(|t| logit(table, bias, t)).collect());
                all.extend(own.into_iter().map(|own| head + own));
            }
            all
        }

        fn loss(&self, inputs: &[Vec<f64>; 5]) -> f64 {
            let of = |(i, t): (usize, &u32)| -self.log_probabilities(inputs, i)[*t as usize];
            self.targets.iter().enumerate().map(of).sum::<f64>() / self.targets.len() as f64
        }
    }

    /// Within 1e-13 of 1 + loss in `f64`, and within 5e-7 in `f32`; gradients in `f32` within 1e-5 of those in `f64`.
    #[test]
    fn loss_against_the_definition() {
        for case in CASES.map(case) {
            let (wide, narrow) = (case.run::<f64>(), case.run::<f32>());
            let exact = case.loss(&case.inputs);
            assert_close(&wide[..1], &[exact], 1e-13);
            assert_close(&narrow[..1], &[exact], 5e-7);
            assert_close(&narrow, &wide, 1e-5);
            let sum: f64 = case
                .log_probabilities(&case.inputs, 0)
                .iter()
                .map(|p| p.exp())
                .sum();
            assert!((sum - 1.0).abs() < 1e-12, "probabilities add up to 1");
        }
    }

    /// Every entry of every gradient against a five-point central difference of the definition: within 1e-9.
    #[test]
    fn gradients_against_differences() {
        for case in CASES
            .map(case)
            .into_iter()
            .filter(|case| case.targets.len() < 20)
        {
            let mut differences = Vec::new();
            let mut inputs = case.inputs.clone();
            for which in 0..inputs.len() {
                for i in 0..inputs[which].len() {
                    let (x, step) = (inputs[which][i], 1e-3);
                    let mut at = |shift: f64| {
                        inputs[which][i] = x + shift * step;
                        case.loss(&inputs)
                    };
                    let near = at(1.0) - at(-1.0);
                    let far = at(2.0) - at(-2.0);
                    let one = f64::from(which > 0);
                    differences.push(one + (8.0 * near - far) / (12.0 * step));
                    inputs[which][i] = x;
                }
            }
            assert_close(&case.run::<f64>()[1..], &differences, 1e-9);
        }
    }

    #[test]
    fn same_bits() {
        let case = case((700, 33, 1500, &[400, 900]));
        same_on_threads(|| case.run::<f64>());
        same_on_threads(|| case.run::<f32>());
    }

    #[test]
    #[should_panic(expected = "target 11 of 11")]
    fn a_target_beyond_the_vocabulary() {
        let _ = Places::new(&[3, 11], &[4], 11);
    }
}
