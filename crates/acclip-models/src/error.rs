//! What can be wrong with a model's configuration or input.

/// An error of this crate: what is wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A size in a model configuration that no model can have.
    #[error("model.{field} = {value}: {problem}")]
    Config {
        /// The name of the field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it and what would be right.
        problem: String,
    },
    /// An unknown model size or backend.
    #[error("unknown {what} '{name}'; known: {known}")]
    Unknown {
        /// What kind of name it is.
        what: &'static str,
        /// The name that was given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A batch, parameter buffer or gradient buffer that does not fit the model.
    #[error("{what}: {problem}")]
    Shape {
        /// The argument.
        what: &'static str,
        /// What it is and what it should be.
        problem: String,
    },
}
