//! Bilinear resizing that averages when it makes an image smaller, to the bit as Pillow does it.
//!
//! Along one axis of n pixels brought to m, with s = max(n/m, 1) and the centre c = (x + ½)·n/m, output x is
//!
//! ```text
//! Σ_i w_i p_i / Σ_i w_i,   w_i = max(0, 1 − |i + ½ − c| / s),   i in ⌊c − s + ½⌋ … ⌊c + s + ½⌋ − 1
//! ```
//!
//! Rows are done first and rounded to bytes, then columns; a weight is a multiple of 2⁻²². (Pillow 13 does
//! columns first for some shapes, which moves single pixels by one level; up to 12.3 it never does.) A crop
//! is cut before it is resized, as in torchvision's `resized_crop`: what lies outside has no part in it.
//!
//! Reference: Pillow, `src/libImaging/Resample.c` (golden values: `reference/images/generate.py`).

/// Fraction bits of a weight: 8-bit pixel × 22-bit weight, and two bits to spare in an `i32`.
const BITS: u32 = 32 - 8 - 2;

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub top: usize,
    pub left: usize,
    pub height: usize,
    pub width: usize,
}

/// For each output pixel of an axis: where its inputs begin, and their weights.
struct Taps {
    starts: Vec<usize>,
    /// (outputs, `span`), zero where there are fewer inputs.
    weights: Vec<i32>,
    span: usize,
}

/// The `window` of an image whose rows are `image_width` pixels long, brought to `size`, (height, width).
///
/// `pixels` is (rows, `image_width`, `channels`), the result (height, width, `channels`).
pub(super) fn resize(
    pixels: &[u8],
    image_width: usize,
    channels: usize,
    window: Window,
    size: (usize, usize),
) -> Vec<u8> {
    let (height, width) = size;
    let columns = Taps::new(window.width, width);
    let mut narrow = Vec::with_capacity(window.height * width * channels);
    for y in window.top..window.top + window.height {
        let row = &pixels[(y * image_width + window.left) * channels..][..window.width * channels];
        for (start, weights) in columns.iter() {
            let inputs = &row[start * channels..];
            for channel in 0..channels {
                let values = inputs[channel..].iter().step_by(channels);
                let sum: i32 = values.zip(weights).map(|(&p, w)| i32::from(p) * w).sum();
                narrow.push(round(sum));
            }
        }
    }

    let row_len = width * channels;
    let mut resized = Vec::with_capacity(height * row_len);
    let mut sums = vec![0; row_len];
    for (start, weights) in Taps::new(window.height, height).iter() {
        sums.fill(0);
        for (row, w) in narrow[start * row_len..].chunks_exact(row_len).zip(weights) {
            for (sum, &p) in sums.iter_mut().zip(row) {
                *sum += i32::from(p) * w;
            }
        }
        resized.extend(sums.iter().map(|&sum| round(sum)));
    }
    resized
}

impl Taps {
    /// From `n` input pixels to `m` output pixels.
    fn new(n: usize, m: usize) -> Taps {
        let step = n as f64 / m as f64;
        let scale = step.max(1.0);
        let span = (2 * scale.ceil() as usize + 1).min(n);
        let mut taps = Taps {
            starts: Vec::with_capacity(m),
            weights: vec![0; m * span],
            span,
        };
        for (x, rounded) in taps.weights.chunks_exact_mut(span).enumerate() {
            let centre = (x as f64 + 0.5) * step;
            let start = (centre - scale + 0.5).max(0.0) as usize;
            let end = ((centre + scale + 0.5) as usize).min(n);
            let weight = |i: usize| (1.0 - ((i as f64 - centre + 0.5) / scale).abs()).max(0.0);
            let total: f64 = (start..end).map(weight).sum();
            for (rounded, i) in rounded.iter_mut().zip(start..end) {
                *rounded = (weight(i) / total * f64::from(1 << BITS) + 0.5) as i32;
            }
            taps.starts.push(start);
        }
        taps
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.starts
            .iter()
            .copied()
            .zip(self.weights.chunks_exact(self.span))
    }
}

/// A sum of weighted bytes to the nearest byte.
fn round(sum: i32) -> u8 {
    ((sum + (1 << (BITS - 1))) >> BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::decode::decode;
    use std::{fs, path::Path};

    /// `resized_TOP_LEFT_HEIGHT_WIDTH_NEWHEIGHT_NEWWIDTH.png` by Pillow: reference/images/generate.py.
    #[test]
    fn equal_to_pillow_to_the_bit() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reference/images");
        let source = decode(&folder.join("source.png")).unwrap();
        let mut seen = 0;
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let Some(numbers) = name.strip_prefix("resized_") else {
                continue;
            };
            let n: Vec<usize> = numbers.split('_').map(|n| n.parse().unwrap()).collect();
            let window = Window {
                top: n[0],
                left: n[1],
                height: n[2],
                width: n[3],
            };
            let expected = decode(&path).unwrap();
            assert_eq!((expected.height, expected.width), (n[4], n[5]));
            let got = resize(&source.pixels, source.width, 3, window, (n[4], n[5]));
            assert!(got == *expected.pixels, "{name}");
            seen += 1;
        }
        assert_eq!(seen, 7);
    }

    /// One channel and two are each what they would be alone.
    #[test]
    fn channels_do_not_mix() {
        let grey = |channel: usize| -> Vec<u8> {
            (0..30)
                .map(|i| (i * (37 + 20 * channel) % 251) as u8)
                .collect()
        };
        let both: Vec<u8> = grey(0)
            .iter()
            .zip(grey(1))
            .flat_map(|(&a, b)| [a, b])
            .collect();
        let window = Window {
            top: 1,
            left: 1,
            height: 4,
            width: 4,
        };
        let two = resize(&both, 6, 2, window, (3, 7));
        for channel in 0..2 {
            let alone = resize(&grey(channel), 6, 1, window, (3, 7));
            assert!(alone.iter().eq(two[channel..].iter().step_by(2)));
        }
    }
}
