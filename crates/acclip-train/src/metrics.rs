//! `metrics.jsonl`: a line a step, a line a validation.
//!
//! The lines hold no times, so that a run that was stopped and resumed leaves the same file, to the
//! byte, as one that was not.

use crate::Error;
use crate::files::{read, write_atomic};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A line of `metrics.jsonl`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Metrics {
    Step {
        step: u64,
        loss: f64,
        learning_rate: f64,
        grad_norm: f64,
        update_norm: f64,
        clipped: f64,
    },
    Validation {
        step: u64,
        valid_loss: f64,
        valid_accuracy: f64,
    },
    Diverged {
        step: u64,
        diverged: String,
    },
}

/// The log of one run.
pub(crate) struct MetricsLog {
    path: PathBuf,
    file: BufWriter<File>,
}

impl MetricsLog {
    /// Opens the log of a run whose last checkpoint is of step `done` (`None`: there is none). Lines
    /// beyond it, which a run that was killed has written and will write again, are dropped, and so
    /// is a line that was cut off.
    pub fn open(path: &Path, done: Option<u64>) -> Result<Self, Error> {
        if path.exists() {
            let kept = |line: &&str| match (serde_json::from_str(line), done) {
                (
                    Ok(
                        Metrics::Step { step, .. }
                        | Metrics::Validation { step, .. }
                        | Metrics::Diverged { step, .. },
                    ),
                    Some(done),
                ) => step <= done,
                _ => false,
            };
            let text = read(path)?;
            let text: String = text.split_inclusive('\n').filter(kept).collect();
            write_atomic(path, text.as_bytes())?;
        }
        let open = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self {
            path: path.to_path_buf(),
            file: BufWriter::new(open.map_err(Error::io("open", path))?),
        })
    }

    /// Adds a line; it is on disk after the next [`MetricsLog::flush`].
    pub fn write(&mut self, line: &Metrics) -> Result<(), Error> {
        let line = serde_json::to_string(line).expect("our own records are valid JSON");
        writeln!(self.file, "{line}").map_err(Error::io("write", &self.path))
    }

    /// Hands all lines to the system.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.file.flush().map_err(Error::io("write", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validation(step: u64) -> Metrics {
        Metrics::Validation {
            step,
            valid_loss: 1.5,
            valid_accuracy: 0.25,
        }
    }

    #[test]
    fn lines_beyond_the_checkpoint_and_broken_lines_are_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let write = |done, steps: &[u64]| {
            let mut log = MetricsLog::open(&path, done).unwrap();
            for step in steps {
                log.write(&validation(*step)).unwrap();
            }
            log.flush().unwrap();
            read(&path).unwrap()
        };
        let line = |step: u64| serde_json::to_string(&validation(step)).unwrap() + "\n";
        write(None, &[1, 2, 3, 4]);
        let text = write(Some(2), &[3]) + "{\"step\": 1, \"va";
        assert_eq!(text, line(1) + &line(2) + &line(3) + "{\"step\": 1, \"va");
        std::fs::write(&path, text).unwrap();
        assert_eq!(write(Some(3), &[]), line(1) + &line(2) + &line(3));
        assert_eq!(
            write(None, &[9]),
            line(9),
            "a run without a checkpoint begins anew"
        );
    }
}
