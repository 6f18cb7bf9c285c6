#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

use optical_encoder::testing::tiny_checkpoint;
use optical_tokenize::Role;

use super::*;
use crate::{Host, Notice};

const WORDS: [&str; 4] = ["water", "fire", "star", "sun"];

const ENCODE: EncodeSettings = EncodeSettings {
    role: Role::Document,
    maximum_length: 16,
    tokens_per_batch: 12,
};

/// A tiny model, and seven documents.
struct Setting {
    folder: tempfile::TempDir,
    device: Device,
    model: Model,
    texts: Vec<(String, String)>,
}

impl Setting {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model_folder = folder.path().join("model");
        tiny_checkpoint(&model_folder, "bert", &WORDS, 5).unwrap();
        let device = Device::flex();
        let texts = (0..7).map(|number| {
            let words = WORDS.iter().cycle().skip(number).take(1 + number % 3);
            let words: Vec<&str> = words.copied().collect();
            (format!("d{number}"), words.join(" "))
        });
        Self {
            model: Model::load(&model_folder, &device).unwrap(),
            texts: texts.collect(),
            device,
            folder,
        }
    }

    fn documents(&self) -> Vec<(&str, &str)> {
        let texts = self.texts.iter();
        texts.map(|(id, text)| (&**id, &**text)).collect()
    }

    fn store(&self, cache: &str, host: Host) -> Store {
        Store {
            host,
            ..Store::deaf(&self.folder.path().join(cache))
        }
    }

    fn indexing<'a>(&'a self, store: &'a Store) -> Indexing<'a> {
        Indexing {
            store,
            device: &self.device,
            any_device: false,
            encode: ENCODE,
        }
    }

    /// The files of the documents after some heads.
    fn files(&self, store: &Store, heads: &[&Head]) -> anyhow::Result<Vec<PathBuf>> {
        let indexing = self.indexing(store);
        indexing.files(&self.model, "model", heads, &self.documents())
    }
}

/// A host that wants all work to stop.
fn stopping() -> Host {
    Host::new(Arc::new(AtomicBool::new(true)), |_| ())
}

/// Every sitting is stopped at its next document; in the end the files are those of one sitting.
#[test]
fn a_stopped_indexing_resumes_to_the_same_bytes() {
    let setting = Setting::new();
    let width = setting.model.config.hidden_size;
    let raw = Head::identity(width);
    let short = Head::identity(width).truncated(3);
    let store = setting.store("whole", Host::deaf());
    let whole = setting.files(&store, &[&raw, &short]).unwrap();
    let store = setting.store("parts", stopping());
    // The first head is begun alone, and the other one catches up.
    for _ in 0..2 {
        let error = setting.files(&store, &[&raw]).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("resumes with what is done"), "{error}");
    }
    let mut sittings = 0;
    let parts = loop {
        match setting.files(&store, &[&raw, &short]) {
            Ok(parts) => break parts,
            Err(_) => sittings += 1,
        }
    };
    assert_eq!(sittings, 7);
    for (whole, part) in whole.iter().zip(&parts) {
        assert_eq!(whole.file_name(), part.file_name());
        assert_eq!(std::fs::read(whole).unwrap(), std::fs::read(part).unwrap());
    }
    let left = std::fs::read_dir(store.cache.join("indexes")).unwrap();
    assert_eq!(left.count(), 2);
    let kept = load(&parts[0]).unwrap();
    assert_eq!(kept.index.len(), 7);
}

#[test]
fn a_key_changes_with_all_that_vectors_follow_from() {
    let (device, head) = (Device::flex(), Head::identity(3));
    let store = Store::deaf("cache".as_ref());
    let key_of = |encode, model: &str, documents: &[(&str, &str)], head: &Head| {
        let indexing = Indexing {
            store: &store,
            device: &device,
            any_device: false,
            encode,
        };
        after(&indexing.key(model, documents), head).text()
    };
    let documents = [("d1", "water"), ("d2", "fire")];
    let (mut weight, mut bias) = (head.clone(), head.clone());
    weight.weight[1] = 0.5;
    bias.bias[1] = 0.5;
    let same = key_of(ENCODE, "model", &documents, &head);
    let of = |documents: &[(&str, &str)]| key_of(ENCODE, "model", documents, &head);
    let after = |head: &Head| key_of(ENCODE, "model", &documents, head);
    let with = |change: fn(&mut EncodeSettings)| {
        let mut encode = ENCODE;
        change(&mut encode);
        key_of(encode, "model", &documents, &head)
    };
    let mut seen = vec![
        same.clone(),
        key_of(ENCODE, "other", &documents, &head),
        with(|it| it.maximum_length = 17),
        with(|it| it.tokens_per_batch = 13),
        with(|it| it.role = Role::Query),
        of(&[("d1", "water"), ("d2", "star")]),
        of(&[("d1", "water"), ("d3", "fire")]),
        of(&[("d2", "fire"), ("d1", "water")]),
        of(&[("d1", "water")]),
        of(&[("d1", "water"), ("d2f", "ire")]),
        after(&weight),
        after(&bias),
        after(&head.clone().truncated(2)),
    ];
    seen.sort();
    for two in seen.windows(2) {
        assert_ne!(two[0], two[1]);
    }
    // Where it is kept, and who hears of it, changes nothing.
    let elsewhere = Store {
        offline: false,
        host: stopping(),
        ..Store::deaf("elsewhere".as_ref())
    };
    let indexing = Indexing {
        store: &elsewhere,
        device: &device,
        any_device: true,
        encode: ENCODE,
    };
    let key = super::after(&indexing.key("model", &documents), &head);
    assert_eq!(key.text(), same);
}

/// The second comes while the first is at work, waits for it, and reads nothing itself.
#[test]
fn of_two_who_want_an_index_one_makes_it() {
    let setting = Setting::new();
    let head = Head::identity(setting.model.config.hidden_size);
    let (begun, begins) = mpsc::channel();
    let (waited, waits) = mpsc::channel();
    let waits = std::sync::Mutex::new(waits);
    let first = Host::new(Arc::default(), move |notice| {
        if let Notice::Progress { position: 0, .. } = notice {
            begun.send(()).unwrap();
            let waits = waits.lock().unwrap();
            let waiting: String = waits.recv_timeout(Duration::from_secs(60)).unwrap();
            assert!(waiting.starts_with("waiting for process"), "{waiting}");
        }
    });
    let encoded = Arc::new(AtomicU64::new(0));
    let counts = encoded.clone();
    let second = Host::new(Arc::default(), move |notice| match notice {
        Notice::Line(line) => waited.send(line.to_owned()).unwrap(),
        _ => drop(counts.fetch_add(1, Ordering::SeqCst)),
    });
    let (first, second) = (
        setting.store("cache", first),
        setting.store("cache", second),
    );
    let [first, second] = std::thread::scope(|scope| {
        let first = scope.spawn(|| setting.files(&first, &[&head]).unwrap());
        begins.recv_timeout(Duration::from_secs(60)).unwrap();
        let second = setting.files(&second, &[&head]).unwrap();
        [first.join().unwrap(), second]
    });
    assert_eq!(first, second);
    assert_eq!(encoded.load(Ordering::SeqCst), 0);
    let alone = setting.store("alone", Host::deaf());
    let alone = setting.files(&alone, &[&head]).unwrap();
    let bytes = |files: &[PathBuf]| std::fs::read(&files[0]).unwrap();
    assert_eq!(bytes(&first), bytes(&alone));
}

#[test]
fn vectors_of_another_kind_of_device_serve_where_they_are_wanted() {
    let setting = Setting::new();
    let head = Head::identity(setting.model.config.hidden_size);
    let store = setting.store("cache", Host::deaf());
    let made = setting.files(&store, &[&head]).unwrap().remove(0);
    let name = made.file_name().unwrap().to_str().unwrap();
    let other = made.with_file_name(name.replace("-processor.", "-cuda."));
    std::fs::rename(&made, &other).unwrap();
    let store = setting.store("cache", stopping());
    assert!(setting.files(&store, &[&head]).is_err());
    let mut indexing = setting.indexing(&store);
    indexing.any_device = true;
    let documents = setting.documents();
    let found = indexing.files(&setting.model, "model", &[&head], &documents);
    assert_eq!(found.unwrap(), [other]);
}
