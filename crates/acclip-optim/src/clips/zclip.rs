//! ZClip: the threshold is a z-score of the gradient norm.
//!
//! ```text
//! t ≤ warm_up   μ, σ² ← mean and variance of ‖g₁‖, …, ‖g_t‖;   n = ‖g‖
//! t > warm_up   z = (‖g‖ − μ)/(σ + 1e-6);   n = μ + k·σ·(k/z) if z > k, else ‖g‖      k = z_score
//!               μ ← δ μ + (1−δ) n,   σ² ← δ σ² + (1−δ)(n − μ)²          δ = clip_decay
//! ĝ = g · min{n/‖g‖, max_norm/‖g‖, 1}
//! ```
//!
//! Departures: the original divides by ‖g‖ + 1e-6; and a mean of 0, which would hold all later
//! gradients at 0, clips nothing here.
//!
//! σ² is meant to be the variance of the norms, which infinite-variance noise does not have.
//!
//! Reference: A. Kumar et al., *ZClip: Adaptive Spike Mitigation for LLM Pre-Training*, 2025.

use super::{NormClip, Norms, factor};

/// Added to σ in the z-score, as in the original.
const EPS: f64 = 1e-6;

/// ZClip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZClip {
    /// Threshold that always holds, in (0, ∞).
    pub max_norm: f64,
    /// k: standard deviations above the mean, in (0, ∞).
    pub z_score: f64,
    /// Decay δ of mean and variance, in [0, 1).
    pub clip_decay: f64,
    /// Steps of the warm-up, at least 1.
    pub warm_up: u64,
}

impl NormClip for ZClip {
    fn memory(&self, _: usize) -> Vec<(&'static str, usize)> {
        vec![("norm_mean", 1), ("norm_variance", 1)]
    }

    fn factors(&self, t: u64, norms: &Norms, memory: &mut [&mut [f64]]) -> Vec<f64> {
        let [[mean], [variance]] = memory else {
            unreachable!("one value each, as `memory` says")
        };
        let mut norm = norms.all;
        if t <= self.warm_up {
            // Welford's recursion.
            let (n, off) = (t as f64, norm - *mean);
            *mean += off / n;
            *variance += (off * (norm - *mean) - *variance) / n;
        } else {
            let sigma = variance.sqrt();
            let z = (norm - *mean) / (sigma + EPS);
            if z > self.z_score && *mean > 0.0 {
                norm = *mean + self.z_score * sigma * (self.z_score / z);
            }
            *mean = self.clip_decay * *mean + (1.0 - self.clip_decay) * norm;
            let off = norm - *mean;
            *variance = self.clip_decay * *variance + (1.0 - self.clip_decay) * off * off;
        }
        vec![factor(norm.min(self.max_norm), norms.all); norms.blocks.len()]
    }
}
