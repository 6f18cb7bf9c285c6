//! Collections and bitext as people have them: marks, packing, headers, and parts that are absent.

use std::path::Path;

use crate::setting::{fails, optical, prepared, succeeds};

const FILES: [&str; 6] = [
    "bitext/swa.tsv",
    "data/clir/docs.jsonl",
    "data/clir/queries.dev.tsv",
    "data/clir/qrels.dev.txt",
    "dictionary/swh-eng.index",
    "run.toml",
];

fn change(folder: &Path, name: &str, change: impl FnOnce(String) -> Vec<u8>) {
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, change(text)).unwrap();
}

/// Below a folder of its own, what `baselines` prints.
fn baselines(change: impl FnOnce(&Path)) -> String {
    let folder = prepared();
    change(folder.path());
    succeeds(&optical(folder.path(), &["baselines", "run.toml"]))
}

#[test]
fn marks_packing_and_headers_change_no_score() {
    let expected = baselines(|_| {});
    let marked = baselines(|folder| {
        for name in FILES {
            change(folder, name, |text| format!("\u{feff}{text}").into());
        }
    });
    assert_eq!(marked, expected);
    let packed = baselines(|folder| {
        for name in FILES {
            change(folder, name, |text| {
                zstd::encode_all(text.as_bytes(), 1).unwrap()
            });
        }
    });
    assert_eq!(packed, expected);
    let headed = baselines(|folder| {
        let before = |header: &'static str| {
            move |text: String| format!("{header}\n\n{text}\n").replace('\n', "\r\n").into()
        };
        change(folder, FILES[0], before("en\tswa"));
        change(folder, FILES[1], before(""));
        change(
            folder,
            FILES[2],
            before("id\tlanguage\tsplit\tquery\tenglish"),
        );
        change(folder, FILES[3], before("query_id 0 doc_id relevance"));
    });
    assert_eq!(headed, expected);
}

/// The systems that need English are left out with a word, and the others are as they were.
#[test]
fn queries_without_english_versions_are_ranked() {
    let folder = prepared();
    let report = |name: &str| {
        let output = optical(folder.path(), &["train", "run.toml", "--run", name]);
        succeeds(&output);
        let path = folder.path().join(name).join("results.json");
        let report: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (report["languages"][0]["scores"].clone(), said)
    };
    let (whole, said) = report("whole");
    assert!(!said.contains("no English versions"), "{said}");
    change(folder.path(), FILES[2], |text| {
        let short = |line: &str| format!("{}\n", line.rsplit_once('\t').unwrap().0);
        text.lines().map(short).collect::<String>().into()
    });
    let (without, said) = report("without");
    let expected =
        "no English versions of all queries in swa; bm25-english and english are left out";
    assert!(said.contains(expected), "{said}");
    let mut rest = whole.as_object().unwrap().clone();
    for system in ["english", "bm25-english"] {
        assert!(rest.remove(system).is_some(), "{whole}");
    }
    assert_eq!(without, serde_json::Value::Object(rest));
}

#[test]
fn a_run_file_in_another_encoding_is_named() {
    let folder = prepared();
    change(folder.path(), "run.toml", |text| {
        let marked = format!("\u{feff}{text}");
        marked.encode_utf16().flat_map(u16::to_le_bytes).collect()
    });
    for command in ["train", "baselines"] {
        let error = fails(&optical(folder.path(), &[command, "run.toml"]));
        assert!(
            error.contains("run.toml is UTF-16LE, expected UTF-8"),
            "{error}"
        );
    }
}
