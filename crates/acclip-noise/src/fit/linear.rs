//! Matrices over the four parameters (α, β, ln γ, δ), of which some may be held fixed.

use std::array::from_fn;

/// A 4 × 4 matrix, row by row.
pub(super) type Square = [[f64; 4]; 4];

/// The inverse of the block of rows and columns that are `free`, zero elsewhere; `None` if the block
/// is singular to rounding. Gauss–Jordan elimination with row pivots.
pub(super) fn inverse(matrix: &Square, free: [bool; 4]) -> Option<Square> {
    let identity = |i: usize, j: usize| f64::from(u8::from(i == j));
    // Rows and columns that are not free are those of the identity.
    let mut left: Square = from_fn(|i| {
        from_fn(|j| {
            if free[i] && free[j] {
                matrix[i][j]
            } else {
                identity(i, j)
            }
        })
    });
    let mut right: Square = from_fn(|i| from_fn(|j| identity(i, j)));
    for column in 0..4 {
        let size = |row: &usize| left[*row][column].abs();
        let pivot = (column..4).max_by(|a, b| size(a).total_cmp(&size(b)))?;
        left.swap(column, pivot);
        right.swap(column, pivot);
        let divisor = left[column][column];
        // Comparison written so that NaN is refused as well.
        if !(divisor.abs() > 1e-300 && divisor.is_finite()) {
            return None;
        }
        for j in 0..4 {
            left[column][j] /= divisor;
            right[column][j] /= divisor;
        }
        for row in (0..4).filter(|&row| row != column) {
            let factor = left[row][column];
            for j in 0..4 {
                left[row][j] -= factor * left[column][j];
                right[row][j] -= factor * right[column][j];
            }
        }
    }
    for i in (0..4).filter(|&i| !free[i]) {
        right[i][i] = 0.0;
    }
    Some(right)
}

/// A · B.
pub(super) fn product(a: &Square, b: &Square) -> Square {
    from_fn(|i| from_fn(|j| (0..4).map(|k| a[i][k] * b[k][j]).sum()))
}

/// A · v.
pub(super) fn apply(a: &Square, v: &[f64; 4]) -> [f64; 4] {
    from_fn(|i| (0..4).map(|k| a[i][k] * v[k]).sum())
}

/// Aᵀ.
pub(super) fn transpose(a: &Square) -> Square {
    from_fn(|i| from_fn(|j| a[j][i]))
}

/// Covariance of the parameters that solve m(θ) = m̂, from the covariance of m̂ and J = ∂m/∂θ:
/// J⁻¹ C J⁻ᵀ over the `free` parameters.
pub(super) fn delta_method(
    jacobian: &Square,
    covariance: &Square,
    free: [bool; 4],
) -> Option<Square> {
    let inverse = inverse(jacobian, free)?;
    Some(product(
        &product(&inverse, covariance),
        &transpose(&inverse),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const M: Square = [
        [0.0, 2.0, 1.0, 0.5],
        [1.0, 3.0, -1.0, 0.0],
        [2.0, 0.0, 4.0, 1.0],
        [0.5, 1.0, 1.0, 5.0],
    ];

    #[test]
    fn the_inverse_times_the_matrix_is_one() {
        let one = product(&inverse(&M, [true; 4]).unwrap(), &M);
        for (i, row) in one.iter().enumerate() {
            for (j, x) in row.iter().enumerate() {
                assert!((x - f64::from(u8::from(i == j))).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn a_fixed_parameter_leaves_the_rest_alone() {
        // Rows and columns 0 and 2: [[0, 1], [2, 4]], whose inverse is [[−2, ½], [1, 0]].
        let found = inverse(&M, [true, false, true, false]).unwrap();
        let mut expected = [[0.0; 4]; 4];
        (
            expected[0][0],
            expected[0][2],
            expected[2][0],
            expected[2][2],
        ) = (-2.0, 0.5, 1.0, 0.0);
        assert_eq!(found, expected);
    }

    #[test]
    fn a_singular_or_undefined_matrix_has_no_inverse() {
        assert_eq!(inverse(&[[1.0; 4]; 4], [true; 4]), None);
        assert_eq!(inverse(&[[f64::NAN; 4]; 4], [true; 4]), None);
        assert_eq!(inverse(&[[0.0; 4]; 4], [true, false, false, false]), None);
    }
}
