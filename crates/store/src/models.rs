//! Where models come from: a fetched data set, a hub, or a folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use hf_hub::api::sync::ApiBuilder;
use hf_hub::{Cache, Repo, RepoType};
use optical_corpus::manifest::{Reader as Layout, SHIPPED_FOLDER};
use optical_encoder::{E5S1_REVISION, convert_e5s1, model_files};
use optical_files::whole::{self, WholeFolder};

use crate::Store;
use crate::datasets::load;
use crate::key::Key;

/// Where a model is already.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// In this folder.
    Here(PathBuf),
    /// It is downloaded, and converted if it is a data set; the number of bytes, if that is known.
    Away(Option<u64>),
}

/// The weights of a data set.
enum Weights {
    /// In a folder as models are read from.
    Ready(PathBuf),
    /// In a file that is converted into a folder.
    Converted { file: PathBuf, into: PathBuf },
}

impl Store {
    /// Returns the Hugging Face folder that `model` names, fetching and converting it if need be:
    /// `dataset:NAME`, `hub:OWNER/NAME`, or a folder.
    ///
    /// # Errors
    /// If there is no such model, or it cannot be had.
    pub fn model(&self, model: &str) -> anyhow::Result<PathBuf> {
        match model.split_once(':') {
            Some(("dataset", name)) => self.converted(name),
            Some(("hub", name)) => self.of_hub(name),
            _ => {
                let folder = PathBuf::from(model);
                model_files(&folder).with_context(|| {
                    format!("model {model:?}: expected a model's folder, \"dataset:NAME\" or \"hub:OWNER/NAME\"")
                })?;
                Ok(folder)
            }
        }
    }

    /// Finds a model without fetching or converting it.
    ///
    /// # Errors
    /// If there is no such model.
    pub fn place(&self, model: &str) -> anyhow::Result<Place> {
        let here = |folder: PathBuf| {
            let mut files = WEIGHTS.concat().into_iter();
            files
                .any(|file| folder.join(file).is_file())
                .then_some(folder)
        };
        match model.split_once(':') {
            Some(("dataset", name)) => {
                let manifest = manifest(name);
                if let Some((_, bytes)) = self.lacking(&manifest)? {
                    return Ok(Place::Away(Some(bytes)));
                }
                let folder = match self.weights(name)? {
                    Weights::Ready(folder) => folder,
                    Weights::Converted { into, .. } => into,
                };
                Ok(here(folder).map_or(Place::Away(Some(0)), Place::Here))
            }
            Some(("hub", name)) => {
                Ok(here(self.hub_place(name)).map_or(Place::Away(None), Place::Here))
            }
            _ => self.model(model).map(Place::Here),
        }
    }

    /// Returns the languages that a model says it was trained on; `None` where it does not say.
    ///
    /// # Errors
    /// If it is that of a data set without a manifest.
    pub fn languages(&self, model: &str) -> anyhow::Result<Option<Vec<String>>> {
        let Some(("dataset", name)) = model.split_once(':') else {
            return Ok(None);
        };
        Ok(match load(&manifest(name))?.reader {
            Layout::HuggingFace(layout) if !layout.languages.is_empty() => Some(layout.languages),
            _ => None,
        })
    }

    /// The weights that a manifest describes.
    fn weights(&self, name: &str) -> anyhow::Result<Weights> {
        let manifest = manifest(name);
        let fetched = self.data_set(&manifest, false)?;
        if let Layout::HuggingFace(layout) = load(&manifest)?.reader {
            return Ok(Weights::Ready(fetched.folder.join(layout.folder)));
        }
        let stem = fetched.folder.file_name().unwrap_or(name.as_ref());
        let mut files = fetched.files.into_values();
        let file = files
            .find(|path| path.extension().is_some_and(|extension| extension == "bin"))
            .with_context(|| format!("data set {name} has no weights file (*.bin)"))?;
        // By what it was made of: other weights under the same name are another model.
        let mut key = Key::of("converted model").with(E5S1_REVISION.to_le_bytes());
        key.add_file(&file)?;
        let stem = format!("{}-{}", stem.to_string_lossy(), key.text());
        let into = self.cache.join("models").join(stem);
        Ok(Weights::Converted { file, into })
    }

    /// The folder of the weights that a manifest describes, converted once if need be.
    fn converted(&self, name: &str) -> anyhow::Result<PathBuf> {
        let (file, into) = match self.weights(name)? {
            Weights::Ready(folder) => {
                model_files(&folder).with_context(|| format!("data set {name}"))?;
                return Ok(folder);
            }
            Weights::Converted { file, into } => (file, into),
        };
        self.made_once(into, |folder| {
            let host = &self.host;
            host.say(format_args!("{name}: converting the weights"));
            Ok(convert_e5s1(&file, folder)?)
        })
    }

    fn hub_place(&self, name: &str) -> PathBuf {
        self.cache.join("models").join(name.replace('/', "--"))
    }

    /// The files of a model on the Hugging Face hub.
    fn of_hub(&self, name: &str) -> anyhow::Result<PathBuf> {
        self.made_once(self.hub_place(name), |folder| {
            ensure!(
                !self.offline,
                "model hub:{name} is not in the cache; run without --offline where there is a network"
            );
            // Two processes that download share what is in the cache of downloads.
            let entry = Repo::model(name.to_owned()).folder_name();
            let _lock = self.lock(&self.cache.join("hub").join(entry))?;
            let downloaded = self.download(name, folder);
            downloaded.with_context(|| format!("model hub:{name}"))
        })
    }

    /// Downloads the files of a model on the Hugging Face hub, all of one commit.
    fn download(&self, name: &str, folder: &Path) -> anyhow::Result<()> {
        let api = ApiBuilder::from_cache(Cache::new(self.cache.join("hub")))
            .with_token(self.hub_token.clone())
            .with_progress(false)
            .build()?;
        let info = api.model(name.to_owned()).info()?;
        let commit = Repo::with_revision(name.to_owned(), RepoType::Model, info.sha);
        let repository = api.repo(commit);
        let listed: Vec<_> = info.siblings.into_iter().map(|it| it.rfilename).collect();
        let files = wanted(&listed)?;
        let progress = self.host.progress(name, 0, files.len() as u64);
        for (file, number) in files.into_iter().zip(1..) {
            self.host.check()?;
            let downloaded = repository.get(file).with_context(|| file.to_owned())?;
            let place = folder.join(file);
            std::fs::create_dir_all(place.parent().unwrap_or(folder))?;
            let copied = std::fs::File::open(downloaded).and_then(|mut downloaded| {
                whole::write_with(&place, |file| {
                    std::io::copy(&mut downloaded, file).map(drop)
                })
            });
            copied.with_context(|| format!("{} cannot be written", place.display()))?;
            progress.at(number, file);
        }
        Ok(())
    }

    /// A model's folder in the cache, made where it is not there; of several processes one makes it.
    fn made_once(
        &self,
        folder: PathBuf,
        make: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<PathBuf> {
        let is_whole = || model_files(&folder).is_ok();
        if is_whole() {
            return Ok(folder);
        }
        let failed = || format!("{} cannot be written", folder.display());
        let _lock = self.lock(&folder)?;
        if !is_whole() {
            whole::sweep_beside(&folder);
            let new = WholeFolder::create(&folder).with_context(failed)?;
            make(new.path())?;
            new.finish().with_context(failed)?;
        }
        Ok(folder)
    }
}

/// The manifest of a data set by its name.
fn manifest(name: &str) -> PathBuf {
    Path::new(SHIPPED_FOLDER).join(format!("{name}.toml"))
}

/// Where the weights of a Hugging Face folder are, the first that is there: whole, or in shards that
/// an index lists.
const WEIGHTS: [[&str; 2]; 2] = [
    ["model.safetensors", "model.safetensors.index.json"],
    ["pytorch_model.bin", "pytorch_model.bin.index.json"],
];

/// Which of a repository's files make up the model: configurations and tokenizer, the folders of
/// modules below, and the weights in one format, those of the encoder after everything else.
fn wanted(listed: &[String]) -> anyhow::Result<Vec<&str>> {
    let files: Vec<(&str, &str, &str)> = (listed.iter())
        .filter(|path| !path.contains(['\\', ':']))
        .filter_map(|path| {
            let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
            (folder.is_empty() || is_module(folder)).then_some((folder, file, path.as_str()))
        })
        .collect();
    let there = |folder: &str, file: &str| files.iter().any(|&(f, n, _)| (f, n) == (folder, file));
    // The encoder is in the repository itself, or, in older ones, in 0_Transformer.
    let has_tokenizer = |folder: &str| there(folder, "tokenizer.json");
    let folders = files.iter().map(|&(folder, ..)| folder);
    let encoder = if has_tokenizer("") { Some("") } else { None };
    let encoder = encoder.or_else(|| folders.clone().find(|folder| has_tokenizer(folder)));
    let encoder = encoder.context("the hub lists no tokenizer.json")?;
    ensure!(
        there(encoder, "config.json"),
        "the hub lists no config.json"
    );
    let weights = |folder: &str| -> Option<(&str, Vec<&str>)> {
        let [whole, index] = WEIGHTS
            .into_iter()
            .find(|names| names.iter().any(|name| there(folder, name)))?;
        let entry = if there(folder, whole) { whole } else { index };
        let stem = entry.split('.').next().unwrap_or(entry);
        let is_shard = |name: &str| entry == index && name.starts_with(&format!("{stem}-"));
        let within = files.iter().filter(|&&(of, ..)| of == folder);
        let shards = within.clone().filter(|&&(_, name, _)| is_shard(name));
        let entry = within.clone().find(|&&(_, name, _)| name == entry)?;
        Some((entry.2, shards.map(|&(.., path)| path).collect()))
    };
    let (entry, shards) = weights(encoder)
        .with_context(|| format!("the hub lists none of {}", WEIGHTS.concat().join(", ")))?;
    let small = |file: &str| {
        file == "artifact.metadata" || file.ends_with(".json") && !file.ends_with(".index.json")
    };
    let settings = files.iter().filter(|&&(_, file, _)| small(file));
    let mut all: Vec<&str> = settings.map(|&(.., path)| path).collect();
    let modules: BTreeSet<&str> = folders.filter(|&folder| folder != encoder).collect();
    for (entry, shards) in modules
        .into_iter()
        .filter(|of| !of.is_empty())
        .filter_map(weights)
    {
        all.extend(shards);
        all.push(entry);
    }
    all.extend(shards);
    all.push(entry);
    Ok(all)
}

/// Whether a folder is that of a module: `1_Dense` and the like.
fn is_module(folder: &str) -> bool {
    let number = folder.split('_').next().unwrap_or_default();
    !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && folder
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn chosen(listed: &[&str]) -> Vec<String> {
        let listed: Vec<String> = listed.iter().map(|&file| file.to_owned()).collect();
        let files = wanted(&listed).unwrap().into_iter();
        files.map(str::to_owned).collect()
    }

    /// The same for every command: `train`, `teach` and `mine` find what `encode` does.
    #[test]
    fn a_folder_is_a_models_wherever_its_encoder_is() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::deaf(place.path());
        let found = |model: &Path| store.model(model.to_str().unwrap());
        let error = format!("{:#}", found(place.path()).unwrap_err());
        assert!(error.contains("expected a model's folder"), "{error}");
        assert!(error.ends_with("it has no config.json"), "{error}");
        let encoder = place.path().join("0_Transformer");
        optical_encoder::testing::tiny_checkpoint(&encoder, "bert", &["maji"], 3).unwrap();
        let modules = r#"[{"path": "0_Transformer", "type": "x.Transformer"}]"#;
        std::fs::write(place.path().join("modules.json"), modules).unwrap();
        assert_eq!(found(place.path()).unwrap(), place.path());
    }

    /// All begin together; who comes too late finds what the first has made.
    #[test]
    fn of_several_who_want_a_model_one_makes_it() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::deaf(place.path());
        let (made, together) = (AtomicU32::new(0), Barrier::new(3));
        let folder = place.path().join("models/tiny");
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    together.wait();
                    let found = store.made_once(folder.clone(), |new| {
                        made.fetch_add(1, Ordering::SeqCst);
                        optical_encoder::testing::tiny_checkpoint(new, "bert", &["maji"], 3)?;
                        Ok(())
                    });
                    assert_eq!(model_files(&found.unwrap()).unwrap().len(), 3);
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }

    #[test]
    fn whole_safetensors_come_before_other_weights() {
        let found = chosen(&[
            "model.safetensors",
            "pytorch_model.bin",
            "README.md",
            "config.json",
            "tokenizer.json",
            "1_Dense/model.safetensors",
            "1_Dense/config.json",
            "onnx/config.json",
            "onnx/model.safetensors",
        ]);
        let expected = [
            "config.json",
            "tokenizer.json",
            "1_Dense/config.json",
            "1_Dense/model.safetensors",
            "model.safetensors",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn an_encoder_in_a_folder_below_is_found() {
        let found = chosen(&[
            "0_Transformer/pytorch_model.bin",
            "0_Transformer/config.json",
            "0_Transformer/tokenizer.json",
            "0_Transformer/sentence_bert_config.json",
            "1_Pooling/config.json",
            "2_Dense/config.json",
            "2_Dense/pytorch_model.bin",
            "modules.json",
        ]);
        let expected = [
            "0_Transformer/config.json",
            "0_Transformer/tokenizer.json",
            "0_Transformer/sentence_bert_config.json",
            "1_Pooling/config.json",
            "2_Dense/config.json",
            "modules.json",
            "2_Dense/pytorch_model.bin",
            "0_Transformer/pytorch_model.bin",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn shards_come_before_the_index_that_makes_the_folder_whole() {
        let found = chosen(&[
            "pytorch_model.bin.index.json",
            "pytorch_model-00001-of-00002.bin",
            "config.json",
            "pytorch_model-00002-of-00002.bin",
            "artifact.metadata",
            "tokenizer.json",
        ]);
        let expected = [
            "config.json",
            "artifact.metadata",
            "tokenizer.json",
            "pytorch_model-00001-of-00002.bin",
            "pytorch_model-00002-of-00002.bin",
            "pytorch_model.bin.index.json",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn nothing_leads_out_of_the_folder() {
        let found = chosen(&[
            "config.json",
            "tokenizer.json",
            "model.safetensors",
            "../config.json",
            "1_../config.json",
            "1_x\\..\\..\\y.json",
            "/1_Dense/config.json",
        ]);
        assert_eq!(
            found,
            ["config.json", "tokenizer.json", "model.safetensors"]
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let refused = |listed: &[&str]| {
            let listed: Vec<String> = listed.iter().map(|&file| file.to_owned()).collect();
            wanted(&listed).unwrap_err().to_string()
        };
        assert_eq!(refused(&["config.json"]), "the hub lists no tokenizer.json");
        assert_eq!(refused(&["tokenizer.json"]), "the hub lists no config.json");
        let weights = refused(&["config.json", "tokenizer.json", "tf_model.h5"]);
        assert!(
            weights.starts_with("the hub lists none of model.safetensors"),
            "{weights}"
        );
    }
}
