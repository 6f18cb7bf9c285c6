//! Whatever bytes a file has, its reader gives entries or an error that names it, and never panics.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use crate::bitext::DataRoots;
use crate::collection::CollectionSource;
use crate::relevance::RelevanceSource;

/// Pieces that lead far into the readers, and bytes that lead nowhere.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"\xef\xbb\xbf"[..],
        b"\xff\xfe",
        b"\n",
        b"\r\n",
        b"\t",
        b" ",
        b"#",
        b"1",
        b"q",
        b"swa",
        b"dev",
        b"q\tswa\tdev\tx\ty\n",
        b"q\tswa\tdev\tx\n",
        b"1\tone\n",
        b"q\twho\n",
        b"q 0 1 1\n",
        b"q Q0 1 1 2.5 t\n",
        b"query-id\tcorpus-id\tscore\n",
        b"id\ttitle\ttext\n",
        b"{\"id\":1,\"text\":\"one\"}\n",
        b"{\"_id\":\"q\",\"title\":\"who\",\"text\":\"\"}\n",
        b"{\"query\":\"who\",\"positive\":\"me\",\"negative\":\"\"}\n",
        b"[1,[2,0.5]]\n",
        b"[1,1]\n",
        b"{\"en\":\"One.\",\"sw\":\"Moja.\"}\n",
        b"One.\tMoja.\n",
        b"who\tme\tyou\n",
        b"\xe9",
        b"\0",
        b"\x1f\x8b",
        b"{",
        b"}",
        b"\"",
        b"null",
        b"1e999",
        b"-0",
        b"nan",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

const NAMES: [&str; 4] = ["docs.jsonl", "queries.dev.tsv", "qrels.dev.txt", "file"];

fn folder(contents: [Vec<u8>; 4]) -> (tempfile::TempDir, DataRoots) {
    let files: Vec<_> = NAMES.into_iter().zip(contents).collect();
    crate::testing::folder(&files)
}

const RELEVANCE: [&str; 6] = [
    "format = 'id-triples'\nfile = 'file'\nqueries = 'queries.dev.tsv'\ndocuments = 'docs.jsonl'",
    "format = 'text-triples'\nfile = 'file'",
    "format = 'n-way'\nfile = 'file'\nqueries = 'queries.dev.tsv'\ndocuments = 'docs.jsonl'",
    "format = 'tuples'\nfile = 'file'\nquery = 'query'\npositive = 'positive'\nnegative = 'negative'",
    "format = 'pairs'\nfile = 'file'\ndocument = 'doc'\ndocuments = 'docs.jsonl'",
    "format = 'judged'\nqrels = 'qrels.dev.txt'\nqueries = 'queries.dev.tsv'\ndocuments = 'docs.jsonl'\n\
     run = { file = 'file', count = 2 }",
];

const COLLECTIONS: [&str; 4] = [
    "format = 'parts'\ndocuments = { format = 'jsonl', file = 'docs.jsonl' }\n\
     queries = { format = 'wiki-questions', file = 'queries.dev.tsv', languages = ['swa'] }\n\
     judgements = { format = 'trec', file = ['qrels.dev.txt', 'file'] }",
    "format = 'parts'\ndocuments = { format = 'tsv', file = 'docs.jsonl' }\n\
     queries = { format = 'tsv', file = 'queries.dev.tsv', languages = ['swa'], english = 'file' }\n\
     judgements = { format = 'trec', file = 'qrels.dev.txt' }",
    "format = 'wiki-questions'\nfolder = '.'\nsplit = 'dev'\nlanguages = ['swa']",
    "format = 'mates'\nenglish = 'docs.jsonl'\nforeign = 'file'\nlanguages = ['swa']",
];

const BITEXT: [&str; 4] = [
    "format = 'tsv'\nfile = 'file'\nlanguages = ['swa']",
    "format = 'parallel-lines'\nenglish = 'docs.jsonl'\nforeign = 'file'\nlanguages = ['swa']",
    "format = 'jsonl'\nfile = 'file'\nenglish = 'en'\nforeign = 'sw'\nlanguages = ['swa']",
    "format = 'tmx'\nfile = 'file'\nenglish = 'en'\nforeign = 'sw'\nlanguages = ['swa']",
];

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        documents in content(), queries in content(), qrels in content(), file in content()
    ) {
        let (folder, roots) = folder([documents, queries, qrels, file]);
        let named = |error: String| -> Result<(), TestCaseError> {
            let place = folder.path().display().to_string();
            prop_assert!(error.contains(&place), "{error}");
            Ok(())
        };
        for source in RELEVANCE {
            let source: RelevanceSource = toml::from_str(source).unwrap();
            if let Err(error) = source.load(&roots) {
                named(error.to_string())?;
            }
        }
        for source in COLLECTIONS {
            let source: CollectionSource = toml::from_str(source).unwrap();
            if let Err(error) = source.load(&roots) {
                named(error.to_string())?;
            }
        }
        for source in BITEXT {
            for share in [0.0, 1.0] {
                let changed = format!("maximum_bad_share = {share:?}");
                if let Err(error) = crate::testing::read(&[source.to_owned()], &roots, &changed) {
                    named(error.to_string())?;
                }
            }
        }
    }
}

/// Folders, files without permission, missing and empty ones are named by every reader.
#[test]
fn what_is_no_file_of_text_is_named() {
    let whole = [
        &b"{\"id\":1,\"text\":\"one\"}\n"[..],
        b"q\tswa\tdev\twho\n",
        b"q 0 1 1\n",
        b"x",
    ];
    for (bad, expected) in [
        (Some(&b""[..]), "is empty"),
        (Some(b"PK\x03\x04abc"), "is a zip archive"),
        (Some(b"\xff\xfeo\0n\0e\0"), "UTF-16"),
        (None, "is a folder, expected a file"),
    ] {
        let (folder, roots) = folder(whole.map(<[u8]>::to_vec));
        for name in NAMES {
            let path = folder.path().join(name);
            std::fs::remove_file(&path).unwrap();
            match bad {
                Some(bytes) => std::fs::write(&path, bytes).unwrap(),
                None => std::fs::create_dir(&path).unwrap(),
            }
        }
        let mut messages = Vec::new();
        for source in RELEVANCE {
            let source: RelevanceSource = toml::from_str(source).unwrap();
            messages.push(source.load(&roots).map(|_| ()).unwrap_err().to_string());
        }
        for source in COLLECTIONS {
            let source: CollectionSource = toml::from_str(source).unwrap();
            messages.push(source.load(&roots).map(|_| ()).unwrap_err().to_string());
        }
        for source in BITEXT {
            let read = crate::testing::read(&[source.to_owned()], &roots, "");
            messages.push(read.map(|_| ()).unwrap_err().to_string());
        }
        for message in messages {
            // A translation memory may be UTF-16, and is then one that ends too early.
            let early = expected == "UTF-16" && message.contains("it ends before </tmx>");
            assert!(message.contains(expected) || early, "{message}");
        }
    }
}
