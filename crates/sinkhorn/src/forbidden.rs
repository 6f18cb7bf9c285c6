//! Entropic problems in which an infinite cost forbids some cells.
//!
//! A forbidden cell has no mass, which the iterations see to by themselves. But two things have to be
//! known before: whether there is any plan, and which other cells no plan can use, since the
//! potentials of a plan that is none the less looked for there grow without end (Sinkhorn and Knopp
//! 1967, "Concerning nonnegative matrices and doubly stochastic matrices"). A cell can be used if some
//! plan uses it or mass can move around a cycle through it.

use crate::error::Side;
use crate::exact::open_cells;
use crate::log_domain::Support;
use crate::{Error, Problem};

/// Exponents below which no mass is left, in epsilons.
const NOTHING: f64 = 800.0;

impl Support {
    /// Refuses a problem without a plan, its weights being right to a relative `rounding`; takes out
    /// what can have no mass.
    pub(crate) fn without_forbidden(self, problem: &Problem, rounding: f64) -> Result<Self, Error> {
        if !self.has_forbidden {
            return Ok(self);
        }
        if self.is_balanced() {
            self.without_useless(problem, rounding)
        } else {
            self.without_stranded(problem)
        }
    }

    /// Forbids the cells that no plan can use, where both marginals have to be met.
    fn without_useless(mut self, problem: &Problem, rounding: f64) -> Result<Self, Error> {
        let (n, m) = (self.a.len(), self.b.len());
        let mut used = vec![false; n * m];
        for (row, column) in open_cells(problem, rounding)? {
            used[row * m + column] = true;
        }
        let leads = |node: usize, other: usize| {
            if node < n {
                self.by_row[node * m + other - n].is_finite()
            } else {
                used[other * m + node - n]
            }
        };
        let opposite = |node: usize| if node < n { n..n + m } else { 0..n };
        let blocks = blocks(n + m, |node, from| {
            let all = opposite(node);
            (all.start.max(from)..all.end).find(|&other| leads(node, other))
        });
        let (rows, columns) = blocks.split_at(n);
        let mut useless = false;
        for (i, row) in rows.iter().enumerate() {
            for (j, column) in columns.iter().enumerate() {
                if row != column && self.by_row[i * m + j].is_finite() {
                    self.by_row[i * m + j] = f64::INFINITY;
                    self.by_column[j * n + i] = f64::INFINITY;
                    useless = true;
                }
            }
        }
        self.ranks = useless.then(|| [rows.to_vec(), columns.to_vec()]);
        Ok(self)
    }

    /// Takes out rows and columns without any finite cost, where they may keep their mass.
    fn without_stranded(self, problem: &Problem) -> Result<Self, Error> {
        let lines = |costs: &[f64], length: usize| -> Vec<bool> {
            let lines = costs.chunks_exact(length);
            lines
                .map(|line| line.iter().any(|cost| cost.is_finite()))
                .collect()
        };
        let open = [
            lines(&self.by_row, self.b.len()),
            lines(&self.by_column, self.a.len()),
        ];
        let sides = [
            (Side::Rows, &self.rows, &self.a, self.relaxed_rows),
            (Side::Columns, &self.columns, &self.b, self.relaxed_columns),
        ];
        for ((side, places, weights, relaxation), open) in sides.into_iter().zip(&open) {
            let stranded = || (0..open.len()).filter(|&at| !open[at]);
            let all = stranded().count() == open.len();
            if stranded().count() > 0 && (all || relaxation.is_held()) {
                return Err(Error::Blocked {
                    side,
                    places: stranded().map(|at| places[at]).collect(),
                    mass: stranded().map(|at| weights[at]).sum(),
                    partners: Vec::new(),
                    room: 0.0,
                });
            }
        }
        let kept = |places: &[usize], weights: &[f64], open: &[bool], length: usize| {
            let mut all = vec![0.0; length];
            for ((&place, &weight), _) in (places.iter().zip(weights).zip(open)).filter(|at| *at.1)
            {
                all[place] = weight;
            }
            all
        };
        let rho = [self.relaxed_rows.rho(), self.relaxed_columns.rho()];
        let a = kept(&self.rows, &self.a, &open[0], problem.a().len());
        let b = kept(&self.columns, &self.b, &open[1], problem.b().len());
        let rest = Problem::unbalanced(problem.cost().clone(), &a, &b)?;
        Ok(Self::of(&rest).relaxed(rho))
    }

    /// Moves potentials of blocks that exchange no mass apart, until the cells between them that the
    /// costs as given would allow have none either.
    pub(crate) fn apart(&self, epsilon: f64, problem: &Problem, f: &mut [f64], g: &mut [f64]) {
        let Some([rows, columns]) = &self.ranks else {
            return;
        };
        let m = problem.cost().m();
        let mut largest = 0.0_f64;
        for (i, &row) in self.rows.iter().enumerate() {
            for (j, &column) in self.columns.iter().enumerate() {
                let cost = problem.cost().values()[row * m + column] - self.offset;
                if rows[i] != columns[j] && cost.is_finite() {
                    largest = largest.max(f[i] + g[j] - cost);
                }
            }
        }
        let step = largest + NOTHING * epsilon;
        let steps = f.iter_mut().zip(rows);
        steps.for_each(|(f, &rank)| *f -= step * rank as f64);
        let steps = g.iter_mut().zip(columns);
        steps.for_each(|(g, &rank)| *g += step * rank as f64);
        let mean = self.centre(g);
        f.iter_mut().for_each(|f| *f += mean);
    }
}

/// A potential at which a row or column of price `rho` keeps all its mass.
pub(crate) fn keeps(rho: f64) -> f64 {
    NOTHING * rho
}

/// Numbers the strongly connected parts of a graph, so that edges lead to parts of lower numbers
/// (Tarjan 1972, "Depth-first search and linear graph algorithms"). `next` is the first node from a
/// given one on that a node leads to.
fn blocks(count: usize, next: impl Fn(usize, usize) -> Option<usize>) -> Vec<usize> {
    const NEW: usize = usize::MAX;
    let (mut order, mut low, mut block) = (vec![NEW; count], vec![0; count], vec![NEW; count]);
    let (mut seen, mut found, mut held) = (0, 0, Vec::new());
    for start in 0..count {
        if order[start] != NEW {
            continue;
        }
        // The path from the start, and where on it the search resumes.
        let mut path = vec![(start, 0)];
        while let Some((node, from)) = path.pop() {
            if from == 0 && order[node] == NEW {
                (order[node], low[node]) = (seen, seen);
                seen += 1;
                held.push(node);
            }
            match next(node, from) {
                Some(other) => {
                    path.push((node, other + 1));
                    if order[other] == NEW {
                        path.push((other, 0));
                    } else if block[other] == NEW {
                        low[node] = low[node].min(order[other]);
                    }
                }
                None => {
                    if low[node] == order[node] {
                        while let Some(other) = held.pop() {
                            block[other] = found;
                            if other == node {
                                break;
                            }
                        }
                        found += 1;
                    }
                    if let Some((above, _)) = path.last() {
                        low[*above] = low[*above].min(low[node]);
                    }
                }
            }
        }
    }
    block
}

#[cfg(test)]
mod tests;
