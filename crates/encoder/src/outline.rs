//! What is known of a model from its files, before any tensor is made.

use std::path::Path;

use optical_tokenize::Tokenizer;

use crate::model::read_reader;
use crate::modules::Modules;
use crate::weights::WeightsReader;
use crate::{EncoderConfig, EncoderError, conventions};

/// A model without its tensors.
#[derive(Debug, Clone)]
pub struct Outline {
    /// Hugging Face configuration of the encoder.
    pub config: EncoderConfig,
    /// Text to tokens, with the model's markers.
    pub tokenizer: Tokenizer,
    /// Numbers in all of the encoder's tensors.
    pub parameters: usize,
    /// Those of them that are in tables: of words, of positions, of types.
    pub embeddings: usize,
    /// Whether the folder brings a head of its own.
    pub has_head: bool,
}

impl Outline {
    /// Reads configuration and tokenizer of a Hugging Face folder, and where its tensors are.
    ///
    /// # Errors
    /// If a file is missing or malformed, or the tokenizer has more entries than the embedding rows;
    /// what is wrong with single tensors shows when they are read.
    pub fn read(folder: &Path) -> Result<Self, EncoderError> {
        let modules = Modules::read(folder)?;
        let encoder = &modules.encoder;
        let (config, _, tokenizer) = read_reader(folder, encoder)?;
        let weights = WeightsReader::in_folder(encoder)?;
        Ok(Self {
            parameters: weights.numbers(|_| true),
            embeddings: weights.numbers(|name| name.ends_with("_embeddings.weight")),
            has_head: modules.head(config.hidden_size)?.is_some()
                || conventions::is_stanford(encoder)?,
            config,
            tokenizer,
        })
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::Model;

    #[test]
    fn an_outline_is_that_of_the_model() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        for (name, has_head) in [("colbert-stanford", true), ("colbert-pylate", true)] {
            let folder = fixtures.join(name);
            let outline = Outline::read(&folder).unwrap();
            let model = Model::load(&folder, &Device::flex()).unwrap();
            assert_eq!(outline.config, model.config);
            assert_eq!(outline.has_head, has_head);
            assert_eq!(outline.tokenizer.colbert(), model.tokenizer.colbert());
            let tensors = model.encoder.tensors().unwrap();
            let numbers: usize = tensors.iter().map(|(_, _, values)| values.len()).sum();
            assert!(numbers <= outline.parameters, "{name}");
            // Between words and positions on one side and a layer on the other.
            let width = outline.config.hidden_size;
            let rows = outline.config.vocab_size + outline.config.max_position_embeddings;
            assert!(rows * width <= outline.embeddings, "{name}");
            assert!(outline.embeddings < rows * width + 3 * width, "{name}");
        }
    }
}
