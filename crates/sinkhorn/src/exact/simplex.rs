//! Exact transport by the network simplex method on a dense matrix of costs.
//!
//! A basic plan is a spanning tree of cells; its potentials leave no slack on them. While a cell
//! costs less than the potentials of its row and column allow, it enters the tree and another leaves
//! (Dantzig 1951, "Application of the simplex method to a transportation problem"). Two things make
//! it fast: the search for cells, which is most of the work, goes along rows in vector instructions,
//! and gathers several cells before the tree is changed (Mulvey 1978, "Pivot strategies for
//! primal-simplex network codes"); and potentials change on the smaller side of a cell.
//!
//! Mass is counted in whole units, so no rounding leaves a little of it behind, and what is said of
//! cycling in [`Tree`] holds exactly.

use std::collections::VecDeque;

use super::ceiling::Seen;
use super::certificate::{Cell, Kept};
use super::padded::PaddedCosts;
use super::scan::{least_sum, place_of_sum};
use super::tree::Tree;
use crate::real::Real;
use crate::simd::{Arch, Kernel};

/// Units that the mass of a side is divided into: finer than the rounding errors of its weights.
const UNITS: u64 = 1 << 60;

/// What a cell has to cost less than the potentials allow in order to enter, as a share of the spread of
/// costs: more than rounding does to potentials.
const TOLERANCE: f64 = 1e-13;

/// Rows that are searched before the cells found enter.
const SEARCHED: usize = 32;

/// Exchanges after which a solve is given up: some, and some more for each cell of the matrix.
const MOST_EXCHANGES: (usize, usize) = (1000, 2);

/// Memory of the method, kept from one problem to the next.
///
/// Nodes of the tree, and places of potentials, are the columns with their padding, then the rows.
#[derive(Debug, Default)]
pub(crate) struct Simplex {
    costs: PaddedCosts,
    tree: Tree,
    /// A row's is the cost of a cell of the tree plus its column's.
    potentials: Vec<f64>,
    /// What has not been shipped yet, in units.
    supply: Vec<u64>,
    demand: Vec<u64>,
    mass: f64,
    open_rows: VecDeque<usize>,
    candidates: Vec<Candidate>,
}

/// A cell that was worth entering when its row was searched.
#[derive(Debug)]
struct Candidate {
    row: usize,
    column: usize,
    cost: f64,
}

/// What a cell costs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pricing {
    /// What is given, or this above the least cost if that is less.
    UpTo(f64),
    /// One if the cell is forbidden, else nothing.
    Forbidden,
}

/// A problem to solve between the rows and columns that carry mass.
pub(crate) struct Solve<'a, T> {
    pub simplex: &'a mut Simplex,
    pub problem: &'a Kept<'a, T>,
    pub pricing: Pricing,
}

impl<T: Real> Kernel for Solve<'_, T> {
    /// The number of exchanges; nothing if a cost is neither finite nor infinity.
    type Output = Option<usize>;

    #[inline(always)]
    fn run<A: Arch>(self) -> Option<usize> {
        let Self {
            simplex,
            problem,
            pricing,
        } = self;
        simplex.load(problem, pricing)?;
        simplex.start();
        let exchanges = simplex.optimise();
        simplex.make_feasible();
        Some(exchanges)
    }
}

impl Simplex {
    /// Returns the cells that carry mass.
    pub(crate) fn cells(&self) -> impl Iterator<Item = Cell> {
        let width = self.costs.width();
        self.tree.cells().map(move |(row, column, units)| Cell {
            row: row - width,
            column,
            mass: units as f64 / UNITS as f64 * self.mass,
        })
    }

    /// How the plan stands to the costs of its problem.
    pub(crate) fn seen<T: Real>(&self, problem: &Kept<'_, T>) -> Seen {
        let (width, ceiling) = (self.costs.width(), self.costs.ceiling());
        let [mut above, mut waste, mut used] = [0.0_f64; 3];
        let mut over = false;
        let above_least = |cell: &Cell| problem.given(cell) - self.costs.least();
        let solid = self
            .cells()
            .filter(|cell| !problem.is_rounding(cell, true, self.mass));
        let solid = solid.map(|cell| above_least(&cell)).fold(0.0, f64::max);
        for cell in self.cells() {
            let given = above_least(&cell);
            // Nor may a trace of mass that rounding left decide which costs are in use.
            if problem.is_rounding(&cell, given > ceiling.min(solid), self.mass) {
                continue;
            }
            let slack = self.costs.row(cell.row)[cell.column] + self.potentials[cell.column]
                - self.potentials[width + cell.row];
            above += cell.mass * given.min(ceiling);
            waste += cell.mass * slack;
            used = used.max(given.min(ceiling));
            over |= given > ceiling;
        }
        Seen {
            over,
            mean: above / self.mass,
            waste: waste / self.mass,
            used,
            spread: self.costs.spread(),
            beyond: self.costs.beyond(),
            nodes: self.supply.len() + self.demand.len(),
        }
    }

    /// Returns the least cost, as it was given.
    pub(crate) fn least(&self) -> f64 {
        self.costs.least()
    }

    /// Whether some cells are forbidden.
    pub(crate) fn forbids(&self) -> bool {
        self.costs.forbids()
    }

    /// What no cost exceeds the least by.
    pub(crate) fn ceiling(&self) -> f64 {
        self.costs.ceiling()
    }

    /// Returns the cost that all others are relative to.
    pub(crate) fn offset(&self) -> f64 {
        self.costs.offset()
    }

    /// Potentials of the rows and of the columns.
    pub(crate) fn potentials(&self) -> (Vec<f64>, Vec<f64>) {
        let (prices, f) = self.potentials.split_at(self.costs.width());
        let g = prices[..self.demand.len()].iter().map(|price| -price);
        (f.to_vec(), g.collect())
    }

    #[inline(always)]
    fn load<T: Real>(&mut self, problem: &Kept<'_, T>, pricing: Pricing) -> Option<()> {
        self.mass = problem.a.iter().map(|weight| weight.to_f64()).sum();
        in_units(problem.a, problem.rows, &mut self.supply);
        in_units(problem.b, problem.columns, &mut self.demand);
        let masses = [&self.supply, &self.demand].map(|side| side.iter().sum::<u64>());
        let lighter = if masses[0] < masses[1] {
            &mut self.supply
        } else {
            &mut self.demand
        };
        if let Some(largest) = lighter.iter_mut().max() {
            *largest += masses[0].abs_diff(masses[1]);
        }
        let (n, m) = (problem.rows.len(), problem.columns.len());
        let (ceiling, forbids) = match pricing {
            Pricing::UpTo(ceiling) => (ceiling, false),
            Pricing::Forbidden => (f64::INFINITY, true),
        };
        self.costs.fill(n, m, ceiling, |i, row| {
            problem.copy_row(i, row);
            if forbids {
                let price = |cost: f64| f64::from(u8::from(cost == f64::INFINITY));
                row.iter_mut().for_each(|cost| *cost = price(*cost));
            }
        })
    }

    /// A first tree: rows take turns to ship to the cheapest column that has demand left.
    ///
    /// Each shipment closes a row or a column, which then hangs under the other. Where it would close
    /// both, the column hangs, and the row hangs later without mass.
    #[inline(always)]
    fn start(&mut self) {
        let width = self.costs.width();
        let nodes = width + self.supply.len();
        self.tree.clear(width, nodes);
        self.potentials.clear();
        self.potentials.resize(nodes, 0.0);
        let mut open_columns = self.demand.len();
        let mut root = 0;
        self.open_rows.clear();
        self.open_rows.extend(0..self.supply.len());
        while let Some(row) = self.open_rows.pop_front() {
            let (costs, prices) = (self.costs.row(row), &mut self.potentials[..width]);
            let column = place_of_sum(costs, prices, least_sum(costs, prices), |_| true);
            let mass = self.supply[row].min(self.demand[column]);
            self.supply[row] -= mass;
            self.demand[column] -= mass;
            if self.demand[column] == 0 && open_columns > 1 {
                self.tree.hang(column, width + row, mass);
                prices[column] = f64::INFINITY;
                open_columns -= 1;
                self.open_rows.push_back(row);
            } else {
                self.tree.hang(width + row, column, mass);
                root = column;
            }
        }
        let (costs, potentials) = (&self.costs, &mut self.potentials);
        potentials[root] = 0.0;
        self.tree.list(root, |node, parent| {
            potentials[node] = match node.checked_sub(width) {
                Some(row) => potentials[parent] + costs.row(row)[parent],
                None => potentials[parent] - costs.row(parent - width)[node],
            };
        });
    }

    /// Exchanges cells until none is worth entering, or there have been too many; returns how many.
    #[inline(always)]
    fn optimise(&mut self) -> usize {
        let (n, width) = (self.supply.len(), self.costs.width());
        let most = MOST_EXCHANGES.0 + MOST_EXCHANGES.1 * n * self.demand.len();
        let least_excess = -TOLERANCE * self.costs.spread();
        self.candidates.clear();
        let (mut row, mut exchanges) = (0, 0);
        // Rows in sequence without a cell worth entering.
        let mut settled = 0;
        while settled < n {
            for _ in 0..SEARCHED.min(n) {
                let (costs, prices) = (self.costs.row(row), &self.potentials[..width]);
                let least = least_sum(costs, prices);
                settled += 1;
                if least - self.potentials[width + row] < least_excess {
                    let column = place_of_sum(costs, prices, least, |_| true);
                    let cost = costs[column];
                    self.candidates.push(Candidate { row, column, cost });
                }
                row = if row + 1 < n { row + 1 } else { 0 };
            }
            while let Some((candidate, excess)) = self.most_rewarding(least_excess) {
                if exchanges == most {
                    return exchanges;
                }
                self.exchange(&candidate, excess);
                exchanges += 1;
                settled = 0;
            }
        }
        exchanges
    }

    /// Gives rows the largest potentials that the columns' allow, whatever rounding did.
    #[inline(always)]
    fn make_feasible(&mut self) {
        let (prices, rows) = self.potentials.split_at_mut(self.costs.width());
        for (potential, costs) in rows.iter_mut().zip(self.costs.rows()) {
            *potential = least_sum(costs, prices);
        }
    }

    /// Takes out the candidate that costs least compared with its potentials, and drops those not worth
    /// entering any more.
    fn most_rewarding(&mut self, least_excess: f64) -> Option<(Candidate, f64)> {
        let width = self.costs.width();
        let (mut best, mut place) = (least_excess, None);
        let mut at = 0;
        while let Some(candidate) = self.candidates.get(at) {
            let price = self.potentials[candidate.column];
            let excess = candidate.cost + price - self.potentials[width + candidate.row];
            if excess < least_excess {
                if excess < best {
                    (best, place) = (excess, Some(at));
                }
                at += 1;
            } else {
                self.candidates.swap_remove(at);
            }
        }
        Some((self.candidates.swap_remove(place?), best))
    }

    fn exchange(&mut self, candidate: &Candidate, excess: f64) {
        let row = self.costs.width() + candidate.row;
        let shift = self.tree.exchange(row, candidate.column, excess);
        let mut node = shift.first;
        for _ in 0..shift.count {
            self.potentials[node as usize] += shift.by;
            node = self.tree.next(node);
        }
    }
}

/// The weights at some places in units of all weights' sum; every one counts.
fn in_units<T: Real>(weights: &[T], places: &[usize], units: &mut Vec<u64>) {
    let mass: f64 = weights.iter().map(|weight| weight.to_f64()).sum();
    let share = |place: &usize| weights[*place].to_f64() / mass;
    units.clear();
    units.extend(places.iter().map(|place| {
        let rounded = (share(place) * UNITS as f64).round() as u64;
        rounded.max(1)
    }));
}
