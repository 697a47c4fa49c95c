//! Embeddings: rows of a table, by number, and the gradient of the table.

use crate::{Real, chunks, vectorized};
use rayon::prelude::*;

/// Columns that a task sums at once.
const COLUMNS: usize = 128;

/// `out` (N, H) ← the rows of `table` (V, H) that `ids` (N) name; added to `out` where `add`.
///
/// # Panics
/// If the shapes do not fit each other, or an id is not below V.
pub fn gather<F: Real>(table: &[F], ids: &[i64], out: &mut [F], add: bool) {
    let width = check(out, ids, table);
    let rows = chunks::rows(width);
    out.par_chunks_mut(rows * width)
        .zip(ids.par_chunks(rows))
        .for_each(|(out, ids)| {
            vectorized(
                #[inline(always)]
                || {
                    for (out, id) in out.chunks_exact_mut(width).zip(ids) {
                        let row = &table[*id as usize * width..][..width];
                        if add {
                            for (out, x) in out.iter_mut().zip(row) {
                                *out += *x;
                            }
                        } else {
                            out.copy_from_slice(row);
                        }
                    }
                },
            );
        });
}

/// Adds to each row of `dtable` (V, H) the sum, in `f64`, of the rows of `d` (N, H) whose id in `ids` (N) is the
/// number of that row, in the order of N.
///
/// # Panics
/// If the shapes do not fit each other, or an id is not below V.
pub fn scatter_add<F: Real>(d: &[F], ids: &[i64], dtable: &mut [F]) {
    let width = check(d, ids, dtable);
    let mut order: Vec<(i64, usize)> = ids.iter().copied().zip(0..).collect();
    order.par_sort_unstable();
    // A task is a block of a row of the table, and the rows of `d` to add to it.
    let mut tasks = Vec::new();
    let mut table = dtable;
    let mut next = 0;
    for same in order.chunk_by(|a, b| a.0 == b.0) {
        let id = same[0].0 as usize;
        let (row, rest) = table[(id - next) * width..].split_at_mut(width);
        table = rest;
        next = id + 1;
        for (i, block) in row.chunks_mut(COLUMNS).enumerate() {
            tasks.push((i * COLUMNS, block, same));
        }
    }
    tasks.into_par_iter().for_each(|(column, block, same)| {
        vectorized(
            #[inline(always)]
            || {
                let mut sums = [0.0_f64; COLUMNS];
                for (_, i) in same {
                    for (sum, d) in sums.iter_mut().zip(&d[i * width + column..][..block.len()]) {
                        *sum += d.f64();
                    }
                }
                for (x, sum) in block.iter_mut().zip(sums) {
                    *x += F::of(sum);
                }
            },
        );
    });
}

/// H, after a check of the ids.
fn check<F>(rows: &[F], ids: &[i64], table: &[F]) -> usize {
    let width = rows.len().checked_div(ids.len()).unwrap_or(0);
    assert_eq!(rows.len(), ids.len() * width, "embedding");
    let height = table.len().checked_div(width).unwrap_or(0);
    assert_eq!(
        height * width,
        if width > 0 { table.len() } else { 0 },
        "embedding"
    );
    for id in ids {
        assert!((0..height as i64).contains(id), "id {id} of {height}");
    }
    width.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, same_on_threads, values};

    /// Few different ids where `height` is small, in no order, the last row of the table among them.
    fn ids(n: usize, height: usize) -> Vec<i64> {
        (0..n)
            .map(|i| (height - 1 - i * i * 7 % height) as i64)
            .collect()
    }

    const SHAPES: [(usize, usize, usize); 6] = [
        (0, 5, 3),
        (1, 1, 1),
        (7, 3, 5),
        (50, 1000, 128),
        (300, 2, 131),
        (2000, 90, 300),
    ];

    #[test]
    fn gather_copies_or_adds_rows() {
        for (n, height, width) in SHAPES {
            let (table, ids) = (values::<f32>(height * width, 1), ids(n, height));
            let before = values::<f32>(n * width, 2);
            let mut out = before.clone();
            gather(&table, &ids, &mut out, true);
            let mut copy = before.clone();
            gather(&table, &ids, &mut copy, false);
            for i in 0..n * width {
                let x = table[ids[i / width] as usize * width + i % width];
                assert_eq!((copy[i], out[i]), (x, before[i] + x));
            }
        }
    }

    #[test]
    fn scatter_add_against_a_loop() {
        fn check<F: Real>(tolerance: f64) {
            for (n, height, width) in SHAPES {
                let (d, ids) = (values::<F>(n * width, 1), ids(n, height));
                let mut table = values::<F>(height * width, 2);
                let mut exact: Vec<f64> = table.iter().map(|x| x.f64()).collect();
                for (i, d) in d.iter().enumerate() {
                    exact[ids[i / width] as usize * width + i % width] += d.f64();
                }
                scatter_add(&d, &ids, &mut table);
                assert_close(&table, &exact, tolerance);
            }
        }
        check::<f64>(1e-13);
        check::<f32>(1.2e-7);
    }

    #[test]
    fn same_bits() {
        let (d, ids) = (values::<f64>(3000 * 137, 1), ids(3000, 90));
        same_on_threads(|| {
            let mut table = vec![0.0; 90 * 137];
            scatter_add(&d, &ids, &mut table);
            table
        });
    }

    #[test]
    #[should_panic(expected = "id 3 of 3")]
    fn id_too_large() {
        gather(&[0.0_f32; 6], &[0, 3], &mut [0.0; 4], false);
    }

    #[test]
    #[should_panic(expected = "id -1 of 3")]
    fn id_below_zero() {
        scatter_add(&[0.0_f32; 4], &[0, -1], &mut [0.0; 6]);
    }
}
