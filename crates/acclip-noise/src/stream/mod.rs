//! Accumulators over a stream of gradients.
//!
//! Each takes flat gradients of d entries (`&[f32]` or `&[f64]`), one minibatch a `push`, with
//! the model frozen; `merge` adds what another worker has seen; `finalize` gives the statistics.
//! States can be saved with serde and continued to the bit.
//!
//! | accumulator | passes | memory | gives |
//! |---|---|---|---|
//! | [`MeanGradient`], then [`Noise`] | 2 | 2 to 4 `f64` an entry | ‖g − ∇f‖ exactly, by layer; variance and kurtosis of each entry; noise scale; [`CoordinateSnapshot`] |
//! | [`PairDifferences`] | 1 | one gradient | n/2 norms with the tail of ‖g − ∇f‖; noise scale |
//! | [`Projections`] | 1 | K numbers a layer and gradient | K scalars a gradient, Gaussian if the noise is; ‖g − ∇f‖ within a stated error |
//!
//! [`Measure`] drives the first, with some single coordinates ([`CoordinateSeries`]) and a trimmed mean where
//! one gradient would move the mean too far ([`centre`]).
//!
//! Here ∇f is the mean of the gradients measured. A `push` or `merge` that returns an error has
//! changed nothing. Entries beyond ±1e75 are refused, since their fourth powers overflow; those
//! below 1e-154 count as zero in a norm, since their squares do. Sums are taken in `f64` and do
//! not depend on the number of threads.

pub mod centre;
pub mod coordinates;
pub mod layers;
pub mod mean;
pub mod measure;
pub mod noise;
pub mod pairs;
pub mod projections;
mod signs;
pub mod snapshot;

use serde::{Deserialize, Serialize};

pub use centre::centred_norms;
pub use coordinates::{CoordinateSeries, PooledCoordinates};
pub use layers::Layers;
pub use mean::{Mean, MeanGradient};
pub use measure::{GradientNoise, Measure};
pub use noise::{LayerNoise, MeasuredNoise, Noise};
pub use pairs::{PairDifferences, PairNorms};
pub use projections::{Projected, Projections};
pub use snapshot::CoordinateSnapshot;

use crate::Error;
use crate::sample::check;

/// An entry of a gradient: `f32` or `f64`.
pub trait Real: sealed::Sealed + Copy + Send + Sync + Into<f64> {}
impl Real for f32 {}
impl Real for f64 {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// Norms of n vectors, whole and by layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Norms {
    /// Norm of each vector (shape: n).
    pub whole: Vec<f64>,
    /// Norm of each vector's part in each layer (shape: L × n).
    pub layers: Vec<Vec<f64>>,
}

impl Norms {
    /// From squares (shape: n × `count`).
    fn from_squares(squares: &[f64], count: usize) -> Self {
        let rows = squares.chunks_exact(count);
        let column = |layer: usize| rows.clone().map(|row| row[layer].sqrt()).collect();
        Self {
            whole: (rows.clone().map(|row| row.iter().sum::<f64>().sqrt())).collect(),
            layers: (0..count).map(column).collect(),
        }
    }
}

/// Σ f(xᵢ) over a piece, in eight interleaved sums.
#[inline(always)]
fn sum_of<T: Copy>(piece: &[T], f: impl Fn(T) -> f64) -> f64 {
    let (blocks, rest) = piece.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for block in blocks {
        for (sum, &x) in sums.iter_mut().zip(block) {
            *sum += f(x);
        }
    }
    let rest: f64 = rest.iter().map(|&x| f(x)).sum();
    sums.iter().sum::<f64>() + rest
}

/// [`sum_of`] for two slices of the same length.
#[inline(always)]
fn sum_of_two<T: Copy, U: Copy>(left: &[T], right: &[U], f: impl Fn(T, U) -> f64) -> f64 {
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks::<8>(), right.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (left, right) in left.iter().zip(right) {
        for (sum, (&x, &y)) in sums.iter_mut().zip(left.iter().zip(right)) {
            *sum += f(x, y);
        }
    }
    let rest = left_rest.iter().zip(right_rest);
    sums.iter().sum::<f64>() + rest.map(|(&x, &y)| f(x, y)).sum::<f64>()
}

/// As many entries as expected.
fn check_length<F>(gradient: &[F], expected: usize) -> Result<(), Error> {
    if gradient.len() == expected {
        return Ok(());
    }
    Err(Error::Length {
        what: "the entries of a gradient",
        expected,
        found: gradient.len(),
    })
}

/// ‖g‖².
fn squared_norm<F: Real>(gradient: &[F]) -> f64 {
    let square = |x: F| x.into() * x.into();
    Layers::whole(gradient.len()).sum(|range| sum_of(&gradient[range], square))[0]
}

/// All entries finite and at most 1e75, given sums of their squares or of the squares of
/// differences: the entries are looked at only if a sum is suspicious.
fn check_entries<F: Real>(gradient: &[F], squares: &[f64]) -> Result<(), Error> {
    if squares.iter().all(|&sum| sum <= 1e150) {
        return Ok(());
    }
    for (index, &x) in gradient.iter().enumerate() {
        check("a gradient", &[x.into()], 1).map_err(|error| match error {
            Error::NotFinite { value, .. } => Error::NotFinite { index, value },
            Error::TooLarge { value, .. } => Error::TooLarge { index, value },
            other => other,
        })?;
    }
    Ok(())
}

/// At least `needed` gradients.
fn check_count(what: &'static str, needed: usize, found: usize) -> Result<(), Error> {
    if found >= needed {
        return Ok(());
    }
    Err(Error::TooFew {
        what,
        needed,
        found,
    })
}
