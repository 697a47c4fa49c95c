//! How state is stored: full precision, bf16, or 8 bits with a scale for each 256 coordinates.
//!
//! A step reads [`TILE`] coordinates, computes in full precision, and writes them back. What is
//! narrower than the computation is **rounded stochastically**: up or down with probabilities that
//! make the expectation exact. Rounding to the nearest would stop every slow average: at β = 0.999 a
//! step changes v by about a thousandth, and half a unit in the last place of bf16 is two. The random
//! bits are a hash of (seed, step, slot, coordinate), so that a step gives the same bits for any
//! number of threads, and after a restart.
//!
//! | format | bytes | value | unit in the last place, relative |
//! |---|---|---|---|
//! | full | 4 (`f32`), 8 (`f64`) | – | 2⁻²³, 2⁻⁵² |
//! | bf16 | 2 | – | 2⁻⁷ to 2⁻⁸ |
//! | 8 bits, signed (m) | 1 + 1/64 | ±(2^e·(1 + f/8) − 2⁻¹⁵)·scale, e = −15 … 0 | 2⁻³ to 2⁻⁴ |
//! | 8 bits, unsigned (v, τ^α) | 1 + 1/64 | (2^e·(1 + f/16) − 2⁻¹⁵)·scale, e = −15 … 0 | 2⁻⁴ to 2⁻⁵ |
//!
//! The 8-bit codes are those of a small float, shifted down so that code 0 is 0: logarithmic at the
//! top, linear below 2⁻¹⁵. The scale is chosen so that the largest magnitude of the tile is exact. An
//! unsigned value that is not 0 (nor near the end of `f32`) is never rounded to 0, which would divide by ε alone; a signed one may
//! be.
//!
//! An average with decay β carries the errors of about 1/(1−β) roundings, about σ/√(2(1−β)) together,
//! where σ is that of one: 0.23 % (bf16), 1.9 % and 3.8 % (8 bits, unsigned and signed). Measured against
//! full precision, root mean square relative to that of the slot, over 2,000 steps of noise:
//!
//! | | m, β1 = 0.9 | v, β2 = 0.99 | v, β2 = 0.999 |
//! |---|---|---|---|
//! | bf16 | 0.5 % | 1.9 % | 4.1 % |
//! | 8 bits | 8.6 % | 8.4 % | 12 % |
//!
//! (8 bits do better than the formula for slow averages, whose steps are less than a code: the value
//! then mostly stays where it is.) No bias was found. `tests/formats.rs` holds these figures.

use half::bf16;

use crate::real::{Values, ValuesMut};
use crate::rounding::{Dice, SHIFT, SIGNED, UNSIGNED, decode, encode, round_bf16};
use crate::{Format, Real};

/// Coordinates on the stack at a time, and coordinates that share a scale.
pub(crate) const TILE: usize = 256;

/// A slot of the state, or a part of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Store<F> {
    Full(Vec<F>),
    Bf16(Vec<bf16>),
    /// Codes, and a scale for each tile of each block.
    Bits8 {
        codes: Vec<u8>,
        scales: Vec<f32>,
        signed: bool,
    },
}

/// A part of a slot, writable.
#[derive(Debug)]
pub(crate) enum StoreMut<'a, F> {
    Values(ValuesMut<'a, F>),
    Bits8 {
        codes: &'a mut [u8],
        scales: &'a mut [f32],
        signed: bool,
    },
}

impl<F: Real> Store<F> {
    /// `len` zeros, with `tiles` scales if the format has scales.
    pub(crate) fn zeros(format: Format, signed: bool, len: usize, tiles: usize) -> Self {
        match format {
            Format::Full => Store::Full(vec![F::zero(); len]),
            Format::Bf16 => Store::Bf16(vec![bf16::ZERO; len]),
            Format::Bits8 => Store::Bits8 {
                codes: vec![0; len],
                scales: vec![0.0; tiles],
                signed,
            },
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Store::Full(values) => values.len(),
            Store::Bf16(values) => values.len(),
            Store::Bits8 { codes, .. } => codes.len(),
        }
    }

    pub(crate) fn view(&mut self) -> StoreMut<'_, F> {
        match self {
            Store::Full(values) => StoreMut::Values(ValuesMut::Full(values)),
            Store::Bf16(values) => StoreMut::Values(ValuesMut::Bf16(values)),
            Store::Bits8 {
                codes,
                scales,
                signed,
            } => StoreMut::Bits8 {
                codes,
                scales,
                signed: *signed,
            },
        }
    }
}

impl<'a, F: Real> Values<'a, F> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Values::Full(x) => x.len(),
            Values::Bf16(x) => x.len(),
        }
    }

    /// Splits off the first `len` values.
    pub(crate) fn take(&mut self, len: usize) -> Self {
        match self {
            Values::Full(x) => Values::Full(x.split_off(..len).unwrap_or_default()),
            Values::Bf16(x) => Values::Bf16(x.split_off(..len).unwrap_or_default()),
        }
    }

    /// The values from `start` on, at most a tile: where they stand, or in `buffer`.
    #[inline(always)]
    pub(crate) fn tile<'b>(&self, start: usize, n: usize, buffer: &'b mut [F; TILE]) -> &'b [F]
    where
        'a: 'b,
    {
        match self {
            Values::Full(x) => &x[start..start + n],
            Values::Bf16(x) => {
                widen(&x[start..start + n], &mut buffer[..n]);
                &buffer[..n]
            }
        }
    }
}

impl<'a, F: Real> ValuesMut<'a, F> {
    pub(crate) fn len(&self) -> usize {
        match self {
            ValuesMut::Full(x) => x.len(),
            ValuesMut::Bf16(x) => x.len(),
        }
    }

    /// The same values, to read.
    pub(crate) fn as_values(&self) -> Values<'_, F> {
        match self {
            ValuesMut::Full(x) => Values::Full(x),
            ValuesMut::Bf16(x) => Values::Bf16(x),
        }
    }

    /// Splits off the first `len` values.
    pub(crate) fn take(&mut self, len: usize) -> ValuesMut<'a, F> {
        match self {
            ValuesMut::Full(x) => ValuesMut::Full(x.split_off_mut(..len).unwrap_or_default()),
            ValuesMut::Bf16(x) => ValuesMut::Bf16(x.split_off_mut(..len).unwrap_or_default()),
        }
    }

    /// Borrows the values for a shorter time.
    pub(crate) fn reborrow(&mut self) -> ValuesMut<'_, F> {
        match self {
            ValuesMut::Full(x) => ValuesMut::Full(x),
            ValuesMut::Bf16(x) => ValuesMut::Bf16(x),
        }
    }

    /// As [`Values::tile`]; a change takes effect with [`close`](Self::close).
    #[inline(always)]
    pub(crate) fn open<'b>(
        &'b mut self,
        start: usize,
        n: usize,
        buffer: &'b mut [F; TILE],
    ) -> &'b mut [F] {
        match self {
            ValuesMut::Full(x) => &mut x[start..start + n],
            ValuesMut::Bf16(x) => {
                widen(&x[start..start + n], &mut buffer[..n]);
                &mut buffer[..n]
            }
        }
    }

    /// Writes `buffer` back where `open` put values there.
    #[inline(always)]
    pub(crate) fn close(&mut self, start: usize, n: usize, buffer: &[F; TILE], dice: Dice) {
        if let ValuesMut::Bf16(x) = self {
            let x = &mut x[start..start + n];
            for (i, (x, new)) in x.iter_mut().zip(&buffer[..n]).enumerate() {
                *x = round_bf16(new.as_f32(), dice.roll(start + i));
            }
        }
    }
}

impl<'a, F: Real> StoreMut<'a, F> {
    /// Splits off the first `len` coordinates, which end where a tile ends.
    pub(crate) fn take(&mut self, len: usize) -> StoreMut<'a, F> {
        match self {
            StoreMut::Values(x) => StoreMut::Values(x.take(len)),
            StoreMut::Bits8 {
                codes,
                scales,
                signed,
            } => StoreMut::Bits8 {
                codes: codes.split_off_mut(..len).unwrap_or_default(),
                scales: scales
                    .split_off_mut(..len.div_ceil(TILE))
                    .unwrap_or_default(),
                signed: *signed,
            },
        }
    }

    /// As [`ValuesMut::open`]; `start` is a multiple of [`TILE`].
    #[inline(always)]
    pub(crate) fn open<'b>(
        &'b mut self,
        start: usize,
        n: usize,
        buffer: &'b mut [F; TILE],
    ) -> &'b mut [F] {
        match self {
            StoreMut::Values(x) => x.open(start, n, buffer),
            StoreMut::Bits8 {
                codes,
                scales,
                signed,
            } => {
                let (codes, scale) = (&codes[start..start + n], scales[start / TILE]);
                let buffer = &mut buffer[..n];
                if *signed {
                    for (x, &code) in buffer.iter_mut().zip(codes) {
                        *x =
                            F::from_f32(decode::<SIGNED>(code & 0x7f, scale, u32::from(code >> 7)));
                    }
                } else {
                    for (x, &code) in buffer.iter_mut().zip(codes) {
                        *x = F::from_f32(decode::<UNSIGNED>(code, scale, 0));
                    }
                }
                buffer
            }
        }
    }

    /// As [`ValuesMut::close`].
    #[inline(always)]
    pub(crate) fn close(&mut self, start: usize, n: usize, buffer: &[F; TILE], dice: Dice) {
        match self {
            StoreMut::Values(x) => x.close(start, n, buffer, dice),
            StoreMut::Bits8 {
                codes,
                scales,
                signed,
            } => {
                let mut values = [0.0_f32; TILE];
                let mut largest = 0.0_f32;
                for (value, x) in values[..n].iter_mut().zip(buffer) {
                    *value = x.as_f32();
                    let size = value.abs();
                    largest = if size > largest { size } else { largest };
                }
                let codes = &mut codes[start..start + n];
                let top = if *signed { 1.875 } else { 1.9375 };
                let scale = largest / (top - SHIFT);
                scales[start / TILE] = scale;
                // Where 1/scale would overflow, the tile is as good as zero: below 3e-39.
                let inverse = if scale > 2.0 / f32::MAX {
                    1.0 / scale
                } else {
                    0.0
                };
                if *signed {
                    for (i, (code, x)) in codes.iter_mut().zip(&values).enumerate() {
                        let sign = (x.to_bits() >> 31) << 7;
                        let code7 = encode::<SIGNED>(x.abs() * inverse, dice.roll(start + i));
                        let code7 = if code7 > 0x7f { 0x7f } else { code7 };
                        *code = (code7 | sign) as u8;
                    }
                } else {
                    for (i, (code, x)) in codes.iter_mut().zip(&values).enumerate() {
                        let code8 = encode::<UNSIGNED>(x.abs() * inverse, dice.roll(start + i));
                        let code8 = if code8 > 0xff { 0xff } else { code8 };
                        let least = u32::from(*x != 0.0);
                        *code = (if code8 > least { code8 } else { least }) as u8;
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn widen<F: Real>(from: &[bf16], to: &mut [F]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = F::from_f32(f32::from_bits(u32::from(from.to_bits()) << 16));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every value of a tile, rounded with many dice.
    fn mean_after_rounding(values: &[f32], signed: bool) -> Vec<f64> {
        let mut sums = vec![0.0; values.len()];
        const ROLLS: u64 = 4000;
        let mut store = Store::zeros(Format::Bits8, signed, values.len(), 1);
        for t in 0..ROLLS {
            let mut buffer = [0.0_f32; TILE];
            buffer[..values.len()].copy_from_slice(values);
            let mut view: StoreMut<f32> = store.view();
            view.close(0, values.len(), &buffer, Dice::new(1, t, 0));
            let mut back = [0.0; TILE];
            for (sum, x) in sums.iter_mut().zip(&*view.open(0, values.len(), &mut back)) {
                *sum += f64::from(*x) / ROLLS as f64;
            }
        }
        sums
    }

    #[test]
    fn eight_bits_are_right_in_the_mean() {
        let signed = [1.0, -0.7, 0.031, -0.0042, 1e-4, 3e-5, 0.0];
        for (x, mean) in signed.iter().zip(mean_after_rounding(&signed, true)) {
            // A rounding is off by half a last place at most in the mean square: |x|/16, and near 0
            // 2⁻¹⁵/16; the mean of 4000 by 1/63 of that.
            let tolerance = 4.0 * (f64::from(x.abs()) / 16.0 + 2e-6) / 63.0;
            assert!((mean - f64::from(*x)).abs() <= tolerance, "{x}: {mean}");
        }
        let unsigned = [4.0, 2.9, 0.11, 3e-4, 0.0];
        for (x, mean) in unsigned.iter().zip(mean_after_rounding(&unsigned, false)) {
            let tolerance = 4.0 * f64::from(x / 32.0) / 63.0;
            assert!((mean - f64::from(*x)).abs() <= tolerance, "{x}: {mean}");
        }
    }

    #[test]
    fn eight_bits_keep_every_code() {
        for signed in [false, true] {
            let mut store = Store::<f32>::Bits8 {
                codes: (0..=255).collect(),
                scales: vec![0.37],
                signed,
            };
            let before = store.clone();
            let mut buffer = [0.0; TILE];
            store.view().open(0, TILE, &mut buffer);
            if signed {
                buffer[128] = -0.0; // its code, the sign alone
            }
            store.view().close(0, TILE, &buffer, Dice::new(3, 5, 1));
            let (Store::Bits8 { codes, .. }, Store::Bits8 { codes: old, .. }) = (store, before)
            else {
                unreachable!()
            };
            // The scale is rounded anew, which may move a value by a last place of f32.
            let moved = codes.iter().zip(&old).filter(|(a, b)| a != b).count();
            assert!(moved <= 2, "signed {signed}: {moved} codes moved");
        }
    }

    #[test]
    fn a_positive_value_does_not_become_zero() {
        let mut store = Store::<f32>::zeros(Format::Bits8, false, 3, 1);
        let mut buffer = [0.0; TILE];
        buffer[..3].copy_from_slice(&[1e10, 1e-30, 0.0]);
        store.view().close(0, 3, &buffer, Dice::new(0, 1, 0));
        let mut view = store.view();
        let back = view.open(0, 3, &mut buffer);
        assert!(
            back[0] == 1e10 && back[1] > 0.0 && back[2] == 0.0,
            "{back:?}"
        );
    }
}
