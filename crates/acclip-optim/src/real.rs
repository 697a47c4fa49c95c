//! The number types: what the rules compute in, and what buffers hold.

use half::bf16;

use crate::{Error, Layout, Optimizer, State, Stats};

/// `f32` or `f64`: the type in which the rules compute, and of full-precision state.
///
/// Per-step scalars are always computed in `f64` and narrowed once a step; sums over coordinates
/// (norms) are always accumulated in `f64`. The trait is sealed.
pub trait Real:
    num_traits::Float + bytemuck::Pod + std::fmt::Debug + Send + Sync + sealed::Real + 'static
{
    /// Name of the type in safetensors: `F32` or `F64`.
    const DTYPE: &'static str;
    /// Rounds an `f64` to this type.
    fn narrow(value: f64) -> Self;
    /// This value as an `f64`, exactly.
    fn widen(self) -> f64;
    /// The value of an `f32`, exactly.
    fn from_f32(value: f32) -> Self;
    /// Rounds to `f32`; an `f64` beyond a quarter of its range becomes that.
    fn as_f32(self) -> f32;
    /// x^α for x ≥ 0 and α > 0.
    #[doc(hidden)]
    fn power(self, alpha: f64) -> Self;
    /// [`Optimizer::step`] on checked buffers. A method of the type, so that all kernels are compiled
    /// once, with this crate, and not again wherever a step is taken.
    #[doc(hidden)]
    fn step(
        optimizer: &Optimizer,
        learning_rate: f64,
        layout: &Layout,
        params: ValuesMut<'_, Self>,
        grad: Values<'_, Self>,
        state: &mut State<Self>,
    ) -> Result<Stats, Error>;
    /// acc + x², in `f64`; `fma` tells whether the processor has a fused multiply-add.
    #[doc(hidden)]
    fn add_square(self, acc: f64, fma: bool) -> f64;
}

impl Real for f32 {
    const DTYPE: &'static str = "F32";
    #[inline(always)]
    fn narrow(value: f64) -> Self {
        value as f32
    }
    #[inline(always)]
    fn widen(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        value
    }
    #[inline(always)]
    fn as_f32(self) -> f32 {
        self
    }
    #[inline(always)]
    fn power(self, alpha: f64) -> Self {
        crate::power::power(self, alpha)
    }
    fn step(
        optimizer: &Optimizer,
        learning_rate: f64,
        layout: &Layout,
        params: ValuesMut<'_, Self>,
        grad: Values<'_, Self>,
        state: &mut State<Self>,
    ) -> Result<Stats, Error> {
        optimizer.step_values(learning_rate, layout, params, grad, state)
    }
    #[inline(always)]
    fn add_square(self, acc: f64, fma: bool) -> f64 {
        let x = f64::from(self);
        // The square of an f32 is exact in f64, so both branches round once, to the same bits.
        if fma { x.mul_add(x, acc) } else { acc + x * x }
    }
}

impl Real for f64 {
    const DTYPE: &'static str = "F64";
    #[inline(always)]
    fn narrow(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn widen(self) -> f64 {
        self
    }
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        f64::from(value)
    }
    #[inline(always)]
    fn as_f32(self) -> f32 {
        let most = f64::from(f32::MAX) / 4.0;
        self.clamp(-most, most) as f32
    }
    #[inline(always)]
    fn power(self, alpha: f64) -> Self {
        self.powf(alpha)
    }
    fn step(
        optimizer: &Optimizer,
        learning_rate: f64,
        layout: &Layout,
        params: ValuesMut<'_, Self>,
        grad: Values<'_, Self>,
        state: &mut State<Self>,
    ) -> Result<Stats, Error> {
        optimizer.step_values(learning_rate, layout, params, grad, state)
    }
    #[inline(always)]
    fn add_square(self, acc: f64, _: bool) -> f64 {
        acc + self * self
    }
}

/// What a buffer of parameters or gradients holds: `f32`, `f64`, or `bf16` (of the crate
/// [`half`]), with which the rules compute in `f32`. The trait is sealed.
pub trait Element: Copy + Send + Sync + sealed::Element + 'static {
    /// The type in which the rules compute.
    type Compute: Real;
    #[doc(hidden)]
    fn values(buffer: &[Self]) -> Values<'_, Self::Compute>;
    #[doc(hidden)]
    fn values_mut(buffer: &mut [Self]) -> ValuesMut<'_, Self::Compute>;
}

/// A buffer to read, with what its type computes in.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub enum Values<'a, F> {
    Full(&'a [F]),
    Bf16(&'a [bf16]),
}

/// A buffer to read and write.
#[doc(hidden)]
#[derive(Debug)]
pub enum ValuesMut<'a, F> {
    Full(&'a mut [F]),
    Bf16(&'a mut [bf16]),
}

macro_rules! full_precision {
    ($type:ty) => {
        impl Element for $type {
            type Compute = $type;
            fn values(buffer: &[Self]) -> Values<'_, Self> {
                Values::Full(buffer)
            }
            fn values_mut(buffer: &mut [Self]) -> ValuesMut<'_, Self> {
                ValuesMut::Full(buffer)
            }
        }
    };
}
full_precision!(f32);
full_precision!(f64);

impl Element for bf16 {
    type Compute = f32;
    fn values(buffer: &[Self]) -> Values<'_, f32> {
        Values::Bf16(buffer)
    }
    fn values_mut(buffer: &mut [Self]) -> ValuesMut<'_, f32> {
        ValuesMut::Bf16(buffer)
    }
}

mod sealed {
    pub trait Real {}
    impl Real for f32 {}
    impl Real for f64 {}
    pub trait Element {}
    impl Element for f32 {}
    impl Element for f64 {}
    impl Element for half::bf16 {}
}

/// `a / b`, and 0 where `b` is 0.
///
/// A coordinate that has never seen a gradient has numerator and denominator 0 when `eps` is 0
/// (or rounds to 0 in `f32`); it must stay where it is rather than become NaN.
#[inline(always)]
pub(crate) fn ratio<F: Real>(a: F, b: F) -> F {
    if b > F::zero() { a / b } else { F::zero() }
}
