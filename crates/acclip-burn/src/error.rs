//! What can go wrong between a module and the optimizer.

use burn::tensor::{DType, TensorReadError};
use std::fmt;

/// Why an optimizer could not be made, or a step not be taken.
///
/// A step that returns an error has changed neither the optimizer nor the parameters; whoever may
/// want to go on after one hands in a clone of the module, which copies no numbers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The optimizer refuses: its name, a hyper-parameter, the learning rate, a gradient that is
    /// not finite.
    #[error(transparent)]
    Optim(#[from] acclip_optim::Error),
    /// No float parameter of the module requires a gradient.
    #[error(
        "no parameter of this module requires a gradient; put it on an autodiff device, \
         or call `train()` or `unfreeze()` on it"
    )]
    NothingToTrain,
    /// No parameter of the module has a gradient.
    #[error(
        "none of the module's parameters has a gradient ({given} were given); take the gradients \
         of this very module, with `GradientsParams::from_grads(loss.backward(), &module)`"
    )]
    NoGradient {
        /// How many gradients were given.
        given: usize,
    },
    /// Two places of the module hold the same parameter.
    #[error(
        "`{first}` and `{second}` are the same parameter, and a step would part them; \
         hold it in one place of the module, and use it from there"
    )]
    SharedParameter {
        /// The place that comes first.
        first: String,
        /// The other.
        second: String,
    },
    /// A parameter or gradient is not of type `f32`.
    #[error("the {what} of `{name}` is {found:?}; only F32 is supported, cast the module to it")]
    DType {
        /// `parameter` or `gradient`.
        what: &'static str,
        /// Path of the parameter.
        name: String,
        /// Its type.
        found: DType,
    },
    /// A gradient is not shaped like its parameter.
    #[error("`{name}` is {expected:?}, but its gradient is {found:?}")]
    GradientShape {
        /// Path of the parameter.
        name: String,
        /// Shape of the parameter.
        expected: Vec<usize>,
        /// Shape of the gradient.
        found: Vec<usize>,
    },
    /// The function given to `with_blocks` returned a block of another size.
    #[error(
        "`{name}` is {expected:?}, but the block made for it is {found:?}; \
         return one with as many coordinates"
    )]
    BlockSize {
        /// Path of the parameter.
        name: String,
        /// Shape of the parameter.
        expected: Vec<usize>,
        /// Shape of the block.
        found: Vec<usize>,
    },
    /// The module is not the one that the optimizer's state belongs to.
    #[error(
        "the module does not fit the optimizer's state: {}; go on with the module it was made for, \
         or start a new optimizer",
        join(differences)
    )]
    ModuleChanged {
        /// Every difference, with the name of its block.
        differences: Vec<Difference>,
    },
    /// A tensor could not be read from its device.
    #[error("cannot read the {what} of `{name}` from its device")]
    Read {
        /// `parameter` or `gradient`.
        what: &'static str,
        /// Path of the parameter.
        name: String,
        /// Burn's account of it.
        source: Box<TensorReadError>,
    },
}

/// One difference between a module and the layout of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// A block of the state that the module lacks.
    Gone {
        /// Its name.
        name: String,
    },
    /// A block that the state does not know.
    New {
        /// Its name.
        name: String,
    },
    /// A block of another shape.
    Reshaped {
        /// Its name.
        name: String,
        /// Its shape in the state.
        was: Vec<usize>,
        /// Its shape in the module.
        is: Vec<usize>,
    },
    /// A block at another place in the order.
    Moved {
        /// Its name.
        name: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Gone { name } => {
                write!(f, "`{name}` is gone or no longer requires a gradient")
            }
            Difference::New { name } => {
                write!(f, "`{name}` is new or did not require a gradient before")
            }
            Difference::Reshaped { name, was, is } => {
                write!(f, "`{name}` was {was:?} and is {is:?}")
            }
            Difference::Moved { name } => write!(f, "`{name}` stands elsewhere in the order"),
        }
    }
}

fn join(differences: &[Difference]) -> String {
    let texts: Vec<String> = differences.iter().map(Difference::to_string).collect();
    texts.join(", ")
}
