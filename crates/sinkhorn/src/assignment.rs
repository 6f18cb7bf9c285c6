//! Linear assignment: every row, or every column if there are fewer of them, gets a partner of its
//! own, at the least sum of costs.
//!
//! Shortest augmenting paths with potentials (Jonker and Volgenant 1987, in the rectangular form of
//! Crouse 2016, "On implementing 2D rectangular assignment algorithms"): a row whose cheapest columns
//! are taken gets the cheapest path to a free one, and the rows on it move over. The paths grow over
//! whole rows of costs at a time, in vector instructions.

use crate::exact::ceiling::{Ceiling, Seen};
use crate::exact::padded::PaddedCosts;
use crate::exact::room::blocked;
use crate::exact::scan::{least_sum, lower, place_of, place_of_sum, relax};
use crate::exact::{ROUNDING, in_range, out_of_range};
use crate::problem::check_costs;
use crate::simd::{Arch, Kernel};
use crate::{CostMatrix, Error, Instructions, Report, Side, Status};

/// A cheapest matching, with potentials that prove it.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Assignment {
    pairs: Vec<(usize, usize)>,
    cost: f64,
    f: Vec<f64>,
    g: Vec<f64>,
    duality_gap: f64,
    status: Status,
}

impl Assignment {
    /// Matches `min(n, m)` rows and columns one to one; never where a cost is infinite.
    ///
    /// # Errors
    /// [`Error::Cost`] if a cost is `NaN` or negative infinity, [`Error::Blocked`] if infinite costs
    /// leave no matching, [`Error::OutOfRange`] if its cost is beyond the range of numbers.
    pub fn of(cost: &CostMatrix) -> Result<Self, Error> {
        let (n, m, values) = (cost.n(), cost.m(), cost.values());
        // The smaller side chooses.
        let across = n > m;
        let mut checked = false;
        let mut ceiling = Ceiling::new(f64::INFINITY);
        let matching = loop {
            let height = ceiling.height();
            let matching = Instructions::detected().run(Match {
                cost,
                across,
                height,
            });
            let Some(matching) = matching else {
                check_costs(values, &vec![1.0; n], &vec![1.0; m])?;
                return Err(out_of_range(f64::INFINITY));
            };
            if matching.costs.forbids() && !checked {
                check_room(cost, across)?;
                checked = true;
            }
            if !ceiling.moves(&matching.seen(cost, across)) {
                break matching;
            }
        };

        let mut pairs = matching.pairs(across);
        pairs.sort_unstable();
        let given = |&(i, j): &(usize, usize)| values[i * m + j];
        let total: f64 = pairs.iter().map(given).sum();
        in_range(total)?;
        let above = |pair| given(pair) - matching.costs.least();
        // A sum of what each pair wastes loses no digits; columns left over have a price of zero. At
        // the least cost everywhere there is no waste.
        let above: f64 = pairs.iter().map(above).sum();
        let mut duality_gap = if above > 0.0 { matching.waste() } else { 0.0 };
        let mut proven = duality_gap <= ROUNDING * above;
        // Of all pairs of potentials, that whose larger side is nowhere above zero.
        let prices = &matching.prices[..n.max(m)];
        let least = prices.iter().copied().fold(f64::INFINITY, f64::min);
        let chosen: Vec<f64> = prices.iter().map(|price| least - price).collect();
        let offset = matching.costs.offset() - least;
        let choosing = matching.potentials.iter().map(|f| f + offset);
        let mut choosing: Vec<f64> = choosing.collect();
        let sum = |chosen: &[f64], choosing: &[f64]| chosen.iter().chain(choosing).sum::<f64>();
        let size: f64 = pairs.iter().map(|pair| given(pair).abs()).sum();
        let is_off = |sum: f64| 0.0 < size && LOST * size < (total - sum).abs();
        if is_off(sum(&chosen, &choosing)) {
            // Prices as large as a filler have left no digits: the most that the chosen side allows.
            let at = |i: usize, j: usize| {
                if across {
                    values[j * m + i]
                } else {
                    values[i * m + j]
                }
            };
            for (i, potential) in choosing.iter_mut().enumerate() {
                let room = chosen.iter().enumerate().map(|(j, price)| at(i, j) - price);
                *potential = room.fold(f64::INFINITY, f64::min);
            }
            let off = total - sum(&chosen, &choosing);
            if is_off(total - off) {
                duality_gap = off;
                proven = false;
            }
        }
        let (f, g) = if across {
            (chosen, choosing)
        } else {
            (choosing, chosen)
        };
        Ok(Self {
            cost: total,
            pairs,
            f,
            g,
            duality_gap,
            status: if proven {
                Status::Converged
            } else {
                Status::Unproven
            },
        })
    }

    getters! {
        /// Returns the matched rows and columns, by row.
        ref pairs: [(usize, usize)];
        /// Sum of the matched costs.
        cost: f64;
        /// Row potentials: `f_i + g_j <= C_ij`, with equality for a pair. Those of the larger side, of the
        /// columns if there are as many rows, are at most zero, and zero for what is left without a partner.
        ref f: [f64];
        /// Column potentials; see [`f`](Self::f).
        ref g: [f64];
        /// `cost` less the sum of all potentials, which no matching goes below: zero up to rounding.
        duality_gap: f64;
    }

    /// Returns all numbers about the matching; an iteration is a path along which a pair was found.
    #[must_use]
    pub fn report(&self) -> Report {
        let (found, gap) = (self.pairs.len(), self.duality_gap);
        Report::unregularised(self.status, found, 0.0, self.cost, gap)
    }

    /// Whether the potentials prove the matching: [`Status::Unproven`] if rounding leaves more of a
    /// gap than a share of 1e-9 of its cost above the least.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// Whether the potentials prove the matching.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.status == Status::Converged
    }
}

/// Refuses a matrix whose finite costs leave no matching.
fn check_room(cost: &CostMatrix, across: bool) -> Result<(), Error> {
    let (n, m) = (cost.n(), cost.m());
    let price = |cost: &f64| f64::from(u8::from(cost.is_infinite()));
    let prices: Vec<f64> = cost.values().iter().map(price).collect();
    let found = Instructions::detected().run(Match {
        cost: &CostMatrix::new(&prices, n, m)?,
        across,
        height: f64::INFINITY,
    });
    let Some(found) = found else {
        return Ok(());
    };
    let pairs = found.pairs(across);
    if !pairs.iter().any(|&(i, j)| prices[i * m + j] > 0.0) {
        return Ok(());
    }
    // All prices are whole, so potentials are.
    let offset = found.costs.offset();
    let f: Vec<f64> = found.potentials.iter().map(|f| f + offset).collect();
    let lowest = found.prices[..n.max(m)].iter().copied();
    let lowest = lowest.fold(f64::INFINITY, f64::min);
    let f: Vec<f64> = f.iter().map(|f| f - lowest).collect();
    let g: Vec<f64> = (found.prices[..n.max(m)].iter())
        .map(|price| lowest - price)
        .collect();
    let [places, partners] = blocked((&f, &vec![1.0; f.len()]), (&g, &vec![1.0; g.len()]));
    Err(Error::Blocked {
        side: if across { Side::Columns } else { Side::Rows },
        mass: places.len() as f64,
        room: partners.len() as f64,
        places,
        partners,
    })
}

/// No row.
const FREE: usize = usize::MAX;

/// Share of the matched costs that potentials may lose to rounding.
const LOST: f64 = 1e-9;

/// The task of matching the rows of a cost matrix, or of its transpose.
struct Match<'a> {
    cost: &'a CostMatrix,
    across: bool,
    /// Costs beyond it, above the least, count as if they were no more.
    height: f64,
}

/// Rows and their partners; a row pays the cost of a column and its price.
struct Matching {
    costs: PaddedCosts,
    /// What each row pays: the least it can.
    potentials: Vec<f64>,
    /// Of the columns with their padding.
    prices: Vec<f64>,
    column_of: Vec<usize>,
    row_of: Vec<usize>,
}

/// Cheapest paths from a row to all columns.
struct Paths {
    /// Lengths to the columns that are not reached yet; of the others they are infinite.
    distances: Vec<f64>,
    /// The last row on the path to each column.
    row_before: Vec<usize>,
    /// Prices that are infinite for the columns reached, so that no path to them becomes shorter.
    open_prices: Vec<f64>,
    /// Columns reached, with the lengths of their paths.
    reached: Vec<(usize, f64)>,
}

impl Kernel for Match<'_> {
    /// Nothing if a cost is neither finite nor infinity.
    type Output = Option<Matching>;

    #[inline(always)]
    fn run<A: Arch>(self) -> Option<Matching> {
        let (n, m, values) = (self.cost.n(), self.cost.m(), self.cost.values());
        let mut costs = PaddedCosts::default();
        if self.across {
            costs.fill(m, n, self.height, |column, costs| {
                let column = values[column..].iter().step_by(m);
                costs
                    .iter_mut()
                    .zip(column)
                    .for_each(|(cost, &value)| *cost = value);
            })?;
        } else {
            costs.fill(n, m, self.height, |row, costs| {
                costs.copy_from_slice(&values[row * m..][..m]);
            })?;
        }
        let mut matching = Matching::new(costs, n.max(m));
        matching.find();
        Some(matching)
    }
}

impl Matching {
    #[inline(always)]
    fn new(costs: PaddedCosts, columns: usize) -> Self {
        let (rows, width) = (costs.rows().len(), costs.width());
        let mut prices = vec![0.0; width];
        // Where no column is left over, it may start at any price: one at which a row wants it.
        if rows == columns {
            let mut least = vec![f64::INFINITY; width];
            costs.rows().for_each(|row| lower(&mut least, row));
            let least = least[..columns].iter();
            prices
                .iter_mut()
                .zip(least)
                .for_each(|(price, least)| *price = -least);
        }
        Self {
            potentials: vec![0.0; rows],
            column_of: vec![FREE; rows],
            row_of: vec![FREE; width],
            costs,
            prices,
        }
    }

    /// Returns the pairs, as rows and columns of a matrix that was taken across or not.
    fn pairs(&self, across: bool) -> Vec<(usize, usize)> {
        let partners = self.column_of.iter().copied().enumerate();
        let pair = |(row, column)| if across { (column, row) } else { (row, column) };
        partners.map(pair).collect()
    }

    /// What the pairs cost beyond what their potentials allow.
    fn waste(&self) -> f64 {
        let partners = self.column_of.iter().copied().enumerate();
        let slack = |(row, column): (usize, usize)| {
            let price = self.prices[column];
            self.costs.row(row)[column] + price - self.potentials[row]
        };
        partners.map(slack).sum()
    }

    /// How the matching stands to the costs of its problem.
    fn seen(&self, cost: &CostMatrix, across: bool) -> Seen {
        let pairs = self.pairs(across);
        let count = pairs.len() as f64;
        let given = |&(i, j): &(usize, usize)| cost.values()[i * cost.m() + j] - self.costs.least();
        let ceiling = self.costs.ceiling();
        let used = || pairs.iter().map(|pair| given(pair).min(ceiling));
        Seen {
            over: pairs.iter().any(|pair| given(pair) > ceiling),
            mean: used().sum::<f64>() / count,
            waste: self.waste() / count,
            used: used().fold(0.0, f64::max),
            spread: self.costs.spread(),
            beyond: self.costs.beyond(),
            nodes: cost.n() + cost.m(),
        }
    }

    #[inline(always)]
    fn find(&mut self) {
        let mut left = Vec::new();
        for row in 0..self.column_of.len() {
            let costs = self.costs.row(row);
            let least = least_sum(costs, &self.prices);
            let row_of = &mut self.row_of;
            let column = place_of_sum(costs, &self.prices, least, |column| row_of[column] == FREE);
            self.potentials[row] = least;
            if row_of[column] == FREE {
                row_of[column] = row;
                self.column_of[row] = column;
            } else {
                left.push(row);
            }
        }
        let mut paths = Paths {
            distances: vec![0.0; self.prices.len()],
            row_before: vec![0; self.prices.len()],
            open_prices: self.prices.clone(),
            reached: Vec::new(),
        };
        left.into_iter()
            .for_each(|row| self.insert(row, &mut paths));
        // The largest that the prices allow, whatever rounding did.
        for (potential, costs) in self.potentials.iter_mut().zip(self.costs.rows()) {
            *potential = least_sum(costs, &self.prices);
        }
    }

    /// Matches one more row by the cheapest change of the others.
    #[inline(always)]
    fn insert(&mut self, source: usize, paths: &mut Paths) {
        paths.distances.fill(f64::INFINITY);
        paths.reached.clear();
        let (mut row, mut length) = (source, 0.0);
        let end = loop {
            let ways = (self.costs.row(row), &paths.open_prices[..]);
            let from = (row, self.potentials[row], length);
            length = relax(ways, from, &mut paths.distances, &mut paths.row_before);
            let free = |column: usize| self.row_of[column] == FREE;
            let nearest = place_of(&paths.distances, length, free);
            if free(nearest) {
                break nearest;
            }
            paths.reached.push((nearest, length));
            paths.distances[nearest] = f64::INFINITY;
            paths.open_prices[nearest] = f64::INFINITY;
            row = self.row_of[nearest];
        };
        // Potentials rise by what the search has left of the path's length, so that it has no slack.
        self.potentials[source] += length;
        for &(column, distance) in &paths.reached {
            let rise = length - distance;
            self.potentials[self.row_of[column]] += rise;
            self.prices[column] += rise;
            paths.open_prices[column] = self.prices[column];
        }
        let mut column = end;
        loop {
            let row = paths.row_before[column];
            self.row_of[column] = row;
            std::mem::swap(&mut self.column_of[row], &mut column);
            if row == source {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ExactSolution, Problem};

    fn matrix(costs: &[f64], n: usize, m: usize) -> CostMatrix {
        CostMatrix::new(costs, n, m).unwrap()
    }

    proptest! {
        #[test]
        fn squares_agree_with_exact_transport(costs in prop::collection::vec(-1.0..1.0_f64, 64)) {
            let cost = matrix(&costs, 8, 8);
            let assignment = Assignment::of(&cost).unwrap();
            let exact = ExactSolution::of(&Problem::uniform(cost).unwrap()).unwrap();
            prop_assert!((assignment.cost() / 8.0 - exact.transport_cost()).abs() < 1e-12);
            prop_assert!(assignment.duality_gap().abs() < 1e-12);
        }

        #[test]
        fn rectangles_prove_themselves_either_way(
            (n, m, costs) in (1..9_usize, 1..9_usize).prop_flat_map(|(n, m)|
                (Just(n), Just(m), prop::collection::vec(0.0..1.0_f64, n * m)))
        ) {
            let assignment = Assignment::of(&matrix(&costs, n, m)).unwrap();
            let across: Vec<f64> = (0..n * m).map(|cell| costs[cell % n * m + cell / n]).collect();
            let transposed = Assignment::of(&matrix(&across, m, n)).unwrap();
            prop_assert_eq!(assignment.pairs().len(), n.min(m));
            prop_assert!((assignment.cost() - transposed.cost()).abs() < 1e-12);
            prop_assert!(assignment.duality_gap().abs() < 1e-12);
            let larger = if n > m { assignment.f() } else { assignment.g() };
            prop_assert!(larger.iter().all(|potential| *potential <= 0.0));
            for i in 0..n {
                for j in 0..m {
                    prop_assert!(assignment.f()[i] + assignment.g()[j] <= costs[i * m + j] + 1e-12);
                }
            }
        }
    }

    #[test]
    fn ties_and_offsets_do_no_harm() {
        assert_eq!(
            Assignment::of(&matrix(&[2.0; 6], 3, 2)).unwrap().cost(),
            4.0
        );
        let cost = matrix(
            &[1e6 + 4.0, 1e6 + 1.0, 1e6 + 4.5, 1e6 + 2.0, 1e6, 1e6 + 5.0],
            2,
            3,
        );
        let assignment = Assignment::of(&cost).unwrap();
        assert_eq!(assignment.pairs(), [(0, 1), (1, 0)]);
        assert_eq!(assignment.cost(), 2e6 + 3.0);
    }

    #[test]
    fn costs_that_are_not_numbers_are_named() {
        for value in [f64::NEG_INFINITY, f64::NAN] {
            let refused = Assignment::of(&matrix(&[0.0, 1.0, value, 1.0], 2, 2));
            let message = refused.unwrap_err().to_string();
            assert!(message.starts_with("cost[1][0] = "), "{message}");
        }
    }

    #[test]
    fn forbidden_pairs_are_avoided_or_the_crowd_is_named() {
        let inf = f64::INFINITY;
        let found = Assignment::of(&matrix(&[inf, 1.0, 2.0, inf], 2, 2)).unwrap();
        assert_eq!((found.pairs(), found.cost()), (&[(0, 1), (1, 0)][..], 3.0));
        assert!(found.converged());
        // Rows 0 and 2 have only column 1.
        let crowd = [inf, 1.0, inf, 0.0, 1.0, 2.0, inf, 2.0, inf];
        for (n, costs) in [(3, &crowd[..]), (2, &[inf, inf, 1.0, inf, inf, 1.0])] {
            let refused = Assignment::of(&matrix(costs, n, 3)).unwrap_err();
            let (places, partner) = if n == 3 {
                (vec![0, 2], 1)
            } else {
                (vec![0, 1], 2)
            };
            let expected = Error::Blocked {
                side: Side::Rows,
                places,
                mass: 2.0,
                partners: vec![partner],
                room: 1.0,
            };
            assert_eq!(refused, expected);
        }
        let tall = Assignment::of(&matrix(&[inf, 1.0, inf, 2.0, inf, 3.0], 3, 2));
        assert_eq!(
            tall.unwrap_err().to_string(),
            "column 0 takes 1, but has no finite cost to any row"
        );
    }
}
