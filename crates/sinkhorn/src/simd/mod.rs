//! Which vector instructions the kernels use, found out at run time.
//!
//! A kernel is one generic function; it is compiled once for each instruction set, inside a function
//! that has the set enabled, and the compiler vectorises each copy for itself, but for sums that
//! have to stay in registers, which are made of [`Block`]s. So a program built for any processor of
//! its family is fast on the newest.
#![expect(
    unsafe_code,
    reason = "what is compiled for an instruction set may run only where that set was detected"
)]

mod block;

pub use block::{BLOCK, Block};

/// An instruction set that kernels are compiled for.
pub trait Arch: Copy {
    /// Whether a fused multiply-add is one instruction.
    const FMA: bool;
    /// Vector registers there are.
    const REGISTERS: usize;
    /// Bytes of a vector register.
    const BYTES: usize;
    /// Sixteen numbers in single precision.
    type F32: Block<f32>;
    /// Sixteen numbers in double precision.
    type F64: Block<f64>;
}

/// What every processor of the family has.
#[derive(Clone, Copy)]
pub(crate) struct Baseline;

/// Whether every processor of the family multiplies and adds in one instruction.
const BASELINE_FMA: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

impl Arch for Baseline {
    const FMA: bool = BASELINE_FMA;
    const REGISTERS: usize = if cfg!(target_arch = "aarch64") {
        32
    } else {
        16
    };
    const BYTES: usize = 16;
    #[cfg(not(target_arch = "x86_64"))]
    type F32 = block::Lanes16<f32, BASELINE_FMA>;
    #[cfg(not(target_arch = "x86_64"))]
    type F64 = block::Lanes16<f64, BASELINE_FMA>;
    #[cfg(target_arch = "x86_64")]
    type F32 = block::F32x4x4;
    #[cfg(target_arch = "x86_64")]
    type F64 = block::F64x2x8;
}

/// AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

#[cfg(target_arch = "x86_64")]
impl Arch for Avx2 {
    const FMA: bool = true;
    const REGISTERS: usize = 16;
    const BYTES: usize = 32;
    type F32 = block::F32x8x2;
    type F64 = block::F64x4x4;
}

/// AVX-512.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Avx512;

#[cfg(target_arch = "x86_64")]
impl Arch for Avx512 {
    const FMA: bool = true;
    const REGISTERS: usize = 32;
    const BYTES: usize = 64;
    type F32 = block::F32x16;
    type F64 = block::F64x8x2;
}

/// Vector instructions that a solve may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Instructions {
    /// What every processor of the family has: SSE2 on x86-64, NEON on 64-bit ARM.
    Baseline,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 (F, BW, DQ, VL).
    Avx512,
}

impl Instructions {
    /// Returns the best that this processor has.
    #[must_use]
    pub fn detected() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                return Self::Avx512;
            }
            if avx2 {
                return Self::Avx2;
            }
        }
        Self::Baseline
    }

    /// Runs a kernel, compiled for the best of these instructions that the processor has.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[cfg(target_arch = "x86_64")]
        match self.min(Self::detected()) {
            // SAFETY: the processor has these instructions, as was just detected.
            Self::Avx512 => return unsafe { avx512(kernel) },
            // SAFETY: as above.
            Self::Avx2 => return unsafe { avx2(kernel) },
            Self::Baseline => {}
        }
        kernel.run::<Baseline>()
    }
}

/// Work that is compiled for each instruction set; `run` has to be inlined, with all it calls.
pub(crate) trait Kernel {
    /// The result.
    type Output;

    /// Does the work.
    fn run<A: Arch>(self) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2>()
}
