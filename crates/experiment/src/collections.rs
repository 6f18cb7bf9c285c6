//! Collections: whether they can be searched and scored, and which of their texts have no token.

use anyhow::Context;
use optical_corpus::bitext::DataRoots;
use optical_corpus::collection::{Collection, CollectionSource, Origin, Query};
use optical_corpus::soundness::Unsound;
use optical_encoder::{EncodeSettings, Outline};
use optical_evaluation::RetrievalSettings;
use optical_tokenize::{TokenizeError, Tokenizer};
use rayon::prelude::*;

use crate::findings::{Findings, named};

/// What reads a collection's texts, and how.
#[derive(Debug, Clone, Copy)]
pub struct CollectionReader<'a> {
    /// The model, before its tensors are made.
    pub outline: &'a Outline,
    /// How texts are cut.
    pub retrieval: &'a RetrievalSettings,
}

/// Reads the collection of a table of the run file, and finds what is wrong with it.
pub fn collection(
    table: &str,
    source: &CollectionSource,
    roots: &DataRoots,
    languages: &[String],
    reader: Option<CollectionReader<'_>>,
    findings: &mut Findings,
) -> Option<Collection> {
    let loaded = source.load(roots).with_context(|| table.to_owned());
    let collection = findings.take(loaded)?;
    let unsound = collection.unsound(languages.iter().map(String::as_str));
    let (ids, others): (Vec<_>, Vec<_>) = unsound.iter().partition(|it| it.origin().is_some());
    findings.problems(&ids);
    let others: Vec<_> = others.iter().map(|it| format!("{table}: {it}")).collect();
    findings.problems(&others);
    if !collection.unknown.is_empty() {
        findings.warn(format!(
            "{table}: {} judgements name a query or a document that is not there: {}",
            collection.unknown.len(),
            named(&collection.unknown)
        ));
    }
    for language in languages {
        let queries = collection.queries.get(language).map_or(0, Vec::len);
        let unanswered = collection.unanswered(language);
        if !unanswered.is_empty() && unanswered.len() < queries {
            let ids: Vec<_> = unanswered.iter().map(|it| &it.id).collect();
            findings.warn(format!(
                "{table}: queries in {language} without a relevant document, {} of {queries}: {}",
                ids.len(),
                named(&ids)
            ));
        }
    }
    if let Some(reader) = reader {
        let found = reader.say_tokenless(table, &collection, languages, findings);
        findings.take(found.with_context(|| table.to_owned()));
    }
    unsound_free(&unsound).then_some(collection)
}

fn unsound_free(unsound: &[Unsound]) -> bool {
    !unsound.iter().any(|it| matches!(it, Unsound::NoDocuments))
}

impl CollectionReader<'_> {
    fn say_tokenless(
        self,
        table: &str,
        collection: &Collection,
        languages: &[String],
        findings: &mut Findings,
    ) -> anyhow::Result<()> {
        let documents = collection.documents.iter();
        let texts: Vec<_> = documents
            .map(|it| (&*it.id, it.full_text(), &it.origin))
            .collect();
        let texts: Vec<_> = texts
            .iter()
            .map(|(id, text, at)| (*id, &**text, *at))
            .collect();
        let without = self.tokenless(&texts, self.retrieval.documents())?;
        if !texts.is_empty() && without.len() == texts.len() {
            findings.problem(format!("{table}: no document has a token"));
        } else if !without.is_empty() {
            findings.warn(format!(
                "{table}: documents without a token, which are never found, {} of {}: {}",
                without.len(),
                texts.len(),
                named(&without)
            ));
        }
        let asked = [
            (&collection.queries, ""),
            (&collection.english, "English versions of "),
        ];
        for (queries, what) in asked {
            for language in languages {
                let texts = queries.get(language).into_iter().flatten();
                let texts: Vec<_> = texts.map(of_query).collect();
                let without = self.tokenless(&texts, self.retrieval.queries())?;
                if !without.is_empty() {
                    findings.warn(format!(
                        "{table}: {what}queries in {language} without a token, which find nothing and count as \
                         zero, {} of {}: {}",
                        without.len(),
                        texts.len(),
                        named(&without)
                    ));
                }
            }
        }
        Ok(())
    }

    /// Ids and places of the texts that the model reads no token of.
    fn tokenless(
        self,
        texts: &[(&str, &str, &Option<Origin>)],
        encode: EncodeSettings,
    ) -> Result<Vec<String>, TokenizeError> {
        let Outline {
            config, tokenizer, ..
        } = self.outline;
        tokenless(tokenizer, config.maximum_length(), texts, encode)
    }
}

/// Ids and places of the texts that a model of `most` positions reads no token of; none where the length that texts are
/// cut to leaves no room, which is another fault.
pub fn tokenless(
    tokenizer: &Tokenizer,
    most: usize,
    texts: &[(&str, &str, &Option<Origin>)],
    encode: EncodeSettings,
) -> Result<Vec<String>, TokenizeError> {
    let maximum = encode.maximum_length.min(most);
    if maximum < tokenizer.least_length(encode.role)? {
        return Ok(Vec::new());
    }
    let without = texts.par_iter().map(|(id, text, origin)| {
        let has = tokenizer.has_tokens(text, encode.role, maximum)?;
        let place = origin.as_ref().map(|origin| format!(" ({origin})"));
        Ok((!has).then(|| format!("{id}{}", place.unwrap_or_default())))
    });
    let without: Vec<Option<String>> = without.collect::<Result<_, TokenizeError>>()?;
    Ok(without.into_iter().flatten().collect())
}

fn of_query(query: &Query) -> (&str, &str, &Option<Origin>) {
    (&query.id, &query.text, &query.origin)
}
