//! Writes files whole or not at all, with the modes that the umask asks for.
//!
//! A file or folder is written beside its place and renamed once all of it is on the disk. Meanwhile
//! its name begins with a dot and ends in `.part`, and it is locked: what a killed process left can be
//! told from what a living one is writing, and [`sweep`] removes it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

/// The end of the name of what is not whole yet.
const SUFFIX: &str = ".part";

/// Writes `bytes` to `path`, replacing what was there in one step; its folder has to be there.
///
/// # Errors
/// Fails as [`WholeFile::create`] and [`WholeFile::finish`] do; what was there before is still there then.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

/// Writes as [`write()`] does, and makes the folder.
///
/// # Errors
/// Fails as [`write()`] does, and if the folder cannot be made.
pub fn write_in_folder(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder_of(path))?;
    write(path, bytes)
}

/// Writes as [`write()`] does what `content` writes.
///
/// # Errors
/// Fails as [`write()`] does, and if `content` fails.
pub fn write_with(
    path: &Path,
    content: impl FnOnce(&mut WholeFile) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = WholeFile::create(path)?;
    content(&mut file)?;
    file.finish()
}

/// Moves a whole file of the same file system to `path`, and makes that last.
///
/// # Errors
/// If something else than a file is there, which stays, or the disk refuses it.
pub fn put(file: &Path, path: &Path) -> io::Result<()> {
    let path = after_links(path)?;
    if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::other("it is not a file, and cannot be replaced"));
    }
    fs::rename(file, &path)?;
    sync_folder(folder_of(&path));
    Ok(())
}

/// A file that is being written; unless it is finished, nothing of it stays.
#[derive(Debug)]
pub struct WholeFile(Place);

#[derive(Debug)]
enum Place {
    Beside(PathBuf, BufWriter<NamedTempFile>),
    /// A device or a pipe cannot be replaced.
    Through(BufWriter<File>),
}

impl WholeFile {
    /// Begins the file that is to stand at `path`. A link stays one: what it names is replaced. A file
    /// that is there keeps its mode; a device or a pipe is written to.
    ///
    /// # Errors
    /// If `path` is a folder or a file that is read-only, or its folder cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        let refused = |kind, reason: &str| Err(io::Error::new(kind, reason));
        let permissions = match fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
            Ok(found) if found.is_dir() => {
                return refused(ErrorKind::IsADirectory, "it is a folder, not a file");
            }
            Ok(found) if !found.is_file() => {
                let file = OpenOptions::new().write(true).open(path)?;
                return Ok(Self(Place::Through(BufWriter::new(file))));
            }
            Ok(found) if found.permissions().readonly() => {
                return refused(ErrorKind::PermissionDenied, "the file there is read-only");
            }
            Ok(found) => Some(found.permissions()),
        };
        // Not before: where a link to a pipe leads has no name, as with /dev/stdout.
        let path = after_links(path)?;
        let file = loop {
            let file = beside(&path, 0o666, |builder, folder| builder.tempfile_in(folder))?;
            if hold(file.as_file(), file.path()) {
                break file;
            }
        };
        if let Some(permissions) = permissions {
            file.as_file().set_permissions(permissions)?;
        }
        let writer = BufWriter::with_capacity(1 << 18, file);
        Ok(Self(Place::Beside(path, writer)))
    }

    /// Puts the file in its place once all of it has reached the disk.
    ///
    /// # Errors
    /// If the disk refuses it; what was there before is still there then.
    pub fn finish(self) -> io::Result<()> {
        match self.0 {
            Place::Beside(path, writer) => {
                let file = writer
                    .into_inner()
                    .map_err(io::IntoInnerError::into_error)?;
                file.as_file().sync_all()?;
                file.persist(&path).map_err(|error| error.error)?;
                sync_folder(folder_of(&path));
                Ok(())
            }
            Place::Through(mut writer) => writer.flush(),
        }
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Place::Beside(_, writer) => writer.write(bytes),
            Place::Through(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Place::Beside(_, writer) => writer.flush(),
            Place::Through(writer) => writer.flush(),
        }
    }
}

/// A folder that is being filled; unless it is finished, nothing of it stays.
#[derive(Debug)]
pub struct WholeFolder {
    target: PathBuf,
    /// Holds the lock; a system that cannot open folders has none.
    _lock: Option<File>,
    folder: TempDir,
}

impl WholeFolder {
    /// Begins the folder that is to stand at `path`, and makes those it is in.
    ///
    /// # Errors
    /// If it cannot be made, or a file stands at `path`.
    pub fn create(path: &Path) -> io::Result<Self> {
        let path = after_links(path)?;
        if fs::metadata(&path).is_ok_and(|found| !found.is_dir()) {
            let reason = "it is a file, not a folder";
            return Err(io::Error::new(ErrorKind::NotADirectory, reason));
        }
        fs::create_dir_all(folder_of(&path))?;
        loop {
            let folder = beside(&path, 0o777, |builder, folder| builder.tempdir_in(folder))?;
            let lock = File::open(folder.path()).ok();
            let held = lock.as_ref().is_none_or(|lock| hold(lock, folder.path()));
            if held {
                return Ok(Self {
                    target: path,
                    _lock: lock,
                    folder,
                });
            }
        }
    }

    /// Returns where its files are to be written.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts the folder in its place; what was there before goes.
    ///
    /// # Errors
    /// If the disk refuses it; what was there before is still there then.
    pub fn finish(self) -> io::Result<()> {
        let Self {
            target,
            folder,
            _lock,
        } = self;
        let parent = folder_of(&target).to_owned();
        sync_folder(folder.path());
        // A folder is not renamed onto one that has files: the old one steps aside first.
        let aside = beside(&target, 0o777, |builder, folder| builder.tempdir_in(folder))?;
        let former = aside.path().join("former");
        match fs::rename(&target, &former) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            moved => moved?,
        }
        if let Err(error) = fs::rename(folder.path(), &target) {
            // The first failure is the one worth reporting.
            let _ = fs::rename(&former, &target);
            return Err(error);
        }
        // It is elsewhere by now.
        let _ = folder.keep();
        sync_folder(&parent);
        Ok(())
    }
}

/// Removes from `folder` what killed processes have left of files and folders that were not whole; what
/// cannot be removed is in nobody's way.
pub fn sweep(folder: &Path) {
    sweep_names(folder, ".");
}

/// Sweeps as [`sweep`] does what was to stand at `path` alone, for a folder that is not ours.
pub fn sweep_beside(path: &Path) {
    if let Some(name) = path.file_name() {
        sweep_names(folder_of(path), &beginning(&name.to_string_lossy()));
    }
}

fn sweep_names(folder: &Path, beginning: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        if !name.starts_with(beginning) || !name.ends_with(SUFFIX) {
            continue;
        }
        // The lock goes at the end, so that nobody takes up in between what is removed.
        let Ok(file) = File::open(&path) else {
            continue;
        };
        if !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            let _ = match path.is_dir() {
                true => fs::remove_dir_all(&path),
                false => fs::remove_file(&path),
            };
        }
    }
}

/// Locks what was just made, so that it is not swept; false if it was, between the two.
fn hold(file: &File, path: &Path) -> bool {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => false,
        // A file system without locks is not swept by other machines either.
        Err(TryLockError::Error(_)) => true,
        Ok(()) => path.exists(),
    }
}

/// Makes a file or folder beside `path`, under a name that nobody else has.
fn beside<T>(
    path: &Path,
    mode: u32,
    make: impl FnOnce(&tempfile::Builder<'_, '_>, &Path) -> io::Result<T>,
) -> io::Result<T> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "the path does not name a file"))?;
    let prefix = beginning(&name.to_string_lossy());
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(SUFFIX);
    #[cfg(unix)]
    {
        // Temporary files are private by default; a result is as readable as any other file.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    make(&builder, folder_of(path))
}

/// Returns how the name of what is beside `name` begins: for people, so a part of it is enough where
/// the whole is as long as the system allows already.
fn beginning(name: &str) -> String {
    let name: String = name.chars().take(40).collect();
    format!(".{name}.")
}

/// Returns what a path names in the end, where it is a link; of a link to nothing too.
fn after_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..40 {
        match fs::read_link(&path) {
            Ok(target) => path = folder_of(&path).join(target),
            // Not a link, or nothing there.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many links, each to the next"))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes a renaming outlast a power cut, where the system can do that for folders.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_failed_write_keeps_the_old_file_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.txt");
        write(&path, b"old").unwrap();
        let failed = write_with(&path, |file| {
            file.write_all(&vec![0; 1 << 20])?;
            Err(io::Error::other("disk full"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "disk full");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["run.txt"]);
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let error = write(&folder.path().join("none/x"), b"").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        write_in_folder(&folder.path().join("a/b/x"), b"").unwrap();
    }

    /// A name may be as long as the system allows: what is beside it is shorter.
    #[test]
    fn long_names_have_room() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n".repeat(250));
        write(&path, b"x").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"x");
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = write(folder.path(), b"").unwrap_err();
        assert_eq!(error.to_string(), "it is a folder, not a file");
        let path = folder.path().join("protected");
        fs::write(&path, "kept").unwrap();
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).unwrap();
        let error = write(&path, b"").unwrap_err();
        assert_eq!(error.to_string(), "the file there is read-only");
        let error = WholeFolder::create(&path).unwrap_err();
        assert_eq!(error.to_string(), "it is a file, not a folder");
        assert_eq!(fs::read(&path).unwrap(), b"kept");
        assert_eq!(names(folder.path()), ["protected"]);
    }

    #[test]
    fn threads_that_write_one_file_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shared");
        std::thread::scope(|scope| {
            for letter in b'a'..=b'h' {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..20 {
                        write(path, &[letter; 4096]).unwrap();
                    }
                });
            }
        });
        let found = fs::read(&path).unwrap();
        assert!(found.len() == 4096 && found.iter().all(|byte| *byte == found[0]));
        assert_eq!(names(folder.path()), ["shared"]);
    }

    #[test]
    fn a_folder_takes_the_place_of_the_former_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/student");
        for name in ["first", "second"] {
            let new = WholeFolder::create(&path).unwrap();
            write(&new.path().join(name), b"").unwrap();
            if name == "second" {
                assert_eq!(names(&path), ["first"]);
            }
            new.finish().unwrap();
            assert_eq!(names(&path), [name]);
        }
        let dropped = WholeFolder::create(&path).unwrap();
        write(&dropped.path().join("third"), b"").unwrap();
        drop(dropped);
        assert_eq!(names(&path), ["second"]);
        assert_eq!(names(&folder.path().join("deep")), ["student"]);
    }

    #[test]
    fn only_what_nobody_writes_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path(".left.abc.part"), "").unwrap();
        fs::create_dir(path(".step-3.abc.part")).unwrap();
        fs::write(path(".step-3.abc.part/half"), "").unwrap();
        fs::write(path("mine.part"), "").unwrap();
        fs::write(path(".hidden"), "").unwrap();
        let mut file = WholeFile::create(&path("file")).unwrap();
        let filled = WholeFolder::create(&path("folder")).unwrap();
        fs::write(path(".other.abc.part"), "").unwrap();
        sweep_beside(&path("left"));
        assert!(!path(".left.abc.part").exists() && path(".other.abc.part").exists());
        sweep(folder.path());
        sweep(&path("none"));
        file.write_all(b"whole").unwrap();
        file.finish().unwrap();
        filled.finish().unwrap();
        assert_eq!(
            names(folder.path()),
            [".hidden", "file", "folder", "mine.part"]
        );
    }

    #[cfg(unix)]
    mod unix {
        use std::os::unix::fs::{PermissionsExt, symlink};

        use super::*;

        fn mode(path: &Path) -> u32 {
            fs::metadata(path).unwrap().permissions().mode() & 0o777
        }

        /// What the system gives to new files and folders tells the umask.
        #[test]
        fn modes_are_those_of_any_new_file() {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name);
            File::create(path("plain")).unwrap();
            fs::create_dir(path("plain-folder")).unwrap();
            write(&path("file"), b"").unwrap();
            let new = WholeFolder::create(&path("folder")).unwrap();
            new.finish().unwrap();
            assert_eq!(mode(&path("file")), mode(&path("plain")));
            assert_eq!(mode(&path("folder")), mode(&path("plain-folder")));
            // A file that somebody has hidden stays hidden.
            fs::set_permissions(path("file"), fs::Permissions::from_mode(0o600)).unwrap();
            write(&path("file"), b"new").unwrap();
            assert_eq!(mode(&path("file")), 0o600);
        }

        #[test]
        fn links_stay_and_devices_are_written_to() {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name);
            fs::create_dir(path("elsewhere")).unwrap();
            for (link, target) in [("one", "elsewhere/file"), ("two", "one")] {
                symlink(target, path(link)).unwrap();
            }
            for text in ["first", "second"] {
                write(&path("two"), text.as_bytes()).unwrap();
                let found = fs::read_to_string(path("elsewhere/file")).unwrap();
                assert_eq!(found, text);
            }
            assert!(path("two").is_symlink() && path("one").is_symlink());
            symlink("round", path("round")).unwrap();
            assert!(write(&path("round"), b"").is_err());
            // A socket stands for all that is not a file: a device would be gone if this failed.
            let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
            assert!(put(&path("elsewhere/file"), &path("socket")).is_err());
            assert!(path("elsewhere/file").is_file());
            write(Path::new("/dev/null"), b"gone").unwrap();
            let full = Path::new("/dev/full");
            if full.exists() {
                let error = write(full, b"no room").unwrap_err();
                assert_eq!(error.kind(), ErrorKind::StorageFull);
            }
        }
    }
}
