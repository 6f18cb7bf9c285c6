//! Locks that a folder in use holds, and that go with the process that holds them.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A lock that this process holds until it drops it or ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
}

/// Why there is no lock.
#[derive(Debug)]
pub enum Refused {
    /// Somebody else holds it.
    InUse(Holder),
    /// Its file cannot be made or written.
    File(io::Error),
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its process and since when, as it wrote it down; empty if it had no time to.
    said: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.said.as_str() {
            "" => formatter.write_str("another process"),
            said => formatter.write_str(said),
        }
    }
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::File(error) => error,
            Refused::InUse(holder) => {
                let reason = format!("it is in use by {holder}");
                Self::new(io::ErrorKind::ResourceBusy, reason)
            }
        }
    }
}

impl Lock {
    /// Takes the lock of the file `path`, which is there as long as it is held, unless somebody has it.
    ///
    /// # Errors
    /// If somebody has it, or the file cannot be made.
    pub fn acquire(path: &Path) -> Result<Self, Refused> {
        loop {
            let options = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path);
            let mut file = options.map_err(Refused::File)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    let mut said = String::new();
                    // Windows lets nobody read what is locked.
                    let _ = file.read_to_string(&mut said);
                    let said = said.trim().to_owned();
                    return Err(Refused::InUse(Holder { said }));
                }
                // A file system without locks protects by nothing but renaming.
                Err(TryLockError::Error(_)) | Ok(()) => {}
            }
            // Whoever had it before may have removed it between the opening and the lock.
            if !is_at(&file, path) {
                continue;
            }
            let said = format!("process {} since {}", std::process::id(), now());
            let written = file
                .set_len(0)
                .and_then(|()| file.seek(SeekFrom::Start(0)))
                .and_then(|_| file.write_all(said.as_bytes()));
            written.map_err(Refused::File)?;
            return Ok(Self {
                path: path.to_owned(),
                file,
            });
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is held, so that nobody else's goes.
        let _ = fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

/// Whether an open file is the one that a path names.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |found: fs::Metadata| (found.dev(), found.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(theirs)) => place(ours) == place(theirs),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

/// Returns the time, to the second, as UTC.
fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    utc(since.unwrap_or(Duration::ZERO).as_secs())
}

/// Writes a date by the civil calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn utc(seconds: u64) -> String {
    let (days, of_day) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + 400 * era + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_has_it_and_the_other_is_told_who() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        let held = Lock::acquire(&path).unwrap();
        let Err(Refused::InUse(holder)) = Lock::acquire(&path) else {
            panic!("two have the lock")
        };
        let expected = format!("process {} since 20", std::process::id());
        assert!(holder.to_string().starts_with(&expected), "{holder}");
        drop(held);
        assert!(!path.exists());
        drop(Lock::acquire(&path).unwrap());
    }

    /// What a killed process leaves is a file without a lock.
    #[test]
    fn a_file_alone_locks_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        fs::write(
            &path,
            "process 1 since 1970-01-01 00:00:00 UTC, and longer than what follows",
        )
        .unwrap();
        let lock = Lock::acquire(&path).unwrap();
        let said = fs::read_to_string(&path).unwrap();
        assert!(said.ends_with(" UTC") && !said.contains("1970"), "{said}");
        drop(lock);
        let nowhere = folder.path().join("none/.lock");
        assert!(matches!(Lock::acquire(&nowhere), Err(Refused::File(_))));
    }

    #[test]
    fn threads_take_turns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        let inside = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut turns = 0;
                    while turns < 50 {
                        if let Ok(_lock) = Lock::acquire(&path) {
                            let before = inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                            assert_eq!(before, 0);
                            inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                            turns += 1;
                        }
                    }
                });
            }
        });
    }

    /// By `date -u -d @N`.
    #[test]
    fn seconds_are_dates() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_827_696), "2000-02-29 12:34:56 UTC");
        assert_eq!(utc(1_798_761_599), "2026-12-31 23:59:59 UTC");
    }
}
