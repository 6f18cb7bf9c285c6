//! What a command is about, named in either of two ways: by itself, or behind an option.

use std::path::{Path, PathBuf};

use crate::run_file::RunFile;
use crate::say::say;

/// Where the quickstart's run file lies in the repository.
const QUICKSTART: &str = "configs/quickstart.toml";

/// The quickstart's run file, for where the repository is not.
const QUICKSTART_TEXT: &str = include_str!("../../../configs/quickstart.toml");

/// A file that has to be named: a study, say.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct NamedFile {
    /// The file that says what to do
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The same file, named by an option
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl NamedFile {
    /// The file.
    pub fn path(&self) -> &Path {
        let named = self.file.as_deref().or(self.config.as_deref());
        named.unwrap_or(Path::new(""))
    }

    /// The folder that its results get where no other is named.
    pub fn results(&self) -> PathBuf {
        results(self.path())
    }
}

/// A run file; the quickstart's where none is named.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub struct NamedRunFile {
    /// The run file [default: configs/quickstart.toml, or without it the quickstart that is compiled in]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The same file, named by an option
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl NamedRunFile {
    fn path(&self) -> Option<&Path> {
        self.file.as_deref().or(self.config.as_deref())
    }

    /// Reads and checks it; returns it with its text.
    pub fn load(&self) -> anyhow::Result<(RunFile, String)> {
        let quickstart = Path::new(QUICKSTART);
        if let Some(path) = self.path().or(quickstart.exists().then_some(quickstart)) {
            return RunFile::load(path);
        }
        say(format_args!(
            "there is no {QUICKSTART} here: following the quickstart that is compiled in"
        ));
        Ok((RunFile::parse(QUICKSTART_TEXT)?, QUICKSTART_TEXT.to_owned()))
    }

    /// The folder that its results get where no other is named.
    pub fn results(&self) -> PathBuf {
        results(self.path().unwrap_or(Path::new(QUICKSTART)))
    }
}

fn results(file: &Path) -> PathBuf {
    Path::new("runs").join(file.file_stem().unwrap_or_default())
}

/// The folder of a run; the quickstart's where none is named.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub struct NamedRun {
    /// The run folder [default: runs/quickstart]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The same folder, named by an option
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
}

impl NamedRun {
    /// The folder.
    pub fn path(&self) -> &Path {
        let named = self.folder.as_deref().or(self.run.as_deref());
        named.unwrap_or(Path::new("runs/quickstart"))
    }
}
