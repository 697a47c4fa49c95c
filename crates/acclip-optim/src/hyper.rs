//! Hyper-parameters as a user gives them: all optional, checked once.

use serde::{Deserialize, Serialize};

/// Hyper-parameters of an optimizer; `None` takes the default of the optimizer's row in the table
/// of names ([`NAMES`](crate::NAMES)), the only place where defaults stand.
///
/// Which optimizer takes which is told by [`Optimizer::hyper`](crate::Optimizer::hyper), which
/// has a value in exactly those fields; giving one that the optimizer does not take is an error.
/// Thresholds must be finite, so that every value survives JSON; use `f64::MAX` for "never clip".
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct Hyper {
    /// Heavy-ball momentum μ in m ← μ m + g; in [0, 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    /// Decay β1 of the average m of gradients; in [0, 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta1: Option<f64>,
    /// Decay β2 of the averages τ^α of |g|^α and v of g²; in [0, 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta2: Option<f64>,
    /// ε, added to denominators, in units of the gradient; in [0, ∞).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eps: Option<f64>,
    /// Exponent α of ACClip's threshold; in (0, 2].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// Decoupled weight decay, x ← x − learning_rate·weight_decay·x on blocks that decay; in [0, ∞).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Threshold on the gradient's Euclidean norm over all blocks; in (0, ∞).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_norm: Option<f64>,
    /// Threshold on each gradient coordinate; in (0, ∞).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tau: Option<f64>,
}

/// The name of one hyper-parameter.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Field {
    Momentum,
    Beta1,
    Beta2,
    Eps,
    Alpha,
    WeightDecay,
    MaxNorm,
    Tau,
}

impl Field {
    pub(crate) const ALL: [Field; 8] = [
        Field::Momentum,
        Field::Beta1,
        Field::Beta2,
        Field::Eps,
        Field::Alpha,
        Field::WeightDecay,
        Field::MaxNorm,
        Field::Tau,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Field::Momentum => "momentum",
            Field::Beta1 => "beta1",
            Field::Beta2 => "beta2",
            Field::Eps => "eps",
            Field::Alpha => "alpha",
            Field::WeightDecay => "weight_decay",
            Field::MaxNorm => "max_norm",
            Field::Tau => "tau",
        }
    }

    /// The interval of allowed values, and whether `value` lies in it.
    pub(crate) fn range(self, value: f64) -> (&'static str, bool) {
        match self {
            Field::Momentum | Field::Beta1 | Field::Beta2 => {
                ("[0, 1)", (0.0..1.0).contains(&value))
            }
            Field::Eps | Field::WeightDecay => ("[0, inf)", (0.0..f64::INFINITY).contains(&value)),
            Field::Alpha => ("(0, 2]", value > 0.0 && value <= 2.0),
            Field::MaxNorm | Field::Tau => ("(0, inf)", value > 0.0 && value < f64::INFINITY),
        }
    }
}

impl Hyper {
    /// The place of one field.
    pub(crate) fn field(&mut self, field: Field) -> &mut Option<f64> {
        match field {
            Field::Momentum => &mut self.momentum,
            Field::Beta1 => &mut self.beta1,
            Field::Beta2 => &mut self.beta2,
            Field::Eps => &mut self.eps,
            Field::Alpha => &mut self.alpha,
            Field::WeightDecay => &mut self.weight_decay,
            Field::MaxNorm => &mut self.max_norm,
            Field::Tau => &mut self.tau,
        }
    }
}
