//! Fits of stable laws, with intervals.
