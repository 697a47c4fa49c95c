//! Links: the parts of which an optimizer is a chain.
//!
//! A link takes what the one before it made of the gradient, and hands on what it makes of that. The
//! last one's output is the direction u of x ← x − learning_rate·u; projections act on x after that.

use crate::clips::NormClip;
use crate::clips::adagc::AdaGc;
use crate::clips::agc::Agc;
use crate::clips::autoclip::AutoClip;
use crate::clips::coordinate::{ClipCoordinate, ClipCoordinates};
use crate::clips::norm::{ClipNorm, Normalize};
use crate::clips::quantile_norm::QuantileNorm;
use crate::clips::zclip::ZClip;
use crate::hyper::{Field, Place};
use crate::project::{ProjectBall, ProjectBox};
use crate::rules::acclip::{AcClip, Form};
use crate::rules::adagrad::Adagrad;
use crate::rules::adam::Adam;
use crate::rules::amsgrad::AmsGrad;
use crate::rules::clipped_adam::ClippedAdam;
use crate::rules::lion::Lion;
use crate::rules::quantile::Quantile;
use crate::rules::rmsprop::RmsProp;
use crate::rules::sgd::Sgd;
use crate::rules::sign::Ema;
use crate::rules::stable_adam::StableAdam;
use crate::rules::{Slot, WithKernel};
use crate::{Error, Real};

/// One link of a chain; [`Optimizer::chain`](crate::Optimizer::chain) puts them together.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Link {
    /// GClip, or a clip of each block's norm.
    ClipNorm(ClipNorm),
    /// Each block against the running average of its own norm.
    AdaGc(AdaGc),
    /// The norm against a z-score of past norms.
    ZClip(ZClip),
    /// The norm against a percentile of past norms.
    AutoClip(AutoClip),
    /// The norm of each block against a streaming quantile.
    QuantileNorm(QuantileNorm),
    /// Each row against the norm of its weights.
    Agc(Agc),
    /// CClip with one threshold for all coordinates.
    ClipCoordinate(ClipCoordinate),
    /// CClip with a threshold for each coordinate of the layout.
    ClipCoordinates(ClipCoordinates),
    /// u ← u + coefficient·x on blocks that decay: before a rule, L2 decay. Blocks may have a
    /// coefficient of their own, [`Block::l2`](crate::Block::l2).
    L2(f64),
    /// u ← u + coefficient·x on blocks that decay: after a rule, decoupled decay. Blocks may have a
    /// coefficient of their own, [`Block::weight_decay`](crate::Block::weight_decay).
    WeightDecay(f64),
    /// Nothing, or momentum.
    Sgd(Sgd),
    /// Exponential average of gradients, or its sign.
    Ema(Ema),
    /// u/‖u‖ over all blocks, or over each.
    Normalize(Normalize),
    /// Algorithm 1 of the paper, or its normalized form.
    AcClip(AcClip),
    /// Adam.
    Adam(Adam),
    /// Adam whose second moment never falls.
    AmsGrad(AmsGrad),
    /// Adam with per-coordinate clipping.
    ClippedAdam(ClippedAdam),
    /// Adam whose step shrinks where gradients surprise.
    StableAdam(StableAdam),
    /// Division by the root of the sum of squares.
    Adagrad(Adagrad),
    /// Division by the root mean square.
    RmsProp(RmsProp),
    /// The sign of a mixture of momentum and gradient.
    Lion(Lion),
    /// Quantile clipping of each coordinate.
    Quantile(Quantile),
    /// Projection onto a ball, after the step.
    ProjectBall(ProjectBall),
    /// Projection onto a box, after the step.
    ProjectBox(ProjectBox),
}

impl Link {
    /// What it remembers for each coordinate.
    pub(crate) fn slots(&self) -> &'static [Slot] {
        match self {
            Link::Sgd(rule) => rule.slots(),
            Link::Ema(_) => Ema::SLOTS,
            Link::AcClip(rule) => rule.slots(),
            Link::Adam(_) | Link::ClippedAdam(_) | Link::StableAdam(_) => Adam::SLOTS,
            Link::AmsGrad(_) => AmsGrad::SLOTS,
            Link::Adagrad(_) => Adagrad::SLOTS,
            Link::RmsProp(rule) => rule.slots(),
            Link::Lion(_) => Lion::SLOTS,
            Link::Quantile(_) => Quantile::SLOTS,
            _ => &[],
        }
    }

    /// The link as a clip by norms, if it is one.
    pub(crate) fn norm_clip(&self) -> Option<&dyn NormClip> {
        match self {
            Link::ClipNorm(clip) => Some(clip),
            Link::AdaGc(clip) => Some(clip),
            Link::ZClip(clip) => Some(clip),
            Link::AutoClip(clip) => Some(clip),
            Link::QuantileNorm(clip) => Some(clip),
            Link::Normalize(clip) => Some(clip),
            _ => None,
        }
    }

    /// Hands the kernel of step `t` to `then`, if the link works coordinate by coordinate.
    pub(crate) fn with_kernel<F: Real, W: WithKernel<F>>(
        &self,
        t: u64,
        then: W,
    ) -> Option<W::Output> {
        Some(match self {
            Link::Sgd(rule) => rule.with(then),
            Link::Ema(rule) => rule.with(then),
            Link::AcClip(rule) => rule.with(t, then),
            Link::Adam(rule) | Link::StableAdam(StableAdam(rule)) => rule.with(t, then),
            Link::AmsGrad(rule) => rule.with(t, then),
            Link::ClippedAdam(rule) => rule.with(t, then),
            Link::Adagrad(rule) => rule.with(then),
            Link::RmsProp(rule) => rule.with(then),
            Link::Lion(rule) => rule.with(then),
            Link::Quantile(rule) => rule.with(then),
            _ => return None,
        })
    }

    /// Its hyper-parameters.
    pub(crate) fn places(&mut self) -> Vec<(Field, Place<'_>)> {
        use Field::*;
        macro_rules! places {
            ($($field:ident $place:expr),*) => { vec![$(($field, Place::from(&mut $place))),*] };
        }
        match self {
            Link::ClipNorm(c) => places![MaxNorm c.max_norm, ThresholdGrowth c.growth],
            Link::AdaGc(c) => places![
                MaxNorm c.max_norm, ClipFactor c.clip_factor, ClipDecay c.clip_decay, WarmUp c.warm_up
            ],
            Link::ZClip(c) => places![
                MaxNorm c.max_norm, ZScore c.z_score, ClipDecay c.clip_decay, WarmUp c.warm_up
            ],
            Link::AutoClip(c) => places![Percentile c.percentile],
            Link::QuantileNorm(c) => places![ClipRate c.clip_rate, ClipGain c.clip_gain],
            Link::Agc(c) => places![ClipFactor c.clip_factor, Floor c.floor],
            Link::ClipCoordinate(c) => places![Tau c.tau, ThresholdGrowth c.growth],
            Link::ClipCoordinates(c) => places![ThresholdGrowth c.growth],
            Link::L2(coefficient) => places![L2 * coefficient],
            Link::WeightDecay(coefficient) => places![WeightDecay * coefficient],
            Link::Sgd(r) => places![Momentum r.momentum, Nesterov r.nesterov],
            Link::Ema(r) => places![Beta1 r.beta1],
            Link::AcClip(r) => places![
                Alpha r.alpha, Beta1 r.beta1, Beta2 r.beta2, Eps r.eps,
                BiasCorrection r.bias_correction
            ],
            Link::Adam(r) | Link::AmsGrad(AmsGrad(r)) | Link::StableAdam(StableAdam(r)) => {
                places![Beta1 r.beta1, Beta2 r.beta2, Eps r.eps]
            }
            Link::ClippedAdam(r) => places![
                ClipFactor r.clip_factor, Beta1 r.adam.beta1, Beta2 r.adam.beta2, Eps r.adam.eps
            ],
            Link::Adagrad(r) => places![Eps r.eps],
            Link::RmsProp(r) => places![Beta2 r.beta2, Eps r.eps, Momentum r.momentum],
            Link::Lion(r) => places![Beta1 r.beta1, Beta2 r.beta2],
            Link::Quantile(r) => {
                let mut places = places![ClipRate r.clip_rate, ClipGain r.clip_gain, Beta1 r.beta1];
                if r.form == Form::Normalized {
                    places.push((Eps, Place::from(&mut r.eps)));
                }
                places
            }
            Link::ProjectBall(p) => places![Radius p.radius],
            Link::Normalize(_) | Link::ProjectBox(_) => Vec::new(),
        }
    }

    /// Whether what it holds is in range; `optimizer` is for the message.
    pub(crate) fn check(&self, optimizer: &str) -> Result<(), Error> {
        for (field, place) in self.clone().places() {
            let (range, inside) = field.range(place.get());
            if !inside {
                return Err(Error::HyperOutOfRange {
                    optimizer: optimizer.to_owned(),
                    field: field.name(),
                    value: place.get().to_string(),
                    range,
                });
            }
        }
        let out = |field, value: f64, range| {
            Err(Error::HyperOutOfRange {
                optimizer: optimizer.to_owned(),
                field,
                value: value.to_string(),
                range,
            })
        };
        match self {
            Link::ClipCoordinates(clip) => {
                match clip.tau.iter().find(|&&tau| tau.is_nan() || tau <= 0.0) {
                    Some(&tau) => out("tau", tau, "(0, inf]"),
                    None => Ok(()),
                }
            }
            Link::ProjectBox(b) if b.lower.is_nan() || b.upper.is_nan() || b.lower > b.upper => {
                out("upper", b.upper, "[lower, inf]")
            }
            _ => Ok(()),
        }
    }
}
