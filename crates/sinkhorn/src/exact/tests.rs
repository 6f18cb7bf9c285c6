use proptest::prelude::*;

use super::*;
use crate::testing::{assert_close, cases, hard_cases};
use crate::{CostMatrix, Sinkhorn};

/// The least cost over all one-to-one matchings, by trying them all.
fn cheapest_matching(cost: &[f64], n: usize) -> f64 {
    fn descend(cost: &[f64], n: usize, row: usize, used: u32) -> f64 {
        if row == n {
            return 0.0;
        }
        let free = (0..n).filter(|j| used & (1 << j) == 0);
        free.map(|j| cost[row * n + j] + descend(cost, n, row + 1, used | 1 << j))
            .fold(f64::INFINITY, f64::min)
    }
    descend(cost, n, 0, 0)
}

fn check(problem: &Problem, tolerance: f64) {
    let exact = ExactSolution::of(problem).unwrap();
    assert!(exact.marginal_error() < tolerance, "{exact:?}");
    assert!(exact.duality_gap().abs() < tolerance, "{exact:?}");
    let m = problem.b().len();
    for (cell, &mass) in exact.plan().iter().enumerate() {
        let (i, j) = (cell / m, cell % m);
        assert!(mass >= 0.0);
        if problem.a()[i] > 0.0 && problem.b()[j] > 0.0 {
            let slack = problem.cost().values()[cell] - exact.f()[i] - exact.g()[j];
            assert!(
                slack >= -tolerance,
                "potentials exceed the cost of {i}, {j}"
            );
            assert!(
                mass * slack < tolerance,
                "mass where it does not pay: {i}, {j}"
            );
        } else {
            assert_eq!(mass, 0.0);
        }
    }
}

proptest! {
    #[test]
    fn a_plan_proves_itself(case in cases()) {
        check(&case.problem(), 1e-12);
    }

    #[test]
    fn a_larger_plan_proves_itself(case in hard_cases()) {
        check(&case.problem(), 1e-12);
    }

    #[test]
    fn uniform_squares_are_matchings(cost in prop::collection::vec(0.0..1.0_f64, 25)) {
        let problem = Problem::uniform(CostMatrix::new(&cost, 5, 5).unwrap()).unwrap();
        let exact = ExactSolution::of(&problem).unwrap();
        prop_assert!((exact.transport_cost() - cheapest_matching(&cost, 5) / 5.0).abs() < 1e-12);
    }

    #[test]
    fn small_epsilons_tend_to_it(case in cases()) {
        let problem = case.problem();
        let exact = ExactSolution::of(&problem).unwrap();
        let solution = Sinkhorn::new(1e-4).unwrap().solve(&problem).unwrap();
        let above = solution.transport_cost() - exact.transport_cost();
        prop_assert!(above > -1e-8 && above < 1e-3, "{}", above);
    }
}

#[test]
fn ties_offsets_and_mass_do_no_harm() {
    let tied = CostMatrix::new(&[1.0; 12], 3, 4).unwrap();
    check(&Problem::uniform(tied).unwrap(), 1e-14);
    let cost: Vec<f64> = [0.3, 0.1, 0.9, 0.2, 0.8, 0.5]
        .iter()
        .map(|c| 1e6 + c)
        .collect();
    let problem = Problem::new(
        CostMatrix::new(&cost, 2, 3).unwrap(),
        &[3.0, 4.0],
        &[2.0, 2.0, 3.0],
    );
    let exact = ExactSolution::of(&problem.unwrap()).unwrap();
    assert_close(exact.plan(), &[1.0, 2.0, 0.0, 1.0, 0.0, 3.0], 1e-12);
    assert!((exact.transport_cost() - 7e6 - 2.2).abs() < 1e-8);
}
