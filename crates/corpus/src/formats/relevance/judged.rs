//! TREC judgements, and negatives from a TREC run, as for MS MARCO's `qrels.train.tsv`.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use optical_files::trec;
use serde::{Deserialize, Serialize};

use crate::bitext::records::DataRoots;
use crate::error::{CorpusError, LineProblem};
use crate::formats::tables;
use crate::relevance::records::{Candidate, Example, Sink, Text, Texts};

/// Judgements and a run, as named in a run file.
///
/// Every document with a grade of 1 or more makes an example of its query. Both files are read by the
/// rule of [`optical_files::trec`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judged {
    /// The judgements: query, an ignored column, document, grade.
    pub qrels: PathBuf,
    /// The table of queries.
    pub queries: PathBuf,
    /// The table of documents.
    pub documents: PathBuf,
    /// The run that has the negatives, if there are to be any: query, an ignored column, document,
    /// rank (ignored), score, tag.
    pub run: Option<Negatives>,
}

/// Negatives from a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Negatives {
    /// The run.
    pub file: PathBuf,
    /// How many to take for each example: the best by score that are not judged relevant.
    pub count: usize,
}

impl Judged {
    pub(crate) fn read(&self, roots: &DataRoots, sink: Sink<'_>) -> Result<Texts, CorpusError> {
        let (queries, documents) = tables::both(roots, &self.queries, &self.documents)?;
        let relevant = read_relevant(&roots.resolve(&self.qrels), &queries, &documents)?;
        let negatives = match &self.run {
            Some(run) => {
                let judged = relevant.iter();
                let judged = judged.map(|(query, document)| (&*query.id, &*document.id));
                read_negatives(
                    &roots.resolve(&run.file),
                    &documents,
                    &judged.collect(),
                    run.count,
                )?
            }
            None => HashMap::new(),
        };
        for (query, document) in relevant {
            let others = negatives.get(&*query.id).into_iter().flatten().cloned();
            let candidates = std::iter::once(document).chain(others);
            let candidates = candidates.map(Candidate::unscored).collect();
            if sink(Example { query, candidates }).is_break() {
                break;
            }
        }
        Ok(documents)
    }
}

/// Reads the relevant documents, in the order of the file.
fn read_relevant(
    path: &Path,
    queries: &Texts,
    documents: &Texts,
) -> Result<Vec<(Text, Text)>, CorpusError> {
    let judgements = trec::judgements(path)?.into_iter();
    let relevant = judgements.filter(|judged| judged.grade > 0).map(|judged| {
        let texts = || -> Result<_, LineProblem> {
            let query = queries.named("query", &judged.topic)?;
            Ok((query, documents.named("document", &judged.document)?))
        };
        texts().map_err(|problem| CorpusError::line(path, judged.line, problem))
    });
    relevant.collect()
}

/// Reads the best documents of each query that are not relevant to it, by score and then by line.
fn read_negatives(
    path: &Path,
    documents: &Texts,
    relevant: &HashSet<(&str, &str)>,
    count: usize,
) -> Result<HashMap<String, Vec<Text>>, CorpusError> {
    let queries: HashSet<&str> = relevant.iter().map(|(query, _)| *query).collect();
    let mut ranked: HashMap<String, Vec<(f64, Text)>> = HashMap::new();
    trec::retrieved(path, |entry| {
        let (query, document, score) = (entry.topic, entry.document, entry.score);
        if queries.contains(query) && !relevant.contains(&(query, document)) {
            let document = documents.named("document", document);
            let document = document.map_err(|it| CorpusError::line(path, entry.line, it))?;
            let ranking = ranked.entry(query.to_owned()).or_default();
            // Kept in order and short, since runs have a thousand documents per query.
            let place = ranking.partition_point(|(better, _)| *better >= score);
            if place < count {
                ranking.insert(place, (score, document));
                ranking.truncate(count);
            }
        }
        Ok::<_, CorpusError>(())
    })?;
    let texts = |ranking: Vec<(f64, Text)>| ranking.into_iter().map(|(_, text)| text).collect();
    Ok(ranked
        .into_iter()
        .map(|(query, ranking)| (query, texts(ranking)))
        .collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::testing::{load, shown};

    fn read(qrels: &str, run: Option<&str>) -> Result<Vec<String>, String> {
        let mut source = "format = 'judged'\nqrels = 'qrels.tsv'\nqueries = 'queries.tsv'\n\
                          documents = 'collection.tsv'\n"
            .to_owned();
        if run.is_some() {
            source += "run = { file = 'bm25.run', count = 2 }";
        }
        let collection = "0\tzero\n1\tone\n2\ttwo\n3\tthree\n";
        let files = [
            ("queries.tsv", "7\twhy\n9\twho\n"),
            ("collection.tsv", collection),
            ("qrels.tsv", qrels),
            ("bm25.run", run.unwrap_or_default()),
        ];
        load(&source, &files).map(|read| shown(&read))
    }

    #[test]
    fn judgements_alone_are_pairs() {
        let expected = ["7 why: 1 one", "7 why: 3 three", "9 who: 2 two"];
        for qrels in [
            "7\t0\t1\t1\n7\t0\t3\t2\n9\t0\t0\t0\n9\t0\t2\t1\n",
            "\u{feff}query-id\tcorpus-id\tscore\n7\t1\t1\n7\t3\t2\n# none\n9\t2\t1\n\n",
        ] {
            assert_eq!(read(qrels, None).unwrap(), expected);
        }
    }

    #[test]
    fn negatives_are_the_best_of_a_run_that_are_not_relevant() {
        let qrels = "7 0 1 1\n7 0 3 1\n9 0 2 1\n";
        let run = "7 Q0 0 3 1.5 bm25\n7 Q0 1 1 3.0 bm25\n7 Q0 3 2 2.5 bm25\n7 Q0 2 4 2.0 bm25 of mine\n\
                   \n# a remark\n8 Q0 9 1 1.0 bm25\n";
        let expected = [
            "7 why: 1 one | 2 two | 0 zero",
            "7 why: 3 three | 2 two | 0 zero",
            "9 who: 2 two",
        ];
        assert_eq!(read(qrels, Some(run)).unwrap(), expected);
        let run = "9 Q0 0 1 3 x\n9 Q0 1 2 1 x\n9 Q0 3 3 2 x\n";
        assert_eq!(
            read("9 0 2 1\n", Some(run)).unwrap(),
            ["9 who: 2 two | 0 zero | 3 three"]
        );
    }

    #[test]
    fn bad_lines_are_named() {
        for (qrels, run, expected) in [
            (
                "7 0 1\n",
                "",
                "qrels.tsv:1: has 3 columns where 4 are expected: topic iteration document grade",
            ),
            (
                "7 0 1 x\n",
                "",
                "qrels.tsv:1: grade \"x\" is not an integer",
            ),
            ("8 0 1 1\n", "", "qrels.tsv:1: there is no query '8'"),
            ("7 0 9 1\n", "", "qrels.tsv:1: there is no document '9'"),
            (
                "7 0 1 1\n7 0 1 1\n",
                "",
                "qrels.tsv:2: topic \"7\" already has document \"1\", in line 1",
            ),
            (
                "7 0 1 1\n",
                "7 Q0 0 1 x\n",
                "bm25.run:1: has 5 columns where 6 are expected: topic Q0 document rank score tag",
            ),
            (
                "7 0 1 1\n",
                "7 Q0 0 1 nan t\n",
                "bm25.run:1: score \"nan\" is not a number",
            ),
            (
                "7 0 1 1\n",
                "7 Q0 9 1 1.0 t\n",
                "bm25.run:1: there is no document '9'",
            ),
        ] {
            let message = read(qrels, Some(run)).unwrap_err();
            assert!(message.ends_with(expected), "{message}");
        }
    }
}
