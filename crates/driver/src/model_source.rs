//! Where the teacher comes from: a fetched data set, a hub, or a folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use optical_encoder::convert_e5s1;

use crate::commands::fetch;

/// Returns the Hugging Face folder that `model` names, fetching and converting it if need be.
pub fn folder(model: &str, cache: &Path, offline: bool) -> anyhow::Result<PathBuf> {
    match model.split_once(':') {
        Some(("dataset", name)) => dataset(name, cache, offline),
        Some(("hub", name)) => hub(name, cache, offline),
        _ => {
            let folder = PathBuf::from(model);
            if !folder.join("config.json").is_file() {
                bail!(
                    "model {model:?} is no folder with a config.json; expected that, \"dataset:NAME\" or \"hub:OWNER/NAME\""
                );
            }
            Ok(folder)
        }
    }
}

/// Weights that a manifest describes, converted once.
fn dataset(name: &str, cache: &Path, offline: bool) -> anyhow::Result<PathBuf> {
    let manifest = Path::new("datasets").join(format!("{name}.toml"));
    let fetched = fetch::ensure(&manifest, cache, offline)?;
    let stem = fetched.folder.file_name().unwrap_or(name.as_ref());
    let folder = cache.join("models").join(stem);
    // The weights are written last, so where they are the folder is whole.
    if !folder.join("model.safetensors").is_file() {
        let file = fetched
            .files
            .values()
            .find(|path| path.extension().is_some_and(|extension| extension == "bin"))
            .with_context(|| format!("data set {name} has no weights file (*.bin)"))?;
        eprintln!("{name}: converting the weights into {}", folder.display());
        convert_e5s1(file, &folder)?;
    }
    Ok(folder)
}

/// The files of a model on the Hugging Face hub.
fn hub(name: &str, cache: &Path, offline: bool) -> anyhow::Result<PathBuf> {
    let folder = cache.join("models").join(name.replace('/', "--"));
    if folder.join("model.safetensors").is_file() {
        return Ok(folder);
    }
    if offline {
        bail!(
            "model hub:{name} is not in the cache; run without --offline where there is a network"
        );
    }
    let failed = || format!("model hub:{name}");
    let api = hf_hub::api::sync::ApiBuilder::new()
        .with_cache_dir(cache.join("hub"))
        .build()
        .with_context(failed)?;
    let repository = api.model(name.to_owned());
    std::fs::create_dir_all(folder.join("1_Dense")).with_context(failed)?;
    // Markers and a projection come with late-interaction models only; the weights come last, so
    // that a folder that has them is whole.
    let optional = [
        "config_sentence_transformers.json",
        "1_Dense/config.json",
        "1_Dense/model.safetensors",
    ];
    let listed = repository.info().with_context(failed)?.siblings;
    let there = |file: &str| listed.iter().any(|sibling| sibling.rfilename == file);
    let wanted = optional.into_iter().filter(|file| there(file));
    for file in wanted.chain(["config.json", "tokenizer.json", "model.safetensors"]) {
        let downloaded = repository
            .get(file)
            .with_context(|| format!("{}: {file}", failed()))?;
        let partial = folder.join(format!("{file}.partial"));
        std::fs::copy(&downloaded, &partial).with_context(failed)?;
        std::fs::rename(&partial, folder.join(file)).with_context(failed)?;
    }
    Ok(folder)
}
