//! Update rules: what is made of the clipped gradient. One file a rule.

pub mod acclip;
pub mod adagrad;
pub mod adam;
pub mod amsgrad;
pub mod clipped_adam;
pub mod lion;
pub mod quantile;
pub mod rmsprop;
pub mod sgd;
pub mod sign;
pub mod stable_adam;

use crate::Real;

/// A rule at one step, its scalars ready, on one coordinate with `S` state slots.
pub(crate) trait Kernel<F, const S: usize>: Sync {
    /// Takes the coordinate of the gradient (or of what the links before made of it), updates the
    /// slots, and returns the direction u and whether the rule itself clipped.
    fn update(&self, g: F, slots: &mut [F; S]) -> (F, bool);
}

/// Something to be done with a kernel of whatever type.
pub(crate) trait WithKernel<F> {
    type Output;
    fn with<K: Kernel<F, S>, const S: usize>(self, kernel: &K) -> Self::Output;
}

/// A slot: its name, and whether its values can be negative.
pub(crate) type Slot = (&'static str, bool);

/// An exponential average's two weights, narrowed once a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Average<F> {
    old: F,
    new: F,
}

impl<F: Real> Average<F> {
    pub(crate) fn new(beta: f64) -> Self {
        Average {
            old: F::narrow(beta),
            new: F::narrow(1.0 - beta),
        }
    }

    /// β·average + (1−β)·x.
    #[inline(always)]
    pub(crate) fn of(&self, average: F, x: F) -> F {
        self.old * average + self.new * x
    }
}

/// 1/(1−β^t): what corrects an average for its start at zero.
pub(crate) fn correction(beta: f64, t: u64) -> f64 {
    1.0 / (1.0 - beta.powf(t as f64))
}

/// g², but at most a quarter of the largest finite number: a gradient beyond its root must not make an
/// average of squares infinite, which it would stay for ever, and hold its coordinate.
#[inline(always)]
pub(crate) fn square<F: Real>(g: F) -> F {
    saturate(g * g)
}

/// x ≥ 0, but at most a quarter of the largest finite number.
#[inline(always)]
pub(crate) fn saturate<F: Real>(x: F) -> F {
    let most = F::max_value() * F::narrow(0.25);
    if x < most { x } else { most }
}
