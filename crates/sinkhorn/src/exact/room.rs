//! Whether a plan without forbidden cells exists, and who stands in its way.

use super::certificate::Kept;
use super::simplex::{Pricing, Simplex, Solve};
use crate::error::Side;
use crate::real::Real;
use crate::{Error, Instructions};

/// Solves for the plan with the least mass on forbidden cells, and refuses a problem in which there
/// has to be some. Returns the number of exchanges.
pub(super) fn check<T: Real>(simplex: &mut Simplex, problem: &Kept<'_, T>) -> Result<usize, Error> {
    let solve = Solve {
        simplex,
        problem,
        pricing: Pricing::Forbidden,
    };
    // A price is zero or one.
    let exchanges = Instructions::detected().run(solve).unwrap_or_default();
    let forbidden = simplex
        .cells()
        .filter(|cell| problem.given(cell).is_infinite());
    let forbidden: f64 = forbidden.map(|cell| cell.mass).sum();
    let weights = |all: &[T], places: &[usize]| -> Vec<f64> {
        places.iter().map(|&place| all[place].to_f64()).collect()
    };
    let a = weights(problem.a, problem.rows);
    let b = weights(problem.b, problem.columns);
    if forbidden <= problem.mass_tolerance() * a.iter().sum::<f64>() {
        return Ok(exchanges);
    }
    let (mut f, g) = simplex.potentials();
    f.iter_mut().for_each(|f| *f += simplex.offset());
    let [rows, partners] = blocked((&f, &a), (&g, &b));
    let others = |blocked: &[usize], count: usize| -> Vec<usize> {
        (0..count)
            .filter(|index| !blocked.contains(index))
            .collect()
    };
    // What the columns that these rows do not reach need is missing as much: the shorter list tells.
    let (columns, sources) = (others(&partners, b.len()), others(&rows, a.len()));
    let sides = if columns.len() < rows.len() {
        (Side::Columns, columns, sources)
    } else {
        (Side::Rows, rows, partners)
    };
    let (side, mine, theirs) = sides;
    let [(places, masses), (other_places, other_masses)] = match side {
        Side::Rows => [(problem.rows, &a), (problem.columns, &b)],
        Side::Columns => [(problem.columns, &b), (problem.rows, &a)],
    };
    let total = |chosen: &[usize], masses: &[f64]| chosen.iter().map(|&at| masses[at]).sum();
    Err(Error::Blocked {
        side,
        mass: total(&mine, masses),
        room: total(&theirs, other_masses),
        places: mine.iter().map(|&at| places[at]).collect(),
        partners: theirs.iter().map(|&at| other_places[at]).collect(),
    })
}

/// Rows whose mass exceeds that of all columns they reach without a forbidden cell, and these
/// columns, given potentials that prove how much of it has to be on forbidden cells at a price of
/// one: a row of potential `t` at least reaches only columns of `-t` at most (Hall 1935, "On
/// representatives of subsets", by the duality of flows and cuts).
pub(crate) fn blocked((f, a): (&[f64], &[f64]), (g, b): (&[f64], &[f64])) -> [Vec<usize>; 2] {
    let chosen = |level: f64| {
        let rows: Vec<usize> = (0..f.len()).filter(|&i| f[i] > level - 0.5).collect();
        let columns: Vec<usize> = (0..g.len()).filter(|&j| g[j] < 0.5 - level).collect();
        let mass: f64 = rows.iter().map(|&i| a[i]).sum();
        let room: f64 = columns.iter().map(|&j| b[j]).sum();
        (mass - room, [rows, columns])
    };
    let mut levels = f.to_vec();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    let cuts = levels.into_iter().map(chosen);
    let worst = cuts.max_by(|one, other| one.0.total_cmp(&other.0));
    worst.map(|(_, cut)| cut).unwrap_or_default()
}
