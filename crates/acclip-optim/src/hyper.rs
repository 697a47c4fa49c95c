//! Hyper-parameters as a user gives them: all optional, checked once.

use serde::{Deserialize, Serialize};

/// One table: each hyper-parameter with its type, range and meaning.
macro_rules! hyper_parameters {
    ($($(#[$doc:meta])* $field:ident $variant:ident: $type:ty, $range:literal, $inside:expr;)*) => {
        /// Hyper-parameters of an optimizer; `None` takes the default of the optimizer's row in the
        /// table of names ([`NAMES`](crate::NAMES)), the only place where defaults stand.
        ///
        /// Which optimizer takes which is told by [`Optimizer::hyper`](crate::Optimizer::hyper),
        /// which has a value in exactly those fields; giving one that the optimizer does not take is
        /// an error. Thresholds must be finite, so that every value survives JSON; use `f64::MAX`
        /// for "never clip".
        #[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug, Default)]
        #[serde(deny_unknown_fields)]
        pub struct Hyper {
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)*
        }

        /// The name of one hyper-parameter.
        #[derive(Clone, Copy, PartialEq, Debug)]
        pub(crate) enum Field { $($variant,)* }

        impl Field {
            pub(crate) fn name(self) -> &'static str {
                match self { $(Field::$variant => stringify!($field),)* }
            }

            /// The allowed values, and whether `value` is one.
            pub(crate) fn range(self, value: Value) -> (&'static str, bool) {
                match self {
                    $(Field::$variant => {
                        let inside: fn($type) -> bool = $inside;
                        ($range, <$type>::try_from(value).is_ok_and(inside))
                    })*
                }
            }
        }

        impl Hyper {
            /// The hyper-parameters that have a value.
            pub(crate) fn given(&self) -> Vec<(Field, Value)> {
                let mut given = Vec::new();
                $(given.extend(self.$field.map(|value| (Field::$variant, Value::from(value))));)*
                given
            }

            /// Gives one of them a value.
            pub(crate) fn set(&mut self, field: Field, value: Value) {
                match field { $(Field::$variant => self.$field = value.try_into().ok(),)* }
            }
        }
    };
}

fn unit(x: f64) -> bool {
    (0.0..1.0).contains(&x)
}
fn not_negative(x: f64) -> bool {
    (0.0..f64::INFINITY).contains(&x)
}
fn positive(x: f64) -> bool {
    x > 0.0 && x < f64::INFINITY
}

hyper_parameters! {
    /// Heavy-ball momentum μ in m ← μ m + g; in [0, 1).
    momentum Momentum: f64, "[0, 1)", unit;
    /// Nesterov's form of momentum, u = g + μ m.
    nesterov Nesterov: bool, "true or false", |_| true;
    /// Decay β1 of the average m of gradients; in [0, 1).
    beta1 Beta1: f64, "[0, 1)", unit;
    /// Decay β2 of the averages τ^α of |g|^α and v of g²; in [0, 1).
    beta2 Beta2: f64, "[0, 1)", unit;
    /// ε, added to denominators, in units of the gradient; in [0, ∞).
    eps Eps: f64, "[0, inf)", not_negative;
    /// Exponent α of ACClip's threshold; in (0, 2].
    alpha Alpha: f64, "(0, 2]", |x| x > 0.0 && x <= 2.0;
    /// Whether ACClip's averages m and τ^α are corrected for their zero start.
    bias_correction BiasCorrection: bool, "true or false", |_| true;
    /// Decoupled weight decay, x ← x − learning_rate·weight_decay·x on blocks that decay; in [0, ∞).
    weight_decay WeightDecay: f64, "[0, inf)", not_negative;
    /// L2 decay, g ← g + l2·x on blocks that decay, after the clip and before the rule; in [0, ∞).
    l2 L2: f64, "[0, inf)", not_negative;
    /// Threshold on the gradient's Euclidean norm; in (0, ∞).
    max_norm MaxNorm: f64, "(0, inf)", positive;
    /// Threshold on each gradient coordinate; in (0, ∞).
    tau Tau: f64, "(0, inf)", positive;
    /// Exponent of the growth of `max_norm` or `tau`, which are those of the first step: step t clips
    /// at threshold·t^threshold_growth. 1/α in Theorems 4 and 8 of the paper; in [0, ∞).
    threshold_growth ThresholdGrowth: f64, "[0, inf)", not_negative;
    /// Threshold as a multiple of what the clip compares with: the average norm (AdaGC), the root
    /// mean square (per-coordinate AdamW), or the norm of the parameters (AGC); in (0, ∞).
    clip_factor ClipFactor: f64, "(0, inf)", positive;
    /// Decay of a clip's averages of norms (AdaGC, ZClip); in [0, 1).
    clip_decay ClipDecay: f64, "[0, 1)", unit;
    /// Share of gradients that a quantile threshold clips; in (0, 1).
    clip_rate ClipRate: f64, "(0, 1)", |x| x > 0.0 && x < 1.0;
    /// Gain of a quantile threshold: a clipped gradient raises its logarithm by
    /// clip_gain·(1 − clip_rate), another lowers it by clip_gain·clip_rate; in (0, 1].
    clip_gain ClipGain: f64, "(0, 1]", |x| x > 0.0 && x <= 1.0;
    /// Standard deviations above the mean at which ZClip clips; in (0, ∞).
    z_score ZScore: f64, "(0, inf)", positive;
    /// Percentile of past norms at which AutoClip clips; in [0, 100].
    percentile Percentile: f64, "[0, 100]", |x| (0.0..=100.0).contains(&x);
    /// Steps of a clip's warm-up (AdaGC, ZClip); at least 1.
    warm_up WarmUp: u64, "1, 2, ...", |n| n > 0;
    /// Least norm of parameters that AGC reckons with; in (0, ∞).
    floor Floor: f64, "(0, inf)", positive;
    /// Radius of the ball onto which parameters are projected; in (0, ∞).
    radius Radius: f64, "(0, inf)", positive;
}

/// The value of a hyper-parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    Count(u64),
    Flag(bool),
}

/// Where a rule keeps a hyper-parameter.
pub(crate) enum Place<'a> {
    Number(&'a mut f64),
    Count(&'a mut u64),
    Flag(&'a mut bool),
}

impl Place<'_> {
    pub(crate) fn get(&self) -> Value {
        match self {
            Place::Number(place) => Value::Number(**place),
            Place::Count(place) => Value::Count(**place),
            Place::Flag(place) => Value::Flag(**place),
        }
    }

    /// Types agree: [`Field`] determines them on both sides.
    pub(crate) fn set(&mut self, value: Value) {
        match (self, value) {
            (Place::Number(place), Value::Number(value)) => **place = value,
            (Place::Count(place), Value::Count(value)) => **place = value,
            (Place::Flag(place), Value::Flag(value)) => **place = value,
            _ => unreachable!("a hyper-parameter has one type"),
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Number(x) => x.fmt(f),
            Value::Count(n) => n.fmt(f),
            Value::Flag(b) => b.fmt(f),
        }
    }
}

macro_rules! value {
    ($type:ty, $variant:ident) => {
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Value::$variant(value)
            }
        }
        impl TryFrom<Value> for $type {
            type Error = ();
            fn try_from(value: Value) -> Result<Self, ()> {
                match value {
                    Value::$variant(value) => Ok(value),
                    _ => Err(()),
                }
            }
        }
        impl<'a> From<&'a mut $type> for Place<'a> {
            fn from(place: &'a mut $type) -> Self {
                Place::$variant(place)
            }
        }
    };
}
value!(f64, Number);
value!(u64, Count);
value!(bool, Flag);
