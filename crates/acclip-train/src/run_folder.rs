//! A run folder: who may write in it, and what stands in it before step 1.
//!
//! ```text
//! DIR/run.json      format version, command, program version, commit, machine, time, seed
//! DIR/config.toml   the resolved configuration
//! DIR/lock          held while a process works here
//! ```

use crate::Error;
use crate::files::{read, write_atomic, write_json};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// Grows when the files of a run folder change in a way that older programs cannot read.
const FORMAT: u32 = 5;

/// The files that stand in a folder before `run.json` does.
const BEGINNING: [&str; 4] = ["lock", "config.toml", "config.toml.tmp", "run.json.tmp"];

/// Where a run comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of the files in the folder; whoever makes a folder leaves it 0.
    #[serde(default)]
    pub format: u32,
    /// Checksum of config.toml; whoever makes a folder leaves it 0.
    #[serde(default)]
    pub config_crc32: u32,
    /// What made it: `compare`, `noise`, `train` or `paper`.
    pub command: String,
    /// Version of the program.
    pub version: String,
    /// Commit of the program, with `-dirty` if its sources were changed.
    pub commit: String,
    /// Processor, number of cores, operating system.
    pub machine: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// The seed.
    pub seed: u64,
    /// Checksum of the data.
    pub corpus_crc32: u32,
}

/// A run folder that this process has locked.
pub struct RunFolder {
    path: PathBuf,
    /// What the folder says of itself.
    pub provenance: Provenance,
    _lock: File,
}

impl RunFolder {
    /// Makes a new run folder, and writes where it comes from and its configuration, a TOML file.
    ///
    /// # Errors
    /// [`Error::RunFolder`] if the folder has files in it already.
    pub fn create(path: &Path, provenance: Provenance, config: &str) -> Result<Self, Error> {
        let refuse = |problem: String| Error::RunFolder {
            path: path.to_path_buf(),
            problem,
        };
        fs::create_dir_all(path).map_err(Error::io("create", path))?;
        if path.join("run.json").exists() {
            let problem = "holds a run already; continue it with --resume, or choose another --out";
            return Err(refuse(problem.into()));
        }
        for entry in fs::read_dir(path).map_err(Error::io("read", path))? {
            let name = entry.map_err(Error::io("read", path))?.file_name();
            // What a run leaves that was killed before it began may be written over.
            if !BEGINNING.iter().any(|ours| name == *ours) {
                return Err(refuse("is not empty; choose another --out".into()));
            }
        }
        let lock = lock(path)?;
        let provenance = Provenance {
            format: FORMAT,
            config_crc32: crc32fast::hash(config.as_bytes()),
            ..provenance
        };
        write_atomic(&path.join("config.toml"), config.as_bytes())?;
        write_json(&path.join("run.json"), &provenance)?;
        Ok(Self {
            path: path.to_path_buf(),
            provenance,
            _lock: lock,
        })
    }

    /// Opens a run folder to continue it, and reads its configuration.
    ///
    /// # Errors
    /// [`Error::RunFolder`] if it is not a run folder, is of another command or another format, or
    /// another process works in it, or its configuration was edited.
    pub fn open(path: &Path, command: &str) -> Result<(Self, String), Error> {
        let refuse = |problem: String| Error::RunFolder {
            path: path.to_path_buf(),
            problem,
        };
        let file = path.join("run.json");
        if !file.exists() {
            return Err(refuse("is not a run folder (it has no run.json)".into()));
        }
        let provenance: Provenance = serde_json::from_str(&read(&file)?)
            .map_err(|error| refuse(format!("run.json cannot be understood: {error}")))?;
        if provenance.format != FORMAT {
            return Err(refuse(format!(
                "is of format {} (program version {}), and this program reads format {FORMAT}; \
                 continue it with the version that made it",
                provenance.format, provenance.version
            )));
        }
        if provenance.command != command {
            return Err(refuse(format!(
                "is a run of `acclip {0}`; continue it with `acclip {0} --resume`",
                provenance.command
            )));
        }
        let config = path.join("config.toml");
        let text = read(&config)?;
        if crc32fast::hash(text.as_bytes()) != provenance.config_crc32 {
            let problem = "config.toml was edited since the run began, and results that are there \
                           belong to the old one; restore it, or begin a new run with --config";
            return Err(refuse(problem.into()));
        }
        let folder = Self {
            path: path.to_path_buf(),
            provenance,
            _lock: lock(path)?,
        };
        Ok((folder, text))
    }

    /// Whether this program, on this corpus, continues the run to the same bits; `warn` is told of
    /// what may prevent it.
    ///
    /// # Errors
    /// [`Error::RunFolder`] if the text is not the one the run began with.
    pub fn check(&self, crc32: u32, commit: &str, warn: &dyn Fn(&str)) -> Result<(), Error> {
        if crc32 != self.provenance.corpus_crc32 {
            return Err(Error::RunFolder {
                path: self.path.clone(),
                problem: "the data has changed since the run began; restore it, or begin a new run"
                    .into(),
            });
        }
        if commit != self.provenance.commit {
            warn(&format!(
                "the run was begun by commit {}, and this program is of {commit}: results may differ",
                self.provenance.commit
            ));
        }
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a result file, atomically.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        write_atomic(&self.path.join(name), content)
    }

    /// Writes a result as JSON, atomically.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), Error> {
        write_json(&self.path.join(name), value)
    }
}

/// Takes the folder's lock, which the system frees when the process ends, however it ends.
fn lock(path: &Path) -> Result<File, Error> {
    let name = path.join("lock");
    let open = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&name);
    let file = open.map_err(Error::io("create", &name))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::RunFolder {
            path: path.to_path_buf(),
            problem: "another process works in it; wait for it, or choose another --out".into(),
        }),
        Err(TryLockError::Error(error)) => Err(Error::io("lock", &name)(error)),
    }
}
