//! Noise norms as scale mixtures of Gaussian noise: which law fits best, and is its variance finite?
//!
//! Gaussian noise in d dimensions has a norm χ_d: a sum of squares. Let one random factor V multiply
//! all coordinates of a gradient's noise, and the norm is
//!
//! ```text
//! ‖g − ∇f‖ = s · V · χ_d / √d                d > 0: effective dimension, s: scale
//! ```
//!
//! | [`Mixing`] | V | tail index α of the norm |
//! |---|---|---|
//! | `Gaussian` | 1; or two groups of coordinates, ‖·‖² = s² ((1−w) χ²_d/d + w χ²_e/e) | ∞ |
//! | `TwoScales` | 1, or c > 1 with probability p: contaminated Gaussian noise | ∞ |
//! | `Lognormal` | exp(σZ) | ∞ (all moments, but no exponential one) |
//! | `Student` | √(ν/χ²_ν): multivariate t noise | ν |
//! | `Stable` | √A, A positive (α/2)-stable: sub-Gaussian α-stable noise | α |
//! | `Pareto` | P(V > v) = v^{−α}: the generalised slash law; for large d a power law | α |
//!
//! The families hold what the paper speaks of: \|α-stable\| is `Stable` with d = 1; the norm of many
//! iid α-stable coordinates tends to `Stable` with d = ∞ (their sum of squares is positive
//! α/2-stable); unequal scales of Gaussian coordinates are `Gaussian` with a small d, which is
//! how they are told from a heavy tail.
//!
//! # Method
//! The logarithm of the norm is a sum of independent variables, so its characteristic function is a
//! product of three factors in Γ functions (Mellin transforms):
//!
//! ```text
//! χ_d/√d: Γ(d/2 + iu/2) / (Γ(d/2) (d/2)^{iu/2})      Student: the same at −u, d = ν
//! Stable: Γ(1 − iu/α) / Γ(1 − iu/2)                  Lognormal: e^{−σ²u²/2}      Pareto: 1/(1 − iu/α)
//! ```
//!
//! One fast Fourier transform gives the probabilities of cells that are even in the logarithm, so the
//! likelihood of a sample costs the same for 10³ and for 10⁸ norms. (Two groups of Gaussian coordinates
//! are no product; their density is the saddle-point approximation, normalised on the grid.) It is
//! maximised by the simplex of Nelder and Mead. Fits are compared by Akaike's criterion; the interval of
//! a tail index comes from the curvature of its profile likelihood, on the logarithmic or
//! logistic scale of the parameter.
//!
//! Cells are at most a twelfth of the interquartile range wide as long as 2048 suffice. What lies more than six
//! interquartile ranges below the first quartile, zeros included, counts as one cell.
//!
//! References: Andrews & Mallows (1974), "Scale mixtures of normal distributions", JRSS B 36;
//! Samorodnitsky & Taqqu (1994), §2.5, for sub-Gaussian stable vectors; Daniels (1954) for the saddle
//! point; Burnham & Anderson (2002) for Akaike weights.

mod cells;
mod fit;
mod laws;
mod mellin;

use crate::{Error, Interval};
use serde::{Deserialize, Serialize};

/// What multiplies Gaussian noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mixing {
    /// Nothing: noise with Gaussian coordinates of any covariance.
    Gaussian,
    /// Two values: a share of the gradients has noise that is larger by a factor.
    TwoScales,
    /// A lognormal variable.
    Lognormal,
    /// The root of an inverse χ² variable: Student's t.
    Student,
    /// The root of a positive stable variable: symmetric α-stable noise.
    Stable,
    /// A power law.
    Pareto,
}

impl Mixing {
    /// All of them, from the lightest.
    pub const ALL: [Self; 6] = [
        Self::Gaussian,
        Self::TwoScales,
        Self::Lognormal,
        Self::Student,
        Self::Stable,
        Self::Pareto,
    ];

    /// A name for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Gaussian => "Gaussian noise",
            Self::TwoScales => "Gaussian noise of two scales",
            Self::Lognormal => "Gaussian noise with a lognormal factor",
            Self::Student => "Student t noise",
            Self::Stable => "α-stable noise",
            Self::Pareto => "noise with a power-law factor",
        }
    }
}

/// One family of laws, fitted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// The family.
    pub mixing: Mixing,
    /// s, in the unit of the norms.
    pub scale: f64,
    /// Effective dimension d.
    pub dimension: f64,
    /// `TwoScales`: p; `Lognormal`: σ; `Student`: ν; `Stable`, `Pareto`: α; `Gaussian`: w.
    pub shape: f64,
    /// `TwoScales`: c; `Gaussian`: e; otherwise 0.
    pub second_shape: f64,
    /// The tail index with its 95 % interval; `None` where it is infinite.
    pub alpha: Option<Interval>,
    /// Logarithm of the likelihood of the cells.
    pub log_likelihood: f64,
    /// Akaike's criterion, less the best family's: 0 for the best. Twice the difference in
    /// penalised log-likelihood.
    pub delta_aic: f64,
    /// Akaike weight: how much the family is to be believed, among these.
    pub weight: f64,
    /// √n times Kolmogorov's distance between sample and law.
    pub distance: f64,
}

/// All families, fitted to one sample of norms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mixtures {
    /// A fit for each of [`Mixing::ALL`], in that order.
    pub fits: Vec<Fit>,
    /// Sum of the weights of fits whose tail index is below 2.
    pub infinite_variance: f64,
    /// The tail index of the best fit; the interval is the union over all fits with
    /// [`Fit::delta_aic`] at most 6. `None` if the best fit has none; the upper end is infinite
    /// if some fit in the union has none.
    pub alpha: Option<Interval>,
}

impl Mixtures {
    /// Differences of Akaike's criterion up to which a law takes part in the interval of α.
    pub const PLAUSIBLE: f64 = 6.0;

    /// Fits all families to `norms` (n ≥ 20, any order and unit).
    ///
    /// # Errors
    /// [`Error::TooFew`], [`Error::NotFinite`], [`Error::TooLarge`], [`Error::Negative`];
    /// [`Error::Constant`] if more than an eighth is zero or half of the norms are equal.
    pub fn fit(norms: &[f64]) -> Result<Self, Error> {
        fit::fit(norms)
    }

    /// The fit of a family.
    #[must_use]
    pub fn of(&self, mixing: Mixing) -> &Fit {
        let mut fits = self.fits.iter();
        fits.find(|fit| fit.mixing == mixing)
            .expect("all families are fitted")
    }

    /// The best fit.
    #[must_use]
    pub fn best(&self) -> &Fit {
        let mut fits = self.fits.iter();
        fits.find(|fit| fit.delta_aic == 0.0)
            .expect("one is the best")
    }

    /// By how many nats the best law other than Gaussian beats Gaussian noise, after Akaike's
    /// penalty; negative if Gaussian noise is the best.
    #[must_use]
    pub fn evidence_against_gaussian(&self) -> f64 {
        let others = self.fits.iter().filter(|f| f.mixing != Mixing::Gaussian);
        let best = others.map(|f| f.delta_aic).fold(f64::INFINITY, f64::min);
        0.5 * (self.of(Mixing::Gaussian).delta_aic - best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stable::SymmetricStable;
    use rand::distr::{Distribution, Open01};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{ChiSquared, StandardNormal};

    /// 4000 norms of dimension `d` with the given factor.
    fn norms(d: f64, mut factor: impl FnMut(&mut ChaCha8Rng) -> f64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(12);
        let chi = ChiSquared::new(d).unwrap();
        let mut draw = || factor(&mut rng) * (chi.sample(&mut rng) / d).sqrt();
        (0..4000).map(|_| draw()).collect()
    }

    fn normal(rng: &mut ChaCha8Rng) -> f64 {
        StandardNormal.sample(rng)
    }

    fn student(nu: f64) -> impl FnMut(&mut ChaCha8Rng) -> f64 {
        let chi = ChiSquared::new(nu).unwrap();
        move |rng| (nu / chi.sample(rng)).sqrt()
    }

    /// Each family is the best for its own sample, with the parameters it was made with.
    #[test]
    fn each_family_finds_itself() {
        let stable = SymmetricStable::new(1.6).unwrap();
        let samples: [(Mixing, f64, Vec<f64>); 6] = [
            (Mixing::Gaussian, 0.0, norms(5.0, |_| 1.0)),
            (
                Mixing::TwoScales,
                0.1,
                norms(5.0, |rng| if rng.random_bool(0.1) { 6.0 } else { 1.0 }),
            ),
            (
                Mixing::Lognormal,
                0.8,
                norms(5.0, |rng| (0.8 * normal(rng)).exp()),
            ),
            (Mixing::Student, 3.0, norms(5.0, student(3.0))),
            // In one dimension, where √(2A) Z is a symmetric stable variable.
            (
                Mixing::Stable,
                1.6,
                norms(1.0, |_| 1.0)
                    .iter()
                    .zip(0..)
                    .map(|(_, i)| {
                        let mut rng = ChaCha8Rng::seed_from_u64(i);
                        stable.sample(&mut rng).abs()
                    })
                    .collect(),
            ),
            (
                Mixing::Pareto,
                1.7,
                norms(5.0, |rng| rng.sample::<f64, _>(Open01).powf(-1.0 / 1.7)),
            ),
        ];
        for (mixing, shape, sample) in samples {
            let found = Mixtures::fit(&sample).unwrap();
            let own = found.of(mixing);
            assert!(own.delta_aic <= 2.0, "{mixing:?}: {found:?}");
            assert!(own.distance < 1.0, "{mixing:?}: {own:?}");
            let dimension = if mixing == Mixing::Stable { 1.0 } else { 5.0 };
            assert!((own.dimension / dimension - 1.0).abs() < 0.15, "{own:?}");
            if shape > 0.0 {
                assert!((own.shape / shape - 1.0).abs() < 0.12, "{own:?}");
            }
            if let Some(alpha) = own.alpha {
                assert!(alpha.contains(shape) && alpha.high < 1.2 * shape, "{own:?}");
            }
            let heavy = found.evidence_against_gaussian();
            assert_eq!(
                heavy > 3.0,
                mixing != Mixing::Gaussian,
                "{mixing:?}: {heavy}"
            );
        }
    }

    #[test]
    fn weights_add_up_and_the_union_holds_every_plausible_interval() {
        let found = Mixtures::fit(&norms(1.0, student(2.0))).unwrap();
        let sum: f64 = found.fits.iter().map(|f| f.weight).sum();
        assert!((sum - 1.0).abs() < 1e-12);
        let union = found.alpha.unwrap();
        assert_eq!(union.estimate, found.best().alpha.unwrap().estimate);
        let (mut infinite, mut plausible) = (0.0, 0);
        for fit in &found.fits {
            assert!(fit.delta_aic >= 0.0);
            if fit.delta_aic <= Mixtures::PLAUSIBLE {
                plausible += 1;
                let alpha = fit
                    .alpha
                    .map_or((f64::INFINITY, f64::INFINITY), |a| (a.low, a.high));
                assert!(union.low <= alpha.0 && alpha.1 <= union.high, "{found:?}");
            }
            if fit.alpha.is_some_and(|alpha| alpha.estimate < 2.0) {
                infinite += fit.weight;
            }
        }
        assert!(plausible > 0 && (infinite - found.infinite_variance).abs() < 1e-12);
    }

    #[test]
    fn the_unit_does_not_matter_nor_the_number_of_threads() {
        let sample = norms(3.0, student(2.5));
        let one = Mixtures::fit(&sample).unwrap();
        let scaled: Vec<f64> = sample.iter().map(|x| 1e-30 * x).collect();
        let other = Mixtures::fit(&scaled).unwrap();
        for (a, b) in one.fits.iter().zip(&other.fits) {
            assert!(
                (a.delta_aic - b.delta_aic).abs() < 0.1 + 1e-3 * a.delta_aic,
                "{a:?} {b:?}"
            );
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        assert_eq!(pool.install(|| Mixtures::fit(&sample).unwrap()), one);
    }

    #[test]
    fn bad_input() {
        assert!(matches!(
            Mixtures::fit(&[1.0; 19]),
            Err(Error::TooFew { needed: 20, .. })
        ));
        for constant in [0.0, 2.0] {
            assert!(matches!(
                Mixtures::fit(&[constant; 50]),
                Err(Error::Constant { .. })
            ));
        }
        let mut sample = norms(1.0, |_| 1.0);
        sample[7] = f64::NAN;
        assert!(matches!(
            Mixtures::fit(&sample),
            Err(Error::NotFinite { index: 7, .. })
        ));
        sample[7] = -1.0;
        assert!(matches!(
            Mixtures::fit(&sample),
            Err(Error::Negative { .. })
        ));
        // Subnormal and huge values beside ordinary ones.
        sample[7] = 5e-324;
        sample[8] = 1e74;
        assert!(Mixtures::fit(&sample).is_ok());
    }
}
