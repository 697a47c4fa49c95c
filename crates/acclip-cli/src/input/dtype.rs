//! The types of numbers in binary files, and their conversion to f64.
//!
//! Exact for f16, bf16, f32, f64 and integers below 2⁵³; 64-bit integers beyond are rounded.

use half::{bf16, f16};

/// A type of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Dtype {
    F16,
    Bf16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
}

impl Dtype {
    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Dtype::I8 | Dtype::U8 => 1,
            Dtype::F16 | Dtype::Bf16 | Dtype::I16 | Dtype::U16 => 2,
            Dtype::F32 | Dtype::I32 | Dtype::U32 => 4,
            Dtype::F64 | Dtype::I64 | Dtype::U64 => 8,
        }
    }

    /// Writes the numbers of `raw` to `out`; `raw` has `size()` bytes for each of them.
    pub fn decode(self, big_endian: bool, raw: &[u8], out: &mut [f64]) {
        macro_rules! convert {
            ($type:ty, $to_f64:expr) => {
                if big_endian {
                    each(raw, out, |bytes| $to_f64(<$type>::from_be_bytes(bytes)))
                } else {
                    each(raw, out, |bytes| $to_f64(<$type>::from_le_bytes(bytes)))
                }
            };
        }
        match self {
            Dtype::F16 => convert!(f16, f16::to_f64),
            Dtype::Bf16 => convert!(bf16, bf16::to_f64),
            Dtype::F32 => convert!(f32, f64::from),
            Dtype::F64 => convert!(f64, f64::from),
            Dtype::I8 => convert!(i8, f64::from),
            Dtype::I16 => convert!(i16, f64::from),
            Dtype::I32 => convert!(i32, f64::from),
            Dtype::I64 => convert!(i64, |x| x as f64),
            Dtype::U8 => convert!(u8, f64::from),
            Dtype::U16 => convert!(u16, f64::from),
            Dtype::U32 => convert!(u32, f64::from),
            Dtype::U64 => convert!(u64, |x| x as f64),
        }
    }
}

fn each<const N: usize>(raw: &[u8], out: &mut [f64], convert: impl Fn([u8; N]) -> f64) {
    let (numbers, rest) = raw.as_chunks::<N>();
    assert!(rest.is_empty() && numbers.len() == out.len());
    for (x, bytes) in out.iter_mut().zip(numbers) {
        *x = convert(*bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes written by hand, from the definitions of the formats.
    #[test]
    fn numbers_of_every_type() {
        let cases: [(Dtype, &[u8], f64); 14] = [
            (Dtype::F16, &[0xc1, 0x00], -2.5),
            (Dtype::F16, &[0x00, 0x01], 2f64.powi(-24)),
            (Dtype::Bf16, &[0xc0, 0x20], -2.5),
            (Dtype::Bf16, &[0x00, 0x01], 2f64.powi(-133)),
            (Dtype::F32, &[0xc0, 0x20, 0, 0], -2.5),
            (Dtype::F64, &[0xc0, 0x04, 0, 0, 0, 0, 0, 0], -2.5),
            (Dtype::I8, &[0x85], -123.0),
            (Dtype::U8, &[0x85], 133.0),
            (Dtype::I16, &[0xff, 0x01], -255.0),
            (Dtype::U16, &[0xff, 0x01], 65_281.0),
            (Dtype::I32, &[0xff, 0xff, 0xff, 0x01], -255.0),
            (Dtype::U32, &[0xff, 0, 0, 1], 4_278_190_081.0),
            (Dtype::I64, &[0xff; 8], -1.0),
            (Dtype::U64, &[0, 0, 0, 1, 0, 0, 0, 3], 4_294_967_299.0),
        ];
        for (dtype, big, expected) in cases {
            assert_eq!(big.len(), dtype.size());
            let little: Vec<u8> = big.iter().rev().copied().collect();
            for (bytes, big_endian) in [(big, true), (&little[..], false)] {
                let mut out = [f64::NAN];
                dtype.decode(big_endian, bytes, &mut out);
                assert_eq!(out[0], expected, "{dtype:?} {bytes:?}");
            }
        }
    }
}
