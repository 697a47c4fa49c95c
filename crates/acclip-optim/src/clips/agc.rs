//! Adaptive gradient clipping: each unit against the norm of its own weights.
//!
//! ```text
//! ĝ_i = g_i · min{clip_factor·max{‖x_i‖, floor}/‖g_i‖, 1}
//! ```
//!
//! A unit i is a row (first axis) of a block with two or more axes, and else the whole block.
//!
//! Reference: A. Brock, S. De, S. L. Smith, K. Simonyan, *High-Performance Large-Scale Image
//! Recognition Without Normalization*, 2021.

use super::factor;
use crate::Block;

/// AGC.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agc {
    /// Largest ratio of gradient to weights, in (0, ∞).
    pub clip_factor: f64,
    /// Least norm of weights that is reckoned with, in (0, ∞).
    pub floor: f64,
}

impl Agc {
    /// Coordinates of one unit of a block of `len`; at least 1.
    pub(crate) fn unit(block: &Block, len: usize) -> usize {
        let rows = match block.shape[..] {
            [] | [_] => 1,
            [rows, ..] => rows.max(1),
        };
        (len / rows).max(1)
    }

    /// The factor of a unit.
    pub(crate) fn factor(&self, grad_norm: f64, params_norm: f64) -> f64 {
        factor(self.clip_factor * params_norm.max(self.floor), grad_norm)
    }
}
