//! The two floating-point types that costs and weights may have.

use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

use crate::simd::{Arch, Block};

/// `f32` or `f64`, the types that costs and weights may have.
pub trait Real: Lanes + Display + Default {
    /// Returns the nearest value of this type.
    fn from_f64(value: f64) -> Self;

    /// Returns the same value, exactly.
    fn to_f64(self) -> f64;
}

/// What only the kernels of this crate need; other crates cannot name it, so they cannot add types.
pub trait Lanes:
    Copy
    + Debug
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// More than any number.
    const INFINITY: Self;
    /// Largest relative error of rounding.
    const ROUNDING: f64;
    /// Scaling factors within this power of two of one are harmless, and absorbed beyond it.
    const SAFE_EXPONENT: i32;

    /// `self * a + b`, in one instruction where the architecture has one: without it, the library
    /// function is forty times slower than two roundings.
    fn fma<A: Arch>(self, a: Self, b: Self) -> Self;

    /// Two to the power of `self`, relative error below 2e-7 or 5e-16; exactly zero where that would
    /// be subnormal, since a floor instead would let a wrong plan pass for a converged one.
    fn exp2<A: Arch>(self) -> Self;

    /// Divides an exponent in double precision into the nearest integer and a rest that this type
    /// holds as exactly: of a large exponent, single precision would leave few digits behind the
    /// point.
    fn split_exponent(exponent: f64) -> [Self; 2];

    /// Two to the power of a [split exponent](Self::split_exponent), as exact as
    /// [`exp2`](Self::exp2) is near zero.
    fn exp2_of_split<A: Arch>(split: [Self; 2]) -> Self;

    /// Two to the power of a number in double precision.
    #[inline(always)]
    fn exp2_of<A: Arch>(exponent: f64) -> Self {
        Self::exp2_of_split::<A>(Self::split_exponent(exponent))
    }

    /// Returns the logarithm to base two of a positive normal number, absolute error below 2e-7 or 5e-16
    /// times one or the result, whichever is larger.
    fn log2<A: Arch>(self) -> Self;

    /// Sixteen numbers in registers.
    type Block<A: Arch>: Block<Self>;

    /// An integer in the order of the numbers, with NaN beyond the infinities: unlike comparisons of
    /// numbers, those of integers are put into vectors, also across a register.
    type Key: Copy + Ord;

    /// Returns the key of this number.
    fn key(self) -> Self::Key;

    /// Returns the number of a key.
    fn from_key(key: Self::Key) -> Self;
}

/// A polynomial with the coefficient of the highest power first, by Horner's rule.
macro_rules! polynomial {
    ($arch:ident, $x:expr; $first:expr $(, $next:expr)+) => {{
        let mut sum = $first;
        $(sum = sum.fma::<$arch>($x, $next);)+
        sum
    }};
}

macro_rules! real {
    ($type:ident, $bits:ident, $key:ident, $block:ident, safe: $safe:expr, lowest: $lowest:expr, mantissa: $mantissa:expr,
     bias: $bias:expr, exp2: $exp2:tt, atanh: $atanh:tt) => {
        impl Real for $type {
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as Self
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                self.into()
            }
        }

        impl Lanes for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const INFINITY: Self = $type::INFINITY;
            const ROUNDING: f64 = $type::EPSILON as f64 / 2.0;
            const SAFE_EXPONENT: i32 = $safe;

            #[inline(always)]
            fn fma<A: Arch>(self, a: Self, b: Self) -> Self {
                if A::FMA {
                    self.mul_add(a, b)
                } else {
                    self * a + b
                }
            }

            #[inline(always)]
            fn exp2<A: Arch>(self) -> Self {
                // Adding it rounds to an integer, which then stands in the lowest bits.
                const ROUNDER: $type = ((3 as $bits) << ($mantissa - 1)) as $type;
                const LOWEST: $type = $lowest;
                // Written so that NaN stays NaN.
                let x = if self > -LOWEST { -LOWEST } else { self };
                let rounded = x + ROUNDER;
                let rest = x - (rounded - ROUNDER);
                let power = (rounded.to_bits() << $mantissa).wrapping_add($bias << $mantissa);
                // The Taylor series, on half a unit to either side of zero.
                let value = real!(@polynomial A, rest; $exp2) * $type::from_bits(power);
                if self < LOWEST { 0.0 } else { value }
            }

            #[inline(always)]
            fn split_exponent(exponent: f64) -> [Self; 2] {
                const ROUNDER: f64 = ((3_u64) << 51) as f64;
                const LOWEST: f64 = $lowest;
                let x = if exponent > -LOWEST { -LOWEST } else { exponent };
                let x = if x < 2.0 * LOWEST { 2.0 * LOWEST } else { x };
                let rounded = (x + ROUNDER) - ROUNDER;
                [rounded as $type, (x - rounded) as $type]
            }

            #[inline(always)]
            fn exp2_of_split<A: Arch>([rounded, rest]: [Self; 2]) -> Self {
                const ROUNDER: $type = ((3 as $bits) << ($mantissa - 1)) as $type;
                const LOWEST: $type = $lowest;
                let shifted = rounded + ROUNDER;
                let power = (shifted.to_bits() << $mantissa).wrapping_add($bias << $mantissa);
                let value = real!(@polynomial A, rest; $exp2) * $type::from_bits(power);
                if rounded + rest < LOWEST { 0.0 } else { value }
            }

            #[inline(always)]
            fn log2<A: Arch>(self) -> Self {
                // Splits off the power of two that leaves a number between the roots of 1/2 and 2.
                const ROOT: $bits = std::$type::consts::FRAC_1_SQRT_2.to_bits();
                let above = self.to_bits().wrapping_sub(ROOT);
                let power = (above.cast_signed() >> $mantissa) as $type;
                let fraction = above & ((1 << $mantissa) - 1);
                let x = $type::from_bits(fraction.wrapping_add(ROOT));
                // log(x) = 2 atanh((x - 1) / (x + 1)), by its Taylor series.
                let ratio = (x - 1.0) / (x + 1.0);
                let square = ratio * ratio;
                let series = real!(@polynomial A, square; $atanh);
                (series * std::$type::consts::LOG2_E * 2.0).fma::<A>(ratio, power)
            }

            type Block<A: Arch> = A::$block;

            type Key = $key;

            #[inline(always)]
            fn key(self) -> $key {
                let bits = self.to_bits().cast_signed();
                let sign = (bits >> ($key::BITS - 1)).cast_unsigned();
                bits ^ (sign >> 1).cast_signed()
            }

            #[inline(always)]
            fn from_key(key: $key) -> Self {
                let sign = (key >> ($key::BITS - 1)).cast_unsigned();
                $type::from_bits(key.cast_unsigned() ^ (sign >> 1))
            }
        }
    };
    (@polynomial $arch:ident, $x:ident; [$($term:expr),+]) => {
        polynomial!($arch, $x; $($term),+)
    };
}

real!(f32, u32, i32, F32, safe: 26, lowest: -126.0, mantissa: 23, bias: 127,
    exp2: [
        1.525_273_4e-5, 1.540_353e-4, 1.333_355_8e-3, 9.618_129e-3, 5.550_411e-2, 2.402_265e-1,
        std::f32::consts::LN_2, 1.0
    ],
    atanh: [1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0]);

real!(f64, u64, i64, F64, safe: 200, lowest: -1022.0, mantissa: 52, bias: 1023,
exp2: [
    1.369_148_885_390_412_8e-12, 2.567_843_599_348_820_6e-11, 4.445_538_271_870_811_6e-10,
    7.054_911_620_801_123e-9, 1.017_808_600_923_97e-7, 1.321_548_679_014_431e-6,
    1.525_273_380_405_984_1e-5, 1.540_353_039_338_161e-4, 1.333_355_814_642_844_3e-3,
    9.618_129_107_628_477e-3, 5.550_410_866_482_158e-2, 2.402_265_069_591_007e-1,
    std::f64::consts::LN_2, 1.0
],
atanh: [
    1.0 / 21.0, 1.0 / 19.0, 1.0 / 17.0, 1.0 / 15.0, 1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0,
    1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0
]);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Baseline;

    #[test]
    fn powers_of_two_are_right_to_rounding() {
        for step in -40_000..40_000 {
            let x = f64::from(step) * 0.003_1;
            let found = Lanes::exp2::<Baseline>(x);
            assert!((found / f64::exp2(x) - 1.0).abs() < 5e-16, "2^{x}");
            let single = x as f32;
            let exact = f64::exp2(f64::from(single));
            if single > -126.0 {
                let found = f64::from(Lanes::exp2::<Baseline>(single));
                assert!((found / exact - 1.0).abs() < 2e-7, "2^{single}");
            }
            if x > -126.0 && x < 126.0 {
                let found = f64::from(<f32 as Lanes>::exp2_of::<Baseline>(x));
                assert!((found / f64::exp2(x) - 1.0).abs() < 2e-7, "2^{x}");
            }
            let found = <f64 as Lanes>::exp2_of::<Baseline>(x);
            assert!((found / f64::exp2(x) - 1.0).abs() < 5e-16, "2^{x}");
        }
    }

    #[test]
    fn logarithms_are_right_to_rounding() {
        for step in 1..40_000 {
            let x = f64::exp2(f64::from(step - 20_000) * 0.006_3) * 1.1;
            let exact = x.log2();
            let found = Lanes::log2::<Baseline>(x);
            assert!(
                (found - exact).abs() < 5e-16 * exact.abs().max(1.0),
                "log2({x})"
            );
            let single = x as f32;
            let exact = f64::from(single).log2();
            let found = f64::from(Lanes::log2::<Baseline>(single));
            assert!(
                (found - exact).abs() < 2e-7 * exact.abs().max(1.0),
                "log2({single})"
            );
        }
        assert_eq!(Lanes::log2::<Baseline>(1.0_f64), 0.0);
        assert_eq!(Lanes::log2::<Baseline>(8.0_f32), 3.0);
    }

    #[test]
    fn keys_are_in_the_order_of_the_numbers() {
        let ordered = [
            f32::NEG_INFINITY,
            -2.5,
            -1e-40,
            -0.0,
            0.0,
            1e-40,
            3.0,
            f32::INFINITY,
            f32::NAN,
        ];
        for pair in ordered.windows(2) {
            assert!(pair[0].key() < pair[1].key(), "{pair:?}");
        }
        for number in &ordered[..8] {
            assert_eq!(f32::from_key(number.key()), *number);
        }
        assert!((-f64::NAN).key() < f64::NEG_INFINITY.key());
    }

    #[test]
    fn what_would_be_subnormal_is_zero() {
        assert_eq!(Lanes::exp2::<Baseline>(-126.01_f32), 0.0);
        assert_eq!(Lanes::exp2::<Baseline>(f32::NEG_INFINITY), 0.0);
        assert_eq!(Lanes::exp2::<Baseline>(-1022.5_f64), 0.0);
        assert!(Lanes::exp2::<Baseline>(f64::NAN).is_nan());
        assert_eq!(<f32 as Lanes>::exp2_of::<Baseline>(-126.01), 0.0);
        assert_eq!(<f32 as Lanes>::exp2_of::<Baseline>(f64::NEG_INFINITY), 0.0);
        assert_eq!(<f64 as Lanes>::exp2_of::<Baseline>(-1e9), 0.0);
        assert!(<f32 as Lanes>::exp2_of::<Baseline>(f64::NAN).is_nan());
    }
}
