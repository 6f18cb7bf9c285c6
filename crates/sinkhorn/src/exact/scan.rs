//! Minima over a row of costs, the loops that exact solvers spend their time in.
//!
//! All are inlined into a function that has an instruction set enabled. Rows are padded to a multiple
//! of [`LANES`] numbers, and the compiler turns loops over blocks into vector instructions; of a
//! comparison of numbers it does so only where both results are written out.
#![expect(
    clippy::needless_range_loop,
    reason = "the same lane of several blocks"
)]

/// Numbers handled together: enough registers to hide the latency of a comparison.
pub(crate) const LANES: usize = 16;

type Block = [f64; LANES];

/// Returns the least `x_j + y_j`.
#[inline(always)]
pub(crate) fn least_sum(x: &[f64], y: &[f64]) -> f64 {
    let mut least = [f64::INFINITY; LANES];
    for (x, y) in blocks(x).iter().zip(blocks(y)) {
        least = smaller(&sums(x, y), &least);
    }
    across(&least)
}

/// A place whose `x_j + y_j` is `value`, one that is `preferred` if there is any; zero if none is.
#[inline(always)]
pub(crate) fn place_of_sum(
    x: &[f64],
    y: &[f64],
    value: f64,
    preferred: impl Fn(usize) -> bool,
) -> usize {
    let sums = blocks(x).iter().zip(blocks(y)).map(|(x, y)| sums(x, y));
    place(sums, value, preferred)
}

/// A place whose `x_j` is `value`, one that is `preferred` if there is any; zero if none is.
#[inline(always)]
pub(crate) fn place_of(x: &[f64], value: f64, preferred: impl Fn(usize) -> bool) -> usize {
    place(blocks(x).iter().copied(), value, preferred)
}

/// Extends paths of `length` to `row`: where the way over it is shorter than the known
/// `distances`, they become `length + costs_j + prices_j - potential`, but not less than `length`,
/// and `before` becomes `row`. Returns the least of all distances.
#[inline(always)]
pub(crate) fn relax(
    (costs, prices): (&[f64], &[f64]),
    (row, potential, length): (usize, f64, f64),
    distances: &mut [f64],
    before: &mut [usize],
) -> f64 {
    let base = length - potential;
    let mut least = [f64::INFINITY; LANES];
    let ways = blocks(costs).iter().zip(blocks(prices));
    let known = distances.as_chunks_mut::<LANES>().0.iter_mut();
    let known = known.zip(before.as_chunks_mut::<LANES>().0);
    for ((costs, prices), (distances, before)) in ways.zip(known) {
        // Rounding may leave a reduced cost a little below zero.
        let way = larger(
            &sums(&sums(costs, prices), &[base; LANES]),
            &[length; LANES],
        );
        for l in 0..LANES {
            before[l] = if way[l] < distances[l] {
                row
            } else {
                before[l]
            };
        }
        *distances = smaller(&way, distances);
        least = smaller(distances, &least);
    }
    across(&least)
}

/// `least_j = min(least_j, x_j)`.
#[inline(always)]
pub(crate) fn lower(least: &mut [f64], x: &[f64]) {
    for (least, x) in least.as_chunks_mut::<LANES>().0.iter_mut().zip(blocks(x)) {
        *least = smaller(x, least);
    }
}

/// The range of some numbers.
pub(crate) struct Extent {
    least: Block,
    largest: Block,
    /// Zero unless a number was not finite.
    rest: Block,
}

impl Extent {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self {
            least: [f64::INFINITY; LANES],
            largest: [f64::NEG_INFINITY; LANES],
            rest: [0.0; LANES],
        }
    }

    #[inline(always)]
    pub(crate) fn add(&mut self, x: &[f64]) {
        for x in blocks(x) {
            self.least = smaller(x, &self.least);
            self.largest = larger(x, &self.largest);
            for l in 0..LANES {
                self.rest[l] += x[l] * 0.0;
            }
        }
    }

    /// Returns the least and the largest number; nothing if one was not finite.
    #[inline(always)]
    pub(crate) fn range(&self) -> Option<(f64, f64)> {
        let largest = self
            .largest
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        let finite = self.rest.iter().all(|rest| *rest == 0.0);
        finite.then(|| (across(&self.least), largest))
    }
}

#[inline(always)]
fn blocks(x: &[f64]) -> &[Block] {
    x.as_chunks::<LANES>().0
}

#[inline(always)]
fn place(
    blocks: impl Iterator<Item = Block>,
    value: f64,
    preferred: impl Fn(usize) -> bool,
) -> usize {
    let mut first = None;
    for (index, block) in blocks.enumerate() {
        let mut found = false;
        for l in 0..LANES {
            found |= block[l] == value;
        }
        if found {
            for l in 0..LANES {
                let place = index * LANES + l;
                if block[l] == value {
                    if preferred(place) {
                        return place;
                    }
                    first = first.or(Some(place));
                }
            }
        }
    }
    first.unwrap_or(0)
}

#[inline(always)]
fn sums(x: &Block, y: &Block) -> Block {
    let mut result = [0.0; LANES];
    for l in 0..LANES {
        result[l] = x[l] + y[l];
    }
    result
}

#[inline(always)]
fn smaller(x: &Block, y: &Block) -> Block {
    let mut result = [0.0; LANES];
    for l in 0..LANES {
        result[l] = if x[l] < y[l] { x[l] } else { y[l] };
    }
    result
}

#[inline(always)]
fn larger(x: &Block, y: &Block) -> Block {
    let mut result = [0.0; LANES];
    for l in 0..LANES {
        result[l] = if x[l] > y[l] { x[l] } else { y[l] };
    }
    result
}

/// Returns the least number of a block, halving it.
#[inline(always)]
fn across(block: &Block) -> f64 {
    let mut block = *block;
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            let (one, other) = (block[l], block[l + half]);
            block[l] = if other < one { other } else { one };
        }
        half /= 2;
    }
    block[0]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers of which several are equal.
    fn numbers() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec((0..40_u32).prop_map(|x| f64::from(x) / 8.0), 3 * LANES)
    }

    proptest! {
        #[test]
        fn minima_are_found_where_they_are(x in numbers(), y in numbers(), from in 0..3 * LANES) {
            let sums: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x + y).collect();
            let least = sums.iter().copied().fold(f64::INFINITY, f64::min);
            prop_assert_eq!(least_sum(&x, &y), least);
            let places = || (0..sums.len()).filter(|&j| sums[j] == least);
            let wanted = places().find(|&j| j >= from).or(places().next()).unwrap();
            prop_assert_eq!(place_of_sum(&x, &y, least, |j| j >= from), wanted);
            prop_assert_eq!(place_of(&sums, least, |j| j >= from), wanted);
            prop_assert_eq!(place_of(&sums, 1e3, |_| true), 0);
            let mut lowered = y.clone();
            lower(&mut lowered, &x);
            prop_assert!((0..x.len()).all(|j| lowered[j] == x[j].min(y[j])));
        }

        #[test]
        fn paths_take_the_shorter_way(costs in numbers(), prices in numbers(), known in numbers()) {
            let (mut distances, mut before) = (known.clone(), vec![7; known.len()]);
            let found = relax((&costs, &prices), (3, 4.0, 2.0), &mut distances, &mut before);
            for j in 0..known.len() {
                let way = (2.0 + costs[j] + prices[j] - 4.0).max(2.0);
                prop_assert_eq!(distances[j], way.min(known[j]));
                prop_assert_eq!(before[j], if way < known[j] { 3 } else { 7 });
            }
            prop_assert_eq!(found, distances.iter().copied().fold(f64::INFINITY, f64::min));
        }

        #[test]
        fn an_extent_is_finite_or_nothing(x in numbers(), place in 0..3 * LANES) {
            let range = x.iter().copied().fold((f64::INFINITY, f64::NEG_INFINITY), |range, x|
                (range.0.min(x), range.1.max(x)));
            let found = |x: &[f64]| {
                let mut extent = Extent::new();
                extent.add(x);
                extent.range()
            };
            prop_assert_eq!(found(&x), Some(range));
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let mut x = x.clone();
                x[place] = bad;
                prop_assert_eq!(found(&x), None);
            }
        }
    }
}
