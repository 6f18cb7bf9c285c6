//! Many problems at once, padded to one shape or ragged, each solved and stopped for itself.

mod apply;
mod forbidden;
mod part;

use std::borrow::Cow;
use std::ops::Range;

use crate::error::Side;
use crate::problem::{check_costs, check_weights, checked_count, checked_masses};
use crate::real::Real;
use crate::scaling::View;
use crate::solver::Workspace;
use crate::{Error, Report, Sinkhorn};
use part::Part;

/// Cost matrices one behind the other, with the weights of their rows and columns.
///
/// Weights are laid out as the costs are: those of a problem's rows behind those of the problem
/// before. A zero weight takes its row or column out, with whatever cost stands there.
///
/// ```
/// use optical_sinkhorn::{Batch, Sinkhorn};
///
/// let costs: [f32; 10] = [0.1, 0.8, 0.6, 0.7, 0.2, 0.9, 0.3, 0.1, 0.4, 0.2];
/// let batch = Batch::ragged(&costs, &[(2, 3), (1, 4)])?;
/// let solution = Sinkhorn::new(0.1)?.with_threshold(1e-5).solve_batch(&batch)?;
/// assert!(solution.reports().iter().all(|report| report.converged()));
/// assert!((solution.plan(1)[2] - 0.25).abs() < 1e-5);
/// # Ok::<(), optical_sinkhorn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<'a, T> {
    costs: &'a [T],
    shapes: Vec<(usize, usize)>,
    weights: Option<(&'a [T], &'a [T])>,
}

impl<'a, T: Real> Batch<'a, T> {
    /// `count` matrices of `n` rows and `m` columns, row by row; weights are uniform.
    ///
    /// # Errors
    /// [`Error::EmptyCost`] if `n` or `m` is zero, [`Error::BatchLength`] if there are not
    /// `count * n * m` costs.
    pub fn padded(costs: &'a [T], count: usize, n: usize, m: usize) -> Result<Self, Error> {
        Self::ragged(costs, &vec![(n, m); count])
    }

    /// Matrices of these numbers of rows and columns, row by row; weights are uniform.
    ///
    /// # Errors
    /// [`Error::EmptyCost`] if a shape has no row or no column, [`Error::BatchLength`] if the
    /// shapes need more or fewer costs.
    pub fn ragged(costs: &'a [T], shapes: &[(usize, usize)]) -> Result<Self, Error> {
        let mut needed = 0_usize;
        for &(n, m) in shapes {
            if n == 0 || m == 0 {
                return Err(Error::EmptyCost { n, m });
            }
            needed = needed.saturating_add(n.saturating_mul(m));
        }
        if needed != costs.len() {
            return Err(Error::BatchLength {
                expected: needed,
                found: costs.len(),
            });
        }
        Ok(Self {
            costs,
            shapes: shapes.to_vec(),
            weights: None,
        })
    }

    /// Returns the same problems with the row weights `a` and column weights `b` of all of them.
    ///
    /// # Errors
    /// [`Error::WeightCount`] if there are not as many as rows and columns in all.
    pub fn with_weights(self, a: &'a [T], b: &'a [T]) -> Result<Self, Error> {
        let (rows, columns) = self.sides();
        checked_count(Side::Rows, a, rows)?;
        checked_count(Side::Columns, b, columns)?;
        Ok(Self {
            weights: Some((a, b)),
            ..self
        })
    }

    /// Number of problems.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shapes.len()
    }

    /// Whether there is no problem.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shapes.is_empty()
    }

    /// Rows and columns of all problems together.
    fn sides(&self) -> (usize, usize) {
        let rows = self.shapes.iter().map(|(n, _)| n).sum();
        (rows, self.shapes.iter().map(|(_, m)| m).sum())
    }

    /// Returns the weights of one problem.
    fn weights_of(&self, place: &Place) -> (Cow<'a, [T]>, Cow<'a, [T]>) {
        let uniform = |length: usize| vec![T::from_f64(1.0 / length as f64); length];
        match self.weights {
            Some((a, b)) => (
                Cow::Borrowed(&a[place.rows.clone()]),
                Cow::Borrowed(&b[place.columns.clone()]),
            ),
            None => (
                uniform(place.rows.len()).into(),
                uniform(place.columns.len()).into(),
            ),
        }
    }

    /// Each problem's costs, row weights and column weights.
    pub(crate) fn problems(&self) -> impl Iterator<Item = Weighted<'a, T>> {
        self.places().into_iter().map(|place| {
            let (a, b) = self.weights_of(&place);
            (&self.costs[place.costs], a, b)
        })
    }

    /// Where each problem's costs, row weights and column weights stand.
    fn places(&self) -> Vec<Place> {
        let (mut cost, mut row, mut column) = (0, 0, 0);
        let place = |&(n, m): &(usize, usize)| {
            let place = Place {
                costs: cost..cost + n * m,
                rows: row..row + n,
                columns: column..column + m,
            };
            (cost, row, column) = (cost + n * m, row + n, column + m);
            place
        };
        self.shapes.iter().map(place).collect()
    }
}

/// Costs, row weights and column weights of a problem.
type Weighted<'a, T> = (&'a [T], Cow<'a, [T]>, Cow<'a, [T]>);

/// The ranges of one problem in the arrays of its batch.
#[derive(Debug, Clone, PartialEq)]
struct Place {
    costs: Range<usize>,
    rows: Range<usize>,
    columns: Range<usize>,
}

/// Solutions of a batch, in `f64` whatever the type of the costs.
///
/// Potentials are as in [`Solution`](crate::Solution); those of rows and columns without mass are
/// zero. It borrows the costs and weights that the batch borrows, so that plans can be computed from
/// it alone.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchSolution<'a, T> {
    batch: Batch<'a, T>,
    epsilon: f64,
    places: Vec<Place>,
    /// Row potentials less the smallest cost of their problem, for plans at large costs.
    centred_f: Vec<f64>,
    offsets: Vec<f64>,
    f: Vec<f64>,
    g: Vec<f64>,
    reports: Vec<Report>,
}

impl<T: Real> BatchSolution<'_, T> {
    getters! {
        /// Row potentials of all problems, laid out as the row weights.
        ref f: [f64];
        /// Column potentials of all problems, laid out as the column weights.
        ref g: [f64];
        /// How each problem ended, with the costs of its plan.
        ref reports: [Report];
    }

    /// How problem `index` ended.
    ///
    /// # Panics
    /// If there is no such problem.
    #[must_use]
    pub fn report(&self, index: usize) -> &Report {
        &self.reports[index]
    }

    /// Returns the transport plan of problem `index`: `n * m` masses, row by row.
    ///
    /// # Panics
    /// If there is no such problem.
    #[must_use]
    pub fn plan(&self, index: usize) -> Vec<f64> {
        let batch = &self.batch;
        let place = &self.places[index];
        let (a, b) = batch.weights_of(place);
        let columns = || b.iter().zip(&self.g[place.columns.clone()]);
        let costs = batch.costs[place.costs.clone()].chunks_exact(place.columns.len());
        let rows = costs.zip(a.iter().zip(&self.centred_f[place.rows.clone()]));
        let offset = self.offsets[index];
        rows.flat_map(|(costs, (a, f))| {
            costs.iter().zip(columns()).map(move |(cost, (b, g))| {
                let weight = a.to_f64() * b.to_f64();
                // A cost without mass may be anything, so it must not be touched.
                if weight > 0.0 {
                    weight * ((f - (cost.to_f64() - offset) + g) / self.epsilon).exp()
                } else {
                    0.0
                }
            })
        })
        .collect()
    }
}

impl Sinkhorn {
    /// Solves every problem of a batch, and stops each for itself.
    ///
    /// Costs in single precision are iterated in single precision where that reaches the threshold,
    /// otherwise in double. The result of a problem does not depend on its neighbours, nor on the
    /// threads that feature `rayon` spreads them over.
    ///
    /// # Errors
    /// [`Error::InBatch`] around the first problem's refusal, as by
    /// [`Problem::new`](crate::Problem::new) and [`Sinkhorn::solve`].
    pub fn solve_batch<'a, T: Real>(
        &self,
        batch: &Batch<'a, T>,
    ) -> Result<BatchSolution<'a, T>, Error> {
        self.solve_each(batch, None).into_solution(batch)
    }

    /// Works as [`solve_batch`](Self::solve_batch), starting from column potentials `g`, laid out as the
    /// column weights: those of similar costs save most of the iterations. Values at columns without
    /// mass are not read.
    ///
    /// # Errors
    /// As [`solve_batch`](Self::solve_batch); [`Error::PotentialCount`] if there are not as many
    /// potentials as columns in all, [`Error::Potential`] inside [`Error::InBatch`] if one is not
    /// finite.
    pub fn solve_batch_from<'a, T: Real>(
        &self,
        batch: &Batch<'a, T>,
        g: &[f64],
    ) -> Result<BatchSolution<'a, T>, Error> {
        let (_, expected) = batch.sides();
        if g.len() != expected {
            let found = g.len();
            return Err(Error::PotentialCount { expected, found });
        }
        self.solve_each(batch, Some(g)).into_solution(batch)
    }

    /// Solves every problem of a batch, those beside a refused one as well.
    pub(crate) fn solve_each<T: Real>(&self, batch: &Batch<'_, T>, start: Option<&[f64]>) -> Each {
        let places = batch.places();
        let (rows, columns) = batch.sides();
        let mut each = Each {
            epsilon: self.epsilon(),
            centred_f: vec![0.0; rows],
            g: vec![0.0; columns],
            ends: vec![Err(Error::EmptyCost { n: 0, m: 0 }); places.len()],
            places,
        };
        Part {
            settings: self,
            batch,
            start,
            places: &each.places,
            f: &mut each.centred_f,
            g: &mut each.g,
            ends: &mut each.ends,
        }
        .solve();
        each
    }
}

/// The outcome of every problem of a batch.
pub(crate) struct Each {
    epsilon: f64,
    places: Vec<Place>,
    centred_f: Vec<f64>,
    pub g: Vec<f64>,
    ends: Vec<End>,
}

/// How a problem ended, and the smallest of its costs.
type End = Result<(Report, f64), Error>;

impl Each {
    /// How every problem ended.
    #[cfg(feature = "flex")]
    pub(crate) fn reports(&self) -> impl Iterator<Item = Result<&Report, &Error>> {
        let ends = self.ends.iter();
        ends.map(|end| end.as_ref().map(|(report, _)| report))
    }

    /// Row potentials; zero where there is no mass.
    pub(crate) fn f<T: Real>(&self, batch: &Batch<'_, T>) -> Vec<f64> {
        let mut f = self.centred_f.clone();
        for (place, end) in self.places.iter().zip(&self.ends) {
            let (a, _) = batch.weights_of(place);
            let offset = end.as_ref().map_or(0.0, |(_, offset)| *offset);
            for (f, a) in f[place.rows.clone()].iter_mut().zip(a.iter()) {
                if *a > T::ZERO {
                    *f += offset;
                }
            }
        }
        f
    }

    fn into_solution<'a, T: Real>(
        self,
        batch: &Batch<'a, T>,
    ) -> Result<BatchSolution<'a, T>, Error> {
        let f = self.f(batch);
        let mut reports = Vec::with_capacity(self.ends.len());
        let mut offsets = Vec::with_capacity(self.ends.len());
        for (problem, end) in self.ends.into_iter().enumerate() {
            let error = |error| Error::InBatch {
                problem,
                error: Box::new(error),
            };
            let (report, offset) = end.map_err(error)?;
            reports.push(report);
            offsets.push(offset);
        }
        Ok(BatchSolution {
            batch: batch.clone(),
            epsilon: self.epsilon,
            places: self.places,
            centred_f: self.centred_f,
            offsets,
            f,
            g: self.g,
            reports,
        })
    }
}

/// Solves a problem without the rows and columns that carry no mass.
fn solve_one<T: Real>(
    settings: &Sinkhorn,
    batch: &Batch<'_, T>,
    place: &Place,
    start: Option<&[f64]>,
    workspace: &mut Workspace<T>,
    (f, g): (&mut [f64], &mut [f64]),
) -> End {
    let (a, b) = batch.weights_of(place);
    let cost = &batch.costs[place.costs.clone()];
    if settings.is_balanced() {
        check_weights(&a, &b)?;
    } else {
        checked_masses(&a, &b)?;
    }
    if let Some(start) = start {
        let bad = |(index, g): (usize, &f64)| b[index] > T::ZERO && !g.is_finite();
        if let Some(index) = (start.iter().enumerate()).position(bad) {
            let value = start[index];
            return Err(Error::Potential { index, value });
        }
    }
    let stride = place.columns.len();
    let (n, m) = (kept(&a), kept(&b));
    let whole = |kept: usize, weights: &[T]| weights[..kept].iter().all(|w| *w > T::ZERO);
    // Where a cost is not finite, the slow test names it, or it forbids a cell.
    let forbidden = |f: &mut [f64], g: &mut [f64]| {
        check_costs(cost, &a, &b)?;
        forbidden::solve(settings, (cost, &a, &b), start, (f, g))
    };
    if whole(n, &a) && whole(m, &b) {
        let view = View {
            cost,
            stride,
            a: &a[..n],
            b: &b[..m],
        };
        let Some(spread) = workspace.spread(settings, view) else {
            return forbidden(f, g);
        };
        let start = start.map(|start| &start[..m]);
        let potentials = (&mut f[..n], &mut g[..m]);
        let report = workspace.solve(settings, view, spread, start, potentials)?;
        return Ok((report, workspace.offset()));
    }
    let places = |weights: &[T]| -> Vec<usize> {
        (0..weights.len())
            .filter(|&index| weights[index] > T::ZERO)
            .collect()
    };
    let (rows, columns) = (places(&a), places(&b));
    let (kept_a, kept_b) = (gather(&rows, &a), gather(&columns, &b));
    let kept_start = start.map(|start| gather(&columns, start));
    let cell = |i: usize| columns.iter().map(move |&j| cost[i * stride + j]);
    let view = View {
        cost: &rows.iter().flat_map(|&i| cell(i)).collect::<Vec<T>>(),
        stride: columns.len(),
        a: &kept_a,
        b: &kept_b,
    };
    let Some(spread) = workspace.spread(settings, view) else {
        return forbidden(f, g);
    };
    let (mut kept_f, mut kept_g) = (vec![0.0; rows.len()], vec![0.0; columns.len()]);
    let potentials = (&mut kept_f[..], &mut kept_g[..]);
    let report = workspace.solve(settings, view, spread, kept_start.as_deref(), potentials)?;
    for (places, kept, all) in [(rows, kept_f, f), (columns, kept_g, g)] {
        for (place, potential) in places.into_iter().zip(kept) {
            all[place] = potential;
        }
    }
    Ok((report, workspace.offset()))
}

fn gather<V: Copy>(places: &[usize], values: &[V]) -> Vec<V> {
    places.iter().map(|&index| values[index]).collect()
}

/// Number of weights up to the last that is not zero: what is behind is padding.
fn kept<T: Real>(weights: &[T]) -> usize {
    let last = weights.iter().rposition(|weight| *weight > T::ZERO);
    last.map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests;
