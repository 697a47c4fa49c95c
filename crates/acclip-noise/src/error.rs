//! What can be wrong with a sample.

/// Why a statistic could not be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The sample is too short for this statistic.
    #[error("{what} needs at least {needed} values but got {found}; measure more minibatches")]
    TooFew {
        /// The statistic that was asked for.
        what: &'static str,
        /// The smallest number of values that it accepts.
        needed: usize,
        /// The number of values that it was given.
        found: usize,
    },
    /// A value is NaN or infinite.
    #[error("value {index} is {value}; look for the step that diverged and leave it out")]
    NotFinite {
        /// Position in the input.
        index: usize,
        /// The offending value.
        value: f64,
    },
    /// A value is so large that its fourth power leaves the range of `f64`.
    #[error("value {index} is {value:e}, beyond ±1e75; rescale the sample")]
    TooLarge {
        /// Position in the input.
        index: usize,
        /// The offending value.
        value: f64,
    },
    /// A value is negative where a norm is expected.
    #[error("value {index} is {value}, but a norm cannot be negative; pass absolute values")]
    Negative {
        /// Position in the input.
        index: usize,
        /// The offending value.
        value: f64,
    },
    /// The values that the statistic looks at are all equal.
    #[error(
        "{what} is undefined because all the values it looks at are equal (or zero); check that the noise is not rounded or switched off"
    )]
    Constant {
        /// The statistic that was asked for.
        what: &'static str,
    },
    /// An accumulator has received NaN or infinity, or values that overflow.
    #[error(
        "{what} received a value that is not finite or too large; check values before pushing them"
    )]
    Poisoned {
        /// The accumulator.
        what: &'static str,
    },
    /// A parameter is outside its range.
    #[error("{name} is {value}, but must be {expected}")]
    Parameter {
        /// Name of the parameter.
        name: &'static str,
        /// The value it was given.
        value: f64,
        /// The range it must lie in.
        expected: &'static str,
    },
    /// Two histograms cannot be merged.
    #[error(
        "histograms over {left:?} and {right:?} (low, high, bins) have different bins; build both with the same `Histogram::with_range`"
    )]
    BinsDiffer {
        /// Lower edge, upper edge and number of bins of the receiver.
        left: (f64, f64, usize),
        /// The same of the argument.
        right: (f64, f64, usize),
    },
    /// A gradient, or a pass over gradients, has the wrong length.
    #[error(
        "{what}: {found} given, {expected} expected; pass whole flat gradients in the order of the layers, and in a second pass those of the first"
    )]
    Length {
        /// What was counted.
        what: &'static str,
        /// The right number.
        expected: usize,
        /// The number found.
        found: usize,
    },
    /// Layers do not divide the flat gradient.
    #[error(
        "layer {name:?} {problem}; give every entry of the flat gradient to exactly one layer, in order"
    )]
    Layer {
        /// Name of the layer; empty if there is none.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Two accumulators cannot be merged.
    #[error("two accumulators of {what} have different {field}; build both alike")]
    Unlike {
        /// The statistic.
        what: &'static str,
        /// Where the two differ.
        field: &'static str,
    },
    /// A state that was read back does not fit together.
    #[error("the saved state of {what} contradicts itself; measure anew")]
    Damaged {
        /// The accumulator.
        what: &'static str,
    },
}
