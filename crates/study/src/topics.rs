//! Topics in the order in which lines of scores have their values.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use optical_evaluation::Scores;

/// Topics of each language.
pub(crate) type Topics = BTreeMap<String, Vec<String>>;

/// Language → values in the order of the topics.
pub(crate) type Values = BTreeMap<String, Vec<f64>>;

/// Sets of topics, since one file may have the scores of several collections: a line says of which set
/// it is by its number, and nothing where it is of the first.
#[derive(Debug, Default)]
pub(crate) struct TopicSets(Vec<Topics>);

impl TopicSets {
    /// The sets, by their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Topics)> {
        self.0.iter().enumerate()
    }

    /// Takes the topics that a line states of the set of a number. They hold from here on: in files that
    /// were joined end to end, the same number may be that of another collection.
    pub(crate) fn state(&mut self, set: usize, topics: Topics) -> anyhow::Result<()> {
        ensure!(
            set <= self.0.len(),
            "set = {set}, expected at most {}: sets are stated in their order",
            self.0.len()
        );
        if set == self.0.len() {
            self.0.push(Topics::new());
        }
        self.0[set].extend(topics);
        Ok(())
    }

    /// Finds the set that has the topics of some scores, or could have; makes one where there is none.
    pub(crate) fn of(&mut self, scores: &[&Scores]) -> usize {
        let topics = |values: &BTreeMap<String, f64>| values.keys().cloned().collect::<Vec<_>>();
        let languages = || scores.iter().flat_map(|scores| scores.iter());
        let fits = |set: &Topics| {
            languages().all(|(language, values)| {
                let known = set.get(language);
                known.is_none_or(|known| known.iter().eq(values.keys()))
            })
        };
        let set = self.0.iter().position(fits).unwrap_or(self.0.len());
        if set == self.0.len() {
            self.0.push(Topics::new());
        }
        for (language, values) in languages() {
            self.0[set].insert(language.clone(), topics(values));
        }
        set
    }

    /// Gives values their topics.
    pub(crate) fn named(&self, set: usize, values: Values) -> anyhow::Result<Scores> {
        let topics = self.0.get(set);
        let topics = topics.with_context(|| format!("expected the topics of set {set} first"))?;
        let languages = values.into_iter().map(|(language, values)| {
            let topics = topics.get(&language);
            let topics = topics.with_context(|| format!("expected topics of {language} first"))?;
            ensure!(
                topics.len() == values.len(),
                "{} values of {language}, expected {}",
                values.len(),
                topics.len()
            );
            Ok((language, topics.iter().cloned().zip(values).collect()))
        });
        languages.collect()
    }
}

/// Values in the order of their topics.
pub(crate) fn values(scores: &Scores) -> Values {
    let languages = scores.iter();
    languages
        .map(|(language, values)| (language.clone(), values.values().copied().collect()))
        .collect()
}

/// Returns a topic's id without its part that is the language's code, by which the same question has other
/// ids in other languages; the id itself where it has no such part.
pub(crate) fn without_language(topic: &str, language: &str) -> String {
    let is_end = |rest: &str, at_end: bool| {
        let next = if at_end {
            rest.chars().next_back()
        } else {
            rest.chars().next()
        };
        next.is_none_or(|letter| !letter.is_alphanumeric())
    };
    let parts = topic.match_indices(language);
    let mut parts = parts.map(|(place, part)| (&topic[..place], &topic[place + part.len()..]));
    let found = parts.find(|(before, after)| is_end(before, true) && is_end(after, false));
    let Some((before, after)) = found else {
        return topic.to_owned();
    };
    // One of the marks between parts goes with it.
    let mut after = after.chars();
    let mark = after.next();
    match (before.is_empty(), mark) {
        (true, _) => after.as_str().to_owned(),
        (false, None) => {
            before[..before.len() - before.chars().next_back().map_or(0, char::len_utf8)].to_owned()
        }
        (false, Some(_)) => format!("{before}{}", after.as_str()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn scores(language: &str, topics: &[&str]) -> Scores {
        let values = topics.iter().map(|topic| ((*topic).to_owned(), 0.5));
        Scores::from([(language.to_owned(), values.collect())])
    }

    #[test]
    fn a_language_goes_from_an_id_with_one_of_its_marks() {
        for (topic, expected) in [
            ("xquad-deu-571c", "xquad-571c"),
            ("deu-571c", "571c"),
            ("571c_deu", "571c"),
            ("a.deu.b.deu", "a.b.deu"),
            ("deutsch-1", "deutsch-1"),
            ("a-deux-deu:1", "a-deux-1"),
            ("GEN.1.1", "GEN.1.1"),
            ("deu", ""),
        ] {
            assert_eq!(without_language(topic, "deu"), expected, "{topic}");
        }
    }

    #[test]
    fn other_topics_are_another_set_and_more_languages_are_not() {
        let mut sets = TopicSets::default();
        assert_eq!(sets.of(&[&scores("swa", &["1", "2"])]), 0);
        assert_eq!(sets.of(&[&scores("yor", &["1"])]), 0);
        assert_eq!(sets.of(&[&scores("swa", &["1", "3"])]), 1);
        assert_eq!(sets.of(&[&scores("swa", &["1", "2"])]), 0);
        let named = sets.named(1, values(&scores("swa", &["1", "3"]))).unwrap();
        assert_eq!(named, scores("swa", &["1", "3"]));
        let error = sets.named(0, Values::from([("swa".into(), vec![0.1])]));
        assert_eq!(
            error.unwrap_err().to_string(),
            "1 values of swa, expected 2"
        );
        assert!(sets.named(2, Values::new()).is_err());
        assert!(sets.state(3, Topics::new()).is_err());
    }
}
