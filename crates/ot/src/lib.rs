//! Transport problems as other programs state them, in JSON or NumPy archives, and their answers.
//!
//! ```
//! let problem = br#"{"cost": [[0, 1], [1, 0]], "method": "exact"}"#;
//! let answer = optical_ot::solve("problem.json".as_ref(), problem, optical_ot::Format::Json, false)?;
//! let answer: serde_json::Value = serde_json::from_slice(&answer)?;
//! assert_eq!(answer["transport_cost"], 0.0);
//! # anyhow::Ok(())
//! ```

mod answer;
mod json;
mod npy;
mod npz;
mod number;
mod question;
mod text;
mod weights;

use std::io::{Cursor, Read};
use std::path::Path;

use anyhow::{Context, ensure};
use optical_files::text::open_stream;
use rayon::prelude::*;

pub use answer::Answer;
pub use question::{Method, Question};

/// How answers are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Tables for a reader, with rounded numbers.
    #[default]
    Text,
    /// A line of JSON, in full precision; a number that is not finite is null.
    Json,
    /// A NumPy archive, in which names of a batch end in the problem's number: `plan_0`.
    Npz,
}

/// Problems as they are stated: one, or a list.
#[derive(Debug)]
pub enum Questions {
    /// An object, or arrays without a batch index.
    One(Question),
    /// A batch.
    List(Vec<Question>),
}

impl Questions {
    /// Reads problems from the bytes of a file: a NumPy archive, or JSON, perhaps packed.
    ///
    /// # Errors
    /// If they state no problem; names the file, and the key and index or the line.
    pub fn read(name: &Path, input: &[u8]) -> anyhow::Result<Self> {
        let file = || name.display().to_string();
        if input.starts_with(npz::MAGIC) {
            return npz::read(input).with_context(file);
        }
        ensure!(
            !input.starts_with(npy::MAGIC),
            "{}: is one NumPy array, without a name: an archive has them by name, as \
             numpy.savez(\"problem.npz\", cost=cost, epsilon=0.1) writes it",
            file()
        );
        let mut text = String::new();
        let mut reader = open_stream(name, Cursor::new(input.to_vec()))?;
        let read = reader.read_to_string(&mut text);
        read.context("neither JSON nor a NumPy archive")
            .with_context(file)?;
        let questions = json::read(&text).context("not a transport problem in JSON");
        questions.with_context(file)
    }
}

/// Solves what the bytes of a file state and gives the bytes of the answer.
///
/// `plans` shows the plans of a batch as text, too.
///
/// # Errors
/// If the problems cannot be read or one cannot be solved; names the file `name` or the problem.
pub fn solve(name: &Path, input: &[u8], format: Format, plans: bool) -> anyhow::Result<Vec<u8>> {
    let questions = Questions::read(name, input)?;
    answer(&questions, format, plans).with_context(|| name.display().to_string())
}

fn answer(questions: &Questions, format: Format, plans: bool) -> anyhow::Result<Vec<u8>> {
    match questions {
        Questions::One(question) => {
            let answer = Answer::to(question)?;
            match format {
                Format::Text => Ok(text::one(&answer).into_bytes()),
                Format::Json => json::write(&answer),
                Format::Npz => npz::one(&answer),
            }
        }
        Questions::List(questions) => {
            let answers = answer_all(questions)?;
            match format {
                Format::Text => Ok(text::list(&answers, plans)?.into_bytes()),
                Format::Json => json::write(&answers),
                Format::Npz => npz::list(&answers),
            }
        }
    }
}

/// Solves each problem by itself, in double precision, on all processors: what an answer is does not
/// depend on what else was asked.
fn answer_all(questions: &[Question]) -> anyhow::Result<Vec<Answer>> {
    let answers: Vec<anyhow::Result<Answer>> = questions.par_iter().map(Answer::to).collect();
    let numbered = answers.into_iter().enumerate();
    numbered
        .map(|(index, answer)| answer.with_context(|| format!("problem {index}")))
        .collect()
}
