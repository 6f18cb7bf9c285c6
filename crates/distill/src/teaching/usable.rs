//! Examples that have something to be scored: a text of no token has no vector.

use std::collections::HashMap;
use std::sync::Arc;

use optical_tokenize::{Role, TokenizeError, Tokenizer};
use rayon::prelude::*;

use super::{RankingText, TeachSettings};

/// Leaves out examples whose query or relevant document has no token, and of the others the
/// documents that have none.
///
/// # Errors
/// If a length leaves no room for a text, or the tokenizer refuses one.
pub fn with_tokens(
    settings: &TeachSettings,
    texts: &[RankingText],
    tokenizer: &Tokenizer,
) -> Result<Vec<RankingText>, TokenizeError> {
    let has = |text: &Arc<str>, role| tokenizer.has_tokens(text, role, settings.length(role));
    // Data sets have a document in many examples; it is looked at once.
    let mut documents: HashMap<&Arc<str>, bool> = HashMap::new();
    documents.extend(
        texts
            .iter()
            .flat_map(|it| &it.documents)
            .map(|it| (it, true)),
    );
    let looked_at = documents.par_iter_mut();
    looked_at.try_for_each(|(document, known)| {
        *known = has(document, Role::Document)?;
        Ok::<_, TokenizeError>(())
    })?;
    let usable = texts.par_iter().map(|text| {
        let relevant = text.documents.get(text.positive());
        if !relevant.is_some_and(|it| documents[it]) || !has(&text.query, Role::Query)? {
            return Ok(None);
        }
        let places = (0..text.documents.len()).filter(|&place| documents[&text.documents[place]]);
        let places: Vec<usize> = places.collect();
        let scores = places
            .iter()
            .filter_map(|&place| text.scores.get(place).copied());
        Ok(Some(RankingText {
            query: text.query.clone(),
            documents: places
                .iter()
                .map(|&place| text.documents[place].clone())
                .collect(),
            scores: scores.collect(),
        }))
    });
    let usable: Vec<Option<RankingText>> = usable.collect::<Result<_, TokenizeError>>()?;
    Ok(usable.into_iter().flatten().collect())
}
