//! The theorems of the paper, running: rates measured beside rates proved.
//!
//! The crate knows no framework, no file and no clock.

pub mod bounds;
pub mod ensemble;
mod error;
pub mod estimate;
pub mod experiments;
mod finding;
pub mod methods;
pub mod noise;
pub mod problems;

pub use error::Error;
pub use finding::{Cell, Check, Curve, Finding, Kind, Plot, Point, Table};
