//! Problems of a batch spread over threads, each part with a memory of its own.

use super::{Batch, End, Place, solve_one};
use crate::Sinkhorn;
use crate::real::Real;
use crate::solver::Workspace;

/// Consecutive problems of a batch, and where their results go.
pub(super) struct Part<'a, 'b, T> {
    pub settings: &'a Sinkhorn,
    pub batch: &'a Batch<'b, T>,
    pub start: Option<&'a [f64]>,
    pub places: &'a [Place],
    pub f: &'a mut [f64],
    pub g: &'a mut [f64],
    pub ends: &'a mut [End],
}

/// Cells of the smallest part: enough to outweigh handing it to another thread.
#[cfg(feature = "rayon")]
const SMALLEST_PART: usize = 1 << 13;

/// Parts for each thread: enough to even out problems that take longer. A part has a memory of its
/// own, so more would cost more than they gain.
#[cfg(feature = "rayon")]
const PARTS_A_THREAD: usize = 4;

impl<T: Real> Part<'_, '_, T> {
    /// Solves them, on all threads of the current pool.
    #[cfg(feature = "rayon")]
    pub(super) fn solve(self) {
        let threads = rayon::current_num_threads();
        if threads == 1 {
            return self.solve_in_turn();
        }
        let share = self.cells() / (PARTS_A_THREAD * threads);
        self.solve_together(share.max(SMALLEST_PART));
    }

    /// Cells of all problems.
    #[cfg(feature = "rayon")]
    fn cells(&self) -> usize {
        match self.places {
            [] => 0,
            [first, ..] => self.places[self.places.len() - 1].costs.end - first.costs.start,
        }
    }

    /// Divides the work in halves, down to parts of about this number of cells.
    #[cfg(feature = "rayon")]
    fn solve_together(self, cells: usize) {
        if self.places.len() < 2 || self.cells() <= cells {
            return self.solve_in_turn();
        }
        let (places, more_places) = self.places.split_at(self.places.len() / 2);
        let rows = places.iter().map(|place| place.rows.len()).sum();
        let columns = places.iter().map(|place| place.columns.len()).sum();
        let (f, more_f) = self.f.split_at_mut(rows);
        let (g, more_g) = self.g.split_at_mut(columns);
        let (ends, more_ends) = self.ends.split_at_mut(places.len());
        let (settings, batch, start) = (self.settings, self.batch, self.start);
        let part = |places, f, g, ends| Part {
            settings,
            batch,
            start,
            places,
            f,
            g,
            ends,
        };
        let (left, right) = (
            part(places, f, g, ends),
            part(more_places, more_f, more_g, more_ends),
        );
        rayon::join(
            || left.solve_together(cells),
            || right.solve_together(cells),
        );
    }

    /// Solves them.
    #[cfg(not(feature = "rayon"))]
    pub(super) fn solve(self) {
        self.solve_in_turn();
    }

    fn solve_in_turn(self) {
        let mut workspace = Workspace::default();
        let (mut f, mut g) = (self.f, self.g);
        for (place, end) in self.places.iter().zip(self.ends) {
            let (this_f, rest_f) = f.split_at_mut(place.rows.len());
            let (this_g, rest_g) = g.split_at_mut(place.columns.len());
            let start = self.start.map(|start| &start[place.columns.clone()]);
            let potentials = (this_f, this_g);
            *end = solve_one(
                self.settings,
                self.batch,
                place,
                start,
                &mut workspace,
                potentials,
            );
            (f, g) = (rest_f, rest_g);
        }
    }
}
