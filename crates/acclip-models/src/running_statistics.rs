//! Running means and variances of batch normalisations.
//!
//! In training a batch normalisation takes mean and variance from the batch, and moves a running pair towards them,
//! `running ← 0.9 · running + 0.1 · new` (with the unbiased variance), which stands for them in evaluation. These
//! numbers are state of the model beside its parameters: a checkpoint needs both.
//!
//! Reference: S. Ioffe, C. Szegedy, "Batch normalization: accelerating deep network training by reducing internal
//! covariate shift", ICML 2015. Names are torchvision's. PyTorch's third buffer, `num_batches_tracked`, is left out: it
//! counts batches, and no result depends on it where the momentum is a number, as here.

use crate::{Error, Real};
use acclip_kernels::batch_norm::Statistics;
use std::collections::BTreeMap;

/// Momentum of the running statistics: the weight of the new ones.
const MOMENTUM: f64 = 0.1;

/// Mean and variance of every channel of every batch normalisation, in the order of the parameters. A model without
/// batch normalisation has none.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningStatistics<F> {
    layers: Vec<(String, Statistics<F>)>,
}

/// Where a batch normalisation takes mean and variance from.
#[derive(Debug)]
pub enum Normalization<'a, F> {
    /// The batch; running statistics are moved towards those of the batch. Training.
    Batch(&'a mut RunningStatistics<F>),
    /// Running statistics, which stay as they are. Evaluation, and measurements of noise.
    Frozen(&'a RunningStatistics<F>),
}

/// A name, a shape and the numbers.
type Array<F> = (String, Vec<usize>, Vec<F>);

impl<F: Real> RunningStatistics<F> {
    /// At the start, mean 0 and variance 1, for batch normalisations with these names and numbers of channels.
    pub(crate) fn start(norms: &[(String, usize)]) -> Self {
        let start = |(name, channels): &(String, usize)| {
            let statistics = Statistics {
                mean: vec![F::ZERO; *channels],
                variance: vec![F::ONE; *channels],
            };
            (name.clone(), statistics)
        };
        Self {
            layers: norms.iter().map(start).collect(),
        }
    }

    /// Whether these are of batch normalisations with these names and numbers of channels.
    pub(crate) fn fit(&self, norms: &[(String, usize)]) -> bool {
        let layers = self.layers.iter().map(|(name, s)| (name, s.mean.len()));
        layers.eq(norms.iter().map(|(name, channels)| (name, *channels)))
    }

    /// Names, shapes and numbers, two arrays (C) a layer: `bn1.running_mean`, `bn1.running_var`, and so on.
    pub fn to_arrays(&self) -> Vec<Array<F>> {
        let arrays = self.layers.iter().flat_map(|(name, s)| {
            [("running_mean", &s.mean), ("running_var", &s.variance)].map(|(kind, values)| {
                let shape = vec![values.len()];
                (format!("{name}.{kind}"), shape, values.clone())
            })
        });
        arrays.collect()
    }

    /// These statistics with the numbers of `arrays`, which may stand in any order: for a model's
    /// [`running_statistics`](crate::ImageModel::running_statistics), the inverse of [`to_arrays`](Self::to_arrays).
    ///
    /// # Errors
    /// [`Error::Shape`], which names every array that is missing, unknown, there twice or of a wrong shape.
    pub fn with_arrays(
        mut self,
        arrays: impl IntoIterator<Item = Array<F>>,
    ) -> Result<Self, Error> {
        let mut targets = BTreeMap::new();
        for (name, s) in &mut self.layers {
            targets.insert(format!("{name}.running_mean"), (&mut s.mean, false));
            targets.insert(format!("{name}.running_var"), (&mut s.variance, false));
        }
        let mut problems = Vec::new();
        for (name, shape, values) in arrays {
            match targets.get_mut(&name) {
                None => problems.push(format!("'{name}' is unknown")),
                Some((_, true)) => problems.push(format!("'{name}' is there twice")),
                Some((target, seen)) => {
                    *seen = true;
                    if shape[..] == [target.len()] && values.len() == target.len() {
                        **target = values;
                        continue;
                    }
                    let (expected, found) = (target.len(), values.len());
                    problems.push(format!(
                        "'{name}' has shape {shape:?} and {found} numbers, not [{expected}]"
                    ));
                }
            }
        }
        let missing = targets.iter().filter(|(_, (_, seen))| !seen);
        problems.extend(missing.map(|(name, _)| format!("'{name}' is missing")));
        if !problems.is_empty() {
            return Err(Error::Shape {
                what: "running statistics",
                problem: problems.join("; "),
            });
        }
        Ok(self)
    }
}

impl<F: Real> Normalization<'_, F> {
    pub(crate) fn statistics(&self) -> &RunningStatistics<F> {
        match self {
            Normalization::Batch(running) => running,
            Normalization::Frozen(running) => running,
        }
    }

    /// The frozen statistics of a layer, if they are frozen.
    pub(crate) fn frozen(&self, layer: usize) -> Option<&Statistics<F>> {
        match self {
            Normalization::Batch(_) => None,
            Normalization::Frozen(running) => Some(&running.layers[layer].1),
        }
    }

    /// Moves the running statistics of a layer towards those of a batch with `rows` rows, if they are not frozen.
    pub(crate) fn update(&mut self, layer: usize, of_batch: &Statistics<F>, rows: usize) {
        if let Normalization::Batch(running) = self {
            of_batch.update_running(rows, MOMENTUM, &mut running.layers[layer].1);
        }
    }
}
