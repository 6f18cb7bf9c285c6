//! Our transport solvers on the cases of `bench ot`, by criterion.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use optical_benches::case::Case;
use optical_benches::cases;
use optical_benches::input::Input;
use optical_benches::ours::Ours;
use optical_benches::solver::Solver;

/// Cells of a case that are too many for criterion's hundreds of runs.
const MOST_CELLS: usize = 1 << 20;

/// Every case that is small enough, by the first of ours that takes it: with the widest instructions.
fn ours(criterion: &mut Criterion) {
    let solvers = Ours::all().unwrap_or_else(|reason| panic!("{reason:#}"));
    let small = |case: &Case| case.problems.count * case.problems.n * case.problems.m <= MOST_CELLS;
    for case in cases::all().into_iter().filter(small) {
        let Some(solver) = solvers.iter().find(|solver| solver.takes(&case)) else {
            continue;
        };
        criterion.bench_function(&case.name(), |bencher| {
            let input = Input::of(case);
            let prepared = solver.prepare(&input);
            let mut run = prepared.unwrap_or_else(|reason| panic!("{}: {reason:#}", case.name()));
            bencher.iter(|| black_box(run().map(|measured| measured.values)));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = ours
}
criterion_main!(benches);
