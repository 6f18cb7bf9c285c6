//! How a text's tokens become one vector, and what a folder says of it.

use std::path::PathBuf;

use crate::EncoderError;
use crate::modules::Modules;
use crate::read::read_json;

/// How the states of a text's tokens become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean, special tokens included, as sentence-transformers has it.
    Mean,
    /// The state of the first token.
    First,
}

/// How a folder makes one vector of a text.
#[derive(Debug, Clone)]
pub(crate) struct FolderPooling {
    path: PathBuf,
    /// Its way, or what this crate does not do.
    way: Result<Pooling, String>,
}

impl FolderPooling {
    /// Reads what `modules` say, if they say anything.
    pub(crate) fn read(modules: &Modules) -> Result<Option<Self>, EncoderError> {
        let Some(folder) = &modules.pooling else {
            return Ok(None);
        };
        let path = folder.join("config.json");
        let config = read_json(&path)?.unwrap_or_default();
        // Since sentence-transformers 6 there is one key; before, there was one for each way.
        let mut ways: Vec<&str> = config["pooling_mode"].as_str().into_iter().collect();
        for (key, value) in config.as_object().into_iter().flatten() {
            if let (Some(way), true) = (key.strip_prefix("pooling_mode_"), *value == true) {
                ways.push(way);
            }
        }
        let way = match ways[..] {
            [] | ["mean" | "mean_tokens"] => Ok(Pooling::Mean),
            ["cls" | "cls_token"] => Ok(Pooling::First),
            _ => Err(format!("a text's vector is by {}", ways.join(" and "))),
        };
        let way = if config["include_prompt"] == false && way == Ok(Pooling::Mean) {
            Err("a text's vector is without the prompt's tokens".into())
        } else if modules.after.is_empty() {
            way
        } else {
            let after = modules.after.join(", ");
            Err(format!("a text's vector goes through {after}"))
        };
        Ok(Some(Self { path, way }))
    }

    pub(crate) fn check(&self, asked: Pooling) -> Result<(), EncoderError> {
        let refuse = |reason: String| EncoderError::Pooling {
            path: self.path.clone(),
            reason,
        };
        match &self.way {
            Ok(way) if *way == asked => Ok(()),
            Ok(way) => Err(refuse(format!(
                "a text's vector is {}, not {}",
                way.name(),
                asked.name()
            ))),
            Err(other) => Err(refuse(format!("{other}, which is not done here"))),
        }
    }
}

impl Pooling {
    fn name(self) -> &'static str {
        match self {
            Self::Mean => "the mean of its tokens",
            Self::First => "that of the first token",
        }
    }
}
