//! Training runs, noise measurements and comparisons of optimizers, resumable to the bit.
//!
//! | module | what it does |
//! |---|---|
//! | `config` | one configuration: defaults, preset, file, `--set` |
//! | `dataset`, `task` | data and model behind one interface: text, images, … |
//! | `adapter` | a model's parameters as the optimizer's layout |
//! | `trainer`, `metrics`, `events`, `result` | one training run, its logs, how it ended |
//! | `probe` | one noise measurement |
//! | `compare` | optimizers × settings × seeds, the tests, the verdicts |
//! | `checkpoint`, `run_folder`, `files` | what is on disk, atomically |
//! | `hugging_face`, `weights_file` | weights from and for other programs |
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
mod events;
mod files;
mod hugging_face;
mod memory;
mod metrics;
mod probe;
mod result;
mod run_folder;
mod task;
mod trainer;
mod weights_file;

pub use acclip_noise as noise;
pub use config::Config;
pub use control::{Control, Progress, Silent, Task};
pub use dataset::{CorpusFacts, Dataset};
pub use error::Error;
pub use files::write_atomic;
pub use hugging_face::{Pretrained, read_bert, write_bert};
pub use memory::available_memory;
pub use probe::{Measurement, check_measurement, measure, measured};
pub use result::{Outcome, RunResult, Timing, Validation, is_loss};
pub use run_folder::{Provenance, RunFolder};
pub use trainer::{checkpointed_steps, export, train};
