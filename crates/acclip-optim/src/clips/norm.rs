//! GClip: clipping the norm, of the whole gradient or of each block (§2.1 of the paper).
//!
//! ```text
//! ĝ = g · min{max_norm/‖g‖, 1}        ‖g‖ over all blocks (GClip), or over each block alone
//! ```
//!
//! A zero gradient stays zero.
//!
//! Departure from PyTorch: `clip_grad_norm_` divides by ‖g‖ + 1e-6, here by ‖g‖ as in the paper.
//!
//! References: the paper, §2.1; R. Pascanu, T. Mikolov, Y. Bengio, *On the difficulty of training
//! recurrent neural networks*, 2013.

use super::{NormClip, Norms, factor};

/// Clip of the norm. With [`ProjectBall`](crate::Link::ProjectBall) at the end, proj-GClip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClipNorm {
    /// The threshold, in (0, ∞).
    pub max_norm: f64,
    /// Whether each block is clipped by its own norm, instead of all by the norm over all.
    pub by_block: bool,
}

impl NormClip for ClipNorm {
    fn factors(&self, _: u64, norms: &Norms, _: &mut [&mut [f64]]) -> Vec<f64> {
        let own = |&norm: &f64| factor(self.max_norm, if self.by_block { norm } else { norms.all });
        norms.blocks.iter().map(own).collect()
    }
}

/// u ← u/‖u‖ over all blocks; 0 stays 0. After an average of gradients, *normalised SGD with
/// momentum*: A. Cutkosky, H. Mehta, *Momentum Improves Normalized SGD*, 2020.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalize;

impl NormClip for Normalize {
    fn factors(&self, _: u64, norms: &Norms, _: &mut [&mut [f64]]) -> Vec<f64> {
        let factor = if norms.all > 0.0 {
            1.0 / norms.all
        } else {
            1.0
        };
        vec![factor; norms.blocks.len()]
    }
}
