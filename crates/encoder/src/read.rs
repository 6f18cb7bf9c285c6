//! How the files of a model's folder are opened: what was never fetched is told from damage.

use std::path::Path;

use serde_json::Value;

use crate::EncoderError;

/// Reads a file of JSON; `None` where there is no such file.
pub(crate) fn read_json(path: &Path) -> Result<Option<Value>, EncoderError> {
    let refuse = |reason: String| EncoderError::Config {
        path: path.to_owned(),
        reason,
    };
    let Some(bytes) = read(path)? else {
        return Ok(None);
    };
    let json = serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
    Ok(Some(json))
}

/// Reads a file of text without its byte order mark; `None` where there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, EncoderError> {
    let Some(text) = optical_files::text::read_if_there(path)? else {
        return Ok(None);
    };
    match placeholder(text.as_bytes()) {
        None => Ok(Some(text.into_bytes())),
        Some(reason) => Err(EncoderError::Placeholder {
            path: path.to_owned(),
            reason,
        }),
    }
}

/// Says what is in the place of a file that was never fetched, by its beginning.
pub(crate) fn placeholder(beginning: &[u8]) -> Option<&'static str> {
    let text = beginning.trim_ascii_start();
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let begins = |with: &str| {
        let start = text.get(..with.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()))
    };
    if beginning.is_empty() {
        Some("an empty file; fetch it again")
    } else if begins("version https://git-lfs") {
        Some("a Git LFS pointer, not the file itself; run `git lfs pull` in its folder")
    } else if begins("<!doctype") || begins("<html") || begins("<?xml") {
        Some("a web page, not the file itself; fetch it again, as a raw file")
    } else {
        None
    }
}
