//! What a command is about, named in either of two ways: by itself, or after an option.

use std::path::{Path, PathBuf};

use optical_experiment::RunFile;

use crate::say::say;

/// Where the quickstart's run file is in the repository.
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

    /// The folder that its results get: the one that is given, or one named like the file.
    pub fn folder(&self, given: Option<&Path>) -> PathBuf {
        given.map_or_else(|| results(self.path()), Path::to_owned)
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
    /// The file, or where the quickstart's would be.
    pub fn path(&self) -> &Path {
        let named = self.file.as_deref().or(self.config.as_deref());
        named.unwrap_or(Path::new(QUICKSTART))
    }

    /// Reads it, whatever its values.
    pub fn read(&self) -> anyhow::Result<RunFile> {
        match self.is_compiled_in() {
            true => RunFile::named(self.path(), QUICKSTART_TEXT.to_owned()),
            false => RunFile::read(self.path()),
        }
    }

    fn is_compiled_in(&self) -> bool {
        let named = self.file.is_some() || self.config.is_some();
        let compiled_in = !named && !self.path().exists();
        if compiled_in {
            say(format_args!(
                "there is no {QUICKSTART} here: following the quickstart that is compiled in"
            ));
        }
        compiled_in
    }

    /// The folder that its results get: the one that is given, or one named like the file.
    pub fn folder(&self, given: Option<&Path>) -> PathBuf {
        given.map_or_else(|| results(self.path()), Path::to_owned)
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
