//! Dictionaries in dictd's format, as FreeDict's come in Debian's packages `dict-freedict-…`.
//!
//! `NAME.index` has a line for each headword: the word, and where its entry begins in the text and how
//! long it is, in base 64. `NAME.dict`, or packed `NAME.dict.dz`, has the entries. The first line of an
//! entry repeats the headword, with pronunciation and grammar; the others have translations between
//! commas, semicolons and strokes, and much else, which is taken off:
//!
//! - what stands in `<…>`, `[…]`, `(…)` or `{…}`: grammar, domains, remarks, references;
//! - numbers of senses, lines with a label (`see:`, `Synonyms:`, `Note:`), quoted examples;
//! - the `to` of an infinitive, and the stand-ins `sth` and `sb`.
//!
//! Only headwords of one word are read, since queries are translated word by word. All translations
//! of a headword are equally probable, in the order in which the dictionary has them, and the words
//! of a translation share its probability.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use optical_files::text::{Lines, read_bytes};

use super::{TranslationError, TranslationTable};
use crate::words::words;

/// Reads the dictionary `stem.index`, `stem.dict.dz` or `stem.dict`.
///
/// # Errors
/// If a file is missing or broken, or a line of the index is not a headword with the place of its
/// entry.
pub fn read(stem: &Path) -> Result<TranslationTable, TranslationError> {
    let path = with_suffix(stem, ".index");
    let mut index = Lines::open(&path)?;
    let text = match with_suffix(stem, ".dict") {
        plain if plain.is_file() => read_bytes(&plain)?,
        _ => read_bytes(&with_suffix(stem, ".dict.dz"))?,
    };
    let mut entries: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    while let Some((number, line)) = index.next_good()? {
        if line.trim().is_empty() {
            continue;
        }
        let (headword, entry) = locate(line, &text).ok_or_else(|| TranslationError::Line {
            path: path.clone(),
            line: number,
            found: line.to_owned(),
            expected: "a headword, a tab, where its entry begins, a tab, and how long it is",
        })?;
        // The dictionary's description of itself.
        if headword.starts_with("00database") || headword.starts_with("00-database") {
            continue;
        }
        let mut headword = words(headword);
        let (Some(word), None) = (headword.next(), headword.next()) else {
            continue;
        };
        let entries = entries.entry(word).or_default();
        for translation in translations(&String::from_utf8_lossy(entry)) {
            if !entries.contains(&translation) {
                entries.push(translation);
            }
        }
    }
    Ok(TranslationTable::new(entries.into_iter().map(
        |(headword, translations)| {
            let mut weights: Vec<(String, f64)> = Vec::new();
            for translation in translations {
                let share = 1.0 / translation.len() as f64;
                for word in translation {
                    match weights.iter_mut().find(|(known, _)| *known == word) {
                        Some((_, weight)) => *weight += share,
                        None => weights.push((word, share)),
                    }
                }
            }
            (headword, weights)
        },
    )))
}

fn with_suffix(stem: &Path, suffix: &str) -> PathBuf {
    let mut path = stem.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Reads a line of the index as headword and entry.
fn locate<'a>(line: &'a str, text: &'a [u8]) -> Option<(&'a str, &'a [u8])> {
    // A fourth column spells the headword as it was before it was sorted.
    let mut columns = line.split('\t');
    let headword = columns.next()?;
    let begin = base64(columns.next()?)?;
    let length = base64(columns.next()?)?;
    Some((headword, text.get(begin..begin.checked_add(length)?)?))
}

/// Reads a number in dictd's base 64, whose digits are those of RFC 4648.
fn base64(digits: &str) -> Option<usize> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let value = |digit| DIGITS.iter().position(|known| *known == digit);
    let mut digits = digits.bytes();
    let first = value(digits.next()?)?;
    digits.try_fold(first, |number, digit| {
        number.checked_mul(64)?.checked_add(value(digit)?)
    })
}

/// Returns the translations of an entry, each as its words, in order.
fn translations(entry: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for line in entry.lines().skip(1) {
        let line = without_brackets(line);
        let line = line.trim();
        let numbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let line = match numbered.strip_prefix('.') {
            Some(sense) if numbered.len() < line.len() => sense.trim(),
            _ => line,
        };
        if line.starts_with(['"', '“']) || line.contains(':') {
            continue;
        }
        for translation in line.split([',', ';', '/']) {
            let mut translation: Vec<String> = words(translation)
                .filter(|word| word != "sth" && word != "sb")
                .collect();
            if 1 < translation.len() && translation[0] == "to" {
                translation.remove(0);
            }
            if !translation.is_empty() {
                found.push(translation);
            }
        }
    }
    found
}

/// Returns the line without what stands in brackets; a bracket that is not closed reaches to the end.
fn without_brackets(line: &str) -> String {
    let mut depth = 0_usize;
    let outside = |character: &char| {
        match character {
            '<' | '[' | '(' | '{' => depth += 1,
            '>' | ']' | ')' | '}' => {
                depth = depth.saturating_sub(1);
                return false;
            }
            _ => {}
        }
        depth == 0
    };
    line.chars().filter(outside).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    /// Made in the manner of FreeDict's: senses, grammar, examples, references, notes.
    const ENTRIES: [(&str, &str); 6] = [
        ("00databaseshort", "Example-English FreeDict Dictionary\n"),
        (
            "Arche",
            "Arche /ˈaʁçə/ <fem, n, sg>\n [relig.] ark <n>, great boat <n>\n      \"die Arche\"  - the ark\n see: {Boot}\n\n         Note: the one of Noah, {a note}\n",
        ),
        (
            "acha",
            "acha /ˈatʃa/ <v>\n1.\nleave\n2. to quit, stop doing sth\n",
        ),
        ("arche", "arche\nbow; ark\n"),
        ("a bordo", "a bordo\naboard\n"),
        (
            "kimya",
            "kimya <n> (pl: {none})\n\nsilence\n; person/man (unfinished, x\n",
        ),
    ];

    fn digits(mut number: usize) -> String {
        let mut digits = Vec::new();
        loop {
            digits.insert(
                0,
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[number % 64],
            );
            number /= 64;
            if number == 0 {
                return String::from_utf8(digits).unwrap();
            }
        }
    }

    fn write(folder: &Path) -> PathBuf {
        let (mut index, mut text) = (String::new(), String::new());
        for (headword, entry) in ENTRIES {
            index += &format!(
                "{headword}\t{}\t{}\n",
                digits(text.len()),
                digits(entry.len())
            );
            text += entry;
        }
        std::fs::write(folder.join("x.index"), index).unwrap();
        let file = std::fs::File::create(folder.join("x.dict.dz")).unwrap();
        let mut packer = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap();
        folder.join("x")
    }

    #[test]
    fn entries_are_read_without_their_notes() {
        let folder = tempfile::tempdir().unwrap();
        let table = read(&write(folder.path())).unwrap();
        let found = |word: &str| -> Vec<(String, f64)> {
            let found = table.translations(word).iter();
            found.map(|it| (it.word.clone(), it.probability)).collect()
        };
        let words = |words: &[(&str, f64)]| -> Vec<(String, f64)> {
            words.iter().map(|(word, p)| ((*word).into(), *p)).collect()
        };
        // "ark", "great boat" and, from the second entry, "bow".
        let third = 1.0 / 3.0;
        assert_eq!(
            found("arche"),
            words(&[
                ("ark", third),
                ("bow", third),
                ("great", third / 2.0),
                ("boat", third / 2.0)
            ])
        );
        assert_eq!(
            found("acha"),
            words(&[
                ("leave", third),
                ("quit", third),
                ("stop", third / 2.0),
                ("doing", third / 2.0)
            ])
        );
        assert_eq!(
            found("kimya"),
            words(&[("silence", third), ("person", third), ("man", third)])
        );
        assert_eq!(table.len(), 3);
    }

    #[test]
    fn a_broken_index_and_a_missing_text_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let stem = write(folder.path());
        for bad in [
            "word",
            "word\tA",
            "word\tA\t?",
            "word\tA\t//////",
            "word\t\tA",
        ] {
            std::fs::write(
                folder.path().join("x.index"),
                format!("acha\tA\tB\n{bad}\n"),
            )
            .unwrap();
            let message = read(&stem).unwrap_err().to_string();
            assert!(message.contains("x.index:2: "), "{message}");
        }
        std::fs::remove_file(folder.path().join("x.dict.dz")).unwrap();
        let message = read(&stem).unwrap_err().to_string();
        assert!(message.ends_with("x.dict.dz cannot be read"), "{message}");
    }
}
