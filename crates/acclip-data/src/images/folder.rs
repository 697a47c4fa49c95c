//! A folder of JPEG and PNG files, one folder a class.
//!
//! ```text
//! ROOT/<class>/….jpg                   no test split
//! ROOT/train/<class>/….jpg, ROOT/test/<class>/….jpg (or val)
//! ```
//!
//! As in torchvision's `ImageFolder`, classes are sorted by name, and the files of a class by path, folders
//! inside it included. Departures: names that begin with a dot are skipped; what is skipped for its ending
//! is counted; a test class unknown in training is an error, where torchvision would shift the labels.

use super::{Found, ImageOptions, Images, Source, decode};
use crate::{
    Error,
    read::{io_error, list_files, metadata},
};
use rayon::prelude::*;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

const CHANNELS: usize = 3;

/// The files of a training or test split.
struct Listing {
    /// Path and label, in order.
    files: Vec<(PathBuf, u32)>,
    classes: Vec<String>,
}

/// Height and width of every file of a split, from the headers.
type Sizes = Vec<(usize, usize)>;

pub(super) fn read(root: &Path, options: &ImageOptions) -> Result<Found, Error> {
    let mut notes = Vec::new();
    let (train, test) = list(root, &mut notes)?;

    let listings: Vec<&Listing> = std::iter::once(&train).chain(&test).collect();
    let sizes = listings
        .iter()
        .map(|listing| {
            listing
                .files
                .iter()
                .map(|(path, _)| decode::size(path))
                .collect()
        })
        .collect::<Result<Vec<Sizes>, Error>>()?;
    if options.size.is_none() {
        check_sizes(&listings, &sizes)?;
    }

    let bytes: u64 = sizes
        .iter()
        .flatten()
        .map(|&(h, w)| (h * w * CHANNELS) as u64)
        .sum();
    let in_memory = bytes <= options.memory;
    if !in_memory {
        notes.push(format!(
            "{} MiB of pixels are more than {} MiB: they stay on disk and are decoded batch by batch",
            bytes >> 20,
            options.memory >> 20
        ));
    }
    let mut splits = listings.iter().zip(&sizes).map(|(listing, sizes)| {
        if in_memory {
            load(listing, sizes)
        } else {
            leave(listing, sizes, options.check)
        }
    });
    let first = splits.next().expect("there is a training split")?;
    let second = splits.next().transpose()?;
    drop(splits);
    Ok(Found {
        train: first,
        test: second,
        classes: train.classes,
        notes,
    })
}

/// Names of the folders directly below a folder, sorted, and how many images lie beside them.
struct Folders {
    names: Vec<String>,
    loose: usize,
}

/// The training files and, if there are any, the test files.
fn list(root: &Path, notes: &mut Vec<String>) -> Result<(Listing, Option<Listing>), Error> {
    let folders = folders(root)?.names;
    let has = |name: &str| folders.iter().any(|folder| folder == name);
    let test = ["test", "val"].into_iter().find(|name| has(name));
    if !has("train") || (test.is_none() && folders.len() > 1) {
        return Ok((list_split(root, None, notes)?, None));
    }
    for other in folders
        .iter()
        .filter(|&name| name != "train" && Some(name.as_str()) != test)
    {
        notes.push(format!("{}: not read", root.join(other).display()));
    }
    let train = list_split(&root.join("train"), None, notes)?;
    let test = test
        .map(|name| list_split(&root.join(name), Some(&train.classes), notes))
        .transpose()?;
    Ok((train, test))
}

/// The files of every class below `root`; `known` are the classes of training, if `root` is a test split.
fn list_split(
    root: &Path,
    known: Option<&[String]>,
    notes: &mut Vec<String>,
) -> Result<Listing, Error> {
    let Folders {
        names: found,
        loose,
    } = folders(root)?;
    let classes = known.unwrap_or(&found);
    if let Some(unknown) = found.iter().find(|name| !classes.contains(name)) {
        return Err(Error::ImageFile {
            path: root.join(unknown),
            detail: "a class that the training images do not have; rename it, or take it out"
                .into(),
        });
    }
    let (mut files, mut empty, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for (label, class) in classes.iter().enumerate() {
        if !found.contains(class) {
            notes.push(format!(
                "{}: no test images of class {class}",
                root.display()
            ));
            continue;
        }
        let mut paths = Vec::new();
        list_files(&root.join(class), &mut paths)?;
        paths.sort();
        let (images, others): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| is_image(path));
        if images.is_empty() {
            empty.push(class.clone());
        }
        files.extend(images.into_iter().map(|path| (path, label as u32)));
        skipped.extend(others);
    }
    if files.is_empty() {
        return Err(Error::NotImages { path: root.into() });
    }
    if !empty.is_empty() {
        return Err(Error::EmptyClasses {
            root: root.into(),
            classes: empty,
        });
    }
    if loose > 0 {
        notes.push(format!(
            "{}: skipped {loose} images that lie outside the folders of the classes",
            root.display()
        ));
    }
    if let Some(first) = skipped.first() {
        notes.push(format!(
            "{}: skipped {} files that do not end in .jpg, .jpeg or .png, the first of them {}",
            root.display(),
            skipped.len(),
            first.display()
        ));
    }
    Ok(Listing {
        files,
        classes: classes.to_vec(),
    })
}

/// The folders below `root`: links to folders count, names that begin with a dot do not.
fn folders(root: &Path) -> Result<Folders, Error> {
    let failed = |source| io_error(root, "read", source);
    let (mut names, mut loose) = (Vec::new(), 0);
    for entry in fs::read_dir(root).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if !metadata(&entry.path())?.is_dir() {
            loose += usize::from(is_image(&entry.path()));
            continue;
        }
        names.push(name.into_string().map_err(|name| Error::ImageFile {
            path: root.join(name),
            detail: "the name of a class is not UTF-8; rename the folder".into(),
        })?);
    }
    names.sort();
    Ok(Folders { names, loose })
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| {
        ["jpg", "jpeg", "png"]
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    })
}

fn check_sizes(listings: &[&Listing], sizes: &[Sizes]) -> Result<(), Error> {
    let mut all = listings
        .iter()
        .flat_map(|listing| &listing.files)
        .map(|(path, _)| path)
        .zip(sizes.iter().flatten());
    let Some((first, &first_size)) = all.next() else {
        return Ok(());
    };
    match all.find(|(_, size)| **size != first_size) {
        Some((second, &second_size)) => Err(Error::MixedSizes {
            first: first.clone(),
            first_size,
            second: second.clone(),
            second_size,
        }),
        None => Ok(()),
    }
}

/// Decodes every file.
fn load(listing: &Listing, sizes: &Sizes) -> Result<Images, Error> {
    let bytes = sizes
        .iter()
        .map(|(height, width)| height * width * CHANNELS)
        .sum();
    let mut pixels = Vec::with_capacity(bytes);
    let mut sources = Vec::with_capacity(sizes.len());
    for (path, _) in &listing.files {
        let image = decode::decode(path)?;
        sources.push(Source::Memory {
            start: pixels.len(),
            height: image.height,
            width: image.width,
        });
        pixels.extend_from_slice(&image.pixels);
    }
    Ok(images(listing, sizes, pixels, sources))
}

/// Leaves every file where it is, after a look whether it decodes if it is to be checked.
fn leave(listing: &Listing, sizes: &Sizes, check: bool) -> Result<Images, Error> {
    let files = listing.files.par_iter();
    let broken = |(path, _): &(PathBuf, u32)| decode::decode(path).err();
    if let (true, Some(error)) = (check, files.find_map_first(broken)) {
        return Err(error);
    }
    let source = |(path, _): &(PathBuf, u32)| {
        Ok(Source::File {
            bytes: metadata(path)?.len(),
            path: path.clone(),
        })
    };
    let sources = listing
        .files
        .iter()
        .map(source)
        .collect::<Result<_, Error>>()?;
    Ok(images(listing, sizes, Vec::new(), sources))
}

fn images(listing: &Listing, sizes: &Sizes, pixels: Vec<u8>, sources: Vec<Source>) -> Images {
    let (height, width) = sizes[0];
    Images {
        pixels: Arc::new(pixels),
        sources,
        labels: listing.files.iter().map(|&(_, label)| label).collect(),
        height,
        width,
        channels: CHANNELS,
    }
}
