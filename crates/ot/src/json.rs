//! Problems in JSON: one object, or a list of them.

use std::borrow::Cow;

use anyhow::anyhow;
use serde::Serialize;
use serde::de::{DeserializeOwned, Deserializer};

use crate::Questions;

/// What stands for a bare `NaN` once it is quoted: as long as the word, so that the columns of
/// errors stay those of the text given.
pub const SHORT_NAN: &str = "n";

/// Reads the problems that `text` states.
pub fn read(text: &str) -> anyhow::Result<Questions> {
    // A byte order mark, as some editors write it.
    let text = quoted(text.trim_start_matches('\u{feff}'));
    let mut reader = serde_json::Deserializer::from_str(&text);
    let questions = if text.trim_start().starts_with('[') {
        Questions::List(at_path(&mut reader, true)?)
    } else {
        Questions::One(at_path(&mut reader, false)?)
    };
    reader.end()?;
    Ok(questions)
}

/// One line in full precision; a number that is not finite becomes null.
pub fn write(answer: &impl Serialize) -> anyhow::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    Ok(line)
}

/// Deserialises with errors that name the problem of a list, the key and the index.
pub fn at_path<'de, T, D>(reader: D, list: bool) -> anyhow::Result<T>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
    D::Error: std::error::Error + Send + Sync + 'static,
{
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let path = error.path().to_string();
        let error = anyhow!(error.into_inner());
        let (problem, path) = match path.strip_prefix('[').and_then(|path| path.split_once(']')) {
            Some((problem, path)) if list => (Some(problem), path.trim_start_matches('.')),
            _ => (None, path.trim_matches('.')),
        };
        let error = if path.is_empty() {
            error
        } else {
            error.context(path.to_owned())
        };
        match problem {
            Some(problem) => error.context(format!("problem {problem}")),
            None => error,
        }
    })
}

/// Quotes the words that Python's `json` writes where JSON has no number: `NaN`, `Infinity` and
/// `-Infinity`.
fn quoted(text: &str) -> Cow<'_, str> {
    const WORDS: [(&str, &str); 3] = [
        ("NaN", "\"n\""),
        ("-Infinity", "\"-inf\"   "),
        ("Infinity", "\"inf\"   "),
    ];
    if !text.contains("NaN") && !text.contains("Infinity") {
        return Cow::Borrowed(text);
    }
    let mut whole = String::with_capacity(text.len());
    let (mut rest, mut inside) = (text, false);
    while let Some(next) = rest.chars().next() {
        let word = WORDS
            .iter()
            .find(|(word, _)| !inside && rest.starts_with(word));
        let taken = match (word, next) {
            (Some((word, written)), _) => {
                whole.push_str(written);
                word.len()
            }
            // A backslash takes the next character with it, quote or not.
            (None, '\\') if inside => {
                let escaped = rest.chars().nth(1).map_or(0, char::len_utf8);
                whole.push_str(&rest[..1 + escaped]);
                1 + escaped
            }
            (None, _) => {
                inside ^= next == '"';
                whole.push(next);
                next.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    Cow::Owned(whole)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn refusal(text: &str) -> String {
        format!("{:#}", read(text).unwrap_err())
    }

    #[test]
    fn bare_words_are_quoted_in_their_place() {
        let text = r#"[NaN, -Infinity,Infinity, "NaN \" \\", "Infinity é \"NaN"]"#;
        let found = quoted(text);
        assert_eq!(
            found,
            r#"["n", "-inf"   ,"inf"   , "NaN \" \\", "Infinity é \"NaN"]"#
        );
        assert_eq!(found.len(), text.len());
        assert!(matches!(quoted("[1, null]"), Cow::Borrowed(_)));
        // Broken off inside a string, after a backslash.
        assert_eq!(quoted("[NaN, \"\\"), "[\"n\", \"\\");
    }

    #[test]
    fn one_problem_and_a_list_are_told_apart() {
        let one = r#" {"cost": [[1, null, "inf"]], "epsilon": 0.5}"#;
        assert!(matches!(read(one).unwrap(), Questions::One(_)));
        let Questions::List(list) = read(&format!(" [{one}, {one}]\n")).unwrap() else {
            panic!("not a list")
        };
        assert_eq!(list.len(), 2);
    }

    #[test]
    fn faults_are_told_with_problem_key_and_place() {
        for (text, expected) in [
            (
                r#"{"cost": [[1, 2], [3, []]]}"#,
                "cost[1][1]: invalid type: sequence, expected a number, null, \"NaN\"",
            ),
            (r#"{"cost": [1, 2]}"#, "cost[0]: invalid type: integer `1`"),
            (r#"{"a": [1]}"#, "missing field `cost` at line 1 column 10"),
            (
                r#"{"cost": [[1]], "reg": 2}"#,
                "unknown field `reg`, expected one of `cost`",
            ),
            (
                r#"{"cost": [[1]], "cost": [[1]]}"#,
                "duplicate field `cost`",
            ),
            (
                r#"{"cost": [[1]], "max_iterations": 1.5}"#,
                "max_iterations: invalid type",
            ),
            (
                r#"{"cost": [[1]], "rho": [1, 2, 3]}"#,
                "rho: rho is neither a number nor",
            ),
            (
                r#"{"cost": [[1]]} x"#,
                "trailing characters at line 1 column 17",
            ),
            (
                r#"[{"cost": [[1]]}, {"cost": 2}]"#,
                "problem 1: cost: invalid type",
            ),
            (
                r#"[{"cost": [[1]]}, 5]"#,
                "problem 1: invalid type: integer `5`",
            ),
            (
                r#"[{"cost": [[NaN]]}, {"cost": [[NaN, x]]}]"#,
                "problem 1: cost[0][1]: expected value at line 1 column 37",
            ),
            ("7", "invalid type: integer `7`"),
        ] {
            let message = refusal(text);
            assert!(message.contains(expected), "{message}");
        }
    }
}
