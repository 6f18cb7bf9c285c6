//! The run folder: what a run leaves behind, and what it resumes from.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, bail};
use optical_distill::CheckpointFolder;
use optical_files::lock::{Lock, Refused};
use optical_files::whole;
use optical_store::{Keys, write};

use crate::run_file::says;

/// Paths below a run folder, and the right to write there.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
    /// Held from the first writing, or from [`lock`](Self::lock), until the last copy goes.
    lock: Arc<OnceLock<Lock>>,
}

impl RunFolder {
    /// Names the run folder of the run file `text`; nothing is written yet.
    ///
    /// A folder that another run file has used is refused; comments may differ, `repetitions`, since a
    /// folder with one student can get more, and `final_test`, which comes afterwards.
    pub fn of(path: &Path, text: &str) -> anyhow::Result<Self> {
        let folder = Self::at(path.to_owned());
        folder.check(text)?;
        Ok(folder)
    }

    pub(crate) fn at(path: PathBuf) -> Self {
        let lock = Arc::default();
        Self { path, lock }
    }

    fn check(&self, text: &str) -> anyhow::Result<()> {
        let kept = self.run_file();
        match std::fs::read_to_string(&kept) {
            Ok(found) if says(&found)? == says(text)? => Ok(()),
            Ok(_) => bail!(
                "{} belongs to another version of the run file; choose another folder with --run, or delete it",
                self.path.display()
            ),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).with_context(|| kept.display().to_string()),
        }
    }

    /// Takes the folder for this process, if it is there, and removes what killed ones have left.
    pub fn lock(&self) -> anyhow::Result<()> {
        if self.lock.get().is_some() || !self.path.is_dir() {
            return Ok(());
        }
        let lock = match Lock::acquire(&self.path.join(".lock")) {
            Ok(lock) => lock,
            Err(Refused::InUse(holder)) => bail!(
                "{} is in use by {holder}; wait for it, or choose another folder with --run",
                self.path.display()
            ),
            Err(Refused::File(error)) => {
                let path = self.path.display();
                return Err(error).with_context(|| format!("{path} cannot be written"));
            }
        };
        for inner in ["", "trec", "translation", "head", "student", "teacher"] {
            whole::sweep(&self.path.join(inner));
        }
        for folder in self.repetitions() {
            CheckpointFolder::new(&folder.checkpoints()).sweep();
        }
        // Nobody else has set it: whoever would has no lock.
        let _ = self.lock.set(lock);
        Ok(())
    }

    /// Creates the folder and keeps the run file in it, as used.
    pub fn create(&self, text: &str) -> anyhow::Result<()> {
        let trec = self.path.join("trec");
        std::fs::create_dir_all(&trec).with_context(|| trec.display().to_string())?;
        self.lock()?;
        // Another process may have begun it in the meantime.
        self.check(text)?;
        write(&self.run_file(), text.as_bytes())
    }

    /// Opens a folder that some run has left.
    pub fn existing(path: &Path) -> anyhow::Result<Self> {
        let folder = Self::at(path.to_owned());
        if !folder.run_file().is_file() {
            bail!("{} is not a run folder: it has no run.toml", path.display());
        }
        Ok(folder)
    }

    /// Makes the folder of a repetition, counted from zero; the first is this one.
    pub fn repetition(&self, repetition: usize) -> anyhow::Result<Self> {
        if repetition == 0 {
            return Ok(self.clone());
        }
        let folder = self.existing_repetition(repetition);
        let path = &folder.path;
        std::fs::create_dir_all(path).with_context(|| path.display().to_string())?;
        Ok(folder)
    }

    /// Returns the folder of a repetition, which may not be there.
    pub fn existing_repetition(&self, repetition: usize) -> Self {
        let path = match repetition {
            0 => self.path.clone(),
            _ => self.path.join(format!("repetition-{}", repetition + 1)),
        };
        let lock = self.lock.clone();
        Self { path, lock }
    }

    /// Reads what its results follow from.
    pub fn keys(&self) -> anyhow::Result<Keys> {
        Keys::read(&self.path)
    }

    /// Lists the folders of all repetitions that are there, of which any may be missing: a machine may
    /// have trained the second student alone.
    fn repetitions(&self) -> Vec<Self> {
        let inner = std::fs::read_dir(&self.path)
            .into_iter()
            .flatten()
            .flatten();
        let names = inner.filter(|entry| {
            let name = entry.file_name();
            name.to_string_lossy().starts_with("repetition-")
        });
        let inner = names.map(|entry| Self {
            path: entry.path(),
            lock: self.lock.clone(),
        });
        std::iter::once(self.clone()).chain(inner).collect()
    }

    /// Tells whether a training has begun here.
    pub fn is_trained_in(&self) -> bool {
        let repetitions = self.repetitions();
        repetitions.iter().any(|it| it.metrics().is_file())
    }

    /// Tells whether there is a finished student here.
    pub fn has_student(&self) -> bool {
        self.student().join("model.safetensors").is_file()
    }

    /// Returns the run file as used.
    pub fn run_file(&self) -> PathBuf {
        self.path.join("run.toml")
    }

    /// Returns where the head is, estimated once.
    pub fn head(&self) -> PathBuf {
        self.path.join("head")
    }

    /// Returns where the checkpoints are.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// Returns where the distilled student is, as a Hugging Face folder.
    pub fn student(&self) -> PathBuf {
        self.path.join("student")
    }

    /// Returns where the teacher is that was trained here, as a Hugging Face folder.
    pub fn teacher(&self) -> PathBuf {
        self.path.join("teacher")
    }

    /// Returns the file of the events, a JSON object per line.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// Returns where the final test is kept.
    pub fn final_test(&self) -> PathBuf {
        self.path.join("final-test")
    }

    /// Returns where translation tables and translated queries are.
    pub fn translation(&self) -> PathBuf {
        self.path.join("translation")
    }

    /// Returns the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns a file at the top of the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}
