//! `modules.json`: where sentence-transformers keeps the encoder and the dense layers after it.

use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use crate::read::read_json;
use crate::{EncoderError, Head};

/// Folders of a model's parts.
#[derive(Debug, PartialEq)]
pub(crate) struct Modules {
    /// The encoder's.
    pub(crate) encoder: PathBuf,
    /// The dense layers' of tokens, in order.
    pub(crate) dense: Vec<PathBuf>,
    /// The one of how a text's tokens become one vector.
    pub(crate) pooling: Option<PathBuf>,
    /// What changes that vector, but for its length.
    pub(crate) after: Vec<String>,
}

impl Modules {
    /// Reads a folder's list of modules; without one, the encoder is the folder's own, and a dense
    /// layer is in `1_Dense` if at all.
    ///
    /// What comes after a pooling acts on sentences, not on tokens.
    ///
    /// # Errors
    /// If the list is malformed, leaves the folder, or has a module of an unknown type, or there is no
    /// encoder where it says.
    pub(crate) fn read(folder: &Path) -> Result<Self, EncoderError> {
        let path = folder.join("modules.json");
        let modules = match read_json(&path)? {
            Some(list) => Self::listed(folder, &path, &list)?,
            None => Self {
                encoder: folder.to_owned(),
                dense: vec![folder.join("1_Dense")],
                pooling: None,
                after: Vec::new(),
            },
        };
        let encoder = &modules.encoder;
        let adapter = encoder.join("adapter_config.json");
        if adapter.is_file() {
            return Err(EncoderError::Config {
                path: adapter,
                reason: "adapters are not applied; merge it into its base with peft \
                         (merge_and_unload) and save that"
                    .into(),
            });
        }
        if !encoder.join("config.json").is_file() {
            return Err(EncoderError::NoModel {
                folder: encoder.clone(),
                name: "config.json",
            });
        }
        Ok(modules)
    }

    fn listed(folder: &Path, path: &Path, list: &Value) -> Result<Self, EncoderError> {
        let refuse = |reason: String| EncoderError::Config {
            path: path.to_owned(),
            reason,
        };
        let list = list.as_array().filter(|list| !list.is_empty());
        let list = list.ok_or_else(|| refuse("expected a list of modules".into()))?;
        let mut modules = list.iter().enumerate().map(|(index, module)| {
            let place = module["path"].as_str().filter(|path| stays(path));
            let place = place.ok_or_else(|| {
                let found = &module["path"];
                refuse(format!(
                    "[{index}].path = {found}, expected a folder below it"
                ))
            })?;
            let kind = module["type"].as_str().unwrap_or_default();
            let kind = kind.rsplit('.').next().unwrap_or_default();
            Ok::<_, EncoderError>((index, kind, folder.join(place)))
        });
        let encoder = match modules.next().transpose()? {
            Some((_, "Transformer", encoder)) => encoder,
            _ => return Err(refuse("[0].type: expected a Transformer".into())),
        };
        let (mut dense, mut pooling, mut after) = (Vec::new(), None, Vec::new());
        let mut normal = false;
        for module in modules {
            match module? {
                (_, "Normalize", _) => normal = true,
                (_, kind, _) if pooling.is_some() => after.push(kind.to_owned()),
                (index, "Dense", _) if normal => {
                    return Err(refuse(format!(
                        "[{index}].type is \"Dense\" after a Normalize, expected none there"
                    )));
                }
                (index, "Dense", place) if !place.join("config.json").is_file() => {
                    return Err(refuse(format!(
                        "[{index}].path is {}, which has no config.json",
                        list[index]["path"]
                    )));
                }
                (_, "Dense", place) => dense.push(place),
                (_, "Pooling", place) => pooling = Some(place),
                (index, kind, _) => {
                    return Err(refuse(format!(
                        "[{index}].type is {kind:?}, expected Dense, Normalize or Pooling"
                    )));
                }
            }
        }
        Ok(Self {
            encoder,
            dense,
            pooling,
            after,
        })
    }

    /// Returns the dense layers as one head; `None` if there are none.
    ///
    /// # Errors
    /// As [`Head::load`].
    pub(crate) fn head(&self, hidden: usize) -> Result<Option<Head>, EncoderError> {
        let mut whole: Option<Head> = None;
        for folder in &self.dense {
            let width = whole.as_ref().map_or(hidden, |head| head.output);
            if let Some(next) = Head::load(folder, width)? {
                whole = Some(match whole {
                    Some(head) => head.then(&next),
                    None => next,
                });
            }
        }
        Ok(whole)
    }
}

/// Says whether a path leads nowhere but into the folder that it starts from.
fn stays(path: &str) -> bool {
    let mut components = Path::new(path).components();
    components.all(|part| matches!(part, Component::Normal(_))) && !path.contains(['\\', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<(String, Vec<String>), String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("modules.json"), json).unwrap();
        for encoder in ["", "0_Transformer", "1_Dense", "2_Dense"] {
            let encoder = folder.path().join(encoder);
            std::fs::create_dir_all(&encoder).unwrap();
            std::fs::write(encoder.join("config.json"), "{}").unwrap();
        }
        let modules = Modules::read(folder.path()).map_err(|error| error.to_string())?;
        let below = |path: &PathBuf| {
            let below = path.strip_prefix(folder.path()).unwrap();
            below.to_str().unwrap().to_owned()
        };
        Ok((
            below(&modules.encoder),
            modules.dense.iter().map(below).collect(),
        ))
    }

    fn module(path: &str, kind: &str) -> String {
        format!(r#"{{"idx": 0, "name": "0", "path": "{path}", "type": "{kind}"}}"#)
    }

    fn list(modules: &[(&str, &str)]) -> String {
        let modules: Vec<_> = modules
            .iter()
            .map(|(path, kind)| module(path, kind))
            .collect();
        format!("[{}]", modules.join(", "))
    }

    #[test]
    fn dense_layers_of_tokens_are_found() {
        let transformer = "sentence_transformers.models.Transformer";
        let (dense, old) = (
            "pylate.models.Dense.Dense",
            "sentence_transformers.models.Dense",
        );
        let late = list(&[("", transformer), ("1_Dense", dense), ("2_Dense", dense)]);
        let expected = (String::new(), vec!["1_Dense".into(), "2_Dense".into()]);
        assert_eq!(read(&late), Ok(expected));
        let pooled = list(&[
            ("0_Transformer", transformer),
            ("1_Pooling", "sentence_transformers.models.Pooling"),
            ("2_Dense", old),
        ]);
        assert_eq!(read(&pooled), Ok(("0_Transformer".into(), vec![])));
        let folder = tempfile::tempdir().unwrap();
        let none = Modules::read(folder.path()).unwrap_err().to_string();
        assert!(none.ends_with("it has no config.json"), "{none}");
        let adapter = folder.path().join("adapter_config.json");
        std::fs::write(&adapter, "{}").unwrap();
        let error = Modules::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("adapters are not applied; merge"), "{error}");
        std::fs::remove_file(adapter).unwrap();
        std::fs::write(folder.path().join("config.json"), "{}").unwrap();
        let plain = Modules::read(folder.path()).unwrap();
        assert_eq!(plain.dense, [folder.path().join("1_Dense")]);
    }

    #[test]
    fn other_lists_are_refused() {
        let transformer = "sentence_transformers.models.Transformer";
        for (json, expected) in [
            ("{}".into(), "expected a list"),
            ("[]".into(), "expected a list"),
            (
                list(&[("", "x.CLIPModel")]),
                "[0].type: expected a Transformer",
            ),
            (
                list(&[("", transformer), ("1", "x.LSTM")]),
                "[1].type is \"LSTM\"",
            ),
            (
                list(&[("", transformer), ("1", "x.Normalize"), ("2", "x.Dense")]),
                "[2].type is \"Dense\" after a Normalize",
            ),
            (
                list(&[("", transformer), ("3_Dense", "x.Dense")]),
                "[1].path is \"3_Dense\", which has no config.json",
            ),
            (
                list(&[("elsewhere", transformer)]),
                "elsewhere is not a model's folder",
            ),
            (list(&[("../up", transformer)]), "[0].path = \"../up\""),
            (list(&[("/etc", transformer)]), "[0].path = \"/etc\""),
            (
                list(&[("", transformer), ("a/../../b", "x.Dense")]),
                "[1].path = ",
            ),
        ] {
            let error = read(&json).unwrap_err();
            assert!(error.contains(expected), "{error} instead of {expected}");
        }
    }
}
