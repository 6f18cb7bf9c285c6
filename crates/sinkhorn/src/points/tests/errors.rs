//! What is refused, and how it is named.

use super::*;
use crate::{Side, Sinkhorn};

fn solve<T: Real>(cost: &impl Cost<T>, a: &[T], b: &[T]) -> Error {
    let solver = Sinkhorn::new(0.1).unwrap();
    solver.solve_points(cost, a, b).err().unwrap()
}

#[test]
fn lists_that_are_no_points_are_refused() {
    let found = 5;
    assert_eq!(
        Cosine::new(&[1.0; 5], &[1.0; 4], 2),
        Err(Error::PointLength {
            side: Side::Rows,
            dimension: 2,
            found
        })
    );
    let error = Dot::new(&[1.0; 4], &[1.0; 5], 2).unwrap_err();
    assert_eq!(
        error.to_string(),
        "y has 5 coordinates, not a multiple of dimension = 2"
    );
    assert_eq!(
        SquaredEuclidean::new(&[1.0; 4], &[], 2),
        Err(Error::EmptyCost { n: 2, m: 0 })
    );
    assert_eq!(
        SquaredEuclidean::new(&[1.0; 4], &[1.0], 0)
            .unwrap_err()
            .to_string(),
        "dimension = 0 is not positive and finite"
    );
}

#[test]
fn points_with_mass_must_be_finite() {
    let mut x = [0.5_f32; 6];
    x[3] = f32::NAN;
    let y = [0.5, 0.25, 1.0, 2.0];
    let cost = SquaredEuclidean::new(&x, &y, 2).unwrap();
    let error = solve(&cost, &[0.5, 0.25, 0.25], &[0.5, 0.5]);
    assert_eq!(
        error.to_string(),
        "x[1][1] = NaN is not finite at a positive weight"
    );
    let x = [0.5_f32; 6];
    let y = [0.5, 0.25, f32::INFINITY, 2.0];
    let cost = Dot::new(&x, &y, 2).unwrap();
    let error = solve(&cost, &[0.5, 0.25, 0.25], &[0.5, 0.5]);
    assert!(matches!(
        error,
        Error::Point {
            side: Side::Columns,
            index: 1,
            coordinate: 0,
            value: f64::INFINITY
        }
    ));
}

#[test]
fn a_point_with_mass_needs_a_direction_for_its_cosine() {
    let x = [0.5_f64, 0.1, 0.0, 0.0];
    let y = [0.5, 0.25];
    let cost = Cosine::new(&x, &y, 2).unwrap();
    let error = solve(&cost, &[0.5, 0.5], &[1.0]);
    assert_eq!(
        error,
        Error::ZeroPoint {
            side: Side::Rows,
            index: 1
        }
    );
    assert_eq!(
        error.to_string(),
        "x[1] is zero at a positive weight: it has no cosine"
    );
    let solver = Sinkhorn::new(0.1).unwrap();
    assert!(solver.solve_points(&cost, &[1.0, 0.0], &[1.0]).is_ok());
}

#[test]
fn weights_are_those_of_the_points() {
    let x = [0.5_f64, 0.1, 0.3, 0.2];
    let cost = Dot::new(&x, &x, 2).unwrap();
    assert_eq!(
        solve(&cost, &[0.5, 0.25, 0.25], &[0.5, 0.5]),
        Error::WeightCount {
            side: Side::Rows,
            expected: 2,
            found: 3
        }
    );
    assert_eq!(
        solve(&cost, &[0.5, 0.5], &[1.5, -0.5]),
        Error::Weight {
            side: Side::Columns,
            index: 1,
            value: -0.5
        }
    );
    assert_eq!(
        solve(&cost, &[0.5, 0.5], &[0.5, 1.0]),
        Error::MassMismatch { a: 1.0, b: 1.5 }
    );
}

#[test]
fn costs_between_positive_weights_must_be_finite() {
    let cost = CostMatrix::new(&[0.1, f64::NAN, 0.3, 0.4, 0.5, f64::INFINITY], 2, 3).unwrap();
    let error = solve(&cost, &[0.5, 0.5], &[0.5, 0.0, 0.5]);
    assert_eq!(
        error,
        Error::Cost {
            i: 1,
            j: 2,
            value: f64::INFINITY
        }
    );
}

#[test]
fn what_leaves_the_range_of_numbers_is_refused() {
    let x = [1e200_f64, -1e200, 3.0];
    let cost = SquaredEuclidean::new(&x, &x, 1).unwrap();
    let error = solve(&cost, &[0.5, 0.25, 0.25], &[0.25, 0.5, 0.25]);
    assert!(
        matches!(error, Error::OutOfRange { epsilon: 0.1, .. }),
        "{error}"
    );
    // In single precision the squares would be infinite, in double they are not.
    let x = [1e20_f32, -1e20, 3.0];
    let cost = SquaredEuclidean::new(&x, &x, 1).unwrap();
    let solver = Sinkhorn::new(1e38).unwrap();
    let found = solver
        .solve_points(&cost, &[0.5, 0.25, 0.25], &[0.25, 0.5, 0.25])
        .unwrap();
    assert!(found.report().converged());
}

#[test]
fn starts_are_checked() {
    let x = [0.5_f64, 0.1, 0.3, 0.2];
    let cost = Dot::new(&x, &x, 2).unwrap();
    let solver = Sinkhorn::new(0.1).unwrap();
    let weights = [1.0, 0.0];
    let start = |g: &[f64]| solver.solve_points_from(&cost, &weights, &weights, g).err();
    assert_eq!(
        start(&[0.0]),
        Some(Error::PotentialCount {
            expected: 2,
            found: 1
        })
    );
    assert!(matches!(
        start(&[f64::NAN, 0.0]),
        Some(Error::Potential { index: 0, .. })
    ));
    assert_eq!(start(&[0.0, f64::NAN]), None);
}

#[test]
fn vectors_have_the_length_of_their_side() {
    let x = [0.5_f64, 0.1, 0.3, 0.2];
    let cost = Dot::new(&x, &x[..2], 2).unwrap();
    let solver = Sinkhorn::new(0.1).unwrap();
    let found = solver.solve_points(&cost, &[0.5, 0.5], &[1.0]).unwrap();
    let message = |outcome: Result<Vec<f64>, Error>| outcome.unwrap_err().to_string();
    assert_eq!(
        message(found.apply(&[1.0, 2.0])),
        "v has 2 values, 1 are needed"
    );
    assert_eq!(
        message(found.apply_transpose(&[1.0])),
        "u has 1 values, 2 are needed"
    );
    assert_eq!(
        message(found.barycentric_projection(&x, 3)),
        "points has 4 values, 3 are needed"
    );
}
