//! The run folder: what a run leaves behind, and what it goes on from.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use optical_encoder::write_atomically;

/// Paths below a run folder.
#[derive(Debug, Clone)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// Names the run folder of the run file `text`; nothing is written yet.
    ///
    /// A folder that another run file has used is refused; comments may differ, `repetitions`, since a
    /// folder with one student can get more, and `final_test`, which comes afterwards.
    pub fn of(path: &Path, text: &str) -> anyhow::Result<Self> {
        let folder = Self(path.to_owned());
        let kept = folder.run_file();
        match std::fs::read_to_string(&kept) {
            Ok(found) if says(&found)? == says(text)? => Ok(folder),
            Ok(_) => bail!(
                "{} belongs to another version of the run file; choose another folder with --run, or delete it",
                path.display()
            ),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(folder),
            Err(error) => Err(error).with_context(|| kept.display().to_string()),
        }
    }

    /// Creates the folder and keeps the run file in it, as used.
    pub fn create(&self, text: &str) -> anyhow::Result<()> {
        std::fs::create_dir_all(self.0.join("trec"))
            .with_context(|| self.0.display().to_string())?;
        write_atomically(&self.run_file(), text.as_bytes())?;
        Ok(())
    }

    /// A folder that some run has left.
    pub fn existing(path: &Path) -> anyhow::Result<Self> {
        let folder = Self(path.to_owned());
        if !folder.run_file().is_file() {
            bail!("{} is not a run folder: it has no run.toml", path.display());
        }
        Ok(folder)
    }

    /// The folder of a repetition, counted from zero; the first is this one.
    pub fn repetition(&self, repetition: usize) -> anyhow::Result<Self> {
        if repetition == 0 {
            return Ok(self.clone());
        }
        let path = self.0.join(format!("repetition-{}", repetition + 1));
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The run file as used.
    pub fn run_file(&self) -> PathBuf {
        self.0.join("run.toml")
    }

    /// The head, estimated once.
    pub fn head(&self) -> PathBuf {
        self.0.join("head")
    }

    /// Checkpoints of the distillation.
    pub fn checkpoints(&self) -> PathBuf {
        self.0.join("checkpoints")
    }

    /// The distilled student, as a Hugging Face folder.
    pub fn student(&self) -> PathBuf {
        self.0.join("student")
    }

    /// The teacher that was trained here, as a Hugging Face folder.
    pub fn teacher(&self) -> PathBuf {
        self.0.join("teacher")
    }

    /// Events of the distillation, a JSON object a line.
    pub fn metrics(&self) -> PathBuf {
        self.0.join("metrics.jsonl")
    }

    /// What the final test leaves.
    pub fn final_test(&self) -> PathBuf {
        self.0.join("final-test")
    }

    /// Translation tables and translated queries.
    pub fn translation(&self) -> PathBuf {
        self.0.join("translation")
    }

    /// The judgements of a language.
    pub fn qrels(&self, language: &str) -> PathBuf {
        self.0.join("trec").join(format!("{language}.qrels"))
    }

    /// The ranking of a system in a language.
    pub fn run(&self, system: &str, language: &str) -> PathBuf {
        self.0.join("trec").join(format!("{system}.{language}.run"))
    }

    /// A file at the top of the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// What a run file says, but for how many students there are to be and what they are tested on.
pub fn says(text: &str) -> anyhow::Result<toml::Table> {
    let mut table: toml::Table = text.parse().context("run file")?;
    table.remove("repetitions");
    table.remove("final_test");
    Ok(table)
}
