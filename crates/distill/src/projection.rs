//! The projection of a student of its own in closed form: where its states are the teacher's.
//!
//! Teacher and student read the same English sentences, each in its own pieces. Between the two sets of
//! tokens of a sentence a plan `P` says which belong together: first by the characters that pieces share,
//! then the exact transport plan of the cosine costs after the head. Between plans, the affine map solves
//! the weighted least squares `min Σ P_ij ‖W x_j + b − y_i‖² + λ‖W‖²`. Plan and map in turns are
//! Wasserstein–Procrustes with any linear map in place of a rotation (Grave, Joulin and Berthet 2019,
//! arXiv 1805.11222).

use std::ops::Range;

use burn::prelude::*;
use nalgebra::{DMatrix, DVector};
use optical_encoder::{EncodeSettings, EncoderError, Head, Model};
use optical_sinkhorn::{CostMatrix, ExactSolution, Problem};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::DistillError;
use crate::settings::{SettingsError, count, positive};

/// The turns end when the cost changes by less.
const TOLERANCE: f64 = 1e-4;
/// Rows whose products are summed together; the sum goes by their order, whoever ends first.
const ROWS: usize = 4096;

/// How the projection is found, as written under `[student.english.projection]` in a run file.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectionSettings {
    /// English sentences that both models read.
    pub sentences: usize,
    /// `λ` of the ridge, as a share of the mean variance of a dimension of the student's states.
    pub ridge: f64,
    /// Turns of plan and map at most; they end when the cost changes by less than 1e-4.
    pub turns: usize,
}

impl ProjectionSettings {
    /// Returns every value that is outside its domain; keys are named as in the table `table`.
    #[must_use]
    pub fn faults(&self, table: &str) -> Vec<SettingsError> {
        let key = |name: &str| format!("{table}.{name}");
        let faults = [
            count(&key("sentences"), self.sentences as u64),
            positive(&key("ridge"), self.ridge),
            count(&key("turns"), self.turns as u64),
        ];
        faults.into_iter().filter_map(Result::err).collect()
    }
}

/// What one turn has found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ProjectionTurn {
    /// Counted from one.
    pub turn: usize,
    /// Mean over the sentences of `⟨P, C⟩`: the exact plan's cost after the map and the head.
    pub cost: f64,
    /// Share of the variance of the teacher's states that the map explains, along the plan that it was
    /// fitted to.
    pub r_squared: f64,
}

/// Finds the affine map from a student's states to the teacher's, as a [`Head`] without normalisation;
/// `hear` is told of every turn.
///
/// # Errors
/// If a text is refused, no text has a token for both, the device fails, or `hear` returns an error.
pub fn find_projection<E: From<DistillError>>(
    settings: &ProjectionSettings,
    [teacher, student]: [&Model; 2],
    head: &Head,
    (texts, encode): (&[&str], EncodeSettings),
    device: &Device,
    mut hear: impl FnMut(ProjectionTurn) -> Result<(), E>,
) -> Result<Head, E> {
    let sentences = Sentences::read([teacher, student], texts, encode, device)?;
    let targets = unit(&sentences.y, head);
    let mut plans = sentences.by_characters();
    let mut before = f64::INFINITY;
    for turn in 1.. {
        let (projection, r_squared) = sentences.map(&plans, settings.ridge)?;
        let image = unit(&sentences.x, &projection.then(head));
        let solved = sentences.exact(&targets, &image)?;
        let cost = solved.iter().map(|(_, cost)| cost).sum::<f64>() / solved.len() as f64;
        hear(ProjectionTurn {
            turn,
            cost,
            r_squared,
        })?;
        if (before - cost).abs() < TOLERANCE || settings.turns <= turn {
            return Ok(projection);
        }
        before = cost;
        plans = solved.into_iter().map(|(plan, _)| plan).collect();
    }
    unreachable!("the turns are counted")
}

/// The tokens of one sentence.
struct Sentence {
    /// The teacher's rows, and the student's.
    rows: [Range<usize>; 2],
    /// The bytes that each of them was read from.
    spans: [Vec<Range<usize>>; 2],
}

/// Sentences as both models read them.
struct Sentences {
    all: Vec<Sentence>,
    /// The teacher's states, a row for each token.
    y: DMatrix<f64>,
    /// The student's.
    x: DMatrix<f64>,
}

impl Sentences {
    fn read(
        models: [&Model; 2],
        texts: &[&str],
        encode: EncodeSettings,
        device: &Device,
    ) -> Result<Self, DistillError> {
        let both = models.map(|model| Side::read(model, texts, encode, device));
        let [teacher, student] = both;
        let (teacher, student) = (teacher?, student?);
        let sides = [&teacher, &student];
        let all = (0..texts.len()).map(|text| Sentence {
            rows: sides.map(|side| side.rows[text].clone()),
            spans: sides.map(|side| side.spans[text].clone()),
        });
        let all: Vec<_> = all
            .filter(|it| it.rows.iter().all(|rows| !rows.is_empty()))
            .collect();
        if all.is_empty() {
            return Err(DistillError::NoPairs {
                maximum_length: encode.maximum_length,
            });
        }
        Ok(Self {
            all,
            y: teacher.states,
            x: student.states,
        })
    }

    /// Plans by the bytes that two pieces share; even ones where none are shared. Row by row.
    fn by_characters(&self) -> Vec<Vec<f64>> {
        let shared = |a: &Range<usize>, b: &Range<usize>| {
            let both = a.end.min(b.end).saturating_sub(a.start.max(b.start));
            both as f64
        };
        let plan = |sentence: &Sentence| {
            let [rows, columns] = &sentence.spans;
            let cells = rows
                .iter()
                .flat_map(|a| columns.iter().map(move |b| shared(a, b)));
            let mut plan: Vec<f64> = cells.collect();
            if plan.iter().all(|mass| *mass == 0.0) {
                plan.fill(1.0);
            }
            let whole: f64 = plan.iter().sum();
            plan.iter_mut().for_each(|mass| *mass /= whole);
            plan
        };
        self.all.iter().map(plan).collect()
    }

    /// The exact plan of each sentence, with its cost, between unit vectors of all tokens.
    fn exact(
        &self,
        targets: &DMatrix<f64>,
        image: &DMatrix<f64>,
    ) -> Result<Vec<(Vec<f64>, f64)>, DistillError> {
        let solve = |sentence: &Sentence| {
            let [rows, columns] = &sentence.rows;
            let y = targets.rows(rows.start, rows.len());
            let x = image.rows(columns.start, columns.len());
            let cosines = y * x.transpose();
            let cost =
                CostMatrix::from_fn(rows.len(), columns.len(), |i, j| 1.0 - cosines[(i, j)])?;
            let solution = ExactSolution::of(&Problem::uniform(cost)?)?;
            Ok((solution.plan().to_vec(), solution.transport_cost()))
        };
        let solved: Result<_, optical_sinkhorn::Error> = self.all.par_iter().map(solve).collect();
        solved.map_err(|error| DistillError::Plan(error.to_string()))
    }

    /// The map of least squares along plans, and the share of the variance that it explains.
    fn map(&self, plans: &[Vec<f64>], ridge: f64) -> Result<(Head, f64), DistillError> {
        let Self { all, x, y } = self;
        // What a student's token weighs, and the sum of the teacher's states that it is paired with.
        let mut weights = DVector::zeros(x.nrows());
        let mut sums = DMatrix::zeros(x.nrows(), y.ncols());
        let mut teacher = DVector::zeros(y.nrows());
        for (sentence, plan) in all.iter().zip(plans) {
            let [rows, columns] = &sentence.rows;
            let plan = DMatrix::from_row_slice(rows.len(), columns.len(), plan);
            let of = y.rows(rows.start, rows.len());
            sums.rows_mut(columns.start, columns.len())
                .copy_from(&plan.tr_mul(&of));
            weights
                .rows_mut(columns.start, columns.len())
                .copy_from(&plan.row_sum_tr());
            teacher
                .rows_mut(rows.start, rows.len())
                .copy_from(&plan.column_sum());
        }
        let whole = all.len() as f64;
        let mean_x = x.tr_mul(&weights) / whole;
        let mean_y = y.tr_mul(&teacher) / whole;
        // Around the means, so that the offset is not in the ridge.
        let weighted = DMatrix::from_fn(x.nrows(), x.ncols(), |i, j| weights[i] * x[(i, j)]);
        let mut xx = products(x, &weighted) - (&mean_x * mean_x.transpose()) * whole;
        let xy = products(x, &sums) - (&mean_x * mean_y.transpose()) * whole;
        let variance = xx.trace() / xx.nrows() as f64;
        for place in 0..xx.nrows() {
            xx[(place, place)] += ridge * variance;
        }
        let too_few = EncoderError::TooFewTokens {
            tokens: x.nrows(),
            dimensions: x.ncols(),
        };
        let solver = xx.clone().cholesky().ok_or(too_few)?;
        // [hidden of the student, hidden of the teacher]
        let map = solver.solve(&xy);
        let spread = |values: &DMatrix<f64>, weights: &DVector<f64>, mean: &DVector<f64>| {
            let rows = values.row_iter().zip(weights.iter());
            rows.map(|(row, weight)| weight * (row.transpose() - mean).norm_squared())
                .sum::<f64>()
        };
        let all_of_it = spread(y, &teacher, &mean_y);
        // ‖ΔY‖² − 2⟨ΔY, ΔX map⟩ + ‖ΔX map‖², without the ridge.
        for place in 0..xx.nrows() {
            xx[(place, place)] -= ridge * variance;
        }
        let left = all_of_it - 2.0 * map.dot(&xy) + map.dot(&(&xx * &map));
        let bias = &mean_y - map.tr_mul(&mean_x);
        let projection = Head {
            input: x.ncols(),
            output: y.ncols(),
            // Column by column, nalgebra's map is the row-major [output, input].
            weight: map.iter().map(|value| *value as f32).collect(),
            bias: bias.iter().map(|value| *value as f32).collect(),
        };
        Ok((projection, 1.0 - left / all_of_it))
    }
}

/// States of one model, a row for each token of a text that it keeps.
struct Side {
    states: DMatrix<f64>,
    rows: Vec<Range<usize>>,
    spans: Vec<Vec<Range<usize>>>,
}

impl Side {
    fn read(
        model: &Model,
        texts: &[&str],
        encode: EncodeSettings,
        device: &Device,
    ) -> Result<Self, DistillError> {
        let width = model.config.hidden_size;
        let spans = texts.par_iter().map(|text| {
            let spans = model
                .tokenizer
                .kept_spans(text, encode.role, encode.maximum_length)?;
            Ok(spans)
        });
        let mut spans: Vec<Vec<Range<usize>>> = spans.collect::<Result<_, DistillError>>()?;
        let mut states = vec![Vec::new(); texts.len()];
        model.encode_states(texts, encode, device, |places, batch, found| {
            let values: Vec<f32> = found
                .into_data()
                .try_to_vec()
                .map_err(|error| DistillError::Device(format!("{error:?}")))?;
            for (row, &text) in places.iter().enumerate() {
                // A marker or a mask is kept by some, but stands for no characters.
                let kept = batch.kept_tokens(row).into_iter().zip(&spans[text]);
                for (token, span) in kept {
                    if !span.is_empty() {
                        let values = &values[token * width..(token + 1) * width];
                        states[text].extend(values.iter().map(|value| f64::from(*value)));
                    }
                }
            }
            Ok::<_, DistillError>(())
        })?;
        for (spans, states) in spans.iter_mut().zip(&states) {
            spans.retain(|span| !span.is_empty());
            // Nothing was read of a text that has no token at all.
            spans.truncate(states.len() / width);
        }
        let mut end = 0;
        let rows = spans.iter().map(|spans| {
            end += spans.len();
            end - spans.len()..end
        });
        Ok(Self {
            rows: rows.collect(),
            states: DMatrix::from_row_iterator(
                spans.iter().map(Vec::len).sum(),
                width,
                states.into_iter().flatten(),
            ),
            spans,
        })
    }
}

/// `aᵀ b`, row block by row block.
fn products(a: &DMatrix<f64>, b: &DMatrix<f64>) -> DMatrix<f64> {
    let starts: Vec<usize> = (0..a.nrows()).step_by(ROWS).collect();
    let blocks: Vec<DMatrix<f64>> = starts
        .into_par_iter()
        .map(|start| {
            let count = ROWS.min(a.nrows() - start);
            a.rows(start, count).tr_mul(&b.rows(start, count))
        })
        .collect();
    let zero = DMatrix::zeros(a.ncols(), b.ncols());
    blocks.into_iter().fold(zero, |sum, block| sum + block)
}

/// Unit vectors of states after a head, a row each.
fn unit(states: &DMatrix<f64>, head: &Head) -> DMatrix<f64> {
    let weight = head.weight.iter().map(|value| f64::from(*value));
    let weight = DMatrix::from_row_iterator(head.output, head.input, weight);
    let bias = head.bias.iter().map(|value| f64::from(*value));
    let bias = DVector::from_iterator(head.output, bias).transpose();
    let mut image = states * weight.transpose();
    for mut row in image.row_iter_mut() {
        row += &bias;
        let length = row.norm().max(1e-12);
        row /= length;
    }
    image
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Two sentences of five and four tokens for the teacher, three dimensions wide, and of four and six
    /// for the student, two wide.
    fn sentences() -> Sentences {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let mut cloud = |rows, columns| {
            DMatrix::from_fn(rows, columns, |_, _| random.random_range(-1.0..1.0) + 3.0)
        };
        let spans =
            |count: usize, width: usize| (0..count).map(move |i| i * width..(i + 1) * width);
        let sentence = |rows: [Range<usize>; 2], widths: [usize; 2]| Sentence {
            spans: [0, 1].map(|side| spans(rows[side].len(), widths[side]).collect()),
            rows,
        };
        Sentences {
            all: vec![
                sentence([0..5, 0..4], [4, 5]),
                sentence([5..9, 4..10], [3, 2]),
            ],
            y: cloud(9, 3),
            x: cloud(10, 2),
        }
    }

    #[test]
    fn characters_that_pieces_share_are_the_first_plan() {
        let plans = sentences().by_characters();
        assert_eq!(plans[0].len(), 20);
        // Bytes 0 to 4 against 0 to 5 and 5 to 10, of twenty shared in all.
        assert_eq!(plans[0][..2], [0.2, 0.0]);
        assert_eq!(plans[0][4..6], [0.05, 0.15]);
        for plan in plans {
            assert!((plan.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    /// The weighted sum of squares, cell by cell, with the ridge.
    fn objective(sentences: &Sentences, plans: &[Vec<f64>], head: &Head, ridge: f64) -> f64 {
        let image = |row: usize, output: usize| {
            let weights = &head.weight[output * head.input..(output + 1) * head.input];
            let inner = weights.iter().enumerate();
            let sum: f64 = inner
                .map(|(i, w)| f64::from(*w) * sentences.x[(row, i)])
                .sum();
            sum + f64::from(head.bias[output])
        };
        let mut sum = 0.0;
        for (sentence, plan) in sentences.all.iter().zip(plans) {
            let [rows, columns] = &sentence.rows;
            for (i, row) in rows.clone().enumerate() {
                for (j, column) in columns.clone().enumerate() {
                    for output in 0..head.output {
                        let difference = image(column, output) - sentences.y[(row, output)];
                        sum += plan[i * columns.len() + j] * difference * difference;
                    }
                }
            }
        }
        let squares = head.weight.iter().map(|w| f64::from(*w) * f64::from(*w));
        sum + ridge * squares.sum::<f64>()
    }

    #[test]
    fn no_map_nearby_is_better_and_the_explained_share_is_its_own() {
        let sentences = sentences();
        let plans = sentences.by_characters();
        let (head, r_squared) = sentences.map(&plans, 1e-9).unwrap();
        let least = objective(&sentences, &plans, &head, 0.0);
        for place in 0..head.weight.len() + head.bias.len() {
            for step in [-0.01, 0.01] {
                let mut other = head.clone();
                match place.checked_sub(other.weight.len()) {
                    None => other.weight[place] += step,
                    Some(place) => other.bias[place] += step,
                }
                assert!(
                    least < objective(&sentences, &plans, &other, 0.0),
                    "{place}"
                );
            }
        }
        // Nothing explained is the mean alone.
        let (nothing, none) = sentences.map(&plans, 1e12).unwrap();
        assert!(none.abs() < 1e-6, "{none}");
        let spread = objective(&sentences, &plans, &nothing, 0.0);
        assert!((1.0 - least / spread - r_squared).abs() < 1e-5);
        assert!(0.0 < r_squared && r_squared < 1.0);
    }

    /// The ridge, in units of the student's variance, is what the solver says it is.
    #[test]
    fn the_ridge_is_a_share_of_the_variance() {
        let sentences = sentences();
        let plans = sentences.by_characters();
        let mut weights = [0.0; 10];
        for (sentence, plan) in sentences.all.iter().zip(&plans) {
            let columns = sentence.rows[1].clone();
            for (place, mass) in plan.iter().enumerate() {
                weights[columns.start + place % columns.len()] += mass;
            }
        }
        let moment = |power: i32, column: usize| -> f64 {
            let rows = weights.iter().enumerate();
            rows.map(|(row, w)| w * sentences.x[(row, column)].powi(power))
                .sum()
        };
        let variance = |column| moment(2, column) - moment(1, column).powi(2) / 2.0;
        let ridge = 0.5 * (variance(0) + variance(1)) / 2.0;
        let (head, _) = sentences.map(&plans, 0.5).unwrap();
        let least = objective(&sentences, &plans, &head, ridge);
        for place in 0..head.weight.len() {
            for step in [-0.01, 0.01] {
                let mut other = head.clone();
                other.weight[place] += step;
                // The best offset for the other map.
                let (column, output) = (place % 2, place / 2);
                other.bias[output] -= step * (moment(1, column) / 2.0) as f32;
                assert!(
                    least < objective(&sentences, &plans, &other, ridge),
                    "{place}"
                );
            }
        }
    }
}
