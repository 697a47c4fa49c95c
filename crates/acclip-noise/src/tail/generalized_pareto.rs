//! Peaks over a threshold: the generalised Pareto law by maximum likelihood.
//!
//! Beyond a high threshold u, excesses y = x − u of almost any law follow
//!
//! ```text
//! P(Y > y) = (1 + ξ y/β)^{−1/ξ}          ξ > 0: power law with tail index α = 1/ξ
//!          = exp(−y/β)                   ξ = 0: exponential; ξ < 0: the tail ends at −β/ξ
//! ```
//!
//! Grimshaw's reduction makes the search one-dimensional: with θ = ξ/β,
//!
//! ```text
//! ξ(θ) = mean ln(1 + θ yᵢ)           ℓ(θ)/k = −ln(ξ(θ)/θ) − ξ(θ) − 1
//! ```
//!
//! The best θ of a grid (from the end of the admissible range to 2⁴⁰ over the mean excess) is
//! then polished by Newton's method in (ξ, ln β). Standard errors are from the observed
//! information. Only ξ > −1/2 has them by theory, and ξ ≤ −1 no maximum at all: a fit that runs
//! there is an error. The interval [`GeneralizedParetoFit::xi_profile`] is all ξ whose likelihood,
//! maximised over β, is within χ²₁(0.95)/2 of the maximum; it is not symmetric, and covers better
//! for small k. It ends at −1.
//!
//! Measured coverage of the nominal 95 %: see [`crate::tail`].
//!
//! References: Pickands (1975), Annals of Statistics 3; Smith (1985), Biometrika 72; Grimshaw
//! (1993), "Computing maximum likelihood estimates for the generalized Pareto distribution",
//! Technometrics 35; McNeil (1997), ASTIN Bulletin 27.

use serde::{Deserialize, Serialize};
use statrs::function::erf::erfc;

use crate::interval::{LEVEL, Z};
use crate::sample::{check, sorted};
use crate::{Error, Interval};

/// Fewest values above the threshold.
pub const MIN_EXCESSES: usize = 10;

const WHAT: &str = "a generalised Pareto fit";

/// A generalised Pareto law above a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GeneralizedParetoFit {
    /// Threshold u, in the unit of the values.
    pub threshold: f64,
    /// Number of values above it.
    pub k: usize,
    /// Extreme-value index ξ ± z · standard error.
    pub xi: Interval,
    /// ξ with its profile-likelihood interval.
    pub xi_profile: Interval,
    /// Scale β ± z · standard error, in the unit of the values.
    pub beta: Interval,
    /// Standard error of ξ.
    pub xi_standard_error: f64,
    /// Standard error of β, in the unit of the values.
    pub beta_standard_error: f64,
    /// Σ ln density of the excesses, in the unit of the values.
    pub log_likelihood: f64,
    /// Twice the gain in log-likelihood over the exponential law, ξ = 0.
    pub exponential_statistic: f64,
    /// Its p-value, from χ²₁: small if the tail is not exponential.
    pub exponential_p: f64,
}

/// The law of the excesses of `values` (any sign) over `threshold`. Values at or below it are not
/// used.
///
/// # Errors
/// [`Error::TooFew`] for fewer than [`MIN_EXCESSES`] values above `threshold`,
/// [`Error::NotFinite`], [`Error::TooLarge`]; [`Error::Parameter`] if `threshold` is not finite;
/// [`Error::Constant`] if the excesses are equal, or so bounded that the likelihood has no
/// maximum with ξ > −1.
pub fn generalized_pareto(values: &[f64], threshold: f64) -> Result<GeneralizedParetoFit, Error> {
    if !threshold.is_finite() {
        return Err(Error::Parameter {
            name: "threshold",
            value: threshold,
            expected: "finite",
        });
    }
    check(WHAT, values, 0)?;
    let above = values.iter().filter(|&&x| x > threshold);
    let excesses: Vec<f64> = above.map(|x| x - threshold).collect();
    fit(&excesses, threshold)
}

/// The same over the (`k` + 1)-th largest value; fewer than `k` are used if values tie with it.
///
/// # Errors
/// As [`generalized_pareto`]; [`Error::TooFew`] unless there are more than `k` values.
pub fn generalized_pareto_k(values: &[f64], k: usize) -> Result<GeneralizedParetoFit, Error> {
    check(WHAT, values, k.max(MIN_EXCESSES).saturating_add(1))?;
    generalized_pareto(values, sorted(values)[values.len() - 1 - k])
}

fn fit(excesses: &[f64], threshold: f64) -> Result<GeneralizedParetoFit, Error> {
    let k = excesses.len();
    if k < MIN_EXCESSES {
        return Err(Error::TooFew {
            what: WHAT,
            needed: MIN_EXCESSES,
            found: k,
        });
    }
    if excesses.iter().all(|&y| y == excesses[0]) {
        return Err(Error::Constant { what: WHAT });
    }
    let n = k as f64;
    // In units of the mean excess, taken in two steps so that subnormal ones survive.
    let largest = excesses.iter().copied().fold(0.0, f64::max);
    let mean = excesses.iter().map(|y| y / largest).sum::<f64>() / n;
    let unit = largest * mean;
    let y: Vec<f64> = excesses.iter().map(|y| y / largest / mean).collect();

    let (xi, log_beta) = maximum(&y).ok_or(Error::Constant { what: WHAT })?;
    let best = Derivatives::at(&y, xi, log_beta);
    let [a, b, c] = best.information;
    let determinant = a * c - b * b;
    if !(a > 0.0 && determinant > 0.0) {
        return Err(Error::Constant { what: WHAT });
    }
    let (xi_error, log_beta_error) = ((c / determinant).sqrt(), (a / determinant).sqrt());
    let beta = log_beta.exp();
    let log_likelihood = log_likelihood(&y, xi, log_beta);
    // The exponential law has mean 1 here, so its log-likelihood is −n.
    let statistic = (2.0 * (log_likelihood + n)).max(0.0);
    let bound = log_likelihood - Z * Z / 2.0;
    Ok(GeneralizedParetoFit {
        threshold,
        k,
        xi: Interval::normal(xi, xi_error),
        xi_profile: Interval {
            low: profile_end(&y, (xi, log_beta), bound, -1.0),
            estimate: xi,
            high: profile_end(&y, (xi, log_beta), bound, 1.0),
            level: LEVEL,
        },
        beta: Interval::normal(beta * unit, beta * log_beta_error * unit),
        xi_standard_error: xi_error,
        beta_standard_error: beta * log_beta_error * unit,
        log_likelihood: log_likelihood - n * unit.ln(),
        exponential_statistic: statistic,
        exponential_p: erfc((statistic / 2.0).sqrt()),
    })
}

/// ℓ(ξ, ln β); −∞ outside the range of the law.
fn log_likelihood(y: &[f64], xi: f64, log_beta: f64) -> f64 {
    let scale = (-log_beta).exp();
    let sum: f64 = y
        .iter()
        .map(|y| {
            let (z, w) = (y * scale, xi * y * scale);
            if w.abs() < 1e-8 {
                (1.0 + xi) * z * (1.0 - w / 2.0)
            } else {
                (1.0 + 1.0 / xi) * w.ln_1p()
            }
        })
        .sum();
    if sum.is_nan() {
        return f64::NEG_INFINITY;
    }
    -(y.len() as f64) * log_beta - sum
}

/// Score and observed information of ℓ in (ξ, ln β).
struct Derivatives {
    score: [f64; 2],
    /// −∂²ℓ/∂ξ², −∂²ℓ/∂ξ∂ln β, −∂²ℓ/∂(ln β)².
    information: [f64; 3],
}

impl Derivatives {
    fn at(y: &[f64], xi: f64, log_beta: f64) -> Self {
        let scale = (-log_beta).exp();
        let mut score = [0.0; 2];
        let mut information = [0.0; 3];
        for y in y {
            let z = y * scale;
            let w = xi * z;
            let r = z / (1.0 + w);
            let (first, second) = differences(w);
            score[0] += z * z * first - r;
            score[1] += (1.0 + xi) * r - 1.0;
            information[0] -= z * z * z * second + r * r;
            information[1] -= r - (1.0 + xi) * r * r;
            information[2] += (1.0 + xi) * r / (1.0 + w);
        }
        Self { score, information }
    }
}

/// With L = ln(1 + w) and s = w/(1 + w): (L − s)/w² and (s² + 2s − 2L)/w³, by their series
/// Σ (−1)^m (1 − 1/m) w^{m−2} and Σ (−1)^m (2/m + m − 3) w^{m−3} near 0.
fn differences(w: f64) -> (f64, f64) {
    if w.abs() > 0.02 {
        let (l, s) = (w.ln_1p(), w / (1.0 + w));
        return ((l - s) / (w * w), (s * (s + 2.0) - 2.0 * l) / (w * w * w));
    }
    let (mut first, mut second, mut power) = (0.0, 0.0, 1.0);
    for m in 2..12 {
        let m = f64::from(m);
        first += power * (1.0 - 1.0 / m);
        second -= power * (2.0 / (m + 1.0) + m - 2.0);
        power *= -w;
    }
    (first, second)
}

/// (ξ, ln β) of the largest local maximum with ξ > −1 for excesses of mean 1.
fn maximum(y: &[f64]) -> Option<(f64, f64)> {
    let n = y.len() as f64;
    let largest = y.iter().copied().fold(0.0, f64::max);
    // From θ = 0, where ξ = 0 and β = 1, into both directions.
    let grid = (-30..=40)
        .map(|j| 2.0_f64.powi(j))
        .chain((1..40).map(|j| -(1.0 - 0.75_f64.powi(j)) / largest));
    let mut best = (-n, 0.0, 0.0);
    for theta in grid {
        let xi = y.iter().map(|y| (theta * y).ln_1p()).sum::<f64>() / n;
        let log_beta = (xi / theta).ln();
        let value = -n * (log_beta + xi + 1.0);
        if xi > -1.0 && value > best.0 {
            best = (value, xi, log_beta);
        }
    }
    let (mut value, mut xi, mut log_beta) = best;
    for _ in 0..200 {
        let Derivatives {
            score: [u, v],
            information: [a, b, c],
        } = Derivatives::at(y, xi, log_beta);
        let determinant = a * c - b * b;
        // Newton where the likelihood is concave, steepest ascent elsewhere.
        let (dx, db) = if a > 0.0 && determinant > 0.0 {
            ((c * u - b * v) / determinant, (a * v - b * u) / determinant)
        } else {
            (u / n, v / n)
        };
        let size = dx.abs().max(db.abs());
        if size < 1e-13 * (1.0 + xi.abs()) {
            break;
        }
        // Halve the step until it climbs; at the summit, rounding decides.
        let mut share = 1.0;
        let climbed = loop {
            let next = (xi + share * dx, log_beta + share * db);
            let found = log_likelihood(y, next.0, next.1);
            let rounding = if size < 1e-6 { 1e-12 * n } else { 0.0 };
            if next.0 > -1.0 && found >= value - rounding {
                (value, xi, log_beta) = (found, next.0, next.1);
                break true;
            }
            share /= 2.0;
            if share < 1e-10 {
                break false;
            }
        };
        if !climbed {
            break;
        }
    }
    let [u, v] = Derivatives::at(y, xi, log_beta).score;
    (u.abs().max(v.abs()) < 1e-6 * n && xi > -1.0).then_some((xi, log_beta))
}

/// ξ on one side of the maximum at which max over β of ℓ falls to `bound`; −1 at the least.
fn profile_end(y: &[f64], (xi, log_beta): (f64, f64), bound: f64, side: f64) -> f64 {
    let inside = |x: f64| profile(y, x, log_beta) >= bound;
    let mut near = xi;
    let mut step = side * 0.1;
    let mut far = loop {
        let far = (near + step).max(-1.0);
        if !inside(far) {
            break far;
        }
        if far <= -1.0 || far > 1e6 {
            return far;
        }
        near = far;
        step *= 2.0;
    };
    while (far - near).abs() > 1e-10 * (1.0 + near.abs()) {
        let middle = near.midpoint(far);
        if inside(middle) {
            near = middle;
        } else {
            far = middle;
        }
    }
    near.midpoint(far)
}

/// max over ln β of ℓ(ξ, ln β), which has one maximum for ξ > −1: bisection on its derivative.
/// At ξ = −1 the law is uniform, and β the largest excess.
fn profile(y: &[f64], xi: f64, start: f64) -> f64 {
    let n = y.len() as f64;
    let largest = y.iter().copied().fold(0.0, f64::max);
    if xi <= -1.0 {
        return -n * largest.ln();
    }
    // ln β must exceed ln(−ξ max y) when ξ < 0.
    let floor = if xi < 0.0 {
        (-xi * largest).ln()
    } else {
        f64::NEG_INFINITY
    };
    let slope = |b: f64| {
        let scale = (-b).exp();
        let sum: f64 = y.iter().map(|y| y * scale / (1.0 + xi * y * scale)).sum();
        (1.0 + xi) * sum - n
    };
    let (mut low, mut high) = (floor.max(start - 1.0), start.max(floor) + 1.0);
    while low > floor && slope(low) < 0.0 {
        low = (low - 2.0).max(floor);
    }
    while slope(high) > 0.0 {
        high += 2.0;
    }
    while high - low > 1e-9 {
        let middle = low.midpoint(high);
        if slope(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    log_likelihood(y, xi, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// n quantiles of the generalised Pareto law with β = 2 above 5.
    fn quantiles(n: usize, xi: f64) -> Vec<f64> {
        let tail = (1..=n).map(|i| (i as f64 - 0.5) / n as f64);
        tail.map(|p| {
            let log = -p.ln();
            5.0 + 2.0
                * if xi == 0.0 {
                    log
                } else {
                    (xi * log).exp_m1() / xi
                }
        })
        .collect()
    }

    #[test]
    fn finds_every_shape() {
        for xi in [-0.4, -0.1, -1e-9, 0.0, 1e-9, 0.1, 0.5, 1.5, 4.0] {
            let fit = generalized_pareto(&quantiles(4000, xi), 5.0).unwrap();
            assert!(
                (fit.xi.estimate - xi).abs() < 0.02 * (1.0 + xi),
                "{xi}: {}",
                fit.xi
            );
            assert!((fit.beta.estimate - 2.0).abs() < 0.03, "{xi}: {}", fit.beta);
            assert!(fit.xi.contains(xi) && fit.xi_profile.contains(xi));
            assert!(fit.xi_profile.low < fit.xi.estimate && fit.xi.estimate < fit.xi_profile.high);
            // Asymptotic standard errors (Smith 1985): (1 + ξ)/√k and β √(2(1 + ξ)/k).
            // The information converges slowly where ξ is near −1/2.
            let k = 4000.0_f64.sqrt();
            let slack = if xi < -0.3 { 0.25 } else { 0.05 };
            assert!(
                (fit.xi_standard_error * k / (1.0 + xi) - 1.0).abs() < slack,
                "{xi}"
            );
            let beta = 2.0 * (2.0 * (1.0 + xi)).sqrt();
            assert!(
                (fit.beta_standard_error * k / beta - 1.0).abs() < slack,
                "{xi}"
            );
            assert_eq!(fit.exponential_p > 0.5, xi.abs() < 0.01, "{xi}");
        }
    }

    /// The maximum is one: neighbours have less. And the profile ends where it says.
    #[test]
    fn maximum_and_profile() {
        let y: Vec<f64> = quantiles(60, 0.3).iter().map(|x| x - 5.0).collect();
        let mean = y.iter().sum::<f64>() / 60.0;
        let y: Vec<f64> = y.iter().map(|y| y / mean).collect();
        let (xi, b) = maximum(&y).unwrap();
        let best = log_likelihood(&y, xi, b);
        for (dx, db) in [
            (1e-4, 0.0),
            (-1e-4, 0.0),
            (0.0, 1e-4),
            (0.0, -1e-4),
            (1e-4, -1e-4),
        ] {
            assert!(log_likelihood(&y, xi + dx, b + db) < best);
        }
        assert!((profile(&y, xi, 0.0) - best).abs() < 1e-10);
        let fit = generalized_pareto(&quantiles(60, 0.3), 5.0).unwrap();
        for end in [fit.xi_profile.low, fit.xi_profile.high] {
            assert!((best - profile(&y, end, b) - Z * Z / 2.0).abs() < 1e-6);
        }
    }

    #[test]
    fn differences_are_continuous() {
        for w in [-0.02_f64, 0.02] {
            let (inside, outside) = (differences(w), differences(w * 1.000_000_001));
            assert!((inside.0 / outside.0 - 1.0).abs() < 1e-8);
            assert!((inside.1 / outside.1 - 1.0).abs() < 1e-8);
        }
        // The leading terms: 1/2 and −2/3.
        let (first, second) = differences(0.0);
        assert!((first - 0.5).abs() < 1e-15 && (second + 2.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn the_unit_and_the_location_do_not_matter() {
        let x = quantiles(50, 0.4);
        let one = generalized_pareto(&x, 5.0).unwrap();
        for unit in [1e-300, 1e-20, 1e70] {
            let scaled: Vec<f64> = x.iter().map(|x| (x - 5.0) * unit).collect();
            let other = generalized_pareto(&scaled, 0.0).unwrap();
            assert!((other.xi.estimate - one.xi.estimate).abs() < 1e-8);
            assert!((other.beta.estimate / unit / one.beta.estimate - 1.0).abs() < 1e-8);
            assert!((other.exponential_p / one.exponential_p - 1.0).abs() < 1e-6);
        }
        let by_k = generalized_pareto_k(&[&x[..], &[5.0, 1.0]].concat(), 50).unwrap();
        assert_eq!(by_k, one);
    }

    #[test]
    fn bad_input() {
        for n in [0, 1, 2, 9] {
            let values = vec![3.0; n];
            assert!(matches!(
                generalized_pareto(&values, 1.0),
                Err(Error::TooFew { .. })
            ));
            assert!(matches!(
                generalized_pareto_k(&values, 5),
                Err(Error::TooFew { .. })
            ));
        }
        for constant in [3.0, 5e-324, 1e75] {
            let values = [constant; 20];
            assert!(matches!(
                generalized_pareto(&values, 0.0),
                Err(Error::Constant { .. })
            ));
            assert!(matches!(
                generalized_pareto_k(&values, 15),
                Err(Error::TooFew { found: 0, .. })
            ));
        }
        assert!(generalized_pareto_k(&[1.0; 20], usize::MAX).is_err());
        for threshold in [f64::NAN, f64::INFINITY] {
            assert!(matches!(
                generalized_pareto(&[1.0; 20], threshold),
                Err(Error::Parameter {
                    name: "threshold",
                    ..
                })
            ));
        }
        for bad in [f64::NAN, f64::INFINITY, -1e80] {
            let mut values = quantiles(30, 0.5);
            values[3] = bad;
            assert!(generalized_pareto(&values, 1.0).is_err());
        }
        // Rising towards the end of the tail, where the likelihood has no maximum.
        let rising: Vec<f64> = (1..=40).map(|i| f64::from(i).powf(0.2)).collect();
        assert!(matches!(
            generalized_pareto(&rising, 0.5),
            Err(Error::Constant { .. })
        ));
        // One excess far beyond the others, and ties: an answer, and finite.
        let mut far = vec![1.0; 30];
        far.push(1e60);
        match generalized_pareto(&far, 0.5) {
            Ok(fit) => assert!(fit.xi.high.is_finite()),
            Err(error) => assert!(matches!(error, Error::Constant { .. })),
        }
    }
}
