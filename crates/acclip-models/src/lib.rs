//! The models of the paper, in [Burn](https://burn.dev), each a function of one flat parameter buffer.
//!
//! A model is a list of named [`Parameter`]s (Hugging Face names and layouts) laid back to back, and
//! two functions of a flat slice: the loss of a batch, and its gradient, written in the same layout.
//! Optimizers, checkpoints and noise statistics then work on slices and never meet a tensor.
//!
//! This crate knows no file, no clock and no generator of its own: randomness (initialisation,
//! dropout) comes from a generator that the caller passes in.

mod backend;
#[doc(hidden)]
pub mod bench_support;
mod bert;
mod bert_config;
mod by_example;
mod error;
mod masked_batch;
mod ops;
mod parameters;
mod resnet;
mod resnet_config;
mod weights;

pub use backend::{Backend, Device};
pub use bert::{Bert, Evaluation, Forward};
pub use bert_config::BertConfig;
pub use by_example::ByExample;
pub use error::Error;
pub use masked_batch::{Input, MaskedBatch, gaussian_vectors};
pub use parameters::{Parameter, Real, len};
pub use resnet::{ImageBatch, ImageForward, Normalization, ResNet, RunningStatistics};
pub use resnet_config::{ResNetConfig, Stem};
