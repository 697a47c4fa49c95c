//! Labelled images: read from disk, held in memory or left on disk, made into batches.
//!
//! ```text
//! folder of classes ─┐
//! CIFAR binary files ┼─▶ ImageDataset { train, test: Images } ──batch(indices, Augment, Normalization)──▶ ImageBatch
//! IDX files ─────────┘
//! ```
//!
//! Pixels are bytes until a batch is made; rows are (height, width, channels), the channels of a pixel side
//! by side. CIFAR is decoded into memory, and so is a folder that fits [`ImageOptions::memory`]. A larger
//! one (ImageNet) stays on disk: at the start the header of every file is read, and its pixels are decoded
//! when a batch needs them.
//!
//! One dataset has one output size, height × width. Images may have other sizes on their own, if
//! [`ImageOptions::size`] asks for a common one; how they are brought to it is [`Augment`]'s affair.

mod augment;
mod batch;
mod cifar;
mod decode;
mod folder;
mod idx;
mod normalization;
mod resize;

pub use augment::Augment;
pub use batch::ImageBatch;
pub use normalization::Normalization;

use crate::{
    Error,
    read::metadata,
    rng::{Purpose, stream},
};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The longest side of an image, in pixels: a header that says more is taken for damage.
const MAX_SIDE: usize = 16384;
/// The longer side over the shorter one, at most: a line of pixels cannot be brought to a square.
const MAX_ASPECT: usize = 128;

/// Whether an image may have these sides.
fn plausible(height: usize, width: usize) -> bool {
    let (shorter, longer) = (height.min(width), height.max(width));
    shorter >= 1 && longer <= MAX_SIDE && longer <= MAX_ASPECT * shorter
}

/// How images are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageOptions {
    /// Height and width of the images in a batch; none: the size of the files, which must all agree.
    pub size: Option<usize>,
    /// Share of the images held out as test images where the data has no test split, in (0, 1).
    pub held_out: f64,
    /// Which ones are held out.
    pub seed: u64,
    /// A folder whose pixels take more bytes than this stays on disk.
    pub memory: u64,
    /// Whether the images of such a folder are all decoded once, so that one that does not decode is found now.
    pub check: bool,
}

impl Default for ImageOptions {
    fn default() -> Self {
        ImageOptions {
            size: None,
            held_out: 0.1,
            seed: 0,
            memory: 2 << 30,
            check: true,
        }
    }
}

/// Training and test images of the same classes.
#[derive(Clone, Debug)]
pub struct ImageDataset {
    /// Images to train on.
    pub train: Images,
    /// Images to test on: the data's own test split, or a share held out of the training images.
    pub test: Images,
    /// Names of the classes; a label is a place in this list.
    pub classes: Vec<String>,
    /// What was skipped or is unusual, one sentence each, with counts.
    pub notes: Vec<String>,
    /// CRC-32 of the labels and of the pixels; for files left on disk, of their names and lengths instead.
    pub crc32: u32,
}

/// What a reader of one format hands back.
struct Found {
    train: Images,
    test: Option<Images>,
    classes: Vec<String>,
    notes: Vec<String>,
}

/// Images with their labels; all come out in one size and with the same channels.
#[derive(Clone, Debug)]
pub struct Images {
    /// Images in memory, one after another; shared by a training set and the test set held out of it.
    pixels: Arc<Vec<u8>>,
    sources: Vec<Source>,
    labels: Vec<u32>,
    height: usize,
    width: usize,
    channels: usize,
}

/// Where the pixels of an image are.
#[derive(Clone, Debug)]
enum Source {
    /// In memory from byte `start` on.
    Memory {
        start: usize,
        height: usize,
        width: usize,
    },
    /// In a file, and how long that file is.
    File { path: PathBuf, bytes: u64 },
}

/// One image as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// (height, width, channels), row-major.
    pub pixels: Cow<'a, [u8]>,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Images {
    /// Images of one size: `pixels` is (N, `height`, `width`, `channels`), `labels` is (N).
    ///
    /// # Errors
    /// [`Error::Setting`] if there is no image, a size is 0, or the numbers of pixels and labels disagree.
    pub fn new(
        pixels: Vec<u8>,
        labels: Vec<u32>,
        height: usize,
        width: usize,
        channels: usize,
    ) -> Result<Images, Error> {
        let image = [height, width, channels]
            .iter()
            .try_fold(1, |n: usize, &side| n.checked_mul(side));
        let expected = image.and_then(|n| n.checked_mul(labels.len()));
        if expected.is_none_or(|n| n == 0 || n != pixels.len()) {
            return Err(Error::Setting {
                name: "pixels",
                value: format!("{} bytes for {} labels", pixels.len(), labels.len()),
                range: "labels × height × width × channels bytes, and at least one image",
            });
        }
        let each = pixels.len() / labels.len();
        let place = |i| Source::Memory {
            start: i * each,
            height,
            width,
        };
        Ok(Images {
            pixels: Arc::new(pixels),
            sources: (0..labels.len()).map(place).collect(),
            labels,
            height,
            width,
            channels,
        })
    }

    /// Reads training and test images from a folder, whatever its format:
    ///
    /// * **IDX** (MNIST, Fashion-MNIST): `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, and the
    ///   same with `t10k`, each plain or as `.gz`;
    /// * **CIFAR-10** `data_batch_*.bin` and `test_batch.bin`, **CIFAR-100** `train.bin` and `test.bin`
    ///   (fine labels);
    /// * **a folder of classes**: `ROOT/<class>/….jpg`, or the same below `ROOT/train` and `ROOT/test` or
    ///   `ROOT/val`. Images come out with three channels, the classes in the order of their names.
    ///
    /// Where there is no test split, a share of the training images is held out, drawn from the seed.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Io`]; [`Error::Setting`] for an option out of range;
    /// [`Error::NotImages`], [`Error::EmptyClasses`], [`Error::MixedSizes`], [`Error::BadImage`],
    /// [`Error::ImageFile`], [`Error::OneImage`].
    pub fn read(path: impl AsRef<Path>, options: &ImageOptions) -> Result<ImageDataset, Error> {
        let path = path.as_ref();
        options.check()?;
        if !metadata(path)?.is_dir() {
            return Err(Error::NotImages { path: path.into() });
        }
        let found = if let Some(found) = idx::read(path)? {
            found
        } else if let Some(found) = cifar::read(path)? {
            found
        } else {
            folder::read(path, options)?
        };
        found.finish(options)
    }

    /// Number of images, N.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Never: there is at least one image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The class of each image, (N).
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Rows of an image in a batch.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns of an image in a batch.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Values of a pixel: 1 (grey) or 3 (red, green, blue) for images that were read.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Whether the pixels are decoded and in memory; if not, a batch reads files.
    pub fn in_memory(&self) -> bool {
        matches!(self.sources.first(), Some(Source::Memory { .. }))
    }

    /// Image `i` as it is stored, in its own size.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Io`] and [`Error::BadImage`] if its file cannot be read or decoded.
    ///
    /// # Panics
    /// If `i` is not below `len()`.
    pub fn image(&self, i: usize) -> Result<Image<'_>, Error> {
        match &self.sources[i] {
            &Source::Memory {
                start,
                height,
                width,
            } => Ok(Image {
                pixels: self.pixels[start..][..height * width * self.channels].into(),
                height,
                width,
            }),
            Source::File { path, .. } => decode::decode(path),
        }
    }

    /// The images where `which` is true, sharing the memory of all.
    fn filter(&self, which: &[bool]) -> Images {
        let chosen = || (0..self.len()).filter(|&i| which[i]);
        Images {
            pixels: self.pixels.clone(),
            sources: chosen().map(|i| self.sources[i].clone()).collect(),
            labels: chosen().map(|i| self.labels[i]).collect(),
            ..*self
        }
    }

    /// Adds labels and pixels to a checksum.
    fn checksum(&self, crc: &mut crc32fast::Hasher) {
        for (source, label) in self.sources.iter().zip(&self.labels) {
            crc.update(&label.to_le_bytes());
            match source {
                &Source::Memory {
                    start,
                    height,
                    width,
                } => {
                    crc.update(&(height as u64).to_le_bytes());
                    crc.update(&(width as u64).to_le_bytes());
                    crc.update(&self.pixels[start..][..height * width * self.channels]);
                }
                Source::File { path, bytes } => {
                    crc.update(path.file_name().unwrap_or_default().as_encoded_bytes());
                    crc.update(&bytes.to_le_bytes());
                }
            }
        }
    }
}

impl ImageOptions {
    fn check(&self) -> Result<(), Error> {
        if !(self.held_out > 0.0 && self.held_out < 1.0) {
            return Err(Error::Setting {
                name: "held_out",
                value: self.held_out.to_string(),
                range: "above 0 and below 1: a share of the images",
            });
        }
        match self.size {
            Some(size) if !(1..=MAX_SIDE).contains(&size) => Err(Error::Setting {
                name: "size",
                value: size.to_string(),
                range: "between 1 and 16384 pixels",
            }),
            _ => Ok(()),
        }
    }
}

impl Found {
    /// Holds out test images if there are none, sets the output size, and computes the checksum.
    fn finish(mut self, options: &ImageOptions) -> Result<ImageDataset, Error> {
        let (mut train, mut test) = match self.test {
            Some(test) => (self.train, test),
            None => {
                let n = self.train.len();
                if n < 2 {
                    return Err(Error::OneImage);
                }
                let count = ((options.held_out * n as f64).round() as usize).clamp(1, n - 1);
                let mut is_train: Vec<bool> = (0..n).map(|i| i >= count).collect();
                is_train.shuffle(&mut stream(options.seed, Purpose::SPLIT, 0, 0));
                let is_test: Vec<bool> = is_train.iter().map(|train| !train).collect();
                self.notes.push(format!(
                    "no test split: {count} of {n} images held out with seed {}",
                    options.seed
                ));
                (self.train.filter(&is_train), self.train.filter(&is_test))
            }
        };
        let mut crc = crc32fast::Hasher::new();
        for images in [&mut train, &mut test] {
            if let Some(size) = options.size {
                (images.height, images.width) = (size, size);
            }
            images.checksum(&mut crc);
        }
        Ok(ImageDataset {
            train,
            test,
            classes: self.classes,
            notes: self.notes,
            crc32: crc.finalize(),
        })
    }
}
