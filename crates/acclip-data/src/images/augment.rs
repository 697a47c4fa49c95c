//! What happens to an image on its way into a batch: crops, flips, and the way to the output size.
//!
//! The random ones are the two of He et al. 2016, §3.4 and §4.2, in the form torchvision gave them:
//!
//! ```text
//! Cifar      4 zero pixels around the image; an output-sized window anywhere in it; mirrored with probability ½
//! ImageNet   a window of 8 to 100 % of the area and of aspect 3:4 to 4:3 (log-uniform), resized; mirrored with ½
//! ```
//!
//! The zeros of `Cifar` are black, since torchvision pads before it normalises.
//! An image that has not the output size is first resized until it covers it, and the middle is taken;
//! the exception is `ImageNet`, whose window is cut out of the image as it is.
//!
//! Reference: torchvision, `RandomCrop`, `RandomResizedCrop`, `CenterCrop`, `Resize`; He et al., "Deep
//! residual learning for image recognition" (2016); Szegedy et al., "Going deeper with convolutions" (2015).

use super::{
    Image,
    resize::{Window, resize},
};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// Zero pixels on each side before a random crop.
const PADDING: usize = 4;
/// Share of the area that a random window takes.
const SCALE: (f64, f64) = (0.08, 1.0);
/// Width over height of a random window.
const RATIO: (f64, f64) = (3.0 / 4.0, 4.0 / 3.0);
/// Draws of a window before the middle of the image is taken.
const TRIES: usize = 10;
/// How much larger than the output an image is made before its middle is cut out, as 256 to 224.
const MARGIN: (usize, usize) = (256, 224);

/// How an image becomes an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Augment {
    /// Nothing: the image, or the largest middle piece of it that has the shape of the output.
    #[default]
    None,
    /// The middle: the image is made 256/224 as large as the output, and an eighth cut off. Nothing random.
    Center,
    /// A random shift of up to 4 pixels, and a flip.
    Cifar,
    /// A random window of any size, and a flip.
    #[serde(rename = "imagenet")]
    ImageNet,
}

/// A piece of an image: rows from `top` and columns from `left` on, black where they leave it.
pub(super) struct View<'a> {
    pub image: Image<'a>,
    pub top: isize,
    pub left: isize,
    /// Mirrored left to right.
    pub flip: bool,
}

impl<'a> View<'a> {
    /// The piece of `size` as an image of its own; it lies inside the image and is not mirrored.
    fn cut(self, channels: usize, size: (usize, usize)) -> Image<'a> {
        if (self.image.height, self.image.width) == size {
            return self.image;
        }
        let window = Window {
            top: self.top as usize,
            left: self.left as usize,
            height: size.0,
            width: size.1,
        };
        resized(&self.image, channels, window, size)
    }

    /// Writes the piece to `out`, (height, `width`, channels); `tables` has the value of each byte.
    pub(super) fn write(&self, tables: &[[f32; 256]], width: usize, out: &mut [f32]) {
        let channels = tables.len();
        let (image_height, image_width) = (self.image.height, self.image.width);
        let inside = |place: usize, offset: isize, len: usize| {
            place
                .checked_add_signed(offset)
                .filter(|&place| place < len)
        };
        let black = vec![0; channels];
        for (y, row) in out.chunks_exact_mut(width * channels).enumerate() {
            let from = inside(y, self.top, image_height);
            for (x, values) in row.chunks_exact_mut(channels).enumerate() {
                let x = if self.flip { width - 1 - x } else { x };
                let pixel = match (from, inside(x, self.left, image_width)) {
                    (Some(y), Some(x)) => &self.image.pixels[(y * image_width + x) * channels..],
                    _ => &black,
                };
                for ((value, table), &byte) in values.iter_mut().zip(tables).zip(pixel) {
                    *value = table[usize::from(byte)];
                }
            }
        }
    }
}

impl Augment {
    /// What goes with this in evaluation: `Center` for `ImageNet`, else `None`.
    pub fn evaluation(self) -> Augment {
        match self {
            Augment::ImageNet | Augment::Center => Augment::Center,
            Augment::Cifar | Augment::None => Augment::None,
        }
    }

    /// The piece of `image` that becomes an output of `size`, (height, width).
    pub(super) fn view<'a>(
        self,
        image: Image<'a>,
        channels: usize,
        size: (usize, usize),
        rng: &mut impl Rng,
    ) -> View<'a> {
        match self {
            Augment::None => middle(cover(image, channels, size), size),
            Augment::Center => {
                let enlarge = |side| (side * MARGIN.0 + MARGIN.1 / 2) / MARGIN.1;
                let larger = (enlarge(size.0), enlarge(size.1));
                middle(cover(image, channels, larger), size)
            }
            Augment::Cifar => {
                // The padding goes around the output, so what lies beyond it is cut off first.
                let image = middle(cover(image, channels, size), size).cut(channels, size);
                let mut shift = || rng.random_range(0..=2 * PADDING) as isize - PADDING as isize;
                View {
                    top: shift(),
                    left: shift(),
                    flip: rng.random(),
                    image,
                }
            }
            Augment::ImageNet => {
                let window = random_window(image.height, image.width, rng);
                View {
                    image: resized(&image, channels, window, size),
                    top: 0,
                    left: 0,
                    flip: rng.random(),
                }
            }
        }
    }
}

/// `image` resized in its own proportions until it just covers `target`, (height, width).
///
/// For a square target, its shorter side becomes the side of the square.
fn cover<'a>(image: Image<'a>, channels: usize, target: (usize, usize)) -> Image<'a> {
    let (height, width) = (image.height, image.width);
    let covering = if height * target.1 <= width * target.0 {
        (target.0, (target.0 * width / height).max(target.1))
    } else {
        ((target.1 * height / width).max(target.0), target.1)
    };
    if covering == (height, width) {
        return image;
    }
    let whole = Window {
        top: 0,
        left: 0,
        height,
        width,
    };
    resized(&image, channels, whole, covering)
}

fn resized(image: &Image, channels: usize, window: Window, size: (usize, usize)) -> Image<'static> {
    Image {
        pixels: resize(&image.pixels, image.width, channels, window, size).into(),
        height: size.0,
        width: size.1,
    }
}

/// The middle of an image that covers `size`; an odd pixel goes where torchvision rounds it to.
fn middle(image: Image, size: (usize, usize)) -> View {
    let half = |surplus: usize| (surplus as f64 / 2.0).round_ties_even() as isize;
    View {
        top: half(image.height - size.0),
        left: half(image.width - size.1),
        flip: false,
        image,
    }
}

/// A random piece of an image of `height` × `width`, as `RandomResizedCrop.get_params` draws it.
fn random_window(height: usize, width: usize, rng: &mut impl Rng) -> Window {
    let area = (height * width) as f64;
    let log_ratio = (libm::log(RATIO.0), libm::log(RATIO.1));
    for _ in 0..TRIES {
        let target = area * rng.random_range(SCALE.0..SCALE.1);
        let ratio = libm::exp(rng.random_range(log_ratio.0..log_ratio.1));
        let h = (target / ratio).sqrt().round_ties_even() as usize;
        let w = (target * ratio).sqrt().round_ties_even() as usize;
        if (1..=height).contains(&h) && (1..=width).contains(&w) {
            return Window {
                top: rng.random_range(0..=height - h),
                left: rng.random_range(0..=width - w),
                height: h,
                width: w,
            };
        }
    }
    // An image much longer than wide, or the reverse: the largest middle piece within the allowed aspects.
    let h = height.min((width as f64 / RATIO.0).round_ties_even() as usize);
    let w = width.min((height as f64 * RATIO.1).round_ties_even() as usize);
    Window {
        top: (height - h) / 2,
        left: (width - w) / 2,
        height: h,
        width: w,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use serde_json::Value;

    /// Means over torchvision's windows: reference/images/generate.py. Both sides are samples of 100 000, so
    /// the difference of two means has the deviation √2 · std / √100 000; five of them are allowed.
    #[test]
    fn windows_are_distributed_as_torchvisions() {
        let golden: Value =
            serde_json::from_str(include_str!("../../../../reference/images/windows.json"))
                .unwrap();
        let draws = golden["draws"].as_u64().unwrap();
        for case in golden["windows"].as_array().unwrap() {
            let side = |name: &str| case[name].as_u64().unwrap() as usize;
            let (height, width) = (side("height"), side("width"));
            let quantities: Vec<[f64; 4]> = (0..draws)
                .map(|i| {
                    let window =
                        random_window(height, width, &mut stream(1, Purpose::AUGMENT, 0, i));
                    let (h, w) = (window.height as f64, window.width as f64);
                    let place = |start: usize, free: usize| match free {
                        0 => 0.5,
                        free => start as f64 / free as f64,
                    };
                    [
                        h * w / (height * width) as f64,
                        (w / h).ln(),
                        place(window.top, height - window.height),
                        place(window.left, width - window.width),
                    ]
                })
                .collect();
            for k in 0..4 {
                let n = draws as f64;
                let mean = quantities.iter().map(|q| q[k]).sum::<f64>() / n;
                let variance = quantities
                    .iter()
                    .map(|q| (q[k] - mean).powi(2))
                    .sum::<f64>()
                    / n;
                let expected = case["mean"][k].as_f64().unwrap();
                let std = case["std"][k].as_f64().unwrap();
                assert!(
                    (mean - expected).abs() < 5.0 * std * (2.0 / n).sqrt(),
                    "{height} × {width}, {k}: {mean} for {expected}"
                );
                assert!(
                    (variance.sqrt() / std - 1.0).abs() < 0.02,
                    "{k}: {variance}, {std}"
                );
            }
        }
    }

    /// The middle that is taken when no window fits: an image of one row, and of one column.
    #[test]
    fn an_image_too_long_for_any_window_gives_its_middle() {
        let rng = &mut stream(1, Purpose::AUGMENT, 0, 0);
        let window = |top, left, height, width| Window {
            top,
            left,
            height,
            width,
        };
        assert_eq!(random_window(6, 1000, rng), window(0, 496, 6, 8));
        assert_eq!(random_window(1000, 6, rng), window(496, 0, 8, 6));
        assert_eq!(random_window(1, 1, rng), window(0, 0, 1, 1));
    }
}
