//! Where downloads, converted models and document indexes lie.

use std::path::PathBuf;

use anyhow::Context;

/// `$OPTICAL_CACHE`, else `optical` in the platform's cache folder.
pub fn folder() -> anyhow::Result<PathBuf> {
    match std::env::var_os("OPTICAL_CACHE") {
        Some(folder) if !folder.is_empty() => Ok(folder.into()),
        _ => dirs::cache_dir()
            .map(|folder| folder.join("optical"))
            .context("this system has no cache folder; set OPTICAL_CACHE"),
    }
}
