//! GELU, the activation of BERT: y = x Φ(x), with Φ the normal distribution function,
//! Φ(x) = (1 + erf(x / √2)) / 2. Not its approximation by tanh.
//!
//! dx = dy (Φ(x) + x φ(x)) with the density φ(x) = e^(−x²/2) / √(2π).
//!
//! At the ends: y(−∞) = 0, y(∞) = ∞, and the slopes are 0 and 1. NaN stays NaN.
//!
//! Reference: D. Hendrycks, K. Gimpel, "Gaussian error linear units", 2016, arXiv:1606.08415.

use crate::{Real, chunks::ENTRIES, vectorized};
use rayon::prelude::*;
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Beyond ±40, Φ is 0 or 1 and φ is 0, in `f64` too.
const END: f64 = 40.0;

#[inline(always)]
fn distribution<F: Real>(x: F) -> F {
    F::of(0.5) + F::of(0.5) * (x * F::of(FRAC_1_SQRT_2)).erf()
}

#[inline(always)]
fn value<F: Real>(x: F) -> F {
    let x = F::of(-END).max(x);
    x * distribution(x)
}

#[inline(always)]
fn slope<F: Real>(x: F) -> F {
    let x = F::of(END).min(F::of(-END).max(x));
    let density = (x * x * F::of(-0.5)).exp() * F::of(1.0 / (2.0 * PI).sqrt());
    distribution(x) + x * density
}

/// `y` ← x Φ(x), entry by entry. In `f32` within 2e-7 · (1 + |y|).
///
/// # Panics
/// If the lengths differ.
pub fn forward<F: Real>(x: &[F], y: &mut [F]) {
    assert_eq!(x.len(), y.len(), "GELU");
    x.par_chunks(ENTRIES)
        .zip(y.par_chunks_mut(ENTRIES))
        .for_each(|(x, y)| {
            vectorized(
                #[inline(always)]
                || {
                    for (x, y) in x.iter().zip(y) {
                        *y = value(*x);
                    }
                },
            );
        });
}

/// `dx` ← dy (Φ(x) + x φ(x)), entry by entry. In `f32` within 4e-7 · |dy|.
///
/// # Panics
/// If the lengths differ.
pub fn backward<F: Real>(x: &[F], dy: &[F], dx: &mut [F]) {
    assert_eq!((x.len(), x.len()), (dy.len(), dx.len()), "GELU");
    x.par_chunks(ENTRIES)
        .zip(dy.par_chunks(ENTRIES))
        .zip(dx.par_chunks_mut(ENTRIES))
        .for_each(|((x, dy), dx)| {
            vectorized(
                #[inline(always)]
                || {
                    for ((x, dy), dx) in x.iter().zip(dy).zip(dx) {
                        *dx = *dy * slope(*x);
                    }
                },
            );
        });
}

/// [`backward`], with dx in the place of dy.
///
/// # Panics
/// If the lengths differ.
pub fn backward_in_place<F: Real>(x: &[F], dy: &mut [F]) {
    assert_eq!(x.len(), dy.len(), "GELU");
    x.par_chunks(ENTRIES)
        .zip(dy.par_chunks_mut(ENTRIES))
        .for_each(|(x, dy)| {
            vectorized(
                #[inline(always)]
                || {
                    for (x, dy) in x.iter().zip(dy) {
                        *dy *= slope(*x);
                    }
                },
            );
        });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{same_on_threads, values};

    fn exact(x: f64) -> f64 {
        x * 0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
    }

    fn forward_of<F: Real>(x: &[F]) -> Vec<F> {
        let mut y = vec![F::of(7.0); x.len()];
        forward(x, &mut y);
        y
    }

    fn slopes<F: Real>(x: &[F]) -> Vec<F> {
        let mut dx = vec![F::of(7.0); x.len()];
        backward(x, &vec![F::ONE; x.len()], &mut dx);
        dx
    }

    /// From −12 to 12.
    fn grid<F: Real>() -> Vec<F> {
        (-12_000..=12_000)
            .map(|i| F::of(f64::from(i) * 1e-3))
            .collect()
    }

    #[test]
    fn values_and_slopes() {
        fn errors<F: Real>() -> (f64, f64) {
            let x = grid::<F>();
            let mut errors = (0.0_f64, 0.0_f64);
            for ((x, y), slope) in x.iter().zip(forward_of(&x)).zip(slopes(&x)) {
                let x = x.f64();
                errors.0 = errors
                    .0
                    .max((y.f64() - exact(x)).abs() / (1.0 + y.f64().abs()));
                let h = 1e-5;
                let difference = (exact(x + h) - exact(x - h)) / (2.0 * h);
                errors.1 = errors.1.max((slope.f64() - difference).abs());
            }
            errors
        }
        let (value, slope) = errors::<f64>();
        assert!(value < 1e-15 && slope < 1e-9, "{value:e} {slope:e}");
        let (value, slope) = errors::<f32>();
        assert!(value < 2e-7 && slope < 4e-7, "{value:e} {slope:e}");
    }

    #[test]
    fn ends() {
        fn check<F: Real>() {
            let infinity = -F::NEG_INFINITY;
            let x = [-infinity, F::of(-1e4), F::ZERO, F::of(1e4), infinity];
            assert_eq!(forward_of(&x), [F::ZERO, F::ZERO, F::ZERO, x[3], infinity]);
            assert_eq!(slopes(&x), [F::ZERO, F::ZERO, F::of(0.5), F::ONE, F::ONE]);
            let nan = [infinity - infinity];
            assert!(forward_of(&nan)[0].f64().is_nan() && slopes(&nan)[0].f64().is_nan());
        }
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn backward_multiplies_by_dy_in_place_too() {
        for n in [0, 1, 17, ENTRIES + 5] {
            let (x, dy) = (values::<f32>(n, 1), values::<f32>(n, 2));
            let mut dx = vec![7.0; n];
            backward(&x, &dy, &mut dx);
            let mut in_place = dy.clone();
            backward_in_place(&x, &mut in_place);
            assert_eq!(dx, in_place);
            for ((dx, dy), slope) in dx.iter().zip(dy).zip(slopes(&x)) {
                assert_eq!(*dx, dy * slope);
            }
        }
    }

    #[test]
    fn same_bits() {
        let x = values::<f32>(3 * ENTRIES + 5, 3);
        same_on_threads(|| [forward_of(&x), slopes(&x)].concat());
    }
}
