//! Checkpoints: a safetensors file of named arrays, and a small JSON that vouches for it.
//!
//! `NAME.safetensors` is written first and `NAME.json`, with the checksum of the first, second, both
//! atomically: where the JSON is, the arrays are whole. The checksum covers arrays and record. If the
//! newest has been damaged since, the one before it is taken, and the caller is told.
//!
//! The newest two of the *planned* checkpoints are kept, those of steps that were named, and beside them one of a
//! run that was stopped in between, until the next is written: what is there in the end does not depend on
//! interruptions.

use crate::Error;
use crate::files::{write_atomic, write_json};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// How many checkpoints are kept.
const KEPT: usize = 2;

/// How long a checkpoint is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// To the end.
    Always,
    /// As one of the newest two of its kind.
    Newest,
    /// Until the next is written.
    UntilNext,
}

/// An array of a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Array {
    F32(Vec<f32>),
    F64(Vec<f64>),
    /// Of another type, little-endian.
    Raw(Dtype, Vec<u8>),
}

/// What a checkpoint holds: named arrays with their shapes, and a record `M`.
pub(crate) struct Checkpoint<M> {
    pub meta: M,
    pub arrays: BTreeMap<String, (Vec<usize>, Array)>,
}

/// The JSON: the record, and what vouches for both files.
#[derive(Serialize, Deserialize)]
struct Stamp {
    crc32: u32,
    record: Value,
}

/// Checksum of arrays and record.
fn checksum(file: &[u8], record: &Value) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(file);
    hasher.update(record.to_string().as_bytes());
    hasher.finalize()
}

impl<M: Serialize + DeserializeOwned> Checkpoint<M> {
    /// Writes the checkpoint of `step` into `folder`, and removes those others that `keep` does not keep.
    pub fn save(&self, folder: &Path, step: u64, keep: impl Fn(u64) -> Keep) -> Result<(), Error> {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let bytes: Vec<(&str, Dtype, &[usize], Vec<u8>)> = self
            .arrays
            .iter()
            .map(|(name, (shape, array))| {
                let (dtype, bytes) = match array {
                    Array::F32(v) => (Dtype::F32, v.iter().flat_map(|x| x.to_le_bytes()).collect()),
                    Array::F64(v) => (Dtype::F64, v.iter().flat_map(|x| x.to_le_bytes()).collect()),
                    Array::Raw(dtype, bytes) => (*dtype, bytes.clone()),
                };
                (name.as_str(), dtype, &shape[..], bytes)
            })
            .collect();
        let views = bytes.iter().map(|(name, dtype, shape, data)| {
            let view = TensorView::new(*dtype, shape.to_vec(), data);
            (*name, view.expect("array and shape agree"))
        });
        let file = serialize(views, None).expect("names and shapes are valid");
        let name = folder.join(file_name(step));
        write_atomic(&name.with_extension("safetensors"), &file)?;
        let record = serde_json::to_value(&self.meta).expect("our own records are valid JSON");
        let stamp = Stamp {
            crc32: checksum(&file, &record),
            record,
        };
        write_json(&name.with_extension("json"), &stamp)?;

        let steps = steps(folder)?;
        let of = |kind: Keep| {
            let keep = &keep;
            steps
                .iter()
                .rev()
                .filter(move |&&other| keep(other) == kind)
        };
        let kept = of(Keep::Newest).take(KEPT).chain(of(Keep::Always));
        let kept: Vec<&u64> = kept.chain([&step]).collect();
        for old in steps.iter().filter(|other| !kept.contains(other)) {
            // The JSON goes first, so that a checkpoint without arrays is never seen.
            for extension in ["json", "safetensors"] {
                let file = folder.join(file_name(*old)).with_extension(extension);
                match fs::remove_file(&file) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        return Err(Error::io("remove", &file)(error));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Loads the newest checkpoint of `folder` that is whole, if there is one; `warn` is told of each
    /// that is not.
    pub fn newest(folder: &Path, warn: &dyn Fn(&str)) -> Result<Option<Self>, Error> {
        let mut broken = None;
        for step in steps(folder)?.into_iter().rev() {
            match Self::load(folder, step) {
                Ok(checkpoint) => return Ok(Some(checkpoint)),
                Err(error @ Error::Checkpoint { .. }) => {
                    warn(&error.to_string());
                    broken.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        match broken {
            Some(error) => Err(error),
            None => Ok(None),
        }
    }

    /// Loads the checkpoint of one step.
    pub fn load(folder: &Path, step: u64) -> Result<Self, Error> {
        let name = folder.join(file_name(step));
        let refuse = |problem: String| Error::Checkpoint {
            path: name.with_extension("safetensors"),
            problem: format!(
                "{problem}; delete it and its .json to continue from an older one or from the start"
            ),
        };
        let read = |extension: &str| {
            let file = name.with_extension(extension);
            match fs::read(&file) {
                Ok(content) => Ok(content),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    Err(refuse(format!("the .{extension} is missing")))
                }
                Err(error) => Err(Error::io("read", &file)(error)),
            }
        };
        let unreadable = |error| refuse(format!("the .json cannot be understood ({error})"));
        let stamp: Stamp = serde_json::from_slice(&read("json")?).map_err(unreadable)?;
        let file = read("safetensors")?;
        if checksum(&file, &stamp.record) != stamp.crc32 {
            let problem = "it was cut short or changed since it was written (checksum)";
            return Err(refuse(problem.into()));
        }
        let tensors = SafeTensors::deserialize(&file).map_err(|error| refuse(error.to_string()))?;
        let mut arrays = BTreeMap::new();
        for (name, view) in tensors.iter() {
            let array = match view.dtype() {
                Dtype::F32 => {
                    let chunks = view.data().as_chunks::<4>().0;
                    Array::F32(chunks.iter().map(|b| f32::from_le_bytes(*b)).collect())
                }
                Dtype::F64 => {
                    let chunks = view.data().as_chunks::<8>().0;
                    Array::F64(chunks.iter().map(|b| f64::from_le_bytes(*b)).collect())
                }
                other => Array::Raw(other, view.data().to_vec()),
            };
            arrays.insert(name.to_string(), (view.shape().to_vec(), array));
        }
        Ok(Self {
            meta: serde_json::from_value(stamp.record).map_err(unreadable)?,
            arrays,
        })
    }
}

/// The name of a checkpoint, without extension.
fn file_name(step: u64) -> String {
    format!("step-{step:012}")
}

/// The steps of which a folder has checkpoints, oldest first.
pub(crate) fn steps(folder: &Path) -> Result<Vec<u64>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("read", folder)(error)),
    };
    let mut steps = Vec::new();
    for entry in entries {
        let name = entry.map_err(Error::io("read", folder))?.file_name();
        let name = name.to_string_lossy();
        let step = name
            .strip_prefix("step-")
            .and_then(|rest| rest.strip_suffix(".json"));
        steps.extend(step.and_then(|step| step.parse::<u64>().ok()));
    }
    steps.sort_unstable();
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn checkpoint(step: u64) -> Checkpoint<u64> {
        let array = |x| (vec![2, 2], x);
        let values = vec![step as f32, -0.0, f32::MIN_POSITIVE / 2.0, 3.0];
        Checkpoint {
            meta: step,
            arrays: BTreeMap::from([
                ("a".to_string(), array(Array::F32(values))),
                ("b".to_string(), array(Array::F64(vec![1.0 / 3.0; 4]))),
                (
                    "c".to_string(),
                    array(Array::Raw(Dtype::U8, vec![0, 1, 2, 255])),
                ),
            ]),
        }
    }

    fn newest(folder: &Path) -> (Result<Option<Checkpoint<u64>>, Error>, Vec<String>) {
        let warnings = RefCell::new(Vec::new());
        let found = Checkpoint::newest(folder, &|w| warnings.borrow_mut().push(w.to_string()));
        (found, warnings.into_inner())
    }

    #[test]
    fn the_newest_two_are_kept_and_come_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        for step in 1..=4 {
            checkpoint(step)
                .save(folder.path(), step, |_| Keep::Newest)
                .unwrap();
        }
        assert_eq!(steps(folder.path()).unwrap(), [3, 4]);
        let (found, warnings) = newest(folder.path());
        let found = found.unwrap().unwrap();
        assert_eq!(found.meta, 4);
        assert_eq!(found.arrays, checkpoint(4).arrays);
        assert!(warnings.is_empty());
    }

    #[test]
    fn a_stop_in_between_leaves_no_trace_in_what_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let keep = |step: u64| match step {
            7 => Keep::Always,
            step if step.is_multiple_of(10) => Keep::Newest,
            _ => Keep::UntilNext,
        };
        let left: [(u64, &[u64]); 6] = [
            (7, &[7]),
            (10, &[7, 10]),
            (13, &[7, 10, 13]),
            (20, &[7, 10, 20]),
            (27, &[7, 10, 20, 27]),
            (30, &[7, 20, 30]),
        ];
        for (step, left) in left {
            checkpoint(step).save(folder.path(), step, keep).unwrap();
            assert_eq!(steps(folder.path()).unwrap(), left);
        }
    }

    #[test]
    fn a_damaged_checkpoint_is_named_and_the_one_before_it_taken() {
        type Damage = fn(Vec<u8>) -> Vec<u8>;
        let folder = tempfile::tempdir().unwrap();
        let cut: Damage = |file| file[..file.len() / 2].to_vec();
        let flip: Damage = |mut file| {
            *file.last_mut().unwrap() ^= 1;
            file
        };
        let record: Damage = |file| {
            let text = String::from_utf8(file).unwrap();
            text.replace("\"record\": 2", "\"record\": 7").into()
        };
        let not_utf8: Damage = |_| vec![0xff];
        for (extension, damage) in [
            ("safetensors", cut),
            ("safetensors", flip),
            ("json", record),
            ("json", cut),
            ("json", not_utf8),
        ] {
            for step in 1..=2 {
                checkpoint(step)
                    .save(folder.path(), step, |_| Keep::Newest)
                    .unwrap();
            }
            let file = folder.path().join(file_name(2)).with_extension(extension);
            let before = fs::read(&file).unwrap();
            let after = damage(before.clone());
            assert!(before != after);
            fs::write(&file, after).unwrap();
            let (found, warnings) = newest(folder.path());
            assert_eq!(found.unwrap().unwrap().meta, 1);
            assert!(
                warnings[0].contains("step-000000000002.safetensors"),
                "{warnings:?}"
            );
        }
        for extension in ["safetensors", "json"] {
            let file = folder.path().join(file_name(1)).with_extension(extension);
            fs::remove_file(file).unwrap();
        }
        assert!(matches!(
            newest(folder.path()).0,
            Err(Error::Checkpoint { .. })
        ));
        assert!(newest(&folder.path().join("none")).0.unwrap().is_none());
    }
}
