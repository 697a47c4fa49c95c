//! The table of names: each row is a chain of links with their defaults.
//!
//! Nothing is computed here, and no default stands anywhere else. A new optimizer is a new row.

use crate::Link;
use crate::clips::adagc::AdaGc;
use crate::clips::agc::Agc;
use crate::clips::autoclip::AutoClip;
use crate::clips::coordinate::ClipCoordinate;
use crate::clips::norm::{ClipNorm, Normalize};
use crate::clips::quantile_norm::QuantileNorm;
use crate::clips::zclip::ZClip;
use crate::project::ProjectBall;
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

const fn sgd(momentum: f64, nesterov: bool) -> Link {
    Link::Sgd(Sgd { momentum, nesterov })
}

/// The global threshold of BERT's original training code.
const fn clip_norm(by_block: bool) -> Link {
    Link::ClipNorm(ClipNorm {
        max_norm: 1.0,
        growth: 0.0,
        by_block,
    })
}

/// The values for BERT, as public implementations of the paper have them.
const fn acclip(form: Form) -> Link {
    Link::AcClip(AcClip {
        form,
        alpha: 1.0,
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-5,
        bias_correction: false,
    })
}

/// PyTorch's defaults.
const ADAM: Adam = Adam {
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
};

const fn quantile(form: Form) -> Link {
    Link::Quantile(Quantile {
        form,
        clip_rate: 0.1,
        clip_gain: 0.1,
        beta1: 0.9,
        eps: 1e-8,
    })
}

const fn ema(sign: bool) -> Link {
    Link::Ema(Ema { beta1: 0.9, sign })
}

/// The originals' defaults.
const ADAGC: Link = Link::AdaGc(AdaGc {
    max_norm: 1.0,
    clip_factor: 1.05,
    clip_decay: 0.98,
    warm_up: 100,
});
const ZCLIP: Link = Link::ZClip(ZClip {
    max_norm: 1.0,
    z_score: 2.5,
    clip_decay: 0.97,
    warm_up: 25,
});
const AUTOCLIP: Link = Link::AutoClip(AutoClip { percentile: 10.0 });
const AGC: Link = Link::Agc(Agc {
    clip_factor: 0.01,
    floor: 1e-3,
});
const CLIPPED_ADAM: Link = Link::ClippedAdam(ClippedAdam {
    adam: ADAM,
    clip_factor: 3.0,
});
/// PyTorch's defaults.
const RMSPROP: Link = Link::RmsProp(RmsProp {
    beta2: 0.99,
    eps: 1e-8,
    momentum: 0.0,
});
const LION: Link = Link::Lion(Lion {
    beta1: 0.9,
    beta2: 0.99,
});
/// The level of other public coordinate-wise clipping code.
const CCLIP: Link = Link::ClipCoordinate(ClipCoordinate {
    tau: 0.1,
    growth: 0.0,
});
const QUANTILE_NORM: Link = Link::QuantileNorm(QuantileNorm {
    clip_rate: 0.1,
    clip_gain: 0.1,
});
const UNIT_BALL: Link = Link::ProjectBall(ProjectBall {
    radius: 1.0,
    by_block: false,
});

const L2: Link = Link::L2(0.0);
const NO_DECAY: Link = Link::WeightDecay(0.0);
/// That of AdamW in PyTorch.
const DECAY: Link = Link::WeightDecay(0.01);

pub(crate) const ALIASES: [(&str, &[Link]); 27] = [
    ("sgd", &[L2, sgd(0.0, false), NO_DECAY]),
    ("sgd-momentum", &[L2, sgd(0.9, false), NO_DECAY]),
    ("nesterov", &[L2, sgd(0.9, true), NO_DECAY]),
    ("gclip", &[clip_norm(false), L2, sgd(0.0, false), NO_DECAY]),
    (
        "gclip-block",
        &[clip_norm(true), L2, sgd(0.0, false), NO_DECAY],
    ),
    ("cclip", &[CCLIP, L2, sgd(0.0, false), NO_DECAY]),
    ("acclip-paper", &[L2, acclip(Form::Paper), NO_DECAY]),
    ("acclip", &[L2, acclip(Form::Normalized), NO_DECAY]),
    ("adam", &[L2, Link::Adam(ADAM), NO_DECAY]),
    ("adamw", &[L2, Link::Adam(ADAM), DECAY]),
    (
        "adamw-clip",
        &[clip_norm(false), L2, Link::Adam(ADAM), DECAY],
    ),
    ("amsgrad", &[L2, Link::AmsGrad(AmsGrad(ADAM)), NO_DECAY]),
    (
        "adagrad",
        &[L2, Link::Adagrad(Adagrad { eps: 1e-10 }), NO_DECAY],
    ),
    ("rmsprop", &[L2, RMSPROP, NO_DECAY]),
    ("lion", &[L2, LION, NO_DECAY]),
    ("signum", &[L2, ema(true), NO_DECAY]),
    (
        "nsgd-momentum",
        &[
            L2,
            ema(false),
            Link::Normalize(Normalize { by_block: false }),
            NO_DECAY,
        ],
    ),
    (
        "proj-gclip",
        &[clip_norm(false), L2, sgd(0.0, false), NO_DECAY, UNIT_BALL],
    ),
    ("qclip", &[quantile(Form::Normalized), NO_DECAY]),
    ("qclip-raw", &[quantile(Form::Paper), NO_DECAY]),
    (
        "qclip-block",
        &[QUANTILE_NORM, L2, sgd(0.9, false), NO_DECAY],
    ),
    ("adagc", &[ADAGC, L2, Link::Adam(ADAM), DECAY]),
    ("zclip", &[ZCLIP, L2, Link::Adam(ADAM), DECAY]),
    ("autoclip", &[AUTOCLIP, L2, Link::Adam(ADAM), DECAY]),
    ("agc", &[AGC, L2, sgd(0.9, false), NO_DECAY]),
    ("adamw-coordinate-clip", &[CLIPPED_ADAM, DECAY]),
    (
        "stable-adamw",
        &[L2, Link::StableAdam(StableAdam(ADAM)), DECAY],
    ),
];

/// The names that [`Optimizer::new`](crate::Optimizer::new) knows.
pub const NAMES: [&str; ALIASES.len()] = {
    let mut names = [""; ALIASES.len()];
    let mut row = 0;
    while row < names.len() {
        names[row] = ALIASES[row].0;
        row += 1;
    }
    names
};
