//! Statistics of gradient noise: how heavy is the tail of ‖g − ∇f‖?
//!
//! Zhang et al. (NeurIPS 2020) explain the success of adaptive methods on
//! attention models by heavy-tailed gradient noise. This crate holds what is
//! needed to look at a sample of *noise norms* ‖gᵢ − ∇f‖ and to say, carefully,
//! whether that is the case. All inputs are `&[f64]`, in any one unit; results
//! that depend on the unit (mean, variance) carry it, all the others do not.
//!
//! | question | module |
//! |---|---|
//! | what does the sample look like? | [`moments`], [`histogram`] |
//! | does its variance settle? | [`growth`] |
//! | how fast does the tail fall? | [`hill`], [`moment_estimator`], [`mohammadi`] |
//! | how many outliers, compared with a normal sample? | [`outliers`] |
//! | what would known noise look like? | [`stable`], [`mod@reference`] |
//! | what follows from all that? | [`verdict`] |
//!
//! The crate knows no framework, reads no file and no clock, and draws random
//! numbers only from a generator that is passed in.
//!
//! # Example
//! ```
//! use acclip_noise::{Verdict, diagnose, reference};
//! use rand::SeedableRng;
//!
//! let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
//! let norms = reference::squared_gaussians(500, 100, &mut rng)?;
//! assert_eq!(diagnose(&norms)?.verdict, Verdict::Light);
//! # Ok::<(), acclip_noise::Error>(())
//! ```

mod error;
mod evidence;
pub mod growth;
pub mod hill;
pub mod histogram;
mod interval;
mod judge;
pub mod mohammadi;
pub mod moment_estimator;
pub mod moments;
pub mod outliers;
pub mod reference;
mod sample;
pub mod stable;
pub mod verdict;

pub use error::Error;
pub use evidence::Evidence;
pub use interval::Interval;
pub use verdict::{Diagnosis, Verdict, diagnose};
