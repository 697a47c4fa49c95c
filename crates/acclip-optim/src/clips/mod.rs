//! Clips: what is done to the gradient before the rule sees it.
//!
//! A [`NormClip`] looks at the norms of the blocks and answers with one factor a block; what it
//! remembers is a few numbers. [`ClipCoordinate`](coordinate::ClipCoordinate) and
//! [`Agc`](agc::Agc) look at single coordinates and rows.

pub mod adagc;
pub mod agc;
pub mod autoclip;
pub mod coordinate;
pub mod norm;
pub mod quantile_norm;
pub mod zclip;

/// Euclidean norms of a gradient, or of what the links before made of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Norms {
    /// Of each block; 0 for a frozen one.
    pub blocks: Vec<f64>,
    /// Of all blocks together.
    pub all: f64,
}

impl Norms {
    /// From sums of squares by block.
    pub(crate) fn from_squares(squares: &[f64]) -> Self {
        Norms {
            blocks: squares.iter().map(|square| square.sqrt()).collect(),
            all: squares.iter().sum::<f64>().sqrt(),
        }
    }
}

/// A clip that scales whole blocks, by factors that follow from norms.
pub(crate) trait NormClip {
    /// Names and lengths of what it remembers, for this number of blocks; all start at 0.
    fn memory(&self, _blocks: usize) -> Vec<(&'static str, usize)> {
        Vec::new()
    }
    /// The factor of each block in step `t` = 1, 2, …; `memory` in the order of [`memory`](Self::memory).
    fn factors(&self, t: u64, norms: &Norms, memory: &mut [&mut [f64]]) -> Vec<f64>;
}

/// t^exponent, by which a threshold has grown at step `t`; exactly 1 for exponent 0.
pub(crate) fn growth(exponent: f64, t: u64) -> f64 {
    (t as f64).powf(exponent)
}

/// min{threshold/norm, 1}; 1 for norm 0.
pub(crate) fn factor(threshold: f64, norm: f64) -> f64 {
    // The comparison, rather than the minimum, also settles norm 0.
    if norm > threshold {
        threshold / norm
    } else {
        1.0
    }
}
