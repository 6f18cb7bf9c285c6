//! From a problem to its report: scaling iterations first, the exact solver for stragglers.

use crate::log_domain::{FAR, Support};
use crate::real::{Lanes, Real};
use crate::scaling::{Ended, Rules, Scaling, Solve, Spread, View};
use crate::sinkhorn::descend;
use crate::watch::Watch;
use crate::{CostMatrix, Error, Problem, Report, Sinkhorn, Solution, Status, newton};

/// Iterations after which a problem is a straggler, for which Newton steps are cheaper.
const SCALING_ITERATIONS: usize = 300;

/// Errors of the marginals that rounding may leave in the sums of a plan of `n` rows, in units of
/// rounding and of the mass, beside the square root of `n`.
const ROUNDING_MARGIN: f64 = 8.0;

/// A cost at which nothing moves.
const FORBIDDEN: f64 = 1e250;

/// Memory of the solver, kept from one problem to the next.
#[derive(Debug, Default)]
pub(crate) struct Workspace<T> {
    scaling: Scaling<T>,
    double: Scaling<f64>,
}

impl<T: Real> Workspace<T> {
    /// Finds the smallest costs of a problem's rows and returns its spread, if costs are finite.
    pub(crate) fn spread(&mut self, settings: &Sinkhorn, view: View<'_, T>) -> Option<f64> {
        settings.instructions().run(Spread {
            workspace: &mut self.scaling,
            view,
        })
    }

    /// Returns the smallest cost of the problem last solved, by which its potentials `f` are short.
    pub(crate) fn offset(&self) -> f64 {
        self.scaling.offset()
    }

    /// Solves the problem whose [`spread`](Self::spread) was just found, from column potentials if
    /// some are given, and writes its potentials: `f` less the [`offset`](Self::offset), and `g`.
    pub(crate) fn solve(
        &mut self,
        settings: &Sinkhorn,
        view: View<'_, T>,
        spread: f64,
        start: Option<&[f64]>,
        (f, g): (&mut [f64], &mut [f64]),
    ) -> Result<Report, Error> {
        settings.check_range(spread)?;
        let sum = |weights: &[T]| weights.iter().map(|weight| weight.to_f64()).sum::<f64>();
        let mass = sum(view.a).max(sum(view.b));
        let straggles = view.b.len() <= newton::LARGEST;
        let rules = Rules {
            epsilon: settings.epsilon(),
            threshold: settings.accelerated().then_some(settings.threshold()),
            iterations: if settings.accelerated() && straggles {
                settings.max_iterations().min(SCALING_ITERATIONS)
            } else {
                settings.max_iterations()
            },
            relaxed: settings.relaxed(),
        };
        let mut used = 0;
        let mut started = false;
        let reach = rounding(view, mass);
        if rules
            .threshold
            .is_none_or(|threshold| 2.0 * reach <= threshold)
        {
            let ended = settings.instructions().run(Solve {
                workspace: &mut self.scaling,
                view,
                rules: Rules {
                    threshold: rules.threshold.map(|threshold| threshold - reach),
                    ..rules
                },
                start,
                f,
                g,
            });
            used = ended.iterations;
            started = ended.marginal_error.is_finite();
            if settings.is_final(&ended) {
                let ended = settings.checked(ended, view, (spread, mass), f, g);
                let ended = settings.certified(ended, view, (spread, self.offset()), f, g)?;
                return settings.report(ended, (spread, self.offset()), f, g);
            }
        }
        if let (false, Some(start)) = (started, start) {
            g.copy_from_slice(start);
            started = true;
        }
        let double = Double::of(&view);
        self.double.start_from(&self.scaling);
        let ended = self.solve_double(settings, double.view(), rules, (used, started), f, g)?;
        let ended = settings.checked(ended, view, (spread, mass), f, g);
        let ended = settings.certified(ended, view, (spread, self.offset()), f, g)?;
        settings.report(ended, (spread, self.offset()), f, g)
    }

    /// Continues in double precision, from `g` where iterations have started.
    fn solve_double(
        &mut self,
        settings: &Sinkhorn,
        view: View<'_, f64>,
        rules: Rules,
        (mut used, mut started): (usize, bool),
        f: &mut [f64],
        g: &mut [f64],
    ) -> Result<Ended, Error> {
        let mut run = |rules: Rules, start: Option<Vec<f64>>, f: &mut [f64], g: &mut [f64]| {
            settings.instructions().run(Solve {
                workspace: &mut self.double,
                view,
                rules,
                start: start.as_deref(),
                f,
                g,
            })
        };
        if T::ROUNDING > f64::ROUNDING {
            let iterations = rules
                .iterations
                .min(settings.max_iterations() - used)
                .max(1);
            let rules = Rules {
                iterations,
                ..rules
            };
            let start = started.then(|| g.to_vec());
            let mut ended = run(rules, start, f, g);
            ended.iterations += used;
            (used, started) = (ended.iterations, ended.marginal_error.is_finite());
            if settings.is_final(&ended) {
                return Ok(ended);
            }
        }
        let support = Support::of_view(&view).relaxed(rules.rho());
        // Potentials there do not include the smallest cost.
        let offset = support.relaxed_columns.offset();
        let start = if started {
            g.iter().map(|g| g - offset).collect()
        } else {
            vec![0.0; g.len()]
        };
        // Half of the threshold: the last row update, below, is another one than the solver's own.
        let threshold = settings.threshold() / 2.0;
        let left = settings.max_iterations() - used;
        let (point, more) = descend(
            &support,
            rules.epsilon,
            threshold,
            left,
            start,
            &mut Watch::none(),
        );
        let once = Rules {
            iterations: 1,
            ..rules
        };
        let start = point.g.iter().map(|g| g + offset).collect();
        let mut ended = run(once, Some(start), f, g);
        ended.iterations = used + more;
        Ok(ended)
    }
}

/// Column potentials of a single problem by iterations in scaling form, and the iterations used;
/// nothing where they do not end soon and another method may.
pub(crate) fn scaled(settings: &Sinkhorn, support: &Support) -> Option<(Vec<f64>, usize)> {
    // The log domain has the last word, and finds a little more error than the factors show.
    let threshold = settings.threshold() / 2.0;
    let relaxed = settings.relaxed();
    // Prices of missing a marginal are for the whole cost.
    let shift = if relaxed.is_some() {
        support.offset
    } else {
        0.0
    };
    // In place of infinity, a number that leaves no mass and can be multiplied by none.
    let cost = support
        .by_row
        .iter()
        .map(|cost| (cost + shift).min(FORBIDDEN));
    let cost: Vec<f64> = cost.collect();
    let view = View {
        cost: &cost,
        stride: support.b.len(),
        a: &support.a,
        b: &support.b,
    };
    let mass = support.a.iter().sum::<f64>().max(support.b.iter().sum());
    if threshold < 2.0 * rounding::<f64>(view, mass) {
        return None;
    }
    let straggles = support.b.len() <= newton::LARGEST;
    let budget = settings.max_iterations() / 2;
    if budget == 0 {
        return None;
    }
    let rules = Rules {
        epsilon: settings.epsilon(),
        threshold: Some(threshold),
        iterations: if straggles {
            budget.min(SCALING_ITERATIONS)
        } else {
            budget
        },
        relaxed,
    };
    let mut workspace = Scaling::default();
    settings.instructions().run(Spread {
        workspace: &mut workspace,
        view,
    })?;
    let (mut f, mut g) = (vec![0.0; support.a.len()], vec![0.0; support.b.len()]);
    let ended = settings.instructions().run(Solve {
        workspace: &mut workspace,
        view,
        rules,
        start: None,
        f: &mut f,
        g: &mut g,
    });
    let finite = ended.marginal_error.is_finite() && g.iter().all(|g| g.is_finite());
    if !finite || (straggles && ended.marginal_error > threshold) {
        return None;
    }
    let offset = support.relaxed_columns.offset();
    g.iter_mut().for_each(|g| *g -= offset);
    Some((g, ended.iterations))
}

/// Marginal error that rounding may leave in sums of a plan.
fn rounding<T: Real>(view: View<'_, T>, mass: f64) -> f64 {
    let longest = view.a.len().max(view.b.len()) as f64;
    (ROUNDING_MARGIN + longest.sqrt()) * T::ROUNDING * mass
}

impl Sinkhorn {
    /// Whether nothing is left to do or to do it with.
    fn is_final(&self, ended: &Ended) -> bool {
        !self.accelerated()
            || ended.marginal_error <= self.threshold()
            || ended.iterations >= self.max_iterations()
    }

    /// Returns the same end with the marginal error of the potentials themselves where their rounding, which
    /// epsilon divides, may exceed that of the factors they were made of.
    fn checked<T: Real>(
        &self,
        ended: Ended,
        view: View<'_, T>,
        (spread, mass): (f64, f64),
        f: &[f64],
        g: &[f64],
    ) -> Ended {
        let blur = f64::ROUNDING * spread / self.epsilon() * mass;
        if !self.accelerated() || 4.0 * blur < self.threshold() {
            return ended;
        }
        let support = Support::of_view(&Double::of(&view).view()).relaxed(self.rho());
        let [rows, columns] = [support.relaxed_rows, support.relaxed_columns];
        let f: Vec<f64> = f
            .iter()
            .map(|f| f + (support.offset - rows.offset()))
            .collect();
        let g: Vec<f64> = g.iter().map(|g| g - columns.offset()).collect();
        let error = support.error_of(self.epsilon(), &f, &g);
        Ended {
            marginal_error: ended.marginal_error.max(error),
            ..ended
        }
    }

    /// Returns the same end with a duality gap that means something where some costs are far beyond those in
    /// use: a plan with the right marginals that has a trace of mass there would cost any amount.
    fn certified<T: Real>(
        &self,
        ended: Ended,
        view: View<'_, T>,
        (spread, offset): (f64, f64),
        f: &[f64],
        g: &[f64],
    ) -> Result<Ended, Error> {
        let mass: f64 = view.b.iter().map(|b| b.to_f64()).sum();
        let mean = ended.transport_cost / mass - offset;
        let finite = f.iter().chain(g).all(|potential| potential.is_finite());
        let near = spread <= FAR * mean.max(self.epsilon());
        if ended.duality_gap.is_none() || !self.is_balanced() || !finite || near {
            return Ok(ended);
        }
        let Double { cost, a, b } = Double::of(&view);
        let problem = Problem::unbalanced(CostMatrix::new(&cost, a.len(), b.len())?, &a, &b)?;
        let support = Support::of(&problem);
        let (epsilon, threshold) = (self.epsilon(), self.threshold());
        let solution = Solution::new(&problem, &support, epsilon, (f, g), 0, threshold);
        let duality_gap = Some(solution.duality_gap()).filter(|gap| gap.is_finite());
        Ok(Ended {
            duality_gap,
            ..ended
        })
    }

    fn report(
        &self,
        ended: Ended,
        (spread, offset): (f64, f64),
        f: &[f64],
        g: &[f64],
    ) -> Result<Report, Error> {
        let finite = f.iter().chain(g).all(|potential| potential.is_finite());
        if !finite || !ended.marginal_error.is_finite() {
            return Err(self.beyond_range(spread, offset));
        }
        Ok(Report {
            status: if ended.marginal_error <= self.threshold() {
                Status::Converged
            } else {
                Status::MaxIterations
            },
            iterations: ended.iterations,
            marginal_error: ended.marginal_error,
            duality_gap: ended.duality_gap,
            transport_cost: ended.transport_cost,
            regularised_cost: ended.regularised_cost,
            dual_cost: ended.dual_cost,
        })
    }
}

/// A problem in double precision.
struct Double {
    cost: Vec<f64>,
    a: Vec<f64>,
    b: Vec<f64>,
}

impl Double {
    fn of<T: Real>(view: &View<'_, T>) -> Self {
        let wide = |values: &[T]| values.iter().map(|value| value.to_f64()).collect();
        Self {
            cost: (0..view.a.len())
                .flat_map(|i| view.row(i).iter().map(|cost| cost.to_f64()))
                .collect(),
            a: wide(view.a),
            b: wide(view.b),
        }
    }

    fn view(&self) -> View<'_, f64> {
        View {
            cost: &self.cost,
            stride: self.b.len(),
            a: &self.a,
            b: &self.b,
        }
    }
}
