//! The models of the paper, in [Burn](https://burn.dev), each a function of one flat parameter buffer.
//!
//! A model is a list of named [`Parameter`]s (Hugging Face names and layouts) laid back to back, and
//! two functions of a flat slice: the loss of a batch, and its gradient, written in the same layout.
//! Optimizers, checkpoints and noise statistics then work on slices and never meet a tensor.
//!
//! This crate knows no file, no clock and no generator of its own: randomness (initialisation,
//! dropout) comes from a generator that the caller passes in.

mod alexnet;
mod backend;
#[doc(hidden)]
pub mod bench_support;
mod bert;
mod bert_config;
mod bert_pass;
mod by_example;
mod error;
mod image_model;
mod image_model_config;
mod masked_batch;
mod ops;
mod parameters;
mod resnet;
mod resnet_config;
mod running_statistics;
mod segment_batch;
mod span_batch;
mod transformer_xl;
mod transformer_xl_config;
mod weights;

pub use alexnet::AlexNetConfig;
pub use backend::{Backend, Device};
pub use bert::{Bert, Evaluation, Forward, NextEvaluation};
pub use bert_config::{BertConfig, Head};
pub use by_example::ByExample;
pub use error::Error;
pub use image_model::{ImageBatch, ImageEvaluation, ImageForward, ImageModel};
pub use image_model_config::ImageModelConfig;
pub use masked_batch::{Input, MaskedBatch, gaussian_vectors};
pub use parameters::{Parameter, Real, len};
pub use resnet_config::{Depth, ResNetConfig, Stem};
pub use running_statistics::{Normalization, RunningStatistics};
pub use segment_batch::{Memory, SegmentBatch};
pub use span_batch::SpanBatch;
pub use transformer_xl::{SegmentForward, TransformerXl};
pub use transformer_xl_config::TransformerXlConfig;
