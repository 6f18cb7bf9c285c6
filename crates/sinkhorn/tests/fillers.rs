//! Fillers, as are written for pairs that must not be, and forbidden cells: exact methods find the
//! right cost to 1e-7 of the costs in use, or say that it is unproven, held against a search over
//! all vertices of the problem in whole numbers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use optical_sinkhorn::{
    Assignment, Batch, CostMatrix, Error, ExactSolution, PartialSolution, Problem, ProximalPoint,
    Sinkhorn,
};

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % count
    }
}

/// A cost as the oracle knows it, compared place by place: forbidden, then fillers from the largest
/// on by how often they are used, then a whole number of hundredths.
type Cost = [i64; 5];

/// Fillers by their place in a [`Cost`]; forbidden cells are the first.
const FILLERS: [[f64; 4]; 4] = [
    [f64::INFINITY, 1e12, 1e9, 1e6],
    [f64::INFINITY, 1e300, 1e20, 1e7],
    [f64::INFINITY, 1e290, 1e150, 1e10],
    [f64::INFINITY, 1e30, 1e18, 1e13],
];

/// A transport problem with whole masses.
#[derive(Debug)]
struct Case {
    n: usize,
    m: usize,
    values: Vec<f64>,
    costs: Vec<Cost>,
    a: Vec<i64>,
    b: Vec<i64>,
    fillers: [f64; 4],
}

impl Case {
    fn new(random: &mut Random, square: bool) -> Self {
        let n = 2 + random.below(5) as usize;
        let m = if square {
            n
        } else {
            2 + random.below(5) as usize
        };
        let fillers = FILLERS[random.below(4) as usize];
        let share = 1 + random.below(6);
        let least = if random.below(3) == 0 { -200 } else { 0 };
        let (mut values, mut costs) = (Vec::new(), Vec::new());
        for _ in 0..n * m {
            let mut cost = [0; 5];
            if random.below(10) < share {
                let which = random.below(4) as usize;
                cost[which] = 1;
                values.push(fillers[which]);
            } else {
                cost[4] = least + random.below(500) as i64;
                values.push(cost[4] as f64 / 100.0);
            }
            costs.push(cost);
        }
        let weights = |random: &mut Random, count: usize| -> Vec<i64> {
            (0..count).map(|_| 1 + random.below(5) as i64).collect()
        };
        let (mut a, mut b) = (weights(random, n), weights(random, m));
        if square {
            (a, b) = (vec![1; n], vec![1; n]);
        }
        let excess = a.iter().sum::<i64>() - b.iter().sum::<i64>();
        let lighter = if excess > 0 { &mut b } else { &mut a };
        lighter[0] += excess.abs();
        Self {
            n,
            m,
            values,
            costs,
            a,
            b,
            fillers,
        }
    }

    fn mass(&self) -> i64 {
        self.a.iter().sum()
    }

    fn problem(&self) -> Problem {
        let cost = CostMatrix::new(&self.values, self.n, self.m).unwrap();
        let mass = self.mass() as f64;
        let shares = |weights: &[i64]| -> Vec<f64> {
            weights.iter().map(|weight| *weight as f64 / mass).collect()
        };
        Problem::new(cost, &shares(&self.a), &shares(&self.b)).unwrap()
    }

    /// The least cost of moving `mass` units, by successive shortest paths (Bellman 1958, Ford 1956)
    /// of one unit each: none of it can go wrong, as it only adds and compares whole numbers.
    fn least(&self, mass: i64) -> Cost {
        let (n, m) = (self.n, self.m);
        let mut plan = vec![0_i64; n * m];
        let (mut sent, mut met) = (vec![0; n], vec![0; m]);
        let mut total = [0; 5];
        let add = |x: &Cost, y: &Cost, sign: i64| -> Cost {
            std::array::from_fn(|place| x[place] + sign * y[place])
        };
        for _ in 0..mass {
            let mut rows: Vec<Option<Cost>> = (0..n)
                .map(|i| (sent[i] < self.a[i]).then_some([0; 5]))
                .collect();
            let mut columns: Vec<Option<Cost>> = vec![None; m];
            let (mut row_from, mut column_from) = (vec![m; n], vec![n; m]);
            let mut changed = true;
            while changed {
                changed = false;
                for (i, j) in (0..n).flat_map(|i| (0..m).map(move |j| (i, j))) {
                    let cost = &self.costs[i * m + j];
                    if let Some(length) = rows[i].map(|length| add(&length, cost, 1))
                        && columns[j].is_none_or(|known| length < known)
                    {
                        (columns[j], column_from[j], changed) = (Some(length), i, true);
                    }
                    if plan[i * m + j] > 0
                        && let Some(length) = columns[j].map(|length| add(&length, cost, -1))
                        && rows[i].is_none_or(|known| length < known)
                    {
                        (rows[i], row_from[i], changed) = (Some(length), j, true);
                    }
                }
            }
            let free = (0..m).filter(|&j| met[j] < self.b[j]);
            let end = free.min_by_key(|&j| columns[j].unwrap()).unwrap();
            total = add(&total, &columns[end].unwrap(), 1);
            met[end] += 1;
            let mut column = end;
            loop {
                let row = column_from[column];
                plan[row * m + column] += 1;
                if row_from[row] == m {
                    sent[row] += 1;
                    break;
                }
                column = row_from[row];
                plan[row * m + column] -= 1;
            }
        }
        total
    }

    /// What a sum of costs comes to, each unit of mass counting as `unit`.
    fn value(&self, cost: &Cost, unit: f64) -> f64 {
        let fillers = (1..4).map(|place| cost[place] as f64 * unit * self.fillers[place]);
        fillers.sum::<f64>() + cost[4] as f64 / 100.0 * unit
    }

    /// Holds what was found against what is right.
    fn check(&self, what: &str, least: &Cost, unit: f64, found: &Result<Found, Error>) -> Count {
        if least[0] > 0 {
            match found {
                Err(Error::Blocked { mass, room, .. }) if mass > room => return Count::BLOCKED,
                other => panic!("{what}: no plan, but {other:?}: {self:?}"),
            }
        }
        let found = found
            .as_ref()
            .unwrap_or_else(|error| panic!("{what}: {error}: {self:?}"));
        let right = self.value(least, unit);
        let sizes: f64 = (found.plan.iter().zip(&self.values))
            .filter(|(mass, _)| **mass > 0.0)
            .map(|(mass, cost)| mass * cost.abs())
            .sum();
        let holds = (found.cost - right).abs() <= 1e-7 * sizes.max(right.abs());
        assert!(
            holds || !found.proven,
            "{what}: {} instead of {right}: {found:?} {self:?}",
            found.cost
        );
        for (mass, cost) in found.plan.iter().zip(&self.values) {
            assert!(cost.is_finite() || *mass == 0.0, "{what}: {self:?}");
        }
        if found.proven {
            for (i, f) in found.f.iter().enumerate() {
                for (j, g) in found.g.iter().enumerate() {
                    let cost = self.values[i * self.m + j];
                    let rounding = found.rounding + 1e-9 * sizes.max(1.0).max(f.abs()).max(g.abs());
                    assert!(
                        f + g <= cost + rounding,
                        "{what}: {i} {j} {found:?} {self:?}"
                    );
                }
            }
        }
        Count {
            proven: usize::from(found.proven),
            unproven: usize::from(!found.proven),
            blocked: 0,
        }
    }
}

#[derive(Debug)]
struct Found {
    cost: f64,
    plan: Vec<f64>,
    f: Vec<f64>,
    g: Vec<f64>,
    /// What rounding may have of the potentials.
    rounding: f64,
    proven: bool,
}

impl Found {
    fn of(solution: &ExactSolution) -> Self {
        Self {
            cost: solution.transport_cost(),
            plan: solution.plan().to_vec(),
            f: solution.f().to_vec(),
            g: solution.g().to_vec(),
            rounding: 0.0,
            proven: solution.converged(),
        }
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    proven: usize,
    unproven: usize,
    blocked: usize,
}

impl Count {
    const BLOCKED: Self = Self {
        proven: 0,
        unproven: 0,
        blocked: 1,
    };

    fn add(&mut self, other: Self) {
        self.proven += other.proven;
        self.unproven += other.unproven;
        self.blocked += other.blocked;
    }
}

#[test]
fn two_thousand_problems_are_right_or_unproven() {
    let mut random = Random(27);
    let mut counts = [Count::default(); 4];
    for number in 0..500 {
        let case = Case::new(&mut random, number % 2 == 0);
        let problem = case.problem();
        let (whole, unit) = (case.mass(), 1.0 / case.mass() as f64);
        let least = case.least(whole);
        let found = ExactSolution::of(&problem).map(|solution| Found::of(&solution));
        counts[0].add(case.check(&format!("exact {number}"), &least, unit, &found));

        let found = ProximalPoint::new(0.1).unwrap().solve(&problem);
        let found = found.map(|solution| Found::of(&solution));
        let count = case.check(&format!("ipot {number}"), &least, unit, &found);
        // The steps of proximal points seldom end where fillers have to be used.
        let fillers = least[1..4].iter().any(|count| *count > 0);
        assert!(count.unproven == 0 || fillers, "{number} {case:?}");
        counts[1].add(count);

        let part = 1 + random.below(whole as u64) as i64;
        let found = PartialSolution::of(&problem, part as f64 * unit).map(|solution| Found {
            cost: solution.transport_cost(),
            plan: solution.plan().to_vec(),
            f: solution
                .f()
                .iter()
                .map(|f| f + solution.mass_price())
                .collect(),
            g: solution.g().to_vec(),
            rounding: 4e-16 * solution.mass_price().abs(),
            proven: solution.converged(),
        });
        let least = case.least(part);
        counts[2].add(case.check(&format!("partial {number}"), &least, unit, &found));

        let found = Assignment::of(problem.cost()).map(|matching| {
            let mut plan = vec![0.0; case.n * case.m];
            matching
                .pairs()
                .iter()
                .for_each(|&(i, j)| plan[i * case.m + j] = 1.0);
            Found {
                cost: matching.cost(),
                plan,
                f: matching.f().to_vec(),
                g: matching.g().to_vec(),
                rounding: 0.0,
                proven: matching.converged(),
            }
        });
        let ones = Case {
            a: vec![1; case.n],
            b: vec![1; case.m],
            values: case.values.clone(),
            costs: case.costs.clone(),
            ..case
        };
        let least = ones.least(ones.n.min(ones.m) as i64);
        counts[3].add(ones.check(&format!("assignment {number}"), &least, 1.0, &found));
    }
    // What is unproven is rare, or it would prove nothing that the others are right.
    for (count, unproven) in counts.iter().zip([5, 100, 5, 5]) {
        assert!(
            count.proven > 350 && count.unproven <= unproven && count.blocked > 0,
            "{counts:?}"
        );
    }
}

/// What is too large for a number is refused, and nothing is proven by an infinite allowance.
#[test]
fn the_ends_of_the_range_are_told() {
    let inf = f64::INFINITY;
    let problem = |cost: &[f64], a: &[f64], b: &[f64]| {
        let cost = CostMatrix::new(cost, a.len(), b.len()).unwrap();
        Problem::new(cost, a, b).unwrap()
    };
    let ipot = ProximalPoint::new(1.0).unwrap();
    let told = "the costs or their sum leave the range of f64";
    for cost in [[1e308; 4], [1.5e308, 1.5e308, 0.0, 1.5e308]] {
        let large = problem(&cost, &[4.0, 5.0], &[4.0, 5.0]);
        for refused in [
            ExactSolution::of(&large).map(|_| ()),
            PartialSolution::of(&large, 9.0).map(|_| ()),
            ipot.solve(&large).map(|_| ()),
        ] {
            assert_eq!(refused.unwrap_err().to_string(), told);
        }
    }
    let filled = problem(&[1e308, 1e308, 1e308, -1.0], &[1.0, 2.0], &[1.0, 2.0]);
    let found = ipot.solve(&filled).unwrap();
    let holds = (found.transport_cost() / 1e308 - 1.0).abs() < 1e-7;
    assert!(holds || !found.converged(), "{found:?}");

    let closed = problem(&[inf; 2], &[1.0], &[0.4, 0.6]);
    let refused = ipot.solve(&closed);
    assert!(matches!(refused, Err(Error::Blocked { .. })), "{refused:?}");
    let small = problem(&[3.6e-300, 3.1e-300], &[1.0], &[0.8, 0.2]);
    let found = ipot.solve(&small).unwrap();
    assert!((found.transport_cost() / 3.5e-300 - 1.0).abs() < 1e-7);
}

/// An entropic plan at a small epsilon is nearly the best one, and has nothing on forbidden cells.
#[test]
fn entropic_plans_avoid_them_too() {
    let mut random = Random(3);
    let [mut solved, mut blocked, mut known] = [0; 3];
    for number in 0..200 {
        let case = Case::new(&mut random, number % 2 == 0);
        let problem = case.problem();
        let least = case.least(case.mass());
        let solver = Sinkhorn::new(0.05).unwrap().with_threshold(1e-8);
        let batch = Batch::padded(problem.cost().values(), 1, case.n, case.m).unwrap();
        let batch = batch.with_weights(problem.a(), problem.b()).unwrap();
        let solution = solver.solve(&problem);
        if least[0] > 0 {
            assert!(
                matches!(solution, Err(Error::Blocked { .. })),
                "{solution:?}"
            );
            assert!(solver.solve_batch(&batch).is_err());
            blocked += 1;
            continue;
        }
        let (Ok(solution), Ok(together)) = (solution, solver.solve_batch(&batch)) else {
            // Fillers that have to be used leave the range.
            assert!(least[..4].iter().any(|count| *count > 0), "{case:?}");
            continue;
        };
        for plan in [solution.plan(), together.plan(0)] {
            let cells = plan.iter().zip(&case.values);
            assert!(
                cells
                    .clone()
                    .all(|(mass, cost)| cost.is_finite() || *mass == 0.0)
            );
        }
        if !solution.converged() || least[..4].iter().any(|count| *count > 0) {
            continue;
        }
        let right = case.value(&least, 1.0 / case.mass() as f64);
        let above = solution.transport_cost() - right;
        assert!((-1e-6..1.0).contains(&above), "{number}: {above} {case:?}");
        let gap = solution.duality_gap();
        assert!(
            gap > -1e-9 && (gap < 1e-5 || gap.is_infinite()),
            "{number}: {gap} {case:?}"
        );
        known += usize::from(gap.is_finite());
        let report = together.reports()[0];
        assert!(report.converged(), "{number}: {report:?} {case:?}");
        let apart = report.transport_cost - solution.transport_cost();
        assert!(apart.abs() < 1e-6, "{number}: {report:?} {case:?}");
        assert!(
            report
                .duality_gap
                .is_none_or(|gap| gap > -1e-9 && gap < 1e-5),
            "{report:?}"
        );
        solved += 1;
    }
    assert!(
        solved > 60 && blocked > 5 && known > solved / 2,
        "{solved} {blocked} {known}"
    );
}

/// Every cell of the best plan has the least cost: a mask of fillers around them.
#[test]
fn masks_of_fillers_around_equal_costs() {
    for filler in [1e6, 1e9, 1e12, 1e20, 1e200] {
        for least in [0.0, 1.0, -3.0] {
            let n = 4;
            let cost: Vec<f64> = (0..n * n)
                .map(|cell| if cell % (n + 1) == 0 { least } else { filler })
                .collect();
            let weights = [0.4, 0.3, 0.2, 0.1];
            let cost = CostMatrix::new(&cost, n, n).unwrap();
            let problem = Problem::new(cost, &weights, &weights).unwrap();
            let found = ProximalPoint::new(1.0).unwrap().solve(&problem).unwrap();
            let off = (found.transport_cost() - least).abs();
            assert!(found.converged() && off < 1e-12, "{filler} {least}: {off}");
        }
    }
}

/// A filler where nothing is matched takes no digits from the potentials.
#[test]
fn potentials_beside_unmatched_fillers() {
    for filler in [1e12, 1e15, 1e18, 1e200] {
        for (cost, n, m) in [
            ([filler, 0.3550428589014495], 2, 1),
            ([filler, -2.189], 1, 2),
        ] {
            let found = Assignment::of(&CostMatrix::new(&cost, n, m).unwrap()).unwrap();
            let sum: f64 = found.f().iter().chain(found.g()).sum();
            assert!((sum - cost[1]).abs() < 1e-9, "{filler}: {sum}");
            for (i, f) in found.f().iter().enumerate() {
                for (j, g) in found.g().iter().enumerate() {
                    assert!(f + g <= cost[i * m + j] + 1e-9, "{filler}: {f} {g}");
                }
            }
        }
    }
}
