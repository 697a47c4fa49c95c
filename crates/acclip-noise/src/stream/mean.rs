//! First pass: the mean gradient, which takes the place of ∇f.
//!
//! ```text
//! ĝ = (1/n) Σᵢ gᵢ
//! ```
//!
//! If the n minibatches are all there are, ĝ is the full gradient, as in the paper; otherwise
//! its error has the covariance Σ/n of the noise, and E‖gᵢ − ĝ‖² = (1 − 1/n) tr Σ.
//!
//! Sums are in `f64` and in the order of the gradients; merged sums differ from those of one
//! worker by rounding, at most 1e-13 of Σ|gᵢ| for up to 1,000 gradients.
//!
//! Reference: Zhang et al. (NeurIPS 2020), §5.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::stream::layers::PIECE;
use crate::stream::{Real, check_count, check_entries, check_length, squared_norm};

/// Accumulator of the mean gradient; 8 bytes an entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeanGradient {
    sum: Vec<f64>,
    norms: Vec<f64>,
}

/// What [`MeanGradient::finalize`] returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// Mean gradient ĝ (shape: d).
    pub gradient: Vec<f64>,
    /// ‖gᵢ‖ (shape: n).
    pub norms: Vec<f64>,
}

impl Mean {
    /// ‖ĝ‖.
    #[must_use]
    pub fn norm(&self) -> f64 {
        squared_norm(&self.gradient).sqrt()
    }
}

impl MeanGradient {
    /// No gradients yet, of `d` entries each.
    #[must_use]
    pub fn new(d: usize) -> Self {
        Self {
            sum: vec![0.0; d],
            norms: Vec::new(),
        }
    }

    /// Number of gradients so far.
    #[must_use]
    pub fn n(&self) -> usize {
        self.norms.len()
    }

    /// Adds one gradient (shape: d).
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::NotFinite`], [`Error::TooLarge`].
    pub fn push<F: Real>(&mut self, gradient: &[F]) -> Result<(), Error> {
        check_length(gradient, self.sum.len())?;
        let square = squared_norm(gradient);
        check_entries(gradient, &[square])?;
        add(&mut self.sum, gradient);
        self.norms.push(square.sqrt());
        Ok(())
    }

    /// Adds the gradients of another worker.
    ///
    /// # Errors
    /// [`Error::Unlike`] unless both have the same d.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if self.sum.len() != other.sum.len() {
            return Err(Error::Unlike {
                what: "the mean gradient",
                field: "dimensions",
            });
        }
        add(&mut self.sum, &other.sum);
        self.norms.extend(&other.norms);
        Ok(())
    }

    /// The mean so far.
    ///
    /// # Errors
    /// [`Error::TooFew`] without gradients.
    pub fn finalize(&self) -> Result<Mean, Error> {
        check_count("the mean gradient", 1, self.n())?;
        let n = self.n() as f64;
        Ok(Mean {
            gradient: self.sum.iter().map(|sum| sum / n).collect(),
            norms: self.norms.clone(),
        })
    }
}

/// sum ← sum + gradient.
fn add<F: Real>(sum: &mut [f64], gradient: &[F]) {
    let pieces = (sum.par_chunks_mut(PIECE)).zip(gradient.par_chunks(PIECE));
    pieces.for_each(|(sum, gradient)| {
        for (sum, &x) in sum.iter_mut().zip(gradient) {
            *sum += x.into();
        }
    });
}
