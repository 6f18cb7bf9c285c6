//! Grids: factors with values, and a cell for each combination of them.

use serde::Deserialize;
use toml::Spanned;

use crate::change::{Change, Fault, Removed, Set};

/// What is crossed with what, as written under `[[grid]]` in a study file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Begins the names of its cells.
    name: Option<Spanned<String>>,
    /// The method of its cells, in which `{FACTOR}` stands for the name of that factor's value; without
    /// it, `{method}`.
    method: Option<Spanned<String>>,
    /// Students of each cell, where it is another number than the study's.
    students: Option<Spanned<usize>>,
    /// Keys that go in each of its cells.
    #[serde(default)]
    remove: Removed,
    /// Keys with other values in each of its cells, before those of its factors.
    #[serde(default)]
    set: Set,
    /// What is crossed.
    #[serde(rename = "factor")]
    factors: Vec<Factor>,
}

/// Something that cells differ in.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Factor {
    /// What `method` calls it.
    name: Spanned<String>,
    /// Its values.
    values: Spanned<Vec<Level>>,
}

/// A value of a factor.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Level {
    /// Its part of the name of a cell.
    name: Spanned<String>,
    /// What it is, in words.
    #[serde(default)]
    description: String,
    /// Keys that go.
    #[serde(default)]
    remove: Removed,
    /// Keys with other values.
    #[serde(default)]
    set: Set,
}

/// A cell before its run file is made.
#[derive(Debug, Clone)]
pub(crate) struct Planned<'a> {
    /// What errors call it, before its name.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) method: String,
    pub(crate) students: usize,
    /// Where the study file has it.
    pub(crate) place: usize,
    /// First first.
    pub(crate) changes: Vec<Change<'a>>,
}

impl Grid {
    /// Returns a cell for each combination, values of the last factor changing first; adds what is wrong
    /// with the grid itself, where there may be none.
    pub(crate) fn cells(&self, students: usize, faults: &mut Vec<Fault>) -> Vec<Planned<'_>> {
        let before = faults.len();
        self.check(faults);
        if before < faults.len() {
            return Vec::new();
        }
        let students = self.students.as_ref().map_or(students, |it| *it.get_ref());
        let mut chosen: Vec<Vec<&Level>> = vec![Vec::new()];
        for factor in &self.factors {
            let with = |before: Vec<_>| {
                let levels = factor.values.get_ref().iter();
                levels.map(move |level| before.iter().copied().chain([level]).collect())
            };
            chosen = chosen.into_iter().flat_map(with).collect();
        }
        let cells = chosen
            .into_iter()
            .map(|levels| self.cell(&levels, students));
        cells.collect()
    }

    fn cell<'a>(&'a self, levels: &[&'a Level], students: usize) -> Planned<'a> {
        let mut method = self.template().to_owned();
        for (factor, level) in self.factors.iter().zip(levels) {
            let stands = format!("{{{}}}", factor.name.get_ref());
            method = method.replace(&stands, level.name.get_ref());
        }
        let names = levels.iter().map(|level| &level.name);
        let names: Vec<&str> = self
            .name
            .iter()
            .chain(names)
            .map(|it| it.get_ref().as_str())
            .collect();
        let described = levels.iter().map(|level| level.description.as_str());
        let described: Vec<_> = described.filter(|it| !it.is_empty()).collect();
        let (remove, set) = (&self.remove, &self.set);
        let changes = levels
            .iter()
            .map(|Level { remove, set, .. }| Change { remove, set });
        Planned {
            kind: "cell",
            name: names.join("-"),
            description: described.join("; "),
            method,
            students,
            place: levels[0].name.span().start,
            changes: [Change { remove, set }]
                .into_iter()
                .chain(changes)
                .collect(),
        }
    }

    fn template(&self) -> &str {
        self.method.as_ref().map_or("{method}", |it| it.get_ref())
    }

    fn check(&self, faults: &mut Vec<Fault>) {
        if let Some(students) = &self.students
            && *students.get_ref() == 0
        {
            faults.push(Fault::at(
                students,
                "grid.students = 0, expected at least 1",
            ));
        }
        faults.extend(
            self.name
                .as_ref()
                .and_then(|name| refused("grid.name", name)),
        );
        let mut known: Vec<&str> = Vec::new();
        for Factor { name, values } in &self.factors {
            faults.extend(refused("grid.factor.name", name));
            if known.contains(&name.get_ref().as_str()) {
                let text = format!("two factors of the grid are called {}", name.get_ref());
                faults.push(Fault::at(name, text));
            }
            known.push(name.get_ref());
            if values.get_ref().is_empty() {
                let text = format!(
                    "factor {}: values = [], expected at least one",
                    name.get_ref()
                );
                faults.push(Fault::at(values, text));
            }
            let mut levels: Vec<&str> = Vec::new();
            for level in values.get_ref() {
                faults.extend(refused("grid.factor.values.name", &level.name));
                if levels.contains(&level.name.get_ref().as_str()) {
                    let (factor, level) = (name.get_ref(), level.name.get_ref());
                    let text = format!("two values of factor {factor} are called {level}");
                    faults.push(Fault::at(name, text));
                }
                levels.push(level.name.get_ref());
            }
        }
        self.check_method(&known, faults);
    }

    /// Refuses a method with names that are none of the factors.
    fn check_method(&self, known: &[&str], faults: &mut Vec<Fault>) {
        let mut rest = self.template().to_owned();
        for factor in known {
            rest = rest.replace(&format!("{{{factor}}}"), "");
        }
        let place = self.method.as_ref().map(|it| it.span().start);
        let place = place.or_else(|| Some(self.factors.first()?.name.span().start));
        let place = place.unwrap_or_default();
        let factors = known.join(", ");
        let mut fault = |text| faults.push(Fault { place, text });
        if known.is_empty() {
            fault("a grid has no factor, expected a [[grid.factor]] below it".to_owned());
        } else if self.method.is_none() && !rest.is_empty() {
            fault(format!(
                "the grid has no factor method among {factors}: expected one, or grid.method"
            ));
        } else if !rest.chars().all(is_plain) {
            fault(format!(
                "grid.method = {:?}, expected letters, digits, '-', '_', '.', and names of its factors \
                 in braces: {factors}",
                self.template()
            ));
        }
    }
}

/// Whether a letter may be part of a name: it becomes part of a path.
pub(crate) fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_.".contains(letter)
}

/// Says why a name cannot be that of a folder.
pub(crate) fn refused(key: &str, name: &Spanned<String>) -> Option<Fault> {
    let text = name.get_ref();
    let is_sound = !text.is_empty() && text.chars().all(is_plain) && !text.starts_with('.');
    (!is_sound).then(|| {
        let text = format!("{key} = {text:?}, expected letters, digits, '-', '_' and '.'");
        Fault::at(name, text)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GRID: &str = r#"
name = "random"
method = "{method}-random"
set."weights" = "random"
[[factor]]
name = "layers"
values = [{ name = "3", description = "three" }, { name = "6" }]
[[factor]]
name = "method"
values = [{ name = "optical", description = "plans" }, { name = "zero", set = { steps = 0 } }]
"#;

    #[test]
    fn every_combination_is_a_cell() {
        let grid: Grid = toml::from_str(GRID).unwrap();
        let mut faults = Vec::new();
        let cells = grid.cells(2, &mut faults);
        assert_eq!(faults, []);
        let found: Vec<_> = cells
            .iter()
            .map(|it| {
                (
                    it.name.as_str(),
                    it.method.as_str(),
                    it.description.as_str(),
                )
            })
            .collect();
        let expected = [
            ("random-3-optical", "optical-random", "three; plans"),
            ("random-3-zero", "zero-random", "three"),
            ("random-6-optical", "optical-random", "plans"),
            ("random-6-zero", "zero-random", ""),
        ];
        assert_eq!(found, expected);
        assert!(cells.iter().all(|it| it.students == 2));
        let mut run = toml::Table::new();
        cells[3]
            .changes
            .iter()
            .for_each(|it| it.apply(&mut run).unwrap());
        assert_eq!(run, "weights = 'random'\nsteps = 0".parse().unwrap());
        let own: Grid = toml::from_str(&format!("students = 5\n{GRID}")).unwrap();
        assert!(own.cells(2, &mut faults).iter().all(|it| it.students == 5));
    }

    /// All of a grid's faults come together, each with its line.
    #[test]
    fn what_is_wrong_with_a_grid_is_named() {
        let without_method = "[[factor]]\nname = 'a'\nvalues = [{ name = 'x' }]";
        let bad = "students = 0\nname = '../up'\nmethod = '{method}-{size}'\n[[factor]]\nname = 'a b'\nvalues = []\n\
                   [[factor]]\nname = 'c'\nvalues = [{ name = 'x' }, { name = 'x' }]\n[[factor]]\nname = 'c'\n\
                   values = [{ name = '.y' }]";
        for (text, expected) in [
            ("factor = []", vec![(1, "a grid has no factor")]),
            (
                without_method,
                vec![(2, "the grid has no factor method among a")],
            ),
            (
                bad,
                vec![
                    (1, "grid.students = 0, expected at least 1"),
                    (2, "grid.name = \"../up\", expected letters"),
                    (5, "grid.factor.name = \"a b\""),
                    (6, "factor a b: values = [], expected at least one"),
                    (8, "two values of factor c are called x"),
                    (11, "two factors of the grid are called c"),
                    (12, "grid.factor.values.name = \".y\""),
                    (3, "grid.method = \"{method}-{size}\", expected letters"),
                ],
            ),
        ] {
            let grid: Grid = toml::from_str(text).unwrap();
            let mut faults = Vec::new();
            assert!(grid.cells(1, &mut faults).is_empty());
            assert_eq!(faults.len(), expected.len(), "{faults:?}");
            for (fault, (line, text_of)) in faults.iter().zip(expected) {
                assert!(fault.text.starts_with(text_of), "{fault:?}");
                assert_eq!(
                    1 + text[..fault.place].matches('\n').count(),
                    line,
                    "{fault:?}"
                );
            }
        }
        let unknown = toml::from_str::<Grid>("[[factor]]\nname = 'a'\nlevels = []").unwrap_err();
        assert!(
            unknown.message().contains("unknown field `levels`"),
            "{unknown}"
        );
    }
}
