//! WikiQuestions: questions in many languages, English Wikipedia passages, human judgements.
//!
//! A folder of `docs.jsonl` (objects with `id`, `title`, `text`), `queries.SPLIT.tsv` (id,
//! language, split, question, its English version) and `qrels.SPLIT.txt` (TREC judgements).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::lines::{collapse, columns, read_lines};
use crate::bitext::DataRoots;
use crate::collection::{Collection, Document, Judgement, Origin, Query};
use crate::error::{CorpusError, LineProblem};
use crate::report::BadLine;

/// A split of WikiQuestions, as named in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WikiQuestions {
    /// The folder of `docs.jsonl`.
    pub folder: PathBuf,
    /// The split to read, such as `dev` or `test`.
    pub split: String,
    /// The languages of the questions to read, by their ISO 639-3 codes.
    pub languages: Vec<String>,
}

impl WikiQuestions {
    pub(crate) fn read(&self, roots: &DataRoots) -> Result<Collection, CorpusError> {
        if self.languages.is_empty() {
            return Err(CorpusError::EmptyList("languages"));
        }
        let folder = roots.resolve(&self.folder);
        let documents = read_documents(&folder.join("docs.jsonl"))?;
        let queries_path = folder.join(format!("queries.{}.tsv", self.split));
        let rows = read_queries(&queries_path, &self.split)?;

        let (mut queries, mut english) = (BTreeMap::new(), BTreeMap::new());
        for language in &self.languages {
            let of_language = || rows.iter().filter(|row| row.language == *language);
            let query = |row: &Row, text: &str, language: &str| Query {
                id: row.id.clone(),
                text: text.to_owned(),
                language: language.to_owned(),
                own_document: None,
                origin: Some(row.origin.clone()),
            };
            let asked: Vec<_> = of_language()
                .map(|row| query(row, &row.text, language))
                .collect();
            if asked.is_empty() {
                return Err(CorpusError::NoQueries {
                    path: queries_path,
                    language: language.clone(),
                });
            }
            queries.insert(language.clone(), asked);
            let translated = of_language()
                .map(|row| query(row, &row.english, "eng"))
                .collect();
            english.insert(language.clone(), translated);
        }

        let language_of: HashMap<&str, &str> =
            rows.iter().map(|row| (&*row.id, &*row.language)).collect();
        let document_ids: HashSet<&str> = documents.iter().map(|document| &*document.id).collect();
        let languages: BTreeSet<&str> = self.languages.iter().map(String::as_str).collect();
        let qrels = folder.join(format!("qrels.{}.txt", self.split));
        let (judgements, unknown) =
            read_judgements(&qrels, &language_of, &document_ids, &languages)?;
        Ok(Collection {
            documents,
            queries,
            english,
            judgements,
            unknown,
        })
    }
}

fn read_documents(path: &Path) -> Result<Vec<Document>, CorpusError> {
    #[derive(Deserialize)]
    struct Object {
        id: String,
        title: Option<String>,
        text: String,
    }
    let mut ids = HashSet::new();
    let mut documents = Vec::new();
    let file: Arc<Path> = path.into();
    for (index, line) in read_lines(path)?.iter().enumerate() {
        let refuse = |problem| CorpusError::line(path, index + 1, problem);
        let object: Object =
            serde_json::from_str(line).map_err(|error| refuse(LineProblem::Json(error)))?;
        let (id, text) = (object.id, collapse(&object.text));
        let title = object
            .title
            .map(|title| collapse(&title))
            .filter(|title| !title.is_empty());
        if text.is_empty() {
            return Err(refuse(LineProblem::Empty("text")));
        }
        if !ids.insert(id.clone()) {
            return Err(refuse(LineProblem::DuplicateId(id)));
        }
        let (file, line) = (file.clone(), index + 1);
        documents.push(Document {
            id,
            title,
            text,
            origin: Some(Origin { file, line }),
        });
    }
    Ok(documents)
}

struct Row {
    id: String,
    language: String,
    text: String,
    english: String,
    origin: Origin,
}

fn read_queries(path: &Path, split: &str) -> Result<Vec<Row>, CorpusError> {
    let mut ids = HashSet::new();
    let mut rows = Vec::new();
    let file: Arc<Path> = path.into();
    for (index, line) in read_lines(path)?.iter().enumerate() {
        let refuse = |problem| CorpusError::line(path, index + 1, problem);
        let [id, language, row_split, text, english] = columns(line).map_err(refuse)?;
        if row_split != split {
            let (expected, found) = (split.to_owned(), row_split.to_owned());
            return Err(refuse(LineProblem::Split { expected, found }));
        }
        let (text, english) = (collapse(text), collapse(english));
        for (name, value) in [("question", &*text), ("English version", &*english)] {
            if value.is_empty() {
                return Err(refuse(LineProblem::Empty(name)));
            }
        }
        if !ids.insert(id.to_owned()) {
            return Err(refuse(LineProblem::DuplicateId(id.to_owned())));
        }
        rows.push(Row {
            id: id.to_owned(),
            language: language.to_owned(),
            text,
            english,
            origin: Origin {
                file: file.clone(),
                line: index + 1,
            },
        });
    }
    Ok(rows)
}

/// Reads the judgements of the queries in `languages`, and checks those of all others too; also lists
/// the lines of queries and documents that are not there. A judged document that is not there counts
/// as one that is never found, as for trec_eval.
fn read_judgements(
    path: &Path,
    language_of: &HashMap<&str, &str>,
    documents: &HashSet<&str>,
    languages: &BTreeSet<&str>,
) -> Result<(Vec<Judgement>, Vec<BadLine>), CorpusError> {
    let mut seen = HashSet::new();
    let (mut judgements, mut unknown) = (Vec::new(), Vec::new());
    for (index, line) in read_lines(path)?.iter().enumerate() {
        let refuse = |problem| CorpusError::line(path, index + 1, problem);
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [query, _iteration, document, grade] = columns[..] else {
            return Err(refuse(LineProblem::Columns {
                expected: 4,
                found: columns.len(),
            }));
        };
        let mut passed_over = |kind, id: &str| {
            let id = id.to_owned();
            unknown.push(BadLine {
                file: path.display().to_string(),
                line: index + 1,
                problem: LineProblem::UnknownId { kind, id }.to_string(),
            });
        };
        let language = language_of.get(query);
        if language.is_none() {
            passed_over("query", query);
        } else if !documents.contains(document) {
            passed_over("document", document);
        }
        let grade = grade
            .parse()
            .map_err(|_| refuse(LineProblem::Grade(grade.to_owned())))?;
        if !seen.insert((query.to_owned(), document.to_owned())) {
            return Err(refuse(LineProblem::DuplicateId(format!(
                "{query} {document}"
            ))));
        }
        if language.is_some_and(|language| languages.contains(language)) {
            judgements.push(Judgement {
                query: query.to_owned(),
                document: document.to_owned(),
                grade,
            });
        }
    }
    Ok((judgements, unknown))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::collection::CollectionSource;

    const DOCUMENTS: &str = "{\"id\":\"a1\",\"source\":\"s\",\"title\":\"Ghana\",\"text\":\"Accra  is large.\"}\n\
                             {\"id\":\"a2\",\"source\":\"s\",\"title\":\"\",\"text\":\"Kumasi.\"}\n";
    const QUERIES: &str =
        "h1\thau\tdev\tWane gari?\tWhich city?\nk1\tkin\tdev\tUmujyi?\tThe city?\n";
    const QRELS: &str = "h1 0 a1 1\nh1 0 a2 0\nk1 0 a2 1\n";

    fn load(
        documents: &str,
        queries: &str,
        qrels: &str,
        language: &str,
    ) -> Result<Collection, CorpusError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("docs.jsonl"), documents).unwrap();
        std::fs::write(folder.path().join("queries.dev.tsv"), queries).unwrap();
        std::fs::write(folder.path().join("qrels.dev.txt"), qrels).unwrap();
        let text = format!(
            "format = 'wiki-questions'\nfolder = '.'\nsplit = 'dev'\nlanguages = ['{language}']"
        );
        let source: CollectionSource = toml::from_str(&text).unwrap();
        source.load(&DataRoots {
            base: folder.path().into(),
            cache: folder.path().into(),
        })
    }

    #[test]
    fn a_split_is_read_for_the_languages_asked_for() {
        let collection = load(DOCUMENTS, QUERIES, QRELS, "hau").unwrap();
        assert_eq!(
            collection.documents[0].full_text(),
            "Ghana. Accra is large."
        );
        assert_eq!(collection.documents[1].title, None);
        assert_eq!(collection.queries.keys().collect::<Vec<_>>(), ["hau"]);
        assert_eq!(collection.queries["hau"][0].text, "Wane gari?");
        assert_eq!(collection.english["hau"][0].text, "Which city?");
        assert_eq!(
            collection.english["hau"][0].id,
            collection.queries["hau"][0].id
        );
        let grades: Vec<_> = collection
            .judgements
            .iter()
            .map(|judged| judged.grade)
            .collect();
        assert_eq!(grades, [1, 0]);
    }

    #[test]
    fn bad_lines_are_refused_by_file_and_line() {
        let twice = format!("{QUERIES}h1\thau\tdev\tx\ty\n");
        for (documents, queries, qrels, expected) in [
            (
                "{\"id\":1}\n",
                QUERIES,
                QRELS,
                "docs.jsonl:1: is not a document",
            ),
            (
                &DOCUMENTS.replace("a2", "a1"),
                QUERIES,
                "",
                "docs.jsonl:2: the id 'a1' occurs a second time",
            ),
            (
                DOCUMENTS,
                "h1\thau\tdev\tx\n",
                QRELS,
                "queries.dev.tsv:1: 4 columns, expected 5",
            ),
            (
                DOCUMENTS,
                &twice,
                QRELS,
                "queries.dev.tsv:3: the id 'h1' occurs a second time",
            ),
            (
                DOCUMENTS,
                "h1\thau\ttest\tx\ty\n",
                "",
                "dev.tsv:1: the split is 'test', expected 'dev'",
            ),
            (
                DOCUMENTS,
                "h1\thau\tdev\t \ty\n",
                "",
                "dev.tsv:1: the question is empty",
            ),
            (
                DOCUMENTS,
                QUERIES,
                "h1 0 a1\n",
                "qrels.dev.txt:1: 3 columns, expected 4",
            ),
            (
                DOCUMENTS,
                QUERIES,
                "h1 0 a1 0.5\n",
                "dev.txt:1: the grade '0.5' is not an integer",
            ),
            (
                DOCUMENTS,
                QUERIES,
                "h1 0 a1 1\nh1 0 a1 0\n",
                "dev.txt:2: the id 'h1 a1' occurs a second time",
            ),
        ] {
            let message = load(documents, queries, qrels, "hau")
                .unwrap_err()
                .to_string();
            assert!(message.ends_with(expected), "{message}\n{expected}");
        }
    }

    #[test]
    fn judgements_of_what_is_not_there_are_listed() {
        let qrels = "h1 0 a1 1\nh1 0 a9 1\nh9 0 a1 1\n";
        let collection = load(DOCUMENTS, QUERIES, qrels, "hau").unwrap();
        let judged = collection.judgements.iter().map(|it| &*it.document);
        assert_eq!(judged.collect::<Vec<_>>(), ["a1", "a9"]);
        let unknown: Vec<_> = collection.unknown.iter().map(|it| it.to_string()).collect();
        for (found, expected) in unknown.iter().zip([
            "qrels.dev.txt:2: there is no document 'a9'",
            "qrels.dev.txt:3: there is no query 'h9'",
        ]) {
            assert!(found.ends_with(expected), "{found}");
        }
        assert_eq!(unknown.len(), 2);
        let origin = collection.queries["hau"][0].origin.as_ref().unwrap();
        assert_eq!(origin.line, 1);
        assert!(origin.file.ends_with("queries.dev.tsv"));
    }

    #[test]
    fn a_language_without_questions_is_an_error() {
        let error = load(DOCUMENTS, QUERIES, QRELS, "swa").unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("queries.dev.tsv has no question in 'swa'"),
            "{error}"
        );
    }
}
