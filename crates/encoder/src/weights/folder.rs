//! Which files of a folder hold the weights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::stored::{self, Stored};
use crate::EncoderError;
use crate::model::read_json;

const SINGLE: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];

/// The file that lists the weights, and the tensors by their names.
pub(super) fn index(folder: &Path) -> Result<(PathBuf, BTreeMap<String, Stored>), EncoderError> {
    for name in SINGLE {
        let single = folder.join(name);
        if single.exists() {
            let tensors = stored::index(&single)?;
            return Ok((single, tensors));
        }
        let shards = folder.join(format!("{name}.index.json"));
        if let Some(index) = read_json(&shards)? {
            let tensors = sharded(folder, &shards, &index)?;
            return Ok((shards, tensors));
        }
    }
    let missing = std::io::Error::new(
        std::io::ErrorKind::NotFound,
        format!(
            "expected {}, or an index of their shards",
            SINGLE.join(" or ")
        ),
    );
    Err(EncoderError::read(folder, missing))
}

/// The tensors of all shards; those that the index names have to be where it says.
fn sharded(
    folder: &Path,
    path: &Path,
    index: &serde_json::Value,
) -> Result<BTreeMap<String, Stored>, EncoderError> {
    let refuse = |reason: String| EncoderError::Config {
        path: path.to_owned(),
        reason,
    };
    let map = index["weight_map"]
        .as_object()
        .ok_or_else(|| refuse("weight_map is missing or no object".into()))?;
    let mut shard_of = BTreeMap::new();
    for (name, shard) in map {
        let plain = shard.as_str().filter(|shard| is_plain(shard));
        let shard = plain.ok_or_else(|| {
            refuse(format!(
                "weight_map.{name} = {shard}, expected the name of a file beside it"
            ))
        })?;
        shard_of.insert(name.as_str(), shard);
    }
    let mut tensors: BTreeMap<String, Stored> = BTreeMap::new();
    for shard in shard_of.values().copied().collect::<BTreeSet<_>>() {
        for (name, tensor) in stored::index(&folder.join(shard))? {
            if shard_of
                .get(name.as_str())
                .is_some_and(|&known| known != shard)
                || tensors.contains_key(&name)
            {
                return Err(refuse(format!("tensor {name} is in {shard} too")));
            }
            tensors.insert(name, tensor);
        }
    }
    match shard_of.keys().find(|name| !tensors.contains_key(**name)) {
        Some(name) => Err(EncoderError::Missing {
            path: folder.join(shard_of[name]),
            name: (*name).to_owned(),
        }),
        None => Ok(tensors),
    }
}

/// Whether a name stays in its folder, on any system.
fn is_plain(name: &str) -> bool {
    let mut components = Path::new(name).components();
    let first = components.next();
    matches!(first, Some(Component::Normal(_)))
        && components.next().is_none()
        && !name.contains(['/', '\\', ':'])
}
