//! Other programs, asked over a pipe by a Python script that stays alive between the runs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tempfile::{NamedTempFile, TempDir};

use crate::case::{Case, Stop};
use crate::input::{Geometry, Input};
use crate::python::Script;
use crate::solver::{About, Measured, Run, Seconds, Solver};

/// The script that knows the peers.
const SCRIPT: &[(&str, &str)] = &[
    ("serve.py", include_str!("../peers/serve.py")),
    ("registry.py", include_str!("../peers/registry.py")),
    ("pot.py", include_str!("../peers/pot.py")),
    ("ott_jax.py", include_str!("../peers/ott_jax.py")),
    ("geom_loss.py", include_str!("../peers/geom_loss.py")),
    ("torch_loops.py", include_str!("../peers/torch_loops.py")),
    ("scipy_lap.py", include_str!("../peers/scipy_lap.py")),
];

/// A solver of a library of Python.
#[derive(Debug)]
pub struct Peer {
    about: About,
    kinds: Vec<String>,
    stops: Vec<String>,
    python: Rc<RefCell<Python>>,
}

/// Starts `python` and returns the peers whose libraries it has; those that can use a device other
/// than the processor do so if `device` names it.
///
/// # Errors
/// If it cannot be started or does not answer.
pub fn start(python: &Path, device: &str) -> anyhow::Result<Vec<Peer>> {
    let folder = tempfile::tempdir()?;
    for (name, text) in SCRIPT {
        std::fs::write(folder.path().join(name), text)?;
    }
    let mut python = Python {
        program: python.to_owned(),
        device: device.to_owned(),
        folder,
        process: None,
        starts: 0,
        arrays: None,
    };
    let listed = python.start()?;
    let python = Rc::new(RefCell::new(python));
    let peer = |listed: Listed| Peer {
        about: listed.about,
        kinds: listed.kinds,
        stops: listed.stops,
        python: Rc::clone(&python),
    };
    Ok(listed.into_iter().map(peer).collect())
}

/// How Python introduces a solver.
#[derive(Debug, Clone, Deserialize)]
struct Listed {
    #[serde(flatten)]
    about: About,
    kinds: Vec<String>,
    stops: Vec<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Question<'a> {
    Prepare {
        solver: &'a str,
        case: &'a Case,
        /// Files of doubles.
        arrays: BTreeMap<&'static str, &'a Path>,
    },
    Run {
        solver: &'a str,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Measured {
        #[serde(flatten)]
        seconds: Seconds,
        values: Vec<f64>,
    },
    Prepared {
        #[serde(rename = "prepared")]
        _prepared: bool,
    },
    Unable {
        unable: String,
    },
}

impl Solver for Peer {
    fn about(&self) -> &About {
        &self.about
    }

    fn takes(&self, case: &Case) -> bool {
        let stop = match case.stop() {
            Some(Stop::Iterations(_)) => "iterations",
            Some(Stop::Tolerance(_)) => "tolerance",
            None => "",
        };
        let knows = |words: &[String], word| words.iter().any(|known| known == word);
        knows(&self.kinds, case.task.kind()) && (stop.is_empty() || knows(&self.stops, stop))
    }

    fn prepare<'a>(&'a self, input: &'a Input) -> anyhow::Result<Run<'a>> {
        let solver = self.about.name.as_str();
        let mut starts = self.python.borrow_mut().prepare(solver, input)?;
        Ok(Box::new(move || {
            let mut python = self.python.borrow_mut();
            if python.started()? != starts {
                // Another peer took the process with it.
                starts = python.prepare(solver, input)?;
            }
            match python.ask(&Question::Run { solver })? {
                Answer::Measured { seconds, values } => Ok(Measured { seconds, values }),
                Answer::Unable { unable } => bail!(unable),
                Answer::Prepared { .. } => bail!("an answer to another question"),
            }
        }))
    }
}

/// A Python that is started when it is needed, and again after a peer has brought it down.
#[derive(Debug)]
struct Python {
    program: PathBuf,
    device: String,
    folder: TempDir,
    process: Option<Script>,
    starts: usize,
    /// The files of the last input.
    arrays: Option<(Case, Vec<(&'static str, NamedTempFile)>)>,
}

impl Python {
    /// Starts it with one thread for every library, and reads what solvers it has.
    fn start(&mut self) -> anyhow::Result<Vec<Listed>> {
        let xla = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1";
        let environment = [
            ("XLA_FLAGS", xla),
            ("OPTICAL_PEERS_DEVICE", self.device.as_str()),
        ];
        let script = self.folder.path().join("serve.py");
        let (process, line) = Script::start(&self.program, &script, 1, &environment)?;
        self.starts += 1;
        self.process = Some(process);
        serde_json::from_str(&line).with_context(|| format!("the list of peers is {line:?}"))
    }

    /// How often it was started, after starting it if it does not run.
    fn started(&mut self) -> anyhow::Result<usize> {
        if self.process.is_none() {
            self.start()?;
        }
        Ok(self.starts)
    }

    /// Lets a solver prepare for an input; gives what [`started`](Self::started) does.
    fn prepare(&mut self, solver: &str, input: &Input) -> anyhow::Result<usize> {
        if self
            .arrays
            .as_ref()
            .is_none_or(|(case, _)| *case != input.case)
        {
            self.arrays = Some((input.case, arrays(input)?));
        }
        let files = self.arrays.take();
        let paths = files.iter().flat_map(|(_, files)| files);
        let question = Question::Prepare {
            solver,
            case: &input.case,
            arrays: paths.map(|(name, file)| (*name, file.path())).collect(),
        };
        let answer = self.ask(&question);
        self.arrays = files;
        match answer? {
            Answer::Prepared { .. } => Ok(self.starts),
            Answer::Unable { unable } => bail!(unable),
            Answer::Measured { .. } => bail!("an answer to another question"),
        }
    }

    fn ask(&mut self, question: &Question<'_>) -> anyhow::Result<Answer> {
        self.started()?;
        let Some(process) = &mut self.process else {
            bail!("python does not run");
        };
        let line = process.ask(&serde_json::to_string(question)?);
        if line.is_err() {
            self.process = None;
        }
        let line = line?;
        serde_json::from_str(&line).with_context(|| format!("python answered {line:?}"))
    }
}

/// Writes the numbers of an input to files.
fn arrays(input: &Input) -> anyhow::Result<Vec<(&'static str, NamedTempFile)>> {
    let mut arrays = vec![("a", &input.a), ("b", &input.b)];
    match &input.geometry {
        Geometry::Costs(costs) => arrays.push(("costs", costs)),
        Geometry::Points { x, y } => arrays.extend([("x", x), ("y", y)]),
    }
    let write = |values: &Vec<f64>| {
        let mut file = BufWriter::new(NamedTempFile::new()?);
        for value in values {
            file.write_all(&value.to_le_bytes())?;
        }
        std::io::Result::Ok(file.into_inner()?)
    };
    let files = arrays
        .into_iter()
        .map(|(name, values)| Ok((name, write(values)?)));
    files
        .collect::<std::io::Result<_>>()
        .context("the files of a case")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::process::Command;

    use super::*;
    use crate::cases;

    /// A Python without any library of the peers, and a script in the place of theirs.
    fn python(script: &str) -> Option<Python> {
        let program = PathBuf::from("python3");
        let works = Command::new(&program).arg("--version").output();
        if !works.is_ok_and(|output| output.status.success()) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("serve.py"), script).unwrap();
        Some(Python {
            program,
            device: "cpu".to_owned(),
            folder,
            process: None,
            starts: 0,
            arrays: None,
        })
    }

    /// Lists one solver, sums the costs it is given, and ends at the second run.
    const MORTAL: &str = r#"
import array, json, os, sys
print(json.dumps([{"name": "sum", "version": "1", "device": os.environ["OPTICAL_PEERS_DEVICE"],
                   "threads": 1,
                   "form": "exact", "kinds": ["exact"], "stops": []}]), flush=True)
runs = 0
for line in sys.stdin:
    question = json.loads(line)
    if "case" in question:
        costs = array.array("d")
        costs.frombytes(open(question["arrays"]["costs"], "rb").read())
        print(json.dumps({"prepared": True}), flush=True)
    elif runs == 1:
        sys.exit(3)
    else:
        runs += 1
        print(json.dumps({"processor": 0.25, "wall": 0.5, "values": [sum(costs)]}), flush=True)
"#;

    #[test]
    fn a_peer_that_ends_is_named_and_the_next_question_starts_another() {
        let Some(mut python) = python(MORTAL) else {
            return;
        };
        let listed = python.start().unwrap().remove(0);
        let peer = Peer {
            about: listed.about,
            kinds: listed.kinds,
            stops: listed.stops,
            python: Rc::new(RefCell::new(python)),
        };
        let is_exact = |case: &&Case| case.task.kind() == "exact";
        let case = cases::all()
            .into_iter()
            .find(|case| is_exact(&case))
            .unwrap();
        assert!(peer.takes(&case) && !peer.takes(&cases::all()[0]));
        let input = Input::of(case);
        let mut run = peer.prepare(&input).unwrap();
        let measured = run().unwrap();
        assert_eq!(
            (measured.seconds.processor, measured.seconds.wall),
            (0.25, 0.5)
        );
        let Geometry::Costs(costs) = &input.geometry else {
            panic!("no costs")
        };
        assert!((measured.values[0] - costs.iter().sum::<f64>()).abs() < 1e-6);
        let ended = run().unwrap_err().to_string();
        assert!(ended.starts_with("python ended: "), "{ended}");
        assert_eq!(run().unwrap(), measured);
    }

    #[test]
    fn what_is_no_python_is_named() {
        let error = start(Path::new("/no/such/python"), "cpu").unwrap_err();
        assert_eq!(error.to_string(), "/no/such/python cannot be started");
    }
}
