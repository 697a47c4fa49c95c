//! Training runs, noise measurements and comparisons of optimizers, resumable to the bit.
//!
//! | module | what it does |
//! |---|---|
//! | `config` | one configuration: defaults, preset, file, `--set` |
//! | `dataset` | corpus → tokens → masked batches |
//! | `adapter` | corpus ↔ model ↔ optimizer, without arithmetic |
//! | `trainer`, `metrics`, `result` | one training run, its log, how it ended |
//! | `probe` | one noise measurement |
//! | `compare` | optimizers × settings × seeds, the tests, the verdicts |
//! | `checkpoint`, `run_folder`, `files` | what is on disk, atomically |
//! | `memory` | refuses what does not fit |
//! | `control` | progress and interruption |
//!
//! Nothing here draws figures or prints: see `acclip-report` and the program `acclip`.

mod adapter;
mod checkpoint;
pub mod compare;
pub mod config;
mod control;
mod dataset;
mod error;
mod files;
mod memory;
mod metrics;
mod probe;
mod result;
mod run_folder;
mod trainer;

pub use acclip_noise as noise;
pub use config::Config;
pub use control::{Control, Progress, Silent, Task};
pub use dataset::{CorpusFacts, Dataset};
pub use error::Error;
pub use files::write_atomic;
pub use memory::available_memory;
pub use probe::{Measurement, measure};
pub use result::{Outcome, RunResult, Timing};
pub use run_folder::{Provenance, RunFolder};
pub use trainer::{checkpointed_steps, train};
