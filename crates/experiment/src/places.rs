//! Where in a TOML file something stands that is wrong.

use std::path::Path;

use toml::de::{DeTable, DeValue};

/// What is wrong with a TOML file, with the line.
pub fn of_toml(path: &Path, text: &str, error: &toml::de::Error) -> anyhow::Error {
    let path = path.display();
    match error.span() {
        Some(span) => {
            let line = line_at(text, span.start);
            anyhow::anyhow!("{path}:{line}: {}", error.message())
        }
        None => anyhow::anyhow!("{path}: {}", error.message()),
    }
}

/// A fault that begins with its key, with the file and the line of the key in front.
pub fn placed(path: &Path, text: &str, fault: &str) -> String {
    let path = path.display();
    match line_of(text, fault) {
        Some(line) => format!("{path}:{line}: {fault}"),
        None => format!("{path}: {fault}"),
    }
}

/// The line of the key that a fault begins with, or of the nearest table above it that is there.
fn line_of(text: &str, fault: &str) -> Option<usize> {
    let of_key = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let fault = fault.trim_start_matches('[');
    let end = fault.find(|c| !of_key(c)).unwrap_or(fault.len());
    let whole = DeTable::parse(text).ok()?;
    let (mut table, mut place) = (whole.get_ref(), None);
    for part in fault[..end].split('.') {
        let mut entries = table.iter();
        let Some((key, value)) = entries.find(|(key, _)| key.get_ref() == part) else {
            break;
        };
        place = Some(key.span().start);
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    place.map(|place| line_at(text, place))
}

fn line_at(text: &str, place: usize) -> usize {
    let before = text.as_bytes().iter().take(place);
    1 + before.filter(|&&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Unknown {}

    #[test]
    fn a_fault_has_the_line_of_its_key() {
        let text = "title = 'a'\n[retrieval]\ndepth = 0\n[distill.training]\nsteps = 1\n\
                    [[translation.systems]]\nname = 'x'\n";
        for (fault, line) in [
            ("retrieval.depth = 0, expected at least 1", Some(3)),
            ("distill.training.steps = 0, expected", Some(5)),
            ("distill.training.parts = 0, expected", Some(4)),
            ("[distill.objectives.passages] and a [passages]", Some(4)),
            ("translation.systems, x: original = 2", Some(6)),
            ("languages: swa is listed twice", None),
        ] {
            assert_eq!(line_of(text, fault), line, "{fault}");
        }
        let placed = placed(Path::new("run.toml"), text, "retrieval.depth = 0");
        assert_eq!(placed, "run.toml:3: retrieval.depth = 0");
        let error = toml::from_str::<Unknown>(text).unwrap_err();
        let error = of_toml(Path::new("run.toml"), text, &error).to_string();
        assert!(error.starts_with("run.toml:"), "{error}");
    }
}
