//! Embeddings: rows of a table, by number, and the gradient of the table.

use crate::{Real, chunks, vectorized};
use rayon::prelude::*;

/// Columns that a task sums at once.
const COLUMNS: usize = 64;

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
