//! What the tests of all readers share.
#![allow(clippy::unwrap_used)]

use crate::relevance::{Candidate, Example, Relevance, RelevanceSource};
use crate::testing::folder;

/// Loads a `[[relevance]]` table from files that are made for it.
pub(super) fn load(source: &str, files: &[(&str, &str)]) -> Result<Relevance, String> {
    let (_folder, roots) = folder(files);
    let source: RelevanceSource = toml::from_str(source).unwrap();
    source.load(&roots).map_err(|error| error.to_string())
}

/// Examples as lines of ids, texts and scores.
pub(super) fn shown(relevance: &Relevance) -> Vec<String> {
    let candidate = |candidate: &Candidate| {
        let document = &candidate.document;
        let score = candidate.score.map(|score| format!(" {score}"));
        format!(
            "{} {}{}",
            document.id,
            document.text,
            score.unwrap_or_default()
        )
    };
    let example = |example: &Example| {
        let candidates: Vec<_> = example.candidates.iter().map(candidate).collect();
        let query = &example.query;
        format!("{} {}: {}", query.id, query.text, candidates.join(" | "))
    };
    relevance.examples.iter().map(example).collect()
}
