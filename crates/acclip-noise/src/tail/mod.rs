//! How fast does the tail fall? Tail indices α and extreme-value indices ξ = 1/α, with intervals.

pub mod hill;
pub mod mohammadi;
pub mod moment_estimator;
