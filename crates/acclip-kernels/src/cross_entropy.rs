//! Cross-entropy of the softmax, its mean over the rows whose label counts.
//!
//! For logits x (M, V) and labels t (M), of which C are not [`IGNORE`],
//!
//! ```text
//! lossᵢ = log Σⱼ exp xᵢⱼ − x at (i, tᵢ)     loss = Σ lossᵢ / C
//! dloss/dxᵢⱼ = (softmax(xᵢ)ⱼ − [j = tᵢ]) / C
//! ```
//!
//! and 0 for rows that are ignored. The largest logit of a row is subtracted before the exponential. Where no
//! label counts, the loss and its gradient are 0 (PyTorch: NaN).

use crate::{Real, chunks, lanes, vectorized};
use rayon::prelude::*;

/// The label of a row that does not count.
pub const IGNORE: i64 = -100;

/// The mean loss. `logits` (M, V) become its gradient; `row_losses` (M) takes the loss of each row, 0 where the
/// label is ignored.
///
/// # Panics
/// If the shapes do not fit each other, or a label is neither below V nor [`IGNORE`].
pub fn forward_in_place<F: Real>(
    logits: &mut [F],
    labels: &[i64],
    row_losses: Option<&mut [f64]>,
) -> f64 {
    let width = check(logits, labels);
    let count = labels.iter().filter(|label| **label != IGNORE).count();
    let rows = chunks::rows(width);
    mean_loss(labels.len(), count, row_losses, |losses| {
        logits
            .par_chunks_mut(rows * width)
            .zip(labels.par_chunks(rows))
            .zip(losses.par_chunks_mut(rows))
            .for_each(|((logits, labels), losses)| {
                vectorized(
                    #[inline(always)]
                    || {
                        let logits = logits.chunks_exact_mut(width);
                        for ((logits, label), loss) in logits.zip(labels).zip(losses) {
                            *loss = gradient_row(logits, *label, count);
                        }
                    },
                );
            });
    })
}

/// The mean loss, and the number of rows that count and whose largest logit is that of the label (of equal
/// ones, the first). `row_losses` as for [`forward_in_place`].
///
/// # Panics
/// As [`forward_in_place`].
pub fn evaluate<F: Real>(
    logits: &[F],
    labels: &[i64],
    row_losses: Option<&mut [f64]>,
) -> (f64, usize) {
    let width = check(logits, labels);
    let count = labels.iter().filter(|label| **label != IGNORE).count();
    let rows = chunks::rows(width);
    let mut correct = 0;
    let loss = mean_loss(labels.len(), count, row_losses, |losses| {
        correct = logits
            .par_chunks(rows * width)
            .zip(labels.par_chunks(rows))
            .zip(losses.par_chunks_mut(rows))
            .map(|((logits, labels), losses)| {
                vectorized(
                    #[inline(always)]
                    || {
                        let mut correct = 0;
                        let logits = logits.chunks_exact(width);
                        for ((logits, label), loss) in logits.zip(labels).zip(losses) {
                            let hit;
                            (*loss, hit) = evaluate_row(logits, *label);
                            correct += usize::from(hit);
                        }
                        correct
                    },
                )
            })
            .sum();
    });
    (loss, correct)
}

/// V, after a check of the labels.
fn check<F>(logits: &[F], labels: &[i64]) -> usize {
    let width = logits.len().checked_div(labels.len()).unwrap_or(0);
    assert_eq!(logits.len(), labels.len() * width, "cross-entropy");
    for label in labels {
        assert!(
            *label == IGNORE || (0..width as i64).contains(label),
            "label {label} of {width}"
        );
    }
    width.max(1)
}

/// Has `fill` write the loss of each row, and returns their mean.
fn mean_loss(
    rows: usize,
    count: usize,
    row_losses: Option<&mut [f64]>,
    fill: impl FnOnce(&mut [f64]),
) -> f64 {
    let mut scratch = Vec::new();
    let losses = row_losses.unwrap_or_else(|| {
        scratch.resize(rows, 0.0);
        &mut scratch
    });
    assert_eq!(losses.len(), rows, "losses of the rows");
    fill(losses);
    losses.iter().sum::<f64>() / count.max(1) as f64
}

/// Makes logits their gradient, and returns the loss.
#[inline(always)]
fn gradient_row<F: Real>(logits: &mut [F], label: i64, count: usize) -> f64 {
    if label == IGNORE {
        logits.fill(F::ZERO);
        return 0.0;
    }
    let at_label = logits[label as usize].f64();
    let max = lanes::max(logits);
    let sum = lanes::sum_mut(
        logits,
        #[inline(always)]
        |x| {
            *x = (*x - max).exp();
            x.f64()
        },
    );
    let scale = F::of(1.0 / (sum * count as f64));
    for x in logits.iter_mut() {
        *x = *x * scale;
    }
    logits[label as usize] -= F::of(1.0 / count as f64);
    max.f64() + sum.ln() - at_label
}

/// The loss, and whether the label has the largest logit.
#[inline(always)]
fn evaluate_row<F: Real>(logits: &[F], label: i64) -> (f64, bool) {
    if label == IGNORE {
        return (0.0, false);
    }
    let label = label as usize;
    let max = lanes::max(logits);
    let sum = lanes::sum(
        logits,
        #[inline(always)]
        |x| (x - max).exp().f64(),
    );
    let correct = logits[label] == max && !logits[..label].contains(&max);
    (max.f64() + sum.ln() - logits[label].f64(), correct)
}
