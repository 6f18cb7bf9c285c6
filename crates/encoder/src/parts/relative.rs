//! Scores that depend on the distance between two tokens.

use burn::prelude::*;

/// Returns, for each row of scores by distance, the scores of the keys: entry `[q, k]` is the one
/// of column `k - q + n - 1`.
///
/// That is a view of the same numbers, taken with a row one shorter (Huang et al. 2018, arXiv
/// 1809.04281, section 3.4.1; Dai et al. 2019, arXiv 1901.02860, appendix B).
///
/// # Shapes
/// - `by_distance`: `[texts, heads, n, 2 n]`; its last column is never taken
/// - output: `[texts, heads, n, n]`
pub(crate) fn by_key(by_distance: Tensor<4>) -> Tensor<4> {
    let [texts, heads, n, _] = by_distance.dims();
    let count = n * (2 * n - 1);
    by_distance
        .reshape([texts, heads, 2 * n * n])
        .slice_dim(2, n - 1..n - 1 + count)
        .reshape([texts, heads, n, 2 * n - 1])
        .slice_dim(3, 0..n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::values;

    #[test]
    fn keys_get_the_scores_of_their_distances() {
        for n in [1, 2, 3, 7] {
            let shape = [2, 3, n, 2 * n];
            let count = shape.iter().product::<usize>();
            let numbers: Vec<f32> = (0..count).map(|number| number as f32).collect();
            let data = TensorData::new(numbers.clone(), shape);
            let shifted = by_key(Tensor::from_data(data, &Device::flex()));
            assert_eq!(shifted.dims(), [2, 3, n, n]);
            let found = values(shifted).unwrap();
            for (place, found) in found.into_iter().enumerate() {
                let (row, key) = (place / n, place % n);
                let column = key + n - 1 - row % n;
                assert_eq!(
                    found,
                    numbers[row * 2 * n + column],
                    "row {row}, key {key} of {n}"
                );
            }
        }
    }
}
