//! A share of the cells, for one of several machines.

use std::fmt;
use std::str::FromStr;

/// The share `i/n`: of cells that differ, the `i`th, and every `n`th after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Counted from one.
    number: usize,
    of: usize,
}

impl Shard {
    /// Tells whether the cell of a place, counted from zero, is in the share.
    pub(crate) fn has(self, place: usize) -> bool {
        place % self.of == self.number - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| {
            let (number, of) = (number.parse().ok()?, of.parse().ok()?);
            Some(Self { number, of })
        });
        let is_share = |shard: &Self| (1..=shard.of).contains(&shard.number);
        numbers.filter(is_share).ok_or_else(|| {
            format!("{text:?} is not a share, expected I/N with I from 1 to N, as in 2/8")
        })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_cell_is_in_one_share() {
        for of in 1..5 {
            let shards: Vec<Shard> = (1..=of)
                .map(|i| format!("{i}/{of}").parse().unwrap())
                .collect();
            for place in 0..11 {
                assert_eq!(shards.iter().filter(|it| it.has(place)).count(), 1);
            }
        }
        let second: Shard = "2/3".parse().unwrap();
        assert_eq!(
            (0..7)
                .filter(|place| second.has(*place))
                .collect::<Vec<_>>(),
            [1, 4]
        );
        assert_eq!(second.to_string(), "2/3");
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for text in ["4/3", "0/3", "0/0", "1", "a/3", "1/b", "-1/3", "1/3/3", ""] {
            let error = text.parse::<Shard>().unwrap_err();
            assert!(error.contains("expected I/N with I from 1 to N"), "{error}");
        }
    }
}
