//! Characters that make up words, and spellings that are the same.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup};

/// Returns the text in Unicode's normal form C, in which an accented letter is one character wherever
/// it can be: the same text, however it was typed.
pub(crate) fn composed(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

/// Letters and digits, with the marks on them.
pub(crate) fn of_words(text: &str) -> impl Iterator<Item = char> + '_ {
    let mut in_word = false;
    text.chars().filter(move |character| {
        in_word = character.is_alphanumeric() || in_word && continues(*character);
        in_word
    })
}

/// Returns the text up to its last letter or digit, with the marks on it; all of a text without any.
pub(crate) fn until_last_word(text: &str) -> &str {
    let Some(last) = text.rfind(char::is_alphanumeric) else {
        return text;
    };
    let mut after = text[last..].char_indices().skip(1);
    let end = after.find(|(_, character)| !continues(*character));
    end.map_or(text, |(end, _)| &text[..last + end])
}

/// Whether a character belongs to the one before it: accents that no letter has with it (Yoruba),
/// viramas and nuktas (Hindi), and joiners, which end words in Malayalam.
fn continues(character: char) -> bool {
    let category = || CodePointMapData::<GeneralCategory>::new().get(character);
    matches!(character, '\u{200c}' | '\u{200d}') || GeneralCategoryGroup::Mark.contains(category())
}
