//! Instruction sets, chosen at run time.
//!
//! Kernels are plain loops. [`InstructionSet::run`] compiles a loop once for each set and runs the
//! one asked for; the compiler makes vector code of it. Nothing is contracted or reassociated, and
//! every operation is rounded as IEEE 754 says, so that **all sets give the same bits**.

/// The instructions that the loops of a step use. All of them give the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InstructionSet {
    /// What every processor of the target has: SSE2 on x86-64, NEON on 64-bit ARM.
    Baseline,
    /// AVX2 and FMA: 8 `f32` at a time.
    Avx2,
    /// AVX-512 (F, BW, CD, DQ, VL): 16 `f32` at a time.
    Avx512,
}

impl InstructionSet {
    /// Those that this processor has, the widest last.
    pub fn available() -> Vec<InstructionSet> {
        use InstructionSet::{Avx2, Avx512, Baseline};
        [Baseline, Avx2, Avx512]
            .into_iter()
            .filter(|set| set.is_available())
            .collect()
    }

    /// The widest that this processor has.
    pub fn widest() -> InstructionSet {
        use InstructionSet::{Avx2, Avx512, Baseline};
        [Avx512, Avx2]
            .into_iter()
            .find(|set| set.is_available())
            .unwrap_or(Baseline)
    }

    fn is_available(self) -> bool {
        match self {
            InstructionSet::Baseline => true,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => pulp::x86::V3::try_new().is_some(),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => pulp::x86::V4::try_new().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// Runs `f`, compiled for this set, or for the baseline if the processor lacks it. `f` is told
    /// whether a fused multiply-add is one instruction. It must be `#[inline(always)]`, and so must
    /// all that it calls.
    #[inline(always)]
    pub(crate) fn run<R>(self, f: impl FnOnce(bool) -> R) -> R {
        #[cfg(target_arch = "x86_64")]
        {
            if self == InstructionSet::Avx512
                && let Some(set) = pulp::x86::V4::try_new()
            {
                return pulp::Simd::vectorize(
                    set,
                    #[inline(always)]
                    || f(true),
                );
            }
            if self == InstructionSet::Avx2
                && let Some(set) = pulp::x86::V3::try_new()
            {
                return pulp::Simd::vectorize(
                    set,
                    #[inline(always)]
                    || f(true),
                );
            }
        }
        f(cfg!(target_arch = "aarch64"))
    }
}

impl Default for InstructionSet {
    fn default() -> Self {
        InstructionSet::widest()
    }
}
