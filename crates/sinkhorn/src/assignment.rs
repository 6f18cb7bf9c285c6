//! Linear assignment: every row, or every column if there are fewer of them, gets a partner of its
//! own, at the least sum of costs.
//!
//! Shortest augmenting paths with potentials (Jonker and Volgenant 1987, in the rectangular form of
//! Crouse 2016, "On implementing 2D rectangular assignment algorithms"): each row in turn takes the
//! cheapest path to a free column, and the rows on it move over.

use crate::exact::{check_spread, minima};
use crate::{CostMatrix, Error};

/// A cheapest matching, with potentials that prove it.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    pairs: Vec<(usize, usize)>,
    cost: f64,
    f: Vec<f64>,
    g: Vec<f64>,
    duality_gap: f64,
}

impl Assignment {
    /// Matches `min(n, m)` rows and columns one to one.
    ///
    /// # Errors
    /// [`Error::Cost`] if a cost is not finite, [`Error::OutOfRange`] if the costs spread beyond
    /// the range of numbers.
    pub fn of(cost: &CostMatrix) -> Result<Self, Error> {
        let (n, m, values) = (cost.n(), cost.m(), cost.values());
        if let Some(cell) = values.iter().position(|value| !value.is_finite()) {
            let (i, j, value) = (cell / m, cell % m, values[cell]);
            return Err(Error::Cost { i, j, value });
        }
        let offset = values.iter().copied().fold(f64::INFINITY, f64::min);
        let spread = values
            .iter()
            .map(|value| value - offset)
            .fold(0.0, f64::max);
        check_spread(spread)?;
        // The smaller side chooses.
        let across = n > m;
        let (few, many) = if across { (m, n) } else { (n, m) };
        let at = |row: usize, column: usize| match across {
            true => values[column * m + row] - offset,
            false => values[row * m + column] - offset,
        };
        let costs: Vec<f64> = (0..few * many)
            .map(|cell| at(cell / many, cell % many))
            .collect();
        let mut matching = Matching::new(&costs, few, many);
        (0..few).for_each(|row| matching.insert(row));

        // Feasible whatever rounding did: the largest row potentials that the columns' allow.
        let u = minima(&costs, &matching.v);
        let dual = u.iter().sum::<f64>() + matching.v.iter().sum::<f64>();
        let partners = matching.column_of.iter().enumerate();
        let above: f64 = partners.clone().map(|(row, &column)| at(row, column)).sum();
        let mut pairs: Vec<_> = partners
            .map(|(row, &column)| if across { (column, row) } else { (row, column) })
            .collect();
        pairs.sort_unstable();
        let u = u.iter().map(|u| u + offset).collect();
        let (f, g) = if across {
            (matching.v, u)
        } else {
            (u, matching.v)
        };
        Ok(Self {
            cost: pairs.iter().map(|&(i, j)| values[i * m + j]).sum(),
            pairs,
            f,
            g,
            duality_gap: above - dual,
        })
    }

    /// The matched rows and columns, by row.
    #[must_use]
    pub fn pairs(&self) -> &[(usize, usize)] {
        &self.pairs
    }

    /// Sum of the matched costs.
    #[must_use]
    pub fn cost(&self) -> f64 {
        self.cost
    }

    /// Row potentials: `f_i + g_j <= C_ij`, with equality for a pair. Those of the larger side are
    /// at most zero, and zero for what is left without a partner.
    #[must_use]
    pub fn f(&self) -> &[f64] {
        &self.f
    }

    /// Column potentials; see [`f`](Self::f).
    #[must_use]
    pub fn g(&self) -> &[f64] {
        &self.g
    }

    /// `cost` less the sum of all potentials, which no matching goes below: zero up to rounding.
    #[must_use]
    pub fn duality_gap(&self) -> f64 {
        self.duality_gap
    }
}

const FREE: usize = usize::MAX;

/// The rows matched so far.
struct Matching<'a> {
    costs: &'a [f64],
    m: usize,
    u: Vec<f64>,
    v: Vec<f64>,
    column_of: Vec<usize>,
    row_of: Vec<usize>,
    distance: Vec<f64>,
    row_before: Vec<usize>,
    open: Vec<usize>,
    done: Vec<usize>,
}

impl<'a> Matching<'a> {
    fn new(costs: &'a [f64], n: usize, m: usize) -> Self {
        Self {
            costs,
            m,
            u: vec![0.0; n],
            v: vec![0.0; m],
            column_of: vec![FREE; n],
            row_of: vec![FREE; m],
            distance: vec![0.0; m],
            row_before: vec![0; m],
            open: Vec::with_capacity(m),
            done: Vec::with_capacity(m),
        }
    }

    /// Matches one more row by the cheapest change of the others.
    fn insert(&mut self, source: usize) {
        self.distance.fill(f64::INFINITY);
        self.open.clear();
        self.open.extend(0..self.m);
        self.done.clear();
        let (mut row, mut length) = (source, 0.0);
        let end = loop {
            let place = self.nearest(row, length);
            let column = self.open.swap_remove(place);
            length = self.distance[column];
            if self.row_of[column] == FREE {
                break column;
            }
            self.done.push(column);
            row = self.row_of[column];
        };
        self.u[source] += length;
        for &column in &self.done {
            let rise = length - self.distance[column];
            self.v[column] -= rise;
            self.u[self.row_of[column]] += rise;
        }
        let mut column = end;
        loop {
            let row = self.row_before[column];
            self.row_of[column] = row;
            std::mem::swap(&mut self.column_of[row], &mut column);
            if row == source {
                break;
            }
        }
    }

    /// Extends the paths by one row that ends at `length`; the place in `open` of the nearest
    /// column, a free one where several are.
    fn nearest(&mut self, row: usize, length: f64) -> usize {
        let costs = &self.costs[row * self.m..][..self.m];
        let base = length - self.u[row];
        let (mut best, mut place) = (f64::INFINITY, 0);
        for (at, &column) in self.open.iter().enumerate() {
            let distance = (base + costs[column] - self.v[column]).max(length);
            if distance < self.distance[column] {
                self.distance[column] = distance;
                self.row_before[column] = row;
            }
            let distance = self.distance[column];
            if distance < best || (distance == best && self.row_of[column] == FREE) {
                (best, place) = (distance, at);
            }
        }
        place
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
        let refused = Assignment::of(&matrix(&[0.0, 1.0, f64::INFINITY, 1.0], 2, 2));
        assert_eq!(
            refused,
            Err(Error::Cost {
                i: 1,
                j: 0,
                value: f64::INFINITY
            })
        );
    }
}
