//! Which of two laws describes the tail better? Vuong's likelihood-ratio test.
//!
//! Each law is truncated to x ≥ x_min and fitted there by maximum likelihood; with u = x/x_min,
//!
//! ```text
//! power law             α u^{−α−1}                          α: tail index, = exponent − 1
//! exponential           λ e^{−λ(u−1)}
//! lognormal             φ((ln u − m)/σ) / (σ u Φ(m/σ))
//! stretched exponential b λ u^{b−1} e^{−λ(u^b − 1)}
//! cut-off power law     u^{−a} e^{−λu} / ∫₁^∞ v^{−a} e^{−λv} dv
//! ```
//!
//! With lᵢ the difference of the two log-densities at value i, R = Σ lᵢ is positive if the first law
//! fits better, and
//!
//! ```text
//! p = erfc(|R| / √(2 n σ²)),      σ² = mean of (lᵢ − l̄)²
//! ```
//!
//! is the chance of so large an |R| where neither is better: **with a large p the sign of R means
//! nothing**. The power law is a limit of the last three. Where it beats all of them — for lognormal and
//! stretched exponential that is where the variance of ln u is at least its squared mean — the fit
//! *is* the power law, R = 0 and p = 1. It is nested in the cut-off power law:
//! there p = erfc(√|R|), from χ²₁.
//!
//! References: Vuong (1989), "Likelihood ratio tests for model selection and non-nested
//! hypotheses", Econometrica 57; Clauset, Shalizi & Newman (2009), SIAM Review 51, §5 and
//! appendix C.

use serde::{Deserialize, Serialize};
use statrs::function::erf::erfc;

use crate::Error;
use crate::sample::check_norms;
use crate::tail::power_law::MIN_TAIL;
use crate::tail::tail_law::{Points, TailLaw};

/// A family of laws for a tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Continuous power law.
    PowerLaw,
    /// Exponential law.
    Exponential,
    /// Lognormal law.
    Lognormal,
    /// Stretched exponential (Weibull) law.
    StretchedExponential,
    /// Power law with an exponential cut-off.
    CutoffPowerLaw,
}

/// A law fitted to the values from `x_min` on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TailFit {
    /// The law, or the power law where that is the limit in which the family fits best.
    pub law: TailLaw,
    /// Where the tail starts.
    pub x_min: f64,
    /// Number of values in it.
    pub n_tail: usize,
    /// Σ ln density of the values, in their unit.
    pub log_likelihood: f64,
}

/// The outcome of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LikelihoodRatio {
    /// The first law.
    pub first: TailFit,
    /// The second law.
    pub second: TailFit,
    /// R = ln L₁ − ln L₂: positive if the first fits better.
    pub log_ratio: f64,
    /// R/(σ√n), standard normal where neither is better. 0 if the laws are the same.
    pub normalized: f64,
    /// Two-sided p-value.
    pub p_value: f64,
}

/// The law of `family` that fits the `values` (non-negative) from `x_min` on best.
///
/// # Errors
/// [`Error::TooFew`] for fewer than [`MIN_TAIL`] values ≥ `x_min`, [`Error::NotFinite`],
/// [`Error::TooLarge`], [`Error::Negative`], [`Error::Parameter`] unless `x_min` is positive and
/// finite, [`Error::Constant`] if the values in the tail are equal.
pub fn fit_tail(values: &[f64], x_min: f64, family: Family) -> Result<TailFit, Error> {
    let points = tail(values, x_min)?;
    Ok(fit(&points, x_min, family))
}

/// Compares two families on the `values` (non-negative) from `x_min` on.
///
/// # Errors
/// As [`fit_tail`].
pub fn compare(
    values: &[f64],
    x_min: f64,
    first: Family,
    second: Family,
) -> Result<LikelihoodRatio, Error> {
    let points = tail(values, x_min)?;
    let nested = matches!(
        (first, second),
        (Family::PowerLaw, Family::CutoffPowerLaw) | (Family::CutoffPowerLaw, Family::PowerLaw)
    );
    let (first, second) = (fit(&points, x_min, first), fit(&points, x_min, second));
    let n = points.len() as f64;
    let (left, right) = (first.law.densities(&points), second.law.densities(&points));
    let differences: Vec<f64> = left.iter().zip(&right).map(|(a, b)| a - b).collect();
    let log_ratio: f64 = differences.iter().sum();
    let mean = log_ratio / n;
    let variance = differences.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / n;
    let same = first.law == second.law || variance == 0.0;
    let normalized = if same {
        0.0
    } else {
        log_ratio / (n * variance).sqrt()
    };
    let p_value = if nested {
        erfc(log_ratio.abs().sqrt())
    } else {
        erfc(normalized.abs() / std::f64::consts::SQRT_2)
    };
    Ok(LikelihoodRatio {
        first,
        second,
        log_ratio: if same { 0.0 } else { log_ratio },
        normalized,
        p_value,
    })
}

fn fit(points: &Points, x_min: f64, family: Family) -> TailFit {
    let law = match family {
        Family::PowerLaw => points.power_law(),
        Family::Exponential => points.exponential(),
        Family::Lognormal => points.lognormal(),
        Family::StretchedExponential => points.stretched_exponential(),
        Family::CutoffPowerLaw => points.cutoff_power_law(),
    };
    let n = points.len() as f64;
    TailFit {
        law,
        x_min,
        n_tail: points.len(),
        log_likelihood: law.densities(points).iter().sum::<f64>() - n * x_min.ln(),
    }
}

fn tail(values: &[f64], x_min: f64) -> Result<Points, Error> {
    const WHAT: &str = "a comparison of tails";
    if !(x_min > 0.0 && x_min.is_finite()) {
        return Err(Error::Parameter {
            name: "x_min",
            value: x_min,
            expected: "positive and finite",
        });
    }
    check_norms(WHAT, values, 0)?;
    let tail: Vec<f64> = values.iter().copied().filter(|&x| x >= x_min).collect();
    if tail.len() < MIN_TAIL {
        return Err(Error::TooFew {
            what: WHAT,
            needed: MIN_TAIL,
            found: tail.len(),
        });
    }
    if tail.iter().all(|&x| x == tail[0]) {
        return Err(Error::Constant { what: WHAT });
    }
    Ok(Points::new(&tail, x_min))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const ALL: [Family; 5] = [
        Family::PowerLaw,
        Family::Exponential,
        Family::Lognormal,
        Family::StretchedExponential,
        Family::CutoffPowerLaw,
    ];

    /// Quantile as a function of the share above.
    type Law = fn(f64) -> f64;

    fn draws(n: usize, law: Law) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(60);
        (0..n).map(|_| law(1.0 - rng.random::<f64>())).collect()
    }

    /// Each law is found where it is the truth: never beaten by more than chance, and it beats
    /// the exponential or the power law clearly.
    #[test]
    fn the_true_law_wins() {
        let truths: [(Family, Law); 3] = [
            (Family::PowerLaw, |u| u.powf(-0.5)),
            (Family::Exponential, |u| 1.0 - u.ln() / 1.5),
            (Family::StretchedExponential, |u| (1.0 - u.ln()).powi(2)),
        ];
        for (truth, law) in truths {
            let x = draws(2000, law);
            for family in ALL {
                let found = compare(&x, 1.0, truth, family).unwrap();
                assert!(
                    found.normalized > -2.0,
                    "{truth:?} beside {family:?}: {found:?}"
                );
            }
            let other = if truth == Family::PowerLaw {
                Family::Exponential
            } else {
                Family::PowerLaw
            };
            let found = compare(&x, 1.0, truth, other).unwrap();
            assert!(
                found.normalized > 3.0 && found.p_value < 0.003,
                "{truth:?}: {found:?}"
            );
        }
    }

    /// Logarithms more spread than exponential ones: no lognormal and no stretched exponential
    /// tail comes closer than the power law itself.
    #[test]
    fn limits_are_the_power_law() {
        let x = draws(500, |u| (-u.ln() * (1.0 - u.ln())).exp());
        let power = fit_tail(&x, 1.0, Family::PowerLaw).unwrap();
        for family in [
            Family::Lognormal,
            Family::StretchedExponential,
            Family::CutoffPowerLaw,
        ] {
            let found = compare(&x, 1.0, Family::PowerLaw, family).unwrap();
            assert_eq!(found.second, power, "{family:?}");
            assert_eq!(
                (found.log_ratio, found.normalized, found.p_value),
                (0.0, 0.0, 1.0)
            );
        }
    }

    #[test]
    fn the_unit_does_not_matter() {
        let x = draws(300, |u| (1.0 - u.ln()).powi(2));
        for family in ALL {
            let one = compare(&x, 1.0, Family::PowerLaw, family).unwrap();
            for unit in [1e-200, 1e60] {
                let scaled: Vec<f64> = x.iter().map(|x| x * unit).collect();
                let other = compare(&scaled, unit, Family::PowerLaw, family).unwrap();
                assert!(
                    (other.log_ratio - one.log_ratio).abs() < 1e-6,
                    "{family:?}, {unit}"
                );
            }
        }
    }

    #[test]
    fn bad_input() {
        for family in ALL {
            for n in [0, 1, 2, 9] {
                let found = fit_tail(&vec![2.0; n], 1.0, family);
                assert!(matches!(found, Err(Error::TooFew { .. })));
            }
            for constant in [2.0, 5e-324] {
                let found = fit_tail(&[constant; 20], constant, family);
                assert!(matches!(found, Err(Error::Constant { .. })));
            }
            for x_min in [0.0, -1.0, f64::NAN, f64::INFINITY] {
                let found = fit_tail(&[2.0; 20], x_min, family);
                assert!(matches!(found, Err(Error::Parameter { name: "x_min", .. })));
            }
            for bad in [f64::NAN, f64::INFINITY, -1.0, 1e80] {
                let mut x = draws(30, |u| 1.0 / u);
                x[3] = bad;
                assert!(compare(&x, 1.0, Family::PowerLaw, family).is_err());
            }
            // Hard ones: two values, one far outlier, a huge spread. An answer, and no NaN.
            let two: Vec<f64> = (0..20).map(|i| f64::from(1 + i % 2)).collect();
            let mut outlier = vec![1.0; 30];
            outlier[3] = 1e70;
            let near: Vec<f64> = (0..30).map(|i| 1.0 + 1e-9 * f64::from(i)).collect();
            let wide = draws(100, |u| (300.0 * (u - 0.5)).exp());
            for x in [two, outlier, near, wide] {
                let x_min = x.iter().copied().fold(f64::INFINITY, f64::min);
                let found = compare(&x, x_min, Family::PowerLaw, family).unwrap();
                assert!(
                    !found.log_ratio.is_nan() && !found.p_value.is_nan(),
                    "{family:?}: {found:?}"
                );
            }
        }
    }
}
