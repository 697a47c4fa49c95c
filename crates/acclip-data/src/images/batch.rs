//! Batches of images: what a model trains on.

use super::{Augment, Images, Normalization};
use crate::{
    Error,
    rng::{Purpose, stream},
};

/// A batch of N images and their classes.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageBatch {
    /// (N, height, width, channels), row-major, normalised.
    pub pixels: Vec<f32>,
    /// The class of each image, (N).
    pub labels: Vec<u32>,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Values of a pixel.
    pub channels: usize,
}

impl Images {
    /// The images `indices`, augmented and normalised.
    ///
    /// The crop and flip of image `i` come from [`stream`]`(seed, purpose, step, i)`: they depend neither on
    /// the other images of the batch nor on its place in it. Training takes ([`Purpose::AUGMENT`], its step).
    /// Evaluation takes [`Augment::evaluation`], which draws nothing.
    ///
    /// # Errors
    /// [`Error::Setting`] if `normalization` has another number of channels; as [`Images::image`] where the
    /// images are on disk.
    ///
    /// # Panics
    /// If an index is not below `len()`.
    pub fn batch(
        &self,
        indices: &[usize],
        augment: Augment,
        normalization: &Normalization,
        seed: u64,
        purpose: Purpose,
        step: u64,
    ) -> Result<ImageBatch, Error> {
        let (height, width, channels) = (self.height(), self.width(), self.channels());
        let tables = normalization.tables();
        if tables.len() != channels {
            return Err(Error::Setting {
                name: "normalization",
                value: format!("for {} channels", tables.len()),
                range: "for the channels of the images: 1 (grey) or 3 (colour)",
            });
        }
        let each = height * width * channels;
        let mut pixels = vec![0.0; indices.len() * each];
        for (&i, out) in indices.iter().zip(pixels.chunks_exact_mut(each)) {
            let rng = &mut stream(seed, purpose, step, i as u64);
            let view = augment.view(self.image(i)?, channels, (height, width), rng);
            view.write(&tables, width, out);
        }
        Ok(ImageBatch {
            pixels,
            labels: indices.iter().map(|&i| self.labels()[i]).collect(),
            height,
            width,
            channels,
        })
    }
}
