//! PyTorch and onnxruntime, asked over a pipe.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::case::{Case, TRANSPORT, VOCABULARY};
use super::{Found, Run};
use crate::python::Script;
use crate::solver::Seconds;

/// The programs of one Python, held to a number of threads.
#[derive(Debug)]
pub struct Peers {
    script: Rc<RefCell<Script>>,
    /// Names and versions.
    pub programs: Vec<Program>,
    _folder: TempDir,
}

/// A program and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// What it is called.
    pub name: String,
    /// Versions of its libraries.
    pub version: String,
}

#[derive(Serialize)]
struct Question<'a> {
    program: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<CaseInFolder<'a>>,
}

#[derive(Serialize)]
struct CaseInFolder<'a> {
    #[serde(flatten)]
    case: Case,
    vocabulary: usize,
    /// Of a distillation's plans.
    epsilon: f64,
    iterations: usize,
    folder: &'a Path,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Found {
        #[serde(flatten)]
        seconds: Seconds,
        value: f64,
    },
    Prepared {
        #[serde(rename = "prepared")]
        _prepared: bool,
    },
    Unable {
        unable: String,
    },
}

impl Peers {
    /// Starts `python`.
    ///
    /// # Errors
    /// If it cannot be started or does not answer.
    pub fn start(python: &Path, threads: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let script = folder.path().join("encoders.py");
        std::fs::write(&script, include_str!("../../peers/encoders.py"))?;
        let (script, line) = Script::start(python, &script, threads, &[])?;
        let programs = serde_json::from_str(&line)
            .with_context(|| format!("the list of programs is {line:?}"))?;
        Ok(Self {
            script: Rc::new(RefCell::new(script)),
            programs,
            _folder: folder,
        })
    }

    /// Makes `program` ready to run a case on the checkpoint in `folder`.
    ///
    /// # Errors
    /// If it is unable to.
    pub fn prepare(
        &self,
        program: &str,
        case: Case,
        folder: &Path,
    ) -> anyhow::Result<Run<'static>> {
        let script = Rc::clone(&self.script);
        let (epsilon, iterations) = TRANSPORT;
        let case = Some(CaseInFolder {
            case,
            vocabulary: VOCABULARY,
            epsilon,
            iterations,
            folder,
        });
        match ask(&script, &Question { program, case })? {
            Answer::Prepared { .. } => {}
            Answer::Unable { unable } => bail!(unable),
            Answer::Found { .. } => bail!("an answer to another question"),
        }
        let program = program.to_owned();
        Ok(Box::new(move || {
            let question = Question {
                program: &program,
                case: None,
            };
            match ask(&script, &question)? {
                Answer::Found { seconds, value } => Ok(Found { seconds, value }),
                Answer::Unable { unable } => bail!(unable),
                Answer::Prepared { .. } => bail!("an answer to another question"),
            }
        }))
    }
}

fn ask(script: &RefCell<Script>, question: &Question<'_>) -> anyhow::Result<Answer> {
    let line = script.borrow_mut().ask(&serde_json::to_string(question)?)?;
    serde_json::from_str(&line).with_context(|| format!("python answered {line:?}"))
}
