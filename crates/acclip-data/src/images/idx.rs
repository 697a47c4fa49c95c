//! IDX files: MNIST, Fashion-MNIST and others in their format.
//!
//! A file is a magic number 00 00 08 d (8: unsigned bytes; d: number of axes), d sizes of four bytes each,
//! big-endian, and the bytes. Images have the axes (N, height, width), labels (N).
//!
//! Reference: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits" (1998).

use super::{Found, Images, MAX_ASPECT, MAX_SIDE, plausible};
use crate::{Error, read::io_error};
use flate2::read::GzDecoder;
use std::{
    fs::File,
    io::{self, BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
};

/// The images of `root`, or none if there are no IDX training images in it.
pub(super) fn read(root: &Path) -> Result<Option<Found>, Error> {
    let Some(train) = find(root, "train-images", 3) else {
        return Ok(None);
    };
    let train = read_split(root, "train", &train)?;
    let test = match find(root, "t10k-images", 3) {
        Some(path) => Some(read_split(root, "t10k", &path)?),
        None => None,
    };
    if let Some(test) = &test
        && (test.height, test.width) != (train.height, train.width)
    {
        return Err(Error::ImageFile {
            path: root.into(),
            detail: format!(
                "test images of {} × {} pixels, training images of {} × {}; they must agree",
                test.height, test.width, train.height, train.width
            ),
        });
    }
    let labels = train
        .labels
        .iter()
        .chain(test.iter().flat_map(|test| &test.labels));
    let classes = labels.max().map_or(0, |&label| label + 1);
    Ok(Some(Found {
        train,
        test,
        classes: (0..classes).map(|class| class.to_string()).collect(),
        notes: Vec::new(),
    }))
}

/// The file `name` with `axes` axes, plain or packed; some copies have a dot for the second dash.
fn find(root: &Path, name: &str, axes: usize) -> Option<PathBuf> {
    ["", ".gz"]
        .iter()
        .flat_map(|end| {
            ["-", "."].map(|dash| root.join(format!("{name}{dash}idx{axes}-ubyte{end}")))
        })
        .find(|path| path.is_file())
}

fn read_split(root: &Path, split: &str, images: &Path) -> Result<Images, Error> {
    let name = format!("{split}-labels");
    let labels = find(root, &name, 1).ok_or_else(|| Error::Missing {
        path: root.join(format!("{name}-idx1-ubyte")),
    })?;
    let ([n, height, width], pixels) = read_file::<3>(images)?;
    let ([n_labels], label_bytes) = read_file::<1>(&labels)?;
    if n != n_labels {
        return Err(Error::ImageFile {
            path: labels,
            detail: format!(
                "{n_labels} labels for the {n} images of {}; get both again",
                images.display()
            ),
        });
    }
    let labels = label_bytes.into_iter().map(u32::from).collect();
    Images::new(pixels, labels, height, width, 1)
}

/// The sizes of the axes and the bytes of one file.
fn read_file<const AXES: usize>(path: &Path) -> Result<([usize; AXES], Vec<u8>), Error> {
    let malformed = |detail| Error::ImageFile {
        path: path.into(),
        detail,
    };
    let failed = |source: io::Error| match source.kind() {
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof => {
            malformed(format!("cannot be unpacked ({source}); get the file again"))
        }
        _ => io_error(path, "read", source),
    };
    let file = BufReader::new(File::open(path).map_err(failed)?);
    let mut file: Box<dyn Read> = if path.extension().is_some_and(|end| end == "gz") {
        Box::new(GzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut header = Vec::new();
    let header_bytes = 4 + 4 * AXES;
    file.by_ref()
        .take(header_bytes as u64)
        .read_to_end(&mut header)
        .map_err(failed)?;
    if header.len() < header_bytes || header[..4] != [0, 0, 8, AXES as u8] {
        return Err(malformed(format!(
            "begins with {:02x?}, and an IDX file of bytes with {AXES} axes begins with {:02x?} and {AXES} sizes of \
             4 bytes; get the file again",
            &header[..header.len().min(4)],
            [0, 0, 8, AXES as u8]
        )));
    }
    let mut sizes = [0; AXES];
    for (size, bytes) in sizes.iter_mut().zip(header[4..].as_chunks::<4>().0) {
        *size = u32::from_be_bytes(*bytes) as usize;
    }
    let promised = sizes
        .iter()
        .try_fold(1, |n: usize, &size| n.checked_mul(size));
    let promised = promised.filter(|&n| n > 0 && (AXES < 3 || plausible(sizes[1], sizes[2])));
    let Some(promised) = promised else {
        return Err(malformed(format!(
            "sizes {sizes:?} at byte 4: there must be at least 1 image, its sides are 1 to {MAX_SIDE}, and one at most \
             {MAX_ASPECT} times the other; get the file again"
        )));
    };
    // One byte more than promised tells a file that goes on; the buffer grows with what is there.
    let mut bytes = Vec::new();
    file.take(promised as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() != promised {
        let goes = match bytes.len() > promised {
            true => "goes on".into(),
            false => format!("ends at byte {}", header_bytes + bytes.len()),
        };
        return Err(malformed(format!(
            "sizes {sizes:?} promise an end at byte {}, and the file {goes}; get the file again",
            header_bytes + promised
        )));
    }
    Ok((sizes, bytes))
}
