//! Update rules for training under heavy-tailed gradient noise, over flat slices.
//!
//! Parameters, gradient and state are flat buffers; a [`Layout`] tells which block lies where, and how
//! it is treated. An [`Optimizer`] is a chain of [`Link`]s and holds only hyper-parameters; what it
//! remembers is a [`State`], plain data that is passed in and can be saved. The crate knows no tensor
//! framework, no file and no clock.
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
//! # Which one?
//!
//! Measure the noise first (`acclip noise`). The table says what each rule needs, in values a
//! parameter that it remembers and in what has to be tuned besides the learning rate, and when it is
//! a reasonable choice.
//!
//! | name | state | tune | when | from |
//! |---|---|---|---|---|
//! | `adamw` | 2 | – | the default for attention models; light tails, or none known | Loshchilov & Hutter 2019 |
//! | `adamw-clip` | 2 | `max_norm` | as `adamw`, with rare spikes of the whole gradient | – |
//! | `adam`, `amsgrad` | 2, 3 | – | `adamw` without decay, or with `l2`; where Adam oscillates | Kingma & Ba 2015; Reddi et al. 2018 |
//! | `acclip` | 3 | `alpha` | heavy tails, coordinates of unequal scale; learning rate as Adam's | the paper, normalized |
//! | `acclip-paper` | 2 | `alpha` | to reproduce Algorithm 1; learning rate as SGD's | the paper, Algorithm 1 |
//! | `qclip` | 2 | `clip_rate` | heavy tails so bad that variance is meaningless; rate of clipping known | [`Quantile`], ours |
//! | `qclip-raw`, `qclip-block` | 2, 1 | `clip_rate` | the same without normalisation; by the norms of blocks | ours |
//! | `sgd-momentum`, `nesterov` | 1 | `momentum` | convolutional networks; light tails | Polyak 1964; Sutskever et al. 2013 |
//! | `gclip`, `gclip-block` | 0 | `max_norm` | heavy tails with one scale for all (or each block): optimal rates, dimension-dependent | the paper, §2; Pascanu et al. 2013 |
//! | `cclip` | 0 | `tau` | heavy tails, coordinates of equal scale | the paper, §4 |
//! | `proj-gclip` | 0 | `max_norm`, `radius` | convex problems on a ball | the paper, Theorem 4 |
//! | `sgd` | 0 | – | the baseline | Robbins & Monro 1951 |
//! | `nsgd-momentum` | 1 | – | heavy tails without a threshold to tune | Cutkosky & Mehta 2020 |
//! | `lion`, `signum` | 1 | – | memory is short; heavy tails; learning rate 3 to 10 times below Adam's | Chen et al. 2023; Bernstein et al. 2018 |
//! | `rmsprop`, `adagrad` | 1 | – | recurrent networks; sparse features | Tieleman & Hinton 2012; Duchi et al. 2011 |
//! | `adamw-coordinate-clip` | 2 | `clip_factor` | spikes of single coordinates | `adamwclip`, 2025 |
//! | `stable-adamw` | 2 | – | loss spikes with β2 near 1 | Wortsman et al. 2023 |
//! | `adagc`, `zclip`, `autoclip` | 2 | see [`Hyper`] | spikes of blocks or of the whole; a threshold that follows | Wang et al. 2025; Kumar et al. 2025; Seetharaman et al. 2020 |
//! | `agc` | 1 | `clip_factor` | networks without normalisation layers | Brock et al. 2021 |
//!
//! Defaults stand in one table, `src/alias.rs`; [`Optimizer::hyper`] shows them. All take
//! `weight_decay` (decoupled), and all but the rules that clip within themselves (`qclip`,
//! `qclip-raw`, `adamw-coordinate-clip`) take `l2`.
//!
//! # Chains
//!
//! A name is a chain of links with defaults. [`Optimizer::chain`] makes others:
//!
//! ```text
//! clip → L2 decay → rule → decoupled decay → (learning rate) → projection
//! ```
//!
//! in this or another order, any of them more than once or not at all. Groups of parameters are fields
//! of [`Block`]: decay or none, a coefficient of its own, a learning-rate scale, frozen. Learning
//! rates over time are a [`Schedule`], thresholds over time a growth exponent
//! ([`Hyper::threshold_growth`]), and averages of the iterates a [`PolynomialAverage`].
//!
//! # Guarantees
//! - Results, norms included, have the same bits for any number of threads, and for any
//!   [`InstructionSet`].
//! - A chain that fits into one pass over memory, as nearly all names do, gives the same parameters
//!   and state as its links run one by one, bit for bit.
//! - A step happens as a whole, or returns an error and changes nothing; what it does with a gradient
//!   that is not finite is a policy, [`NonFinite`]. There is never a silent NaN.
//! - A state that is saved and restored continues to the same bits; one that does not fit is refused
//!   with the names that differ.
//! - One step in `f32` is within 2.1 units in the last place of an `f64` oracle in every slot (3.0 in the
//!   momentum of `rmsprop`), and within 1.4 in parameters that move by at most a quarter of
//!   themselves; a parameter that moves by more than its own size shows the error of u, 2.1 (`lion`)
//!   to 5.6 (`acclip`). Units are of the largest of the result and the terms that were added, since
//!   a difference may cancel. `tests/ulp.rs` has the figures, rule by rule.
//! - Over 60 steps, parameters stay within 1e-13 (`f64`) and 12·2⁻²³ (`f32`), relative to
//!   max(|x|, 1), of a reference in 50-digit decimal arithmetic (`tests/golden.rs`).
//!
//! # Types
//! Parameters and gradients are `f32`, `f64`, or `bf16` of the crate `half`; state is kept in full
//! precision, in bf16 or in 8 bits ([`Format`]). What is stored in fewer bits than the rules compute
//! in is rounded stochastically, from a seed.
//!
//! # References
//! J. Zhang, S. P. Karimireddy, A. Veit, S. Kim, S. Reddi, S. Kumar, S. Sra, *Why are Adaptive
//! Methods Good for Attention Models?*, NeurIPS 2020 (arXiv 1912.03194): "the paper" throughout. Each
//! rule's own reference stands in its file.

mod alias;
mod average;
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
mod rounding;
mod rules;
mod schedule;
mod simd;
mod state;
mod stats;
mod step;
mod storage;

pub use alias::NAMES;
pub use average::PolynomialAverage;
pub use clips::adagc::AdaGc;
pub use clips::agc::Agc;
pub use clips::autoclip::AutoClip;
pub use clips::coordinate::{ClipCoordinate, ClipCoordinates};
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
