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
//! | what does the sample look like, and beside what? | [`pictures`] |
//! | how fast does the tail fall? | [`tail`] |
//! | what would α-stable noise be? | [`stable`] |
//! | which stable law is this? | [`fit`] |
//! | which law of the norms, and is its variance finite? | [`mixture`] |
//! | how do I measure a stream of gradients? | [`stream`] |
//! | what follows from all that? | [`verdict`] |
//!
//! The crate knows no framework, reads no file and no clock, and draws random
//! numbers only from a generator that is passed in.
//!
//! # Example
//! ```
//! use acclip_noise::{Verdict, diagnose, pictures::reference};
//! use rand::SeedableRng;
//!
//! let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
//! let norms = reference::squared_gaussians(500, 100, &mut rng)?;
//! assert_eq!(diagnose(&norms)?.verdict, Verdict::Light);
//! # Ok::<(), acclip_noise::Error>(())
//! ```

mod error;
pub mod fit;
mod interval;
pub mod lanes;
pub mod mixture;
mod optimize;
pub mod pictures;
mod sample;
pub mod stable;
pub mod stream;
pub mod tail;
pub mod verdict;

pub use error::Error;
pub use interval::Interval;
pub use verdict::evidence::Evidence;
pub use verdict::gradients::{GradientDiagnosis, diagnose_gradients};
pub use verdict::{Diagnosis, Verdict, diagnose};
