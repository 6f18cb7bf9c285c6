//! Problems and answers in NumPy's archives: a zip file of arrays.

use std::io::{Cursor, Read, Write};

use anyhow::{Context, ensure};
use serde_json::{Map, Value};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::Questions;
use crate::answer::Answer;
use crate::json::at_path;
use crate::npy::{Array, Values};
use crate::question::Question;

/// How an archive begins.
pub const MAGIC: &[u8] = b"PK\x03\x04";

/// Returns the archive of one answer.
pub fn one(answer: &Answer) -> anyhow::Result<Vec<u8>> {
    archive(
        arrays(answer)
            .into_iter()
            .map(|(name, array)| (name.to_owned(), array)),
    )
}

/// Returns the archive of a batch; names end in the number of the problem.
pub fn list(answers: &[Answer]) -> anyhow::Result<Vec<u8>> {
    let numbered = answers.iter().enumerate().flat_map(|(index, answer)| {
        let arrays = arrays(answer).into_iter();
        arrays.map(move |(name, array)| (format!("{name}_{index}"), array))
    });
    archive(numbered)
}

fn archive(arrays: impl Iterator<Item = (String, Array)>) -> anyhow::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    // As numpy.savez does: plans of real numbers hardly shrink.
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, array) in arrays {
        let bytes = array.to_bytes();
        let large = u32::try_from(bytes.len()).is_err();
        archive.start_file(format!("{name}.npy"), stored.large_file(large))?;
        archive.write_all(&bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// What an answer has, by the names of the JSON form.
fn arrays(answer: &Answer) -> Vec<(&'static str, Array)> {
    let (n, m) = (answer.f.len(), answer.g.len());
    let reals = |shape: &[usize], values: Vec<f64>| Array {
        shape: shape.to_vec(),
        values: Values::Real(values),
    };
    let scalar = |values| Array {
        shape: Vec::new(),
        values,
    };
    let real = |value| scalar(Values::Real(vec![value]));
    let text = |text: &str| scalar(Values::Text(vec![text.to_owned()]));
    let mut arrays = vec![
        ("method", text(&answer.method.to_string())),
        ("plan", reals(&[n, m], answer.plan.concat())),
        ("f", reals(&[n], answer.f.clone())),
        ("g", reals(&[m], answer.g.clone())),
    ];
    if let Some(gradient) = &answer.gradient {
        arrays.push(("gradient", reals(&[n, m], gradient.concat())));
    }
    if let Some(of) = answer.gradient_of {
        arrays.push(("gradient_of", text(of)));
    }
    if let Some(pairs) = &answer.pairs {
        let places = pairs.iter().flat_map(|&(i, j)| [i as i64, j as i64]);
        let (shape, values) = (vec![pairs.len(), 2], Values::Integer(places.collect()));
        arrays.push(("pairs", Array { shape, values }));
    }
    let costs = [
        ("cost", answer.cost),
        ("transport_cost", Some(answer.transport_cost)),
        ("regularised_cost", answer.regularised_cost),
        ("dual_cost", Some(answer.dual_cost)),
        ("duality_gap", Some(answer.duality_gap)),
        ("mass", Some(answer.mass)),
        ("mass_price", answer.mass_price),
        ("marginal_error", answer.marginal_error),
    ];
    arrays.extend(
        costs
            .into_iter()
            .filter_map(|(name, value)| Some((name, real(value?)))),
    );
    if let Some(iterations) = answer.iterations {
        arrays.push((
            "iterations",
            scalar(Values::Integer(vec![iterations as i64])),
        ));
    }
    arrays.push(("converged", scalar(Values::Truth(vec![answer.converged]))));
    arrays.push(("status", text(answer.status)));
    if !answer.notes.is_empty() {
        let (shape, values) = (vec![answer.notes.len()], Values::Text(answer.notes.clone()));
        arrays.push(("notes", Array { shape, values }));
    }
    arrays
}

/// Reads the problems that the arrays of an archive state, by the names of the JSON form.
///
/// Costs of shape `[batch, n, m]` are a batch. What else then has an index more than one problem
/// needs has that of the problem first; the rest holds for all problems.
pub fn read(bytes: &[u8]) -> anyhow::Result<Questions> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).context("not a NumPy archive")?;
    let mut arrays = Vec::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        let name = file.name()?.trim_end_matches(".npy").to_owned();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).with_context(|| name.clone())?;
        let array = Array::from_bytes(&bytes).with_context(|| name.clone())?;
        arrays.push((name, array));
    }
    let cost = arrays.iter().find(|(name, _)| name == "cost");
    let shape = cost.map_or(Vec::new(), |(_, cost)| cost.shape.clone());
    for (name, array) in &mut arrays {
        squeeze(name, array, &shape);
    }
    let &[batch, _, _] = &shape[..] else {
        let question = arrays
            .iter()
            .map(|(name, array)| (name.clone(), value(array)));
        let question: Question = at_path(object(question), false)?;
        return Ok(Questions::One(question.archived()));
    };
    let shared = |name: &str| match name {
        "cost" => 2,
        "a" | "b" | "rho" => 1,
        _ => 0,
    };
    for (name, array) in &arrays {
        let split = array.shape.len() > shared(name);
        ensure!(
            !split || array.shape[0] == batch,
            "{name} is of shape {:?}, for another number of problems than the {batch} of cost",
            array.shape
        );
    }
    let columns: Vec<_> = arrays
        .iter()
        .map(|(name, array)| (name, array.shape.len() > shared(name), value(array)))
        .collect();
    let question = |index: usize| {
        let of_one = columns.iter().map(|(name, split, value)| {
            let value = if *split { &value[index] } else { value };
            ((*name).clone(), value.clone())
        });
        object(of_one)
    };
    let list = Value::Array((0..batch).map(question).collect());
    let list: Vec<Question> = at_path(list, true)?;
    Ok(Questions::List(
        list.into_iter().map(Question::archived).collect(),
    ))
}

/// Takes extents of one out of shapes that need not have them: weights in a row or a column of a matrix,
/// and numbers in an array of one.
fn squeeze(name: &str, array: &mut Array, cost: &[usize]) {
    let (batch, length) = match (cost, name) {
        (&[.., n, _], "a") => (cost.len() == 3, n),
        (&[.., m], "b") => (cost.len() == 3, m),
        (_, "rho") => (cost.len() == 3, 2),
        (_, "cost" | "a" | "b") => return,
        _ => (cost.len() == 3, 1),
    };
    let one = if length == 1 && !matches!(name, "a" | "b") {
        vec![]
    } else {
        vec![length]
    };
    let mut whole = vec![cost.first().copied().unwrap_or(0)];
    whole.extend(&one);
    let found = &array.shape;
    let count: usize = found.iter().product();
    let extents = || found.iter().filter(|extent| **extent != 1);
    let is = |shape: &[usize]| extents().eq(shape.iter().filter(|extent| **extent != 1));
    if found.len() > one.len() && count == length && is(&one) && *found != whole {
        array.shape = one;
    } else if batch && count == length * whole[0] && is(&whole) {
        array.shape = whole;
    }
}

fn object(entries: impl Iterator<Item = (String, Value)>) -> Value {
    Value::Object(entries.collect::<Map<_, _>>())
}

/// Nested lists, as JSON would have them.
fn value(array: &Array) -> Value {
    let values: Vec<Value> = match &array.values {
        Values::Real(values) => values.iter().map(|value| real(*value)).collect(),
        Values::Integer(values) => values.iter().map(|value| Value::from(*value)).collect(),
        Values::Truth(values) => values.iter().map(|value| Value::from(*value)).collect(),
        Values::Text(values) => values
            .iter()
            .map(|value| Value::from(value.as_str()))
            .collect(),
    };
    let mut values = values.into_iter();
    nested(&array.shape, &mut values)
}

fn nested(shape: &[usize], values: &mut impl Iterator<Item = Value>) -> Value {
    match shape {
        [] => values.next().unwrap_or(Value::Null),
        [extent, rest @ ..] => (0..*extent).map(|_| nested(rest, values)).collect(),
    }
}

fn real(value: f64) -> Value {
    if value.is_finite() {
        return Value::from(value);
    }
    // What the JSON form calls it.
    Value::from(value.to_string())
}
