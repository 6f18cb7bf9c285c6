//! How all solvers that iterate go on: accelerated first-order iterations, plain ones as the
//! safeguard, and damped Newton steps on the dual where these crawl.

use crate::anderson::{Anderson, MISLED};
use crate::cholesky::solve_positive;
use crate::simd::Baseline;

/// First-order iterations between attempts at Newton steps on a dense Hessian.
pub(crate) const FIRST_ORDER_ITERATIONS: usize = 60;

/// Differences of past steps that acceleration combines.
const MEMORY: usize = 8;

/// Largest distance of an accelerated point from the plain one, in epsilons.
const LARGEST_LEAP: f64 = 3.0;

/// Unknowns above which a dense factorisation costs more than it saves.
pub(crate) const LARGEST: usize = 512;

/// Ridges on the Hessian, as shares of its diagonal, each tried where the one before left it
/// numerically indefinite. The Hessian is singular along constants, and nearly so where the plan
/// falls into blocks that exchange almost no mass.
const RIDGES: [f64; 4] = [1e-12, 1e-10, 1e-8, 1e-6];

/// Share of the rise of the dual, or of the fall of the marginal error, that the first-order model
/// promises and a step has to deliver.
const SUFFICIENT: f64 = 0.05;

/// Changes of the dual below this share of it, or of the cost's spread, are rounding.
pub(crate) const ROUNDING: f64 = 1e-14;

/// Steps shorter than this share of both epsilon and the direction are left to first-order
/// iterations.
const SHORTEST: f64 = 0.01;

/// Growth of a step that was not far enough.
const GROWTH: f64 = 4.0;

/// Share of the first derivative of the dual at which a step is far enough.
const FLATTER: f64 = 0.5;

/// An iteration at one epsilon, and the dual that it climbs.
pub(crate) trait Engine {
    /// Where first-order iterations stand, to return to.
    type Point;
    /// Where Newton steps stand.
    type Place;

    /// Plain iterations after the first time that acceleration has misled, twice as many after the
    /// next: where not even these lower the error each time, the same attempt would fail again.
    const PAUSE: usize = 0;

    /// Whether first-order iterations go on for as long as they halve the error within their patience.
    const RENEWS: bool = false;

    /// L1 marginal error where it stands, infinite if it is not a number.
    fn error(&self) -> f64;

    /// Iterations that may still be made.
    fn left(&self) -> usize;

    /// Plain iterations before acceleration: far from the solution the map is far from linear.
    fn plain(&self) -> usize {
        3
    }

    /// Whether the threshold is reached, or somebody has asked for an end.
    fn is_done(&self) -> bool;

    /// First-order iterations after which Newton steps are tried; the most that there can be if they
    /// never are.
    fn patience(&self) -> usize;

    /// The potentials that are iterated, where a plain iteration takes them, and epsilon in their
    /// units.
    fn step(&self) -> (&[f64], &[f64], f64);

    /// How much each potential matters where residuals are compared, if not all do alike.
    fn weights(&self) -> Option<Vec<f64>> {
        None
    }

    /// Makes an iteration at these potentials.
    fn go(&mut self, potentials: Vec<f64>);

    /// The point where it stands, with all that is known there.
    fn point(&self) -> Self::Point;

    /// Returns to a point.
    fn return_to(&mut self, point: &Self::Point);

    /// The place of that point.
    fn place(&self) -> Self::Place;

    /// The dual and the marginal error of a place.
    fn height(place: &Self::Place) -> (f64, f64);

    /// Solves the Newton system; nothing if that fails numerically, or there is nowhere to go.
    fn direction(&mut self, place: &Self::Place) -> Option<Direction>;

    /// Rises of the dual from `dual` that are rounding.
    fn noise(&self, dual: f64) -> f64;

    /// The place at some length along a direction, which takes an iteration to find.
    fn along(&mut self, from: &Self::Place, length: f64, direction: &Direction) -> Self::Place;

    /// Derivative of the dual along a direction; none makes the first step that rises far enough.
    fn slope(&self, _place: &Self::Place, _direction: &Direction) -> f64 {
        0.0
    }

    /// Moves to a place.
    fn settle(&mut self, place: &Self::Place);

    /// Whether to give up after a round of both that began at an error of `before`.
    fn is_stuck(&self, _before: f64) -> bool {
        false
    }
}

/// A direction, shortened to what the costs can justify.
pub(crate) struct Direction {
    pub values: Vec<f64>,
    /// Derivative of the dual along it.
    pub slope: f64,
    /// The first step to try, as a share of it, and the difference of lengths that is not worth
    /// another.
    pub first: f64,
    pub finest: f64,
}

impl Direction {
    /// Solves a dense system of the negative Hessian times epsilon, given by its lower triangle but
    /// for what `diagonal` adds with a ridge; nothing if that fails numerically.
    pub(crate) fn solve(
        hessian: &[f64],
        diagonal: impl Fn(usize, f64) -> f64,
        gradient: &[f64],
        epsilon: f64,
        spread: f64,
    ) -> Option<Self> {
        let n = gradient.len();
        let mut values = RIDGES.iter().find_map(|ridge| {
            let mut matrix = hessian.to_vec();
            (0..n).for_each(|i| matrix[i * n + i] += diagonal(i, *ridge));
            let mut values: Vec<f64> = gradient.iter().map(|value| epsilon * value).collect();
            solve_positive(&mut matrix, &mut values).map(|()| values)
        })?;
        let largest = |reach: f64, value: &f64| reach.max(value.abs());
        let reach = values.iter().fold(0.0, largest);
        // Potentials of a plan differ by no more than the costs do, and a little for epsilon.
        let scale = ((spread + epsilon) / reach).min(1.0);
        values.iter_mut().for_each(|value| *value *= scale);
        let terms = values.iter().zip(gradient);
        Some(Self {
            slope: terms.map(|(value, gradient)| value * gradient).sum(),
            values,
            first: 1.0,
            finest: 2.0 * SHORTEST * (epsilon / (reach * scale)).min(1.0),
        })
    }
}

fn is_over(engine: &impl Engine) -> bool {
    engine.left() == 0 || engine.is_done()
}

/// Alternates first-order and Newton phases until the threshold is reached or no iteration is left.
pub(crate) fn descend(engine: &mut impl Engine) {
    while !is_over(engine) {
        let before = engine.error();
        first_order(engine);
        if engine.patience() < usize::MAX {
            climb(engine);
        }
        if engine.is_stuck(before) {
            break;
        }
    }
}

/// Iterates until the threshold is reached or patience ends, then from the best point seen.
fn first_order<E: Engine>(engine: &mut E) {
    let (mut best, mut least) = (engine.point(), engine.error());
    let mut anderson = Anderson::<f64, MEMORY>::default();
    anderson.start(engine.step().0.len());
    let (mut age, mut until, mut goal) = (0, engine.patience(), engine.error() / 2.0);
    let (mut plain_until, mut pause, mut leapt) = (engine.plain(), E::PAUSE, false);
    while !is_over(engine) && age < until {
        // Where a plain iteration raises the error, going back would only make the same one again.
        if (leapt && engine.error() > MISLED * least) || engine.error().is_infinite() {
            anderson.forget();
            plain_until = plain_until.max(age.saturating_add(pause));
            pause = pause.saturating_mul(2);
            engine.return_to(&best);
        }
        let (potentials, image, epsilon) = engine.step();
        let weights = engine.weights();
        let shares = anderson.learn::<Baseline>(engine.error(), 1, weights.as_deref(), |j| {
            let image = image.get(j);
            image.map_or([0.0; 2], |image| [image - potentials[j], *image])
        });
        leapt = shares.is_some() && age >= plain_until;
        let next = match shares {
            Some(shares) if leapt => {
                let places = 0..image.len();
                let at = |j| anderson.at::<Baseline>(&shares, LARGEST_LEAP * epsilon, j);
                places.map(at).collect()
            }
            _ => image.to_vec(),
        };
        engine.go(next);
        age += 1;
        if engine.error() < least {
            (best, least) = (engine.point(), engine.error());
        }
        if E::RENEWS && least <= goal {
            (until, goal) = (age.saturating_add(engine.patience()), least / 2.0);
        }
    }
    if !engine.is_done() && least < engine.error() {
        engine.return_to(&best);
    }
}

/// Makes Newton steps until the iterations end or no step helps.
fn climb<E: Engine>(engine: &mut E) {
    let mut place = engine.place();
    while !is_over(engine) {
        let Some(direction) = engine.direction(&place) else {
            return;
        };
        let Some(next) = search(engine, &place, &direction) else {
            return;
        };
        engine.settle(&next);
        place = next;
    }
}

/// Goes along a direction about as far as the dual rises, if it does.
///
/// A step is accepted if the dual rises enough. The marginal error alone would not do: a block of
/// the plan with more mass in its rows than in its columns has to travel many epsilons before it
/// touches another, and all that way the error stands still. Where the rise drowns in rounding, at
/// the end, the error decides.
fn search<E: Engine>(engine: &mut E, from: &E::Place, direction: &Direction) -> Option<E::Place> {
    let (dual, error) = E::height(from);
    let noise = engine.noise(dual);
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let mut length = direction.first;
    let mut best = None;
    while engine.left() > 0 {
        let place = engine.along(from, length, direction);
        let (new_dual, new_error) = E::height(&place);
        let rise = new_dual - dual;
        let rises = rise > noise && rise >= SUFFICIENT * length * direction.slope;
        let falls = new_error <= (1.0 - SUFFICIENT * length) * error;
        if rises || (falls && rise >= -noise) {
            low = length;
            let is_far = engine.slope(&place, direction) <= FLATTER * direction.slope;
            best = Some(place);
            if is_far {
                break;
            }
        } else {
            high = length;
        }
        if high.min(1.0) - low <= direction.finest {
            break;
        }
        length = if high.is_finite() {
            f64::midpoint(low, high)
        } else {
            (GROWTH * length).min(1.0)
        };
    }
    best
}
