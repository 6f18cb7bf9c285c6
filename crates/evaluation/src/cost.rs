//! What queries cost a model: tokens, and operations to read them.

use optical_corpus::collection::Query;
use optical_encoder::{EncoderError, Model};
use optical_tokenize::{Role, TokenSequence};

use crate::RetrievalSettings;

/// What queries cost a model on average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QueryCost {
    /// Tokens of a query as the model reads it, markers included.
    pub tokens: f64,
    /// Floating-point operations of the encoder: `2 · N · T` for its `N` parameters outside of the
    /// embeddings and a query of `T` tokens, and `4 · layers · width · T²` for the scores and sums of
    /// attention. The head is left out, and so are windows of attention.
    pub operations: f64,
}

/// Returns what queries cost a model with `parameters` outside of its embeddings; `None` without queries.
///
/// # Errors
/// If a query cannot be tokenized.
pub fn query_cost(
    model: &Model,
    parameters: u64,
    queries: &[Query],
    settings: &RetrievalSettings,
) -> Result<Option<QueryCost>, EncoderError> {
    let read = tokens(model, queries, settings.query_length)?;
    let lengths = read.iter().map(|it| it.ids.len() as f64);
    let shape = (model.config.num_hidden_layers * model.config.hidden_size) as f64;
    let operations = |length: f64| 2.0 * parameters as f64 * length + 4.0 * shape * length * length;
    let count = queries.len() as f64;
    Ok((!queries.is_empty()).then(|| QueryCost {
        tokens: lengths.clone().sum::<f64>() / count,
        operations: lengths.map(operations).sum::<f64>() / count,
    }))
}

/// Returns how many pieces a model makes of queries for each piece of their human English versions:
/// markers are not counted, and nothing is cut but what the model cannot read. `None` without English.
///
/// # Errors
/// If a query cannot be tokenized.
pub fn fertility(
    model: &Model,
    queries: &[Query],
    english: &[Query],
) -> Result<Option<f64>, EncoderError> {
    let pieces = |queries: &[Query]| -> Result<usize, EncoderError> {
        let read = tokens(model, queries, model.maximum_length())?;
        let kept = read
            .iter()
            .map(|it| it.text.iter().filter(|&&of_text| of_text).count());
        Ok(kept.sum())
    };
    let (pieces, english) = (pieces(queries)?, pieces(english)?);
    Ok((0 < english).then(|| pieces as f64 / english as f64))
}

fn tokens(
    model: &Model,
    queries: &[Query],
    maximum: usize,
) -> Result<Vec<TokenSequence>, EncoderError> {
    let texts: Vec<&str> = queries.iter().map(|query| query.text.as_str()).collect();
    Ok(model.tokenizer.encode_many(&texts, Role::Query, maximum)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::Device;
    use optical_encoder::testing::{HIDDEN, tiny_checkpoint};

    use super::*;
    use crate::DocumentReader;

    fn query(text: &str) -> Query {
        Query {
            id: text.to_owned(),
            text: text.to_owned(),
            language: "swa".to_owned(),
            own_document: None,
            origin: None,
        }
    }

    #[test]
    fn costs_are_those_of_the_tokens() {
        let folder = tempfile::tempdir().unwrap();
        tiny_checkpoint(folder.path(), "bert", &["maji", "moto", "water"], 5).unwrap();
        let model = Model::load(folder.path(), &Device::flex()).unwrap();
        let settings = RetrievalSettings {
            documents: DocumentReader::Teacher,
            query_length: 4,
            document_length: 16,
            language_shift: None,
            tokens_per_batch: 64,
            depth: 10,
            bm25_k1: 0.9,
            bm25_b: 0.4,
        };
        // Between two special tokens: one word, and three of which two are left.
        let queries = [query("maji"), query("moto maji moto")];
        let cost = query_cost(&model, 100, &queries, &settings)
            .unwrap()
            .unwrap();
        assert_eq!(cost.tokens, (3.0 + 4.0) / 2.0);
        let attention = 4.0 * (model.config.num_hidden_layers * HIDDEN) as f64;
        let expected = 200.0 * 3.5 + attention * (9.0 + 16.0) / 2.0;
        assert!((cost.operations - expected).abs() < 1e-9, "{cost:?}");
        assert_eq!(query_cost(&model, 100, &[], &settings).unwrap(), None);

        let english = [query("water"), query("water water")];
        assert_eq!(
            fertility(&model, &queries, &english).unwrap(),
            Some(4.0 / 3.0)
        );
        assert_eq!(fertility(&model, &queries, &[]).unwrap(), None);
    }
}
