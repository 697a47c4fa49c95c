//! AdaGC: each block is clipped against the running average of its own norm.
//!
//! ```text
//! t ≤ warm_up   h = min{max_norm/‖g‖, 1} for all blocks,     γ_b ← min{γ_b, h‖g_b‖}
//! t > warm_up   h_b = min{clip_factor·γ_b/‖g_b‖, 1},         γ_b ← δ γ_b + (1−δ) h_b‖g_b‖
//! ĝ_b = h_b g_b                                              δ = clip_decay
//! ```
//!
//! The average enters its own threshold, so γ can grow by at most (1−δ)(clip_factor−1) a step.
//!
//! Departure: a block whose gradient is 0 tells nothing, and leaves γ_b as it is; in the original, γ_b
//! would become 0 and hold the block for ever.
//!
//! Reference: G. Wang et al., *AdaGC: Improving Training Stability for Large Language Model
//! Pretraining*, 2025 (arXiv 2502.11034).

use super::{NormClip, Norms, factor};

/// AdaGC's clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaGc {
    /// Threshold on the norm over all blocks during the warm-up, in (0, ∞).
    pub max_norm: f64,
    /// Threshold afterwards, as a multiple of the block's average norm, in (0, ∞).
    pub clip_factor: f64,
    /// Decay δ of the average, in [0, 1).
    pub clip_decay: f64,
    /// Steps of the warm-up, at least 1.
    pub warm_up: u64,
}

impl NormClip for AdaGc {
    fn memory(&self, blocks: usize) -> Vec<(&'static str, usize)> {
        vec![("gamma", blocks)]
    }

    fn factors(&self, t: u64, norms: &Norms, memory: &mut [&mut [f64]]) -> Vec<f64> {
        let warm = t <= self.warm_up;
        let all = factor(self.max_norm, norms.all);
        let blocks = norms.blocks.iter().zip(memory[0].iter_mut());
        let clip = |(&norm, gamma): (&f64, &mut f64)| {
            // γ = 0: no gradient of this block has been seen.
            let h = match (warm, *gamma) {
                (true, _) => all,
                (false, 0.0) => 1.0,
                (false, gamma) => factor(self.clip_factor * gamma, norm),
            };
            let clipped = h * norm;
            if clipped > 0.0 {
                *gamma = match (warm, *gamma) {
                    (_, 0.0) => clipped,
                    (true, gamma) => gamma.min(clipped),
                    (false, gamma) => self.clip_decay * gamma + (1.0 - self.clip_decay) * clipped,
                };
            }
            h
        };
        blocks.map(clip).collect()
    }
}
