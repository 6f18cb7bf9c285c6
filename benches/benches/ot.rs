//! Our transport solver on the shapes of distillation, by criterion.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use optical_benches::cases;
use optical_benches::measure::Stored;
use optical_sinkhorn::Instructions;

fn batches(criterion: &mut Criterion) {
    for case in cases::all() {
        if case.n * case.m * case.count > 1 << 20 {
            continue;
        }
        let stored = Stored::new(&case, &case.values());
        criterion.bench_function(&case.name(), |bencher| {
            bencher.iter(|| black_box(stored.solve(&case, Instructions::detected())));
        });
    }
}

criterion_group!(benches, batches);
criterion_main!(benches);
