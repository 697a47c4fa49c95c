//! The transpose of a matrix, in memory.

use crate::Real;
use rayon::prelude::*;

/// Side of the squares that are transposed in registers and first-level cache.
const SIDE: usize = 16;

/// xᵀ (C, R) of `x` (R, C), row-major.
///
/// # Panics
/// If `x` has another length.
#[must_use]
pub fn transposed<F: Real>(x: &[F], rows: usize, columns: usize) -> Vec<F> {
    assert_eq!(x.len(), rows * columns, "{rows} × {columns}");
    let mut out = vec![F::ZERO; x.len()];
    if x.is_empty() {
        return out;
    }
    out.par_chunks_mut(SIDE * rows)
        .enumerate()
        .for_each(|(block, out)| {
            let (first, width) = (block * SIDE, out.len() / rows);
            for i in (0..rows).step_by(SIDE) {
                let height = SIDE.min(rows - i);
                let from = &x[i * columns + first..];
                if (height, width) == (SIDE, SIDE) {
                    square(from, columns, &mut out[i..], rows);
                    continue;
                }
                for (r, c) in (0..height).flat_map(|r| (0..width).map(move |c| (r, c))) {
                    out[i + c * rows + r] = from[r * columns + c];
                }
            }
        });
    out
}

/// Transposes a whole square; the rows of `from` and `to` are so many entries apart.
fn square<F: Real>(from: &[F], from_stride: usize, to: &mut [F], to_stride: usize) {
    let mut columns = [[F::ZERO; SIDE]; SIDE];
    for (r, row) in from.chunks(from_stride).take(SIDE).enumerate() {
        for (column, x) in columns.iter_mut().zip(&row[..SIDE]) {
            column[r] = *x;
        }
    }
    for (column, to) in columns.iter().zip(to.chunks_mut(to_stride)) {
        to[..SIDE].copy_from_slice(column);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size() {
        for (rows, columns) in [
            (0, 5),
            (5, 0),
            (1, 1),
            (16, 16),
            (17, 33),
            (64, 48),
            (3, 100),
        ] {
            let x: Vec<f64> = (0..rows * columns).map(|i| i as f64).collect();
            let t = transposed(&x, rows, columns);
            assert_eq!(t.len(), x.len());
            for (i, x) in x.iter().enumerate() {
                assert_eq!(
                    t[i % columns * rows + i / columns],
                    *x,
                    "{rows} × {columns}"
                );
            }
        }
    }
}
