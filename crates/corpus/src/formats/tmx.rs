//! Translation memories (TMX 1.4): units of segments, each in a language.
//!
//! A memory is UTF-8, or UTF-16 with a mark. A unit whose XML is broken is a bad line, and reading
//! resumes at the next one; an ampersand that begins no reference stands for itself.

mod units;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use self::units::{Unit, Units};
use crate::bitext::error::BitextError;
use crate::bitext::records::DataRoots;
use crate::error::{CorpusError, LineProblem};
use crate::formats::files::called_in;
use crate::intake::Intake;

/// A translation memory, as named in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tmx {
    /// The file, with `{language}` where files of several languages differ.
    pub file: String,
    /// What it calls English: `en` is for `en-GB`, too, and `en_US` for `en-US`.
    pub english: String,
    /// What it calls the other language, in which `{language}` stands for the ISO 639-3 code.
    pub foreign: String,
    /// The languages to read, by their ISO 639-3 codes.
    pub languages: Vec<String>,
}

impl Tmx {
    pub(crate) fn read(&self, roots: &DataRoots, into: &mut Intake<'_>) -> Result<(), CorpusError> {
        for (language, file, tag) in called_in(&self.file, &self.foreign, &self.languages)? {
            let path = roots.named(&file);
            let tags = [self.english.clone(), tag];
            let mut found = BTreeSet::new();
            let mut units = Units::open(&path)?;
            let mut file = into.file(&path, &language)?;
            while let Some((line, unit)) = units.next()? {
                file.go_to(line);
                let sides = unit.and_then(|unit| {
                    for variant in &unit {
                        if !found.contains(&variant.tag) {
                            found.insert(variant.tag.clone());
                        }
                    }
                    Ok([side(&unit, &tags[0])?, side(&unit, &tags[1])?])
                });
                match sides {
                    Ok([english, foreign]) => file.pair(&english, &foreign)?,
                    Err(problem) => file.bad(problem),
                }
            }
            file.end()?;
            for tag in tags {
                if !found.iter().any(|found| is_of(found, &tag)) {
                    let found = found.into_iter().collect();
                    return Err(BitextError::NoLanguage { path, tag, found }.into());
                }
            }
        }
        Ok(())
    }
}

/// Returns the segment of a language: of several, the first; empty where the unit has none.
fn side(unit: &Unit, tag: &str) -> Result<String, LineProblem> {
    let variant = unit.iter().find(|variant| is_of(&variant.tag, tag));
    let Some(variant) = variant else {
        return Ok(String::new());
    };
    let text = variant.text.clone();
    text.ok_or_else(|| LineProblem::Xml(format!("the <tuv> of {} has no <seg>", variant.tag)))
}

/// Whether a language tag is `wanted` or a regional kind of it.
fn is_of(tag: &str, wanted: &str) -> bool {
    let plain = |tag: &str| tag.to_ascii_lowercase().replace('_', "-");
    let (tag, wanted) = (plain(tag), plain(wanted));
    let rest = tag.strip_prefix(&wanted);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests;
