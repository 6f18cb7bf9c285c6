//! A model that is ready to read texts.

use std::path::{Path, PathBuf};

use anyhow::Context;
use burn::tensor::Device;
use optical_encoder::{EncodeSettings, EncoderError, Head, Model};

use crate::{Store, key};

/// A model with the head after it: tokenizer and conventions of its texts are the model's own.
#[derive(Debug, Clone)]
pub struct Reader {
    /// What is in its Hugging Face folder.
    pub model: Model,
    /// Comes after the model: its own head where it has one, else the identity.
    pub head: Head,
    /// A hash of all files of the folder that vectors follow from.
    pub key: String,
    /// The folder.
    pub folder: PathBuf,
}

impl Store {
    /// Loads the model that a name stands for, fetching and converting it if need be: `dataset:NAME`,
    /// `hub:OWNER/NAME`, or a folder.
    ///
    /// # Errors
    /// If the model cannot be had or loaded.
    pub fn reader(&self, name: &str, device: &Device) -> anyhow::Result<Reader> {
        let folder = self.model(name)?;
        let reader = Reader::load(&folder, device).with_context(|| format!("model {name}"))?;
        // A pooler, which most encoders have, goes without saying.
        let heads = reader.model.left_out.iter();
        let heads: Vec<&str> = heads
            .map(String::as_str)
            .filter(|it| *it != "pooler")
            .collect();
        if !heads.is_empty() {
            let heads = heads.join(", ");
            let host = &self.host;
            host.say(format_args!("{name}: left out, as of other tasks: {heads}"));
        }
        Ok(reader)
    }
}

impl Reader {
    /// Loads the model of a folder.
    ///
    /// # Errors
    /// If it is not a model's folder, or its files do not fit together.
    pub fn load(folder: &Path, device: &Device) -> anyhow::Result<Self> {
        Self::of(Model::load(folder, device)?, folder)
    }

    /// Takes a model that is loaded, with the folder that it was saved to or loaded from.
    ///
    /// # Errors
    /// If a file of the folder cannot be read.
    pub fn of(model: Model, folder: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            head: model.head_or_identity(),
            key: key::of_model(folder)?,
            folder: folder.to_owned(),
            model,
        })
    }

    /// Returns the token vectors of texts, in their order.
    ///
    /// # Errors
    /// If a text cannot be tokenized, or the device fails.
    pub fn encode(
        &self,
        texts: &[&str],
        settings: EncodeSettings,
        device: &Device,
    ) -> Result<Vec<Vec<f32>>, EncoderError> {
        encode(&self.model, &self.head, texts, settings, device)
    }
}

/// Returns the token vectors of texts after a head, in their order.
///
/// # Errors
/// If a text cannot be tokenized, or the device fails.
pub fn encode(
    model: &Model,
    head: &Head,
    texts: &[&str],
    settings: EncodeSettings,
    device: &Device,
) -> Result<Vec<Vec<f32>>, EncoderError> {
    let mut vectors = vec![Vec::new(); texts.len()];
    model.encode(texts, &[head], settings, device, |text| {
        vectors[text.index].clone_from(&text.vectors[0]);
        Ok::<_, EncoderError>(())
    })?;
    Ok(vectors)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use optical_encoder::testing::{HIDDEN, tiny_checkpoint};
    use optical_tokenize::Role;

    use super::*;

    const SETTINGS: EncodeSettings = EncodeSettings {
        role: Role::Document,
        maximum_length: 16,
        tokens_per_batch: 8,
    };

    #[test]
    fn a_folder_becomes_a_reader_with_its_own_head() {
        let folder = tempfile::tempdir().unwrap();
        let device = Device::flex();
        let store = Store::deaf(&folder.path().join("cache"));
        let model = folder.path().join("model");
        let name = model.to_str().unwrap();
        let error = format!("{:#}", store.reader(name, &device).unwrap_err());
        assert!(error.contains(name), "{error}");

        tiny_checkpoint(&model, "bert", &["water", "fire"], 5).unwrap();
        let raw = store.reader(name, &device).unwrap();
        assert_eq!(raw.key, key::of_model(&model).unwrap());
        assert_eq!(raw.head, Head::identity(HIDDEN));
        // Sorted by length on the way: each text has its vectors all the same.
        let texts = ["fire water fire", "water", "water fire"];
        let all = raw.encode(&texts, SETTINGS, &device).unwrap();
        for (text, vectors) in texts.iter().zip(&all) {
            let tokens = text.split(' ').count();
            assert_eq!(vectors.len(), tokens * HIDDEN, "{text}");
            let alone = raw.encode(&[text], SETTINGS, &device).unwrap();
            for (one, other) in alone[0].iter().zip(vectors) {
                assert!((one - other).abs() < 1e-5, "{text}: {one} and {other}");
            }
        }

        // A head in the folder is another model, whose vectors come after it.
        Head::identity(HIDDEN)
            .truncated(3)
            .save(&model.join("1_Dense"))
            .unwrap();
        let headed = store.reader(name, &device).unwrap();
        assert_ne!(headed.key, raw.key);
        assert_eq!(headed.head.output, 3);
        let vectors = headed.encode(&texts, SETTINGS, &device).unwrap();
        assert_eq!(vectors[0].len(), 9);
    }
}
