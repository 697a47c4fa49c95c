//! JPEG and PNG files to pixels: always eight bits, always red, green, blue.
//!
//! The decoders are `png` and `zune-jpeg`, alone: `image` would wrap the same two and bring colour
//! management besides. Which one a file needs is read off its first bytes, since ImageNet has a PNG that is
//! called JPEG. Grey becomes three equal channels, a palette its colours, CMYK an approximation without a
//! profile; transparency and the low byte of 16-bit channels are dropped, and the rotation of EXIF is left
//! alone, all as torchvision's loader does.
//!
//! A JPEG does not define its pixels to the bit: from those of libjpeg-turbo they differ by up to 5 of 255
//! levels in the files of `tests/images.rs` whose colours have half the resolution, and by 2 in the others. The
//! scalar code of `zune-jpeg` is used, which is the same on every machine. Damage that the decoder meets is an
//! error, and so is a file without its end mark; a scan that ends early but has the mark is not noticed.

use super::{Image, MAX_ASPECT, MAX_SIDE, plausible};
use crate::{Error, read::io_error};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Cursor, Seek},
    path::Path,
};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

enum Format {
    Jpeg,
    Png,
}

/// Height and width from the header of a file.
pub(super) fn size(path: &Path) -> Result<(usize, usize), Error> {
    let failed = |source| io_error(path, "read", source);
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    let first = file.fill_buf().map_err(failed)?;
    let size = match format(first).map_err(bad(path))? {
        Format::Jpeg => {
            let mut decoder = JpegDecoder::new_with_options(file, jpeg_options());
            decoder.decode_headers().map_err(bad(path))?;
            let info = decoder.info().ok_or("no frame header");
            info.map(|info| (info.height.into(), info.width.into()))
                .map_err(bad(path))?
        }
        Format::Png => {
            let reader = png_decoder(file).read_info().map_err(bad(path))?;
            let (width, height) = reader.info().size();
            (height as usize, width as usize)
        }
    };
    check(size).map_err(bad(path))
}

/// The pixels of a file, (height, width, 3).
pub(super) fn decode(path: &Path) -> Result<Image<'static>, Error> {
    let bytes = fs::read(path).map_err(|source| io_error(path, "read", source))?;
    decode_bytes(&bytes, path)
}

/// The pixels of the bytes of a file; `path` is for errors.
fn decode_bytes(bytes: &[u8], path: &Path) -> Result<Image<'static>, Error> {
    match format(bytes).map_err(bad(path))? {
        Format::Jpeg => decode_jpeg(bytes, path),
        Format::Png => decode_png(bytes, path),
    }
}

fn decode_jpeg(bytes: &[u8], path: &Path) -> Result<Image<'static>, Error> {
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), jpeg_options());
    let pixels = decoder.decode().map_err(bad(path))?;
    let (width, height) = decoder.dimensions().unwrap_or_default();
    // Start of scan, FF DA; entropy-coded data never holds the end mark, FF D9.
    let last = |mark: [u8; 2]| bytes.windows(2).rposition(|pair| pair == mark);
    if last([0xff, 0xd9]) < last([0xff, 0xda]) {
        return Err(bad(path)("cut off: no end mark"));
    }
    if pixels.len() != height * width * 3 {
        return Err(bad(path)("an unknown kind of colour"));
    }
    Ok(Image {
        pixels: pixels.into(),
        height,
        width,
    })
}

fn decode_png(bytes: &[u8], path: &Path) -> Result<Image<'static>, Error> {
    let mut reader = png_decoder(Cursor::new(bytes))
        .read_info()
        .map_err(bad(path))?;
    let (width, height) = reader.info().size();
    let (height, width) = check((height as usize, width as usize)).map_err(bad(path))?;
    let samples = reader.output_color_type().0.samples();
    let mut decoded = vec![0; height * width * samples];
    reader.next_frame(&mut decoded).map_err(bad(path))?;
    reader.finish().map_err(bad(path))?;

    let pixels: Vec<u8> = match samples {
        // Grey, or grey and transparency.
        1 | 2 => decoded
            .chunks_exact(samples)
            .flat_map(|pixel| [pixel[0]; 3])
            .collect(),
        // Colours and transparency.
        4 => decoded
            .chunks_exact(4)
            .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
            .collect(),
        _ => decoded,
    };
    Ok(Image {
        pixels: pixels.into(),
        height,
        width,
    })
}

fn format(first: &[u8]) -> Result<Format, &'static str> {
    if first.starts_with(b"\x89PNG\r\n\x1a\n") {
        Ok(Format::Png)
    } else if first.starts_with(&[0xff, 0xd8]) {
        Ok(Format::Jpeg)
    } else {
        Err("neither JPEG nor PNG by its first bytes")
    }
}

fn png_decoder<R: BufRead + Seek>(file: R) -> png::Decoder<R> {
    let mut decoder = png::Decoder::new(file);
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    decoder
}

fn jpeg_options() -> DecoderOptions {
    DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(MAX_SIDE)
        .set_max_height(MAX_SIDE)
        .jpeg_set_out_colorspace(ColorSpace::RGB)
}

fn check((height, width): (usize, usize)) -> Result<(usize, usize), String> {
    if plausible(height, width) {
        return Ok((height, width));
    }
    Err(format!(
        "{height} × {width} pixels by its header; sides are 1 to {MAX_SIDE}, and one at most {MAX_ASPECT} times the other"
    ))
}

fn bad<E: std::fmt::Display>(path: &Path) -> impl Fn(E) -> Error {
    move |error| Error::BadImage {
        path: path.into(),
        // One line: some texts of the decoders end with a line break.
        detail: error
            .to_string()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use rand::RngExt;

    /// reference/images/generate.py wrote them.
    const FILES: [&[u8]; 5] = [
        include_bytes!("../../../../reference/images/full.jpg"),
        include_bytes!("../../../../reference/images/half.jpg"),
        include_bytes!("../../../../reference/images/progressive.jpg"),
        include_bytes!("../../../../reference/images/grey.jpg"),
        include_bytes!("../../../../reference/images/full.decoded.png"),
    ];

    #[test]
    fn whatever_is_cut_off_is_an_error() {
        for bytes in FILES {
            decode_bytes(bytes, Path::new("x")).unwrap();
            for len in 0..bytes.len() {
                let result = decode_bytes(&bytes[..len], Path::new("x"));
                assert!(
                    matches!(&result, Err(Error::BadImage { path, .. }) if path == Path::new("x")),
                    "cut at {len} of {}: {result:?}",
                    bytes.len()
                );
            }
        }
    }

    /// Between two segments of a header there is nothing; a lenient decoder would skip it.
    #[test]
    fn stray_bytes_in_a_header_are_an_error() {
        for bytes in &FILES[..4] {
            let stray = [&bytes[..2], &[7; 20], &bytes[2..]].concat();
            let result = decode_bytes(&stray, Path::new("x"));
            assert!(matches!(result, Err(Error::BadImage { .. })), "{result:?}");
        }
    }

    /// A header is believed within bounds only, also that of a file which changed after the start of a run.
    #[test]
    fn a_huge_header_takes_no_memory() {
        let mut bytes = FILES[4].to_vec();
        bytes[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        let mut crc = crc32fast::Hasher::new();
        crc.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.finalize().to_be_bytes());
        let message = decode_bytes(&bytes, Path::new("x"))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("65536 × 65536 pixels by its header"),
            "{message}"
        );
    }

    /// A mark of a second scan behind the end, as in a file with a preview appended, is no damage.
    #[test]
    fn bytes_behind_the_end_are_left_alone() {
        for bytes in FILES {
            let longer = [bytes, b"\xff\xd8 more \xff\xd9"].concat();
            let image = decode_bytes(&longer, Path::new("x")).unwrap();
            assert_eq!(image, decode_bytes(bytes, Path::new("x")).unwrap());
        }
    }

    #[test]
    fn bytes_at_random_never_panic() {
        let rng = &mut stream(5, Purpose::AUGMENT, 0, 0);
        let mut errors = 0;
        for bytes in FILES {
            for _ in 0..2000 {
                let mut damaged = bytes.to_vec();
                for _ in 0..rng.random_range(1..4) {
                    let place = rng.random_range(0..bytes.len());
                    damaged[place] = rng.random();
                }
                errors += usize::from(decode_bytes(&damaged, Path::new("x")).is_err());
            }
        }
        assert!(errors > 2000, "{errors}");
    }
}
