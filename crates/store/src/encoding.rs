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

#[cfg(all(test, feature = "flex"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};

    use optical_encoder::testing::tiny_checkpoint;

    use super::*;
    use crate::Notice;

    const TOKENS: FileEncoding = FileEncoding {
        pooling: None,
        settings: EncodeSettings {
            role: Role::Document,
            maximum_length: 16,
            tokens_per_batch: 32,
        },
    };

    /// A tiny model, and a file of texts that takes two chunks.
    struct Setting {
        folder: tempfile::TempDir,
        device: Device,
        reader: Reader,
    }

    impl Setting {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let device = Device::flex();
            let model = folder.path().join("model");
            tiny_checkpoint(&model, "bert", &["water", "fire"], 5).unwrap();
            // Blank lines are no texts, and fill a chunk all the same.
            let blank = "\n".repeat(1 << 18);
            let texts = format!("a\twater\nb\tfire water\n{blank}c\twater fire\nd\tfire\n");
            std::fs::write(folder.path().join("texts.tsv"), texts).unwrap();
            Self {
                reader: Reader::load(&model, &device).unwrap(),
                device,
                folder,
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn run(&self, encoding: FileEncoding, output: &str, host: &Host) -> anyhow::Result<u64> {
            let texts = Texts::open(&self.path("texts.tsv"))?;
            encoding.run(texts, &self.path(output), &self.reader, &self.device, host)
        }
    }

    /// A host that stops the work after the first chunk.
    fn impatient() -> Host {
        let stop = Arc::new(AtomicBool::new(false));
        let stops = stop.clone();
        Host::new(stop, move |notice| {
            if let Notice::Progress { position, .. } = notice {
                stops.fetch_or(0 < position, Ordering::SeqCst);
            }
        })
    }

    #[test]
    fn a_stopped_encoding_resumes_to_the_same_bytes() {
        let setting = Setting::new();
        assert_eq!(setting.run(TOKENS, "whole", &Host::deaf()).unwrap(), 4);
        let error = setting.run(TOKENS, "parts", &impatient()).unwrap_err();
        assert!(error.to_string().starts_with("stopped"), "{error}");
        assert!(!setting.path("parts").exists());
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let keeps = heard.clone();
        let host = Host::new(Arc::default(), move |notice| {
            if let Notice::Line(line) = notice {
                keeps.lock().unwrap().push(line.to_owned());
            }
        });
        assert_eq!(setting.run(TOKENS, "parts", &host).unwrap(), 4);
        assert_eq!(heard.lock().unwrap().len(), 1);
        assert!(heard.lock().unwrap()[0].starts_with("resumes after 26"));
        let bytes = |name| std::fs::read(setting.path(name)).unwrap();
        assert_eq!(bytes("whole"), bytes("parts"));
    }

    #[test]
    fn nothing_resumes_in_another_way_or_with_other_texts() {
        let setting = Setting::new();
        setting.run(TOKENS, "out", &impatient()).unwrap_err();
        let mut shorter = TOKENS;
        shorter.settings.maximum_length = 8;
        let mut query = TOKENS;
        query.settings.role = Role::Query;
        let pooled = FileEncoding {
            pooling: Some(Pooling::Mean),
            ..TOKENS
        };
        for (changed, expected) in [
            (shorter, "length 16, not 8"),
            (query, "role document, not query"),
            (pooled, "pool tokens, not mean"),
        ] {
            let error = setting.run(changed, "out", &Host::deaf()).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains(expected), "{error}");
        }
        std::fs::write(setting.path("texts.tsv"), "a\twater\nb\tfire fire\n").unwrap();
        let error = setting.run(TOKENS, "out", &Host::deaf()).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("is not the file that the output was begun with"),
            "{error}"
        );
    }

    #[test]
    fn lengths_that_a_model_cannot_have_are_refused_before_the_work() {
        let setting = Setting::new();
        let with = |maximum_length| {
            let mut encoding = TOKENS;
            encoding.settings.maximum_length = maximum_length;
            encoding.check(&setting.reader)
        };
        with(3).unwrap();
        let error = with(2).unwrap_err().to_string();
        assert_eq!(
            error,
            "--length 2 leaves no token of a text, expected at least 3"
        );
        let error = format!("{:#}", with(1000).unwrap_err());
        assert!(error.starts_with("--length: "), "{error}");
    }
}
