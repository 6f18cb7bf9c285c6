//! What is kept is used for what it was made of, and for nothing else.

use std::path::Path;

use optical_encoder::testing::tiny_checkpoint;

use crate::setting::{WORDS, command, fails, optical, prepared, succeeds};

const PROMPTS: &str = "{\"prompts\": {\"query\": \"\", \"document\": \"water fire star: \"}}";

fn change(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// Prompts, lengths, and weights in a folder of their own.
#[test]
fn document_vectors_follow_from_every_file_of_the_model() {
    let folder = prepared();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("queries.tsv", "q1\twater star\nq2\tsun\n");
    write(
        "documents.tsv",
        "d1\twater\nd2\tfire star sun tree\nd3\tsun\nd4\tfish tree\n",
    );
    write("qrels.txt", "q1 0 d1 1\nq2 0 d3 1\n");
    let mine = |cache: &str| {
        let arguments = "mine --queries queries.tsv --positives qrels.txt --documents documents.tsv \
                         --method model --model model --skip 0 --max-score-share none --scores \
                         --output negatives.jsonl";
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let mut command = command(folder.path(), &arguments);
        command.env("OPTICAL_CACHE", folder.path().join(cache));
        succeeds(&command.output().unwrap());
        std::fs::read_to_string(folder.path().join("negatives.jsonl")).unwrap()
    };
    let mut seen = vec![mine("kept")];
    let dense = "{\"in_features\": 8, \"out_features\": 8, \"bias\": false, \
                 \"activation_function\": \"torch.nn.modules.linear.Identity\"}";
    let modules = "[{\"idx\": 0, \"name\": \"0\", \"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"}, \
                   {\"idx\": 1, \"name\": \"1\", \"path\": \"1_Dense\", \"type\": \"pylate.models.Dense.Dense\"}]";
    let weights = |scale: f32| {
        let values =
            (0..64).map(|place| ((place * 7 % 11) as f32 - 5.0) * scale + place as f32 / 64.0);
        let tensor = ("linear.weight".to_owned(), vec![8, 8], values.collect());
        let path = folder.path().join("model/1_Dense/model.safetensors");
        optical_encoder::write_weights(&path, &[tensor]).unwrap();
    };
    for number in 0..3 {
        match number {
            0 => write("model/config_sentence_transformers.json", PROMPTS),
            1 => {
                write("model/modules.json", modules);
                write("model/1_Dense/config.json", dense);
                weights(1.0);
            }
            _ => weights(-0.3),
        }
        let found = mine("kept");
        assert_eq!(found, mine(&format!("fresh-{number}")));
        assert!(!seen.contains(&found), "change {number}: {found}");
        seen.push(found);
    }
}

/// The prompt before documents is changed between two runs that share a cache.
#[test]
fn a_changed_prompt_changes_the_scores() {
    let folder = prepared();
    let score = |run: &str| {
        succeeds(&optical(
            folder.path(),
            &["train", "run.toml", "--run", run],
        ));
        let results = std::fs::read(folder.path().join(run).join("results.json")).unwrap();
        let results: serde_json::Value = serde_json::from_slice(&results).unwrap();
        let map = &results["languages"][0]["scores"]["zero-shot-raw"]["map"];
        format!("{:.4}", map.as_f64().unwrap())
    };
    assert_eq!(score("before"), "0.4083");
    let config = folder
        .path()
        .join("model/config_sentence_transformers.json");
    std::fs::write(config, PROMPTS).unwrap();
    assert_eq!(score("after"), "0.3611");
}

/// What was trained goes on with the data and the model that it began with, or not at all.
#[test]
fn a_training_is_not_resumed_with_other_data_or_another_model() {
    let folder = prepared();
    let train = || optical(folder.path(), &["train", "run.toml"]);
    let shown = succeeds(&train());
    let student = folder.path().join("runs/run/student/model.safetensors");
    let before = std::fs::read(&student).unwrap();
    for (file, from, to, expected) in [
        ("bitext/swa.tsv", "maji", "moto", "bitext in swa"),
        (
            "data/clir/docs.jsonl",
            "\"title\": \"fire\"",
            "\"title\": \"star\"",
            "documents",
        ),
        (
            "model/config.json",
            "\"layer_norm_eps\"",
            " \"layer_norm_eps\"",
            "model",
        ),
    ] {
        let path = folder.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        change(&path, from, to);
        let error = fails(&train());
        assert!(
            error.contains("runs/run was begun with other data or another model"),
            "{error}"
        );
        assert!(error.contains(&format!("since are {expected};")), "{error}");
        if expected == "model" {
            let align = ["align", "water", "maji", "--run", "runs/run"];
            let error = fails(&optical(folder.path(), &align));
            assert!(error.contains("changed since are model;"), "{error}");
        }
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(shown, succeeds(&train()));
    assert_eq!(before, std::fs::read(&student).unwrap());
    // Questions and judgements cost little to ask again.
    change(
        &folder.path().join("data/clir/queries.dev.tsv"),
        "q5\t",
        "q7\t",
    );
    change(
        &folder.path().join("data/clir/qrels.dev.txt"),
        "q5 0",
        "q7 0",
    );
    succeeds(&train());
    for system in ["distilled", "zero-shot", "psq", "bm25-english"] {
        let path = folder
            .path()
            .join(format!("runs/run/trec/{system}.swa.run"));
        let ranking = std::fs::read_to_string(path).unwrap();
        assert!(
            ranking.contains("q7 ") && !ranking.contains("q5 "),
            "{system}: {ranking}"
        );
    }
    // Another student under the same name is ranked anew.
    let ranking = folder.path().join("runs/run/trec/distilled.swa.run");
    let rankings = || std::fs::read(&ranking).unwrap();
    let first = rankings();
    tiny_checkpoint(&folder.path().join("runs/run/student"), "bert", &WORDS, 6).unwrap();
    std::fs::remove_file(folder.path().join("runs/run/student/modules.json")).unwrap();
    succeeds(&train());
    assert_ne!(first, rankings());
}

/// Without a training, a folder follows its data.
#[test]
fn baselines_follow_what_they_read() {
    let folder = prepared();
    let baselines = |run: &str| {
        let shown = optical(folder.path(), &["baselines", "run.toml", "--run", run]);
        let shown = succeeds(&shown);
        let table = folder.path().join(run).join("translation/ibm1.swa.tsv");
        (shown, std::fs::read_to_string(table).unwrap())
    };
    let first = baselines("one");
    change(
        &folder.path().join("bitext/swa.tsv"),
        "water fire\tmaji moto",
        "water fire\tmaji samaki",
    );
    let second = baselines("one");
    assert_ne!(first.1, second.1);
    assert_eq!(second, baselines("two"));
    change(&folder.path().join("data/clir/docs.jsonl"), "water", "tree");
    assert_eq!(baselines("one"), baselines("three"));
    // Former versions kept no keys: rankings by words are made anew.
    std::fs::remove_file(folder.path().join("one/keys.json")).unwrap();
    let ranking = folder.path().join("one/trec/bm25-english.swa.run");
    let found = std::fs::read(&ranking).unwrap();
    std::fs::write(&ranking, "q1 Q0 d5 1 9.5 old\n").unwrap();
    assert_eq!(baselines("one"), baselines("three"));
    assert_eq!(std::fs::read(&ranking).unwrap(), found);
}

/// Whoever may read the folder may read what is in it.
#[cfg(unix)]
#[test]
fn modes_are_those_that_the_umask_asks_for() {
    use std::os::unix::fs::PermissionsExt;

    let folder = prepared();
    let line = "umask 027; set -e; \
        \"$0\" train run.toml; \
        \"$0\" watch runs/run --once --tensorboard runs/run/curves; \
        printf 'water\\nfire\\n' > made-texts; \
        \"$0\" encode --model model --input made-texts --output made/vectors.safetensors; \
        printf 'q1\\twater\\n' > made-queries; printf 'd1\\twater\\nd2\\tfire\\n' > made-documents; \
        printf 'q1 0 d1 1\\n' > made-qrels; \
        \"$0\" mine --queries made-queries --positives made-qrels --documents made-documents \
          --skip 0 --max-score-share none --output made/negatives.jsonl";
    let output = std::process::Command::new("sh")
        .args(["-c", line, env!("CARGO_BIN_EXE_optical")])
        .current_dir(folder.path())
        .env("OPTICAL_CACHE", folder.path().join("cache"))
        .output()
        .unwrap();
    succeeds(&output);
    let mut folders = ["runs", "cache", "made"]
        .map(|name| folder.path().join(name))
        .to_vec();
    let mut files = 0;
    while let Some(inner) = folders.pop() {
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&inner), 0o750, "{}", inner.display());
        for entry in std::fs::read_dir(&inner).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files += 1;
                assert_eq!(mode(&path), 0o640, "{}", path.display());
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                assert!(!name.starts_with('.'), "{name} is left over");
            }
        }
    }
    assert!(40 < files, "{files}");
}
