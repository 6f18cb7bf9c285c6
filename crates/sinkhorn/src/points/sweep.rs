//! A pass over the plan's kernel, which is computed on the way and never kept.
//!
//! A panel of rows is computed with one exponential a cell, and its row sums with it. Once these are
//! known, so are the row factors, and the panel is added to the column sums while it is in a near
//! cache: one pass for a full iteration, where others make one for each side.
#![expect(clippy::needless_range_loop, reason = "the same row of several arrays")]

use std::ops::Range;

use super::matrix::Matrix;
use super::operator::{Operator, Scratch, Sink};
use super::stripes;
use super::tiles::{PANEL, Tiled, total, with_tiles};
use crate::Real;
use crate::simd::{Arch, Kernel};

/// Tiles after which sums in the type of the points are added to sums in double precision.
pub(super) const FLUSH: usize = 64;

/// A pass over the kernel `K_ij = exp2(scale D_ij + f_i + g_j)`.
pub(super) struct Sweep<'s, 'a, U> {
    pub operator: &'s Operator<'a, U>,
    pub scale: U,
    /// With those of padding.
    pub f: &'s [U],
    pub g: &'s [U],
    /// What the columns count in the sums of the rows; zero for those of padding.
    pub weights: &'s [U],
    /// Weights of the columns for `sum_j K_ij v_j t_ij` and `sum_j l_j t_ij`, where `t` is the
    /// exponent of `K`; these sums are left out if there are none.
    pub moments: Option<[&'s [U]; 2]>,
    pub then: Then<'s, U>,
}

/// What follows the row sums.
pub(super) enum Then<'s, U> {
    /// Nothing.
    Stop,
    /// Factors of the rows that follow from their sums, and the column sums with these.
    Update(RowUpdate<'s>),
    /// Factors that are the sums times these, and the column sums with them.
    Weigh(&'s [f64]),
    /// The column sums with given factors.
    Columns(&'s [U]),
    /// The product with a matrix.
    Multiply(&'s Matrix<U>),
}

/// The factor `u_i = weight_i exp2(x_i)` of a row whose kernel has a sum of `s_i`:
/// `x_i = -log2 s_i`, drawn towards the penalty's optimum if the row may miss its weight.
#[derive(Clone, Copy)]
pub(super) struct RowUpdate<'s> {
    pub weights: &'s [f64],
    /// How much it is drawn, and what the potential is without the factor; none if weights are held.
    pub relaxed: Option<(f64, &'s [f64])>,
}

impl RowUpdate<'_> {
    /// Returns the factor, and its logarithm `x_i`, which does not vanish with it.
    fn factor(&self, i: usize, sum: f64) -> (f64, f64) {
        let logarithm = -sum.log2();
        match self.relaxed {
            None => (self.weights[i] / sum, logarithm),
            Some((share, base)) => {
                let logarithm = logarithm - share * (logarithm + base[i]);
                (self.weights[i] * logarithm.exp2(), logarithm)
            }
        }
    }
}

/// What a pass found; what it was not asked for is empty.
#[derive(Default)]
pub(super) struct Swept<U> {
    /// `sum_j K_ij weights_j`.
    pub rows: Vec<f64>,
    /// The factors of the rows, and logarithms to base two of what they are to the weights.
    pub factors: Vec<U>,
    pub logarithms: Vec<f64>,
    pub moments: Vec<[f64; 2]>,
    /// `sum_i u_i K_ij`.
    pub columns: Vec<f64>,
    /// Row by row.
    pub products: Vec<f64>,
}

impl<U: Real> Sweep<'_, '_, U> {
    pub(super) fn run(&self) -> Swept<U> {
        let mut all = Swept::default();
        let (n, m) = (self.operator.alpha.len(), self.operator.beta.len());
        let work = |rows: Range<usize>, scratch: &mut Scratch<U>| {
            self.operator.instructions.run(Part {
                sweep: self,
                rows,
                scratch,
            })
        };
        stripes::each((n, m), work, |_, part: Swept<U>| {
            all.rows.extend(part.rows);
            all.factors.extend(part.factors);
            all.logarithms.extend(part.logarithms);
            all.moments.extend(part.moments);
            all.products.extend(part.products);
            all.columns.resize(part.columns.len(), 0.0);
            for (sum, more) in all.columns.iter_mut().zip(part.columns) {
                *sum += more;
            }
        });
        all.columns.truncate(m);
        all
    }
}

/// Some rows of a pass.
struct Part<'p, 's, 'a, U> {
    sweep: &'p Sweep<'s, 'a, U>,
    rows: Range<usize>,
    scratch: &'p mut Scratch<U>,
}

impl<U: Real> Kernel for Part<'_, '_, '_, U> {
    type Output = Swept<U>;

    #[inline(always)]
    fn run<A: Arch>(self) -> Swept<U> {
        with_tiles::<U, A, _>(self)
    }
}

impl<U: Real> Tiled for Part<'_, '_, '_, U> {
    type Output = Swept<U>;

    #[inline(always)]
    fn run<A: Arch, const ROWS: usize, const COLUMNS: usize>(self) -> Swept<U> {
        if self.sweep.moments.is_some() {
            self.panels::<A, ROWS, COLUMNS, true>()
        } else {
            self.panels::<A, ROWS, COLUMNS, false>()
        }
    }
}

impl<U: Real> Part<'_, '_, '_, U> {
    #[inline(always)]
    fn panels<A: Arch, const ROWS: usize, const COLUMNS: usize, const MOMENTS: bool>(
        self,
    ) -> Swept<U> {
        let (sweep, scratch) = (self.sweep, self.scratch);
        let width = sweep.operator.width;
        scratch.panel.reset(PANEL * width, U::ZERO);
        let mut found = Swept::default();
        if !matches!(sweep.then, Then::Stop | Then::Multiply(_)) {
            found.columns.resize(width, 0.0);
        }
        for first in self.rows.clone().step_by(PANEL) {
            let live = (self.rows.end - first).min(PANEL);
            let mut cells = Cells::<U, COLUMNS, MOMENTS>::new(sweep, first);
            let operator = sweep.operator;
            operator.visit::<A, _, ROWS, COLUMNS>(first, scratch, &mut cells);
            cells.flush();
            let mut factors = [U::ZERO; PANEL];
            match &sweep.then {
                Then::Stop | Then::Multiply(_) => {}
                Then::Update(update) => {
                    for r in 0..live {
                        let (factor, logarithm) = update.factor(first + r, cells.rows[r]);
                        factors[r] = U::from_f64(factor);
                        found.logarithms.push(logarithm);
                    }
                    found.factors.extend_from_slice(&factors[..live]);
                }
                Then::Weigh(shares) => {
                    for r in 0..live {
                        factors[r] = U::from_f64(shares[first + r] * cells.rows[r]);
                    }
                }
                Then::Columns(given) => {
                    factors[..live].copy_from_slice(&given[first..first + live]);
                }
            }
            let panel = scratch.panel.get().as_chunks::<COLUMNS>().0;
            let panel = panel.as_chunks::<PANEL>().0;
            if let Then::Multiply(matrix) = &sweep.then {
                matrix.multiply::<A, ROWS, COLUMNS>(panel, live, &mut found.products);
            } else if !found.columns.is_empty() {
                add_columns::<U, A, COLUMNS>(panel, &factors, &mut found.columns);
            }
            found.rows.extend_from_slice(&cells.rows[..live]);
            if MOMENTS {
                found.moments.extend_from_slice(&cells.moments[..live]);
            }
        }
        found
    }
}

/// Turns similarities into cells of the kernel, and adds them up along the rows.
struct Cells<'s, U, const COLUMNS: usize, const MOMENTS: bool> {
    scale: U,
    f: [U; PANEL],
    g: &'s [[U; COLUMNS]],
    weights: &'s [[U; COLUMNS]],
    moment_weights: [&'s [[U; COLUMNS]]; 2],
    sums: [[U; COLUMNS]; PANEL],
    moment_sums: [[[U; COLUMNS]; 2]; PANEL],
    rows: [f64; PANEL],
    moments: [[f64; 2]; PANEL],
}

impl<'s, U: Real, const COLUMNS: usize, const MOMENTS: bool> Cells<'s, U, COLUMNS, MOMENTS> {
    #[inline(always)]
    fn new(sweep: &Sweep<'s, '_, U>, first: usize) -> Self {
        let mut f = [U::ZERO; PANEL];
        f.copy_from_slice(&sweep.f[first..first + PANEL]);
        Self {
            scale: sweep.scale,
            f,
            g: sweep.g.as_chunks().0,
            weights: sweep.weights.as_chunks().0,
            moment_weights: sweep
                .moments
                .unwrap_or_default()
                .map(|weights| weights.as_chunks().0),
            sums: [[U::ZERO; COLUMNS]; PANEL],
            moment_sums: [[[U::ZERO; COLUMNS]; 2]; PANEL],
            rows: [0.0; PANEL],
            moments: [[0.0; 2]; PANEL],
        }
    }

    /// Moves the lanes' sums to those in double precision.
    #[inline(always)]
    fn flush(&mut self) {
        for r in 0..PANEL {
            self.rows[r] += total(&self.sums[r]);
            self.sums[r] = [U::ZERO; COLUMNS];
            if MOMENTS {
                for k in 0..2 {
                    self.moments[r][k] += total(&self.moment_sums[r][k]);
                    self.moment_sums[r][k] = [U::ZERO; COLUMNS];
                }
            }
        }
    }
}

impl<U: Real, const COLUMNS: usize, const MOMENTS: bool> Sink<U, COLUMNS>
    for Cells<'_, U, COLUMNS, MOMENTS>
{
    #[inline(always)]
    fn take<A: Arch>(&mut self, index: usize, tile: &mut [[U; COLUMNS]; PANEL]) {
        let (g, weights) = (&self.g[index], &self.weights[index]);
        for r in 0..PANEL {
            let (mut cells, mut sums) = (tile[r], self.sums[r]);
            if MOMENTS {
                let [v, lacking] = self.moment_weights.map(|weights| &weights[index]);
                let [mut first, mut second] = self.moment_sums[r];
                for l in 0..COLUMNS {
                    let exponent = cells[l].fma::<A>(self.scale, g[l] + self.f[r]);
                    cells[l] = exponent.exp2::<A>();
                    sums[l] = cells[l].fma::<A>(weights[l], sums[l]);
                    first[l] = (cells[l] * v[l]).fma::<A>(exponent, first[l]);
                    second[l] = lacking[l].fma::<A>(exponent, second[l]);
                }
                self.moment_sums[r] = [first, second];
            } else {
                for l in 0..COLUMNS {
                    let exponent = cells[l].fma::<A>(self.scale, g[l] + self.f[r]);
                    cells[l] = exponent.exp2::<A>();
                    sums[l] = cells[l].fma::<A>(weights[l], sums[l]);
                }
            }
            (tile[r], self.sums[r]) = (cells, sums);
        }
        if index % FLUSH == FLUSH - 1 {
            self.flush();
        }
    }
}

/// Adds the rows of a panel, times their factors, to the columns.
#[inline(always)]
fn add_columns<U: Real, A: Arch, const COLUMNS: usize>(
    panel: &[[[U; COLUMNS]; PANEL]],
    factors: &[U; PANEL],
    columns: &mut [f64],
) {
    // Enough independent chains to hide the latency of an addition.
    const CHAINS: usize = 4;
    for (tile, columns) in panel.iter().zip(columns.as_chunks_mut::<COLUMNS>().0) {
        let mut sums = [[U::ZERO; COLUMNS]; CHAINS];
        let rows = tile.as_chunks::<CHAINS>().0.iter();
        for (rows, factors) in rows.zip(factors.as_chunks::<CHAINS>().0) {
            for k in 0..CHAINS {
                for l in 0..COLUMNS {
                    sums[k][l] = rows[k][l].fma::<A>(factors[k], sums[k][l]);
                }
            }
        }
        for l in 0..COLUMNS {
            let sum = (sums[0][l] + sums[1][l]) + (sums[2][l] + sums[3][l]);
            columns[l] += sum.to_f64();
        }
    }
}
