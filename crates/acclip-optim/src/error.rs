//! What can go wrong: one typed error, whose message says what, where, and what to do.

use crate::NAMES;

/// Why an optimizer, a layout or a state could not be made, or a step not be taken.
///
/// A step that returns an error has changed neither the parameters nor the state.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No optimizer has this name.
    #[error("no optimizer is called `{name}`; choose one of: {}", NAMES.join(", "))]
    UnknownOptimizer {
        /// The name asked for.
        name: String,
    },
    /// The optimizer exists, but has no such hyper-parameter.
    #[error(
        "optimizer `{optimizer}` has no hyper-parameter `{field}`; it takes: {}",
        allowed.join(", ")
    )]
    UnusedHyper {
        /// The optimizer.
        optimizer: String,
        /// The hyper-parameter that was given.
        field: &'static str,
        /// Those that this optimizer takes.
        allowed: Vec<&'static str>,
    },
    /// A hyper-parameter lies outside its range.
    #[error(
        "hyper-parameter `{field}` of optimizer `{optimizer}` is {value}; it must be in {range}"
    )]
    HyperOutOfRange {
        /// The optimizer.
        optimizer: String,
        /// The hyper-parameter.
        field: &'static str,
        /// The value given.
        value: String,
        /// The values allowed, as an interval.
        range: &'static str,
    },
    /// A chain goes on after a projection.
    #[error(
        "optimizer `{optimizer}` has a link after a projection, which acts when the step has been taken; \
         put projections last"
    )]
    LinkAfterProjection {
        /// The optimizer.
        optimizer: String,
    },
    /// A schedule's numbers do not fit together.
    #[error("this learning-rate schedule cannot be: {problem}")]
    Schedule {
        /// What is wrong.
        problem: String,
    },
    /// A block's factor or coefficient is out of range.
    #[error("`{field}` of block `{block}` is {value}; it must be finite and not negative")]
    Block {
        /// The block.
        block: String,
        /// Its field.
        field: &'static str,
        /// The value given.
        value: f64,
    },
    /// A block has a coefficient of decay that the optimizer has no link for.
    #[error(
        "block `{block}` sets `{field}`, but optimizer `{optimizer}` has no such decay; leave it unset, or \
         choose an optimizer that takes it"
    )]
    UnusedDecay {
        /// The optimizer.
        optimizer: String,
        /// The block.
        block: String,
        /// `l2` or `weight_decay`.
        field: &'static str,
    },
    /// The learning rate is negative, infinite or not a number.
    #[error(
        "the learning rate, times a block's scale, is {value}; it must be finite in the type of the \
         parameters and not negative"
    )]
    LearningRate {
        /// The value given.
        value: f64,
    },
    /// Two blocks of a layout share a name.
    #[error("two blocks are called `{name}`; give every block a name of its own")]
    DuplicateBlock {
        /// The name that occurs twice.
        name: String,
    },
    /// The number of coordinates does not fit in a `usize`.
    #[error("block `{name}` makes the layout too large to count its coordinates; check its shape")]
    LayoutTooLarge {
        /// The block at which counting failed.
        name: String,
    },
    /// A slice is not as long as the layout.
    #[error(
        "`{what}` has {found} coordinates, but the layout has {expected}; pass one value per coordinate"
    )]
    Length {
        /// `params`, `grad` or `state slot …`.
        what: String,
        /// The layout's length.
        expected: usize,
        /// The slice's length.
        found: usize,
    },
    /// The state belongs to another optimizer.
    #[error(
        "this state is not one of optimizer `{optimizer}`: missing slots [{}], unexpected slots [{}]; \
         use the state of the optimizer that made it, or start again with `init`",
        missing.join(", "),
        unexpected.join(", ")
    )]
    StateSlots {
        /// The optimizer asked to work on the state.
        optimizer: String,
        /// Slots that the optimizer needs and the state lacks.
        missing: Vec<String>,
        /// Slots that the state has, or has twice, and the optimizer does not know.
        unexpected: Vec<String>,
    },
    /// The state was made by another optimizer.
    #[error(
        "this state was made by optimizer `{made_by}`, not by `{optimizer}`; continue with the optimizer \
         that made it, or start again with `init`"
    )]
    StateRule {
        /// The optimizer asked to work on the state.
        optimizer: String,
        /// The one that made it.
        made_by: String,
    },
    /// An entry of a saved state's header is missing or cannot be read.
    #[error("entry `{key}` of this state's header {problem}; save it with this version's `header`")]
    StateHeader {
        /// The entry.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A saved state belongs to other blocks.
    #[error(
        "this state belongs to another model: blocks that it lacks [{}], blocks that it has instead [{}] \
         (none of either: only their order differs)",
        missing.join("; "),
        unexpected.join("; ")
    )]
    StateLayout {
        /// Blocks, with shape, of the layout that the state lacks; none if only the order differs.
        missing: Vec<String>,
        /// Blocks of the state that the layout lacks.
        unexpected: Vec<String>,
    },
    /// A tensor of a saved state has another type.
    #[error("tensor `{name}` of this state has type {found}, but must have {expected}")]
    StateType {
        /// The tensor.
        name: String,
        /// The type that it must have.
        expected: &'static str,
        /// The type that it has.
        found: String,
    },
    /// A gradient coordinate is infinite or not a number.
    #[error(
        "the gradient of block `{block}` is not finite at index {index}; \
         nothing was changed: skip this batch, or lower the learning rate"
    )]
    NonFiniteGradient {
        /// The block's name.
        block: String,
        /// Position within the block, row-major.
        index: usize,
    },
    /// Every coordinate is finite, but the sum of squares is not (only `f64` beyond about 1e154).
    #[error(
        "the gradient is finite, but its squared norm exceeds the range of f64; rescale the loss"
    )]
    GradientOverflow,
}
