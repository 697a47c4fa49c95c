//! Quantile clipping: a threshold for each coordinate that is valid when the variance is infinite.
//!
//! A threshold at mean + kσ, or at a multiple of √v, presumes a variance. Under α-stable noise with
//! α < 2 there is none: its estimate is the largest gradient so far over √t, so the threshold follows
//! the outliers that it should cut, and how often it clips depends on α and on time. ACClip's moment
//! of order α ≤ 1 exists, but the rate at which it clips still depends on the law. A *quantile* exists
//! for every law, and its level is the clip rate itself:
//!
//! ```text
//! g ≠ 0   ĝ = clamp(g, −q, q),   log q ← log q + c·(1{|g| > q} − p)
//! g = 0   ĝ = 0, and q stays
//! m ← β1 m + (1−β1) ĝ
//!
//! raw          u = m
//! normalized   u = m/(q + ε), with the q that clipped
//! ```
//!
//! p is `clip_rate` and c is `clip_gain`; the first gradient that is not 0 sets q = |g|, unclipped.
//!
//! **It keeps its clip rate whatever the noise.** Sum the second recursion over n nonzero gradients:
//!
//! ```text
//! clipped share = p + (log q_n − log q_0)/(c n)
//! ```
//!
//! an identity, for every sequence, dependent and drifting ones included: no moment, no distribution.
//! The rate is off by the drift of log q alone, which for gradients of bounded *logarithmic* range R is
//! at most (R + c)/(c n). In equilibrium q is the (1−p)-quantile of |g|, with a relative spread of
//! about √(c p(1−p)/(2f)), f the density of log|g| there; a jump of the scale by the factor r is
//! followed within log r/(c(1−p)) steps upwards, log r/(c p) downwards.
//!
//! **What it does to heavy tails.** q_k depends on the past alone, so the analysis of a fixed threshold
//! (the paper, Lemma 13) holds at each step: |ĝ| ≤ q, E ĝ² ≤ B^α q^(2−α), bias ≤ B^α q^(1−α). And q is
//! a scale as well, which every law has, so the normalized form divides by it instead of by √v, which
//! one outlier inflates for 1/(1−β2) steps; |u| ≤ 1 while q is constant.
//!
//! Zeros are no observations: a rare token's coordinates are 0 most of the time, and would drive q to 0
//! between two gradients; so `clip_rate` is the share of *nonzero* gradients. What is lost: clipping is
//! biased for skewed noise, as every clip is; and p is a choice, where ACClip has α.
//!
//! References: the recursion is the stochastic approximation of a quantile (H. Robbins, S. Monro,
//! 1951), on the logarithm; that it holds its rate on every sequence was noted for conformal prediction
//! (I. Gibbs, E. Candès, 2021). As an optimizer it is ours.

use super::acclip::Form;
use super::{Average, Kernel, Slot, WithKernel};
use crate::Real;
use crate::clips::coordinate::clamp;
use crate::real::ratio;

/// Hyper-parameters of quantile clipping.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile {
    /// Whether the direction is divided by the threshold ([`Form::Normalized`]).
    pub form: Form,
    /// Share p of nonzero gradients that are clipped, in (0, 1).
    pub clip_rate: f64,
    /// Gain c of the threshold's logarithm, in (0, 1].
    pub clip_gain: f64,
    /// β1, in [0, 1).
    pub beta1: f64,
    /// ε of the normalized form, in [0, ∞), in units of the gradient.
    pub eps: f64,
}

impl Quantile {
    pub(crate) const SLOTS: &'static [Slot] = &[("m", true), ("quantile", false)];

    pub(crate) fn with<F: Real, W: WithKernel<F>>(&self, then: W) -> W::Output {
        let raw = Raw {
            rise: F::narrow((self.clip_gain * (1.0 - self.clip_rate)).exp()),
            fall: F::narrow((-self.clip_gain * self.clip_rate).exp()),
            m: Average::new(self.beta1),
        };
        match self.form {
            Form::Paper => then.with(&raw),
            Form::Normalized => {
                let eps = F::narrow(self.eps);
                then.with(&Normalized { raw, eps })
            }
        }
    }
}

struct Raw<F> {
    /// e^(c(1−p)).
    rise: F,
    /// e^(−cp).
    fall: F,
    m: Average<F>,
}

impl<F: Real> Raw<F> {
    /// Also returns the q that clipped.
    #[inline(always)]
    fn clip(&self, g: F, [m, quantile]: &mut [F; 2]) -> (F, F, bool) {
        let size = g.abs();
        let used = if *quantile > F::zero() {
            *quantile
        } else {
            size
        };
        let first = *quantile == F::zero();
        let (clipped, hit) = clamp(g, used);
        *m = self.m.of(*m, clipped);
        let moved = used * if hit { self.rise } else { self.fall };
        let moved = if moved < F::max_value() {
            moved
        } else {
            F::max_value()
        };
        *quantile = if first || size == F::zero() {
            used
        } else {
            moved
        };
        (*m, used, hit)
    }
}

impl<F: Real> Kernel<F, 2> for Raw<F> {
    #[inline(always)]
    fn update(&self, g: F, slots: &mut [F; 2]) -> (F, bool) {
        let (m, _, hit) = self.clip(g, slots);
        (m, hit)
    }
}

struct Normalized<F> {
    raw: Raw<F>,
    eps: F,
}

impl<F: Real> Kernel<F, 2> for Normalized<F> {
    #[inline(always)]
    fn update(&self, g: F, slots: &mut [F; 2]) -> (F, bool) {
        let (m, used, hit) = self.raw.clip(g, slots);
        (ratio(m, used + self.eps), hit)
    }
}
