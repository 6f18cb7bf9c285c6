//! The study file: a run file, and what to change in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context;
use optical_experiment::{Findings, RunFile, RunSettings};
use optical_files::text;
use serde::Deserialize;
use toml::{Spanned, Table, Value};

use crate::change::{Change, Fault, Removed, Set};
use crate::grid::{Grid, Planned, refused};

/// A study, as written in `configs/studies/*.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyFile {
    /// Title of the page.
    pub title: String,
    /// The run file that is changed; a relative path begins where the program is started.
    pub run: PathBuf,
    /// Students of each variant, and of each cell of a grid that says no other number, with seeds from
    /// the run file's on.
    students: Spanned<usize>,
    /// Whether students and checkpoints stay once their rankings are written: about eight bytes for
    /// each weight of each student.
    pub keep_students: bool,
    /// Whether students rank the human English versions of the queries as well, to be held against their
    /// rankings of the queries.
    #[serde(default)]
    pub covariates: bool,
    /// The variant or cell that the others are compared with, and whose languages, teacher and head the
    /// systems have that are not trained.
    reference: Spanned<String>,
    /// Keys that go in every variant and cell, with dots: `distill.training.stopping`.
    #[serde(default)]
    remove: Removed,
    /// Keys with other values in every variant and cell, before its own changes. A table replaces a table.
    #[serde(default)]
    set: Set,
    /// What is compared.
    #[serde(default, rename = "variant")]
    variants: Vec<Variant>,
    /// What is crossed.
    #[serde(default, rename = "grid")]
    grids: Vec<Grid>,
}

/// A run file with something changed in it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variant {
    /// Its name in the table, and its folder's.
    name: Spanned<String>,
    /// What it is, in a line under the table.
    #[serde(default)]
    description: String,
    /// Its method in `study.csv`, where that is not its name.
    method: Option<Spanned<String>>,
    /// Keys that go.
    #[serde(default)]
    remove: Removed,
    /// Keys with other values.
    #[serde(default)]
    set: Set,
}

/// A variant, or a cell of a grid: a run file to make students by.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Its name in the table, and its folder's.
    pub name: String,
    /// What it is, in a line under the table.
    pub description: String,
    /// What it counts as in `study.csv`; cells of one method differ in their size.
    pub method: String,
    /// Students, with seeds from the run file's on.
    pub students: usize,
    /// What to do.
    pub run: RunFile,
    /// What errors call it.
    pub(crate) label: String,
}

impl StudyFile {
    /// Reads and checks a study file; returns it with its cells, variants first.
    ///
    /// # Errors
    /// If it or a cell is not sound: names all that is wrong, with file, line and cell.
    pub fn load(path: &Path) -> anyhow::Result<(Self, Vec<Cell>)> {
        let text = text::read(path).with_context(|| format!("study file {}", path.display()))?;
        let placed = |place: usize, fault: &str| {
            let line = 1 + text[..place.min(text.len())].matches('\n').count();
            format!("{}:{line}: {fault}", path.display())
        };
        let study: Self = toml::from_str(&text).map_err(|error| {
            let place = error.span().map_or(0, |span| span.start);
            anyhow::anyhow!(placed(place, error.message()))
        })?;
        let mut findings = Findings::default();
        let mut faults = Vec::new();
        let planned = study.planned(&mut faults);
        for Fault { place, text } in &faults {
            findings.problem(placed(*place, text));
        }
        let base = || {
            let base = text::read(&study.run)?;
            anyhow::Ok(base.parse::<Table>()?)
        };
        let base = base().with_context(|| format!("run file {}", study.run.display()));
        let Some(base) = findings.take(base) else {
            return Err(findings.told_problems().expect_err("there is one"));
        };
        let mut cells = Vec::new();
        // The same key may be wrong in many cells: it is told once.
        let mut wrong: BTreeMap<(usize, String), Vec<&Planned<'_>>> = BTreeMap::new();
        for plan in &planned {
            match study.cell(&base, plan) {
                Ok(cell) => cells.push((plan, cell)),
                Err(faults) => {
                    for Fault { place, text } in faults {
                        wrong.entry((place, text)).or_default().push(plan);
                    }
                }
            }
        }
        for ((place, text), of) in wrong {
            let others = match of.len() {
                1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            let (kind, name) = (of[0].kind, &of[0].name);
            findings.problem(placed(place, &format!("{kind} {name}{others}: {text}")));
        }
        for Fault { place, text } in alike(&cells)? {
            findings.problem(placed(place, &text));
        }
        findings.told_problems()?;
        let cells = cells.into_iter().map(|(_, cell)| cell).collect();
        Ok((study, cells))
    }

    /// The cells by their names and changes; adds what is wrong with them.
    fn planned(&self, faults: &mut Vec<Fault>) -> Vec<Planned<'_>> {
        let students = *self.students.get_ref();
        if students == 0 {
            let fault = "students = 0, expected at least 1";
            faults.push(Fault::at(&self.students, fault));
        }
        let variants = self.variants.iter().map(|variant| {
            let (remove, set) = (&variant.remove, &variant.set);
            let method = variant.method.as_ref().unwrap_or(&variant.name);
            Planned {
                kind: "variant",
                name: variant.name.get_ref().clone(),
                description: variant.description.clone(),
                method: method.get_ref().clone(),
                students,
                place: variant.name.span().start,
                changes: vec![Change { remove, set }],
            }
        });
        let mut planned: Vec<_> = variants.collect();
        for Variant { name, method, .. } in &self.variants {
            faults.extend(refused("variant.name", name));
            faults.extend(method.as_ref().and_then(|it| refused("variant.method", it)));
        }
        for grid in &self.grids {
            planned.extend(grid.cells(students, faults));
        }
        let mut known = BTreeSet::new();
        for plan in &planned {
            if !known.insert(&plan.name) {
                faults.push(Fault {
                    place: plan.place,
                    text: format!("two {}s are called {}", plan.kind, plan.name),
                });
            }
        }
        // Where a grid is not sound, its cells are not known.
        if faults.is_empty() && !known.contains(self.reference.get_ref()) {
            let text = format!(
                "reference = {:?}, expected the name of a variant, or of a cell of a grid",
                self.reference.get_ref()
            );
            faults.push(Fault::at(&self.reference, text));
        }
        planned
    }

    /// Makes the run file of a cell.
    fn cell(&self, base: &Table, plan: &Planned<'_>) -> Result<Cell, Vec<Fault>> {
        let all = Change {
            remove: &self.remove,
            set: &self.set,
        };
        let changes: Vec<_> = [all].iter().chain(&plan.changes).copied().collect();
        let mut table = base.clone();
        let applied = changes.iter().filter_map(|it| it.apply(&mut table).err());
        let faults: Vec<Fault> = applied.flatten().collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        table.insert("repetitions".to_owned(), (plan.students as i64).into());
        let fault = |text: String| {
            let place = changes.iter().rev().find_map(|it| it.place_of(&text));
            let place = place.unwrap_or(plan.place);
            Fault { place, text }
        };
        let text = toml::to_string(&table).map_err(|error| vec![fault(error.to_string())])?;
        let settings: RunSettings =
            toml::from_str(&text).map_err(|error| vec![fault(error.message().to_owned())])?;
        let faults: Vec<Fault> = settings.faults().into_iter().map(fault).collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        let run = RunFile::of_table(&table).map_err(|error| vec![fault(format!("{error:#}"))])?;
        Ok(Cell {
            label: format!("{} {}", plan.kind, plan.name),
            name: plan.name.clone(),
            description: plan.description.clone(),
            method: plan.method.clone(),
            students: plan.students,
            run,
        })
    }

    /// Returns the place of the reference among the cells.
    pub fn reference(&self, cells: &[Cell]) -> usize {
        let place = cells
            .iter()
            .position(|cell| &cell.name == self.reference.get_ref());
        place.expect("checked when it was read")
    }
}

/// Finds cells of one method whose students have the same shape, so that `study.csv` could not tell them
/// apart, though their run files differ.
fn alike(cells: &[(&Planned<'_>, Cell)]) -> anyhow::Result<Vec<Fault>> {
    let mut known: BTreeMap<(&str, String), (&str, String)> = BTreeMap::new();
    let mut faults = Vec::new();
    for (plan, cell) in cells {
        let fingerprint = cell.run.fingerprint()?;
        let key = (cell.method.as_str(), shape(cell.run.text())?);
        let (name, of) = known
            .entry(key)
            .or_insert_with(|| (&cell.name, fingerprint.clone()));
        if *of != fingerprint {
            faults.push(Fault {
                place: plan.place,
                text: format!(
                    "{} is of method {} and has the student of {name}, and study.csv could not tell them apart: \
                     expected a method of its own",
                    cell.label, cell.method
                ),
            });
        }
    }
    Ok(faults)
}

/// What a run file says of the shape of its student: which model, and how many layers of it.
fn shape(run: &str) -> anyhow::Result<String> {
    let run: Table = run.parse()?;
    let student = run.get("student").and_then(Value::as_table);
    let layers = run.get("distill").and_then(|it| it.get("layers"));
    let layers = student.and_then(|it| it.get("layers")).or(layers);
    let layers = match layers {
        Some(Value::Array(layers)) => layers.len().to_string(),
        Some(Value::Integer(layers)) => layers.to_string(),
        layers => format!("{layers:?}"),
    };
    let model = student.and_then(|it| it.get("model"));
    let model = model.or(run.get("model"));
    Ok(format!("{model:?} {layers}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
    fn loaded(head: &str, variants: &str) -> anyhow::Result<(StudyFile, Vec<Cell>)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("study.toml");
        let text = format!("title = 'T'\nrun = '{RUN}'\nkeep_students = false\n{head}\n{variants}");
        std::fs::write(&path, text).unwrap();
        StudyFile::load(&path)
    }

    #[test]
    fn each_variant_is_a_run_file_of_its_own() {
        let (study, cells) = loaded("students = 2\nreference = 'short'", VARIANTS).unwrap();
        assert_eq!(study.reference(&cells), 1);
        let runs: Vec<RunFile> = cells.into_iter().map(|cell| cell.run).collect();
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
        let (_, cells) = loaded(head, VARIANTS).unwrap();
        let steps = cells.iter().map(|cell| cell.run.distill.training.steps);
        assert_eq!(steps.collect::<Vec<_>>(), [4, 3, 4]);
    }

    const GRID: &str = r#"
[[grid]]
students = 3
[[grid.factor]]
name = "layers"
values = [
    { name = "2", set = { "distill.layers" = 2 } },
    { name = "12", set = { "distill.layers" = 12 } },
]
[[grid.factor]]
name = "method"
values = [
    { name = "optical" },
    { name = "short", set = { "distill.training.steps" = 3 } },
]
[[grid]]
name = "control"
method = "optical-{steps}"
[[grid.factor]]
name = "steps"
values = [{ name = "3", set = { "distill.training.steps" = 3 } }]
"#;

    #[test]
    fn grids_are_cells_beside_the_variants() {
        let (study, cells) = loaded("students = 2\nreference = '12-optical'", GRID).unwrap();
        let found: Vec<_> = cells
            .iter()
            .map(|it| {
                (
                    it.name.as_str(),
                    it.method.as_str(),
                    it.students,
                    it.run.repetitions,
                )
            })
            .collect();
        let expected = [
            ("2-optical", "optical", 3, 3),
            ("2-short", "short", 3, 3),
            ("12-optical", "optical", 3, 3),
            ("12-short", "short", 3, 3),
            ("control-3", "optical-3", 2, 2),
        ];
        assert_eq!(found, expected);
        assert_eq!(study.reference(&cells), 2);
        // A variant and a cell that change the same are the same, by whatever way.
        let fingerprint = |cell: &Cell| cell.run.fingerprint().unwrap();
        assert_eq!(fingerprint(&cells[3]), fingerprint(&cells[4]));
        let (_, variants) = loaded("students = 2\nreference = 'same'", VARIANTS).unwrap();
        assert_eq!(fingerprint(&cells[2]), fingerprint(&variants[0]));
        assert_eq!(fingerprint(&cells[3]), fingerprint(&variants[1]));
    }

    /// Each with its line, and what is wrong in several cells once.
    #[test]
    fn all_that_is_wrong_with_grids_is_told_at_once() {
        let both = GRID.replace("\"distill.layers\" = 2 ", "\"distill.layrs\" = 2 ");
        let both = both.replacen("steps\" = 3", "steps\" = 0", 1);
        let head = "students = 1\nreference = '12-optical'";
        let same = GRID.replace("optical-{steps}", "short");
        let alike = same.replace("steps\" = 3 } }]", "steps\" = 4 } }]");
        loaded(head, &same).unwrap();
        let name = "name = \"12\"";
        for (head, grids, expected) in [
            (
                head,
                &both,
                &[
                    "study.toml:12: cell 2-optical and 1 more: unknown field `layrs`",
                    "study.toml:19: cell 12-short: distill.training.steps = 0, expected",
                ][..],
            ),
            (
                head,
                &alike,
                &[
                    "study.toml:26: cell control-3 is of method short and has the student of 12-short",
                ],
            ),
            (
                head,
                &GRID.replace(name, "nam = \"12\""),
                &["study.toml:13: unknown field `nam`"],
            ),
            (
                head,
                &GRID
                    .replace("\"control\"", "\"12\"")
                    .replace("name = \"3\"", "name = \"short\""),
                &["study.toml:26: two cells are called 12-short"],
            ),
            (
                "students = 0\nreference = '12-optical'",
                &GRID
                    .replace("students = 3", "students = 0")
                    .replace("{steps}", "{step}"),
                &[
                    "study.toml:4: students = 0, expected at least 1",
                    "study.toml:8: grid.students = 0, expected at least 1",
                    "study.toml:23: grid.method = \"optical-{step}\", expected",
                ],
            ),
            (
                "students = 1\nreference = '12'",
                &GRID.to_owned(),
                &["study.toml:5: reference = \"12\", expected the name of a variant, or of a cell"],
            ),
            (
                "students = 1\nreference = '12-optical'\nremove = ['distill.sum']",
                &GRID.to_owned(),
                &[
                    "study.toml:6: cell 2-optical and 4 more: remove: the run file has no distill.sum",
                ],
            ),
        ] {
            let error = format!("{:#}", loaded(head, grids).unwrap_err());
            for expected in expected {
                assert!(error.contains(expected), "{expected}: {error}");
            }
            let count = error.matches("study.toml:").count();
            assert_eq!(count, expected.len(), "{error}");
        }
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
