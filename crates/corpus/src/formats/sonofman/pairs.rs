//! Aligned verses as bitext, without any that a test query may be made of.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Bible;
use crate::bitext::{BitextReport, DataRoots, SentencePair};
use crate::error::CorpusError;

/// Bitext of Bible editions, as named in a run file.
///
/// Every verse with a cross-reference may become a query of [`super::BibleCut`], so none of them
/// is here, and no verse that repeats one of them word by word in its edition's language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BibleBitext {
    /// The manifest of the data set.
    pub manifest: PathBuf,
    /// The editions to read for each language, by the ISO 639-3 code.
    pub editions: BTreeMap<String, Vec<String>>,
    /// The edition on the English side.
    pub english_edition: String,
}

impl BibleBitext {
    pub(crate) fn read(
        &self,
        roots: &DataRoots,
        report: &mut BitextReport,
    ) -> Result<Vec<SentencePair>, CorpusError> {
        if self.editions.is_empty() {
            return Err(CorpusError::EmptyList("editions"));
        }
        let bible = Bible::open(&self.manifest, roots)?;
        let english = bible.verses(&self.english_edition, "eng")?;
        let asking = bible.references()?;
        let mut pairs = Vec::new();
        for (language, editions) in &self.editions {
            let editions: Vec<_> = editions
                .iter()
                .map(|edition| bible.verses(edition, language))
                .collect::<Result<_, _>>()?;
            let held_out: HashSet<&str> = editions
                .iter()
                .flatten()
                .filter(|(verse, _)| asking.contains_key(verse))
                .filter_map(|(_, text)| text.as_deref())
                .collect();
            let counts = report.of(language);
            for (verse, foreign) in editions.iter().flatten() {
                counts.read += 1;
                let sides = (english.get(verse).and_then(Option::as_ref), foreign);
                if asking.contains_key(verse) {
                    counts.held_out += 1;
                } else if let (Some(english), Some(foreign)) = sides {
                    if held_out.contains(foreign.as_str()) {
                        counts.held_out_text += 1;
                    } else {
                        counts.kept += 1;
                        let (english, foreign) = (english.clone(), foreign.clone());
                        pairs.push(SentencePair {
                            english,
                            foreign,
                            language: language.clone(),
                        });
                    }
                } else {
                    counts.empty += 1;
                }
            }
        }
        Ok(pairs)
    }
}
