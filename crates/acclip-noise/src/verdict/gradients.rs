//! The verdict on measured gradients: whole, by layer, in single coordinates, and what else may be the cause.

use super::causes::{
    Finding, Frequencies, full_batch, heavy_noise, token_frequency, unequal_scales,
};
use super::{Diagnosis, diagnose};
use crate::Error;
use crate::stream::GradientNoise;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The verdict on one layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerDiagnosis {
    /// Its name.
    pub name: String,
    /// Number of entries.
    pub size: usize,
    /// Share of tr Σ that lies in this layer.
    pub noise_share: f64,
    /// Effective dimension of its noise, (Σλ)²/Σλ² of the variances of entries.
    pub effective_dimension: Option<f64>,
    /// The verdict on its norms; `None` if they are all equal, as of a layer that does not move.
    pub diagnosis: Option<Diagnosis>,
}

/// What measured gradients allow to be said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GradientDiagnosis {
    /// The verdict on ‖g − ∇f‖ of the whole gradient.
    #[serde(flatten)]
    pub whole: Diagnosis,
    /// The verdict on each layer.
    pub layers: Vec<LayerDiagnosis>,
    /// The verdict on single coordinates outside tables of tokens, each in its own unit; `None` if all
    /// that were followed are sparse.
    pub coordinates: Option<Diagnosis>,
    /// The same for coordinates of tables.
    pub table_coordinates: Option<Diagnosis>,
    /// tr Σ/‖∇f‖² in batches; `None` if the noise drowns the mean.
    pub noise_scale: Option<f64>,
    /// Whether ∇f is a trimmed mean, since one gradient moved the mean too far.
    pub recentred: bool,
    /// How often the classes occur, if that is known.
    pub frequencies: Option<Frequencies>,
    /// Evidence for and against each cause of a gap between SGD and Adam.
    pub causes: Vec<Finding>,
}

/// Diagnoses a measurement, with advice for `steps` training steps.
///
/// # Errors
/// As [`diagnose`] for the whole gradient.
pub fn diagnose_gradients(
    measured: &GradientNoise,
    frequencies: Option<Frequencies>,
    steps: u64,
) -> Result<GradientDiagnosis, Error> {
    let norms = &measured.noise.norms;
    let whole = diagnose(&norms.whole)?.advised(&measured.grad_norms, steps);
    let trace = measured.noise.whole.scale.trace;
    let layers = (0..measured.layers.len())
        .into_par_iter()
        .map(|l| {
            let noise = &measured.noise.layers[l];
            LayerDiagnosis {
                name: measured.layers[l].clone(),
                size: measured.layer_sizes[l],
                noise_share: noise.scale.trace / trace,
                effective_dimension: noise.effective_dimension,
                diagnosis: diagnose(&norms.layers[l]).ok(),
            }
        })
        .collect();
    let [coordinates, table_coordinates] =
        [&measured.coordinates, &measured.table_coordinates].map(|p| diagnose(&p.values).ok());
    let scale = &measured.noise.whole.scale;
    let [single, in_tables] =
        [&coordinates, &table_coordinates].map(|d| d.as_ref().map(|d| d.verdict));
    let mut causes = vec![heavy_noise(whole.verdict, single)];
    if let Some(snapshot) = &measured.snapshot {
        causes.extend(unequal_scales(snapshot, measured.snapshot_of()));
    }
    let sparse = &measured.coordinates;
    let sparse = (sparse.sparse, sparse.followed);
    causes.push(token_frequency(
        frequencies.as_ref(),
        single,
        in_tables,
        sparse,
    ));
    causes.push(full_batch(scale));
    Ok(GradientDiagnosis {
        whole,
        layers,
        coordinates,
        table_coordinates,
        noise_scale: scale.batches(),
        recentred: measured.recentred,
        frequencies,
        causes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::stable::SymmetricStable;
    use crate::stream::{Layers, Measure};
    use crate::verdict::causes::{Cause, is_table};
    use rand::distr::Distribution;
    use rand::{Rng, RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::StandardNormal;

    /// 600 gradients: layer "a" of 20 entries by `a`, "b" of 10 entries by `b`, "still" of 2 zeros.
    fn measured(
        mut a: impl FnMut(usize, &mut ChaCha8Rng) -> f64,
        mut b: impl FnMut(usize, &mut ChaCha8Rng) -> f64,
    ) -> GradientNoise {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let gradients: Vec<Vec<f64>> = (0..600)
            .map(|_| {
                let mut g: Vec<f64> = (0..20).map(|j| a(j, &mut rng)).collect();
                g.extend((0..10).map(|j| b(j, &mut rng)));
                g.extend([0.0; 2]);
                g
            })
            .collect();
        let layers = Layers::from_lengths([("a", 20), ("b", 10), ("still", 2)]).unwrap();
        Measure::run::<Error>(layers, is_table, |m| {
            gradients.iter().try_for_each(|g| m.push(g))
        })
        .unwrap()
    }

    fn normal(rng: &mut impl Rng) -> f64 {
        StandardNormal.sample(rng)
    }

    fn likely(found: &GradientDiagnosis, cause: Cause) -> bool {
        let mut all = found.causes.iter();
        all.find(|f| f.cause == cause).unwrap().likely
    }

    #[test]
    fn a_heavy_layer_is_told_from_a_light_one() {
        let law = SymmetricStable::new(1.3).unwrap();
        let found = measured(|_, rng| normal(rng), |_, rng| 0.2 * law.sample(rng));
        let found = diagnose_gradients(&found, None, 1000).unwrap();
        let verdict = |l: usize| found.layers[l].diagnosis.as_ref().map(|d| d.verdict);
        assert_eq!(verdict(0), Some(Verdict::Light));
        assert_eq!(verdict(1), Some(Verdict::InfiniteVariance));
        assert_eq!(verdict(2), None);
        assert_eq!(
            (found.layers[2].noise_share, found.layers[1].size),
            (0.0, 10)
        );
        let share: f64 = found.layers.iter().map(|l| l.noise_share).sum();
        assert!((share - 1.0).abs() < 1e-12 && found.layers[0].noise_share > 0.01);
        assert!(likely(&found, Cause::HeavyNoise));
        let json = serde_json::to_string(&found).unwrap();
        let back: GradientDiagnosis = serde_json::from_str(&json).unwrap();
        assert_eq!(back.whole.verdict, found.whole.verdict);
        assert!(json.starts_with("{\"verdict\":\""), "{json}");
    }

    #[test]
    fn unequal_scales_are_not_heavy_noise() {
        let scale = |j: usize| (3.0 * ((j * 7) % 20) as f64 / 10.0 - 3.0).exp();
        let found = measured(
            |j, rng| 3.0 * scale(j) * normal(rng),
            |_, rng| 0.01 * normal(rng),
        );
        let found = diagnose_gradients(&found, None, 1000).unwrap();
        assert_eq!(
            found.whole.verdict,
            Verdict::Light,
            "{}",
            found.whole.reason
        );
        assert_eq!(found.coordinates.as_ref().unwrap().verdict, Verdict::Light);
        assert!(!likely(&found, Cause::HeavyNoise));
    }

    /// Rows of an embedding whose token is rare: heavy by frequency, in the table alone.
    #[test]
    fn rare_tokens_are_told_from_heavy_noise() {
        let rare = |rng: &mut ChaCha8Rng| {
            let occurs = if rng.random_bool(0.03) { 12.0 } else { 1.0 };
            0.05 * occurs * normal(rng)
        };
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let gradients: Vec<Vec<f64>> = (0..600)
            .map(|_| {
                let mut g: Vec<f64> = (0..20).map(|_| normal(&mut rng)).collect();
                g.extend((0..10).map(|_| rare(&mut rng)));
                g
            })
            .collect();
        let layers = Layers::from_lengths([("dense", 20), ("word_embeddings", 10)]).unwrap();
        let found = Measure::run::<Error>(layers, is_table, |m| {
            gradients.iter().try_for_each(|g| m.push(g))
        });
        let found = diagnose_gradients(&found.unwrap(), None, 1000).unwrap();
        let verdict = |d: &Option<Diagnosis>| d.as_ref().unwrap().verdict;
        assert_eq!(verdict(&found.coordinates), Verdict::Light);
        assert_eq!(
            verdict(&found.table_coordinates),
            Verdict::HeavyFiniteVariance
        );
        assert!(likely(&found, Cause::TokenFrequency) && !likely(&found, Cause::HeavyNoise));
    }

    #[test]
    fn little_noise_points_to_full_batches_and_zipf_to_frequencies() {
        let found = measured(|_, rng| 1.0 + 0.1 * normal(rng), |_, rng| 0.1 * normal(rng));
        let zipf: Vec<f64> = (1..5000).map(|k| 1e6 / f64::from(k)).collect();
        let zipf = Frequencies::new(&zipf).unwrap();
        let found = diagnose_gradients(&found, Some(zipf), 1000).unwrap();
        assert!(likely(&found, Cause::FullBatch) && likely(&found, Cause::TokenFrequency));
        // tr Σ = 30 · 0.01, ‖∇f‖² = 20.
        assert!(
            (found.noise_scale.unwrap() - 0.015).abs() < 0.001,
            "{:?}",
            found.noise_scale
        );
    }
}
