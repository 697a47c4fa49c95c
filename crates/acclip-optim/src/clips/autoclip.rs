//! AutoClip: the threshold is a percentile of the gradient norms seen so far.
//!
//! ```text
//! ĝ = g · min{τ/‖g‖, 1},   τ = the given percentile of ‖g₁‖, …, ‖g_t‖, linearly interpolated
//! ```
//!
//! A percentile exists for every law, so this threshold is valid when the variance is infinite.
//!
//! Departure: of the norms, the last [`HISTORY`] are kept, so that state does not grow with the run;
//! in the original, all are.
//!
//! Reference: P. Seetharaman, G. Wichern, B. Pardo, J. Le Roux, *AutoClip: Adaptive Gradient Clipping
//! for Source Separation Networks*, 2020.

use super::{NormClip, Norms, factor};

/// Norms that are remembered.
pub const HISTORY: usize = 1000;

/// AutoClip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AutoClip {
    /// The percentile, in [0, 100].
    pub percentile: f64,
}

impl NormClip for AutoClip {
    fn memory(&self, _: usize) -> Vec<(&'static str, usize)> {
        vec![("norm_history", HISTORY)]
    }

    fn factors(&self, t: u64, norms: &Norms, memory: &mut [&mut [f64]]) -> Vec<f64> {
        let history = &mut *memory[0];
        history[((t - 1) % HISTORY as u64) as usize] = norms.all;
        let seen = t.min(HISTORY as u64) as usize;
        let mut sorted = history[..seen].to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let position = self.percentile / 100.0 * (seen - 1) as f64;
        let (below, share) = (position.floor() as usize, position.fract());
        let above = (below + 1).min(seen - 1);
        let threshold = sorted[below] + share * (sorted[above] - sorted[below]);
        vec![factor(threshold, norms.all); norms.blocks.len()]
    }
}
