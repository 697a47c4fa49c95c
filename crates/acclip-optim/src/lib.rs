//! Update rules for training under heavy-tailed gradient noise, over flat slices.
//!
//! Parameters, gradient and state are flat buffers of `f32` or `f64`; a [`Layout`] tells which
//! block lies where. An [`Optimizer`] holds only hyper-parameters; what it remembers is a
//! [`State`], plain data that is passed in and can be saved. The crate knows no tensor framework,
//! no file and no clock.
//!
//! An optimizer is a *clip* of the gradient followed by an *update rule*; a name is one pairing:
//!
//! | name | clip | rule | default hyper-parameters |
//! |---|---|---|---|
//! | `sgd` | – | u = g | momentum 0 |
//! | `sgd-momentum` | – | m ← μ m + g, u = m | momentum 0.9 |
//! | `gclip` | g · min{max_norm/‖g‖, 1} | as `sgd` | max_norm 1 |
//! | `cclip` | gᵢ · min{tau/\|gᵢ\|, 1} | as `sgd` | tau 0.1 |
//! | `acclip-paper` | – | Algorithm 1 of the paper | beta1 0.9, beta2 0.99, eps 1e-5, alpha 1 |
//! | `acclip` | – | the same, divided by √v̂ + ε | as `acclip-paper` |
//! | `adamw` | – | AdamW | beta1 0.9, beta2 0.999, eps 1e-8, weight_decay 0.01 |
//! | `adamw-clip` | as `gclip` | AdamW | max_norm 1, the rest as `adamw` |
//!
//! Every rule yields a direction u, and every step is x ← x − learning_rate·(u + weight_decay·x):
//! weight decay is *decoupled* (it enters no moment), acts only on blocks with
//! [`decay`](Block::decay), and is 0 unless the table says otherwise.
//!
//! ```
//! use acclip_optim::{Block, Hyper, Layout, Optimizer};
//!
//! let layout = Layout::new(vec![Block::new("w", [2, 2], true), Block::new("b", [2], false)])?;
//! let optimizer = Optimizer::new("acclip", &Hyper { alpha: Some(1.5), ..Hyper::default() })?;
//! let mut state = optimizer.init(&layout);
//! let mut params = vec![1.0_f32; layout.len()];
//! for _ in 0..200 {
//!     let grad = params.clone(); // of ½‖x‖²
//!     optimizer.step(0.02, &layout, &mut params, &grad, &mut state)?;
//! }
//! assert!(params.iter().all(|x| x.abs() < 0.1));
//! # Ok::<(), acclip_optim::Error>(())
//! ```
//!
//! # Guarantees
//! - Results, norms included, have the same bits for any number of threads.
//! - A step either happens as a whole or returns an error and changes nothing.
//! - A state that is saved and restored continues to the same bits.
//! - Over 60 steps, parameters stay within 1e-13 (`f64`) and 12·2⁻²³ (`f32`), relative to
//!   max(|x|, 1), of a reference in 50-digit decimal arithmetic (`tests/golden.rs`).
//!
//! # References
//! J. Zhang, S. P. Karimireddy, A. Veit, S. Kim, S. Reddi, S. Kumar, S. Sra, *Why are Adaptive
//! Methods Good for Attention Models?*, NeurIPS 2020 (arXiv 1912.03194): "the paper" throughout.

mod alias;
mod chain;
mod clips;
mod error;
mod hyper;
mod layout;
mod link;
mod optimizer;
mod pass;
mod power;
mod project;
mod real;
mod rules;
mod schedule;
mod simd;
mod state;
mod stats;
mod storage;

pub use alias::NAMES;
pub use clips::adagc::AdaGc;
pub use clips::agc::Agc;
pub use clips::autoclip::AutoClip;
pub use clips::coordinate::ClipCoordinate;
pub use clips::norm::{ClipNorm, Normalize};
pub use clips::quantile_norm::QuantileNorm;
pub use clips::zclip::ZClip;
pub use error::Error;
pub use hyper::Hyper;
pub use layout::{Block, Layout};
pub use link::Link;
pub use optimizer::Optimizer;
pub use project::{ProjectBall, ProjectBox};
pub use real::{Element, Real};
pub use rules::acclip::{AcClip, Form};
pub use rules::adagrad::Adagrad;
pub use rules::adam::Adam;
pub use rules::amsgrad::AmsGrad;
pub use rules::clipped_adam::ClippedAdam;
pub use rules::lion::Lion;
pub use rules::quantile::Quantile;
pub use rules::rmsprop::RmsProp;
pub use rules::sgd::Sgd;
pub use rules::sign::Ema;
pub use rules::stable_adam::StableAdam;
pub use schedule::Schedule;
pub use simd::InstructionSet;
pub use state::{Format, State, Tensor};
pub use stats::{BlockStats, NonFinite, Stats};
