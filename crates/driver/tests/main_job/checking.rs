//! What is told before the first tensor, and texts without tokens.

use std::path::Path;

use crate::setting::{fails, normalise, optical, prepare, prepared, succeeds};

/// Characters without width, which the normalisers of large models take away.
const NOTHING: &str = "\u{200b}\u{200d}";

/// What [`prepare`] makes, with a tokenizer that takes characters without width away.
fn prepare_normalised(folder: &Path) {
    prepare(folder);
    normalise(folder);
}

/// Changes a file below `folder`.
fn change(folder: &Path, name: &str, change: impl Fn(String) -> String) {
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = change(text.clone());
    assert_ne!(changed, text, "{name}");
    std::fs::write(&path, changed).unwrap();
}

fn append(folder: &Path, name: &str, more: &str) {
    change(folder, name, |text| text + more);
}

#[test]
fn texts_without_tokens_are_told_before_the_training_and_end_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    prepare_normalised(folder);
    append(
        folder,
        "data/clir/docs.jsonl",
        &format!("{{\"id\": \"z1\", \"title\": \"\", \"text\": \"{NOTHING}\"}}\n"),
    );
    append(
        folder,
        "data/clir/queries.dev.tsv",
        &format!("q6\tswa\tdev\t{NOTHING}\tstar\n"),
    );
    append(folder, "data/clir/qrels.dev.txt", "q6 0 d2 1\nq0 0 z1 1\n");
    let pairs = ["star", "sun fish", "fire"].map(|it| format!("{it}\t{NOTHING}\n"));
    append(folder, "bitext/swa.tsv", &pairs.concat());
    change(folder, "run.toml", |text| {
        let text = text.replace("_share = 0.5", "_share = 0.0");
        text.replace("maximum_length_ratio = 4.0", "maximum_length_ratio = 99.0")
    });
    let output = optical(folder, &["train", "run.toml"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    succeeds(&output);
    for expected in [
        "warning: [collection]: documents without a token, which are never found, 1 of 7: z1 \
         (./data/clir/docs.jsonl:7)",
        "queries in swa without a token, which find nothing and count as zero, 1 of 7: q6 \
         (./data/clir/queries.dev.tsv:7)",
    ] {
        let place = told.find(expected).unwrap_or_else(|| panic!("{told}"));
        assert!(place < told.find("encode documents").unwrap(), "{told}");
    }
    assert!(told.contains(" without a token), vocabulary"), "{told}");
    let read = |path: &str| std::fs::read_to_string(folder.join("runs/run").join(path)).unwrap();
    let results: serde_json::Value = serde_json::from_str(&read("results.json")).unwrap();
    let topics = results["low_resource"]["zero-shot"]["topics"].as_u64();
    assert_eq!(topics, Some(7), "{results}");
    for system in ["distilled", "zero-shot", "zero-shot-raw"] {
        let ranking = read(&format!("trec/{system}.swa.run"));
        assert!(
            !ranking.contains("q6 ") && !ranking.contains(" z1 "),
            "{ranking}"
        );
        assert!(ranking.contains("q5 "), "{ranking}");
    }
    let search = |query: &str| optical(folder, &["search", "runs/run", "--query", query]);
    assert!(fails(&search(NOTHING)).contains("has no word that the model reads"));
    assert!(!succeeds(&search("jua")).contains("z1"));
    let align = |foreign| optical(folder, &["align", "water", foreign, "--run", "runs/run"]);
    assert!(fails(&align(NOTHING)).contains("without a token cannot be aligned"));
    succeeds(&align("maji"));
    // In `encode` such a text has no vector.
    std::fs::write(
        folder.join("texts.tsv"),
        format!("a\twater\nb\t{NOTHING}\n"),
    )
    .unwrap();
    let encode = |length| {
        let input = ["encode", "--model", "model", "--input", "texts.tsv"];
        let output = ["--output", "texts.safetensors", "--length", length];
        optical(folder, &[&input[..], &output].concat())
    };
    let error = fails(&encode("2"));
    assert!(error.contains("expected at least 3"), "{error}");
    succeeds(&encode("16"));
    let bytes = std::fs::read(folder.join("texts.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let lengths = file.tensor("lengths").unwrap();
    assert_eq!(lengths.data(), [1, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn three_faults_are_told_at_once_and_nothing_is_written() {
    let folder = prepared();
    let folder = folder.path();
    change(folder, "run.toml", |text| {
        text.replace("query_length = 16", "query_length = 2")
            .replace("[\"swa\"]", "[\"swa\", \"deu\"]")
            .replace("depth = 10", "depth = 0")
            .replace(
                "languages.swa = {",
                "languages.deu = { scripts = [\"Latin\"], length = 1.0 }\nlanguages.swa = {",
            )
    });
    std::fs::copy(folder.join("bitext/swa.tsv"), folder.join("bitext/deu.tsv")).unwrap();
    let german = (0..6).map(|i| format!("gq{i}\tdeu\tdev\tmaji {i}\twater\n"));
    append(
        folder,
        "data/clir/queries.dev.tsv",
        &german.collect::<String>(),
    );
    change(folder, "data/clir/docs.jsonl", |text| {
        text.replace("\"d5\"", "\"d 5\"")
    });
    append(folder, "data/clir/qrels.dev.txt", "q9 0 d1 1\n");
    for arguments in [
        &["train", "run.toml"][..],
        &["train", "run.toml", "--check"],
    ] {
        let error = fails(&optical(folder, arguments));
        for expected in [
            "error: 4 problems:\n",
            "retrieval.query_length = 2, expected at least 3",
            "retrieval.depth = 0, expected at least 1",
            "docs.jsonl:6: the id \"d 5\" of a document has a blank",
            "[collection]: no query in \"deu\" has a relevant document",
            "warning: [collection]: 2 judgements name a query or a document that is not there",
            "qrels.dev.txt:7: there is no query 'q9'",
        ] {
            assert!(error.contains(expected), "{expected}: {error}");
        }
        let line = |key: &str| {
            let text = std::fs::read_to_string(folder.join("run.toml")).unwrap();
            let line = text.lines().position(|line| line.starts_with(key)).unwrap() + 1;
            format!("run.toml:{line}: retrieval.{key}")
        };
        assert!(error.contains(&line("depth = 0")), "{error}");
        assert!(!folder.join("runs").exists());
    }
    assert!(
        !folder.join("cache").exists() || {
            let entries = std::fs::read_dir(folder.join("cache")).unwrap();
            entries.count() == 0
        }
    );
}

#[test]
fn a_check_writes_nothing_and_says_what_the_run_takes() {
    let folder = prepared();
    let folder = folder.path();
    let shown = succeeds(&optical(folder, &["train", "run.toml", "--check"]));
    for expected in [
        "  time    ",
        ": 30 steps of ",
        "6 documents",
        "6 queries",
        "  memory  ",
        "in runs/run",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    assert!(!folder.join("runs").exists() && !folder.join("cache").exists());
    // What is not in the cache is named, and what can be checked is checked.
    change(folder, "run.toml", |text| {
        text.replace("model = \"model\"", "model = \"hub:nobody/nothing\"")
    });
    let shown = succeeds(&optical(folder, &["train", "run.toml", "--check"]));
    assert!(
        shown.contains("model hub:nobody/nothing will be fetched"),
        "{shown}"
    );
    change(folder, "run.toml", |text| {
        text.replace("steps = 30", "steps = 0")
    });
    let error = fails(&optical(folder, &["train", "run.toml", "--check"]));
    assert!(error.contains("distill.training.steps = 0"), "{error}");
    assert!(!folder.join("runs").exists() && !folder.join("cache").exists());
}

#[test]
fn each_thing_that_can_be_known_is_told_before_anything_is_computed() {
    let folder = prepared();
    let folder = folder.path();
    let run_file = std::fs::read_to_string(folder.join("run.toml")).unwrap();
    let told = |from: &str, to: &str| {
        assert!(run_file.contains(from), "{from}");
        std::fs::write(folder.join("run.toml"), run_file.replace(from, to)).unwrap();
        let output = optical(folder, &["train", "run.toml", "--check"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), told)
    };
    for (from, to, expected) in [
        (
            "\nmaximum_length = 16",
            "\nmaximum_length = 99",
            "distill.maximum_length = 99, expected at most 24",
        ),
        (
            "\nmaximum_length = 16",
            "\nmaximum_length = 3",
            "distill.maximum_length = 3: no pair of swa has a token on both sides and fits",
        ),
        (
            "\nlayers = 2",
            "\nlayers = 3",
            "distill.layers = 3, expected at most 2",
        ),
        (
            "document_length = 16",
            "document_length = 90",
            "retrieval.document_length = 90, expected at most 24",
        ),
        (
            "document_length = 16",
            "document_length = 1",
            "retrieval.document_length = 1, expected at least 3",
        ),
        ("held_out = 4", "held_out = 60", "held_out = 60: swa has "),
        (
            "bitext = { swa = 0.8 }",
            "bitext = { yor = 0.8 }",
            "distill.bitext.yor: [[bitext]] has no pair in yor",
        ),
        (
            "low = [\"swa\"]",
            "low = [\"swa\", \"yor\"]",
            "[collection]: there is no query in \"yor\", expected one of swa",
        ),
        (
            "sentences = 20\ndocuments = 6",
            "sentences = 1\ndocuments = 0",
            "cannot span the 8 dimensions of the model",
        ),
        (
            "bitext/{language}",
            "elsewhere/{language}",
            "elsewhere/swa.tsv cannot be read",
        ),
        (
            "swa = \"dictionary/swh-eng\"",
            "swa = \"dictionary/none\"",
            "translation.dictionary.swa = dictionary/none: expected files",
        ),
        (
            "[translation.dictionary]",
            "[translation.command]\nswa = [\"no-such-translator\"]\n[translation.dictionary]",
            "there is no program \"no-such-translator\"",
        ),
        (
            "split = \"dev\"",
            "split = \"test\"",
            "[collection]: ./data/clir/queries.test.tsv cannot be read",
        ),
    ] {
        let (passed, told) = told(from, to);
        assert!(!passed && told.contains(expected), "{expected}: {told}");
    }
    for (from, to, expected) in [
        (
            "picture = \"swa\"",
            "picture = \"yor\"",
            "picture = \"yor\": no pair in it",
        ),
        (
            "batch_size = 8",
            "batch_size = 80",
            "batch_size = 80: there are ",
        ),
        (
            "documents = 6",
            "documents = 7",
            "distill.head.documents = 7: there are 6",
        ),
        (
            "[distill]\n",
            "[final_test]\nformat = \"wiki-questions\"\nfolder = \"data/clir\"\nsplit = \"test\"\n\
             languages = [\"swa\"]\n[distill]\n",
            "[final_test]: ./data/clir/queries.test.tsv cannot be read",
        ),
    ] {
        let (passed, told) = told(from, to);
        assert!(
            passed && told.contains(&format!("warning: {expected}")) || {
                passed && told.contains("warning: ") && told.contains(expected)
            },
            "{expected}: {told}"
        );
    }
    // Documents are there, and none has a text.
    std::fs::write(folder.join("run.toml"), &run_file).unwrap();
    std::fs::write(folder.join("data/clir/docs.jsonl"), "\n").unwrap();
    let error = fails(&optical(folder, &["train", "run.toml", "--check"]));
    assert!(
        error.contains("[collection]: there is no document"),
        "{error}"
    );
    assert!(!folder.join("runs").exists());
}

#[test]
fn all_variants_of_a_study_and_all_finished_runs_are_checked_first() {
    let folder = prepared();
    let folder = folder.path();
    let study = "title = \"Two\"\nrun = \"run.toml\"\nstudents = 1\nkeep_students = false\n\
                 reference = \"one\"\n[[variant]]\nname = \"one\"\n[[variant]]\nname = \"two\"\n\
                 set = { \"distill.layers\" = 7 }\n[[variant]]\nname = \"three\"\n\
                 set = { \"retrieval.query_length\" = 1 }\n";
    std::fs::write(folder.join("study.toml"), study).unwrap();
    for arguments in [
        &["study", "study.toml"][..],
        &["study", "study.toml", "--check"],
    ] {
        let error = fails(&optical(folder, arguments));
        for expected in [
            "variant two: distill.layers = 7, expected at most 2",
            "variant three: retrieval.query_length = 1, expected at least 3",
        ] {
            assert!(error.contains(expected), "{error}");
        }
        assert!(!folder.join("runs").exists());
    }
    let error = fails(&optical(folder, &["final-test", "runs/one", "runs/two"]));
    assert!(
        error.contains("runs/one") && error.contains("runs/two"),
        "{error}"
    );
}
