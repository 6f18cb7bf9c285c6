//! Aligned verses as bitext, without any that a test query may be made of.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Bible;
use crate::bitext::records::DataRoots;
use crate::error::CorpusError;
use crate::intake::Intake;
use crate::report::DropReason;

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
    pub(crate) fn read(&self, roots: &DataRoots, into: &mut Intake<'_>) -> Result<(), CorpusError> {
        if self.editions.is_empty() {
            return Err(CorpusError::EmptyList("editions"));
        }
        let bible = Bible::open(&self.manifest, roots)?;
        let english = bible.verses(&self.english_edition, "eng")?;
        let asking = bible.references()?;
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
            let mut file = into.file(&bible.path, language)?;
            for (verse, foreign) in editions.iter().flatten() {
                let english = english.get(verse).and_then(Option::as_deref);
                let sides = [english, foreign.as_deref()];
                let [english, foreign] = sides.map(Option::unwrap_or_default);
                if asking.contains_key(verse) {
                    file.drop(DropReason::HeldOut, english, foreign);
                } else if !english.is_empty() && held_out.contains(foreign) {
                    file.drop(DropReason::HeldOutText, english, foreign);
                } else {
                    file.pair(english, foreign)?;
                }
            }
            file.end()?;
        }
        Ok(())
    }
}
