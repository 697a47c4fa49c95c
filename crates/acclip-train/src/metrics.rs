//! `metrics.jsonl`: a line a step, a line a validation; and the same for TensorBoard.
//!
//! The lines hold no times, so that a run that was stopped and resumed leaves the same file, to the
//! byte, as one that was not.

use crate::Error;
use crate::events::EventFile;
use crate::files::{read, write_atomic};
use crate::result::Validation;
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
    Validation(Validation),
    Diverged {
        step: u64,
        diverged: String,
    },
}

impl Metrics {
    fn step(&self) -> u64 {
        match self {
            Metrics::Step { step, .. } | Metrics::Diverged { step, .. } => *step,
            Metrics::Validation(validation) => validation.step,
        }
    }

    /// The numbers by the names that TensorBoard shows.
    fn scalars(&self) -> Vec<(String, f64)> {
        let name = |(name, value): (&str, f64)| (name.to_string(), value);
        match self {
            Metrics::Step {
                loss,
                learning_rate,
                grad_norm,
                update_norm,
                clipped,
                ..
            } => [
                ("train/loss", *loss),
                ("train/learning_rate", *learning_rate),
                ("train/grad_norm", *grad_norm),
                ("train/update_norm", *update_norm),
                ("train/clipped", *clipped),
            ]
            .map(name)
            .to_vec(),
            Metrics::Validation(v) => {
                let accuracy = v.accuracy.map(|accuracy| ("valid/accuracy", accuracy));
                let scores = v
                    .scores
                    .iter()
                    .map(|(name, x)| (format!("valid/{name}"), *x));
                let own = std::iter::once(("valid/loss", v.loss)).chain(accuracy);
                own.map(name).chain(scores).collect()
            }
            Metrics::Diverged { .. } => Vec::new(),
        }
    }
}

/// The log of one run.
pub(crate) struct MetricsLog {
    path: PathBuf,
    file: BufWriter<File>,
    events: Option<EventFile>,
}

impl MetricsLog {
    /// Opens the log of the run in `folder`, whose last checkpoint is of step `done` (`None`: there is none). Lines
    /// beyond it, which a run that was killed has written and will write again, are dropped, and so is a line that
    /// was cut off. TensorBoard's file is made anew from the lines that are there.
    pub fn open(folder: &Path, done: Option<u64>, tensorboard: bool) -> Result<Self, Error> {
        let path = folder.join("metrics.jsonl");
        let mut lines: Vec<Metrics> = Vec::new();
        if path.exists() {
            let text = read(&path)?;
            let mut kept = String::new();
            for line in text.split_inclusive('\n') {
                let metrics: Option<Metrics> = serde_json::from_str(line).ok();
                let wanted = metrics.filter(|m| done.is_some_and(|done| m.step() <= done));
                if let Some(metrics) = wanted {
                    kept.push_str(line);
                    lines.push(metrics);
                }
            }
            write_atomic(&path, kept.as_bytes())?;
        }
        let open = OpenOptions::new().create(true).append(true).open(&path);
        let mut log = Self {
            file: BufWriter::new(open.map_err(Error::io("open", &path))?),
            path,
            events: None,
        };
        if tensorboard {
            let mut events = EventFile::create(&folder.join("tensorboard"))?;
            for line in &lines {
                events.write(line.step(), &line.scalars())?;
            }
            log.events = Some(events);
        }
        Ok(log)
    }

    /// Adds a line; it is on disk after the next [`MetricsLog::flush`].
    pub fn write(&mut self, line: &Metrics) -> Result<(), Error> {
        if let Some(events) = &mut self.events {
            events.write(line.step(), &line.scalars())?;
        }
        let line = serde_json::to_string(line).expect("our own records are valid JSON");
        writeln!(self.file, "{line}").map_err(Error::io("write", &self.path))
    }

    /// Hands all lines to the system.
    pub fn flush(&mut self) -> Result<(), Error> {
        if let Some(events) = &mut self.events {
            events.flush()?;
        }
        self.file.flush().map_err(Error::io("write", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validation(step: u64) -> Metrics {
        Metrics::Validation(Validation {
            step,
            train_loss: None,
            loss: 1.5,
            accuracy: Some(0.25),
            scores: [("perplexity".to_string(), 4.5)].into(),
        })
    }

    #[test]
    fn lines_beyond_the_checkpoint_and_broken_lines_are_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let write = |done, steps: &[u64]| {
            let mut log = MetricsLog::open(folder.path(), done, false).unwrap();
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
