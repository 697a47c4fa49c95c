//! Every acclip optimizer, as the optimizer of a [Burn](burn) module.
//!
//! ```
//! # fn main() -> Result<(), acclip_burn::Error> {
//! use acclip_burn::Hyper;
//! use burn::nn::LinearConfig;
//! use burn::optim::GradientsParams;
//! use burn::tensor::{Device, Tensor};
//!
//! let device = Device::flex().autodiff();
//! let mut model = LinearConfig::new(3, 1).init(&device);
//! let mut optim = acclip_burn::optimizer("acclip", &Hyper::default())?; // AdamWConfig::new().init()
//! for _ in 0..10 {
//!     let loss = model.forward(Tensor::<2>::ones([8, 3], &device)).square().mean();
//!     let grads = GradientsParams::from_grads(loss.backward(), &model);
//!     model = optim.step(1e-2, model, grads)?;
//! }
//! # Ok(()) }
//! ```
//!
//! A [`ModuleOptimizer`] gathers all float parameters that require a gradient, in the order of the
//! module's fields, into one flat buffer, their gradients into another, lets [`acclip_optim`] take
//! one step, and writes the parameters back. It contains no arithmetic: a step has the bits of
//! [`acclip_optim::Optimizer::step`] on the same numbers.
//!
//! # Why not Burn's `Optimizer` trait
//! In Burn 0.22, `burn::optim::Optimizer` sees one tensor at a time and must return it updated
//! before it sees the next gradient. A norm over all gradients does not exist then, and "clipping by
//! norm" silently becomes one clip per tensor. `burn::optim::ModuleOptimizer`, which walks the
//! module and which `burn::train::Learner` holds, is a concrete type around that trait. So this
//! one stands beside it, with the same `step` but for the `?`, and `Learner` cannot take it.
//!
//! # What it does not do
//! - Types other than `f32`, and master weights for them.
//! - Burn's per-group learning rates and gradient clipping: the rate is one number, a group has a
//!   share of it ([`ModuleOptimizer::with_blocks`]), and clips are the optimizer's.
//! - Parameters that stand in two places of a module: an error. Burn would write back each place
//!   by itself, so a step would part them (as one of its own optimizers does, without a word).
//! - Freezing in mid-run: the set of trainable parameters is fixed by the first step, and another
//!   one is refused by name.
//! - Steps on the device: parameters and gradients travel through host memory in every step, on a
//!   GPU 12 bytes a parameter, one tensor after the other.
//! - Memory order: a parameter that was held transposed, as by `LinearLayout::Col`, comes back
//!   row-major. Its values are right, but products with it may round differently, so a run with
//!   such a layer, saved and loaded, can differ from an uninterrupted one in the last bits.

mod error;
mod exchange;
mod optimizer;
mod table;

pub use acclip_optim::{Block, Hyper, Layout, State, Stats};
pub use error::{Difference, Error};
pub use optimizer::{ModuleOptimizer, default_block, optimizer};
