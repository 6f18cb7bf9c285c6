//! What a word is: one rule for documents, queries, translation tables, dictionaries and
//! code-switched text.
//!
//! Words are those of Unicode ([UAX #29](https://www.unicode.org/reports/tr29/), as ICU has them) that
//! hold a letter or a digit. A mark belongs to the letter before it, whether Unicode has the two as one
//! character (é) or not (ọ̀, the vowels and viramas of India). Chinese, Japanese, Thai, Lao, Khmer and
//! Burmese, which are written without spaces, are divided by dictionaries.
//!
//! The annex leaves the rest to those who use it. Here:
//! - texts are compared in normal form C and in lower case; the Turkish İ becomes i, as it would from
//!   a keyboard without it;
//! - soft hyphens, joiners and other characters that are not seen do not count;
//! - an apostrophe, however it is typed, joins where two letters or more stand on both sides
//!   ("ng'ombe", "go’aan"), and divides where one does, as after elided words ("n'ụlọ", "l'homme") and
//!   before a possessive ("Noah's");
//! - full stop, comma, colon, semicolon and underscore always divide, though UAX #29 lets some of them
//!   join: texts lack blanks ("end.Next"), and what is 1,000 in one language is 1.000 in another.
//!
//! No stemming, no stop words, no accents taken off.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_segmenter::WordSegmenter;
use icu_segmenter::options::WordBreakInvariantOptions;

/// The number of the rule; raise it when a word may become another one, since tables, rankings and
/// scores that were kept follow from it. The first rule ended words at combining marks.
pub const WORDS_REVISION: u32 = 2;

/// Returns the words of a text, in order.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    let text = composed(text);
    let words: Vec<String> = pieces(&text).into_iter().filter_map(word).collect();
    words.into_iter()
}

/// Returns the text as [`pieces`] takes it: in Unicode's normal form C, and with one kind of
/// apostrophe, so that it is the same however it was typed.
pub(crate) fn composed(text: &str) -> Cow<'_, str> {
    let text = ComposingNormalizerBorrowed::new_nfc().normalize(text);
    let alike = |character| match character {
        // Letters that look like an apostrophe, and the geresh and gershayim of Hebrew, among them.
        '’' | '‘' | '＇' | 'ʼ' | 'ʻ' | '׳' => '\'',
        '״' => '"',
        _ => character,
    };
    if text.chars().all(|character| alike(character) == character) {
        return text;
    }
    text.chars().map(alike).collect::<String>().into()
}

/// Divides a composed text into pieces, words and what is between them; [`word`] tells which is which.
pub(crate) fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    for run in text.split_inclusive(is_joint) {
        let (run, joint) = run.split_at(run.trim_end_matches(is_joint).len());
        segment(run, &mut pieces);
        pieces.push(joint);
    }
    pieces
}

/// Adds the pieces of a text without joints.
fn segment<'a>(text: &'a str, pieces: &mut Vec<&'a str>) {
    let segmenter = WordSegmenter::new_dictionary(WordBreakInvariantOptions::default());
    let mut begin = 0;
    for end in segmenter.segment_str(text) {
        let piece = &text[begin..end];
        begin = end;
        if let Some(apostrophe) = dividing_apostrophe(piece) {
            // In turn, since what a mark belongs to may change.
            segment(&piece[..apostrophe], pieces);
            pieces.push("'");
            segment(&piece[apostrophe + 1..], pieces);
        } else {
            // A mark without its letter stays with what stands before it.
            let (before, piece) = piece.split_at(piece.find(char::is_alphanumeric).unwrap_or(0));
            pieces.extend([before, piece]);
        }
    }
}

/// Returns where an apostrophe of the piece has less than two letters on a side.
fn dividing_apostrophe(piece: &str) -> Option<usize> {
    let is_short = |part: &str| {
        part.chars()
            .filter(|it| it.is_alphanumeric())
            .nth(1)
            .is_none()
    };
    let mut apostrophes = piece.match_indices('\'').map(|(at, _)| at);
    apostrophes.find(|&at| {
        let before = piece[..at].rsplit('\'').next().unwrap_or_default();
        let after = piece[at + 1..].split('\'').next().unwrap_or_default();
        is_short(before) || is_short(after)
    })
}

/// Returns a piece as a word, if it is one.
pub(crate) fn word(piece: &str) -> Option<String> {
    if !piece.starts_with(char::is_alphanumeric) {
        return None;
    }
    let seen = piece.chars().filter(|character| !is_ignorable(*character));
    let mut lower = seen.collect::<String>().to_lowercase();
    // What lower case makes of İ.
    while lower.contains("i\u{307}") {
        lower = lower.replace("i\u{307}", "i");
    }
    // Lower case may have made letters that have a composed form.
    Some(composed(&lower).into_owned())
}

/// Whether it divides words wherever it stands, although UAX #29 lets it join them in places.
fn is_joint(character: char) -> bool {
    ".,:;_．，：；＿\u{202f}".contains(character)
}

/// Characters that change how others are drawn, if anything.
fn is_ignorable(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200c}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use icu_normalizer::DecomposingNormalizerBorrowed;
    use proptest::prelude::*;

    use super::*;

    fn split(text: &str) -> Vec<String> {
        words(text).collect()
    }

    /// Texts with the words that a reader of the language sees, a blank between them.
    const SEEN: &[(&str, &str)] = &[
        // Yoruba, Hausa, Igbo, Swahili, Kinyarwanda: marks that have no composed letter, hooks, apostrophes.
        ("Ọ̀rọ̀ náà dára; ẹ̀kọ́ ńlá.", "ọ̀rọ̀ náà dára ẹ̀kọ́ ńlá"),
        (
            "Ɓera, Ɗaya & Ƙasa: 'yan ƙwallo",
            "ɓera ɗaya ƙasa yan ƙwallo",
        ),
        ("M̀ na-aga ụlọ akwụkwọ", "m̀ na aga ụlọ akwụkwọ"),
        ("Ng'ombe, ng’ombe, NGʼOMBE", "ng'ombe ng'ombe ng'ombe"),
        ("umwami w'u Rwanda; n’ụlọ", "umwami w u rwanda n ụlọ"),
        // Hindi, Bengali, Tamil, Malayalam: vowel signs, viramas, nukta, joiners.
        (
            "दिल्ली की भाषा हिन्दी है। बाज़ार",
            "दिल्ली की भाषा हिन्दी है बाज़ार",
        ),
        ("বিশ্ব বাংলা একটি ভাষা।", "বিশ্ব বাংলা একটি ভাষা"),
        ("தமிழ் ஒரு மொழி", "தமிழ் ஒரு மொழி"),
        ("क्\u{200d}ष क्ष", "क्ष क्ष"),
        // Persian, Arabic and Hebrew: the joiner goes, points stay, acronyms hold together.
        ("می\u{200c}خواهم کتاب", "میخواهم کتاب"),
        ("كِتَابٌ جديد؟", "كِتَابٌ جديد"),
        ("שָׁלוֹם עולם, צה\"ל צה״ל", "שָׁלוֹם עולם צה\"ל צה\"ל"),
        ("ሰላም፡ልዑል።", "ሰላም ልዑል"),
        ("한국어 문장입니다", "한국어 문장입니다"),
        // Without spaces.
        ("ภาษาไทย ฉันกินข้าว", "ภาษา ไทย ฉัน กิน ข้าว"),
        ("ພາສາລາວ", "ພາສາ ລາວ"),
        ("ខ្ញុំស្រលាញ់ភាសា។", "ខ្ញុំ ស្រលាញ់ ភាសា"),
        ("မြန်မာစကား။", "မြန်မာ စကား"),
        ("北京是中国的首都。", "北京 是 中国 的 首都"),
        ("東京は日本の首都です。", "東京 は 日本 の 首都 です"),
        // Case, edges, numbers, punctuation that joins elsewhere, what is not seen.
        ("İSTANBUL Istanbul istanbul", "istanbul istanbul istanbul"),
        ("ΟΔΥΣΣΕΥΣ Straße", "οδυσσευς straße"),
        ("Noah's ark; DON’T 'quote' o'", "noah s ark don t quote o"),
        (
            "l'homme go’aan we're rock'n'roll",
            "l homme go'aan we're rock n roll",
        ),
        (
            "3.14 1,000 1.000 12:30 end.Next snake_case U.S.",
            "3 14 1 000 1 000 12 30 end next snake case u s",
        ),
        (
            "co\u{ad}operate a\u{200b}b \u{feff}x👍🏽 ❤\u{fe0f} — ¿?",
            "cooperate a b x",
        ),
    ];

    #[test]
    fn words_are_those_that_readers_see() {
        for (text, seen) in SEEN {
            let seen: Vec<&str> = seen.split(' ').collect();
            assert_eq!(split(text), seen, "{text}");
        }
        assert!(split("").is_empty());
        assert!(split(" \u{301}\u{200d}'_.' ").is_empty());
        // A vowel sign without its letter is what is left of a word, never the blank before it.
        assert_eq!(split("a ि"), ["a", "ि"]);
    }

    /// Each accent apart, as keyboards and systems differ.
    #[test]
    fn texts_that_are_the_same_have_the_same_words() {
        for (text, _) in SEEN {
            let apart = DecomposingNormalizerBorrowed::new_nfd().normalize(text);
            assert_eq!(split(&apart), split(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn words_are_whole_wherever_they_stand(text in "[a-zA-ZéİßΣọɓʼअ-हि़्אבـא0-9 '’._\u{300}\u{301}\u{307}\u{ad}\u{200d}\u{200c}-]{0,30}") {
            for word in words(&text) {
                prop_assert!(word.contains(char::is_alphanumeric), "{word:?} of {text:?}");
                prop_assert_eq!(split(&word), [word.clone()], "of {:?}", text);
            }
        }

        #[test]
        fn no_text_is_too_much(text in any::<String>()) {
            let composed = composed(&text);
            prop_assert_eq!(pieces(&composed).concat(), &*composed);
            prop_assert!(words(&text).all(|word| word.contains(char::is_alphanumeric)));
        }
    }
}
