//! What a query found, and which words found it: in lines for people, as JSON for programs.

use std::collections::BTreeMap;
use std::ops::Range;

use console::Style;
use optical_retrieval::Hit;
use serde::Serialize;
use unicode_segmentation::UnicodeSegmentation;

/// The documents of a query, best first.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub(super) query: String,
    pub(super) found: Vec<Found>,
}

/// A document that was found.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    pub(super) rank: usize,
    #[serde(flatten)]
    pub(super) hit: Score,
    pub(super) text: String,
    pub(super) matches: Vec<Match>,
}

/// A document's id and score.
#[derive(Debug, Serialize)]
pub(super) struct Score {
    score: f32,
    id: String,
}

impl From<Hit> for Score {
    fn from(hit: Hit) -> Self {
        let Hit { id, score } = hit;
        Self { score, id }
    }
}

/// A word of a document, and the words of the query that were matched with it.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Match {
    /// Characters of the document before the word.
    start: usize,
    /// Characters of the document before the word's end.
    end: usize,
    text: String,
    query: Vec<String>,
    #[serde(skip)]
    bytes: Range<usize>,
}

/// A text that was read, with the bytes that each of its tokens was read from.
pub(super) struct Read<'a> {
    pub(super) text: &'a str,
    pub(super) spans: Vec<Range<usize>>,
}

impl Read<'_> {
    /// The words that a token is part of, by their bytes: none for a full stop or a special token.
    fn words(&self, token: usize) -> Vec<Range<usize>> {
        let span = self.spans.get(token).cloned().unwrap_or_default();
        let words = self.text.unicode_word_indices();
        let words = words.map(|(start, word)| start..start + word.len());
        words
            .filter(|word| word.start < span.end && span.start < word.end)
            .collect()
    }
}

/// The words of a document that the words of a query were matched with, where `partners` has the
/// document's token for each token of the query.
pub(super) fn matches(query: &Read<'_>, document: &Read<'_>, partners: &[usize]) -> Vec<Match> {
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
    /// Two lines for each document: itself, and the words that were matched, if any were. Where there
    /// are colours, the words stand out.
    pub(super) fn lines(&self, colours: bool) -> String {
        let style = Style::new().bold().force_styling(colours);
        let lines = self.found.iter().map(|found| {
            let mut text = found.text.clone();
            for word in found.matches.iter().rev() {
                let shown = style.apply_to(&word.text).to_string();
                text.replace_range(word.bytes.clone(), &shown);
            }
            let words = found.matches.iter();
            let words = words.map(|word| format!("{} → {}", word.query.join(" "), word.text));
            let (rank, Score { score, id }) = (found.rank, &found.hit);
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
        let hit = Hit {
            id: "GEN 6".into(),
            score: 1.5,
        };
        let found = Found {
            rank: 1,
            hit: hit.into(),
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
    fn an_answer_is_two_lines_with_colours_on_a_terminal() {
        let words = "    Nani → Noé   alijenga → built   safina → an   safina → ark\n";
        let plain = format!(" 1.   1.500  GEN 6  «Noé» built an ark.\n{words}");
        assert_eq!(answer().lines(false), plain);
        let shown = answer().lines(true);
        assert!(shown.contains("«\u{1b}[1mNoé\u{1b}[0m»"), "{shown:?}");
        assert!(shown.ends_with(words), "{shown:?}");
    }
}
