//! The hyperbolic tangent, the activation of BERT's pooler: y = tanh x, and dx = dy (1 − y²).
//!
//! Computed in `f64` by `libm` for every type, and rounded: a pooler has one row a sequence, so that its time does not
//! count, and both directions are then exact to a rounding or two, far from 0 and near it.
//!
//! At the ends: y(±∞) = ±1, and the slope there is 0. NaN stays NaN.

use crate::{Real, chunks::ENTRIES};
use rayon::prelude::*;

/// `y` ← tanh x, entry by entry: the nearest `f32`, or nearly so; within 2.3e-16 · |y| in `f64`.
///
/// # Panics
/// If the lengths differ.
pub fn forward<F: Real>(x: &[F], y: &mut [F]) {
    assert_eq!(x.len(), y.len(), "tanh");
    x.par_chunks(ENTRIES)
        .zip(y.par_chunks_mut(ENTRIES))
        .for_each(|(x, y)| {
            for (x, y) in x.iter().zip(y) {
                *y = F::of(libm::tanh(x.f64()));
            }
        });
}

/// `dy` becomes dx = dy (1 − y²), entry by entry, from the output `y` of [`forward`].
///
/// # Panics
/// If the lengths differ.
pub fn backward_in_place<F: Real>(y: &[F], dy: &mut [F]) {
    assert_eq!(y.len(), dy.len(), "tanh");
    y.par_chunks(ENTRIES)
        .zip(dy.par_chunks_mut(ENTRIES))
        .for_each(|(y, dy)| {
            for (y, dy) in y.iter().zip(dy) {
                let y = y.f64();
                *dy = F::of(dy.f64() * (1.0 - y) * (1.0 + y));
            }
        });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{same_on_threads, values};

    fn forward_of<F: Real>(x: &[F]) -> Vec<F> {
        let mut y = vec![F::of(7.0); x.len()];
        forward(x, &mut y);
        y
    }

    fn slopes<F: Real>(x: &[F]) -> Vec<F> {
        let mut dx = vec![F::ONE; x.len()];
        backward_in_place(&forward_of(x), &mut dx);
        dx
    }

    /// tanh x to 30 digits, from mpmath 1.3 (`mp.dps = 30; mp.tanh(x)`), for x exact in `f32`.
    const KNOWN: [(f64, f64); 6] = [
        (1.0 / 1024.0, 0.000_976_562_189_559_260_2),
        (0.125, 0.124_353_001_771_596_2),
        (0.5, 0.462_117_157_260_009_75),
        (1.0, 0.761_594_155_955_764_9),
        (2.5, 0.986_614_298_151_430_3),
        (9.0, 0.999_999_969_540_041),
    ];

    #[test]
    fn known_values() {
        for (x, exact) in KNOWN {
            for (x, exact) in [(x, exact), (-x, -exact)] {
                let y = forward_of(&[x])[0];
                assert!((y - exact).abs() <= 2.3e-16 * exact.abs(), "{x}: {y}");
                let y = forward_of(&[x as f32])[0];
                assert!((y - exact as f32).abs() <= f32::EPSILON / 2.0 * exact.abs() as f32);
            }
        }
    }

    /// Within 1e-9 of central differences in `f64`, and within 1.2e-7 of that in `f32`.
    #[test]
    fn slopes_are_those_of_differences() {
        let grid: Vec<f64> = (-6000..=6000).map(|i| f64::from(i) / 512.0).collect();
        let narrow: Vec<f32> = grid.iter().map(|x| *x as f32).collect();
        let (wide, narrow) = (slopes(&grid), slopes(&narrow));
        for ((x, wide), narrow) in grid.iter().zip(wide).zip(narrow) {
            let h = 1e-5;
            let difference = ((x + h).tanh() - (x - h).tanh()) / (2.0 * h);
            assert!((wide - difference).abs() < 1e-9, "{x}: {wide}");
            assert!((f64::from(narrow) - wide).abs() < 1.2e-7, "{x}: {narrow}");
        }
    }

    #[test]
    fn ends() {
        let infinity = f32::INFINITY;
        let x = [-infinity, -100.0, -0.0, 0.0, 100.0, infinity];
        assert_eq!(forward_of(&x), [-1.0, -1.0, -0.0, 0.0, 1.0, 1.0]);
        assert_eq!(slopes(&x), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
        assert!(forward_of(&[f32::NAN])[0].is_nan() && slopes(&[f32::NAN])[0].is_nan());
    }

    #[test]
    fn any_length_times_dy_and_the_same_bits() {
        for n in [0, 1, 17, ENTRIES + 5] {
            let (x, mut dx) = (values::<f64>(n, 1), values::<f64>(n, 2));
            let (y, dy) = (forward_of(&x), dx.clone());
            backward_in_place(&y, &mut dx);
            for ((dx, dy), y) in dx.iter().zip(dy).zip(y) {
                assert!((dx - dy * (1.0 - y * y)).abs() <= 1e-15);
            }
        }
        let x = values::<f32>(3 * ENTRIES + 5, 3);
        same_on_threads(|| [forward_of(&x), slopes(&x)].concat());
    }
}
