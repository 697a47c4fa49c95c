//! The two number types that the rules work in.

/// `f32` or `f64`: the type of parameters, gradients and state.
///
/// Per-step scalars are always computed in `f64` and narrowed once a step; sums over coordinates
/// (norms) are always accumulated in `f64`. The trait is sealed.
pub trait Real:
    num_traits::Float + std::fmt::Debug + Send + Sync + sealed::Sealed + 'static
{
    /// Rounds an `f64` to this type.
    fn narrow(value: f64) -> Self;
    /// This value as an `f64`, exactly.
    fn widen(self) -> f64;
}

impl Real for f32 {
    fn narrow(value: f64) -> Self {
        value as f32
    }
    fn widen(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    fn narrow(value: f64) -> Self {
        value
    }
    fn widen(self) -> f64 {
        self
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// `a / b`, and 0 where `b` is 0.
///
/// A coordinate that has never seen a gradient has numerator and denominator 0 when `eps` is 0
/// (or rounds to 0 in `f32`); it must stay where it is rather than become NaN.
pub(crate) fn ratio<F: Real>(a: F, b: F) -> F {
    if b > F::zero() { a / b } else { F::zero() }
}
