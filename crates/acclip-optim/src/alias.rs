//! The table of names: each row composes a clip and a rule, and holds their defaults.
//!
//! Nothing is computed here, and no default stands anywhere else. A new optimizer is a new row.

use crate::acclip::{AcClip, Form};
use crate::adamw::AdamW;
use crate::clip::Clip;
use crate::optimizer::{Optimizer, Rule};
use crate::sgd::Sgd;

const PLAIN: Rule = Rule::Sgd(Sgd { momentum: 0.0 });
const HEAVY_BALL: Rule = Rule::Sgd(Sgd { momentum: 0.9 });

/// The values for BERT, as public implementations of the paper have them.
const ACCLIP: AcClip = AcClip {
    form: Form::Paper,
    alpha: 1.0,
    beta1: 0.9,
    beta2: 0.99,
    eps: 1e-5,
};
const PAPER: Rule = Rule::AcClip(ACCLIP);
const NORMALIZED: Rule = Rule::AcClip(AcClip {
    form: Form::Normalized,
    ..ACCLIP
});

/// PyTorch's defaults, with [`ADAMW_DECAY`].
const ADAMW: Rule = Rule::AdamW(AdamW {
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
});
const ADAMW_DECAY: f64 = 0.01;

/// The global threshold of BERT's original training code.
const GLOBAL_NORM: Clip = Clip::GlobalNorm { max_norm: 1.0 };
/// The level of other public coordinate-wise clipping code.
const COORDINATE: Clip = Clip::Coordinate { tau: 0.1 };

pub(crate) const ALIASES: [Optimizer; 8] = [
    row("sgd", Clip::Off, PLAIN, 0.0),
    row("sgd-momentum", Clip::Off, HEAVY_BALL, 0.0),
    row("gclip", GLOBAL_NORM, PLAIN, 0.0),
    row("cclip", COORDINATE, PLAIN, 0.0),
    row("acclip-paper", Clip::Off, PAPER, 0.0),
    row("acclip", Clip::Off, NORMALIZED, 0.0),
    row("adamw", Clip::Off, ADAMW, ADAMW_DECAY),
    row("adamw-clip", GLOBAL_NORM, ADAMW, ADAMW_DECAY),
];

const fn row(name: &'static str, clip: Clip, rule: Rule, weight_decay: f64) -> Optimizer {
    Optimizer {
        name,
        clip,
        rule,
        weight_decay,
    }
}

/// The names that [`Optimizer::new`] knows.
pub const NAMES: [&str; ALIASES.len()] = {
    let mut names = [""; ALIASES.len()];
    let mut row = 0;
    while row < names.len() {
        names[row] = ALIASES[row].name;
        row += 1;
    }
    names
};
