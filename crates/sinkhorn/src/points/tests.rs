//! Streamed solutions against the dense solver, against definitions, and against themselves.

mod errors;
mod products;
mod solving;

use proptest::prelude::*;

use crate::{Cosine, Cost, CostMatrix, Dot, Error, Problem, Real, SquaredEuclidean};

/// Points and weights of a problem of mass `mass`; weights may be zero.
#[derive(Debug, Clone)]
struct Case {
    d: usize,
    x: Vec<f64>,
    y: Vec<f64>,
    a: Vec<f64>,
    b: Vec<f64>,
}

/// The costs of points.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Cosine,
    SquaredEuclidean,
    Dot,
}

const KINDS: [Kind; 3] = [Kind::Cosine, Kind::SquaredEuclidean, Kind::Dot];

impl Kind {
    fn cost<'a, T: Real>(
        self,
        x: &'a [T],
        y: &'a [T],
        d: usize,
    ) -> Result<Box<dyn Cost<T> + 'a>, Error> {
        Ok(match self {
            Self::Cosine => Box::new(Cosine::new(x, y, d)?),
            Self::SquaredEuclidean => Box::new(SquaredEuclidean::new(x, y, d)?),
            Self::Dot => Box::new(Dot::new(x, y, d)?),
        })
    }
}

impl Case {
    fn cost(&self, kind: Kind) -> Box<dyn Cost<f64> + '_> {
        kind.cost(&self.x, &self.y, self.d).unwrap()
    }

    /// The same problem with its cost matrix.
    fn dense(&self, kind: Kind) -> Problem {
        Problem::unbalanced(matrix(&*self.cost(kind)), &self.a, &self.b).unwrap()
    }

    /// The same problem in single precision.
    fn single(&self) -> Single {
        let narrow = |values: &[f64]| values.iter().map(|value| *value as f32).collect();
        Single {
            d: self.d,
            x: narrow(&self.x),
            y: narrow(&self.y),
            a: narrow(&self.a),
            b: narrow(&self.b),
        }
    }
}

/// A problem in single precision.
struct Single {
    d: usize,
    x: Vec<f32>,
    y: Vec<f32>,
    a: Vec<f32>,
    b: Vec<f32>,
}

impl Single {
    fn cost(&self, kind: Kind) -> Box<dyn Cost<f32> + '_> {
        kind.cost(&self.x, &self.y, self.d).unwrap()
    }

    /// The problem that its numbers state, in double precision, where masses must agree better.
    fn wide(&self) -> Case {
        let widen =
            |values: &[f32]| -> Vec<f64> { values.iter().map(|value| f64::from(*value)).collect() };
        let (a, b) = (widen(&self.a), widen(&self.b));
        let unit = a.iter().sum::<f64>() / b.iter().sum::<f64>();
        Case {
            d: self.d,
            x: widen(&self.x),
            y: widen(&self.y),
            a,
            b: b.iter().map(|weight| weight * unit).collect(),
        }
    }
}

/// The whole cost matrix.
fn matrix<T: Real>(cost: &(impl Cost<T> + ?Sized)) -> CostMatrix {
    let (n, m) = (cost.n(), cost.m());
    let mut values = vec![T::ZERO; n * m];
    cost.panel(0..n, &mut values);
    let values: Vec<f64> = values.iter().map(|value| value.to_f64()).collect();
    CostMatrix::new(&values, n, m).unwrap()
}

/// Up to 60 rows and 70 columns, so that there are several panels and tiles, in up to 9 dimensions;
/// coordinates are between -1 and 1, with none of a point's near zero in all dimensions.
fn cases() -> impl Strategy<Value = Case> {
    (1..60_usize, 1..70_usize, 1..10_usize, 0.1..20.0_f64).prop_flat_map(|(n, m, d, mass)| {
        (
            points(n, d),
            points(m, d),
            weights(n, mass),
            weights(m, mass),
        )
            .prop_map(move |(x, y, a, b)| Case { d, x, y, a, b })
    })
}

fn points(count: usize, d: usize) -> impl Strategy<Value = Vec<f64>> {
    let coordinate = prop_oneof![-1.0..-0.1_f64, 0.1..1.0_f64];
    prop::collection::vec(coordinate, count * d)
}

fn weights(count: usize, mass: f64) -> impl Strategy<Value = Vec<f64>> {
    let weight = prop_oneof![1 => Just(0.0), 6 => 0.05..1.0_f64];
    (prop::collection::vec(weight, count), 0..count).prop_map(move |(mut weights, kept)| {
        weights[kept] += 0.1;
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| mass * weight / sum).collect()
    })
}
