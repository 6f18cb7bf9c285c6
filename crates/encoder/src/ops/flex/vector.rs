//! The exponential and the normal distribution function on vector registers.

use pulp::Simd;

/// Returns `exp(x)` of `x <= 0`, within 1e-7 of the result; zero below -87, where the true value is
/// less than 2e-38, so that no subnormal number slows down what follows.
#[inline(always)]
pub(super) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    // A float near 1.5 * 2^23 has no fraction: its last bits are the nearest integer to what was
    // added. 355 / 512, nearly ln(2), has so few bits that its products with those integers are exact.
    let rounder = simd.splat_f32s(12_582_912.0);
    let shifted = simd.mul_add_e_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E), rounder);
    let whole = simd.sub_f32s(shifted, rounder);
    let rest = simd.negate_mul_add_e_f32s(whole, simd.splat_f32s(355.0 / 512.0), x);
    let rest = simd.negate_mul_add_e_f32s(whole, simd.splat_f32s(-2.121_944_4e-4), rest);
    // exp(r) = 1 + r + r^2 p(r), p fitted to the least greatest error on |r| <= ln(2) / 2.
    let p = polynomial(
        simd,
        rest,
        [
            1.381_460_5e-3,
            8.368_716e-3,
            4.166_839e-2,
            0.166_665_2,
            0.499_999_93,
        ],
    );
    let one = simd.splat_f32s(1.0);
    let power = simd.mul_add_e_f32s(simd.mul_f32s(rest, rest), p, simd.add_f32s(rest, one));
    let exponent = simd.add_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(127));
    let scale = simd.wrapping_dyn_shl_u32s(exponent, simd.splat_u32s(23));
    let exp = simd.mul_f32s(power, simd.transmute_f32s_u32s(scale));
    let vanishes = simd.less_than_f32s(x, simd.splat_f32s(-87.0));
    simd.select_f32s(vanishes, simd.splat_f32s(0.0), exp)
}

/// Returns `Φ(x)` within 2e-7, and `exp(-x² / 2)`.
#[inline(always)]
pub(super) fn normal<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let distance = simd.abs_f32s(x);
    let bell = exp(
        simd,
        simd.mul_f32s(simd.mul_f32s(x, x), simd.splat_f32s(-0.5)),
    );
    // Φ(-a) = exp(-a² / 2) t p(t), t = 1 / (1 + a / 4): the form of Abramowitz & Stegun 7.1.26, with
    // p fitted to the least greatest relative error, 6e-8, on 0 <= a <= 14.
    let one = simd.splat_f32s(1.0);
    let t = simd.div_f32s(
        one,
        simd.mul_add_e_f32s(distance, simd.splat_f32s(0.25), one),
    );
    let p = polynomial(
        simd,
        t,
        [
            0.025_723_097,
            -0.152_807_52,
            0.296_118_3,
            -0.205_779_45,
            0.201_755_9,
            0.032_928_823,
            0.103_746_48,
            0.098_516_87,
            0.099_797_48,
        ],
    );
    let tail = simd.mul_f32s(simd.mul_f32s(bell, t), p);
    let negative = simd.less_than_f32s(x, simd.splat_f32s(0.0));
    (
        simd.select_f32s(negative, tail, simd.sub_f32s(one, tail)),
        bell,
    )
}

/// Returns the polynomial with these coefficients, the highest power first.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::f32s, coefficients: [f32; N]) -> S::f32s {
    let mut sum = simd.splat_f32s(coefficients[0]);
    for &coefficient in &coefficients[1..] {
        sum = simd.mul_add_e_f32s(sum, x, simd.splat_f32s(coefficient));
    }
    sum
}

#[cfg(test)]
pub(super) mod tests {
    use pulp::{Arch, WithSimd};

    use super::*;

    /// Returns `Φ` by the series of positive terms `φ(x) (x + x³ / 3 + x⁵ / (3 · 5) + …)`.
    pub(in super::super) fn distribution(x: f64) -> f64 {
        let (mut term, mut sum, mut divisor) = (x, x, 1.0);
        while term.abs() > 1e-18 * sum.abs() {
            divisor += 2.0;
            term *= x * x / divisor;
            sum += term;
        }
        0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
    }

    macro_rules! on_vectors {
        ($values:expr, |$simd:ident, $x:ident| $result:expr) => {{
            struct Apply<'a>(&'a mut [f32]);
            impl WithSimd for Apply<'_> {
                type Output = ();
                #[inline(always)]
                fn with_simd<S: Simd>(self, $simd: S) {
                    let (head, rest) = S::as_mut_simd_f32s(self.0);
                    assert!(rest.is_empty());
                    for value in head {
                        let $x = *value;
                        *value = $result;
                    }
                }
            }
            let mut chosen: Vec<f32> = $values.to_vec();
            Arch::new().dispatch(Apply(&mut chosen));
            let mut scalar: Vec<f32> = $values.to_vec();
            Apply(&mut scalar).with_simd(pulp::Scalar::new());
            [chosen, scalar]
        }};
    }

    #[test]
    fn exponentials_are_those_of_double_precision() {
        let values: Vec<f32> = (0..16_000)
            .map(|step| step as f32 * -86.9 / 16_000.0)
            .collect();
        for found in on_vectors!(values, |simd, x| exp(simd, x)) {
            for (&x, found) in values.iter().zip(found) {
                let expected = f64::from(x).exp();
                let error = (f64::from(found) / expected - 1.0).abs();
                assert!(error < 1.5e-7, "exp({x}) = {found} instead of {expected}");
            }
        }
    }

    #[test]
    fn exponentials_vanish_far_below_and_keep_what_is_not_a_number() {
        let values = [
            -87.5,
            -1e4,
            -1e9,
            f32::MIN,
            f32::NEG_INFINITY,
            f32::NAN,
            0.0,
            -0.0,
        ];
        for found in on_vectors!([values, values].concat(), |simd, x| exp(simd, x)) {
            assert_eq!(found[..5], [0.0; 5]);
            assert!(found[5].is_nan());
            assert_eq!(found[6..8], [1.0; 2]);
        }
    }

    #[test]
    fn the_distribution_function_is_that_of_the_series() {
        let values: Vec<f32> = (-8_000..8_000).map(|step| step as f32 / 1_000.0).collect();
        for found in on_vectors!(values, |simd, x| normal(simd, x).0) {
            for (&x, found) in values.iter().zip(found) {
                let expected = distribution(f64::from(x));
                let error = (f64::from(found) - expected).abs();
                assert!(error < 2e-7, "Φ({x}) = {found} instead of {expected}");
            }
        }
        assert!((distribution(1.0) - 0.841_344_746_068_542_9).abs() < 1e-15);
    }

    #[test]
    fn the_distribution_function_has_limits() {
        let values = [
            f32::INFINITY,
            1e30,
            40.0,
            f32::NEG_INFINITY,
            -1e30,
            -40.0,
            f32::NAN,
            0.0,
        ];
        for found in on_vectors!([values, values].concat(), |simd, x| normal(simd, x).0) {
            assert_eq!(found[..6], [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
            assert!(found[6].is_nan());
        }
    }
}
