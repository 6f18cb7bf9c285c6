//! Cleaning of a verse: what editors, programs and printers added is taken out, so that the
//! sentence remains.

use super::super::lines::collapse;

/// Cleans the text of a verse; none if no word remains.
///
/// - Citations and verse numbers in brackets go: `(7:26)`, `(5-24)`, `(35-22b)`,
///   `(Heb. 1:10, Heb. 11:3)`.
/// - Square brackets go and the words in them, which translators supplied, stay: `[even]`.
/// - Footnote marks `*` go, the back quote becomes the apostrophe that it stands for.
/// - Control characters, soft hyphens and direction marks go; joiners, which shape letters, stay.
/// - White space collapses.
pub(super) fn clean(verse: &str) -> Option<String> {
    let mut text = String::with_capacity(verse.len());
    // Where the open brackets began. An innermost one closes first, so a citation within a
    // remark goes alone.
    let mut open: Vec<usize> = Vec::new();
    for character in verse.chars() {
        match character {
            '(' | '（' => {
                open.push(text.len());
                text.push(character);
            }
            '[' | '［' | '〔' => open.push(text.len()),
            ')' | '）' | ']' | '］' | '〕' => {
                let start = open.pop();
                if let Some(start) = start.filter(|start| is_citation(&text[*start..])) {
                    text.truncate(start);
                } else if matches!(character, ')' | '）') {
                    text.push(character);
                }
            }
            '*' => match text.ends_with('*') {
                // A run of them separates, a single one only marks.
                true => text.push(' '),
                false => text.push('*'),
            },
            '`' => text.push('\''),
            '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}' => {}
            _ if character.is_control() => text.push(' '),
            _ => text.push(character),
        }
    }
    let text = collapse(&text.replace('*', ""));
    text.contains(char::is_alphabetic).then_some(text)
}

/// Whether a bracket's content cites a verse: a number, a colon and a number somewhere, or
/// nothing but numbers joined by `-`, `:` or `.` with at most a letter after each.
fn is_citation(content: &str) -> bool {
    let content = content.trim_start_matches(['(', '（']);
    let characters: Vec<char> = content.chars().collect();
    let digit = |character: &char| character.is_numeric();
    let cites = characters
        .windows(3)
        .any(|three| digit(&three[0]) && matches!(three[1], ':' | '：') && digit(&three[2]));
    let joined = characters
        .iter()
        .any(|character| matches!(character, '-' | ':' | '.'));
    let only_numbers = characters
        .iter()
        .enumerate()
        .all(|(index, character)| match character {
            '-' | ':' | '.' | ' ' => true,
            'a' | 'b' => index > 0 && digit(&characters[index - 1]),
            character => digit(character),
        });
    cites || (joined && only_numbers && characters.iter().any(digit))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::clean;

    #[test]
    fn what_is_no_sentence_goes() {
        for (verse, expected) in [
            ("(7:26) L'Éternel dit", "L'Éternel dit"),
            ("(5-24) Tetapi (35-22b) TUHAN", "Tetapi TUHAN"),
            ("(1-:2) Nguyện", "Nguyện"),
            ("(22.45) Então", "Então"),
            ("की सृष्टि की। (इब्रा. 1:10, इब्रा. 11:3)", "की सृष्टि की।"),
            ("tarumi. （本节在《马索拉抄本》为32:1）", "tarumi."),
            (
                "(car il dit : «Oui» [És 49:8]. Voici)",
                "(car il dit : «Oui» . Voici)",
            ),
            ("is it not [even] so", "is it not even so"),
            ("the congregation`s half", "the congregation's half"),
            ("कहा*, “हो*”", "कहा, “हो”"),
            ("فيه******فالآن", "فيه فالآن"),
            ("******فالآن", "فالآن"),
            ("\u{200e}وكلم\u{200f}  الرب\u{7f}\t", "وكلم الرب"),
            ("परमेश्\u{200d}वर", "परमेश्\u{200d}वर"),
        ] {
            assert_eq!(clean(verse).as_deref(), Some(expected), "{verse}");
        }
    }

    #[test]
    fn remarks_and_numbers_of_the_sentence_stay() {
        for verse in [
            "(Now the man Moses was very meek)",
            "wote (603,550) walikuwa",
            "(180 días)",
            "a) b",
            "(20 geras.) x",
        ] {
            assert_eq!(clean(verse).as_deref(), Some(verse));
        }
    }

    #[test]
    fn marks_without_words_are_nothing() {
        for verse in [
            "", " ", "-", "...", "[]", "***", "(*)", "(8:1)", "(1-18)", "(12)",
        ] {
            assert_eq!(clean(verse), None, "{verse}");
        }
    }

    proptest! {
        #[test]
        fn cleaning_never_fails_and_leaves_nothing_to_collapse(verse in r"[\(\)\[\]*` a-cé:0-9\-（）]{0,40}") {
            if let Some(text) = clean(&verse) {
                prop_assert!(!text.contains(['[', ']', '*', '`']));
                prop_assert!(!text.contains("  ") && text.trim() == text);
            }
        }
    }
}
