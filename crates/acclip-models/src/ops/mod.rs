//! The operations that a model file is written in.
//!
//! Each has two forms with the same result: on `flex` a fused one, which runs the kernels of `acclip-kernels` over
//! slices and writes parameters' gradients straight into the flat gradient; on every other backend a composition of
//! Burn's own operations. Which one runs is decided by where the [`crate::weights::Weights`] are, so that a model
//! file reads the same for all.

mod adaptive_softmax;
mod attention;
mod embedding;
mod image;
mod linear;
mod loss;
mod norm;
mod pool;
mod recompute;
mod relative_attention;
pub(crate) mod tape;
#[cfg(test)]
mod tests;

pub(crate) use adaptive_softmax::{Names, adaptive_softmax};
pub(crate) use attention::{Heads, attention};
pub(crate) use embedding::{Table, embed, scale, select_rows};
pub(crate) use image::{Relu, batch_norm, convolution, relu, stem};
pub(crate) use linear::{
    linear, linear_gelu, linear_relu, linear_tanh, packed_linear, tied_decoder, unbiased_linear,
};
pub(crate) use loss::{cross_entropy, score};
pub(crate) use norm::{dropout, layer_norm, residual_norm};
pub(crate) use pool::{adaptive_average_pool, average_pool, max_pool};
pub(crate) use recompute::recompute;
pub(crate) use relative_attention::{after_memory, relative_attention};
pub(crate) use tape::{Values, is_fused};
