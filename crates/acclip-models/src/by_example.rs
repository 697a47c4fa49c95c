//! Moments of the gradients of single examples, collected while a backward pass runs.

use crate::Real;
use crate::ops::Values;
use acclip_kernels::by_example::{Moments, TiedDecoder};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// The rows of an activation that belong to each example, in order.
pub(crate) type Groups = Arc<[Range<usize>]>;

/// Norms of the gradients of a batch's examples, from the backward pass of the batch.
///
/// The gradient gᵢ of an example is that of its own loss, the mean over its own masked positions: what a batch of it
/// alone would give. With V, the vector that [`crate::Forward::backward_by_example`] was given,
/// ‖gᵢ − V‖² = ‖gᵢ‖² − 2 ⟨gᵢ, V⟩ + ‖V‖².
#[derive(Debug, Clone, PartialEq)]
pub struct ByExample {
    /// Examples, B.
    pub examples: usize,
    /// ‖gᵢ‖² of each parameter and example, (P, B) row-major, in the order of the parameters.
    pub squares: Vec<f64>,
    /// ⟨gᵢ, V⟩, (P, B); 0 where no V was given.
    pub products: Vec<f64>,
}

impl ByExample {
    /// ‖gᵢ‖² over all parameters, (B).
    #[must_use]
    pub fn total_squares(&self) -> Vec<f64> {
        self.total(&self.squares)
    }

    /// ⟨gᵢ, V⟩ over all parameters, (B).
    #[must_use]
    pub fn total_products(&self) -> Vec<f64> {
        self.total(&self.products)
    }

    fn total(&self, values: &[f64]) -> Vec<f64> {
        let column = |i| values.iter().skip(i).step_by(self.examples).sum();
        (0..self.examples).map(column).collect()
    }
}

/// The moments so far, and what is kept of tables, which are used twice.
#[derive(Debug)]
pub(crate) struct Recorder<F> {
    examples: usize,
    along: Option<Arc<Vec<F>>>,
    moments: Vec<Moments>,
    decoders: HashMap<usize, Decoder<F>>,
}

/// What is kept of a decoder until the gradient of its table comes from the embeddings, too.
#[derive(Debug)]
pub(crate) struct Decoder<F> {
    pub x: Values<F>,
    pub dy: Values<F>,
    pub groups: Groups,
}

impl<F: Real> Decoder<F> {
    /// As the kernel takes it.
    pub fn view(&self) -> TiedDecoder<'_, F> {
        TiedDecoder {
            x: &self.x,
            dy: &self.dy,
            groups: &self.groups,
        }
    }
}

/// What an op needs to look at single examples.
pub(crate) struct Asked<F> {
    along: Option<Arc<Vec<F>>>,
    pub groups: Groups,
}

impl<F: Real> Asked<F> {
    /// V of the numbers `range` of the flat buffer.
    pub fn along(&self, range: Range<usize>) -> Option<&[F]> {
        self.along.as_ref().map(|along| &along[range])
    }
}

impl<F: Real> Recorder<F> {
    pub fn new(parameters: usize, examples: usize, along: Option<Arc<Vec<F>>>) -> Self {
        Self {
            examples,
            along,
            moments: vec![Moments::default(); parameters * examples],
            decoders: HashMap::new(),
        }
    }

    pub fn asked(&self, groups: &Groups) -> Asked<F> {
        Asked {
            along: self.along.clone(),
            groups: Arc::clone(groups),
        }
    }

    /// Adds to the moments of a parameter those of each example.
    pub fn add(&mut self, parameter: usize, moments: Vec<Moments>) {
        let row = &mut self.moments[parameter * self.examples..][..self.examples];
        for (sum, moments) in row.iter_mut().zip(moments) {
            *sum += moments;
        }
    }

    /// Keeps what the moments of a table that is a decoder's weight, too, will need.
    pub fn keep(&mut self, parameter: usize, decoder: Decoder<F>) {
        self.decoders.insert(parameter, decoder);
    }

    /// What was kept.
    pub fn take(&mut self, parameter: usize) -> Option<Decoder<F>> {
        self.decoders.remove(&parameter)
    }

    /// The moments, where the loss of the batch is the mean over all rows of `heads`, and that of an example the mean
    /// over its own.
    pub fn finish(self, heads: &Groups) -> ByExample {
        let rows: usize = heads.iter().map(Range::len).sum();
        let scale = |i: usize| match heads[i].len() {
            0 => 0.0,
            own => rows as f64 / own as f64,
        };
        let scaled = self.moments.iter().enumerate();
        let scaled = scaled.map(|(i, moments)| (scale(i % self.examples), moments));
        ByExample {
            examples: self.examples,
            squares: scaled.clone().map(|(s, m)| s * s * m.square).collect(),
            products: scaled.map(|(s, m)| s * m.product).collect(),
        }
    }
}
