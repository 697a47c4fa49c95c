//! What a step did, and what it does with gradients that are not finite.

/// What one step did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stats {
    /// Euclidean norm of the gradient over all blocks that are not frozen, before any clip.
    pub grad_norm: f64,
    /// Euclidean norm of the step, learning_rate·u, before any projection. Not finite when the
    /// parameters have left the range of their type.
    pub update_norm: f64,
    /// Share of coordinates that a clip or the rule made smaller; a clip by norm does so to all
    /// coordinates of a block. In a chain with several links that count coordinates, that of the
    /// link with the most.
    pub clipped: f64,
    /// Entries of the gradient that were not finite and were taken as 0
    /// ([`NonFinite::Zero`] only).
    pub zeroed: u64,
    /// Whether nothing was done because the gradient was not finite ([`NonFinite::Skip`] only); the
    /// other fields are then 0 or NaN.
    pub skipped: bool,
    /// The same by block, in the layout's order.
    pub blocks: Vec<BlockStats>,
}

/// What one step did to one block.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BlockStats {
    /// Euclidean norm of the block's gradient, before any clip; 0 for a frozen block.
    pub grad_norm: f64,
    /// Euclidean norm of the block's step, before any projection.
    pub update_norm: f64,
    /// Coordinates that a clip or the rule made smaller.
    pub clipped: u64,
    /// Entries that were not finite and were taken as 0.
    pub zeroed: u64,
}

/// What to do with a gradient that has an infinity or a NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum NonFinite {
    /// Return [`Error::NonFiniteGradient`](crate::Error::NonFiniteGradient), and change nothing.
    #[default]
    Error,
    /// Change nothing but [`State::skipped`](crate::State::skipped), and say so in the statistics.
    Skip,
    /// Take such entries as 0, and count them in [`State::zeroed`](crate::State::zeroed). The only
    /// policy that needs no reading of the gradient before the pass, unless a clip needs a norm.
    Zero,
}

/// What a pass over a chunk, a block or everything has summed up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sums {
    /// Σ g² of the raw gradient.
    pub grad: f64,
    /// Σ u² of the direction, times the square of the learning-rate scale.
    pub update: f64,
    pub clipped: u64,
    pub zeroed: u64,
}

impl std::ops::AddAssign for Sums {
    fn add_assign(&mut self, more: Sums) {
        self.grad += more.grad;
        self.update += more.update;
        self.clipped += more.clipped;
        self.zeroed += more.zeroed;
    }
}
