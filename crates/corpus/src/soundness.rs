//! What of a collection cannot be searched and scored: all of it, before anything takes long.

use std::collections::HashSet;

use optical_files::trec::not_a_column;

use crate::collection::{Collection, Origin, Query};

/// Why a collection cannot be searched and scored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsound {
    /// There is nothing to search.
    #[error("there is no document")]
    NoDocuments,
    /// Nothing is asked in a language.
    #[error("there is no query in {language:?}, expected one of {}", known.join(", "))]
    NoQueries {
        /// The language.
        language: String,
        /// Languages with queries.
        known: Vec<String>,
    },
    /// All that is asked in a language has no answer.
    #[error(
        "no query in {language:?} has a relevant document: the {judgements} judgements name none of the {queries} queries with a grade above 0"
    )]
    NothingRelevant {
        /// The language.
        language: String,
        /// Its queries.
        queries: usize,
        /// The judgements of all languages.
        judgements: usize,
    },
    /// An id that would break the lines of a TREC file.
    #[error(
        "{}the id {id:?} of a {kind} {why}, which a TREC run cannot hold",
        place(origin)
    )]
    Id {
        /// "query" or "document".
        kind: &'static str,
        /// The id.
        id: String,
        /// What is wrong with it.
        why: &'static str,
        /// Where it was read.
        origin: Option<Origin>,
    },
    /// Two texts with one id.
    #[error("{}the id {id:?} of a {kind} occurs a second time", place(origin))]
    Twice {
        /// "query" or "document".
        kind: &'static str,
        /// The id.
        id: String,
        /// Where the second one was read.
        origin: Option<Origin>,
    },
}

impl Unsound {
    /// Returns the line that is to be mended, if it is one.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        match self {
            Self::Id { origin, .. } | Self::Twice { origin, .. } => origin.as_ref(),
            _ => None,
        }
    }
}

fn place(origin: &Option<Origin>) -> String {
    let place = origin.as_ref().map(|origin| format!("{origin}: "));
    place.unwrap_or_default()
}

impl Collection {
    /// Returns all that keeps the queries of `languages` from being searched and scored.
    pub fn unsound<'a>(&self, languages: impl IntoIterator<Item = &'a str>) -> Vec<Unsound> {
        let mut unsound = Vec::new();
        if self.documents.is_empty() {
            unsound.push(Unsound::NoDocuments);
        }
        let documents = self.documents.iter();
        let documents = documents.map(|it| (it.id.as_str(), it.origin.as_ref()));
        unsound.extend(unsound_ids("document", documents));
        for language in languages {
            let Some(queries) = self.queries.get(language).filter(|it| !it.is_empty()) else {
                unsound.push(Unsound::NoQueries {
                    language: language.to_owned(),
                    known: self.queries.keys().cloned().collect(),
                });
                continue;
            };
            let ids = queries
                .iter()
                .map(|it| (it.id.as_str(), it.origin.as_ref()));
            unsound.extend(unsound_ids("query", ids));
            if self.unanswered(language).len() == queries.len() {
                unsound.push(Unsound::NothingRelevant {
                    language: language.to_owned(),
                    queries: queries.len(),
                    judgements: self.judgements.len(),
                });
            }
        }
        unsound
    }

    /// Returns the queries of a language without a relevant document: they are in no mean.
    pub fn unanswered(&self, language: &str) -> Vec<&Query> {
        let relevant = self.judgements.iter().filter(|it| 0 < it.grade);
        let answered: HashSet<&str> = relevant.map(|it| it.query.as_str()).collect();
        let queries = self.queries.get(language).into_iter().flatten();
        queries
            .filter(|it| !answered.contains(it.id.as_str()))
            .collect()
    }
}

/// Returns the ids that are there twice, or cannot stand in a column.
fn unsound_ids<'a>(
    kind: &'static str,
    ids: impl Iterator<Item = (&'a str, Option<&'a Origin>)>,
) -> Vec<Unsound> {
    let mut seen: HashSet<&str> = HashSet::new();
    let mut unsound = Vec::new();
    for (id, origin) in ids {
        let origin = origin.cloned();
        if let Some(why) = not_a_column(id, kind == "query") {
            let id = id.to_owned();
            unsound.push(Unsound::Id {
                kind,
                id,
                why,
                origin,
            });
        } else if !seen.insert(id) {
            let id = id.to_owned();
            unsound.push(Unsound::Twice { kind, id, origin });
        }
    }
    unsound
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::collection::{Document, Judgement};

    fn collection(ids: &[&str], queries: &[(&str, &str)], judged: &[(&str, i32)]) -> Collection {
        let file: Arc<Path> = Path::new("docs.jsonl").into();
        let origin = |line| {
            let file = file.clone();
            Some(Origin { file, line })
        };
        let mut collection = Collection::default();
        for (line, id) in (1..).zip(ids) {
            collection.documents.push(Document {
                id: (*id).into(),
                title: None,
                text: "text".into(),
                origin: origin(line),
            });
        }
        for (language, id) in queries {
            let of = collection.queries.entry((*language).into()).or_default();
            of.push(Query {
                id: (*id).into(),
                text: "text".into(),
                language: (*language).into(),
                own_document: None,
                origin: None,
            });
        }
        let judgement = |(query, grade): &(&str, i32)| Judgement {
            query: (*query).into(),
            document: "d1".into(),
            grade: *grade,
        };
        collection.judgements = judged.iter().map(judgement).collect();
        collection
    }

    #[test]
    fn all_that_is_wrong_is_listed_with_its_place() {
        let ids = ["d1", "d 2", "", "#4", "d1"];
        let queries = [("swa", "q1"), ("swa", "q2"), ("swa", "#3"), ("deu", "g 1")];
        let collection = collection(&ids, &queries, &[("q1", 1), ("g 1", 0)]);
        let unsound = collection.unsound(["swa", "deu", "yor"]);
        let messages: Vec<_> = unsound.iter().map(Unsound::to_string).collect();
        assert_eq!(
            messages,
            [
                "docs.jsonl:2: the id \"d 2\" of a document has a blank, which a TREC run cannot hold",
                "docs.jsonl:3: the id \"\" of a document is empty, which a TREC run cannot hold",
                "docs.jsonl:5: the id \"d1\" of a document occurs a second time",
                "the id \"#3\" of a query begins with #, which a TREC run cannot hold",
                "the id \"g 1\" of a query has a blank, which a TREC run cannot hold",
                "no query in \"deu\" has a relevant document: the 2 judgements name none of the 1 queries \
                 with a grade above 0",
                "there is no query in \"yor\", expected one of deu, swa",
            ]
        );
        let unanswered: Vec<_> = collection.unanswered("swa");
        assert_eq!(unanswered.len(), 2);
        assert_eq!(unanswered[0].id, "q2");
    }

    #[test]
    fn a_collection_without_documents_cannot_be_searched() {
        let collection = collection(&[], &[("swa", "q1")], &[("q1", 1)]);
        assert_eq!(collection.unsound(["swa"]), [Unsound::NoDocuments]);
    }
}
