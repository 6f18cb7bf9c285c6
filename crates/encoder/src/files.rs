//! Which files of a model's folder are read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::modules::Modules;
use crate::{EncoderError, weights};

/// Beside `modules.json`, where sentence-transformers looks for them.
const OF_THE_FOLDER: [&str; 4] = [
    "modules.json",
    "config.json",
    "config_sentence_transformers.json",
    "artifact.metadata",
];

/// Beside the encoder's weights, which may be in a folder below.
const OF_THE_ENCODER: [&str; 4] = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "artifact.metadata",
];

/// What sentence-transformers has called its own settings of an encoder; the first that is there counts.
pub(crate) const SENTENCE_CONFIGS: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

/// Lists every file of a model's folder that its vectors follow from, relative to the folder and
/// sorted: settings, tokenizer, conventions, and weights with all their shards, wherever
/// `modules.json` says that they are. No other file of the folder is read by
/// [`Model::load`](crate::Model::load).
///
/// # Errors
/// If the folder is not a model's, or a file that says where the others are is malformed.
pub fn model_files(folder: &Path) -> Result<Vec<PathBuf>, EncoderError> {
    let modules = Modules::read(folder)?;
    let mut files = BTreeSet::new();
    let mut add = |path: PathBuf| {
        if let (true, Ok(below)) = (path.is_file(), path.strip_prefix(folder)) {
            files.insert(below.to_owned());
        }
    };
    for name in OF_THE_FOLDER {
        add(folder.join(name));
    }
    for name in OF_THE_ENCODER.iter().chain(&SENTENCE_CONFIGS) {
        add(modules.encoder.join(name));
    }
    for path in weights::files(&modules.encoder)? {
        add(path);
    }
    if let Some(pooling) = &modules.pooling {
        add(pooling.join("config.json"));
    }
    for dense in &modules.dense {
        let config = dense.join("config.json");
        if config.is_file() {
            add(config);
            for path in weights::files(dense)? {
                add(path);
            }
        }
    }
    Ok(files.into_iter().collect())
}
