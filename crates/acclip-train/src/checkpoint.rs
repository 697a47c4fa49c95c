//! Checkpoints: a safetensors file of named arrays, and a small JSON that vouches for it.
//!
//! `NAME.safetensors` is written first and `NAME.json`, with the checksum of the first, second, both
//! atomically: where the JSON is, the arrays are whole. The newest two are kept. If the newest has
//! been damaged since, the one before it is taken, and the caller is told.

use crate::Error;
use crate::files::{read, write_atomic, write_json};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// How many checkpoints are kept.
const KEPT: usize = 2;

/// An array of a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Array {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

/// What a checkpoint holds: named arrays with their shapes, and a record `M`.
pub(crate) struct Checkpoint<M> {
    pub meta: M,
    pub arrays: BTreeMap<String, (Vec<usize>, Array)>,
}

/// What the JSON says beside the record.
#[derive(Serialize, Deserialize)]
struct Stamp<M> {
    crc32: u32,
    bytes: u64,
    record: M,
}

impl<M: Serialize + DeserializeOwned> Checkpoint<M> {
    /// Writes the checkpoint of `step` into `folder`, and removes all but the newest two.
    pub fn save(&self, folder: &Path, step: u64) -> Result<(), Error> {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let bytes: Vec<(&String, Dtype, &Vec<usize>, Vec<u8>)> = self
            .arrays
            .iter()
            .map(|(name, (shape, array))| match array {
                Array::F32(v) => (
                    name,
                    Dtype::F32,
                    shape,
                    v.iter().flat_map(|x| x.to_le_bytes()).collect(),
                ),
                Array::F64(v) => (
                    name,
                    Dtype::F64,
                    shape,
                    v.iter().flat_map(|x| x.to_le_bytes()).collect(),
                ),
            })
            .collect();
        let views = bytes.iter().map(|(name, dtype, shape, data)| {
            let view = TensorView::new(*dtype, (*shape).clone(), data);
            (name.as_str(), view.expect("array and shape agree"))
        });
        let file = serialize(views, None).expect("names and shapes are valid");
        let name = folder.join(file_name(step));
        write_atomic(&name.with_extension("safetensors"), &file)?;
        let stamp = Stamp {
            crc32: crc32fast::hash(&file),
            bytes: file.len() as u64,
            record: &self.meta,
        };
        write_json(&name.with_extension("json"), &stamp)?;
        for old in list(folder)?.iter().rev().skip(KEPT) {
            // The JSON goes first, so that a checkpoint without arrays is never seen.
            for extension in ["json", "safetensors"] {
                let file = old.with_extension(extension);
                fs::remove_file(&file).map_err(Error::io("remove", &file))?;
            }
        }
        Ok(())
    }

    /// Loads the newest checkpoint of `folder` that is whole, if there is one; `warn` is told of each
    /// that is not.
    pub fn newest(folder: &Path, warn: &dyn Fn(&str)) -> Result<Option<Self>, Error> {
        let mut broken = None;
        for name in list(folder)?.iter().rev() {
            match Self::load(name) {
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

    /// Loads the checkpoint of one step, if there is one.
    pub fn at(folder: &Path, step: u64) -> Result<Option<Self>, Error> {
        let name = folder.join(file_name(step));
        match name.with_extension("json").exists() {
            true => Self::load(&name).map(Some),
            false => Ok(None),
        }
    }

    fn load(name: &Path) -> Result<Self, Error> {
        let path = name.with_extension("safetensors");
        let refuse = |problem: String| Error::Checkpoint {
            path: path.clone(),
            problem: format!(
                "{problem}; delete it to continue from an older one or from the start"
            ),
        };
        let stamp: Stamp<M> = serde_json::from_str(&read(&name.with_extension("json"))?)
            .map_err(|error| refuse(format!("its JSON cannot be understood ({error})")))?;
        let file = match fs::read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(refuse("is missing".into()));
            }
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        if file.len() as u64 != stamp.bytes {
            let problem = format!("has {} bytes and should have {}", file.len(), stamp.bytes);
            return Err(refuse(problem));
        }
        if crc32fast::hash(&file) != stamp.crc32 {
            return Err(refuse("was changed since it was written".into()));
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
                other => return Err(refuse(format!("{name} is of type {other:?}"))),
            };
            arrays.insert(name.to_string(), (view.shape().to_vec(), array));
        }
        Ok(Self {
            meta: stamp.record,
            arrays,
        })
    }
}

/// The name of a checkpoint, without extension; names sort as steps do.
fn file_name(step: u64) -> String {
    format!("step-{step:012}")
}

/// The steps of which a folder has checkpoints, oldest first.
pub(crate) fn steps(folder: &Path) -> Result<Vec<u64>, Error> {
    let step = |name: &PathBuf| {
        name.file_name()?
            .to_str()?
            .strip_prefix("step-")?
            .parse()
            .ok()
    };
    Ok(list(folder)?.iter().filter_map(step).collect())
}

/// The checkpoints of a folder without their extensions, oldest first.
fn list(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut names = Vec::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(names),
        Err(error) => return Err(Error::io("read", folder)(error)),
    };
    for entry in entries {
        let path = entry.map_err(Error::io("read", folder))?.path();
        if path.extension().is_some_and(|e| e == "json") {
            names.push(path.with_extension(""));
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn checkpoint(value: f32) -> Checkpoint<u64> {
        let array = |x| (vec![2, 2], x);
        Checkpoint {
            meta: value as u64,
            arrays: BTreeMap::from([
                (
                    "a".to_string(),
                    array(Array::F32(vec![value, -0.0, f32::MIN_POSITIVE / 2.0, 3.0])),
                ),
                ("b".to_string(), array(Array::F64(vec![1.0 / 3.0; 4]))),
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
            checkpoint(step as f32).save(folder.path(), step).unwrap();
        }
        assert_eq!(list(folder.path()).unwrap().len(), 2);
        let (found, warnings) = newest(folder.path());
        let found = found.unwrap().unwrap();
        assert_eq!(found.meta, 4);
        assert_eq!(found.arrays, checkpoint(4.0).arrays);
        assert!(warnings.is_empty());
    }

    #[test]
    fn a_damaged_checkpoint_is_named_and_the_one_before_it_taken() {
        let folder = tempfile::tempdir().unwrap();
        type Damage = fn(Vec<u8>) -> Vec<u8>;
        let cut: Damage = |file| file[..file.len() / 2].to_vec();
        let flip: Damage = |mut file| {
            *file.last_mut().unwrap() ^= 1;
            file
        };
        let damage = [("bytes and should have", cut), ("changed since", flip)];
        for (says, damage) in damage {
            for step in 1..=2 {
                checkpoint(step as f32).save(folder.path(), step).unwrap();
            }
            let file = folder.path().join("step-000000000002.safetensors");
            fs::write(&file, damage(fs::read(&file).unwrap())).unwrap();
            let (found, warnings) = newest(folder.path());
            assert_eq!(found.unwrap().unwrap().meta, 1);
            assert!(warnings[0].contains("step-000000000002.safetensors"));
            assert!(warnings[0].contains(says), "{}", warnings[0]);
        }
        fs::remove_file(folder.path().join("step-000000000001.safetensors")).unwrap();
        assert!(matches!(
            newest(folder.path()).0,
            Err(Error::Checkpoint { .. })
        ));
        assert!(newest(&folder.path().join("none")).0.unwrap().is_none());
    }
}
