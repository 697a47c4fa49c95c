//! Sums and maxima over one row, in sixteen lanes: entry i goes to lane i mod 16, and the lanes are combined in
//! order. The compiler makes vectors of them, and the result is the same for vectors of any width.
//!
//! Sums are in `f64`.

use crate::Real;

const LANES: usize = 16;

/// Σ f(xᵢ).
#[inline(always)]
pub fn sum<F: Real>(x: &[F], f: impl Fn(F) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let (blocks, rest) = x.as_chunks::<LANES>();
    for block in blocks {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane += f(x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane += f(x);
    }
    lanes.iter().sum()
}

/// Σ f(xᵢ), where f may change xᵢ.
#[inline(always)]
pub fn sum_mut<F: Real>(x: &mut [F], f: impl Fn(&mut F) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let (blocks, rest) = x.as_chunks_mut::<LANES>();
    for block in blocks {
        for (lane, x) in lanes.iter_mut().zip(block) {
            *lane += f(x);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane += f(x);
    }
    lanes.iter().sum()
}

/// Σ f(xᵢ, yᵢ).
#[inline(always)]
pub fn sum_of_two<F: Real>(x: &[F], y: &[F], f: impl Fn(F, F) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let (x, x_rest) = x.as_chunks::<LANES>();
    let (y, y_rest) = y.as_chunks::<LANES>();
    for (x, y) in x.iter().zip(y) {
        for ((lane, &x), &y) in lanes.iter_mut().zip(x).zip(y) {
            *lane += f(x, y);
        }
    }
    for ((lane, &x), &y) in lanes.iter_mut().zip(x_rest).zip(y_rest) {
        *lane += f(x, y);
    }
    lanes.iter().sum()
}

/// The largest entry that is a number; −∞ for none.
#[inline(always)]
pub fn max<F: Real>(x: &[F]) -> F {
    let mut lanes = [F::NEG_INFINITY; LANES];
    let (blocks, rest) = x.as_chunks::<LANES>();
    for block in blocks {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane = x.max(*lane);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = x.max(*lane);
    }
    lanes.iter().fold(F::NEG_INFINITY, |max, &x| x.max(max))
}
