//! Fetching from wheels made here, by a download that copies bytes.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::{
    Download, DownloadError, FetchError, FetchEvent, FetchedDataset, Fetcher, Pip, WheelError,
};
use crate::checksum;
use crate::manifest::{Manifest, PipSource, Source};

const DATA: &str = "one\ntwo\nthree\n";

/// Copies its bytes, and counts how often.
struct Copies {
    wheel: Vec<u8>,
    count: Cell<usize>,
}

impl Download for Copies {
    fn download(&self, source: &PipSource, folder: &Path) -> Result<(), DownloadError> {
        self.count.set(self.count.get() + 1);
        std::fs::write(folder.join(&source.wheel), &self.wheel).unwrap();
        Ok(())
    }
}

fn wheel(members: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        writer
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn manifest(wheel: &[u8]) -> Manifest {
    let text = format!(
        "name = 'toy'\ntitle = 'Toy'\nhomepage = 'x'\ncitation = 'x'\nlicence = 'x'\n\
         source = {{ kind = 'pip', package = 'toy', version = '1.0', wheel = 'toy-1.0-py3-none-any.whl', \
         sha256 = '{}', platform = 'any', python = '3.12' }}\n\
         reader = {{ format = 'e5s1' }}\n\
         files = [{{ path = 'toy/data.txt', bytes = {}, sha256 = '{}' }}]",
        checksum::of_bytes(wheel),
        DATA.len(),
        checksum::of_bytes(DATA.as_bytes()),
    );
    Manifest::parse(&text).unwrap()
}

struct Scene {
    cache: tempfile::TempDir,
    fetcher: Fetcher<Copies>,
    manifest: Manifest,
}

fn scene(members: &[(&str, &str)]) -> Scene {
    let cache = tempfile::tempdir().unwrap();
    let wheel = wheel(members);
    let manifest = manifest(&wheel);
    let download = Copies {
        wheel,
        count: Cell::new(0),
    };
    let fetcher = Fetcher {
        cache: cache.path().join("new"),
        offline: false,
        download,
    };
    Scene {
        cache,
        fetcher,
        manifest,
    }
}

impl Scene {
    fn fetch(&self) -> Result<(FetchedDataset, Vec<FetchEvent>), FetchError> {
        let mut events = Vec::new();
        let fetched = self
            .fetcher
            .fetch(&self.manifest, &mut |event| events.push(event))?;
        Ok((fetched, events))
    }

    fn downloads(&self) -> usize {
        self.fetcher.download.count.get()
    }

    fn in_cache(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.fetcher.cache.join("datasets")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

/// A message with those of all its sources.
fn chain(error: &dyn Error) -> String {
    let source = error
        .source()
        .map_or_else(String::new, |source| format!(": {}", chain(source)));
    format!("{error}{source}")
}

#[test]
fn a_data_set_is_fetched_once() {
    let mut scene = scene(&[("toy/__init__.py", "import os"), ("toy/data.txt", DATA)]);
    let (fetched, events) = scene.fetch().unwrap();
    assert_eq!(
        std::fs::read_to_string(&fetched.files["toy/data.txt"]).unwrap(),
        DATA
    );
    assert!(matches!(events.last(), Some(FetchEvent::Fetched { .. })));
    assert!(!fetched.folder.join("toy/__init__.py").exists());
    assert_eq!(scene.in_cache(), std::slice::from_ref(&fetched.folder));

    scene.fetcher.offline = true;
    let (again, events) = scene.fetch().unwrap();
    assert_eq!(again, fetched);
    assert_eq!(
        events,
        [FetchEvent::Cached {
            folder: fetched.folder
        }]
    );
    assert_eq!(scene.downloads(), 1);
}

#[test]
fn offline_says_what_is_missing() {
    let mut scene = scene(&[("toy/data.txt", DATA)]);
    scene.fetcher.offline = true;
    let message = scene.fetch().unwrap_err().to_string();
    assert!(
        message.starts_with("toy is not in the cache: "),
        "{message}"
    );
    assert!(message.contains("data.txt is missing"), "{message}");
    assert_eq!(scene.downloads(), 0);
    assert!(!scene.fetcher.cache.exists());
}

#[test]
fn a_damaged_or_outdated_cache_is_fetched_anew() {
    let mut scene = scene(&[("toy/data.txt", DATA)]);
    let (fetched, _) = scene.fetch().unwrap();
    std::fs::write(&fetched.files["toy/data.txt"], "one").unwrap();
    scene.fetch().unwrap();
    assert_eq!(
        std::fs::read_to_string(&fetched.files["toy/data.txt"]).unwrap(),
        DATA
    );
    std::fs::remove_file(fetched.folder.join(super::STAMP)).unwrap();
    scene.fetch().unwrap();
    assert_eq!(scene.downloads(), 3);

    // A corrected manifest: the same version, another wheel.
    scene.fetcher.download.wheel = wheel(&[("toy/data.txt", DATA), ("more", "")]);
    scene.manifest = manifest(&scene.fetcher.download.wheel);
    scene.fetch().unwrap();
    assert_eq!(scene.downloads(), 4);
    assert_eq!(scene.in_cache(), [fetched.folder]);
}

#[test]
fn what_is_not_as_the_manifest_says_leaves_nothing_behind() {
    let longer = format!("{DATA}four\n");
    let other = DATA.replace("two", "TWO");
    for (members, expected) in [
        (vec![("toy/other.txt", DATA)], "has no file 'toy/data.txt'"),
        (
            vec![("../toy/data.txt", DATA)],
            "has no file 'toy/data.txt'",
        ),
        (
            vec![("toy/data.txt", "one")],
            "'toy/data.txt' has only 3 bytes, expected 14",
        ),
        (
            vec![("toy/data.txt", &longer)],
            "'toy/data.txt' has at least 19 bytes, expected 14",
        ),
        (
            vec![("toy/data.txt", &other)],
            "'toy/data.txt' has SHA-256 ",
        ),
    ] {
        let scene = scene(&members);
        let message = chain(&scene.fetch().unwrap_err());
        assert!(message.contains(expected), "{message}\n{expected}");
        assert!(scene.in_cache().is_empty(), "{expected}");
        assert!(!scene.cache.path().join("toy").exists(), "{expected}");
    }
}

#[test]
fn other_bytes_of_the_wheel_are_refused_before_it_is_opened() {
    let mut scene = scene(&[("toy/data.txt", DATA)]);
    scene.fetcher.download.wheel.push(0);
    let error = scene.fetch().unwrap_err();
    assert!(matches!(error, FetchError::Checksum { .. }), "{error}");
    assert!(scene.in_cache().is_empty());

    scene.fetcher.download.wheel = b"no archive".to_vec();
    scene.manifest = manifest(&scene.fetcher.download.wheel);
    let error = scene.fetch().unwrap_err();
    assert!(
        matches!(
            error,
            FetchError::Wheel {
                source: WheelError::Zip(_),
                ..
            }
        ),
        "{error}"
    );
    assert!(scene.in_cache().is_empty());
}

#[cfg(unix)]
#[test]
fn what_killed_processes_left_is_swept_away() {
    let scene = scene(&[("toy/data.txt", DATA)]);
    let datasets = scene.fetcher.cache.join("datasets");
    let [old, young] = [".fetch-old", ".fetch-young"].map(|name| datasets.join(name));
    for folder in [&old, &young] {
        std::fs::create_dir_all(folder.join("unpacked")).unwrap();
    }
    let long_ago = std::time::SystemTime::now() - 2 * super::ABANDONED;
    std::fs::File::open(&old)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    scene.fetch().unwrap();
    assert!(!old.exists() && young.exists());
}

/// A script in place of Python: what it was asked, and what its failure is reported as. One test,
/// because starting a program in another thread could find the script still open for writing.
#[cfg(unix)]
#[test]
fn pip_is_asked_for_one_wheel_and_its_last_words_are_reported() {
    use std::os::unix::fs::PermissionsExt;
    let scene = scene(&[("toy/data.txt", DATA)]);
    let Source::Pip(source) = &scene.manifest.source else {
        unreachable!()
    };
    let folder = scene.cache.path();
    let run = |name: &str, script: &str| {
        let python = folder.join(name);
        std::fs::write(&python, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
        Pip { python }.download(source, folder)
    };
    let fails = run(
        "fails",
        "echo first >&2; echo 'ERROR: no such thing' >&2; echo >&2; exit 1",
    );
    let message = fails.unwrap_err().to_string();
    assert!(
        message.starts_with("pip said: ERROR: no such thing; the command was: "),
        "{message}"
    );
    let asked = "fails -m pip download --no-deps --only-binary=:all: --no-input \
                 --disable-pip-version-check --progress-bar off --platform any --python-version 3.12 toy==1.0";
    assert!(message.ends_with(asked), "{message}");
    let error = run(
        "bare",
        "echo '/usr/bin/python3: No module named pip' >&2; exit 1",
    )
    .unwrap_err();
    assert!(matches!(error, DownloadError::NoPip { .. }), "{error}");
    let error = run("empty", "exit 0").unwrap_err();
    assert!(matches!(error, DownloadError::OtherFile(_)), "{error}");
    let script = format!(
        "for word; do last=$word; done; echo > \"$last/{}\"",
        source.wheel
    );
    run("works", &script).unwrap();

    let python = folder.join("no-python");
    let error = Pip { python }.download(source, folder).unwrap_err();
    assert!(matches!(error, DownloadError::NoPython { .. }), "{error}");
    assert!(error.to_string().contains("no-python"), "{error}");
}

proptest! {
    /// Whatever the wheel is, only the manifest's file is unpacked, and only with its bytes.
    #[test]
    fn any_wheel_is_unpacked_or_refused(
        changed in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in 0..40_usize,
    ) {
        let mut bytes = wheel(&[("toy/data.txt", DATA), ("toy/other.txt", "x")]);
        for (place, byte) in changed {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(bytes.len() - cut);
        let folder = tempfile::tempdir().unwrap();
        let (path, unpacked) = (folder.path().join("wheel"), folder.path().join("unpacked"));
        std::fs::write(&path, &bytes).unwrap();
        let files = manifest(&bytes).files;
        if super::wheel::unpack(&path, &files, &unpacked, &mut |_| {}).is_ok() {
            prop_assert_eq!(std::fs::read_to_string(unpacked.join("toy/data.txt")).unwrap(), DATA);
        }
        prop_assert!(!unpacked.join("toy/other.txt").exists());
    }
}
