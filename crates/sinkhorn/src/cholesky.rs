//! Small symmetric positive definite systems.

/// Solves a symmetric positive definite system, given by its lower triangle, by Cholesky
/// factorisation in place; nothing if it is not numerically positive definite.
pub(crate) fn solve_positive(matrix: &mut [f64], right: &mut [f64]) -> Option<()> {
    let m = right.len();
    for i in 0..m {
        let (above, row) = matrix.split_at_mut(i * m);
        for j in 0..i {
            let other = &above[j * m..j * m + j];
            let sum: f64 = row
                .iter()
                .zip(other)
                .map(|(left, right)| left * right)
                .sum();
            row[j] = (row[j] - sum) / above[j * m + j];
        }
        let pivot = row[i] - row[..i].iter().map(|value| value * value).sum::<f64>();
        if pivot.is_nan() || pivot <= 0.0 {
            return None;
        }
        row[i] = pivot.sqrt();
    }
    for i in 0..m {
        let known: f64 = (0..i).map(|j| matrix[i * m + j] * right[j]).sum();
        right[i] = (right[i] - known) / matrix[i * m + i];
    }
    for i in (0..m).rev() {
        let known: f64 = (i + 1..m).map(|j| matrix[j * m + i] * right[j]).sum();
        right[i] = (right[i] - known) / matrix[i * m + i];
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_close;

    #[test]
    fn a_positive_definite_system_is_solved() {
        let mut matrix = [4.0, 0.0, 0.0, 2.0, 5.0, 0.0, -1.0, 0.5, 3.0];
        let mut right = [
            4.0 - 2.0 * 2.0 - 3.0,
            2.0 - 5.0 * 2.0 + 0.5 * 3.0,
            -1.0 - 0.5 * 2.0 + 9.0,
        ];
        solve_positive(&mut matrix, &mut right).unwrap();
        assert_close(&right, &[1.0, -2.0, 3.0], 1e-14);
    }

    #[test]
    fn an_indefinite_system_is_refused() {
        assert_eq!(
            solve_positive(&mut [1.0, 0.0, 2.0, 1.0], &mut [1.0, 1.0]),
            None
        );
    }
}
