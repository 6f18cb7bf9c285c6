//! Judgements of a collection: one reader for all, by the rule of [`optical_files::trec`].

use std::collections::{HashMap, HashSet};
use std::path::Path;

use optical_files::trec;

use crate::collection::records::{Collection, Document, Judgement};
use crate::error::{CorpusError, LineProblem};
use crate::report::BadLine;

/// The ids of the queries that a file may judge, and whether each is asked.
pub(super) struct Asked<'a>(HashMap<&'a str, bool>);

impl<'a> Asked<'a> {
    /// Takes ids, and whether they are asked; one may occur in several languages.
    pub(super) fn new(ids: impl IntoIterator<Item = (&'a str, bool)>) -> Self {
        let mut queries = HashMap::new();
        for (id, is_asked) in ids {
            *queries.entry(id).or_default() |= is_asked;
        }
        Self(queries)
    }
}

/// Judgements of several files.
pub(super) struct Judgements<'a> {
    documents: HashSet<&'a str>,
    all: Vec<Judgement>,
    /// Lines that name a query or a document that is not there.
    unknown: Vec<BadLine>,
}

impl<'a> Judgements<'a> {
    pub(super) fn of(documents: &'a [Document]) -> Self {
        Self {
            documents: documents.iter().map(|document| &*document.id).collect(),
            all: Vec::new(),
            unknown: Vec::new(),
        }
    }

    /// Reads a file: keeps the judgements of queries that are asked, and lists the lines of queries
    /// and documents that are not there. A document that is not there counts as one that is never
    /// found, as for trec_eval.
    pub(super) fn read(&mut self, path: &Path, queries: &Asked<'_>) -> Result<(), CorpusError> {
        for judged in trec::judgements(path)? {
            self.take(path, judged, queries);
        }
        Ok(())
    }

    /// Reads several files, each of which has all judgements of its queries: where languages give
    /// one id to different queries, the judgements of one would count for the other.
    pub(super) fn read_apart<'p>(
        &mut self,
        paths: impl IntoIterator<Item = &'p Path>,
        queries: &Asked<'_>,
    ) -> Result<(), CorpusError> {
        let mut files: HashMap<String, &Path> = HashMap::new();
        for path in paths {
            for judged in trec::judgements(path)? {
                let first = *files.entry(judged.topic.clone()).or_insert(path);
                if first != path {
                    let (query, first) = (judged.topic, first.to_owned());
                    let problem = LineProblem::JudgedTwice { query, first };
                    return Err(CorpusError::line(path, judged.line, problem));
                }
                self.take(path, judged, queries);
            }
        }
        Ok(())
    }

    /// Returns a collection that has the judgements, and nothing else yet.
    pub(super) fn collection(self) -> Collection {
        Collection {
            judgements: self.all,
            unknown: self.unknown,
            ..Collection::default()
        }
    }

    fn take(&mut self, path: &Path, judged: trec::Judgement, queries: &Asked<'_>) {
        let is_asked = queries.0.get(&*judged.topic);
        let unknown = match is_asked {
            None => Some(("query", &judged.topic)),
            Some(_) if self.documents.contains(&*judged.document) => None,
            Some(_) => Some(("document", &judged.document)),
        };
        if let Some((kind, id)) = unknown {
            let id = id.clone();
            self.unknown.push(BadLine {
                file: path.display().to_string(),
                line: judged.line,
                problem: LineProblem::UnknownId { kind, id }.to_string(),
            });
        }
        if is_asked == Some(&true) {
            self.all.push(Judgement {
                query: judged.topic,
                document: judged.document,
                grade: judged.grade,
            });
        }
    }
}
