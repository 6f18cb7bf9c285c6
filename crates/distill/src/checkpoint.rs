//! Checkpoints: everything a run needs to resume as if it had never stopped.
//!
//! A checkpoint is a folder `step-N` with the student as a Hugging Face folder, the optimiser's
//! momentum, and `state.json`. It is written under another name and renamed, and older ones are
//! removed only then, so that a run killed at any moment finds a whole one. The order of the pairs is
//! a function of seed and step, so no random state has to be kept.

use std::fmt::Display;
use std::fs::File;
use std::path::{Path, PathBuf};

use burn::prelude::*;
use optical_encoder::{EncoderError, Model};
use optical_files::whole::{self, WholeFolder};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::DistillError;
use crate::instruments::Reading;
use crate::optimiser::Optimiser;
use crate::stopping::Standing;

const PREFIX: &str = "step-";

/// The student of the best reading so far is in a folder with this in front of its step.
const BEST: &str = "best-";

/// How far a run has come, beside its weights.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Steps made.
    pub step: u64,
    /// The reading before the first step.
    pub(crate) first: Option<Reading>,
    /// Partners per token in the last step.
    pub(crate) partners: Option<f64>,
    /// Where the best reading stands.
    pub(crate) standing: Standing,
}

#[derive(Debug, Serialize, Deserialize)]
struct State<S> {
    progress: Progress,
    settings: S,
}

/// Where a checkpoint keeps how far the run has come.
const STATE: &str = "state.json";

/// Where a checkpoint keeps the optimiser's momentum.
const MOMENTUM: &str = "momentum.bpk";

/// The momentum of a checkpoint, not yet read.
#[derive(Debug)]
pub struct Momentum {
    path: PathBuf,
}

impl Momentum {
    /// Puts it into the optimiser of the checkpoint's model.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn restore(self, optimiser: Optimiser) -> Result<Optimiser, DistillError> {
        optimiser
            .load(&self.path)
            .map_err(|error| refused(&self.path, &error))
    }
}

/// A place for checkpoints.
#[derive(Debug, Clone)]
pub struct CheckpointFolder {
    folder: PathBuf,
}

impl CheckpointFolder {
    /// Checkpoints below `folder`, which need not exist.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Writes the state of a run and removes older checkpoints.
    ///
    /// # Errors
    /// If the folder cannot be written; earlier checkpoints are kept then.
    pub fn save(
        &self,
        progress: &Progress,
        student: &Model,
        optimiser: &Optimiser,
        settings: &impl Serialize,
    ) -> Result<(), DistillError> {
        let step = progress.step;
        let failed = |error: &dyn Display| refused(&self.folder, error);
        let target = self.folder.join(format!("{PREFIX}{step}"));
        let older = self.list(PREFIX)?;
        if older.iter().any(|(saved, _)| *saved == step) {
            return Ok(());
        }
        let partial = WholeFolder::create(&target).map_err(|error| failed(&error))?;
        student.save(&partial.path().join("student"))?;
        optimiser
            .save(&partial.path().join(MOMENTUM))
            .map_err(|error| failed(&error))?;
        let state = State {
            progress: progress.clone(),
            settings,
        };
        let state = serde_json::to_vec(&state).map_err(|error| failed(&error))?;
        let written = whole::write(&partial.path().join(STATE), &state)
            .and_then(|()| File::open(partial.path().join(MOMENTUM))?.sync_all())
            .and_then(|()| partial.finish());
        written.map_err(|error| failed(&error))?;
        let best = progress.standing.best.map(|(step, _)| step);
        let mut bests = self.list(BEST)?;
        bests.retain(|&(step, _)| Some(step) != best);
        for (_, path) in older.into_iter().chain(bests) {
            std::fs::remove_dir_all(&path).map_err(|error| refused(&path, &error))?;
        }
        Ok(())
    }

    /// Writes the student of the best reading so far. Older ones are kept until a state that does
    /// not refer to them is saved.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub(crate) fn save_best(&self, step: u64, student: &Model) -> Result<(), DistillError> {
        Ok(student.save_whole(&self.folder.join(format!("{BEST}{step}")))?)
    }

    /// Reads the student of the best reading, made after `step` steps, onto `device`.
    ///
    /// # Errors
    /// If it is missing or damaged.
    pub(crate) fn best(&self, step: u64, device: &Device) -> Result<Model, DistillError> {
        let path = self.folder.join(format!("{BEST}{step}"));
        Model::load(&path, device).map_err(|error| refused(&path, &error))
    }

    /// Takes over the newest checkpoint of `other`, for a training with other `settings`, if `agree`
    /// finds nothing against those it was made with; returns its step, or `None` where there is none.
    ///
    /// # Errors
    /// If it is damaged or refused, or the folder cannot be written.
    pub fn take_over<S: Serialize + DeserializeOwned>(
        &self,
        other: &Self,
        settings: &S,
        agree: impl FnOnce(&S) -> Result<(), String>,
    ) -> Result<Option<u64>, DistillError> {
        let Some((step, path)) = other.list(PREFIX)?.pop() else {
            return Ok(None);
        };
        let state: State<S> = read_state(&path)?;
        agree(&state.settings).map_err(|reason| refused(&path, &reason))?;
        let best = state.progress.standing.best.map(|(step, _)| step);
        let best = best.map(|step| format!("{BEST}{step}"));
        let state = State {
            progress: state.progress,
            settings,
        };
        let state = serde_json::to_vec(&state).map_err(|error| refused(&path, &error))?;
        let take = || -> std::io::Result<()> {
            if let Some(best) = &best {
                let new = WholeFolder::create(&self.folder.join(best))?;
                copy(&other.folder.join(best), new.path())?;
                new.finish()?;
            }
            let new = WholeFolder::create(&self.folder.join(format!("{PREFIX}{step}")))?;
            copy(&path, new.path())?;
            whole::write(&new.path().join(STATE), &state)?;
            new.finish()
        };
        take().map_err(|error| refused(&self.folder, &error))?;
        Ok(Some(step))
    }

    /// Reads the newest checkpoint onto `device`, if there is one; what killed processes left of others
    /// goes.
    ///
    /// # Errors
    /// If it is damaged, or was made with other settings: its folder is named, and left as it is.
    pub fn resume<S: DeserializeOwned + PartialEq>(
        &self,
        settings: &S,
        device: &Device,
    ) -> Result<Option<(Progress, Model, Momentum)>, DistillError> {
        self.sweep();
        let Some((_, path)) = self.list(PREFIX)?.pop() else {
            return Ok(None);
        };
        let damaged = |error: &dyn Display| refused(&path, error);
        let state: State<S> = read_state(&path)?;
        if state.settings != *settings {
            let reason = "it was made with other settings of the training; restore them or choose another run folder";
            return Err(damaged(&reason));
        }
        let student = Model::load(&path.join("student"), device)
            .map_err(|error: EncoderError| damaged(&error))?;
        let momentum = Momentum {
            path: path.join(MOMENTUM),
        };
        Ok(Some((state.progress, student, momentum)))
    }

    /// Returns the step of the newest checkpoint, if there is one.
    pub fn newest(&self) -> Option<u64> {
        self.list(PREFIX).ok()?.pop().map(|(step, _)| step)
    }

    /// Removes what killed processes have left; what cannot be removed is in nobody's way.
    ///
    /// Whoever calls it holds the lock of the run: what earlier versions left has none of its own.
    pub fn sweep(&self) {
        whole::sweep(&self.folder);
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten();
        for entry in entries.flatten() {
            // Earlier versions called so what was not whole yet.
            if entry.file_name().to_string_lossy().starts_with("partial-") {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }

    /// Returns whole folders of a kind, oldest first.
    fn list(&self, prefix: &str) -> Result<Vec<(u64, PathBuf)>, DistillError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(refused(&self.folder, &error)),
        };
        let mut found: Vec<_> = entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let step = path
                    .file_name()?
                    .to_str()?
                    .strip_prefix(prefix)?
                    .parse()
                    .ok()?;
                Some((step, path))
            })
            .collect();
        found.sort();
        Ok(found)
    }
}

fn read_state<S: DeserializeOwned>(path: &Path) -> Result<State<S>, DistillError> {
    let bytes = std::fs::read(path.join(STATE)).map_err(|error| refused(path, &error))?;
    serde_json::from_slice(&bytes).map_err(|error| refused(path, &error))
}

/// Copies the files of a folder, and those of the folders in it.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            std::fs::create_dir(&to)?;
            copy(&from, &to)?;
        } else {
            let mut file = File::create(&to)?;
            std::io::copy(&mut File::open(&from)?, &mut file)?;
            file.sync_all()?;
        }
    }
    Ok(())
}

fn refused(path: &Path, reason: &dyn Display) -> DistillError {
    DistillError::Checkpoint {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn what_killed_processes_left_goes_and_whole_checkpoints_stay() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "step-20",
            "best-10",
            "partial-30",
            ".step-30.x7.part",
            "kept",
        ] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join("file"), "x").unwrap();
        }
        let living = WholeFolder::create(&folder.path().join("step-40")).unwrap();
        let checkpoints = CheckpointFolder::new(folder.path());
        checkpoints.sweep();
        assert!(living.path().is_dir());
        drop(living);
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["best-10", "kept", "step-20"]);
        assert_eq!(checkpoints.newest(), Some(20));
        CheckpointFolder::new(&folder.path().join("nowhere")).sweep();
    }
}
