//! Exact search by criterion: queries and documents of random tokens, in the dimensions that encoders
//! have, with and without a projection. Its rate is that of multiplications with additions.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use optical_retrieval::{ExactIndex, Index, QueryRef};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const DOCUMENTS: usize = 200;
const DOCUMENT_TOKENS: usize = 128;
const QUERIES: usize = 64;
const QUERY_TOKENS: usize = 16;
const DEPTH: usize = 100;

fn search(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("search");
    let products = DOCUMENTS * DOCUMENT_TOKENS * QUERIES * QUERY_TOKENS;
    for dims in [128, 384, 768] {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut text = |tokens: usize| -> Vec<f32> {
            (0..tokens * dims)
                .map(|_| random.random_range(-0.1..0.1))
                .collect()
        };
        let mut index = ExactIndex::new(dims).expect("there are dimensions");
        for document in 0..DOCUMENTS {
            let added = index.add(&document.to_string(), &text(DOCUMENT_TOKENS));
            added.expect("ids differ and numbers are finite");
        }
        let queries: Vec<_> = (0..QUERIES).map(|_| text(QUERY_TOKENS)).collect();
        let queries: Vec<_> = (queries.iter())
            .map(|vectors| QueryRef {
                vectors,
                excluded: &[],
            })
            .collect();
        group.throughput(Throughput::Elements((products * dims) as u64));
        group.bench_function(BenchmarkId::from_parameter(dims), |bencher| {
            bencher.iter(|| index.search_many(&queries, DEPTH).expect("queries fit"));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = search
}
criterion_main!(benches);
