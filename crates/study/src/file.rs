//! The study file: a run file, and what to change in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use optical_experiment::{Findings, RunFile};
use optical_files::text;
use serde::Deserialize;
use toml::{Table, Value};

/// A study, as written in `configs/studies/*.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyFile {
    /// Title of the page.
    pub title: String,
    /// The run file that is changed; a relative path begins where the program is started.
    pub run: PathBuf,
    /// Students of each variant, with seeds from the run file's on.
    pub students: usize,
    /// Whether students and checkpoints stay once their rankings are written: about eight bytes for
    /// each weight of each student.
    pub keep_students: bool,
    /// The variant that the others are compared with, and whose languages, teacher and head the systems
    /// have that are not trained.
    pub reference: String,
    /// Keys that go in every variant, with dots: `distill.training.stopping`.
    #[serde(default)]
    pub remove: Vec<String>,
    /// Keys with other values in every variant, before its own changes. A table replaces a table.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    /// What is compared.
    #[serde(rename = "variant")]
    pub variants: Vec<Variant>,
}

/// A run file with something changed in it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its name in the table, and its folder's.
    pub name: String,
    /// What it is, in a line under the table.
    #[serde(default)]
    pub description: String,
    /// Keys that go.
    #[serde(default)]
    pub remove: Vec<String>,
    /// Keys with other values.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
}

impl StudyFile {
    /// Reads and checks a study file; returns it with the run file of each variant.
    ///
    /// # Errors
    /// If it or a variant is not sound: names the file and the variant.
    pub fn load(path: &Path) -> anyhow::Result<(Self, Vec<RunFile>)> {
        let read = || {
            let study: Self = toml::from_str(&text::read(path)?)?;
            study.check()?;
            anyhow::Ok(study)
        };
        let study = read().with_context(|| format!("study file {}", path.display()))?;
        let base =
            text::read(&study.run).with_context(|| format!("run file {}", study.run.display()))?;
        let base: Table = base
            .parse()
            .with_context(|| format!("run file {}", study.run.display()))?;
        let runs = study.variants.iter().map(|variant| {
            let run = || {
                let mut run = base.clone();
                change(&mut run, &study.remove, &study.set)?;
                change(&mut run, &variant.remove, &variant.set)?;
                run.insert("repetitions".to_owned(), (study.students as i64).into());
                RunFile::of_table(&run)
            };
            run()
                .with_context(|| format!("study file {}, variant {}", path.display(), variant.name))
        });
        let mut findings = Findings::default();
        let runs: Vec<_> = runs.filter_map(|run| findings.take(run)).collect();
        findings.told_problems()?;
        Ok((study, runs))
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(0 < self.students, "students = 0, expected at least 1");
        let mut seen = BTreeSet::new();
        for Variant { name, .. } in &self.variants {
            let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
            ensure!(
                !name.is_empty() && name.chars().all(plain) && !name.starts_with('.'),
                "variant.name = {name:?}, expected letters, digits, '-', '_' and '.'"
            );
            ensure!(seen.insert(name), "two variants are called {name}");
        }
        ensure!(
            seen.contains(&self.reference),
            "reference = {:?}, expected the name of a variant",
            self.reference
        );
        Ok(())
    }

    /// Returns the place of the reference among the variants.
    pub fn reference(&self) -> usize {
        let mut variants = self.variants.iter();
        let place = variants.position(|variant| variant.name == self.reference);
        place.expect("checked when it was read")
    }
}

/// Takes keys out of a run file, and gives others their values.
fn change(run: &mut Table, remove: &[String], set: &BTreeMap<String, Value>) -> anyhow::Result<()> {
    for key in remove {
        let (table, last) = parent(run, key)?;
        table
            .remove(last)
            .with_context(|| format!("remove: the run file has no {key}"))?;
    }
    for (key, value) in set {
        let (table, last) = parent(run, key)?;
        table.insert(last.to_owned(), value.clone());
    }
    Ok(())
}

/// Finds the table that a key with dots is in, made where it is missing, and the key's last part. After the
/// name of a list comes the number of an item.
fn parent<'t, 'k>(
    mut table: &'t mut Table,
    key: &'k str,
) -> anyhow::Result<(&'t mut Table, &'k str)> {
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return Ok((table, part));
        }
        let mut inner = table
            .entry(part)
            .or_insert_with(|| Value::Table(Table::new()));
        if let Value::Array(items) = inner {
            let (number, count) = (parts.next().unwrap_or_default(), items.len());
            let item = number.parse().ok().and_then(|at: usize| items.get_mut(at));
            inner = item.with_context(|| {
                format!("{key}: {number} is none of the {count} items of {part}, counted from 0")
            })?;
        }
        table = inner
            .as_table_mut()
            .with_context(|| format!("{key}: {part} is not a table of the run file"))?;
    }
    bail!("{key}: expected a key of the item after its number")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn changed(run: &str, remove: &[&str], set: &str) -> anyhow::Result<Table> {
        let mut run = run.parse().unwrap();
        let remove: Vec<_> = remove.iter().map(|&key| key.to_owned()).collect();
        change(&mut run, &remove, &toml::from_str(set).unwrap())?;
        Ok(run)
    }

    #[test]
    fn changes_replace_add_and_remove_keys() {
        let run = "steps = 1\n[plan]\nkind = \"greedy\"\nwhat = 1\n[[text]]\n[[text]]\nfile = 'a'";
        let set = "steps = 2\n\"plan.kind\" = \"exact\"\n\"new.table\" = { a = 1 }\n\"text.1.repeat\" = 2";
        let expected = "steps = 2\n[plan]\nkind = \"exact\"\n[new.table]\na = 1\n\
                        [[text]]\n[[text]]\nfile = 'a'\nrepeat = 2";
        let run = changed(run, &["plan.what"], set).unwrap();
        assert_eq!(run, expected.parse::<Table>().unwrap());
    }

    #[test]
    fn what_cannot_be_changed_is_named() {
        for (remove, set, expected) in [
            (&["step"][..], "", "the run file has no step"),
            (&[], "\"steps.all\" = 1", "steps.all: steps is not a table"),
            (
                &[],
                "\"text.1.a\" = 1",
                "text.1.a: 1 is none of the 1 items",
            ),
            (
                &[],
                "\"text.all\" = 1",
                "text.all: all is none of the 1 items",
            ),
            (&[], "\"text.0\" = 1", "text.0: expected a key"),
        ] {
            let run = "steps = 1\n[[text]]";
            let error = changed(run, remove, set).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    const RUN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/quickstart.toml");

    const VARIANTS: &str = r#"
[[variant]]
name = "same"
[[variant]]
name = "short"
set."distill.training.steps" = 3
[[variant]]
name = "small"
set."distill.training.batch_size" = 7
"#;

    /// Reads a study of the quickstart with `head` above its variants.
    fn loaded(head: &str, variants: &str) -> anyhow::Result<(StudyFile, Vec<RunFile>)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("study.toml");
        let text = format!("title = 'T'\nrun = '{RUN}'\nkeep_students = false\n{head}\n{variants}");
        std::fs::write(&path, text).unwrap();
        StudyFile::load(&path)
    }

    #[test]
    fn each_variant_is_a_run_file_of_its_own() {
        let (study, runs) = loaded("students = 2\nreference = 'short'", VARIANTS).unwrap();
        assert_eq!(study.reference(), 1);
        let quickstart = RunFile::load(RUN.as_ref()).unwrap();
        // Nothing is changed but the number of students: scores of the run file itself are its own.
        let fingerprint = |run: &RunFile| run.fingerprint().unwrap();
        assert_eq!(fingerprint(&runs[0]), fingerprint(&quickstart));
        assert_ne!(fingerprint(&runs[1]), fingerprint(&runs[0]));
        let steps = quickstart.distill.training.steps;
        assert_eq!(runs[1].distill.training.steps, 3);
        assert_eq!(runs[2].distill.training.steps, steps);
        assert_eq!(runs[2].distill.training.batch_size, 7);
        assert!(runs.iter().all(|run| run.repetitions == 2));

        // What all have comes before what one has.
        let head = "students = 1\nreference = 'same'\nset.'distill.training.steps' = 4";
        let (_, runs) = loaded(head, VARIANTS).unwrap();
        let steps: Vec<_> = runs.iter().map(|run| run.distill.training.steps).collect();
        assert_eq!(steps, [4, 3, 4]);
    }

    #[test]
    fn what_is_wrong_with_a_study_is_named() {
        let bad = VARIANTS.replace("_size\" = 7", "_size\" = 0");
        let both = bad.replace("steps\" = 3", "steps\" = 'three'");
        let head = "students = 1\nreference = 'same'";
        for (head, variants, expected) in [
            ("students = 0\nreference = 'same'", VARIANTS, "students = 0"),
            (
                "students = 1\nreference = 'none'",
                VARIANTS,
                "reference = \"none\", expected the name of a variant",
            ),
            (
                head,
                &VARIANTS.replace("short", "same"),
                "two variants are called same",
            ),
            (
                head,
                &VARIANTS.replace("short", "../x"),
                "variant.name = \"../x\"",
            ),
            (head, &bad, "variant small: "),
            (head, &both, "variant short: "),
            (head, &both, "variant small: "),
        ] {
            let error = format!("{:#}", loaded(head, variants).unwrap_err());
            assert!(error.contains(expected), "{error}");
            assert!(error.contains("study.toml"), "{error}");
        }
    }
}
