//! Every figure and table of the paper (Zhang et al., *Why are Adaptive Methods Good for Attention Models?*, NeurIPS
//! 2020) as an experiment that ends with a verdict on each of its claims.
//!
//! An experiment is a [`plan`]: a TOML file under `experiments/`, one at the scale of a laptop (`lab`) and one at that
//! of the paper (`paper`). A plan has cells, each a configuration of `acclip train`; in a cell noise is measured, or
//! optimizers race under one tuning budget, or both ([`runner`]). From these results come the [`claim`]s, with n,
//! effect, interval and test, and the [`figures`].
//!
//! Every part leaves its result in the folder, so that an experiment that was stopped goes on where it was.

pub mod claim;
mod claims;
pub mod experiments;
pub mod figures;
pub mod finding;
pub mod plan;
mod report;
pub mod runner;
mod scan;
#[cfg(test)]
mod testing;

pub use claim::{Claim, Verdict};
pub use experiments::{EXPERIMENTS, Experiment, Scale};
pub use finding::Finding;
pub use plan::{Data, Plan};
