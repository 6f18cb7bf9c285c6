//! Where downloads, converted models and document indexes lie, and who may make them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use optical_files::lock::{Lock, Refused};

use crate::say::say;

/// `$OPTICAL_CACHE`, else `optical` in the platform's cache folder.
pub fn folder() -> anyhow::Result<PathBuf> {
    match std::env::var_os("OPTICAL_CACHE") {
        Some(folder) if !folder.is_empty() => Ok(folder.into()),
        _ => dirs::cache_dir()
            .map(|folder| folder.join("optical"))
            .context("this system has no cache folder; set OPTICAL_CACHE"),
    }
}

/// The right to make `entry` of the cache; waits while another process makes it. What is there needs
/// no lock, so that a cache that cannot be written serves what it has.
pub fn lock(entry: &Path) -> anyhow::Result<Lock> {
    let mut path = entry.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let failed = || format!("{} cannot be written", entry.display());
    let folder = entry.parent().unwrap_or(entry);
    std::fs::create_dir_all(folder).with_context(failed)?;
    let mut told = false;
    loop {
        match Lock::acquire(&path) {
            Ok(lock) => return Ok(lock),
            Err(Refused::File(error)) => return Err(error).with_context(failed),
            Err(Refused::InUse(holder)) => {
                if !told {
                    say(format_args!(
                        "waiting for {holder} to finish {}",
                        entry.display()
                    ));
                }
                told = true;
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }
}
