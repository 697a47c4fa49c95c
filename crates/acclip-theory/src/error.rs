//! What can be wrong with a request.

/// A parameter that is out of range, or a combination that no theorem covers.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter is out of its range.
    #[error("{name} is {value}; it must be {range}")]
    OutOfRange {
        /// The parameter.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// What is allowed.
        range: &'static str,
    },
    /// The optimizer refused its hyper-parameters or a step.
    #[error(transparent)]
    Optimizer(#[from] acclip_optim::Error),
    /// The law of the noise refused its parameters.
    #[error(transparent)]
    Noise(#[from] acclip_noise::Error),
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
}

/// `value`, if it is inside.
pub(crate) fn check(
    name: &'static str,
    value: f64,
    range: &'static str,
    inside: impl FnOnce(f64) -> bool,
) -> Result<f64, Error> {
    if inside(value) {
        Ok(value)
    } else {
        Err(Error::OutOfRange {
            name,
            value: value.to_string(),
            range,
        })
    }
}
