//! Arrays in NumPy's format (NEP 1): a line that is a Python dictionary, then the values.
//!
//! The crate npyz (0.9.1) was tried in its place: where overflow is checked, a shape whose product
//! leaves 64 bits makes it panic; bytes after the values pass; values that are cut short are told
//! without their number; and it would bring a parser generator and big integers.

use anyhow::{Context, bail, ensure};

/// How an array begins.
pub const MAGIC: &[u8] = b"\x93NUMPY";

/// Most lists that an array without values may consist of.
const MOST_EMPTY: usize = 1 << 20;

/// An array, its last index running fastest.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Values,
}

/// What an array holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    Real(Vec<f64>),
    Integer(Vec<i64>),
    Truth(Vec<bool>),
    Text(Vec<String>),
}

impl Array {
    /// Returns the bytes of a `.npy` file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (kind, values): (String, Vec<u8>) = match &self.values {
            Values::Real(values) => (
                "<f8".to_owned(),
                values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect(),
            ),
            Values::Integer(values) => (
                "<i8".to_owned(),
                values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect(),
            ),
            Values::Truth(values) => (
                "|b1".to_owned(),
                values.iter().map(|value| u8::from(*value)).collect(),
            ),
            Values::Text(values) => {
                let letters = |text: &String| text.chars().count();
                let width = values.iter().map(letters).max().unwrap_or(0).max(1);
                let letters = values.iter().flat_map(|text| {
                    let padding = std::iter::repeat('\0');
                    text.chars().chain(padding).take(width)
                });
                let values = letters.flat_map(|letter| u32::from(letter).to_le_bytes());
                (format!("<U{width}"), values.collect())
            }
        };
        let shape: String = self
            .shape
            .iter()
            .map(|extent| format!("{extent}, "))
            .collect();
        let shape = match self.shape.len() {
            1 => shape.trim_end(),
            _ => shape.trim_end_matches(", "),
        };
        let mut header =
            format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
        // The values begin at a multiple of 64 bytes, after a line feed.
        let before = MAGIC.len() + 4;
        let padded = (before + header.len() + 1).next_multiple_of(64) - before;
        header = format!("{header:<width$}\n", width = padded - 1);
        let mut bytes = [MAGIC, &[1, 0]].concat();
        // Version 1 has two bytes for the length; a header has a few dozen.
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(values);
        bytes
    }

    /// Reads what a `.npy` file holds: numbers, truth values or text, in either order of bytes and
    /// of indices.
    pub fn from_bytes(bytes: &[u8]) -> anyhow::Result<Self> {
        let cut = "is cut short";
        let rest = bytes.strip_prefix(MAGIC).context("is not a NumPy array")?;
        let (&[version, _], rest) = rest.split_first_chunk().context(cut)?;
        let (length, rest) = if version == 1 {
            let (length, rest) = rest.split_first_chunk().context(cut)?;
            (usize::from(u16::from_le_bytes(*length)), rest)
        } else {
            let (length, rest) = rest.split_first_chunk().context(cut)?;
            (u32::from_le_bytes(*length) as usize, rest)
        };
        let (header, values) = rest.split_at_checked(length).context(cut)?;
        let header = std::str::from_utf8(header).context("has a header that is not text")?;
        let after = |key: &str| {
            let (_, rest) = header.split_once(&format!("'{key}':"))?;
            Some(rest.trim_start())
        };
        let unread = || format!("has the header {}, which cannot be read", header.trim());
        let kind = after("descr")
            .and_then(|rest| rest.strip_prefix('\'')?.split_once('\''))
            .with_context(unread)?
            .0;
        let across = after("fortran_order")
            .with_context(unread)?
            .starts_with("True");
        let shape = after("shape")
            .and_then(|rest| rest.strip_prefix('(')?.split_once(')'))
            .with_context(unread)?
            .0;
        let shape: Vec<usize> = shape
            .split(',')
            .map(str::trim)
            .filter(|extent| !extent.is_empty())
            .map(str::parse)
            .collect::<Result<_, _>>()
            .with_context(unread)?;
        // Lists of nothing could be longer than any memory.
        let mut extents = shape.iter().filter(|extent| **extent > 0);
        let lists = extents.try_fold(1_usize, |lists, extent| lists.checked_mul(*extent));
        ensure!(
            !shape.contains(&0) || lists.is_some_and(|lists| lists <= MOST_EMPTY),
            "is of shape {shape:?} and without values"
        );
        let count = shape
            .iter()
            .try_fold(1_usize, |count, extent| count.checked_mul(*extent));
        let array = Self {
            values: Values::from_bytes(kind, values, count.with_context(unread)?)?,
            shape,
        };
        Ok(if across { array.transposed() } else { array })
    }

    /// Returns the same array from values whose first index runs fastest.
    fn transposed(self) -> Self {
        let places: Vec<usize> = (0..self.values.len())
            .map(|mut place| {
                // The indices, from the last; each counts as many values as the extents before it.
                let mut stride = self.values.len();
                let reversed = self.shape.iter().rev().map(|extent| {
                    stride /= extent;
                    let index = place % extent;
                    place /= extent;
                    index * stride
                });
                reversed.sum()
            })
            .collect();
        let values = match self.values {
            Values::Real(values) => Values::Real(places.iter().map(|&at| values[at]).collect()),
            Values::Integer(values) => {
                Values::Integer(places.iter().map(|&at| values[at]).collect())
            }
            Values::Truth(values) => Values::Truth(places.iter().map(|&at| values[at]).collect()),
            Values::Text(values) => {
                Values::Text(places.iter().map(|&at| values[at].clone()).collect())
            }
        };
        Self {
            shape: self.shape,
            values,
        }
    }
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Real(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Truth(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    fn from_bytes(kind: &str, bytes: &[u8], count: usize) -> anyhow::Result<Self> {
        let unknown = || format!("holds {kind}, not float32, float64, integers, bool or text");
        let (order, letter, width) = match kind.as_bytes() {
            [order, letter, ..] if kind.is_char_boundary(2) => (*order, *letter, &kind[2..]),
            _ => bail!(unknown()),
        };
        let width: usize = width.parse().with_context(unknown)?;
        let letters = if letter == b'U' { 4 } else { 1 };
        let size = width.checked_mul(letters).with_context(unknown)?;
        let length = size.checked_mul(count);
        ensure!(
            length == Some(bytes.len()),
            "has {} bytes of values, not {count} of {size}",
            bytes.len()
        );
        let little = order != b'>';
        // The bytes of a number, least significant first, after those of others.
        let number = |bytes: &[u8]| {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            if !little {
                whole[..bytes.len()].reverse();
            }
            whole
        };
        let chunks = || bytes.chunks_exact(size.max(1));
        Ok(match (letter, width) {
            (b'f', 8) => Self::Real(
                chunks()
                    .map(|bytes| f64::from_le_bytes(number(bytes)))
                    .collect(),
            ),
            (b'f', 4) => {
                let value = |bytes| {
                    let [b0, b1, b2, b3, ..] = number(bytes);
                    f64::from(f32::from_le_bytes([b0, b1, b2, b3]))
                };
                Self::Real(chunks().map(value).collect())
            }
            (b'i', 1 | 2 | 4 | 8) => {
                // Shifted up and down again, so that the sign comes along.
                let shift = 64 - 8 * width;
                let value = |bytes| i64::from_le_bytes(number(bytes)) << shift >> shift;
                Self::Integer(chunks().map(value).collect())
            }
            (b'u', 1 | 2 | 4 | 8) => {
                let value = |bytes| i64::try_from(u64::from_le_bytes(number(bytes)));
                Self::Integer(chunks().map(value).collect::<Result<_, _>>()?)
            }
            (b'b', 1) => Self::Truth(bytes.iter().map(|byte| *byte != 0).collect()),
            (b'U', 1..) => {
                let letter = |bytes: &[u8]| {
                    let [b0, b1, b2, b3, ..] = number(bytes);
                    char::from_u32(u32::from_le_bytes([b0, b1, b2, b3]))
                };
                let text = |bytes: &[u8]| {
                    let letters: Option<String> = bytes.chunks_exact(4).map(letter).collect();
                    Some(letters?.trim_end_matches('\0').to_owned())
                };
                let texts: Option<_> = chunks().map(text).collect();
                Self::Text(texts.context("holds text that is not Unicode")?)
            }
            _ => bail!(unknown()),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The header that NumPy 2 writes for `np.zeros((2, 3))`, and that of a scalar.
    #[test]
    fn headers_are_those_of_numpy() {
        let header = |shape: Vec<usize>, count| {
            let values = Values::Real(vec![0.0; count]);
            let bytes = Array { shape, values }.to_bytes();
            assert_eq!(bytes.len(), 128 + 8 * count);
            assert_eq!(&bytes[..10], b"\x93NUMPY\x01\x00\x76\x00");
            assert_eq!(bytes[127], b'\n');
            String::from_utf8(bytes[10..127].to_vec())
                .unwrap()
                .trim_end()
                .to_owned()
        };
        assert_eq!(
            header(vec![2, 3], 6),
            "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }"
        );
        assert_eq!(
            header(vec![], 1),
            "{'descr': '<f8', 'fortran_order': False, 'shape': (), }"
        );
        assert_eq!(
            header(vec![4], 4),
            "{'descr': '<f8', 'fortran_order': False, 'shape': (4,), }"
        );
    }

    #[test]
    fn arrays_survive_the_way_there_and_back() {
        let texts = ["sinkhorn", "", "ε"].map(str::to_owned).to_vec();
        for (shape, values) in [
            (
                vec![2, 2],
                Values::Real(vec![0.1, f64::INFINITY, -1e300, 5e-324]),
            ),
            (vec![3], Values::Integer(vec![-1, i64::MAX, i64::MIN])),
            (vec![], Values::Truth(vec![true])),
            (vec![3, 1], Values::Text(texts)),
            (vec![0, 2], Values::Real(vec![])),
        ] {
            let array = Array { shape, values };
            assert_eq!(Array::from_bytes(&array.to_bytes()).unwrap(), array);
        }
    }

    fn file(header: &str, values: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x02\x00".to_vec();
        bytes.extend((header.len() as u32).to_le_bytes());
        [&bytes, header.as_bytes(), values].concat()
    }

    #[test]
    fn foreign_orders_and_widths_are_read() {
        let header = |kind, order, shape| {
            format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}\n")
        };
        let whole = [1_i16, -2, 3, 4, 5, 6].map(i16::to_be_bytes).concat();
        let array = Array::from_bytes(&file(&header(">i2", "True", "(2, 3)"), &whole)).unwrap();
        assert_eq!(array.shape, [2, 3]);
        assert_eq!(array.values, Values::Integer(vec![1, 3, 5, -2, 4, 6]));
        let single = [0.5_f32, -0.25].map(f32::to_le_bytes).concat();
        let array = Array::from_bytes(&file(&header("<f4", "False", "(2,)"), &single)).unwrap();
        assert_eq!(array.values, Values::Real(vec![0.5, -0.25]));
        let bytes = [3, 255];
        let array = Array::from_bytes(&file(&header("|u1", "False", "(2,)"), &bytes)).unwrap();
        assert_eq!(array.values, Values::Integer(vec![3, 255]));
    }

    /// Index `(i, j, k)` of shape `(2, 3, 4)` holds `100 i + 10 j + k`.
    #[test]
    fn three_indices_change_order() {
        let cell = |i: usize, j: usize, k: usize| (100 * i + 10 * j + k) as i64;
        let values = (0..24).map(|at| cell(at % 2, at / 2 % 3, at / 6)).collect();
        let shape = vec![2, 3, 4];
        let values = Values::Integer(values);
        let found = Array { shape, values }.transposed();
        let expected = (0..24)
            .map(|at| cell(at / 12, at / 4 % 3, at % 4))
            .collect();
        assert_eq!(found.values, Values::Integer(expected));
    }

    #[test]
    fn what_is_no_array_is_refused() {
        let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n";
        for (bytes, expected) in [
            (b"PK".to_vec(), "is not a NumPy array"),
            (b"\x93NUMPY\x01".to_vec(), "is cut short"),
            (file(header, &[0; 15]), "has 15 bytes of values, not 2 of 8"),
            (file(&header.replace("<f8", "|O"), &[0; 16]), "holds |O"),
            (file(&header.replace("<f8", "<c16"), &[0; 32]), "holds <c16"),
            (file("{}", &[]), "cannot be read"),
            (
                file(&header.replace("(2,)", "(-2,)"), &[0; 16]),
                "cannot be read",
            ),
        ] {
            let message = format!("{:#}", Array::from_bytes(&bytes).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
    }
}
