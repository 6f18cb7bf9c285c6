//! Mate retrieval as a test collection: a sentence asks for its translation among all English ones.
//!
//! For languages without questions and judgements of their own: with FLORES-101's devtest, 1,012
//! sentences per language (Goyal et al. 2022). Average precision is then the reciprocal rank of the
//! translation.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::lines::{collapse, read_lines};
use super::parallel_lines::{is_absent, languages_of, path_of};
use crate::bitext::records::DataRoots;
use crate::collection::records::{Collection, Document, Judgement, Origin, Query};
use crate::error::CorpusError;

/// Text files aligned by line number, as named in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mates {
    /// The folder that all files are below; without it, they are named like files of other layouts.
    #[serde(default, skip_serializing_if = "is_absent")]
    pub folder: PathBuf,
    /// The English file, one for all languages.
    pub english: String,
    /// The other file, with `{language}` where files of several languages differ.
    pub foreign: String,
    /// The languages to read, by their ISO 639-3 codes.
    pub languages: Vec<String>,
}

impl Mates {
    /// Reads the collection: documents are the English sentences, each once, under the number of its
    /// first line; queries are the others, under the language and the number of their line. There is no
    /// English version of a query: it would be the document.
    pub(crate) fn read(&self, roots: &DataRoots) -> Result<Collection, CorpusError> {
        let english_path = roots.resolve(&self.folder.join(&self.english));
        let english_file: Arc<Path> = english_path.as_path().into();
        let mut collection = Collection::default();
        // The document of each line; none for an empty line.
        let mut mates: Vec<Option<String>> = Vec::new();
        let mut first: HashMap<String, String> = HashMap::new();
        for (number, line) in (1_usize..).zip(read_lines(&english_path)?) {
            let text = collapse(&line);
            if text.is_empty() {
                mates.push(None);
                continue;
            }
            let id = first.entry(text.clone()).or_insert_with(|| {
                let id = number.to_string();
                collection.documents.push(Document {
                    id: id.clone(),
                    title: None,
                    text,
                    origin: origin(&english_file, number),
                });
                id
            });
            mates.push(Some(id.clone()));
        }
        for language in languages_of(&self.folder, &self.foreign, &self.languages)? {
            let path = path_of(roots, &self.folder, &self.foreign, &language);
            let lines = read_lines(&path)?;
            if lines.len() != mates.len() {
                return Err(CorpusError::LineCounts {
                    english: english_path,
                    english_lines: mates.len(),
                    foreign: path,
                    foreign_lines: lines.len(),
                });
            }
            let mut queries = Vec::new();
            let file: Arc<Path> = path.as_path().into();
            for ((number, line), mate) in (1_usize..).zip(lines).zip(&mates) {
                let text = collapse(&line);
                let Some(document) = mate.clone().filter(|_| !text.is_empty()) else {
                    continue;
                };
                let id = format!("{language}-{number}");
                collection.judgements.push(Judgement {
                    query: id.clone(),
                    document,
                    grade: 1,
                });
                queries.push(Query {
                    id,
                    text,
                    language: language.clone(),
                    own_document: None,
                    origin: origin(&file, number),
                });
            }
            if queries.is_empty() {
                return Err(CorpusError::NoQueries { path, language });
            }
            collection.queries.insert(language, queries);
        }
        Ok(collection)
    }
}

fn origin(file: &Arc<Path>, line: usize) -> Option<Origin> {
    let file = file.clone();
    Some(Origin { file, line })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::collection::{Collection, CollectionSource};
    use crate::error::CorpusError;
    use crate::testing::folder;

    const SOURCE: &str = "format = 'mates'\nfolder = 'flores'\nenglish = 'eng.txt'\n\
                          foreign = '{language}.txt'\nlanguages = ['swa', 'yor']";

    fn read(swahili: &str, yoruba: &str) -> Result<Collection, CorpusError> {
        let english = "One.\nTwo.\n\nOne.\n";
        let (_folder, roots) = folder(&[
            ("flores/eng.txt", english),
            ("flores/swa.txt", swahili),
            ("flores/yor.txt", yoruba),
        ]);
        let source: CollectionSource = toml::from_str(SOURCE).unwrap();
        source.load(&roots)
    }

    #[test]
    fn a_line_asks_for_the_english_sentence_of_its_line() {
        let collection = read("Moja.\nMbili.\nTatu.\nMoja tu.\n", "\nMéjì.\n\n\n").unwrap();
        let documents = collection.documents.iter();
        let documents: Vec<_> = documents.map(|it| (&*it.id, &*it.text)).collect();
        assert_eq!(documents, [("1", "One."), ("2", "Two.")]);
        let ids = |language: &str| -> Vec<_> {
            let queries = collection.queries[language].iter();
            queries.map(|query| query.id.clone()).collect()
        };
        assert_eq!(ids("swa"), ["swa-1", "swa-2", "swa-4"]);
        assert_eq!(ids("yor"), ["yor-2"]);
        let judgements = collection.judgements.iter();
        let judgements: Vec<_> = judgements.map(|it| (&*it.query, &*it.document)).collect();
        let expected = [
            ("swa-1", "1"),
            ("swa-2", "2"),
            ("swa-4", "1"),
            ("yor-2", "2"),
        ];
        assert_eq!(judgements, expected);
        assert!(collection.english.is_empty());
    }

    #[test]
    fn files_that_do_not_fit_are_refused() {
        let error = read("Moja.\n", "a\nb\nc\nd\n").unwrap_err();
        assert!(
            matches!(
                error,
                CorpusError::LineCounts {
                    foreign_lines: 1,
                    ..
                }
            ),
            "{error}"
        );
        let error = read("\n\n\n\n", "a\nb\nc\nd\n").unwrap_err();
        assert!(matches!(error, CorpusError::NoQueries { .. }), "{error}");
    }
}
