//! The paper's pictures as statistics: what a sample looks like, and beside what.

pub mod growth;
pub mod histogram;
pub mod moments;
pub mod noise_scale;
pub mod outliers;
pub mod qq;
pub mod reference;
