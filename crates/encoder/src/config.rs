//! `config.json` of the BERT family, with Hugging Face's own field names.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::EncoderError;

/// Families this crate runs: post-norm transformers with absolute positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Family {
    /// BERT, mBERT, Multilingual-MiniLM: positions count from zero.
    #[serde(rename = "bert")]
    Bert,
    /// XLM-R: positions count from the padding id plus one.
    #[serde(rename = "xlm-roberta")]
    XlmRoberta,
}

/// The part of `config.json` that the encoder depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderConfig {
    /// Architecture family.
    pub model_type: Family,
    /// Rows of the word embedding.
    pub vocab_size: usize,
    /// Width of a token vector.
    pub hidden_size: usize,
    /// Number of transformer layers.
    pub num_hidden_layers: usize,
    /// Attention heads a layer; divides `hidden_size`.
    pub num_attention_heads: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Rows of the position embedding.
    pub max_position_embeddings: usize,
    /// Rows of the token type embedding.
    pub type_vocab_size: usize,
    /// Added to the variance in layer norms.
    pub layer_norm_eps: f64,
    /// The padding id; XLM-R counts positions from it.
    pub pad_token_id: usize,
    /// Activation of the feed-forward layer; only `"gelu"` (by the error function) is known.
    #[serde(default = "gelu")]
    pub hidden_act: String,
}

fn gelu() -> String {
    "gelu".into()
}

impl EncoderConfig {
    /// Reads and checks a `config.json`; keys the encoder does not depend on are left alone.
    ///
    /// # Errors
    /// If the file is missing or malformed, or a value cannot be a model's.
    pub fn load(path: &Path) -> Result<Self, EncoderError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| EncoderError::read(path, error))?;
        let config: Self = serde_json::from_str(&text).map_err(|error| EncoderError::Config {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        config.check().map_err(|reason| EncoderError::Config {
            path: path.to_owned(),
            reason,
        })?;
        Ok(config)
    }

    /// The position id of a text's first token.
    pub fn first_position(&self) -> usize {
        match self.model_type {
            Family::Bert => 0,
            Family::XlmRoberta => self.pad_token_id + 1,
        }
    }

    /// The most tokens a text may have.
    pub fn maximum_length(&self) -> usize {
        self.max_position_embeddings - self.first_position()
    }

    fn check(&self) -> Result<(), String> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ];
        for (key, size) in sizes {
            // A header that claims more would only end in a failed allocation.
            if size == 0 || (1 << 24) < size {
                return Err(format!("{key} = {size}, expected 1 to {}", 1 << 24));
            }
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(format!(
                "num_attention_heads = {} does not divide hidden_size = {}",
                self.num_attention_heads, self.hidden_size
            ));
        }
        if self.max_position_embeddings <= self.first_position() {
            return Err(format!(
                "max_position_embeddings = {}, expected more than pad_token_id + 1 = {}",
                self.max_position_embeddings,
                self.first_position()
            ));
        }
        if self.hidden_act != "gelu" {
            return Err(format!(
                "hidden_act = {:?}, expected \"gelu\"",
                self.hidden_act
            ));
        }
        if !(0.0 < self.layer_norm_eps && self.layer_norm_eps < 1.0) {
            return Err(format!(
                "layer_norm_eps = {}, expected 0 to 1",
                self.layer_norm_eps
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(json: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, json).unwrap();
        (folder, path)
    }

    const TINY: &str = r#"{"model_type": "xlm-roberta", "vocab_size": 9, "hidden_size": 8,
        "num_hidden_layers": 1, "num_attention_heads": HEADS, "intermediate_size": 16,
        "max_position_embeddings": 10, "type_vocab_size": 1, "layer_norm_eps": 1e-5,
        "pad_token_id": 1, "architectures": ["XLMRobertaModel"]}"#;

    #[test]
    fn xlm_r_counts_positions_from_behind_the_padding_id() {
        let (_folder, path) = write(&TINY.replace("HEADS", "2"));
        let config = EncoderConfig::load(&path).unwrap();
        assert_eq!((config.first_position(), config.maximum_length()), (2, 8));
    }

    #[test]
    fn impossible_values_are_named() {
        let (_folder, path) = write(&TINY.replace("HEADS", "3"));
        let error = EncoderConfig::load(&path).unwrap_err().to_string();
        assert!(error.contains("num_attention_heads = 3"), "{error}");
        let (_folder, path) = write(&TINY.replace("xlm-roberta", "gpt2").replace("HEADS", "2"));
        assert!(
            EncoderConfig::load(&path)
                .unwrap_err()
                .to_string()
                .contains("gpt2")
        );
    }
}
