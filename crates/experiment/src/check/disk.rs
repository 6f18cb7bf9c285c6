//! Whether a folder can be written, and whether there is room below it.

use std::path::Path;

use crate::Findings;

/// The folder itself, or the nearest one above it that is there.
#[cfg(unix)]
fn existing(folder: &Path) -> &Path {
    let there = folder.ancestors().find(|it| it.exists());
    let there = there.filter(|it| !it.as_os_str().is_empty());
    there.unwrap_or(Path::new("."))
}

/// Finds a folder that cannot be made or written.
pub fn writable(folder: &Path, findings: &mut Findings) {
    #[cfg(unix)]
    {
        use rustix::fs::{Access, access};
        let there = existing(folder);
        if !there.is_dir() {
            findings.problem(format!("{} is not a folder", there.display()));
        } else if let Err(error) = access(there, Access::WRITE_OK | Access::EXEC_OK) {
            let (folder, there) = (folder.display(), there.display());
            findings.problem(format!("{folder}: {there} cannot be written: {error}"));
        }
    }
    #[cfg(not(unix))]
    let _ = (folder, findings);
}

/// Finds too little room for `certain` bytes, and warns of too little for about `about`.
pub fn free(folder: &Path, about: u64, certain: u64, findings: &mut Findings) {
    if let Some(free) = room(folder) {
        judge(folder, free, about, certain, findings);
    }
}

#[cfg(unix)]
fn room(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(existing(folder)).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn room(_: &Path) -> Option<u64> {
    None
}

fn judge(folder: &Path, free: u64, about: u64, certain: u64, findings: &mut Findings) {
    let (folder, gigabytes) = (folder.display(), |bytes: u64| bytes as f64 / 1e9);
    if free < certain {
        findings.problem(format!(
            "{folder}: {:.1} GB are free on its disk, and a student alone has {:.1} GB",
            gigabytes(free),
            gigabytes(certain)
        ));
    } else if free < about {
        findings.warn(format!(
            "{folder}: {:.1} GB are free on its disk, and the run takes about {:.1} GB there",
            gigabytes(free),
            gigabytes(about)
        ));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_disk_without_room_is_told() {
        let told = |free, about, certain| {
            let mut findings = Findings::default();
            judge(Path::new("runs/a"), free, about, certain, &mut findings);
            (findings.warnings().len(), findings.told_problems())
        };
        let (_, problem) = told(1_000_000_000, 3_000_000_000, 2_000_000_000);
        let expected = "runs/a: 1.0 GB are free on its disk, and a student alone has 2.0 GB";
        assert_eq!(problem.unwrap_err().to_string(), expected);
        assert!(matches!(told(5, 6, 4), (1, Ok(()))));
        assert!(matches!(told(6, 6, 6), (0, Ok(()))));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_not_a_folder_and_a_folder_to_come_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("file"), "").unwrap();
        let told = |path: &Path| {
            let mut findings = Findings::default();
            writable(path, &mut findings);
            findings.told_problems().map_err(|error| error.to_string())
        };
        assert!(
            told(&path("file/run"))
                .unwrap_err()
                .ends_with("file is not a folder")
        );
        told(&path("a/b/c")).unwrap();
        assert!(0 < room(&path("a/b")).unwrap());
    }
}
