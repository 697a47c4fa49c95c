//! Matrix products, by the crate [`gemm`].
//!
//! `gemm` cuts the rows and columns of a product among threads, and sums over the inner dimension in blocks
//! whose size depends on the shapes alone: the bits do not depend on the number of threads (tested below).

use crate::Real;
use gemm::Parallelism;

/// A matrix in a slice: entry (i, j) stands at `i * row_stride + j * column_stride`.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a, F> {
    data: &'a [F],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

/// A matrix to write to, row-major, with rows `stride` entries apart.
#[derive(Debug)]
pub struct MatrixMut<'a, F> {
    data: &'a mut [F],
    rows: usize,
    columns: usize,
    stride: usize,
}

/// How many threads a product may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// The calling thread: inside a task that is one of many.
    One,
    /// All of the pool.
    All,
}

/// Whether the last entry of a matrix lies in its slice.
fn fits(len: usize, rows: usize, columns: usize, row_stride: usize, column_stride: usize) -> bool {
    rows == 0 || columns == 0 || (rows - 1) * row_stride + (columns - 1) * column_stride < len
}

impl<'a, F: Real> Matrix<'a, F> {
    /// Row-major and dense: `data` is (rows, columns).
    ///
    /// # Panics
    /// If `data` has another length.
    #[must_use]
    pub fn new(data: &'a [F], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "{rows} × {columns}");
        Self::strided(data, rows, columns, columns)
    }

    /// Row-major, with rows `stride` entries apart.
    ///
    /// # Panics
    /// If the last entry lies outside `data`.
    #[must_use]
    pub fn strided(data: &'a [F], rows: usize, columns: usize, stride: usize) -> Self {
        assert!(
            fits(data.len(), rows, columns, stride, 1),
            "a matrix that fits its slice"
        );
        Self {
            data,
            rows,
            columns,
            row_stride: stride,
            column_stride: 1,
        }
    }

    /// The transpose, without a copy.
    #[must_use]
    pub fn t(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

impl<'a, F: Real> MatrixMut<'a, F> {
    /// Row-major and dense: `data` is (rows, columns).
    ///
    /// # Panics
    /// If `data` has another length.
    #[must_use]
    pub fn new(data: &'a mut [F], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "{rows} × {columns}");
        Self::strided(data, rows, columns, columns)
    }

    /// Row-major, with rows `stride` entries apart.
    ///
    /// # Panics
    /// If the last entry lies outside `data`, or rows overlap.
    #[must_use]
    pub fn strided(data: &'a mut [F], rows: usize, columns: usize, stride: usize) -> Self {
        assert!(columns <= stride && fits(data.len(), rows, columns, stride, 1));
        Self {
            data,
            rows,
            columns,
            stride,
        }
    }
}

/// `dst ← scale · a b`, or `dst ← dst + scale · a b` where `add`.
///
/// # Panics
/// If the shapes do not fit each other.
pub fn matmul_into<F: Real>(
    dst: MatrixMut<F>,
    add: bool,
    scale: F,
    a: Matrix<F>,
    b: Matrix<F>,
    threads: Threads,
) {
    assert_eq!((dst.rows, dst.columns), (a.rows, b.columns));
    // SAFETY: `dst` is an exclusive slice that holds its last entry.
    #[allow(unsafe_code)]
    unsafe {
        product(dst.data.as_mut_ptr(), dst.stride, add, scale, a, b, threads)
    }
}

/// `a b`, row-major.
///
/// # Panics
/// If the shapes do not fit each other.
#[must_use]
pub fn matmul<F: Real>(a: Matrix<F>, b: Matrix<F>, threads: Threads) -> Vec<F> {
    let len = a.rows * b.columns;
    if a.columns == 0 {
        return vec![F::ZERO; len];
    }
    let mut out = Vec::with_capacity(len);
    // SAFETY: there is room for `len` entries, and with an inner dimension above 0 every one is written and
    // none is read.
    #[allow(unsafe_code)]
    unsafe {
        product(out.as_mut_ptr(), b.columns, false, F::ONE, a, b, threads);
        out.set_len(len);
    }
    out
}

/// # Safety
/// The (a.rows, b.columns) entries at `dst`, rows `stride` apart, can be written, and read where `add`.
#[allow(unsafe_code)]
unsafe fn product<F: Real>(
    dst: *mut F,
    stride: usize,
    add: bool,
    scale: F,
    a: Matrix<F>,
    b: Matrix<F>,
    threads: Threads,
) {
    assert_eq!(a.columns, b.rows, "inner dimensions");
    let parallelism = match threads {
        Threads::One => Parallelism::None,
        Threads::All => Parallelism::Rayon(0),
    };
    // SAFETY: `Matrix` and the caller promise that every entry lies in its slice; F is f32 or f64, which
    // `gemm` takes.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            dst,
            1,
            stride as isize,
            add,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            F::ONE,
            scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: usize) -> Vec<f32> {
        let hash = |i: usize| (i + seed).wrapping_mul(2_654_435_761) % 10_007;
        (0..n).map(|i| hash(i) as f32 / 5003.5 - 1.0).collect()
    }

    /// Entry (i, j) of a b.
    fn entry<F: Real>(a: Matrix<F>, b: Matrix<F>, i: usize, j: usize) -> f64 {
        let at =
            |m: Matrix<F>, i: usize, j: usize| m.data[i * m.row_stride + j * m.column_stride].f64();
        (0..a.columns).map(|k| at(a, i, k) * at(b, k, j)).sum()
    }

    #[test]
    fn products_of_any_shape_and_stride() {
        for (m, n, k) in [
            (1, 1, 1),
            (3, 5, 7),
            (17, 33, 65),
            (2, 1, 300),
            (64, 16, 128),
            (4, 4, 0),
        ] {
            let (x, y) = (numbers(m * (k + 3), 1), numbers(k * (n + 2), 2));
            let (xt, yt) = (numbers(k * m, 3), numbers(n * k, 4));
            let a = [Matrix::strided(&x, m, k, k + 3), Matrix::new(&xt, k, m).t()];
            let b = [Matrix::strided(&y, k, n, n + 2), Matrix::new(&yt, n, k).t()];
            for (a, b) in a.into_iter().flat_map(|a| b.map(|b| (a, b))) {
                let tolerance = 1e-6 + 2e-7 * k as f64; // of entries up to 1
                let new = matmul(a, b, Threads::One);
                let mut into = vec![7.0; m * (n + 1)];
                let dst = MatrixMut::strided(&mut into, m, n, n + 1);
                matmul_into(dst, true, 0.5, a, b, Threads::All);
                for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                    let expected = entry(a, b, i, j);
                    assert!(
                        (f64::from(new[i * n + j]) - expected).abs() < tolerance,
                        "{m} {n} {k}"
                    );
                    let added = f64::from(into[i * (n + 1) + j]);
                    assert!(
                        (added - (7.0 + 0.5 * expected)).abs() < tolerance,
                        "{m} {n} {k}"
                    );
                }
                assert!(
                    (0..m).all(|i| into[i * (n + 1) + n] == 7.0),
                    "written beyond a row"
                );
            }
        }
    }

    #[test]
    #[should_panic(expected = "fits")]
    fn a_matrix_beyond_its_slice_is_refused() {
        let _ = Matrix::strided(&[0.0_f32; 10], 3, 4, 4);
    }

    /// Of each shape that cuts rows, columns and the inner dimension.
    #[test]
    fn the_same_bits_on_any_number_of_threads() {
        for (m, n, k) in [
            (300, 700, 3000),
            (2000, 65, 129),
            (65, 2000, 129),
            (7, 9, 20_000),
        ] {
            let (x, y, z) = (numbers(m * k, 1), numbers(k * n, 2), numbers(n * k, 3));
            let products = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                pool.build().unwrap().install(|| {
                    let a = Matrix::new(&x, m, k);
                    let plain = matmul(a, Matrix::new(&y, k, n), Threads::All);
                    let mut both = plain.clone();
                    let dst = MatrixMut::new(&mut both, m, n);
                    matmul_into(dst, true, 1.0, a, Matrix::new(&z, n, k).t(), Threads::All);
                    let one = matmul(a, Matrix::new(&y, k, n), Threads::One);
                    (plain, both, one)
                })
            };
            let expected = products(1);
            assert_eq!(expected.0, expected.2, "{m} {n} {k}: Threads::One");
            for threads in [2, 3, 4, 7] {
                assert!(
                    products(threads) == expected,
                    "{m} {n} {k}: {threads} threads"
                );
            }
        }
    }
}
