//! Accumulators over a stream of gradients.
