//! An optimizer: a clip, an update rule, and their hyper-parameters, checked once.

use crate::acclip::AcClip;
use crate::adamw::AdamW;
use crate::alias::ALIASES;
use crate::clip::Clip;
use crate::hyper::Field;
use crate::pass::{self, Pass};
use crate::sgd::Sgd;
use crate::state::check_length;
use crate::{Error, Hyper, Layout, Real, State};

/// An optimizer with its hyper-parameters; it holds nothing else, and is cheap to copy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Optimizer {
    pub(crate) name: &'static str,
    pub(crate) clip: Clip,
    pub(crate) rule: Rule,
    pub(crate) weight_decay: f64,
}

/// An update rule: what is done with the clipped gradient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rule {
    Sgd(Sgd),
    AcClip(AcClip),
    AdamW(AdamW),
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stats {
    /// Euclidean norm of the gradient over all blocks, before any clip.
    pub grad_norm: f64,
    /// Euclidean norm of learning_rate·(u + weight_decay·x), the step that was taken. Not finite
    /// when the parameters have left the range of their type.
    pub update_norm: f64,
    /// For a global clip, 1 if the gradient was scaled down, else 0. Otherwise the share of
    /// coordinates that were clipped: by `tau`, or by ACClip (minimum below 1 and momentum not 0).
    pub clipped: f64,
}

impl Optimizer {
    /// The optimizer called `name` (one of [`NAMES`](crate::NAMES)), with its defaults except
    /// where `hyper` has a value.
    ///
    /// # Errors
    /// [`Error::UnknownOptimizer`]; [`Error::UnusedHyper`] for a hyper-parameter that this
    /// optimizer does not take; [`Error::HyperOutOfRange`].
    pub fn new(name: &str, hyper: &Hyper) -> Result<Self, Error> {
        let row = ALIASES.iter().find(|row| row.name == name);
        let mut optimizer = *row.ok_or_else(|| Error::UnknownOptimizer {
            name: name.to_owned(),
        })?;
        let mut given = *hyper;
        for field in Field::ALL {
            let Some(value) = *given.field(field) else {
                continue;
            };
            let (optimizer_name, field_name) = (optimizer.name, field.name());
            match optimizer.field(field) {
                Some(place) => *place = value,
                None => {
                    let allowed = Field::ALL
                        .into_iter()
                        .filter(|&f| optimizer.field(f).is_some());
                    let allowed = allowed.map(Field::name).collect();
                    return Err(Error::UnusedHyper {
                        optimizer: optimizer_name,
                        field: field_name,
                        allowed,
                    });
                }
            }
            let (range, inside) = field.range(value);
            if !inside {
                return Err(Error::HyperOutOfRange {
                    optimizer: optimizer_name,
                    field: field_name,
                    value,
                    range,
                });
            }
        }
        Ok(optimizer)
    }

    /// The name it was made by.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its hyper-parameters, defaults filled in: a value in exactly the fields that it takes.
    pub fn hyper(&self) -> Hyper {
        let (mut hyper, mut optimizer) = (Hyper::default(), *self);
        for field in Field::ALL {
            *hyper.field(field) = optimizer.field(field).copied();
        }
        hyper
    }

    /// The clip's threshold, `max_norm` or `tau`; `None` without a clip or if it adapts (ACClip).
    pub fn threshold(&self) -> Option<f64> {
        self.clip.threshold()
    }

    /// Names of the state's slots, each with one value per coordinate. `m`: momentum;
    /// `v`: average of g²; `tau_alpha`: ACClip's τ^α. SGD has `m` only if `momentum` is not 0.
    pub fn slot_names(&self) -> &'static [&'static str] {
        match &self.rule {
            Rule::Sgd(rule) => rule.slots(),
            Rule::AcClip(rule) => rule.slots(),
            Rule::AdamW(rule) => rule.slots(),
        }
    }

    /// The state before the first step.
    pub fn init<F: Real>(&self, layout: &Layout) -> State<F> {
        State::zeros(self.slot_names(), layout.len())
    }

    /// Takes one step: updates `params` and `state` (whose `t` grows by one) from the gradient
    /// `grad` of the loss at `params`. Both slices have one value per coordinate of `layout`.
    ///
    /// # Cost
    /// One pass that reads and writes parameters and slots once, and before it one that reads the
    /// gradient alone: the norm and the check for infinities and NaN, without which a bad gradient
    /// could not leave everything untouched. The second reading costs 4 bytes per `f32`
    /// coordinate, beside 12 (SGD) to 32 (`acclip`) of the pass itself.
    ///
    /// # Errors
    /// [`Error::LearningRate`], [`Error::Length`], [`Error::StateSlots`] (a state of another
    /// optimizer), [`Error::NonFiniteGradient`], [`Error::GradientOverflow`]; after any of them
    /// `params` and `state` are as before.
    pub fn step<F: Real>(
        &self,
        learning_rate: f64,
        layout: &Layout,
        params: &mut [F],
        grad: &[F],
        state: &mut State<F>,
    ) -> Result<Stats, Error> {
        if !(0.0..f64::INFINITY).contains(&learning_rate) {
            return Err(Error::LearningRate {
                value: learning_rate,
            });
        }
        check_length("params", layout.len(), params.len())?;
        check_length("grad", layout.len(), grad.len())?;
        state.check(self, layout)?;
        let grad_norm = finite_norm(layout, grad)?;

        let t = state.t.saturating_add(1);
        let clipper = self.clip.at(grad_norm);
        let weight_decay = self.weight_decay;
        let pass = Pass {
            learning_rate,
            weight_decay,
            clipper,
            layout,
            params,
            grad,
            state,
        };
        let moved = match &self.rule {
            Rule::Sgd(rule) => rule.run(pass),
            Rule::AcClip(rule) => rule.run(t, pass),
            Rule::AdamW(rule) => rule.run(t, pass),
        };
        state.t = t;

        let clipped = match self.clip {
            Clip::GlobalNorm { .. } => f64::from(u8::from(clipper.scaled)),
            _ => moved.clipped as f64 / layout.len().max(1) as f64,
        };
        Ok(Stats {
            grad_norm,
            update_norm: learning_rate * moved.squares.sqrt(),
            clipped,
        })
    }

    /// The place of a hyper-parameter, if this optimizer takes it.
    fn field(&mut self, field: Field) -> Option<&mut f64> {
        use Rule::{AcClip as Ac, AdamW as Ad};
        match (field, &mut self.clip, &mut self.rule) {
            (Field::WeightDecay, _, _) => Some(&mut self.weight_decay),
            (Field::MaxNorm, Clip::GlobalNorm { max_norm }, _) => Some(max_norm),
            (Field::Tau, Clip::Coordinate { tau }, _) => Some(tau),
            (Field::Momentum, _, Rule::Sgd(Sgd { momentum })) => Some(momentum),
            (Field::Alpha, _, Ac(AcClip { alpha, .. })) => Some(alpha),
            (Field::Beta1, _, Ac(AcClip { beta1, .. }) | Ad(AdamW { beta1, .. })) => Some(beta1),
            (Field::Beta2, _, Ac(AcClip { beta2, .. }) | Ad(AdamW { beta2, .. })) => Some(beta2),
            (Field::Eps, _, Ac(AcClip { eps, .. }) | Ad(AdamW { eps, .. })) => Some(eps),
            _ => None,
        }
    }
}

/// ‖g‖, or the first coordinate that is not finite.
fn finite_norm<F: Real>(layout: &Layout, grad: &[F]) -> Result<f64, Error> {
    let squares = pass::squared_norm(grad);
    if squares.is_finite() {
        return Ok(squares.sqrt());
    }
    for (block, range) in layout.blocks() {
        if let Some(index) = grad[range].iter().position(|g| !g.is_finite()) {
            return Err(Error::NonFiniteGradient {
                block: block.name.clone(),
                index,
            });
        }
    }
    Err(Error::GradientOverflow)
}
