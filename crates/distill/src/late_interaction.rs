//! Late interaction between all texts of a batch and all of another, on tensors.

use burn::prelude::*;

/// Below any cosine: what padding scores.
const HIDDEN: f64 = -4.0;

/// Returns the sum over a query's kept tokens of the best cosine with a document's (Khattab and
/// Zaharia 2020, MaxSim), for all queries with all documents.
///
/// # Shapes
/// - `queries`: unit vectors `[q, m, d]`, with `kept_queries` `[q, m]` one where kept, zero elsewhere
/// - `documents`: unit vectors `[t, n, d]`, with `kept_documents` `[t, n]`
/// - output: `[q, t]`
pub(crate) fn scores(
    queries: Tensor<3>,
    kept_queries: Tensor<2>,
    documents: Tensor<3>,
    kept_documents: Tensor<2>,
) -> Tensor<2> {
    let [q, m, d] = queries.dims();
    let [t, n, _] = documents.dims();
    let padding = kept_documents.neg().add_scalar(1.0).mul_scalar(HIDDEN);
    let cosines = queries
        .reshape([q * m, d])
        .matmul(documents.reshape([t * n, d]).transpose());
    let best = (cosines + padding.reshape([1, t * n]))
        .reshape([q * m, t, n])
        .max_dim(2)
        .reshape([q, m, t]);
    (best * kept_queries.unsqueeze_dim(2))
        .sum_dim(1)
        .reshape([q, t])
}
