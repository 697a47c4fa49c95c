//! Laws of one noise value: mean zero, any scale, absolute moments in closed form.
//!
//! ```text
//! Gaussian       N(0, 1)                                      E|X|^q = 2^{q/2} Γ((q+1)/2)/√π
//! Student t      ν degrees of freedom                         E|X|^q = ν^{q/2} Γ((q+1)/2) Γ((ν−q)/2)/(√π Γ(ν/2))
//! Pareto         ±V^{−1/a}, V uniform, fair sign              E|X|^q = a/(a − q)
//! stable         S1(α, β), scale 1, location 0                E|X|^q = (2/π) Γ(1−q/α) Γ(q) sin(πq/2) (1+t²)^{q/2α} cos((q/α) arctan t)
//! two-point      1 − p with probability p, else −p            E|X|^q = p(1−p)^q + (1−p)p^q
//! spike          ±1 with probability p/2 each, else 0         E|X|^q = p
//! ```
//!
//! with t = β tan(πα/2). A moment that does not exist is ∞: q ≥ ν, a, and α < 2.
//!
//! Every draw is a function of (key, index), from two random words: Box and Muller's method, Bailey's form of it for
//! Student t, Chambers, Mallows and Stuck for stable laws, inversion for the others.
//!
//! References: R. W. Bailey, *Polar generation of random variates with the t-distribution*, 1994; J. P. Nolan,
//! *Univariate Stable Distributions*, 2020, §3.7 (moments).

use std::f64::consts::{FRAC_PI_2, PI};

use acclip_noise::lanes::{centred, exp_minus, ln, mix, open01, sin_cos_pi, vectorised};
use acclip_noise::stable::{S1, Stable};
use statrs::function::gamma::ln_gamma;

use crate::Error;
use crate::error::check;

/// A law with mean zero and unit scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Law {
    /// Standard normal.
    Gaussian,
    /// Student's t.
    StudentT {
        /// Degrees of freedom, above 1 so that there is a mean.
        nu: f64,
    },
    /// Symmetric Pareto: |X| ≥ 1 has the density a|x|^{−a−1}.
    Pareto {
        /// Tail index a, above 1.
        index: f64,
    },
    /// α-stable with scale 1 in Nolan's S1, in which the location is the mean.
    Stable {
        /// Tail index, in (1, 2].
        alpha: f64,
        /// Skewness, in [−1, 1].
        beta: f64,
    },
    /// 1 − p with probability p, otherwise −p: a rare push to one side.
    TwoPoint {
        /// Probability of the push, in (0, 1].
        p: f64,
    },
    /// ±1 with probability p/2 each, otherwise 0.
    Spike {
        /// Probability of a spike, in (0, 1].
        p: f64,
    },
}

impl Law {
    /// Whether its parameters are in range.
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn check(&self) -> Result<(), Error> {
        let above_1 = |x: f64| x > 1.0 && x.is_finite();
        let probability = |p: f64| p > 0.0 && p <= 1.0;
        match *self {
            Law::Gaussian => Ok(0.0),
            Law::StudentT { nu } => check("nu", nu, "in (1, inf)", above_1),
            Law::Pareto { index } => check("index", index, "in (1, inf)", above_1),
            Law::Stable { alpha, beta } => {
                check("alpha", alpha, "in (1, 2]", |a| a > 1.0 && a <= 2.0)?;
                check("beta", beta, "in [-1, 1]", |b| b.abs() <= 1.0)
            }
            Law::TwoPoint { p } | Law::Spike { p } => check("p", p, "in (0, 1]", probability),
        }
        .map(|_| ())
    }

    /// E|X|^q for q > 0; ∞ where it does not exist, NaN for parameters or a q out of range.
    pub fn absolute_moment(&self, q: f64) -> f64 {
        if self.check().is_err() || q.is_nan() || q <= 0.0 {
            return f64::NAN;
        }
        let normal = || (0.5 * q * 2_f64.ln() + ln_gamma(0.5 * (q + 1.0))).exp() / PI.sqrt();
        match *self {
            Law::Gaussian => normal(),
            Law::StudentT { nu } if q < nu => {
                let gammas =
                    ln_gamma(0.5 * (q + 1.0)) + ln_gamma(0.5 * (nu - q)) - ln_gamma(0.5 * nu);
                (0.5 * q * nu.ln() + gammas).exp() / PI.sqrt()
            }
            Law::Pareto { index } if q < index => index / (index - q),
            Law::Stable { alpha: 2.0, .. } => 2_f64.powf(0.5 * q) * normal(),
            Law::Stable { alpha, beta } if q < alpha => {
                let t = beta * (FRAC_PI_2 * alpha).tan();
                let gammas = (ln_gamma(1.0 - q / alpha) + ln_gamma(q)).exp();
                let skewness = (1.0 + t * t).powf(0.5 * q / alpha) * (q / alpha * t.atan()).cos();
                2.0 / PI * gammas * (FRAC_PI_2 * q).sin() * skewness
            }
            Law::TwoPoint { p } => p * (1.0 - p).powf(q) + (1.0 - p) * p.powf(q),
            Law::Spike { p } => p,
            _ => f64::INFINITY,
        }
    }

    /// Draws `first`, `first` + 1, … of the stream `key`, on this thread.
    pub fn fill(&self, out: &mut [f64], key: u64, first: u64) {
        let words = move |i: u64| (mix(key, 2 * i), mix(key, 2 * i + 1));
        // The closure is compiled once for each law, without a branch inside.
        macro_rules! each {
            (|$a:ident, $b:ident| $draw:expr) => {
                vectorised(
                    #[inline(always)]
                    move || {
                        for (i, x) in (first..).zip(out) {
                            let ($a, $b) = words(i);
                            *x = $draw;
                        }
                    },
                )
            };
        }
        match *self {
            Law::Gaussian => each!(|a, b| (-2.0 * ln(open01(a))).sqrt() * sin_cos_pi(centred(b)).0),
            Law::StudentT { nu } => {
                let power = 2.0 / nu;
                each!(|a, b| (nu * exp_minus(-power * ln(open01(a)), 1.0)).sqrt()
                    * sin_cos_pi(centred(b)).0)
            }
            Law::Pareto { index } => {
                let power = 1.0 / index;
                each!(|a, b| {
                    let magnitude = exp_minus(-power * ln(open01(a)), 0.0);
                    f64::from_bits(magnitude.to_bits() | (b & SIGN))
                })
            }
            Law::Stable { alpha, beta } => {
                let law = S1 {
                    alpha,
                    beta,
                    scale: 1.0,
                    location: 0.0,
                };
                match Stable::try_from(law) {
                    Ok(law) => law.fill_from(out, key, first),
                    Err(_) => out.fill(f64::NAN),
                }
            }
            Law::TwoPoint { p } => each!(|a, _b| if open01(a) < p { 1.0 - p } else { -p }),
            Law::Spike { p } => each!(|a, b| {
                let magnitude = if open01(a) < p { 1.0_f64 } else { 0.0 };
                f64::from_bits(magnitude.to_bits() | (b & SIGN))
            }),
        }
    }
}

/// The sign bit.
const SIGN: u64 = 1 << 63;
