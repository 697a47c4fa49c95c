//! Chunks whose size depends on the shapes alone, and sums over them in the order of their index.

use crate::Real;
use rayon::prelude::*;

/// Entries in a chunk of work, about: small enough for a core's cache, large enough to be worth a task.
pub const ENTRIES: usize = 16 * 1024;

/// Rows in a chunk, for rows of `width` entries.
#[must_use]
pub fn rows(width: usize) -> usize {
    (ENTRIES / width.max(1)).max(1)
}

/// Adds to `total` (W) the sum that `partial` leaves of each chunk: chunk `i` gets its index and a zeroed buffer
/// of W entries in `f64`. The chunks run on any thread; their sums are added in the order of `i`.
pub fn sum_into<F: Real>(
    total: &mut [F],
    chunks: usize,
    partial: impl Fn(usize, &mut [f64]) + Send + Sync,
) {
    let width = total.len();
    if chunks == 0 || width == 0 {
        return;
    }
    let mut partials = vec![0.0_f64; chunks * width];
    partials
        .par_chunks_mut(width)
        .enumerate()
        .for_each(|(i, sums)| partial(i, sums));
    for (j, total) in total.iter_mut().enumerate() {
        let sum: f64 = (0..chunks).map(|i| partials[i * width + j]).sum();
        *total += F::of(sum);
    }
}

/// Adds to `total` (W) the sum of the rows of `x` (N, W).
pub fn add_column_sums<F: Real>(total: &mut [F], x: &[F]) {
    let width = total.len();
    let size = 4 * rows(width) * width;
    sum_into(total, x.len().div_ceil(size.max(1)), |i, sums| {
        let chunk = &x[i * size..((i + 1) * size).min(x.len())];
        crate::vectorized(
            #[inline(always)]
            || {
                for row in chunk.chunks_exact(width) {
                    for (sum, x) in sums.iter_mut().zip(row) {
                        *sum += x.f64();
                    }
                }
            },
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn column_sums_of_any_size() {
        for (n, width) in [(0, 3), (1, 1), (7, 5), (1000, 37), (20_000, 2)] {
            let x: Vec<f32> = (0..n * width).map(|i| (i * 7919 % 1000) as f32).collect();
            let mut total = vec![1.0_f32; width];
            add_column_sums(&mut total, &x);
            for (j, total) in total.iter().enumerate() {
                let sum: f64 = (0..n).map(|i| f64::from(x[i * width + j])).sum();
                assert_eq!(*total, 1.0 + sum as f32, "{n} × {width}, column {j}");
            }
        }
    }
}
