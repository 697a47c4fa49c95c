//! GClip: clipping the norm, of the whole gradient or of each block (§2.1 of the paper).
//!
//! ```text
//! ĝ = g · min{τ/‖g‖, 1}      τ = max_norm·t^growth       ‖g‖ over all blocks (GClip), or over each block alone
//! ```
//!
//! The threshold is fixed unless `growth` is set; with 1/α it is that of Theorem 4.
//!
//! A zero gradient stays zero.
//!
//! Departure from PyTorch: `clip_grad_norm_` divides by ‖g‖ + 1e-6, here by ‖g‖ as in the paper.
//!
//! References: the paper, §2.1; R. Pascanu, T. Mikolov, Y. Bengio, *On the difficulty of training
//! recurrent neural networks*, 2013.

use super::{NormClip, Norms, factor, growth};

/// Clip of the norm. With [`ProjectBall`](crate::Link::ProjectBall) at the end, proj-GClip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClipNorm {
    /// The threshold of the first step, in (0, ∞).
    pub max_norm: f64,
    /// Exponent of the threshold's growth, in [0, ∞): step t = 1, 2, … clips at max_norm·t^growth.
    pub growth: f64,
    /// Whether each block is clipped by its own norm, instead of all by the norm over all.
    pub by_block: bool,
}

impl NormClip for ClipNorm {
    fn factors(&self, t: u64, norms: &Norms, _: &mut [&mut [f64]]) -> Vec<f64> {
        let tau = self.max_norm * growth(self.growth, t);
        let own = |&norm: &f64| factor(tau, if self.by_block { norm } else { norms.all });
        norms.blocks.iter().map(own).collect()
    }
}

/// u ← u/‖u‖ over all blocks, or over each block alone; 0 stays 0. After an average of gradients, *normalised SGD with
/// momentum*: A. Cutkosky, H. Mehta, *Momentum Improves Normalized SGD*, 2020.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalize {
    /// Whether each block is divided by its own norm, instead of all by the norm over all.
    pub by_block: bool,
}

impl NormClip for Normalize {
    fn factors(&self, _: u64, norms: &Norms, _: &mut [&mut [f64]]) -> Vec<f64> {
        let own = |&norm: &f64| match if self.by_block { norm } else { norms.all } {
            norm if norm > 0.0 => 1.0 / norm,
            _ => 1.0,
        };
        norms.blocks.iter().map(own).collect()
    }
}
