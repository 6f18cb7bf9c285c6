//! The exact log-domain Sinkhorn updates, on the rows and columns that carry mass.
//!
//! Each update is a softened minimum over costs less potentials, evaluated with its largest
//! exponent shifted to zero, so nothing overflows or vanishes at any epsilon (Peyré and Cuturi
//! 2019, "Computational Optimal Transport", remark 4.23).

use crate::Problem;
use crate::relaxation::{Relaxation, translation};
use crate::scaling::View;

/// How many times the costs in use a cost has to be to count as a filler, written where no mass
/// should be.
pub(crate) const FAR: f64 = 1e4;

/// Column potentials, what they imply, and how far from right they are.
#[derive(Clone)]
pub(crate) struct Iterate {
    pub g: Vec<f64>,
    /// The row update of `g`: rows of the plan of `f` and `g` carry the mass that `f` calls for.
    pub f: Vec<f64>,
    /// The column update of `f`, up to the translation: where one plain iteration takes `g`.
    pub image: Vec<f64>,
    /// L1 distance of the plan's column sums from what `g` calls for, or what it would be if that
    /// were the weights where these are more; infinite if it is not a number.
    pub error: f64,
    /// The dual objective up to a constant.
    pub dual: f64,
}

/// The cells of a problem between positive weights, with the smallest cost taken off.
///
/// Without the shift a cost of 1e6 would leave ten digits for differences that epsilon divides.
#[derive(Clone)]
pub(crate) struct Support {
    /// Positions in the problem of the rows and columns kept.
    pub rows: Vec<usize>,
    pub columns: Vec<usize>,
    /// The smallest cost between positive weights.
    pub offset: f64,
    /// The largest finite cost between positive weights, less `offset`.
    pub extent: f64,
    /// The same without costs so far beyond the others that no mass takes them if it has a choice:
    /// what potentials may be expected to differ by.
    pub spread: f64,
    pub a: Vec<f64>,
    pub b: Vec<f64>,
    pub relaxed_rows: Relaxation,
    pub relaxed_columns: Relaxation,
    pub log_a: Vec<f64>,
    pub log_b: Vec<f64>,
    /// Costs less `offset`, row by row and column by column.
    pub by_row: Vec<f64>,
    pub by_column: Vec<f64>,
    /// Whether a cost is infinite.
    pub has_forbidden: bool,
    /// Where no plan can use some finite cells, ranks of the rows' and the columns' blocks: such
    /// cells lead from a block to one of lower rank.
    pub ranks: Option<[Vec<usize>; 2]>,
}

impl Support {
    pub(crate) fn of(problem: &Problem) -> Self {
        let positive = |weights: &[f64]| -> Vec<usize> {
            (0..weights.len())
                .filter(|&index| weights[index] > 0.0)
                .collect()
        };
        let (rows, columns) = (positive(problem.a()), positive(problem.b()));
        let values = problem.cost().values();
        let cell = |i: usize, j: usize| values[i * problem.cost().m() + j];
        let cells = rows
            .iter()
            .flat_map(|&i| columns.iter().map(move |&j| cell(i, j)));
        let a = rows.iter().map(|&i| problem.a()[i]).collect();
        let b = columns.iter().map(|&j| problem.b()[j]).collect();
        Self::new((rows.clone(), columns.clone()), cells.collect(), a, b)
    }

    /// A problem whose rows and columns all carry mass.
    pub(crate) fn of_view(view: &View<'_, f64>) -> Self {
        let (n, m) = (view.a.len(), view.b.len());
        let cells = (0..n).flat_map(|i| view.row(i)).copied().collect();
        let places = ((0..n).collect(), (0..m).collect());
        Self::new(places, cells, view.a.to_vec(), view.b.to_vec())
    }

    fn new(
        (rows, columns): (Vec<usize>, Vec<usize>),
        mut by_row: Vec<f64>,
        a: Vec<f64>,
        b: Vec<f64>,
    ) -> Self {
        let rows_of = Extremes::of_rows(&by_row, columns.len());
        // Where all cells are forbidden there is nothing to compare.
        let offset = if rows_of.least.is_finite() {
            rows_of.least
        } else {
            0.0
        };
        let extent = rows_of.largest.max(offset) - offset;
        by_row.iter_mut().for_each(|cost| *cost -= offset);
        let by_column = (0..columns.len())
            .flat_map(|j| by_row.iter().skip(j).step_by(columns.len()).copied())
            .collect();
        Self {
            offset,
            extent,
            has_forbidden: rows_of.has_infinite,
            spread: spread(&by_row, columns.len(), extent, rows_of.needed - offset),
            log_a: a.iter().map(|weight| weight.ln()).collect(),
            log_b: b.iter().map(|weight| weight.ln()).collect(),
            rows,
            columns,
            a,
            b,
            relaxed_rows: Relaxation::HELD,
            relaxed_columns: Relaxation::HELD,
            by_row,
            by_column,
            ranks: None,
        }
    }

    /// Returns the same cells, with marginals that may be missed at a cost of `rho` each.
    pub(crate) fn relaxed(self, rho: [f64; 2]) -> Self {
        let [relaxed_rows, relaxed_columns] = Relaxation::sides(rho, self.offset);
        Self {
            relaxed_rows,
            relaxed_columns,
            ..self
        }
    }

    /// Returns the same cells with no cost above the least by more than a ceiling.
    pub(crate) fn lowered(mut self, ceiling: f64) -> Self {
        for costs in [&mut self.by_row, &mut self.by_column] {
            costs.iter_mut().for_each(|cost| *cost = cost.min(ceiling));
        }
        self.extent = self.by_row.iter().copied().fold(0.0, f64::max);
        self.spread = self.extent;
        self.has_forbidden &= ceiling == f64::INFINITY;
        self
    }

    pub(crate) fn is_balanced(&self) -> bool {
        self.relaxed_rows.is_held() && self.relaxed_columns.is_held()
    }

    /// One full iteration from `g`. Of all potentials with the same plan, those of the largest dual
    /// are kept; if both marginals are held, all have the same, and the `b`-weighted mean of `g` is
    /// made zero.
    pub(crate) fn evaluate(&self, epsilon: f64, mut g: Vec<f64>) -> Iterate {
        if self.is_balanced() {
            self.centre(&mut g);
        }
        let f = self.row_update(epsilon, &g);
        let mut image = self.column_update(epsilon, &f);
        // The update scales column j by exp((image_j - g_j) / epsilon), and what it has to reach by
        // the exponent over rho.
        let targets = self.relaxed_columns.targets(&self.b, &g);
        let rate = (1.0 + self.relaxed_columns.stiffness(epsilon)) / epsilon;
        let columns = self.b.iter().zip(targets).zip(g.iter().zip(&image));
        let error: f64 = columns
            .map(|((b, target), (g, image))| b.max(target) * ((g - image) * rate).exp_m1().abs())
            .sum();
        let error = if error.is_nan() { f64::INFINITY } else { error };
        let dual = self.relaxed_rows.dual(&self.a, &f) + self.relaxed_columns.dual(&self.b, &g)
            - epsilon * self.relaxed_rows.excess(&self.a, &f);
        if self.is_balanced() {
            self.centre(&mut image);
        } else {
            let rows = self.relaxed_rows.log_mass(&self.a, &f);
            let columns = self.relaxed_columns.log_mass(&self.b, &image);
            let shift = translation((self.relaxed_rows, rows), (self.relaxed_columns, columns));
            image.iter_mut().for_each(|image| *image -= shift);
        }
        Iterate {
            g,
            f,
            image,
            error,
            dual,
        }
    }

    /// Returns the row potentials that are best for column potentials `g`.
    pub(crate) fn row_update(&self, epsilon: f64, g: &[f64]) -> Vec<f64> {
        let minima = soft_minima(&self.by_row, epsilon, &self.log_b, g);
        let update = |minimum| self.relaxed_rows.update(epsilon, minimum);
        minima.map(update).collect()
    }

    /// Returns the column potentials that are best for row potentials `f`.
    pub(crate) fn column_update(&self, epsilon: f64, f: &[f64]) -> Vec<f64> {
        let minima = soft_minima(&self.by_column, epsilon, &self.log_a, f);
        let update = |minimum| self.relaxed_columns.update(epsilon, minimum);
        minima.map(update).collect()
    }

    /// Takes potentials off the costs; the offset and the spread stay those of the problem.
    pub(crate) fn absorb(&mut self, f: &[f64], g: &[f64]) {
        for (costs, f) in self.by_row.chunks_exact_mut(g.len()).zip(f) {
            costs.iter_mut().zip(g).for_each(|(cost, g)| *cost -= f + g);
        }
        for (costs, g) in self.by_column.chunks_exact_mut(f.len()).zip(g) {
            costs.iter_mut().zip(f).for_each(|(cost, f)| *cost -= f + g);
        }
    }

    /// Takes the `b`-weighted mean off `g`, and returns it.
    pub(crate) fn centre(&self, g: &mut [f64]) -> f64 {
        let mean = inner(&self.b, g) / self.b.iter().sum::<f64>();
        g.iter_mut().for_each(|g| *g -= mean);
        mean
    }

    /// Whether the plan's own marginals, computed cell by cell, are within `threshold`.
    pub(crate) fn is_solved(&self, epsilon: f64, at: &Iterate, threshold: f64) -> bool {
        at.error <= threshold && self.error_of(epsilon, &at.f, &at.g) <= threshold
    }

    /// L1 distance of the sums of the plan of `f` and `g` from those that they call for.
    pub(crate) fn error_of(&self, epsilon: f64, f: &[f64], g: &[f64]) -> f64 {
        marginal_error(
            &self.plan(epsilon, f, g),
            &self.relaxed_rows.targets(&self.a, f),
            &self.relaxed_columns.targets(&self.b, g),
        )
    }

    /// Returns the plan of potentials `f` and `g`, row by row over the support.
    pub(crate) fn plan(&self, epsilon: f64, f: &[f64], g: &[f64]) -> Vec<f64> {
        let mut plan = Vec::with_capacity(self.by_row.len());
        for ((costs, f), a) in self.by_row.chunks_exact(self.b.len()).zip(f).zip(&self.a) {
            let cells = costs.iter().zip(g).zip(&self.b);
            plan.extend(cells.map(|((cost, g), b)| a * b * ((f - cost + g) / epsilon).exp()));
        }
        plan
    }
}

/// What a pass over costs tells of them, row by row.
struct Extremes {
    /// The smallest cost, and the largest finite one.
    least: f64,
    largest: f64,
    /// The largest finite minimum of a row: every row has to use one of its costs.
    needed: f64,
    has_infinite: bool,
}

impl Extremes {
    fn of_rows(costs: &[f64], m: usize) -> Self {
        let mut all = Self {
            least: f64::INFINITY,
            largest: f64::NEG_INFINITY,
            needed: f64::NEG_INFINITY,
            has_infinite: false,
        };
        for row in costs.chunks_exact(m) {
            let (least, largest, highest) = extremes(row);
            all.least = all.least.min(least);
            all.largest = all.largest.max(largest);
            all.has_infinite |= highest == f64::INFINITY;
            if least.is_finite() {
                all.needed = all.needed.max(least);
            }
        }
        all
    }
}

/// Returns the smallest of some costs, the largest finite one, and the largest of all.
fn extremes(costs: &[f64]) -> (f64, f64, f64) {
    // Each comparison waits for the one before it in its lane only.
    const LANES: usize = 8;
    let mut low = [f64::INFINITY; LANES];
    let (mut high, mut top) = ([f64::NEG_INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
    let mut take = |lane: usize, cost: f64| {
        let finite = if cost < f64::INFINITY {
            cost
        } else {
            f64::NEG_INFINITY
        };
        low[lane] = if cost < low[lane] { cost } else { low[lane] };
        high[lane] = if finite > high[lane] {
            finite
        } else {
            high[lane]
        };
        top[lane] = if cost > top[lane] { cost } else { top[lane] };
    };
    let (blocks, rest) = costs.as_chunks::<LANES>();
    for block in blocks {
        for (lane, &cost) in block.iter().enumerate() {
            take(lane, cost);
        }
    }
    for (lane, &cost) in rest.iter().enumerate() {
        take(lane, cost);
    }
    let largest = |lanes: [f64; LANES]| lanes.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let least = low.into_iter().fold(f64::INFINITY, f64::min);
    (least, largest(high), largest(top))
}

/// Returns the largest of some costs that are not far beyond those in use, of rows of `m` costs up to
/// `extent`, of which one has to use one of `needed`.
fn spread(costs: &[f64], m: usize, extent: f64, needed: f64) -> f64 {
    let needed = needed.max(0.0);
    if extent <= FAR * needed {
        return extent;
    }
    let mut sorted: Vec<f64> = costs
        .iter()
        .copied()
        .filter(|cost| cost.is_finite())
        .collect();
    sorted.sort_unstable_by(f64::total_cmp);
    // A plan takes as many cells as a tree has edges, as a rule.
    let tree = costs.len() / m + m - 1;
    let pairs = sorted.windows(2).skip(tree.saturating_sub(1));
    let mut steps = pairs.filter(|pair| pair[0] >= needed && pair[0] > 0.0);
    let far = steps.find(|pair| pair[1] > FAR * pair[0]);
    far.map_or(extent, |pair| pair[0])
}

/// L1 distance of a plan's row sums from `a` plus that of its column sums from `b`.
pub(crate) fn marginal_error(plan: &[f64], a: &[f64], b: &[f64]) -> f64 {
    let mut columns = b.to_vec();
    let mut error = 0.0;
    for (row, a) in plan.chunks_exact(b.len()).zip(a) {
        error += (row.iter().sum::<f64>() - a).abs();
        for (left, mass) in columns.iter_mut().zip(row) {
            *left -= mass;
        }
    }
    error + columns.iter().map(|left| left.abs()).sum::<f64>()
}

fn inner(weights: &[f64], potentials: &[f64]) -> f64 {
    weights
        .iter()
        .zip(potentials)
        .map(|(weight, potential)| weight * potential)
        .sum()
}

/// `-epsilon log sum_j exp(log_weights_j + (potentials_j - costs_ij) / epsilon)` for each `i`.
fn soft_minima(
    costs: &[f64],
    epsilon: f64,
    log_weights: &[f64],
    potentials: &[f64],
) -> impl Iterator<Item = f64> {
    let biases = log_weights.iter().zip(potentials);
    let biases: Vec<f64> = biases
        .map(|(weight, potential)| epsilon * weight + potential)
        .collect();
    costs
        .chunks_exact(biases.len())
        .map(move |costs| soft_minimum(costs, &biases, epsilon))
}

/// `-epsilon log sum_j exp((biases_j - costs_j) / epsilon)`.
pub(crate) fn soft_minimum(costs: &[f64], biases: &[f64], epsilon: f64) -> f64 {
    let exponents = || biases.iter().zip(costs).map(|(bias, cost)| bias - cost);
    let largest = exponents().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = exponents()
        .map(|exponent| ((exponent - largest) / epsilon).exp())
        .sum();
    -largest - epsilon * sum.ln()
}
