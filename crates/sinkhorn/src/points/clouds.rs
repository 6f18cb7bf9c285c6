//! Two clouds of points, and the bilinear form that their costs have.
//!
//! Every cost here is `alpha_i + beta_j - x_i.y_j` once points are prepared: normalised for the
//! cosine, doubled on one side for the squared distance. The mean of each side is taken off it, which
//! changes only `alpha` and `beta`: what is left of the product is as small as the clouds are, so
//! that rounding in single precision does not grow with their distance from the origin.

use std::ops::Range;

use super::tiles::{PANEL, Shape};
use crate::error::Side;
use crate::scaling::aligned::Aligned;
use crate::{Error, Real};

/// How a cost is made of two points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// `1 - x.y / (|x| |y|)`.
    Cosine,
    /// `|x - y|^2`.
    SquaredEuclidean,
    /// `-x.y`.
    Dot,
}

/// Points of rows and columns, row by row, and their cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clouds<'a, T> {
    x: &'a [T],
    y: &'a [T],
    dimension: usize,
    metric: Metric,
}

/// Points ready for a matrix product: `C_ij = alpha_i + beta_j - x_i.y_j`.
pub(super) struct Packed<U> {
    /// Blocks of as many points as a tile has rows, coordinate by coordinate; padded with zeros to a
    /// whole number of panels.
    pub x: Aligned<U>,
    /// Blocks of as many points as a tile has columns, coordinate by coordinate.
    pub y: Aligned<U>,
    pub alpha: Vec<f64>,
    pub beta: Vec<f64>,
    /// No inner product is farther from zero.
    pub reach: f64,
}

impl<'a, T: Real> Clouds<'a, T> {
    pub(super) fn new(
        x: &'a [T],
        y: &'a [T],
        dimension: usize,
        metric: Metric,
    ) -> Result<Self, Error> {
        if dimension == 0 {
            return Err(Error::NotPositive {
                setting: "dimension",
                value: 0.0,
            });
        }
        for (side, points) in [(Side::Rows, x), (Side::Columns, y)] {
            if !points.len().is_multiple_of(dimension) {
                return Err(Error::PointLength {
                    side,
                    dimension,
                    found: points.len(),
                });
            }
        }
        let (n, m) = (x.len() / dimension, y.len() / dimension);
        if n == 0 || m == 0 {
            return Err(Error::EmptyCost { n, m });
        }
        Ok(Self {
            x,
            y,
            dimension,
            metric,
        })
    }

    pub(super) fn n(&self) -> usize {
        self.x.len() / self.dimension
    }

    pub(super) fn m(&self) -> usize {
        self.y.len() / self.dimension
    }

    pub(super) fn dimension(&self) -> usize {
        self.dimension
    }

    pub(super) fn metric(&self) -> Metric {
        self.metric
    }

    /// Returns the same points with the sides exchanged; the cost is symmetric.
    pub(super) fn exchanged(self) -> Self {
        Self {
            x: self.y,
            y: self.x,
            ..self
        }
    }

    /// Costs as they are defined.
    pub(super) fn panel(&self, rows: Range<usize>, costs: &mut [T]) {
        let d = self.dimension;
        for (i, costs) in rows.zip(costs.chunks_exact_mut(self.m())) {
            let x = &self.x[i * d..][..d];
            for (cost, y) in costs.iter_mut().zip(self.y.chunks_exact(d)) {
                let sum = |term: fn(f64, f64) -> f64| -> f64 {
                    let pairs = x.iter().zip(y);
                    pairs.map(|(x, y)| term(x.to_f64(), y.to_f64())).sum()
                };
                let product = || sum(|x, y| x * y);
                *cost = T::from_f64(match self.metric {
                    Metric::Cosine => {
                        let norms = sum(|x, _| x * x).sqrt() * sum(|_, y| y * y).sqrt();
                        1.0 - product() / norms
                    }
                    Metric::SquaredEuclidean => sum(|x, y| (x - y) * (x - y)),
                    Metric::Dot => -product(),
                });
            }
        }
    }

    /// Writes a point with mass, less the `origin`, and at unit length for the cosine. Returns the
    /// length that it had.
    pub(super) fn write(
        &self,
        side: Side,
        index: usize,
        origin: &[f64],
        out: &mut [f64],
    ) -> Result<f64, Error> {
        let points = match side {
            Side::Rows => self.x,
            Side::Columns => self.y,
        };
        let point = &points[index * self.dimension..][..self.dimension];
        let mut finite = true;
        for ((out, value), origin) in out.iter_mut().zip(point).zip(origin) {
            let value = value.to_f64();
            finite &= value.is_finite();
            *out = value - origin;
        }
        if !finite {
            let values = point.iter().map(|value| value.to_f64()).enumerate();
            let mut bad = values.filter(|(_, value)| !value.is_finite());
            let (coordinate, value) = bad.next().unwrap_or_default();
            return Err(Error::Point {
                side,
                index,
                coordinate,
                value,
            });
        }
        let norm = norm(out);
        if self.metric == Metric::Cosine {
            if norm == 0.0 {
                return Err(Error::ZeroPoint { side, index });
            }
            out.iter_mut().for_each(|value| *value /= norm);
        }
        Ok(norm)
    }

    /// What the points are taken relative to: the mean of the columns for a distance, else zero.
    pub(super) fn origin(&self, columns: &[usize]) -> Result<Vec<f64>, Error> {
        let zero = vec![0.0; self.dimension];
        if self.metric == Metric::SquaredEuclidean {
            self.mean(Side::Columns, columns, &zero)
        } else {
            Ok(zero)
        }
    }

    fn mean(&self, side: Side, kept: &[usize], origin: &[f64]) -> Result<Vec<f64>, Error> {
        let mut mean = vec![0.0; self.dimension];
        let mut point = mean.clone();
        for &index in kept {
            self.write(side, index, origin, &mut point)?;
            for (mean, value) in mean.iter_mut().zip(&point) {
                *mean += value;
            }
        }
        let count = kept.len() as f64;
        mean.iter_mut().for_each(|mean| *mean /= count);
        Ok(mean)
    }

    /// Prepares the points of some rows and columns.
    pub(super) fn pack<U: Real>(
        &self,
        rows: &[usize],
        columns: &[usize],
        shape: Shape,
    ) -> Result<Packed<U>, Error> {
        let origin = self.origin(columns)?;
        let rows_mean = self.mean(Side::Rows, rows, &origin)?;
        let columns_mean = self.mean(Side::Columns, columns, &origin)?;
        let factor = match self.metric {
            Metric::SquaredEuclidean => 2.0,
            Metric::Cosine | Metric::Dot => 1.0,
        };
        let constant = match self.metric {
            Metric::Cosine => 1.0,
            Metric::SquaredEuclidean | Metric::Dot => 0.0,
        };
        let square = |norm: f64| match self.metric {
            Metric::SquaredEuclidean => norm * norm,
            Metric::Cosine | Metric::Dot => 0.0,
        };
        // With means p and q, x.y = (x - p).(y - q) + x.q + p.(y - q).
        let mut x = Block::new(rows.len().next_multiple_of(PANEL), shape.rows, &rows_mean);
        let mut y = Block::new(shape.padded(columns.len()), shape.columns, &columns_mean);
        let (mut alpha, mut beta) = (Vec::new(), Vec::new());
        let mut point = vec![0.0; self.dimension];
        for (place, &index) in rows.iter().enumerate() {
            let norm = self.write(Side::Rows, index, &origin, &mut point)?;
            alpha.push(constant + square(norm) - factor * inner(&point, &columns_mean));
            x.put(place, &point, factor);
        }
        for (place, &index) in columns.iter().enumerate() {
            let norm = self.write(Side::Columns, index, &origin, &mut point)?;
            let centred = inner(&point, &rows_mean) - inner(&columns_mean, &rows_mean);
            beta.push(square(norm) - factor * centred);
            y.put(place, &point, 1.0);
        }
        Ok(Packed {
            alpha,
            beta,
            reach: x.largest * y.largest,
            x: x.values,
            y: y.values,
        })
    }
}

/// Points of one side on their way into blocks.
struct Block<'m, U> {
    values: Aligned<U>,
    /// Points a block.
    lanes: usize,
    mean: &'m [f64],
    /// Largest length of a point.
    largest: f64,
}

impl<'m, U: Real> Block<'m, U> {
    fn new(points: usize, lanes: usize, mean: &'m [f64]) -> Self {
        let mut values = Aligned::default();
        values.reset(points * mean.len(), U::ZERO);
        Self {
            values,
            lanes,
            mean,
            largest: 0.0,
        }
    }

    fn put(&mut self, place: usize, point: &[f64], factor: f64) {
        let first = place / self.lanes * self.lanes * self.mean.len() + place % self.lanes;
        let lanes = self.values.get_mut()[first..].iter_mut();
        let mut square = 0.0;
        for (lane, (value, mean)) in lanes.step_by(self.lanes).zip(point.iter().zip(self.mean)) {
            let value = factor * (value - mean);
            square += value * value;
            *lane = U::from_f64(value);
        }
        // Not the maximum: that of a NaN and a number is the number.
        if square.is_nan() || square.sqrt() > self.largest {
            self.largest = square.sqrt();
        }
    }
}

/// Returns the length of a vector, also where the squares leave the range of numbers.
fn norm(vector: &[f64]) -> f64 {
    let square = inner(vector, vector);
    if (1e-280..1e300).contains(&square) {
        return square.sqrt();
    }
    let largest = vector
        .iter()
        .fold(0.0_f64, |most, value| most.max(value.abs()));
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    let square: f64 = vector.iter().map(|value| (value / largest).powi(2)).sum();
    largest * square.sqrt()
}

fn inner(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}
