//! CIFAR-10 and CIFAR-100 in their binary version.
//!
//! A record is one label byte (CIFAR-100: a coarse and a fine one, of which the fine one is taken), then
//! 32 × 32 red bytes, as many green and as many blue ones. A file is records without header or gaps.
//!
//! Reference: A. Krizhevsky, "Learning multiple layers of features from tiny images" (2009), and the
//! description at <https://www.cs.toronto.edu/~kriz/cifar.html>.

use super::{Found, Images};
use crate::{
    Error,
    read::{io_error, read_text},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const CHANNELS: usize = 3;

/// One of the two data sets.
struct Kind {
    /// Label bytes of a record; the last of them counts.
    label_bytes: usize,
    classes: usize,
    /// The file with the names of the classes, one a line.
    names: &'static str,
}

const CIFAR_10: Kind = Kind {
    label_bytes: 1,
    classes: 10,
    names: "batches.meta.txt",
};
const CIFAR_100: Kind = Kind {
    label_bytes: 2,
    classes: 100,
    names: "fine_label_names.txt",
};

/// The images of `root`, or none if there are no CIFAR files in it.
pub(super) fn read(root: &Path) -> Result<Option<Found>, Error> {
    let mut notes = Vec::new();
    let batches = batches(root)?;
    let (kind, train, test) = if !batches.is_empty() {
        if batches.len() != 5 {
            let n = batches.len();
            notes.push(format!(
                "{}: {n} of CIFAR-10's 5 training files",
                root.display()
            ));
        }
        (CIFAR_10, batches, root.join("test_batch.bin"))
    } else if root.join("train.bin").is_file() {
        (
            CIFAR_100,
            vec![root.join("train.bin")],
            root.join("test.bin"),
        )
    } else {
        return Ok(None);
    };
    let test = if test.is_file() {
        Some(read_files(&[test], &kind)?)
    } else {
        None
    };
    Ok(Some(Found {
        train: read_files(&train, &kind)?,
        test,
        classes: classes(root, &kind)?,
        notes,
    }))
}

/// The files `data_batch_*.bin`, in the order of their names.
fn batches(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| io_error(root, "read", source);
    let mut files = Vec::new();
    for entry in fs::read_dir(root).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("data_batch_") && name.ends_with(".bin") {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn read_files(paths: &[PathBuf], kind: &Kind) -> Result<Images, Error> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for path in paths {
        let bytes = fs::read(path).map_err(|source| io_error(path, "read", source))?;
        let malformed = |detail| Error::ImageFile {
            path: path.clone(),
            detail,
        };
        let record = kind.label_bytes + CHANNELS * PLANE;
        let (records, rest) = (bytes.chunks_exact(record), bytes.len() % record);
        if bytes.is_empty() || rest != 0 {
            return Err(malformed(format!(
                "{} bytes are not whole records of {record}: the last record begins at byte {} and is cut off; \
                 get the file again",
                bytes.len(),
                bytes.len() - rest
            )));
        }
        pixels.reserve_exact(records.len() * CHANNELS * PLANE);
        for (i, bytes) in records.enumerate() {
            let (label, planes) = bytes.split_at(kind.label_bytes);
            let label = label[kind.label_bytes - 1];
            if usize::from(label) >= kind.classes {
                return Err(malformed(format!(
                    "label {label} at byte {} (image {i}, counted from 0), and labels lie below {}; get the file \
                     again",
                    i * record + kind.label_bytes - 1,
                    kind.classes
                )));
            }
            labels.push(label.into());
            for place in 0..PLANE {
                pixels.extend([0, 1, 2].map(|channel| planes[channel * PLANE + place]));
            }
        }
    }
    Images::new(pixels, labels, SIDE, SIDE, CHANNELS)
}

/// The names of the classes from their file; without it, the numbers.
fn classes(root: &Path, kind: &Kind) -> Result<Vec<String>, Error> {
    let path = root.join(kind.names);
    if !path.is_file() {
        return Ok((0..kind.classes).map(|class| class.to_string()).collect());
    }
    let text = read_text(&path)?;
    let names: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(String::from)
        .collect();
    if names.len() != kind.classes {
        return Err(Error::ImageFile {
            path,
            detail: format!(
                "{} names, one a line, for {} classes; get the file again, or take it out",
                names.len(),
                kind.classes
            ),
        });
    }
    Ok(names)
}
