//! The theorems of the paper, running: rates measured beside rates proved.
//!
//! | question | module |
//! |---|---|
//! | what is proved, with which constants, step sizes and thresholds? | [`bounds`] |
//! | for which functions? | [`problems`] |
//! | under which noise, and what is its α-moment? | [`noise`] |
//! | by which methods? | [`methods`], all of `acclip-optim` |
//! | what do thousands of runs do? | [`ensemble`] |
//! | with which exponent, and how sure is that? | [`estimate`] |
//! | and beside the theorem? | [`experiments`]: Table 1, Theorems 2 to 8, the lemmas, Remark 1 |
//!
//! A trajectory is a row of a flat buffer, and an optimizer of `acclip-optim` steps all rows at once. Results have the
//! same bits for any number of threads. The crate knows no framework, no file and no clock.
//!
//! # Example
//! GClip as Theorem 4 has it, on ½x² with Pareto noise of tail index 1.6:
//!
//! ```
//! use acclip_theory::bounds::clipping::gradient_moment;
//! use acclip_theory::bounds::strongly_convex::StronglyConvex;
//! use acclip_theory::ensemble::{Control, Ensemble, Metric};
//! use acclip_theory::estimate::mean;
//! use acclip_theory::methods::{Method, Update};
//! use acclip_theory::noise::{Independent, Law, Noise};
//! use acclip_theory::problems::Quadratic;
//!
//! let (alpha, radius) = (1.5, 4.0);
//! let noise = Independent { law: Law::Pareto { index: 1.6 }, scales: vec![1.0] };
//! // G^α ≥ E|x + ξ|^α on the domain [−4, 4].
//! let moment = noise.norm_moment(alpha, 1).at_most();
//! let g = gradient_moment(radius, moment, alpha).powf(1.0 / alpha);
//! let theorem = StronglyConvex::new(alpha, g, 1.0)?;
//! let clip = Update::GClip { max_norm: theorem.threshold(1), growth: 1.0 / alpha };
//! let measured = Ensemble {
//!     problem: &Quadratic::half_square(Some(radius))?,
//!     noise: &noise,
//!     method: &Method::harmonic("GClip", clip, 1.0),
//!     start: &[1.0],
//!     trajectories: 4096,
//!     checkpoints: &[100, 1000],
//!     metrics: &[Metric::AverageGap],
//!     seed: 1,
//! }
//! .run(&Control::default())?;
//! let gap = mean(measured.groups(0, 1)); // E f(x̄) − f* after 1000 steps, with its 95 % interval
//! assert!(gap.high < theorem.bound(1000));
//! # Ok::<(), acclip_theory::Error>(())
//! ```
//!
//! # References
//! J. Zhang, S. P. Karimireddy, A. Veit, S. Kim, S. Reddi, S. Kumar, S. Sra, *Why are Adaptive Methods Good for
//! Attention Models?*, NeurIPS 2020 (arXiv 1912.03194): "the paper" throughout.

pub mod bounds;
pub mod ensemble;
mod error;
pub mod estimate;
pub mod experiments;
mod finding;
pub mod methods;
pub mod noise;
pub mod problems;

pub use error::Error;
pub use finding::{Cell, Check, Curve, Finding, Kind, Plot, Point, Table};
