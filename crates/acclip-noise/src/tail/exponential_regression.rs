//! Hill's estimator with its leading bias removed: the exponential regression model.
//!
//! The scaled log spacings Uⱼ = j (ln X₍ⱼ₎ − ln X₍ⱼ₊₁₎) of the k largest values average to Hill's
//! estimate. If the tail is a power law times (1 + a term of relative order x^{ρα}), they are
//! close to independent exponential variables whose mean drifts,
//!
//! ```text
//! Uⱼ ~ (ξ + b (j/(k + 1))^{−ρ}) · Exponential(1),       j = 1 … k,      ρ < 0
//! ```
//!
//! and ξ is the mean at the far end of the tail, j → 0. Here ρ = −1 (the value for
//! Student-t-like and stable laws is −2/α and −1; a wrong ρ leaves part of the bias, where Hill
//! leaves all of it), and ξ and b are fitted by maximum likelihood, which keeps the mean positive
//! throughout. At ρ = −1 the standard error is twice Hill's at the same k, but k may be several
//! times larger:
//!
//! ```text
//! k Var ξ̂ → ((1 − ρ)/ρ)² ξ² = 4 ξ²
//! ```
//!
//! The interval uses the information at the fitted means in place of that limit.
//!
//! References: Feuerverger & Hall (1999), "Estimating a tail exponent by modelling departure
//! from a Pareto distribution", Annals of Statistics 27; Beirlant, Dierckx, Goegebeur & Matthys
//! (1999), "Tail index estimation and an exponential regression model", Extremes 2.

use serde::{Deserialize, Serialize};

use crate::interval::LEVEL;
use crate::sample::check_norms;
use crate::tail::hill::descending_logs;
use crate::{Error, Interval};

/// Fewest values above the threshold.
pub const MIN_K: usize = 10;

/// The tail index with the drift of the mean log spacing taken out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RegressionEstimate {
    /// Number of values above the threshold.
    pub k: usize,
    /// Extreme-value index ξ with its 95 % interval, which may reach below 0.
    pub xi: Interval,
    /// Tail index α = 1/ξ; the ends are infinite where those of ξ are not positive.
    pub alpha: Interval,
    /// Drift b: the mean spacing is ξ at the far end of the tail and about ξ + b at the threshold.
    pub drift: f64,
}

/// The bias-reduced estimate from the `k` largest of `values` (shape: n > `k`, non-negative).
///
/// # Errors
/// [`Error::TooFew`] unless there are more than `k` values, [`Error::NotFinite`],
/// [`Error::TooLarge`], [`Error::Negative`], [`Error::Parameter`] unless `k` ≥ [`MIN_K`],
/// [`Error::Constant`] if the `k` + 1 largest are equal or not all positive, or if the fit runs
/// to ξ = 0, as it does for tails that end.
pub fn exponential_regression(values: &[f64], k: usize) -> Result<RegressionEstimate, Error> {
    const WHAT: &str = "the exponential regression";
    if k < MIN_K {
        return Err(Error::Parameter {
            name: "k",
            value: k as f64,
            expected: "at least 10",
        });
    }
    check_norms(WHAT, values, k.saturating_add(1))?;
    let logs = descending_logs(values);
    if logs.len() <= k || logs[0] == logs[k] {
        return Err(Error::Constant { what: WHAT });
    }
    let spacings: Vec<f64> = (0..k)
        .map(|i| (i + 1) as f64 * (logs[i] - logs[i + 1]))
        .collect();
    let mean = spacings.iter().sum::<f64>() / k as f64;
    let (relative, ratio, error) =
        maximum(&spacings, mean).ok_or(Error::Constant { what: WHAT })?;
    let xi = Interval::normal(relative * mean, error * mean);
    let inverse = |x: f64| if x > 0.0 { 1.0 / x } else { f64::INFINITY };
    Ok(RegressionEstimate {
        k,
        xi,
        alpha: Interval {
            low: inverse(xi.high),
            estimate: inverse(xi.estimate),
            high: inverse(xi.low),
            level: LEVEL,
        },
        drift: ratio * xi.estimate,
    })
}

/// (ξ/mean, b/ξ, standard error/mean) at the largest likelihood.
///
/// For a given ratio r = b/ξ the best ξ is the mean of Uⱼ/(1 + r tⱼ). With v = ln(1 + r) the profile
/// is searched on a grid and by golden section.
fn maximum(spacings: &[f64], mean: f64) -> Option<(f64, f64, f64)> {
    let n = spacings.len() as f64;
    let points: Vec<(f64, f64)> = (1..)
        .zip(spacings)
        .map(|(j, u)| (f64::from(j) / (n + 1.0), u / mean))
        .collect();
    let xi = |r: f64| points.iter().map(|(t, u)| u / (1.0 + r * t)).sum::<f64>() / n;
    let value = |v: f64| {
        let r = v.exp() - 1.0;
        let drift: f64 = points.iter().map(|(t, _)| (r * t).ln_1p()).sum();
        -n * xi(r).ln() - drift
    };
    // r from −1 + e^{−8} to e^{12}: at either end the model is no longer one of a power law.
    let grid: Vec<f64> = (-32..=48).map(|i| f64::from(i) / 4.0).collect();
    let best = *grid
        .iter()
        .max_by(|a, b| value(**a).total_cmp(&value(**b)))?;
    if best == grid[grid.len() - 1] {
        return None;
    }
    let v = crate::tail::ks::golden_maximum(best - 0.25, best + 0.25, value);
    let r = v.exp() - 1.0;
    let xi = xi(r);
    // Expected information of (ξ, b) at the maximum: Σ (1, t)(1, t)ᵀ / (ξ + b t)².
    let [mut a, mut b, mut c] = [0.0; 3];
    for (t, _) in &points {
        let weight = (xi * (1.0 + r * t)).powi(-2);
        a += weight;
        b += weight * t;
        c += weight * t * t;
    }
    Some((xi, r, (c / (a * c - b * b)).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::hill::hill;

    /// n values whose scaled spacings are exactly ξ + b t, t = j/(k + 1), in place of exponential.
    fn drifting(k: usize, xi: f64, b: f64) -> Vec<f64> {
        let mut log = 0.0;
        let mut values = vec![1.0];
        for j in (1..=k).rev() {
            log += (xi + b * j as f64 / (k + 1) as f64) / j as f64;
            values.push(f64::exp(log));
        }
        values
    }

    #[test]
    fn the_drift_is_taken_out() {
        for (xi, b) in [(0.5, 0.0), (0.5, 0.5), (0.5, -0.3), (0.2, 1.0), (1.5, -1.0)] {
            let values = drifting(200, xi, b);
            let fit = exponential_regression(&values, 200).unwrap();
            assert!((fit.xi.estimate - xi).abs() < 1e-6, "{xi}, {b}: {}", fit.xi);
            assert!((fit.drift - b).abs() < 1e-6, "{xi}, {b}: {}", fit.drift);
            assert!((fit.alpha.estimate - 1.0 / xi).abs() < 1e-4);
            let plain = 1.0 / hill(&values, 200).unwrap().alpha.estimate;
            assert!((plain - xi - b / 2.0).abs() < 1e-9);
        }
    }

    /// Without drift, the standard error is twice Hill's.
    #[test]
    fn the_standard_error_tends_to_its_limit() {
        let fit = exponential_regression(&drifting(2000, 0.5, 0.0), 2000).unwrap();
        let error = (fit.xi.high - 0.5) / crate::interval::Z;
        assert!(
            (error * 2000.0_f64.sqrt() / (2.0 * 0.5) - 1.0).abs() < 0.01,
            "{error}"
        );
        assert!((fit.alpha.low - 1.0 / fit.xi.high).abs() < 1e-12);
        assert!((fit.alpha.high - 1.0 / fit.xi.low).abs() < 1e-12);
    }

    #[test]
    fn a_wide_interval_reaches_infinity() {
        let fit = exponential_regression(&drifting(10, 0.1, 2.0), 10).unwrap();
        assert!(fit.xi.low < 0.0 && fit.alpha.high == f64::INFINITY);
    }

    #[test]
    fn bad_input() {
        let run = exponential_regression;
        for n in [0, 1, 2, 10] {
            assert!(matches!(run(&vec![1.0; n], 10), Err(Error::TooFew { .. })));
        }
        for k in [0, 9] {
            assert!(matches!(
                run(&[1.0; 20], k),
                Err(Error::Parameter { name: "k", .. })
            ));
        }
        assert!(run(&[1.0; 20], usize::MAX).is_err());
        for constant in [0.0, 3.0, 5e-324] {
            assert!(matches!(
                run(&[constant; 20], 10),
                Err(Error::Constant { .. })
            ));
        }
        for bad in [f64::NAN, f64::INFINITY, -1.0, 1e80] {
            let mut x = drifting(20, 0.5, 0.2);
            x[7] = bad;
            assert!(run(&x, 10).is_err());
        }
        // Ties beyond the threshold, and a tail that ends.
        let ties: Vec<f64> = (0..30)
            .map(|i| if i < 3 { 9.0 } else { 1.0 + f64::from(i / 10) })
            .collect();
        if let Ok(fit) = run(&ties, 15) {
            assert!(fit.xi.estimate.is_finite());
        }
        let ends: Vec<f64> = (0..400).map(|i| 10.0 - f64::from(i) / 40.0).collect();
        match run(&ends, 300) {
            Ok(fit) => assert!(fit.xi.estimate < 0.05),
            Err(error) => assert!(matches!(error, Error::Constant { .. })),
        }
    }
}
