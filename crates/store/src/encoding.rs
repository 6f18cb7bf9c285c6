//! The texts of a file to vectors in a file, resumable.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};
use burn::tensor::Device;
use optical_encoder::{EncodeSettings, Pooling, VectorFile};
use optical_tokenize::Role;

use crate::texts::{Cursor, Texts};
use crate::{Host, Reader, device_kind};

/// How the texts of a file become vectors.
#[derive(Debug, Clone, Copy)]
pub struct FileEncoding {
    /// One vector for each text; where it is `None`, one for each token, after the head.
    pub pooling: Option<Pooling>,
    /// How texts are cut and batched.
    pub settings: EncodeSettings,
}

impl FileEncoding {
    /// Encodes texts and writes their vectors to `output` in safetensors format: `vectors`,
    /// `lengths` and `ids`. After a stop, the same call resumes; returns the number of texts.
    ///
    /// # Errors
    /// If the model cannot do it, a text is refused, a file cannot be read or written, or somebody
    /// stops it.
    pub fn run(
        &self,
        mut texts: Texts,
        output: &Path,
        reader: &Reader,
        device: &Device,
        host: &Host,
    ) -> anyhow::Result<u64> {
        let metadata = self.metadata(reader, device);
        let width = match self.pooling {
            None => reader.head.output,
            Some(_) => reader.model.config.hidden_size,
        };
        let mut file = VectorFile::open(output, width, metadata)?;
        if !file.cursor().is_null() {
            let cursor: Cursor = serde_json::from_value(file.cursor().clone())
                .with_context(|| format!("{}.partial", output.display()))?;
            texts.skip_to(&cursor)?;
            host.say(format_args!("resumes after {} lines", cursor.lines));
        }
        let progress = host.progress(
            "encode bytes",
            texts.cursor.bytes.min(texts.total),
            texts.total,
        );
        loop {
            let chunk = texts.next_chunk()?;
            if chunk.is_empty() {
                break;
            }
            let vectors = self.encode(reader, &chunk, device, host)?;
            for ((id, _), vectors) in chunk.iter().zip(&vectors) {
                file.push(id, vectors)?;
            }
            file.commit(serde_json::to_value(&texts.cursor)?)?;
            let message = format!("{} texts", file.texts());
            progress.at(texts.cursor.bytes.min(texts.total), &message);
        }
        drop(progress);
        let count = file.texts();
        file.finish()?;
        Ok(count)
    }

    /// Refuses what the model cannot do, before the long work. Errors begin with the name of a setting.
    ///
    /// # Errors
    /// If the length leaves nothing of a text or is too much, or the model has no such vector.
    pub fn check(&self, reader: &Reader) -> anyhow::Result<()> {
        let (model, settings) = (&reader.model, self.settings);
        let length = settings.maximum_length;
        model.check_length(length).context("--length")?;
        if let Some(pooling) = self.pooling {
            model.check_pooling(pooling).context("--pool")?;
        }
        let least = model.tokenizer.least_length(settings.role)?;
        ensure!(
            least <= length,
            "--length {length} leaves no token of a text, expected at least {least}"
        );
        Ok(())
    }

    /// All that the vectors depend on, but the texts.
    fn metadata(&self, reader: &Reader, device: &Device) -> BTreeMap<String, String> {
        let pool = match self.pooling {
            None => "tokens",
            Some(Pooling::Mean) => "mean",
            Some(Pooling::First) => "cls",
        };
        let role = match self.settings.role {
            Role::Query => "query",
            Role::Document => "document",
        };
        BTreeMap::from(
            [
                // By its content: other weights under the same name are another model.
                ("model", reader.key.clone()),
                ("device", device_kind(device)),
                ("pool", pool.to_owned()),
                ("role", role.to_owned()),
                ("length", self.settings.maximum_length.to_string()),
                // Sums of a batch are rounded by its shape.
                ("batch", self.settings.tokens_per_batch.to_string()),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        )
    }

    /// The vectors of some texts, in their order.
    fn encode(
        &self,
        reader: &Reader,
        chunk: &[(String, String)],
        device: &Device,
        host: &Host,
    ) -> anyhow::Result<Vec<Vec<f32>>> {
        let (model, settings) = (&reader.model, self.settings);
        let texts: Vec<&str> = chunk.iter().map(|(_, text)| text.as_str()).collect();
        let mut all = vec![Vec::new(); texts.len()];
        let Some(pooling) = self.pooling else {
            model.encode(&texts, &[&reader.head], settings, device, |text| {
                all[text.index].clone_from(&text.vectors[0]);
                host.check()
            })?;
            return Ok(all);
        };
        model.encode_pooled(&texts, pooling, settings, device, |index, vector| {
            all[index] = vector.to_vec();
            host.check()
        })?;
        Ok(all)
    }
}
