//! Weights as other programs write them, and what their rounding leaves of equal sums.

use std::fmt;

use anyhow::ensure;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use crate::number::Number;

/// Largest relative error of rounding in single precision.
const SINGLE: f64 = f32::EPSILON as f64 / 2.0;

/// Significant digits that a number in single precision is written with at most.
const SINGLE_DIGITS: usize = 9;

/// Share of a sum that rounding to few digits may explain: no more, or any sum would do.
const LARGEST_SHARE: f64 = 0.0125;

/// Relative difference of two sums that needs no explanation.
const EQUAL: f64 = 1e-9;

/// A list of numbers, which may also stand in one row or one column of a matrix.
#[derive(Debug, Clone)]
pub struct Weights(pub Vec<f64>);

impl<'de> Deserialize<'de> for Weights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Vec::<Item>::deserialize(deserializer)?;
        let lengths = || items.iter().map(|item| item.numbers.len());
        if lengths().any(|length| length != 1) && items.len() != 1 {
            let error = "neither a list of numbers, nor a matrix of one row or one column";
            return Err(de::Error::custom(error));
        }
        let numbers = items.iter().flat_map(|item| &item.numbers);
        Ok(Self(numbers.copied().collect()))
    }
}

/// A number, or a list of some.
struct Item {
    numbers: Vec<f64>,
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl ItemVisitor {
    fn one<E: de::Error>(number: Result<Number, E>) -> Result<Item, E> {
        let numbers = vec![number?.0];
        Ok(Item { numbers })
    }
}

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Item, E> {
        Self::one(Ok(Number(value)))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Item, E> {
        Self::one(Ok(Number(value as f64)))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Item, E> {
        Self::one(Ok(Number(value as f64)))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Item, E> {
        Self::one(Ok(Number(f64::NAN)))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Item, E> {
        Self::one(Number::named(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Item, A::Error> {
        let mut numbers = Vec::new();
        while let Some(Number(number)) = items.next_element()? {
            numbers.push(number);
        }
        Ok(Item { numbers })
    }
}

/// How far the sum of some weights may be from what was meant, where they are decimal as written, or
/// binary numbers.
pub fn tolerance(weights: &[f64], decimal: bool) -> f64 {
    let sum: f64 = weights.iter().sum();
    let is_single = |weight: &f64| f64::from(*weight as f32) == *weight;
    let written: Vec<[usize; 2]> = weights.iter().map(|weight| digits(*weight)).collect();
    let most = |which: usize| {
        written
            .iter()
            .map(|digits| digits[which])
            .max()
            .unwrap_or(0)
    };
    let [significant, places] = [most(0), most(1)];
    // Whole numbers are counts.
    if places == 0 {
        return 0.0;
    }
    let mut tolerance = 0.0;
    if weights.iter().all(is_single) || (decimal && significant <= SINGLE_DIGITS) {
        tolerance = 4.0 * SINGLE * weights.len() as f64 * sum;
    }
    if decimal {
        let half = 0.5 * 0.1_f64.powi(i32::try_from(places).unwrap_or(i32::MAX));
        let rounded = weights.iter().filter(|weight| **weight != 0.0).count() as f64 * half;
        tolerance = tolerance.max(rounded.min(LARGEST_SHARE * sum));
    }
    tolerance
}

/// Returns the digits that a number needs, and those of them behind its point.
fn digits(number: f64) -> [usize; 2] {
    let text = format!("{number:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let significant = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let places = significant as i64 - 1 - exponent;
    [significant, usize::try_from(places).unwrap_or(0)]
}

/// Scales weights whose sums are equal but for their rounding, and says so. `tolerances` are none for
/// a side that was not given.
pub fn level(sides: [&mut Vec<f64>; 2], tolerances: [f64; 2]) -> Vec<String> {
    let sums: [f64; 2] = [sides[0].iter().sum(), sides[1].iter().sum()];
    let distance = (sums[0] - sums[1]).abs();
    let least = EQUAL * sums[0].max(sums[1]);
    // A sum that is not a number is refused elsewhere.
    if distance.is_nan() || distance <= least || distance > tolerances[0] + tolerances[1] {
        return Vec::new();
    }
    let is_one = |side: usize| (sums[side] - 1.0).abs() <= tolerances[side].max(EQUAL);
    let target = match tolerances[0] <= tolerances[1] {
        _ if is_one(0) && is_one(1) => 1.0,
        true => sums[0],
        false => sums[1],
    };
    let mut notes = Vec::new();
    for ((weights, sum), name) in sides.into_iter().zip(sums).zip(["a", "b"]) {
        if (sum - target).abs() > f64::EPSILON * target * weights.len() as f64 {
            weights
                .iter_mut()
                .for_each(|weight| *weight *= target / sum);
            // Without the rounding of the sum itself.
            let sum = format!("{sum:.11e}").parse().unwrap_or(sum);
            notes.push(format!(
                "{name} sums to {sum}, which is {target} but for the rounding of its weights: \
                 they were scaled"
            ));
        }
    }
    notes
}

/// Refuses weights that are not equal or zero, up to their rounding; returns the places of those that
/// are not zero. A matching takes rows and columns whole, so their weights can only say which of them
/// there are.
pub fn taking_part(name: &str, weights: &[f64], decimal: bool) -> anyhow::Result<Vec<usize>> {
    let places: Vec<usize> = (0..weights.len())
        .filter(|&index| weights[index] > 0.0)
        .collect();
    let kept: Vec<f64> = places.iter().map(|&index| weights[index]).collect();
    let rounding = 2.0 * tolerance(&kept, decimal) / kept.len() as f64;
    let first = places[0];
    for &index in &places {
        let (weight, other) = (weights[index], weights[first]);
        ensure!(
            (weight - other).abs() <= (EQUAL * other).max(rounding.min(1e-3 * other)),
            "{name}[{index}] = {weight} but {name}[{first}] = {other}: method assignment needs \
             weights that are equal or zero"
        );
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn digits_are_counted_as_written() {
        for (number, significant, places) in [
            (0.33333334, 8, 8),
            (0.5, 1, 1),
            (12.25, 4, 2),
            (300.0, 1, 0),
            (2.5e-7, 2, 8),
            (0.0, 1, 0),
        ] {
            assert_eq!(digits(number), [significant, places], "{number}");
        }
    }

    #[test]
    fn rounding_is_levelled_and_said_and_no_more() {
        let thirds = f64::from(1.0_f32 / 3.0);
        for (weights, decimal, levelled) in [
            (vec![0.33333334; 3], true, true),
            (vec![0.33333334; 3], false, false),
            (vec![thirds; 3], false, true),
            (vec![0.33; 3], true, true),
            (vec![0.33; 3], false, false),
            (vec![0.3; 3], true, false),
            (vec![0.5, 0.6], true, false),
            (vec![0.3333; 3], true, true),
            (vec![0.5, 0.25], false, false),
            (vec![1.0, 1.0], true, false),
            (vec![0.333333333333; 3], true, false),
        ] {
            let tolerances = [tolerance(&weights, decimal), 0.0];
            let (mut a, mut b) = (weights.clone(), vec![0.5; 2]);
            let notes = level([&mut a, &mut b], tolerances);
            assert_eq!(!notes.is_empty(), levelled, "{weights:?} {notes:?}");
            assert_eq!(b, [0.5; 2]);
            if levelled {
                assert!((a.iter().sum::<f64>() - 1.0).abs() < 1e-15);
                assert!(notes[0].starts_with("a sums to "), "{notes:?}");
            } else {
                assert_eq!(a, weights);
            }
        }
    }

    #[test]
    fn one_row_or_column_of_a_matrix_is_a_list() {
        let read = |text: &str| serde_json::from_str::<Weights>(text);
        for text in ["[0.5, 0.25, 1]", "[[0.5, 0.25, 1]]", "[[0.5], [0.25], [1]]"] {
            assert_eq!(read(text).unwrap().0, [0.5, 0.25, 1.0]);
        }
        let told = read("[[0.5, 1], [0.25, 1]]").unwrap_err().to_string();
        assert!(told.contains("one row or one column"), "{told}");
    }
}
