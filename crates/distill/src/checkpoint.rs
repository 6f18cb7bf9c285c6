//! Checkpoints: everything a run needs to go on as if it had never stopped.
//!
//! A checkpoint is a folder `step-N` with the student as a Hugging Face folder, the optimiser's
//! momentum, and `state.json`. It is written under another name and renamed, and older ones are
//! removed only then, so that a run killed at any moment finds a whole one. The order of the pairs is
//! a function of seed and step, so no random state has to be kept.

use std::path::{Path, PathBuf};

use burn::prelude::*;
use optical_encoder::{EncoderError, Model, write_atomically};
use serde::{Deserialize, Serialize};

use crate::error::DistillError;
use crate::optimiser::Optimiser;
use crate::settings::DistillSettings;

const PREFIX: &str = "step-";

#[derive(Debug, Serialize, Deserialize)]
struct State {
    step: u64,
    settings: DistillSettings,
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

    /// Writes the state after `step` steps and removes older checkpoints.
    ///
    /// # Errors
    /// If the folder cannot be written; earlier checkpoints are kept then.
    pub fn save(
        &self,
        step: u64,
        student: &Model,
        optimiser: &Optimiser,
        settings: &DistillSettings,
    ) -> Result<(), DistillError> {
        let refused = |error: &dyn std::fmt::Display| self.refused(&self.folder, error);
        std::fs::create_dir_all(&self.folder).map_err(|error| refused(&error))?;
        let partial = tempfile::Builder::new()
            .prefix("partial-")
            .tempdir_in(&self.folder)
            .map_err(|error| refused(&error))?;
        student.save(&partial.path().join("student"))?;
        for (name, part) in optimiser.parts() {
            part.save(partial.path().join(name))
                .map_err(|error| refused(&error))?;
        }
        let state = State {
            step,
            settings: settings.clone(),
        };
        let state = serde_json::to_vec(&state).map_err(|error| refused(&error))?;
        write_atomically(&partial.path().join("state.json"), &state)?;
        let older = self.list()?;
        let target = self.folder.join(format!("{PREFIX}{step}"));
        if older.iter().any(|(saved, _)| *saved == step) {
            return Ok(());
        }
        std::fs::rename(partial.keep(), &target).map_err(|error| refused(&error))?;
        for (_, path) in older {
            std::fs::remove_dir_all(&path).map_err(|error| self.refused(&path, &error))?;
        }
        Ok(())
    }

    /// Reads the newest checkpoint onto `device`, if there is one.
    ///
    /// # Errors
    /// If it is damaged, or was made with other settings: its folder is named, and left as it is.
    pub fn resume(
        &self,
        settings: &DistillSettings,
        device: &Device,
    ) -> Result<Option<(u64, Model, Optimiser)>, DistillError> {
        let Some((_, path)) = self.list()?.pop() else {
            return Ok(None);
        };
        let refused = |error: &dyn std::fmt::Display| self.refused(&path, error);
        let bytes = std::fs::read(path.join("state.json")).map_err(|error| refused(&error))?;
        let state: State = serde_json::from_slice(&bytes).map_err(|error| refused(&error))?;
        if state.settings != *settings {
            let reason = "it was made with other [distill] settings; restore them or choose another run folder";
            return Err(refused(&reason));
        }
        let student = Model::load(&path.join("student"), device)
            .map_err(|error: EncoderError| refused(&error))?;
        let optimiser = Optimiser::new(&settings.optimiser, &student.encoder)
            .restore(|name, part| part.load(path.join(name)).map_err(|error| refused(&error)))?;
        Ok(Some((state.step, student, optimiser)))
    }

    /// Whole checkpoints, oldest first.
    fn list(&self) -> Result<Vec<(u64, PathBuf)>, DistillError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.refused(&self.folder, &error)),
        };
        let mut found: Vec<_> = entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let step = path
                    .file_name()?
                    .to_str()?
                    .strip_prefix(PREFIX)?
                    .parse()
                    .ok()?;
                Some((step, path))
            })
            .collect();
        found.sort();
        Ok(found)
    }

    fn refused(&self, path: &Path, reason: &dyn std::fmt::Display) -> DistillError {
        DistillError::Checkpoint {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}
