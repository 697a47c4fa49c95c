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
