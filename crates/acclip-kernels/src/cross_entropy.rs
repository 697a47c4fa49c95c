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
        *x *= scale;
    }
    logits[label as usize] -= F::of(1.0 / count as f64);
    sum.ln() + (max.f64() - at_label)
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
    (sum.ln() + (max.f64() - logits[label].f64()), correct)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, same_on_threads, values};

    /// The mean loss, its gradient, and the loss of each row, by the definition.
    fn naive(logits: &[f64], labels: &[i64]) -> (f64, Vec<f64>, Vec<f64>) {
        let width = logits.len() / labels.len().max(1);
        let count = labels.iter().filter(|l| **l != IGNORE).count() as f64;
        let (mut gradient, mut losses) = (vec![0.0; logits.len()], vec![0.0; labels.len()]);
        for (i, label) in labels.iter().enumerate().filter(|(_, l)| **l != IGNORE) {
            let row = &logits[i * width..][..width];
            let shift = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|x| (x - shift).exp()).sum();
            losses[i] = -((row[*label as usize] - shift).exp() / sum).ln();
            for (j, x) in row.iter().enumerate() {
                let hit = if j == *label as usize { 1.0 } else { 0.0 };
                gradient[i * width + j] = ((x - shift).exp() / sum - hit) / count;
            }
        }
        (
            losses.iter().sum::<f64>() / count.max(1.0),
            gradient,
            losses,
        )
    }

    fn labels(rows: usize, width: usize) -> Vec<i64> {
        (0..rows)
            .map(|i| match i % 3 {
                1 => IGNORE,
                _ => (i * 31 % width) as i64,
            })
            .collect()
    }

    fn check<F: Real>(logits: &[F], labels: &[i64], tolerance: f64) {
        let wide: Vec<f64> = logits.iter().map(|x| x.f64()).collect();
        let (loss, gradient, losses) = naive(&wide, labels);
        let mut out = logits.to_vec();
        let mut rows = vec![7.0; labels.len()];
        let mean = forward_in_place(&mut out, labels, Some(&mut rows));
        assert_close(&[mean], &[loss], tolerance);
        assert_close(&rows, &losses, tolerance);
        // Entries of the gradient are of the order of 1 / C.
        let count = labels.iter().filter(|l| **l != IGNORE).count() as f64;
        for (g, exact) in out.iter().zip(gradient) {
            assert!(
                (g.f64() - exact).abs() * count <= tolerance,
                "{g:?} {exact}"
            );
        }
        let (mean, correct) = evaluate(logits, labels, Some(&mut rows));
        assert_close(&[mean], &[loss], tolerance);
        assert_close(&rows, &losses, tolerance);
        let width = logits.len() / labels.len().max(1);
        let hits = (0..labels.len()).filter(|i| {
            let row = &wide[i * width..][..width];
            let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            row.iter().position(|x| *x == max) == usize::try_from(labels[*i]).ok()
        });
        assert_eq!(correct, hits.count());
        let mut out = logits.to_vec();
        assert_eq!(forward_in_place(&mut out, labels, None), mean);
    }

    #[test]
    fn against_the_definition() {
        for (rows, width) in [(0, 5), (1, 1), (3, 2), (7, 37), (40, 1000), (5, 30_000)] {
            check(&values::<f64>(rows * width, 1), &labels(rows, width), 1e-13);
            check(&values::<f32>(rows * width, 1), &labels(rows, width), 5e-7);
        }
    }

    /// The gradient is the derivative of the loss.
    #[test]
    fn differences() {
        let (logits, labels) = (values::<f64>(6 * 5, 3), labels(6, 5));
        let mut gradient = logits.clone();
        forward_in_place(&mut gradient, &labels, None);
        for (i, gradient) in gradient.iter().enumerate() {
            let at = |h: f64| {
                let mut logits = logits.clone();
                logits[i] += h;
                evaluate(&logits, &labels, None).0
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((gradient - difference).abs() < 1e-9, "{i}");
        }
    }

    #[test]
    fn extremes() {
        fn check_both<F: Real>() {
            let infinity = F::NEG_INFINITY;
            let x = [1e4, -1e4, 0.0, 1e4, 1e4, -1e4].map(F::of);
            check(&x, &[1, 0], 1e-12);
            check(&[F::ZERO, infinity, F::ONE], &[2], 1e-6);
        }
        check_both::<f32>();
        check_both::<f64>();
        // All equal: the first counts as the largest.
        assert_eq!(evaluate(&[3.0_f32; 8], &[0, 1], None), (4.0_f64.ln(), 1));
        assert!(evaluate(&[f32::NAN, 1.0], &[1], None).0.is_nan());
    }

    #[test]
    fn no_label_counts() {
        let mut logits = values::<f32>(12, 1);
        assert_eq!(evaluate(&logits, &[IGNORE; 3], None), (0.0, 0));
        assert_eq!(forward_in_place(&mut logits, &[IGNORE; 3], None), 0.0);
        assert_eq!(logits, [0.0; 12]);
    }

    #[test]
    #[should_panic(expected = "label 4 of 4")]
    fn label_out_of_range() {
        let _ = evaluate(&[0.0_f32; 8], &[0, 4], None);
    }

    #[test]
    fn same_bits() {
        let (logits, labels) = (values::<f64>(5000 * 11, 1), labels(5000, 11));
        same_on_threads(|| {
            let mut out = logits.clone();
            let loss = forward_in_place(&mut out, &labels, None);
            out.push(loss);
            out.push(evaluate(&logits, &labels, None).0);
            out
        });
    }
}
