//! `config.json`, with Hugging Face's own field names.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::EncoderError;
use crate::families::Family;
use crate::parts::{Dropout, Sizes};
use crate::read::read_json;

/// The version of the Hugging Face library whose keys are written.
const TRANSFORMERS: &str = "4.57.1";

/// The part of `config.json` that the encoder depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderConfig {
    /// Rows of the word embedding.
    pub vocab_size: usize,
    /// Width of a token vector.
    pub hidden_size: usize,
    /// Number of transformer layers.
    pub num_hidden_layers: usize,
    /// Attention heads per layer; divides `hidden_size`.
    pub num_attention_heads: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Positions there are.
    pub max_position_embeddings: usize,
    /// The padding id; XLM-R counts positions from it.
    pub pad_token_id: usize,
    /// The `model_type`, and what its family adds.
    #[serde(flatten)]
    pub family: Family,
}

impl EncoderConfig {
    /// Reads and checks a `config.json`; keys the encoder does not depend on are left alone, and
    /// what the file leaves out has the Hugging Face library's default.
    ///
    /// # Errors
    /// If the file is missing or malformed, or a value cannot be a model's.
    pub fn load(path: &Path) -> Result<Self, EncoderError> {
        let refuse = |reason: String| EncoderError::Config {
            path: path.to_owned(),
            reason,
        };
        let keys = read_json(path)?
            .ok_or_else(|| EncoderError::read(path, std::io::ErrorKind::NotFound.into()))?;
        let Value::Object(mut keys) = keys else {
            return Err(refuse("expected an object".into()));
        };
        refuse_unknown(&keys).map_err(refuse)?;
        Family::complete(&mut keys);
        let config: Self = serde_json::from_value(Value::Object(keys))
            .map_err(|error| refuse(error.to_string()))?;
        config.check().map_err(refuse)?;
        Ok(config)
    }

    /// Returns the keys and values of a `config.json`, for [`Self::load`] and the Hugging Face
    /// library.
    pub(crate) fn to_json(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(mut keys)) => {
                self.family.rename(&mut keys);
                keys.values_mut().for_each(as_given);
                // Without it, newer versions of the library warn of a fault in tokenizers of Mistral.
                keys.insert("transformers_version".into(), TRANSFORMERS.into());
                keys.insert(
                    "architectures".into(),
                    vec![self.family.layout().class].into(),
                );
                keys
            }
            _ => Map::new(),
        }
    }

    /// Returns the position id of a text's first token.
    pub fn first_position(&self) -> usize {
        self.family.first_position(self.pad_token_id)
    }

    /// Returns the most tokens a text may have.
    pub fn maximum_length(&self) -> usize {
        self.max_position_embeddings - self.first_position()
    }

    /// Shares that the checkpoint's authors dropped in training.
    pub(crate) fn dropout(&self) -> Dropout {
        self.family.dropout()
    }

    pub(crate) fn sizes(&self) -> Sizes {
        Sizes {
            hidden: self.hidden_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            intermediate: self.intermediate_size,
            positions: self.max_position_embeddings,
            first_position: self.first_position(),
        }
    }

    fn check(&self) -> Result<(), String> {
        check_size("vocab_size", self.vocab_size)?;
        check_size("hidden_size", self.hidden_size)?;
        check_size("num_hidden_layers", self.num_hidden_layers)?;
        check_size("num_attention_heads", self.num_attention_heads)?;
        check_size("intermediate_size", self.intermediate_size)?;
        check_size("max_position_embeddings", self.max_position_embeddings)?;
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(format!(
                "num_attention_heads = {} does not divide hidden_size = {}",
                self.num_attention_heads, self.hidden_size
            ));
        }
        // Not a sum: the padding id may be as large as a number gets.
        if self.vocab_size <= self.pad_token_id {
            return Err(format!(
                "pad_token_id = {}, expected less than vocab_size = {}",
                self.pad_token_id, self.vocab_size
            ));
        }
        if self.max_position_embeddings <= self.first_position() {
            return Err(format!(
                "max_position_embeddings = {}, expected more than pad_token_id + 1 = {}",
                self.max_position_embeddings,
                self.first_position()
            ));
        }
        self.family.check(self)
    }
}

/// Refuses what changes an encoder of any family, and is not done here.
fn refuse_unknown(keys: &Map<String, Value>) -> Result<(), String> {
    let found = |key: &str| keys.get(key).cloned().unwrap_or_default();
    for key in ["is_decoder", "add_cross_attention"] {
        if found(key) == true {
            return Err(format!("{key} = true, expected false"));
        }
    }
    let quantised = found("quantization_config");
    if !quantised.is_null() {
        return Err(format!(
            "quantization_config = {quantised}, expected null: save the weights as f32, f16 or bf16"
        ));
    }
    Ok(())
}

/// Writes a number that was given in single precision with no more digits than it had.
fn as_given(value: &mut Value) {
    let Some(number) = value.as_f64().filter(|_| value.is_f64()) else {
        return;
    };
    let single = number as f32;
    if f64::from(single) == number
        && let Ok(short) = single.to_string().parse::<f64>()
    {
        *value = short.into();
    }
}

/// Fills in what a configuration leaves out or says nothing of.
pub(crate) fn complete_with(config: &mut Map<String, Value>, defaults: Value) {
    let Value::Object(defaults) = defaults else {
        return;
    };
    for (key, value) in defaults {
        let known = config.entry(key).or_insert(Value::Null);
        if known.is_null() {
            *known = value;
        }
    }
}

/// Refuses a size of nothing, or one that would only end in a failed allocation.
pub(crate) fn check_size(key: &str, size: usize) -> Result<(), String> {
    const MAXIMUM: usize = 1 << 24;
    if (1..=MAXIMUM).contains(&size) {
        Ok(())
    } else {
        Err(format!("{key} = {size}, expected 1 to {MAXIMUM}"))
    }
}

/// Refuses what cannot be added to a variance.
pub(crate) fn check_epsilon(key: &str, value: f64) -> Result<(), String> {
    if 0.0 < value && value < 1.0 {
        Ok(())
    } else {
        Err(format!("{key} = {value}, expected 0 to 1"))
    }
}

/// Refuses what cannot be dropped.
pub(crate) fn check_share(key: &str, value: f64) -> Result<(), String> {
    if (0.0..1.0).contains(&value) {
        Ok(())
    } else {
        Err(format!(
            "{key} = {value}, expected at least 0 and less than 1"
        ))
    }
}

/// Refuses what layers of BERT's kind cannot be built with.
pub(crate) fn check_layers(
    activation: &str,
    epsilon: f64,
    [hidden, attention]: [f64; 2],
) -> Result<(), String> {
    check_gelu("hidden_act", activation)?;
    check_epsilon("layer_norm_eps", epsilon)?;
    check_share("hidden_dropout_prob", hidden)?;
    check_share("attention_probs_dropout_prob", attention)
}

/// Refuses activations other than the GELU by the error function.
pub(crate) fn check_gelu(key: &str, name: &str) -> Result<(), String> {
    if name == "gelu" {
        Ok(())
    } else {
        Err(format!("{key} = {name:?}, expected \"gelu\""))
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
    fn xlm_r_counts_positions_from_after_the_padding_id() {
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
