//! A quantile threshold on the norm of each block: [`rules/quantile.rs`](crate::Quantile), with the
//! norm of a block in place of the magnitude of a coordinate.
//!
//! ```text
//! ĝ_b = g_b · min{q_b/‖g_b‖, 1},   log q_b ← log q_b + clip_gain·(1{‖g_b‖ > q_b} − clip_rate)
//! ```
//!
//! The first gradient of a block that is not 0 sets q_b = ‖g_b‖; a gradient that is 0 changes nothing.
//! The share of clipped gradients goes to clip_rate whatever their law; see there for why.

use super::{NormClip, Norms, factor};

/// A quantile threshold on the norm of each block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantileNorm {
    /// Share of gradients that are clipped, in (0, 1).
    pub clip_rate: f64,
    /// Gain of the threshold, in (0, 1].
    pub clip_gain: f64,
}

impl NormClip for QuantileNorm {
    fn memory(&self, blocks: usize) -> Vec<(&'static str, usize)> {
        vec![("norm_quantile", blocks)]
    }

    fn factors(&self, _: u64, norms: &Norms, memory: &mut [&mut [f64]]) -> Vec<f64> {
        let rise = (self.clip_gain * (1.0 - self.clip_rate)).exp();
        let fall = (-self.clip_gain * self.clip_rate).exp();
        let blocks = norms.blocks.iter().zip(memory[0].iter_mut());
        let clip = |(&norm, quantile): (&f64, &mut f64)| {
            if norm == 0.0 {
                return 1.0;
            }
            if *quantile == 0.0 {
                *quantile = norm;
                return 1.0;
            }
            let used = *quantile;
            *quantile = (used * if norm > used { rise } else { fall }).min(f64::MAX);
            factor(used, norm)
        };
        blocks.map(clip).collect()
    }
}
