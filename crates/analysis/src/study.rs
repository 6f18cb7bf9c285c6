//! What a study has: methods at sizes, each a cell of seeds, the same languages and topics in all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::table::{Row, Table};

/// The groups that are compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Groups {
    /// Names of low-resource groups, `low` if there are none; several count as one for gaps.
    pub low: Vec<String>,
    /// Names of high-resource groups, `high` if there are none; several count as one for gaps.
    pub high: Vec<String>,
}

/// Why the rows of a table are not a study.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub struct StudyError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Box<StudyFault>,
}

/// What is wrong with the rows, by the names that are concerned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StudyFault {
    /// A group to be compared has no row.
    #[error("has no row of group {group}, only of {}", others.join(", "))]
    NoGroup {
        /// The group.
        group: String,
        /// The groups that are there.
        others: Vec<String>,
    },
    /// A group is named twice.
    #[error("group {0} is named twice among those compared")]
    GroupTwice(String),
    /// A name is a key of the answer, where it would stand beside that key.
    #[error("{kind} {name} has a name that is a key of the answer: give it another one")]
    Reserved {
        /// `language` or `group`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A language is in two groups.
    #[error("language {language} is in the groups {first} and {second}")]
    TwoGroups {
        /// The language.
        language: String,
        /// A group of it.
        first: String,
        /// Another one.
        second: String,
    },
    /// A cell lacks a language that others have.
    #[error("method {method} at size {size} has no language {language}, which other cells have")]
    Language {
        /// The method.
        method: String,
        /// Its size in parameters.
        size: f64,
        /// The language.
        language: String,
    },
    /// The languages of a cell have different seeds.
    #[error(
        "method {method} at size {size} has no seed {seed:?} in language {language}, but in others"
    )]
    Seeds {
        /// The method.
        method: String,
        /// Its size in parameters.
        size: f64,
        /// The seed.
        seed: String,
        /// The language.
        language: String,
    },
    /// Topics of a language differ between cells or seeds.
    #[error(
        "method {method} at size {size} with seed {seed:?} has no topic {topic:?} of language {language}, which other cells or seeds have"
    )]
    Topics {
        /// The method.
        method: String,
        /// Its size in parameters.
        size: f64,
        /// The seed.
        seed: String,
        /// The language.
        language: String,
        /// The topic.
        topic: String,
    },
    /// The topics of two languages overlap in part.
    #[error(
        "languages {first} and {second} share the topic {topic:?}, but not all topics: parallel languages have the same ones"
    )]
    Overlap {
        /// A language.
        first: String,
        /// Another one.
        second: String,
        /// A topic of both.
        topic: String,
    },
}

/// Keys of the mixed model, beside which groups stand by their names.
const KEYS_OF_GROUPS: [&str; 7] = [
    "intercept",
    "intercept_se",
    "slope",
    "slope_se",
    "sigma2",
    "d",
    "log_likelihood",
];

/// Keys of the power laws, beside which languages stand by their names.
const KEYS_OF_LANGUAGES: [&str; 2] = ["low", "high"];

/// What a language is compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Low,
    High,
    /// Its means are shown, and no more.
    Shown,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Language {
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) side: Side,
    /// The set of its topics, shared with languages that are parallel to it.
    pub(crate) topics: usize,
}

/// One method at one size.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    pub(crate) size: f64,
    pub(crate) seeds: usize,
    /// For each language the values of its topics, one seed after the other.
    pub(crate) values: Vec<Vec<f64>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Method {
    pub(crate) name: String,
    /// By rising size.
    pub(crate) cells: Vec<Cell>,
}

/// Values of methods at sizes: in each cell the same languages, and in each language the same topics.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// By name.
    pub(crate) methods: Vec<Method>,
    /// By name.
    pub(crate) languages: Vec<Language>,
    /// Number of topics of each set.
    pub(crate) topics: Vec<usize>,
    pub(crate) has_topics: bool,
    /// The groups compared, the first high one first.
    pub(crate) groups: Vec<String>,
    left_out: Vec<String>,
}

impl Study {
    /// Takes the rows of the compared groups from a table.
    ///
    /// Where `groups` names none, `low` and `high` are compared and the means of `control` are shown.
    ///
    /// # Errors
    /// If a group has no row or is named twice, a name is a key of the answer, a language is in two groups, a cell lacks a language,
    /// seed or topic that others have, or topics of two languages overlap in part.
    pub fn new(table: &Table, groups: &Groups) -> Result<Self, StudyError> {
        arrange(table, groups).map_err(|fault| StudyError {
            path: table.path().to_owned(),
            fault: Box::new(fault),
        })
    }

    /// Returns the groups of the table that nobody named, by name.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Says whether a language is compared as a low-resource one; `None` if it is not compared.
    #[must_use]
    pub fn side_of(&self, language: &str) -> Option<bool> {
        let known = self.languages.iter().find(|it| it.name == language)?;
        (known.side != Side::Shown).then_some(known.side == Side::Low)
    }

    /// Returns the places of the languages of a side.
    pub(crate) fn side(&self, side: Side) -> Vec<usize> {
        let languages = self.languages.iter().enumerate();
        languages
            .filter(|(_, language)| language.side == side)
            .map(|(place, _)| place)
            .collect()
    }
}

fn reserved(kind: &'static str, name: &str, keys: &[&str]) -> Result<(), StudyFault> {
    if keys.contains(&name) {
        let name = name.to_owned();
        return Err(StudyFault::Reserved { kind, name });
    }
    Ok(())
}

/// Which side each group is on.
fn sides(table: &Table, groups: &Groups) -> Result<Vec<(String, Side)>, StudyFault> {
    let or = |names: &[String], default: &str| {
        if names.is_empty() {
            vec![default.to_owned()]
        } else {
            names.to_vec()
        }
    };
    let high = or(&groups.high, "high")
        .into_iter()
        .map(|it| (it, Side::High));
    let low = or(&groups.low, "low").into_iter().map(|it| (it, Side::Low));
    let mut sides: Vec<(String, Side)> = high.chain(low).collect();
    let present: BTreeSet<&str> = table
        .rows()
        .iter()
        .map(|row| table.name(row.group))
        .collect();
    for (place, (group, _)) in sides.iter().enumerate() {
        reserved("group", group, &KEYS_OF_GROUPS)?;
        if !present.contains(&**group) {
            return Err(StudyFault::NoGroup {
                group: group.clone(),
                others: present.iter().map(|&it| it.to_owned()).collect(),
            });
        }
        if sides[..place].iter().any(|(other, _)| other == group) {
            return Err(StudyFault::GroupTwice(group.clone()));
        }
    }
    if groups.low.is_empty() && groups.high.is_empty() {
        sides.push(("control".to_owned(), Side::Shown));
    }
    Ok(sides)
}

fn arrange(table: &Table, groups: &Groups) -> Result<Study, StudyFault> {
    let mut group_of: BTreeMap<u32, u32> = BTreeMap::new();
    for row in table.rows() {
        let group = *group_of.entry(row.language).or_insert(row.group);
        if group != row.group {
            return Err(StudyFault::TwoGroups {
                language: table.name(row.language).to_owned(),
                first: table.name(group).to_owned(),
                second: table.name(row.group).to_owned(),
            });
        }
    }
    let sides = sides(table, groups)?;
    let side = |group: u32| {
        let mut sides = sides.iter();
        sides
            .find(|(name, _)| name == table.name(group))
            .map(|it| it.1)
    };
    let names: BTreeSet<&str> = group_of
        .values()
        .filter(|group| side(**group).is_none())
        .map(|&group| table.name(group))
        .collect();
    let left_out = names.into_iter().map(str::to_owned).collect();
    // Places of names have the order of names.
    let kept: Vec<(u32, u32, Side)> = group_of
        .iter()
        .filter_map(|(&language, &group)| Some((language, group, side(group)?)))
        .collect();
    for &(language, ..) in &kept {
        reserved("language", table.name(language), &KEYS_OF_LANGUAGES)?;
    }
    let place = |language: u32| kept.binary_search_by_key(&language, |it| it.0).ok();
    let rows = table.rows().iter();
    let rows: Vec<&Row> = rows.filter(|row| place(row.language).is_some()).collect();
    let topics = Topics::of(table, &rows)?;
    let mut methods: Vec<Method> = Vec::new();
    for cell in rows.chunk_by(|a, b| (a.method, a.size) == (b.method, b.size)) {
        let name = table.name(cell[0].method);
        let cell = self::cell(table, cell, &kept, &topics)?;
        match methods.last_mut() {
            Some(method) if method.name == name => method.cells.push(cell),
            _ => methods.push(Method {
                name: name.to_owned(),
                cells: vec![cell],
            }),
        }
    }
    let languages = kept.iter().map(|&(language, group, side)| Language {
        name: table.name(language).to_owned(),
        group: table.name(group).to_owned(),
        side,
        topics: topics.set_of[&language],
    });
    let compared = sides.iter().filter(|(_, side)| *side != Side::Shown);
    Ok(Study {
        methods,
        languages: languages.collect(),
        topics: topics.sets.iter().map(Vec::len).collect(),
        has_topics: rows
            .first()
            .is_some_and(|row| !table.name(row.topic).is_empty()),
        groups: compared.map(|(name, _)| name.clone()).collect(),
        left_out,
    })
}

/// The sets of topics, and which set each language has.
struct Topics {
    sets: Vec<Vec<u32>>,
    set_of: BTreeMap<u32, usize>,
}

impl Topics {
    /// Takes the topics of each language in all cells together.
    fn of(table: &Table, rows: &[&Row]) -> Result<Self, StudyFault> {
        let mut of_language: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for run in rows.chunk_by(|a, b| a.language == b.language) {
            let topics = of_language.entry(run[0].language).or_default();
            topics.extend(run.iter().map(|row| row.topic));
        }
        let mut places: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
        let mut owner: BTreeMap<u32, (usize, u32)> = BTreeMap::new();
        let (mut sets, mut set_of) = (Vec::new(), BTreeMap::new());
        for (language, topics) in of_language {
            let topics: Vec<u32> = topics.into_iter().collect();
            let set = *places.entry(topics).or_insert_with_key(|topics| {
                sets.push(topics.clone());
                sets.len() - 1
            });
            set_of.insert(language, set);
            for &topic in &sets[set] {
                let (other_set, other) = *owner.entry(topic).or_insert((set, language));
                if other_set != set {
                    return Err(StudyFault::Overlap {
                        first: table.name(other).to_owned(),
                        second: table.name(language).to_owned(),
                        topic: table.name(topic).to_owned(),
                    });
                }
            }
        }
        Ok(Self { sets, set_of })
    }
}

fn cell(
    table: &Table,
    rows: &[&Row],
    kept: &[(u32, u32, Side)],
    topics: &Topics,
) -> Result<Cell, StudyFault> {
    let (method, size) = (|| table.name(rows[0].method).to_owned(), rows[0].size);
    let seeds: BTreeSet<u32> = rows.iter().map(|row| row.seed).collect();
    let mut runs = rows.chunk_by(|a, b| a.language == b.language).peekable();
    let mut values = Vec::with_capacity(kept.len());
    for &(language, ..) in kept {
        let name = || table.name(language).to_owned();
        let Some(run) = runs.next_if(|run| run[0].language == language) else {
            return Err(StudyFault::Language {
                method: method(),
                size,
                language: name(),
            });
        };
        let mut of_seed = run.chunk_by(|a, b| a.seed == b.seed).peekable();
        for &seed in &seeds {
            let Some(found) = of_seed.next_if(|found| found[0].seed == seed) else {
                return Err(StudyFault::Seeds {
                    method: method(),
                    size,
                    seed: table.name(seed).to_owned(),
                    language: name(),
                });
            };
            // A set has every topic of the language in any cell, so that one can only be missing.
            let set = &topics.sets[topics.set_of[&language]];
            let mut found = found.iter().map(|row| row.topic);
            if let Some(&missing) = set.iter().find(|topic| found.next() != Some(**topic)) {
                return Err(StudyFault::Topics {
                    method: method(),
                    size,
                    seed: table.name(seed).to_owned(),
                    language: name(),
                    topic: table.name(missing).to_owned(),
                });
            }
        }
        values.push(run.iter().map(|row| row.value).collect());
    }
    Ok(Cell {
        size,
        seeds: seeds.len(),
        values,
    })
}
