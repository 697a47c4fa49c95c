//! Results of runs and measurements, made up for tests.

use crate::plan::{Cell, Plan};
use crate::runner::{Measured, Noise};
use acclip_noise::diagnose;
use acclip_noise::pictures::moments::Moments;
use acclip_noise::pictures::noise_scale::NoiseScale;
use acclip_noise::stream::{
    CoordinateSeries, CoordinateSnapshot, GradientNoise, LayerNoise, MeasuredNoise, Norms,
};
use acclip_noise::verdict::causes::Frequencies;
use acclip_train::compare::summary::Row;
use acclip_train::{Config, CorpusFacts, Measurement, RunResult, Timing, Validation};
use std::collections::BTreeMap;

/// Quantiles of a Pareto law with tail index `alpha`.
pub fn pareto(alpha: f64, n: usize) -> Vec<f64> {
    let u = |i: usize| (i as f64 + 0.5) / n as f64;
    (0..n).map(|i| u(i).powf(-1.0 / alpha)).collect()
}

/// Norms that grow evenly: light.
pub fn even(n: usize) -> Vec<f64> {
    (0..n).map(|i| 1.0 + i as f64 / 1e4).collect()
}

/// A measurement of norms, each split among layers in fixed shares of its square.
pub fn noise(step: u64, seed: u64, norms: &[f64], layers: &[(&str, f64)]) -> Noise {
    let dimension = layers.len();
    let series = CoordinateSeries::new(dimension, &[], 1).unwrap();
    let of_layer = LayerNoise {
        scale: NoiseScale {
            trace: 1.0,
            squared_mean: 1.0,
        },
        effective_dimension: None,
    };
    let split = |share: f64| norms.iter().map(|x| x * share.sqrt()).collect();
    let gradients = GradientNoise {
        dimension,
        layers: layers.iter().map(|(name, _)| name.to_string()).collect(),
        layer_sizes: vec![1; layers.len()],
        grad_norms: norms.to_vec(),
        mean_grad_norm: 1.0,
        recentred: false,
        noise: MeasuredNoise {
            norms: Norms {
                layers: layers.iter().map(|(_, share)| split(*share)).collect(),
                whole: norms.to_vec(),
            },
            whole: of_layer,
            layers: vec![of_layer; layers.len()],
        },
        coordinates: series.finalize(),
        table_coordinates: series.finalize(),
        snapshot: None,
        snapshot_layer: None,
    };
    Noise {
        step,
        seed,
        diagnosis: diagnose(norms).unwrap(),
        measurement: Measurement {
            step,
            gradients,
            frequencies: Frequencies::new(&[1.0]).unwrap(),
            timing: Timing::default(),
        },
    }
}

/// 50 entries of this excess kurtosis.
pub fn snapshot(excess: f64) -> CoordinateSnapshot {
    let mut raw = Moments::of(&[0.0, 1.0, 3.0]).finalize().unwrap();
    (raw.n, raw.excess_kurtosis) = (50, Some(excess));
    CoordinateSnapshot {
        others: 9,
        raw,
        standardised: None,
        gaussian_excess_kurtosis: Some(1.5),
        still: 0,
        alone: 0,
        raw_sample: Vec::new(),
        standardised_sample: Vec::new(),
    }
}

/// An optimizer with these losses on seeds 1, 2, …, `None` where it diverged. A run has `perplexity` = e^loss,
/// `next_accuracy` = loss / 10 and `masked_loss` = loss / 2.
pub fn row(optimizer: &str, losses: &[Option<f64>]) -> Row {
    let run = |(seed, loss): (u64, &Option<f64>)| {
        let at = |step: u64, loss: f64| Validation {
            step,
            train_loss: (step > 0).then_some(loss + 1.0),
            loss,
            accuracy: None,
            scores: BTreeMap::new(),
        };
        let curve = loss
            .iter()
            .flat_map(|x| [at(0, 9.0), at(5, 2.0 * x), at(9, *x)]);
        let scores = loss.iter().flat_map(|x| {
            let scores = [
                ("perplexity", x.exp()),
                ("next_accuracy", x / 10.0),
                ("masked_loss", x / 2.0),
            ];
            scores.map(|(name, x)| (name.to_string(), x))
        });
        RunResult {
            optimizer: optimizer.into(),
            learning_rate: 0.1,
            threshold: None,
            seed,
            diverged_at: loss.is_none().then_some(3),
            steps: 9,
            valid_step: loss.map(|_| 9),
            valid_loss: *loss,
            valid_accuracy: loss.map(|loss| loss / 4.0),
            scores: scores.collect(),
            clip_rate: 0.5,
            curve: curve.collect(),
            timing: Timing::default(),
        }
    };
    let ended: Vec<f64> = losses.iter().flatten().copied().collect();
    Row {
        optimizer: optimizer.into(),
        learning_rate: (!losses.is_empty()).then_some(0.1),
        threshold: None,
        at_edge: false,
        diverged_settings: 0,
        diverged_seeds: losses.iter().filter(|loss| loss.is_none()).count(),
        loss_mean: (!ended.is_empty()).then(|| ended.iter().sum::<f64>() / ended.len() as f64),
        losses: ended,
        loss_sd: None,
        accuracy_mean: None,
        accuracy_sd: None,
        clip_rate: 0.5,
        behind: None,
        p_adjusted: None,
        tuning: Vec::new(),
        finals: (1..).zip(losses).map(run).collect(),
    }
}

/// A cell of a plan.
pub fn cell(name: &str, noise_at: &[u64]) -> Cell {
    Cell {
        name: name.into(),
        title: format!("Cell {name}"),
        noise_at: noise_at.to_vec(),
        race: false,
        config: Config::resolve(Some("smoke"), None, &[]).unwrap(),
    }
}

/// What was measured in it: nothing yet.
pub fn measured(cell: &Cell) -> Measured<'_> {
    Measured {
        cell,
        facts: CorpusFacts {
            source: "here".into(),
            content: "much".into(),
            crc32: 0,
            labels: 7,
            train_examples: 100,
            valid_examples: 10,
        },
        model: ("a model".into(), 12),
        noise: Vec::new(),
        rows: Vec::new(),
        settings: 6,
        scanned: Vec::new(),
        diverged: Vec::new(),
    }
}

/// A plan with these lines besides, on cells `a` and `b` that have everything.
pub fn plan(lines: &str) -> Plan {
    let cell = |name: &str| {
        format!(
            "[cells.{name}]\ntitle = \"Cell {name}\"\ndata = \"text\"\nnoise_at = [0, 5]\nrace = true\n"
        )
    };
    let text = format!(
        "minutes = 1\nmargin = 0.1\n{}{}{lines}",
        cell("a"),
        cell("b")
    );
    Plan::parse("plan", &text).unwrap()
}
