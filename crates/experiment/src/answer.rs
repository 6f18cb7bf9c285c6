//! What a query found, and which words found it: in lines for people, as JSON for programs.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;
use unicode_segmentation::UnicodeSegmentation;

/// The documents of a query, best first.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// What was asked.
    pub query: String,
    /// The documents.
    pub found: Vec<Found>,
}

/// A document that was found.
#[derive(Debug, Serialize)]
pub struct Found {
    /// Its place, counted from one.
    pub rank: usize,
    /// The sum over the query's tokens of the best similarity.
    pub score: f32,
    /// The document's id.
    pub id: String,
    /// The document's text, after its title.
    pub text: String,
    /// The words that were matched.
    pub matches: Vec<Match>,
}

/// A word of a document, and the words of the query that were matched with it.
#[derive(Debug, PartialEq, Serialize)]
pub struct Match {
    /// Characters of the document before the word.
    pub start: usize,
    /// Characters of the document before the word's end.
    pub end: usize,
    /// The word.
    pub text: String,
    /// The words of the query.
    pub query: Vec<String>,
    #[serde(skip)]
    bytes: Range<usize>,
}

/// A text that was read, with the bytes that each of its tokens was read from.
pub(crate) struct Read<'a> {
    pub text: &'a str,
    pub spans: Vec<Range<usize>>,
}

impl Read<'_> {
    /// Returns the words that a token is part of, by their bytes: none for a full stop or a special token.
    fn words(&self, token: usize) -> Vec<Range<usize>> {
        let span = self.spans.get(token).cloned().unwrap_or_default();
        let words = self.text.unicode_word_indices();
        let words = words.map(|(start, word)| start..start + word.len());
        words
            .filter(|word| word.start < span.end && span.start < word.end)
            .collect()
    }
}

/// Returns the words of a document that the words of a query were matched with, where `partners` has the
/// document's token for each token of the query.
pub(crate) fn matches(query: &Read<'_>, document: &Read<'_>, partners: &[usize]) -> Vec<Match> {
    let mut found: BTreeMap<(usize, usize), Vec<String>> = BTreeMap::new();
    for (token, &partner) in partners.iter().enumerate() {
        for asked in query.words(token) {
            for word in document.words(partner) {
                let asked = query.text[asked.clone()].to_owned();
                let askers = found.entry((word.start, word.end)).or_default();
                if !askers.contains(&asked) {
                    askers.push(asked);
                }
            }
        }
    }
    let characters = |end: usize| document.text[..end].chars().count();
    let matches = found.into_iter().map(|((start, end), query)| Match {
        start: characters(start),
        end: characters(end),
        text: document.text[start..end].to_owned(),
        query,
        bytes: start..end,
    });
    matches.collect()
}

impl Answer {
    /// Writes two lines for each document: itself, and the words that were matched, if any were. `mark`
    /// makes a word of the document stand out.
    pub fn lines(&self, mark: impl Fn(&str) -> String) -> String {
        let lines = self.found.iter().map(|found| {
            let mut text = found.text.clone();
            for word in found.matches.iter().rev() {
                text.replace_range(word.bytes.clone(), &mark(&word.text));
            }
            let words = found.matches.iter();
            let words = words.map(|word| format!("{} → {}", word.query.join(" "), word.text));
            let Found {
                rank, score, id, ..
            } = found;
            let words: Vec<_> = words.collect();
            let line = format!("{rank:>2}. {score:7.3}  {id}  {text}\n");
            match words.is_empty() {
                true => line,
                false => format!("{line}    {}\n", words.join("   ")),
            }
        });
        lines.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(text: &'a str, tokens: &[&str]) -> Read<'a> {
        let mut end = 0;
        let spans = tokens.iter().map(|token| {
            let start = end + text[end..].find(token).unwrap_or(0);
            end = start + token.len();
            start..end
        });
        let spans = spans.collect();
        Read { text, spans }
    }

    fn answer() -> Answer {
        // Pieces with the blank before them, as some tokenizers have them; a special token at the end.
        let query = read(
            "Nani alijenga safina?",
            &["Nani", " ali", "jenga", " saf", "ina", "?", ""],
        );
        let text = "«Noé» built an ark.".to_owned();
        let document = read(&text, &["", "«", "Noé", "»", " built", " an", " ark", "."]);
        let matches = matches(&query, &document, &[2, 4, 4, 6, 5, 7, 0]);
        let found = Found {
            rank: 1,
            id: "GEN 6".into(),
            score: 1.5,
            matches,
            text,
        };
        Answer {
            query: query.text.into(),
            found: vec![found],
        }
    }

    #[test]
    fn words_are_matched_as_a_whole_and_counted_in_characters() {
        let json = serde_json::to_value(answer()).unwrap_or_default();
        let expected = serde_json::json!({"query": "Nani alijenga safina?", "found": [{
            "rank": 1, "score": 1.5, "id": "GEN 6", "text": "«Noé» built an ark.", "matches": [
                {"start": 1, "end": 4, "text": "Noé", "query": ["Nani"]},
                {"start": 6, "end": 11, "text": "built", "query": ["alijenga"]},
                {"start": 12, "end": 14, "text": "an", "query": ["safina"]},
                {"start": 15, "end": 18, "text": "ark", "query": ["safina"]}]}]});
        assert_eq!(json, expected);
    }

    #[test]
    fn an_answer_is_two_lines_in_which_words_may_stand_out() {
        let words = "    Nani → Noé   alijenga → built   safina → an   safina → ark\n";
        let plain = format!(" 1.   1.500  GEN 6  «Noé» built an ark.\n{words}");
        assert_eq!(answer().lines(str::to_owned), plain);
        let shown = answer().lines(|word| format!("[{word}]"));
        assert!(shown.contains("«[Noé]» [built]"), "{shown:?}");
        assert!(shown.ends_with(words), "{shown:?}");
    }
}
