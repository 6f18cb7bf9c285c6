//! Which files of a folder hold the weights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::stored::{self, Stored};
use crate::EncoderError;
use crate::read::read_json;

const SINGLE: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];

/// Where the weights of a folder are.
enum Place {
    Single(PathBuf),
    Shards {
        /// The file that lists them.
        path: PathBuf,
        /// The shard of each tensor.
        shard_of: BTreeMap<String, String>,
    },
}

/// Returns every file that the weights of a folder are in, and the one that lists them.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, EncoderError> {
    Ok(match place(folder)? {
        Place::Single(path) => vec![path],
        Place::Shards { path, shard_of } => {
            let shards: BTreeSet<_> = shard_of.into_values().collect();
            let shards = shards.into_iter().map(|shard| folder.join(shard));
            std::iter::once(path).chain(shards).collect()
        }
    })
}

/// Returns the file that lists the weights, and the tensors by their names.
pub(super) fn index(folder: &Path) -> Result<(PathBuf, BTreeMap<String, Stored>), EncoderError> {
    match place(folder)? {
        Place::Single(path) => {
            let tensors = stored::index(&path)?;
            Ok((path, tensors))
        }
        Place::Shards { path, shard_of } => {
            let tensors = sharded(folder, &path, &shard_of)?;
            Ok((path, tensors))
        }
    }
}

fn place(folder: &Path) -> Result<Place, EncoderError> {
    for name in SINGLE {
        let single = folder.join(name);
        if single.exists() {
            return Ok(Place::Single(single));
        }
        let path = folder.join(format!("{name}.index.json"));
        if let Some(index) = read_json(&path)? {
            let shard_of = shards(&path, &index)?;
            return Ok(Place::Shards { path, shard_of });
        }
    }
    let missing = std::io::Error::new(
        std::io::ErrorKind::NotFound,
        format!(
            "expected {}, or an index of their shards{}",
            SINGLE.join(" or "),
            instead(folder)
        ),
    );
    Err(EncoderError::read(folder, missing))
}

/// Says what is there in place of weights, for whoever has to make some of it.
fn instead(folder: &Path) -> &'static str {
    let there = |name: &str| folder.join(name).exists();
    if ["tf_model.h5", "flax_model.msgpack", "model.onnx", "onnx"]
        .iter()
        .any(|name| there(name))
    {
        "; there are weights of another framework only: save them with transformers (save_pretrained)"
    } else {
        ""
    }
}

/// Returns the shard of each tensor, by the file that lists them.
fn shards(
    path: &Path,
    index: &serde_json::Value,
) -> Result<BTreeMap<String, String>, EncoderError> {
    let refuse = |reason: String| EncoderError::Config {
        path: path.to_owned(),
        reason,
    };
    let map = index["weight_map"]
        .as_object()
        .ok_or_else(|| refuse("weight_map is missing or not an object".into()))?;
    let mut shard_of = BTreeMap::new();
    for (name, shard) in map {
        let plain = shard.as_str().filter(|shard| is_plain(shard));
        let shard = plain.ok_or_else(|| {
            refuse(format!(
                "weight_map.{name} = {shard}, expected the name of a file beside it"
            ))
        })?;
        shard_of.insert(name.clone(), shard.to_owned());
    }
    Ok(shard_of)
}

/// Returns the tensors of all shards; those that the index names have to be where it says.
fn sharded(
    folder: &Path,
    path: &Path,
    shard_of: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Stored>, EncoderError> {
    let mut tensors: BTreeMap<String, Stored> = BTreeMap::new();
    for shard in shard_of.values().collect::<BTreeSet<_>>() {
        for (name, tensor) in stored::index(&folder.join(shard))? {
            if shard_of.get(&name).is_some_and(|known| known != shard)
                || tensors.contains_key(&name)
            {
                return Err(EncoderError::Config {
                    path: path.to_owned(),
                    reason: format!("tensor {name} is in {shard} too"),
                });
            }
            tensors.insert(name, tensor);
        }
    }
    match shard_of.keys().find(|name| !tensors.contains_key(*name)) {
        Some(name) => Err(EncoderError::Missing {
            path: folder.join(&shard_of[name]),
            name: name.clone(),
            left: String::new(),
        }),
        None => Ok(tensors),
    }
}

/// Says whether a name stays in its folder, on any system.
fn is_plain(name: &str) -> bool {
    let mut components = Path::new(name).components();
    let first = components.next();
    matches!(first, Some(Component::Normal(_)))
        && components.next().is_none()
        && !name.contains(['/', '\\', ':'])
}
