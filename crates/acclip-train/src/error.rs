//! What can go wrong in a run.

use std::path::{Path, PathBuf};

/// An error of this crate: what is wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key or value of the configuration.
    #[error("configuration: {key}: {problem}")]
    Config {
        /// The dotted key.
        key: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// The operating system refused to read or write a file.
    #[error("cannot {action} {}: {source}{}", .path.display(), advice(.action, .source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A run folder that cannot be used.
    #[error("run folder {}: {problem}", .path.display())]
    RunFolder {
        /// The folder.
        path: PathBuf,
        /// Why not, and what to do.
        problem: String,
    },
    /// A checkpoint that cannot be used.
    #[error("checkpoint {}: {problem}", .path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Why not, and what to do.
        problem: String,
    },
    /// A pretrained model that cannot be used.
    #[error("pretrained model {}: {problem}", .path.display())]
    Pretrained {
        /// The file or folder.
        path: PathBuf,
        /// Why not, and what to do.
        problem: String,
    },
    /// A file of norms or gradients; the text says which, what is wrong and what to do.
    #[error("{0}")]
    Input(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The corpus, the vocabulary or the batches.
    #[error(transparent)]
    Data(#[from] acclip_data::Error),
    /// The model.
    #[error(transparent)]
    Model(#[from] acclip_models::Error),
    /// The optimizer.
    #[error(transparent)]
    Optim(#[from] acclip_optim::Error),
    /// The noise statistics.
    #[error(transparent)]
    Noise(#[from] acclip_noise::Error),
}

impl Error {
    /// For `map_err` on a file operation.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_path_buf();
        move |source| Error::Io {
            action,
            path,
            source,
        }
    }

    pub(crate) fn config(key: impl Into<String>, problem: impl Into<String>) -> Error {
        Error::Config {
            key: key.into(),
            problem: problem.into(),
        }
    }
}

/// What to do about an error of the operating system, where we know it.
fn advice(action: &str, source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::StorageFull => {
            "; free some space and continue with --resume: what was written before is intact"
        }
        std::io::ErrorKind::PermissionDenied if action != "read" => {
            "; choose another folder with --out"
        }
        _ => "",
    }
}
