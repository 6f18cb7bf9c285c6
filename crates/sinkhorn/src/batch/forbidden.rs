//! A problem of a batch in which infinite costs forbid cells: rare, and solved as a single one.

use super::End;
use crate::real::Real;
use crate::relaxation::Relaxation;
use crate::watch::Watch;
use crate::{CostMatrix, Problem, Report, Sinkhorn};

/// Solves a problem of checked costs and weights, from column potentials if some are given, and
/// writes its potentials: `f` less the smallest cost, and `g`.
pub(super) fn solve<T: Real>(
    settings: &Sinkhorn,
    (cost, a, b): (&[T], &[T], &[T]),
    start: Option<&[f64]>,
    (f, g): (&mut [f64], &mut [f64]),
) -> End {
    let wide = |values: &[T]| -> Vec<f64> { values.iter().map(|value| value.to_f64()).collect() };
    let cost = CostMatrix::new(&wide(cost), a.len(), b.len())?;
    let problem = Problem::unbalanced(cost, &wide(a), &wide(b))?;
    let support = settings.support_within(&problem, T::ROUNDING)?;
    let solution = match start {
        None => settings.solve_on(&problem, &support, &mut Watch::none())?,
        Some(g) => settings.solve_on_from(&problem, &support, g)?,
    };
    let offset = solution.offset;
    let [rows, _] = Relaxation::sides(solution.rho, offset);
    let shift = rows.offset() - offset;
    for (to, (from, weight)) in f.iter_mut().zip(solution.centred_f.iter().zip(a)) {
        *to = if *weight > T::ZERO { from + shift } else { 0.0 };
    }
    for (to, (from, weight)) in g.iter_mut().zip(solution.g().iter().zip(b)) {
        *to = if *weight > T::ZERO { *from } else { 0.0 };
    }
    let duality_gap = settings.accelerated().then(|| solution.duality_gap());
    let report = Report {
        status: solution.status(),
        iterations: solution.iterations(),
        marginal_error: solution.marginal_error(),
        duality_gap: duality_gap.filter(|gap| gap.is_finite()),
        transport_cost: solution.transport_cost(),
        regularised_cost: solution.regularised_cost(),
        dual_cost: solution.dual_cost(),
    };
    Ok((report, offset))
}
