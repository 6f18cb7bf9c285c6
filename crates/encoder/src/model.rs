//! A late-interaction model: tokenizer, encoder and head, as one Hugging Face folder.
//!
//! The folder is what transformers and PyLate read: `config.json`, `model.safetensors`,
//! `tokenizer.json` and its configuration, the head as the dense layer `1_Dense` of sentence-transformers, and the markers
//! as the `prompts` of `config_sentence_transformers.json`, or the conventions of ColBERT there as
//! PyLate writes them. Folders of Stanford's ColBERT are read too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleMapper, Param};
use burn::prelude::*;
use optical_files::whole::WholeFolder;
use optical_tokenize::{PruneError, TokenBatch, Tokenizer, prune, single_character_pieces};
use serde_json::{Value, json};

use crate::modules::Modules;
use crate::pooling::FolderPooling;
use crate::tokenizer_file::{TokenizerFile, read_tokenizer};
use crate::weights::{WeightsReader, write_atomically, write_weights};
use crate::{Encoder, EncoderConfig, EncoderError, Head, conventions};

/// A tokenizer, an encoder on a device, and the head after it.
#[derive(Debug, Clone)]
pub struct Model {
    /// Hugging Face configuration of the encoder.
    pub config: EncoderConfig,
    /// Text to tokens, with this model's markers.
    pub tokenizer: Tokenizer,
    /// Tokens to vectors.
    pub encoder: Encoder,
    /// The map after the encoder; absent in a plain checkpoint, where vectors are only normalised.
    pub head: Option<Head>,
    /// Beginnings of the names of tensors in its files that are of no use here, such as the heads of
    /// other tasks.
    pub left_out: Vec<String>,
    tokenizer_json: Vec<u8>,
    /// The most tokens of a text, if a file says so.
    maximum: Option<usize>,
    pub(crate) pooling: Option<FolderPooling>,
}

impl Model {
    /// Reads a Hugging Face folder onto `device`; on an autodiff device its tensors can be trained.
    ///
    /// Files that [`model_files`](crate::model_files) does not list are not read.
    ///
    /// # Errors
    /// If a file is missing or malformed, a tensor is missing, unused or misshapen, or the
    /// tokenizer has more entries than the embedding has rows.
    pub fn load(folder: &Path, device: &Device) -> Result<Self, EncoderError> {
        let modules = Modules::read(folder)?;
        let encoder_folder = &modules.encoder;
        let (config, file, tokenizer) = read_reader(folder, encoder_folder)?;
        let mut weights = WeightsReader::in_folder(encoder_folder)?;
        let layout = config.family.layout();
        let encoder = Encoder::load(&config, &mut weights, device)?;
        let mut head = modules.head(config.hidden_size)?;
        if head.is_none() && conventions::is_stanford(encoder_folder)? {
            head = Some(Head::take(&mut weights, config.hidden_size)?);
        }
        Ok(Self {
            left_out: weights.finish(layout.heads)?,
            pooling: FolderPooling::read(&modules)?,
            config,
            tokenizer,
            encoder,
            head,
            tokenizer_json: file.json,
            maximum: file.maximum,
        })
    }

    /// Returns the most tokens of a text where nobody says otherwise: what the folder's files say
    /// (`max_seq_length`, else `model_max_length`), or as many as the encoder has positions.
    pub fn maximum_length(&self) -> usize {
        let positions = self.config.maximum_length();
        self.maximum.map_or(positions, |most| most.min(positions))
    }

    /// Says whether texts may have this number of tokens; beyond what the folder's files say they
    /// may, since sentence-transformers lets its users set that too, beyond the encoder's positions
    /// they may not.
    ///
    /// # Errors
    /// If the encoder has too few positions.
    pub fn check_length(&self, asked: usize) -> Result<(), EncoderError> {
        let most = self.config.maximum_length();
        if asked <= most {
            Ok(())
        } else {
            Err(EncoderError::TooLong { asked, most })
        }
    }

    /// Writes the model as a Hugging Face folder, the weights last.
    ///
    /// # Errors
    /// If the folder cannot be written or the device fails.
    pub fn save(&self, folder: &Path) -> Result<(), EncoderError> {
        let write = |name: &str, value: &Value| {
            write_atomically(&folder.join(name), format!("{value:#}\n").as_bytes())
        };
        write("config.json", &Value::Object(self.config.to_json()))?;
        write_atomically(&folder.join("tokenizer.json"), &self.tokenizer_json)?;
        let maximum = self.maximum_length();
        write(
            "tokenizer_config.json",
            &conventions::tokenizer_config(&self.tokenizer, maximum),
        )?;
        write(
            "config_sentence_transformers.json",
            &conventions::to_json(&self.tokenizer, maximum),
        )?;
        let mut modules = vec![json!({"idx": 0, "name": "0", "path": "",
            "type": "sentence_transformers.models.Transformer"})];
        if let Some(head) = &self.head {
            modules.push(json!({"idx": 1, "name": "1", "path": "1_Dense",
                "type": "pylate.models.Dense.Dense"}));
            head.save(&folder.join("1_Dense"))?;
        }
        write("modules.json", &Value::Array(modules))?;
        write_weights(&folder.join("model.safetensors"), &self.encoder.tensors()?)
    }

    /// Saves as [`Self::save`] does, into a folder that takes the place of `folder` and of all that
    /// is in it, once it is whole.
    ///
    /// # Errors
    /// As [`Self::save`].
    pub fn save_whole(&self, folder: &Path) -> Result<(), EncoderError> {
        let failed = |error| EncoderError::write(folder, error);
        let new = WholeFolder::create(folder).map_err(failed)?;
        self.save(new.path())?;
        new.finish().map_err(failed)
    }

    /// Returns the model with only the vocabulary entries `used`, the special ones, and those that
    /// it marks texts with; other text falls back to shorter entries.
    ///
    /// # Errors
    /// If the tokenizer's model cannot be pruned.
    pub fn prune_vocabulary(self, used: &BTreeSet<u32>) -> Result<Self, EncoderError> {
        let used = used | &self.tokenizer.needed_ids();
        let pruned = prune(&self.tokenizer_json, &used).map_err(cannot_prune)?;
        let markers = self.tokenizer.markers().clone();
        let mut tokenizer = Tokenizer::from_bytes(&pruned.json, markers)?;
        if let Some(colbert) = self.tokenizer.colbert() {
            tokenizer = tokenizer.with_colbert(colbert.clone())?;
        }
        Ok(Self {
            tokenizer,
            encoder: self.encoder.with_vocabulary(&pruned.rows),
            config: EncoderConfig {
                vocab_size: pruned.rows.len(),
                ..self.config
            },
            tokenizer_json: pruned.json,
            ..self
        })
    }

    /// Ids of the vocabulary entries that spell one character; see
    /// [`optical_tokenize::single_character_pieces`].
    ///
    /// # Errors
    /// If the tokenizer's model cannot be pruned.
    pub fn single_character_pieces(&self) -> Result<BTreeSet<u32>, EncoderError> {
        single_character_pieces(&self.tokenizer_json).map_err(cannot_prune)
    }

    /// Returns the model with only its first `count` layers.
    #[must_use]
    pub fn with_layers(mut self, count: usize) -> Self {
        self.encoder = self.encoder.with_layers(count);
        self.config.num_hidden_layers = self.encoder.layer_count();
        self
    }

    /// Returns the model with `next` after its head.
    #[must_use]
    pub fn with_head_after(mut self, next: &Head) -> Self {
        self.head = Some(match &self.head {
            Some(head) => head.then(next),
            None => next.clone(),
        });
        self
    }

    /// Returns the model with trainable parameters of its own on an autodiff device.
    #[must_use]
    pub fn trainable(mut self, device: &Device) -> Self {
        self.encoder = self.encoder.fork(device).set_require_grad(true).train();
        // Neither takes over whether the device keeps all that a backward pass needs.
        self.encoder = self.encoder.map(&mut KeepAs(device));
        self
    }

    /// Returns the model that drops in training what its authors dropped; see
    /// [`Encoder::with_dropout`].
    #[must_use]
    pub fn with_dropout(mut self, seed: u64) -> Self {
        self.encoder = self.encoder.with_dropout(&self.config, seed);
        self
    }

    /// Returns the width of the vectors after the head.
    pub fn dimensions(&self) -> usize {
        self.head
            .as_ref()
            .map_or(self.config.hidden_size, |head| head.output)
    }

    /// Returns the head, or the identity where there is none: both normalise.
    pub fn head_or_identity(&self) -> Head {
        self.head
            .clone()
            .unwrap_or_else(|| Head::identity(self.config.hidden_size))
    }

    /// Returns token vectors of a batch before the head: `[rows, width, hidden]`.
    pub fn states(&self, batch: &TokenBatch, device: &Device) -> Tensor<3> {
        self.encoder.states(batch, device)
    }
}

/// Makes parameters keep for the backward pass what their device says.
struct KeepAs<'a>(&'a Device);

impl ModuleMapper for KeepAs<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.0.gradient_checkpointing_strategy() {
            Some(strategy) => param.map(|tensor| {
                let tensor = tensor.with_gradient_checkpointing_strategy(strategy);
                tensor.detach().require_grad()
            }),
            None => param,
        }
    }
}

/// Reads what a folder says of an encoder's shape and of its texts, before any tensor.
pub(crate) fn read_reader(
    folder: &Path,
    encoder: &Path,
) -> Result<(EncoderConfig, TokenizerFile, Tokenizer), EncoderError> {
    let config = EncoderConfig::load(&encoder.join("config.json"))?;
    let file = read_tokenizer(encoder)?;
    let tokenizer = Tokenizer::from_bytes(&file.json, conventions::markers(folder)?);
    let tokenizer = tokenizer.map_err(|error| EncoderError::Config {
        path: encoder.join("tokenizer.json"),
        reason: error.to_string(),
    })?;
    let tokenizer = conventions::apply(folder, tokenizer)?;
    if config.vocab_size < tokenizer.vocabulary_size() {
        return Err(EncoderError::Vocabulary {
            tokenizer: tokenizer.vocabulary_size(),
            rows: config.vocab_size,
        });
    }
    Ok((config, file, tokenizer))
}

fn cannot_prune(error: PruneError) -> EncoderError {
    EncoderError::Config {
        path: PathBuf::from("tokenizer.json"),
        reason: error.to_string(),
    }
}
