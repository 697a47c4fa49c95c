//! The layers of a Transformer and of a ResNet as plain functions over slices: forward, and backward.
//!
//! Every function takes row-major slices, says their shapes in capital letters, and fills slices that the
//! caller brings. Nothing is allocated but scratch space, and nothing is random but what a key says.
//!
//! **The same bits on any number of threads.** Work is cut into chunks whose size depends on the shapes
//! alone; a chunk writes what no other chunk writes, or a partial sum, and partial sums are added in the
//! order of their index ([`chunks`]). Matrix products come from the crate `gemm`, which cuts rows and columns
//! among threads but never a sum.
//!
//! All functions are generic over [`Real`]: `f32` to train, `f64` to check.
//!
//! This crate knows no tensor, no parameter and no model.

pub mod adaptive_pool;
pub mod adaptive_softmax;
pub mod attention;
pub mod batch_norm;
pub mod by_example;
pub mod chunks;
pub mod convolution;
pub mod cross_entropy;
pub mod dropout;
pub mod embedding;
pub mod gelu;
mod lanes;
pub mod layer_norm;
pub mod linear;
pub mod matmul;
mod philox;
pub mod pool;
pub mod rank;
mod real;
pub mod relative_attention;
pub mod relu;
pub mod tanh;
#[cfg(test)]
mod testing;
pub mod transpose;
mod winograd;

pub use dropout::Dropout;
pub use layer_norm::LayerNorm;
pub use matmul::{Matrix, MatrixMut, matmul, matmul_into};
pub use real::Real;

/// Runs `f`, compiled for the widest vectors that this processor has. `f`, and all that it calls, must be
/// `#[inline(always)]`: a plain loop then becomes vector code.
#[inline(always)]
pub(crate) fn vectorized<R>(f: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(f)
}
