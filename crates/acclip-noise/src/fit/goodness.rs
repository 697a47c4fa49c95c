//! Is the fitted stable law the right one? Distances and their p-values.
//!
//! For the ascending sample and the fitted distribution function F,
//!
//! ```text
//! KS = max_i max(i/n − F(x₍ᵢ₎), F(x₍ᵢ₎) − (i − 1)/n)
//! A² = −n − (1/n) Σ (2i − 1) (ln F(x₍ᵢ₎) + ln(1 − F(x₍ₙ₊₁₋ᵢ₎)))
//! ```
//!
//! A² gives the tails weight. As the law was fitted to the same sample, the tables of either test do not
//! apply; the p-values come from samples of the fitted law that are fitted again, by McCulloch's
//! quantiles as the sample itself (parametric bootstrap). They are (1 + number at least as far)/(1 +
//! replicates).
//!
//! *Accuracy*: F is tabulated so that KS and A²/n are within 1e-4.
//!
//! References: Anderson & Darling (1952), Annals of Mathematical Statistics 23; Stute, González
//! Manteiga & Presedo Quindimil (1993), Metrika 40 (the parametric bootstrap).

use rand::{Rng, RngExt};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::mcculloch;
use super::{Symmetry, check};
use crate::Error;
use crate::sample::sorted;
use crate::stable::{S0, Stable, Table};

/// Neglected Chebyshev coefficient of ln F and ln(1 − F).
const TOLERANCE: f64 = 1e-5;

const WHAT: &str = "the goodness of fit";

/// Distances between a sample and a law.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Distances {
    /// Kolmogorov and Smirnov's distance, in [0, 1].
    pub kolmogorov_smirnov: f64,
    /// Anderson and Darling's A².
    pub anderson_darling: f64,
}

/// Distances to the fitted law, and how usual they are if the law is right.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Goodness {
    /// The law fitted by McCulloch's quantiles, to which the distances are measured.
    pub law: S0,
    /// The distances.
    pub distances: Distances,
    /// Share of samples of the law with at least this Kolmogorov–Smirnov distance.
    pub kolmogorov_smirnov_p: f64,
    /// The same of A².
    pub anderson_darling_p: f64,
    /// Number of samples that were drawn.
    pub replicates: usize,
}

/// Distances of `values` (shape: n ≥ 1, any order) to `law`.
///
/// # Errors
/// [`Error::TooFew`], [`Error::NotFinite`], [`Error::TooLarge`].
pub fn distances(values: &[f64], law: &Stable) -> Result<Distances, Error> {
    crate::sample::check(WHAT, values, 1)?;
    Ok(measure(&sorted(values), law))
}

/// Fits a law to `values` (shape: n ≥ 10) and finds the p-values of its distances from `replicates` samples,
/// on all threads. Takes one `u64` from `rng`.
///
/// # Errors
/// Those of [`mcculloch::mcculloch`]; [`Error::Parameter`] if `replicates` is 0.
pub fn goodness<R: Rng + ?Sized>(
    values: &[f64],
    symmetry: Symmetry,
    replicates: usize,
    rng: &mut R,
) -> Result<Goodness, Error> {
    check(WHAT, values, 0)?;
    let s0 = mcculloch::estimate(values, symmetry)?;
    if replicates == 0 {
        return Err(Error::Parameter {
            name: "replicates",
            value: 0.0,
            expected: "at least 1",
        });
    }
    let law = Stable::try_from(s0)?;
    let found = measure(&sorted(values), &law);
    let (key, n) = (rng.random::<u64>(), values.len());
    let drawn: Vec<Distances> = (0..replicates)
        .into_par_iter()
        .filter_map(|replicate| {
            let mut draws = vec![0.0; n];
            law.fill_from(&mut draws, key, (replicate * n) as u64);
            let refit = Stable::try_from(mcculloch::estimate(&draws, symmetry).ok()?).ok()?;
            Some(measure(&sorted(&draws), &refit))
        })
        .collect();
    let p = |of: fn(&Distances) -> f64| {
        let further = drawn.iter().filter(|d| of(d) >= of(&found)).count();
        (1 + further) as f64 / (1 + drawn.len()) as f64
    };
    Ok(Goodness {
        law: s0,
        distances: found,
        kolmogorov_smirnov_p: p(|d| d.kolmogorov_smirnov),
        anderson_darling_p: p(|d| d.anderson_darling),
        replicates: drawn.len(),
    })
}

/// Both distances of an ascending sample.
fn measure(sorted: &[f64], law: &Stable) -> Distances {
    let logs = log_probabilities(sorted, law);
    let n = sorted.len() as f64;
    let mut distance = 0.0_f64;
    let mut sum = 0.0;
    for (i, (log_below, log_above)) in logs.iter().enumerate() {
        let probability = log_below.exp();
        let steps = ((i + 1) as f64 / n - probability).max(probability - i as f64 / n);
        distance = distance.max(steps);
        // ln(1 − F(x₍ₙ₊₁₋ᵢ₎)) with 2i − 1 is ln(1 − F(x₍ᵢ₎)) with 2(n + 1 − i) − 1.
        sum += (2 * i + 1) as f64 * log_below + (2.0 * n - (2 * i + 1) as f64) * log_above;
    }
    Distances {
        kolmogorov_smirnov: distance,
        anderson_darling: -n - sum / n,
    }
}

/// ln F and ln(1 − F) at each value: whichever is smaller from a table, the other from it.
fn log_probabilities(sorted: &[f64], law: &Stable) -> Vec<(f64, f64)> {
    let s0 = law.s0();
    let z = |x: f64| (x - s0.location) / s0.scale;
    let standard = S0 {
        scale: 1.0,
        location: 0.0,
        ..s0
    };
    let standard = Stable::try_from(standard).unwrap_or(*law);
    let middle = mcculloch::median(&s0);
    let (low, high) = (z(sorted[0]), z(sorted[sorted.len() - 1]));
    let log_cdf = |z: f64| standard.cdf(z).max(f64::MIN_POSITIVE).ln();
    let log_sf = |z: f64| standard.sf(z).max(f64::MIN_POSITIVE).ln();
    let left = (low < middle).then(|| Table::new(low, middle.min(high), TOLERANCE, log_cdf));
    let right = (high >= middle).then(|| Table::new(middle.max(low), high, TOLERANCE, log_sf));
    let complement = |log: f64| (-log.exp()).ln_1p();
    let log_probability = |x: &f64| {
        let z = z(*x);
        let of = |table: &Option<Table>| table.as_ref().map_or(f64::NAN, |table| table.at(z));
        let or = |log: f64, direct: &dyn Fn(f64) -> f64| if log.is_nan() { direct(z) } else { log };
        if z < middle {
            let below = or(of(&left), &log_cdf).min(-f64::EPSILON);
            (below, complement(below))
        } else {
            let above = or(of(&right), &log_sf).min(-f64::EPSILON);
            (complement(above), above)
        }
    };
    sorted.iter().map(log_probability).collect()
}
