//! Checkpoints: everything a run needs to go on as if it had never stopped.
//!
//! A checkpoint is a folder `step-N` with the student as a Hugging Face folder, the optimiser's
//! momentum, and `state.json`. It is written under another name and renamed, and older ones are
//! removed only then, so that a run killed at any moment finds a whole one. The order of the pairs is
//! a function of seed and step, so no random state has to be kept.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use burn::prelude::*;
use optical_encoder::{EncoderError, Model, write_atomically};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::DistillError;
use crate::instruments::Reading;
use crate::optimiser::Optimiser;
use crate::stopping::Standing;

const PREFIX: &str = "step-";

/// The student of the best reading so far lies in a folder with this in front of its step.
const BEST: &str = "best-";

/// How far a run has come, beside its weights.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Steps made.
    pub step: u64,
    /// The reading before the first step.
    pub(crate) first: Option<Reading>,
    /// Partners a token in the last step.
    pub(crate) partners: Option<f64>,
    /// Where the best reading stands.
    pub(crate) standing: Standing,
}

#[derive(Debug, Serialize, Deserialize)]
struct State<S> {
    progress: Progress,
    settings: S,
}

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
        std::fs::create_dir_all(&self.folder).map_err(|error| failed(&error))?;
        let partial = tempfile::Builder::new()
            .prefix("partial-")
            .tempdir_in(&self.folder)
            .map_err(|error| failed(&error))?;
        student.save(&partial.path().join("student"))?;
        optimiser
            .save(&partial.path().join(MOMENTUM))
            .map_err(|error| failed(&error))?;
        let state = State {
            progress: progress.clone(),
            settings,
        };
        let state = serde_json::to_vec(&state).map_err(|error| failed(&error))?;
        write_atomically(&partial.path().join("state.json"), &state)?;
        let older = self.list(PREFIX)?;
        let target = self.folder.join(format!("{PREFIX}{step}"));
        if older.iter().any(|(saved, _)| *saved == step) {
            return Ok(());
        }
        std::fs::rename(partial.keep(), &target).map_err(|error| failed(&error))?;
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
        Ok(student.save(&self.folder.join(format!("{BEST}{step}")))?)
    }

    /// Reads the student of the best reading, made after `step` steps, onto `device`.
    ///
    /// # Errors
    /// If it is missing or damaged.
    pub(crate) fn best(&self, step: u64, device: &Device) -> Result<Model, DistillError> {
        let path = self.folder.join(format!("{BEST}{step}"));
        Model::load(&path, device).map_err(|error| refused(&path, &error))
    }

    /// Reads the newest checkpoint onto `device`, if there is one.
    ///
    /// # Errors
    /// If it is damaged, or was made with other settings: its folder is named, and left as it is.
    pub fn resume<S: DeserializeOwned + PartialEq>(
        &self,
        settings: &S,
        device: &Device,
    ) -> Result<Option<(Progress, Model, Momentum)>, DistillError> {
        let Some((_, path)) = self.list(PREFIX)?.pop() else {
            return Ok(None);
        };
        let damaged = |error: &dyn Display| refused(&path, error);
        let bytes = std::fs::read(path.join("state.json")).map_err(|error| damaged(&error))?;
        let state: State<S> = serde_json::from_slice(&bytes).map_err(|error| damaged(&error))?;
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

    /// Whole folders of a kind, oldest first.
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

fn refused(path: &Path, reason: &dyn Display) -> DistillError {
    DistillError::Checkpoint {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
