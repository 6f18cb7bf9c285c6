//! Sixteen numbers in vector registers, and what the hot loops do with them.
//!
//! Loops over plain arrays are put into vectors well where they are flat, and badly where several
//! sums are kept at once: the compiler then mixes lanes of different sums. So those sums are kept in
//! registers by name.

/// Numbers in a block.
pub const BLOCK: usize = 16;

/// Sixteen numbers. All operations go lane by lane, but for [`total`](Self::total).
pub trait Block<T>: Copy {
    /// Vector registers that one takes.
    const REGISTERS: usize;

    /// Returns the same number in every lane.
    fn splat(value: T) -> Self;

    /// Reads a block from memory.
    fn load(from: &[T; BLOCK]) -> Self;

    /// Writes it to memory.
    fn store(self, to: &mut [T; BLOCK]);

    /// `self * factor + sum`.
    fn multiply_add(self, factor: Self, sum: Self) -> Self;

    /// Sum over the lanes, halving the block: the same order for every instruction set.
    fn total(self) -> T;
}

/// A block as an array, for processors whose registers have no names here.
#[cfg_attr(
    target_arch = "x86_64",
    expect(dead_code, reason = "its registers have names")
)]
#[derive(Clone, Copy)]
pub struct Lanes16<T, const FMA: bool>([T; BLOCK]);

macro_rules! lanes16 {
    ($type:ident) => {
        impl<const FMA: bool> Block<$type> for Lanes16<$type, FMA> {
            // Registers of 128 bits.
            const REGISTERS: usize = size_of::<$type>();

            #[inline(always)]
            fn splat(value: $type) -> Self {
                Self([value; BLOCK])
            }

            #[inline(always)]
            fn load(from: &[$type; BLOCK]) -> Self {
                Self(*from)
            }

            #[inline(always)]
            fn store(self, to: &mut [$type; BLOCK]) {
                *to = self.0;
            }

            #[inline(always)]
            fn multiply_add(self, factor: Self, sum: Self) -> Self {
                let mut result = [0.0; BLOCK];
                for l in 0..BLOCK {
                    // Without the instruction, the library function is forty times slower than two
                    // roundings.
                    result[l] = if FMA {
                        self.0[l].mul_add(factor.0[l], sum.0[l])
                    } else {
                        self.0[l] * factor.0[l] + sum.0[l]
                    };
                }
                Self(result)
            }

            #[inline(always)]
            fn total(self) -> $type {
                let mut block = self.0;
                let mut half = BLOCK / 2;
                while half > 0 {
                    for l in 0..half {
                        let other = block[l + half];
                        block[l] += other;
                    }
                    half /= 2;
                }
                block[0]
            }
        }
    };
}

lanes16!(f32);
lanes16!(f64);

#[cfg(target_arch = "x86_64")]
pub use x86::{F32x4x4, F32x8x2, F32x16, F64x2x8, F64x4x4, F64x8x2};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{BLOCK, Block};

    /// A block type over registers of `$lanes` numbers, of which it takes `$count`.
    ///
    /// Without closures: they are not compiled for the instruction set of what they stand in.
    macro_rules! registers {
        ($(#[$doc:meta])* $name:ident, $type:ident, $register:ident * $count:literal, $lanes:literal,
         $splat:ident, $load:ident, $store:ident, $fma:ident, $add:ident, $sum:ident) => {
            $(#[$doc])*
            #[derive(Clone, Copy)]
            pub struct $name([$register; $count]);

            // SAFETY of all below: kernels use this type only where `Instructions::run` has detected
            // its instructions; memory is read and written within an array of sixteen numbers.
            impl Block<$type> for $name {
                const REGISTERS: usize = $count;

                #[inline(always)]
                fn splat(value: $type) -> Self {
                    Self([unsafe { $splat(value) }; $count])
                }

                #[inline(always)]
                fn load(from: &[$type; BLOCK]) -> Self {
                    let start = from.as_ptr();
                    let mut parts = Self::splat(0.0).0;
                    for part in 0..$count {
                        parts[part] = unsafe { $load(start.add(part * $lanes)) };
                    }
                    Self(parts)
                }

                #[inline(always)]
                fn store(self, to: &mut [$type; BLOCK]) {
                    let start = to.as_mut_ptr();
                    for part in 0..$count {
                        unsafe { $store(start.add(part * $lanes), self.0[part]) }
                    }
                }

                #[inline(always)]
                fn multiply_add(self, factor: Self, sum: Self) -> Self {
                    let mut parts = sum.0;
                    for part in 0..$count {
                        parts[part] =
                            unsafe { $fma(self.0[part], factor.0[part], sum.0[part]) };
                    }
                    Self(parts)
                }

                #[inline(always)]
                fn total(self) -> $type {
                    let mut parts = self.0;
                    let mut half = $count / 2;
                    while half > 0 {
                        for part in 0..half {
                            parts[part] = unsafe { $add(parts[part], parts[part + half]) };
                        }
                        half /= 2;
                    }
                    unsafe { $sum(parts[0]) }
                }
            }
        };
    }

    registers!(
        /// Four registers of SSE2, which every x86-64 has.
        F32x4x4, f32, __m128 * 4, 4, _mm_set1_ps, _mm_loadu_ps, _mm_storeu_ps, two_roundings_f32,
        _mm_add_ps, sum_f32x4
    );
    registers!(
        /// Eight registers of SSE2.
        F64x2x8, f64, __m128d * 8, 2, _mm_set1_pd, _mm_loadu_pd, _mm_storeu_pd, two_roundings_f64,
        _mm_add_pd, sum_f64x2
    );
    registers!(
        /// Two registers of AVX2.
        F32x8x2, f32, __m256 * 2, 8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps,
        _mm256_fmadd_ps, _mm256_add_ps, sum_f32x8
    );
    registers!(
        /// Four registers of AVX2.
        F64x4x4, f64, __m256d * 4, 4, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd,
        _mm256_fmadd_pd, _mm256_add_pd, sum_f64x4
    );
    registers!(
        /// One register of AVX-512.
        F32x16, f32, __m512 * 1, 16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps,
        _mm512_fmadd_ps, _mm512_add_ps, sum_f32x16
    );
    registers!(
        /// Two registers of AVX-512.
        F64x8x2, f64, __m512d * 2, 8, _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd,
        _mm512_fmadd_pd, _mm512_add_pd, sum_f64x8
    );

    /// # Safety
    /// None: SSE2 is everywhere.
    #[inline(always)]
    unsafe fn two_roundings_f32(x: __m128, factor: __m128, sum: __m128) -> __m128 {
        unsafe { _mm_add_ps(_mm_mul_ps(x, factor), sum) }
    }

    /// # Safety
    /// None: SSE2 is everywhere.
    #[inline(always)]
    unsafe fn two_roundings_f64(x: __m128d, factor: __m128d, sum: __m128d) -> __m128d {
        unsafe { _mm_add_pd(_mm_mul_pd(x, factor), sum) }
    }

    /// # Safety
    /// None: SSE2 is everywhere.
    #[inline(always)]
    unsafe fn sum_f32x4(four: __m128) -> f32 {
        unsafe {
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }

    /// # Safety
    /// None: SSE2 is everywhere.
    #[inline(always)]
    unsafe fn sum_f64x2(two: __m128d) -> f64 {
        unsafe { _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two))) }
    }

    /// # Safety
    /// The processor has AVX2.
    #[inline(always)]
    unsafe fn sum_f32x8(eight: __m256) -> f32 {
        unsafe {
            let low = _mm256_castps256_ps128(eight);
            sum_f32x4(_mm_add_ps(low, _mm256_extractf128_ps::<1>(eight)))
        }
    }

    /// # Safety
    /// The processor has AVX2.
    #[inline(always)]
    unsafe fn sum_f64x4(four: __m256d) -> f64 {
        unsafe {
            let low = _mm256_castpd256_pd128(four);
            sum_f64x2(_mm_add_pd(low, _mm256_extractf128_pd::<1>(four)))
        }
    }

    /// # Safety
    /// The processor has AVX-512 (F and DQ).
    #[inline(always)]
    unsafe fn sum_f32x16(sixteen: __m512) -> f32 {
        unsafe {
            let low = _mm512_castps512_ps256(sixteen);
            sum_f32x8(_mm256_add_ps(low, _mm512_extractf32x8_ps::<1>(sixteen)))
        }
    }

    /// # Safety
    /// The processor has AVX-512 (F).
    #[inline(always)]
    unsafe fn sum_f64x8(eight: __m512d) -> f64 {
        unsafe {
            let low = _mm512_castpd512_pd256(eight);
            sum_f64x4(_mm256_add_pd(low, _mm512_extractf64x4_pd::<1>(eight)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Arch, Instructions, Kernel};

    /// What every operation gives, as numbers.
    struct Operations;

    fn operations<T: Copy + Default, B: Block<T>>(values: impl Fn(i32) -> T) -> (Vec<T>, T) {
        let block = |seed: i32| -> [T; BLOCK] { std::array::from_fn(|l| values(seed + l as i32)) };
        let result = B::load(&block(3)).multiply_add(B::splat(values(40)), B::load(&block(7)));
        let mut stored = [T::default(); BLOCK];
        result.store(&mut stored);
        (stored.to_vec(), result.total())
    }

    impl Kernel for Operations {
        type Output = ((Vec<f32>, f32), (Vec<f64>, f64));

        #[inline(always)]
        fn run<A: Arch>(self) -> Self::Output {
            (
                operations::<f32, A::F32>(|seed| (seed as f32).sqrt()),
                operations::<f64, A::F64>(|seed| f64::from(seed).sqrt()),
            )
        }
    }

    /// With and without rounding between multiplication and addition, results differ by rounding.
    #[test]
    fn instruction_sets_agree() {
        let ((singles, single), (doubles, double)) = Instructions::Baseline.run(Operations);
        let expected = |l: i32| f64::from(3 + l).sqrt() * 40.0_f64.sqrt() + f64::from(7 + l).sqrt();
        for instructions in [
            Instructions::Baseline,
            Instructions::Avx2,
            Instructions::Avx512,
        ] {
            let found = instructions.run(Operations);
            for l in 0..BLOCK {
                assert!((found.1.0[l] - expected(l as i32)).abs() < 1e-13);
                assert!((found.1.0[l] - doubles[l]).abs() < 1e-13);
                assert!((found.0.0[l] - singles[l]).abs() < 1e-5);
            }
            assert!((found.0.1 - single).abs() < 1e-4 && (found.1.1 - double).abs() < 1e-12);
            let sum: f64 = (0..16).map(expected).sum();
            assert!((found.1.1 - sum).abs() < 1e-12);
        }
    }
}
