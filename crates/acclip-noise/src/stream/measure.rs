//! The whole measurement: from gradients that can be produced again to everything a verdict looks at.
//!
//! ```text
//! pass 1      mean gradient ∇f, ‖gᵢ‖
//! pass 2      ‖gᵢ − ∇f‖ whole and by layer, moments of entries, some coordinates
//! pass 3, 4   the same about a trimmed mean, if one gradient moved the mean too far
//! ```
//!
//! Layers may be marked as *tables*, with a row for each class or token (embeddings, the decoder): their rows
//! move when their token occurs, so they are followed apart.
//!
//! The caller pushes the same gradients in the same order in every pass, until none is wanted.

use crate::Error;
use crate::stream::centre::trimmed;
use crate::stream::{
    CoordinateSeries, CoordinateSnapshot, Layers, Mean, MeanGradient, MeasuredNoise, Noise,
    PooledCoordinates, Real,
};
use serde::{Deserialize, Serialize};

/// Coordinates followed through all gradients.
pub const FOLLOWED: usize = 64;

/// Entries of one gradient that are kept for a picture.
const SNAPSHOT_POINTS: usize = 2000;

/// A measurement under way. Its memory is 32 bytes an entry, and 8 a gradient, layer and followed coordinate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    layers: Layers,
    /// Whether each layer is a table.
    tables: Vec<bool>,
    grad_norms: Vec<f64>,
    /// Members of the trimmed mean, in passes 3 and 4.
    members: Option<Vec<usize>>,
    stage: Stage,
    /// Gradients in this pass so far.
    seen: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Stage {
    Mean(MeanGradient),
    Noise {
        noise: Box<Noise>,
        /// Coordinates of other layers, and of tables.
        series: [CoordinateSeries; 2],
        /// The first gradient, for a picture across its entries.
        example: Vec<f64>,
    },
    Done(Box<GradientNoise>),
}

/// What a measurement saw of n gradients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GradientNoise {
    /// Number of entries of a gradient.
    pub dimension: usize,
    /// Names of the layers.
    pub layers: Vec<String>,
    /// Entries of each layer.
    pub layer_sizes: Vec<usize>,
    /// ‖gᵢ‖.
    pub grad_norms: Vec<f64>,
    /// ‖∇f‖.
    pub mean_grad_norm: f64,
    /// Whether ∇f is a trimmed mean, since one gradient moved the mean too far.
    pub recentred: bool,
    /// Noise norms, whole and by layer; noise scales; effective dimensions.
    pub noise: MeasuredNoise,
    /// The noise of single coordinates that are not in tables.
    pub coordinates: PooledCoordinates,
    /// The noise of single coordinates of tables.
    pub table_coordinates: PooledCoordinates,
    /// The first gradient across its entries: across all of them if no layer is a table, else across those of
    /// one layer. `None` for fewer than 4 gradients, and if every layer is a table.
    pub snapshot: Option<CoordinateSnapshot>,
    /// Place of that layer: of those that are no tables the one with the most noise.
    pub snapshot_layer: Option<usize>,
}

impl GradientNoise {
    /// What the snapshot is of: the name of a layer, or "all layers".
    #[must_use]
    pub fn snapshot_of(&self) -> &str {
        self.snapshot_layer
            .map_or("all layers", |l| &self.layers[l])
    }
}

impl Measure {
    /// Nothing measured yet; `is_table` says by the name which layers are tables.
    ///
    /// # Errors
    /// [`Error::Layer`] for layers without entries.
    pub fn new(layers: Layers, is_table: impl Fn(&str) -> bool) -> Result<Self, Error> {
        if layers.dimension() == 0 {
            return Err(Error::Layer {
                name: "all".into(),
                problem: "has no entries",
            });
        }
        Ok(Self {
            stage: Stage::Mean(MeanGradient::new(layers.dimension())),
            grad_norms: Vec::new(),
            members: None,
            seen: 0,
            tables: layers.iter().map(|(name, _)| is_table(name)).collect(),
            layers,
        })
    }

    /// Series over the layers that are tables, or over the others.
    fn series(&self, tables: bool) -> Result<CoordinateSeries, Error> {
        let layers = self.layers.iter().zip(&self.tables);
        let chosen = layers.filter(|(_, is_table)| **is_table == tables);
        let ranges: Vec<_> = chosen.map(|((_, range), _)| range).collect();
        CoordinateSeries::new(self.layers.dimension(), &ranges, FOLLOWED)
    }

    /// Of the layers that are no tables the one with the most noise; `None` if there are no tables or nothing else.
    fn noisiest_beside_tables(&self, measured: &MeasuredNoise) -> Option<usize> {
        if !self.tables.contains(&true) {
            return None;
        }
        let trace = |l: &usize| measured.layers[*l].scale.trace;
        let layers = (0..self.tables.len()).filter(|&l| !self.tables[l]);
        layers.max_by(|a, b| trace(a).total_cmp(&trace(b)))
    }

    /// Number of gradients in this pass so far.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// Whether another pass is wanted.
    #[must_use]
    pub fn wants_pass(&self) -> bool {
        !matches!(self.stage, Stage::Done(_))
    }

    /// Adds the next gradient of this pass (shape: d).
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::NotFinite`], [`Error::TooLarge`]; nothing has changed then.
    pub fn push<F: Real>(&mut self, gradient: &[F]) -> Result<(), Error> {
        match &mut self.stage {
            Stage::Mean(mean) => {
                let member = |members: &Vec<usize>| members.binary_search(&self.seen).is_ok();
                if self.members.as_ref().is_none_or(member) {
                    mean.push(gradient)?;
                }
            }
            Stage::Noise {
                noise,
                series,
                example,
            } => {
                noise.push(gradient)?;
                for series in series {
                    series.push(gradient)?;
                }
                if example.is_empty() {
                    example.extend(gradient.iter().map(|&x| -> f64 { x.into() }));
                }
            }
            Stage::Done(_) => {}
        }
        self.seen += 1;
        Ok(())
    }

    /// Ends a pass: every gradient has been pushed once.
    ///
    /// # Errors
    /// [`Error::TooFew`] for fewer than 2 gradients; [`Error::Length`] if a pass had other than the
    /// first.
    pub fn end_pass(&mut self) -> Result<(), Error> {
        let d = self.layers.dimension();
        let next = match &self.stage {
            Stage::Mean(mean) => {
                let found = mean.finalize()?;
                if self.members.is_none() {
                    self.grad_norms = found.norms;
                }
                let mean = Mean {
                    gradient: found.gradient,
                    norms: self.grad_norms.clone(),
                };
                Stage::Noise {
                    noise: Box::new(Noise::with_entries(self.layers.clone(), mean)?),
                    series: [self.series(false)?, self.series(true)?],
                    example: Vec::new(),
                }
            }
            Stage::Noise {
                noise,
                series,
                example,
            } => {
                let measured = noise.finalize()?;
                let members = match self.members {
                    None => trimmed(&measured.norms.whole),
                    Some(_) => None, // once is enough
                };
                match members {
                    Some(members) => {
                        self.members = Some(members);
                        Stage::Mean(MeanGradient::new(d))
                    }
                    None => {
                        let snapshot_layer = self.noisiest_beside_tables(&measured);
                        let points = SNAPSHOT_POINTS;
                        let of = CoordinateSnapshot::of_member::<f64>;
                        let only_tables = self.tables.iter().all(|is_table| *is_table);
                        let snapshot = match only_tables {
                            true => None,
                            false => of(example, noise, snapshot_layer, points).ok(),
                        };
                        let layers = || self.layers.iter();
                        Stage::Done(Box::new(GradientNoise {
                            dimension: d,
                            layers: layers().map(|(name, _)| name.to_owned()).collect(),
                            layer_sizes: layers().map(|(_, range)| range.len()).collect(),
                            grad_norms: self.grad_norms.clone(),
                            mean_grad_norm: noise.mean_norm(),
                            recentred: self.members.is_some(),
                            noise: measured,
                            coordinates: series[0].finalize(),
                            table_coordinates: series[1].finalize(),
                            snapshot_layer: snapshot_layer.filter(|_| snapshot.is_some()),
                            snapshot,
                        }))
                    }
                }
            }
            Stage::Done(_) => return Ok(()),
        };
        self.stage = next;
        self.seen = 0;
        Ok(())
    }

    /// The result, once no pass is wanted.
    #[must_use]
    pub fn finish(self) -> Option<GradientNoise> {
        match self.stage {
            Stage::Done(noise) => Some(*noise),
            _ => None,
        }
    }

    /// Measures gradients that `pass` can produce again and again, in the same order.
    ///
    /// # Errors
    /// As [`push`](Self::push) and [`end_pass`](Self::end_pass), and those of `pass`.
    pub fn run<E: From<Error>>(
        layers: Layers,
        is_table: impl Fn(&str) -> bool,
        mut pass: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<GradientNoise, E> {
        let mut measure = Self::new(layers, is_table)?;
        while measure.wants_pass() {
            pass(&mut measure)?;
            measure.end_pass()?;
        }
        Ok(measure.finish().expect("no pass is wanted"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::centred_norms;

    fn gradients(n: usize, largest: f64) -> Vec<[f64; 3]> {
        let entry = |i: usize, j: usize| ((i * 37 + j * 11) % 101) as f64 / 50.0 - 1.0;
        let mut all: Vec<[f64; 3]> = (0..n)
            .map(|i| std::array::from_fn(|j| entry(i, j) + j as f64))
            .collect();
        all[n / 2][1] = largest;
        all
    }

    fn measured(all: &[[f64; 3]], is_table: impl Fn(&str) -> bool) -> GradientNoise {
        let layers = Layers::from_lengths([("a", 2), ("b", 1)]).unwrap();
        let pass = |m: &mut Measure| all.iter().try_for_each(|g| m.push(g));
        Measure::run::<Error>(layers, is_table, pass).unwrap()
    }

    #[test]
    fn a_snapshot_is_of_all_layers_or_of_one_that_is_no_table() {
        let all = gradients(40, 1.0);
        let seen = |is_table: fn(&str) -> bool| {
            let found = measured(&all, is_table);
            let entries = found.snapshot.as_ref().map(|snapshot| snapshot.raw.n);
            (entries, found.snapshot_of().to_string())
        };
        assert_eq!(seen(|_| false), (Some(3), "all layers".into()));
        assert_eq!(seen(|name| name == "b"), (Some(2), "a".into()));
        assert_eq!(seen(|name| name == "a"), (Some(1), "b".into()));
        assert_eq!(seen(|_| true).0, None);
    }

    #[test]
    fn norms_are_those_about_the_centre() {
        for largest in [1.0, 1e5] {
            let all = gradients(40, largest);
            let found = measured(&all, |name| name == "b");
            let flat: Vec<f64> = all.iter().flatten().copied().collect();
            let expected = centred_norms(&flat, 3).unwrap();
            for (x, y) in found.noise.norms.whole.iter().zip(&expected) {
                assert!((x - y).abs() <= 1e-12 * y, "{x} {y}");
            }
            assert_eq!(found.recentred, largest > 1.0);
            assert_eq!((found.layers.len(), found.layer_sizes[0]), (2, 2));
            assert_eq!(found.grad_norms.len(), 40);
            assert_eq!(found.coordinates.values.len(), 40);
            assert_eq!(
                (found.coordinates.followed, found.table_coordinates.followed),
                (2, 1)
            );
            assert_eq!(found.snapshot_layer, Some(0));
            let norm = all[0].iter().map(|x| x * x).sum::<f64>().sqrt();
            assert!((found.grad_norms[0] - norm).abs() < 1e-12);
        }
    }

    /// Stopped at any gradient of any pass, saved, and continued.
    #[test]
    fn an_interruption_leaves_no_trace() {
        let all = gradients(12, 1e6);
        let expected = measured(&all, |name| name == "b");
        assert!(expected.recentred);
        for stop in 0..48 {
            let layers = Layers::from_lengths([("a", 2), ("b", 1)]).unwrap();
            let mut measure = Measure::new(layers, |name| name == "b").unwrap();
            for step in 0..48 {
                if step == stop {
                    let saved = serde_json::to_string(&measure).unwrap();
                    measure = serde_json::from_str(&saved).unwrap();
                }
                measure.push(&all[measure.seen()]).unwrap();
                if measure.seen() == all.len() {
                    measure.end_pass().unwrap();
                }
            }
            assert_eq!(measure.finish().as_ref(), Some(&expected), "{stop}");
        }
    }

    #[test]
    fn bad_input() {
        assert!(Measure::new(Layers::whole(0), |_| false).is_err());
        let mut measure = Measure::new(Layers::whole(2), |_| false).unwrap();
        assert!(matches!(measure.push(&[1.0]), Err(Error::Length { .. })));
        assert!(matches!(
            measure.push(&[1.0, f64::NAN]),
            Err(Error::NotFinite { index: 1, .. })
        ));
        assert!(measure.end_pass().is_err());
        measure.push(&[1.0, 2.0]).unwrap();
        assert!(matches!(measure.end_pass(), Err(Error::TooFew { .. })));
        assert!(measure.wants_pass() && measure.finish().is_none());
    }
}
