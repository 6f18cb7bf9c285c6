//! Late interaction as its definition reads: the obvious twin of the kernel.

use half::f16;

/// Returns the sum over query tokens of the largest dot product with a document token, in `f64`.
///
/// `query` has shape `[n, dims]`, `document` `[m, dims]`; the document is rounded to half precision.
pub(super) fn max_sim(query: &[f32], document: &[f32], dims: usize) -> f64 {
    let mut score = 0.0;
    for query_token in query.chunks(dims) {
        let mut largest = f64::NEG_INFINITY;
        for document_token in document.chunks(dims) {
            let mut dot = 0.0;
            for (&a, &b) in query_token.iter().zip(document_token) {
                dot += f64::from(a) * f16::from_f32(b).to_f64();
            }
            largest = largest.max(dot);
        }
        score += largest;
    }
    score
}
