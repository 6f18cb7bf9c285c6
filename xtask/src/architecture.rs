//! The rules of the house that no compiler knows: which room may use which, a solver without
//! dependencies, and files that fit into a head.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::start::cargo;

const PREFIX: &str = "optical-";
const MOST_LINES: usize = 500;
const MOST_LINES_OF_DRIVER: usize = 3000;

/// Each room, and the rooms it may use. A new room is a design change, so it is written here.
const ARROWS: &[(&str, &str)] = &[
    ("files", ""),
    ("sinkhorn", ""),
    ("tokenize", ""),
    ("corpus", "files"),
    ("retrieval", "files"),
    ("encoder", "tokenize files"),
    ("report", "retrieval files"),
    ("ot", "sinkhorn report files"),
    ("analysis", "files retrieval"),
    ("answer", "analysis report files"),
    (
        "benches",
        "sinkhorn report tokenize encoder distill retrieval",
    ),
    ("distill", "encoder sinkhorn corpus tokenize files"),
    ("store", "corpus encoder retrieval tokenize files"),
    (
        "evaluation",
        "store report corpus encoder retrieval tokenize",
    ),
    (
        "experiment",
        "evaluation store distill report corpus encoder retrieval tokenize files",
    ),
    (
        "study",
        "answer analysis experiment evaluation store distill report corpus encoder retrieval files",
    ),
    (
        "mining",
        "experiment store corpus encoder retrieval tokenize files",
    ),
    (
        "driver",
        "study mining experiment store ot answer analysis report distill retrieval corpus encoder tokenize sinkhorn files",
    ),
];

/// Checks all rules and names every breach.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let metadata = cargo_output(root, &["metadata", "--format-version", "1", "--no-deps"])?;
    let metadata = serde_json::from_str(&metadata).context("cargo metadata is not json")?;
    let mut breaches = forbidden_arrows(&metadata)?;
    let tree = ["tree", "--package", "optical-sinkhorn", "--edges", "normal"];
    let tree = cargo_output(root, &tree)?;
    if tree.trim().lines().count() != 1 {
        breaches.push(format!(
            "optical-sinkhorn has dependencies without features:\n{tree}"
        ));
    }
    for folder in ["crates", "xtask", "benches"] {
        breaches.extend(too_long(&rust_files(&root.join(folder))?));
    }
    if breaches.is_empty() {
        Ok(())
    } else {
        bail!("{}", breaches.join("\n"))
    }
}

/// Every dependency between two rooms, of whatever kind, that [`ARROWS`] does not list.
fn forbidden_arrows(metadata: &Value) -> anyhow::Result<Vec<String>> {
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata lists no packages")?;
    let mut breaches = Vec::new();
    for package in packages {
        let Some(room) = package["name"]
            .as_str()
            .and_then(|name| name.strip_prefix(PREFIX))
        else {
            continue;
        };
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            breaches.push(format!(
                "{PREFIX}{room} is not in the list of rooms in {}",
                file!()
            ));
            continue;
        };
        let allowed: Vec<&str> = allowed.split_whitespace().collect();
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        let rooms =
            dependencies.filter_map(|dependency| dependency["name"].as_str()?.strip_prefix(PREFIX));
        // A room may ask itself for a feature in its tests.
        for used in rooms.filter(|used| *used != room && !allowed.contains(used)) {
            breaches.push(format!(
                "{PREFIX}{room} must not depend on {PREFIX}{used}, only on {allowed:?}"
            ));
        }
    }
    Ok(breaches)
}

/// Every Rust file below `folder`, with the number of its lines.
fn rust_files(folder: &Path) -> anyhow::Result<Vec<(PathBuf, usize)>> {
    let unreadable = |path: &Path| format!("{} cannot be read", path.display());
    let entries = fs::read_dir(folder).with_context(|| unreadable(folder))?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .with_context(|| unreadable(folder))?;
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() && !path.ends_with("target") {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).with_context(|| unreadable(&path))?;
            let lines = text.lines().count();
            files.push((path, lines));
        }
    }
    Ok(files)
}

/// The files that are too long, and a driver that is more than a thin one.
fn too_long(files: &[(PathBuf, usize)]) -> Vec<String> {
    let long = files.iter().filter(|(_, lines)| MOST_LINES < *lines);
    let mut breaches: Vec<String> = long
        .map(|(path, lines)| {
            let path = path.display();
            format!("{path} has {lines} lines, at most {MOST_LINES} are wanted")
        })
        .collect();
    let driver = files.iter().filter(|(path, _)| {
        path.ancestors()
            .any(|folder| folder.ends_with("crates/driver/src"))
    });
    let lines: usize = driver.map(|(_, lines)| lines).sum();
    if MOST_LINES_OF_DRIVER < lines {
        breaches.push(format!(
            "the driver has {lines} lines, at most {MOST_LINES_OF_DRIVER} are wanted: a command is a page \
             that calls a library"
        ));
    }
    breaches
}

fn cargo_output(root: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let line = arguments.join(" ");
    let output = cargo()
        .args(arguments)
        .current_dir(root)
        .output()
        .with_context(|| format!("cargo {line} cannot be started"))?;
    if !output.status.success() {
        bail!(
            "cargo {line}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    String::from_utf8(output.stdout).with_context(|| format!("cargo {line} did not write text"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn package(name: &str, dependencies: &[&str]) -> Value {
        let dependencies: Vec<Value> = dependencies
            .iter()
            .map(|name| json!({ "name": name, "kind": "dev" }))
            .collect();
        json!({ "name": name, "dependencies": dependencies })
    }

    fn breaches(packages: &[Value]) -> Vec<String> {
        forbidden_arrows(&json!({ "packages": packages })).unwrap()
    }

    #[test]
    fn allowed_arrows_and_outside_crates_pass() {
        let packages = [
            package(
                "optical-distill",
                &["burn", "optical-encoder", "optical-sinkhorn"],
            ),
            package("optical-report", &["resvg"]),
            package("xtask", &["clap"]),
        ];
        assert!(breaches(&packages).is_empty());
    }

    #[test]
    fn an_arrow_against_the_plan_is_named() {
        let found = breaches(&[package("optical-tokenize", &["optical-encoder"])]);
        let expected = "optical-tokenize must not depend on optical-encoder, only on []";
        assert_eq!(found, [expected]);
    }

    #[test]
    fn a_room_that_is_not_on_the_plan_is_named() {
        let found = breaches(&[package("optical-attic", &[])]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("optical-attic is not in the list of rooms"));
    }

    #[test]
    fn only_long_rust_files_are_named() {
        let folder = std::env::temp_dir().join(format!("xtask-lines-{}", std::process::id()));
        fs::create_dir_all(folder.join("src")).unwrap();
        fs::write(folder.join("src/long.rs"), "//\n".repeat(MOST_LINES + 1)).unwrap();
        fs::write(folder.join("src/fits.rs"), "//\n".repeat(MOST_LINES)).unwrap();
        fs::write(folder.join("data.txt"), "\n".repeat(9 * MOST_LINES)).unwrap();
        let files = rust_files(&folder);
        fs::remove_dir_all(&folder).unwrap();
        let found = too_long(&files.unwrap());
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("long.rs has 501 lines"), "{}", found[0]);
    }

    #[test]
    fn a_driver_is_thin() {
        let file = |name: &str| (Path::new("/a/crates").join(name), MOST_LINES);
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let mut files: Vec<_> = names
            .map(|name| file(&format!("driver/src/commands/{name}.rs")))
            .into();
        files.push(file("driver/tests/long.rs"));
        let found = too_long(&files);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("the driver has 3500 lines"),
            "{}",
            found[0]
        );
        assert!(too_long(&files[1..]).is_empty());
    }
}
