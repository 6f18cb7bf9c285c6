//! Effectiveness of a run: `trec_eval` 9's measures, under its names and with its rules.
//!
//! Departures, all deliberate:
//! - where `trec_eval` divides zero by zero (`11pt_avg` and `iprec_at_recall_0.00` of a topic from
//!   which `judged_only` removed every document), the value is undefined instead of NaN;
//! - with `complete_topics`, topics without a ranking are listed with the values of an empty one, as
//!   in `trec_eval` 10, and `num_rel` counts them by the relevance level asked for, not by level 1;
//! - `recip_rank_cut` and `judged` are not in `trec_eval`.

mod definitions;
mod judged;
mod name;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use self::judged::JudgedRanking;
pub use self::name::{Measure, MeasureError};
use crate::qrels::Qrels;
use crate::run::{Run, ScorePrecision};

/// The smallest average precision that enters a geometric mean, `trec_eval`'s `MIN_GEO_MEAN`.
const LEAST_AVERAGE_PRECISION: f64 = 0.00001;

/// How a run is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Evaluates all judged topics, those without a ranking with an empty one (`-c`).
    ///
    /// Otherwise only topics that are in both, qrels and run, count.
    pub complete_topics: bool,
    /// The lowest grade that counts as relevant (`-l`); nDCG, which uses the grades, ignores it.
    pub relevance_level: i32,
    /// Removes documents without a judgement from the rankings (`-J`).
    pub judged_only: bool,
    /// Looks at this many documents of a ranking (`-M`); comes before `judged_only`.
    pub max_docs: Option<usize>,
    /// The precision in which scores are compared.
    pub score_precision: ScorePrecision,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            complete_topics: false,
            relevance_level: 1,
            judged_only: false,
            max_docs: None,
            score_precision: ScorePrecision::default(),
        }
    }
}

/// The values of some measures for each topic, and over all topics.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    measures: Vec<Measure>,
    topics: BTreeMap<String, Vec<Option<f64>>>,
    aggregates: Vec<Option<f64>>,
}

/// Evaluates a run.
///
/// Measures come out in `trec_eval`'s order, each once.
#[must_use]
pub fn evaluate(qrels: &Qrels, run: &Run, measures: &[Measure], options: &Options) -> Evaluation {
    let measures: BTreeSet<Measure> = measures.iter().copied().collect();
    let measures: Vec<_> = measures.into_iter().collect();
    let judged = qrels
        .topics()
        .filter(|topic| options.complete_topics || run.contains(topic));
    let topics: BTreeMap<String, Vec<Option<f64>>> = judged
        .map(|topic| {
            let ranking = JudgedRanking::new(qrels, run, topic, options);
            let values = measures
                .iter()
                .map(|&measure| definitions::value(measure, &ranking));
            (topic.to_owned(), values.collect())
        })
        .collect();
    Evaluation::of(measures, topics)
}

impl Evaluation {
    /// Returns the evaluation whose values are, topic by topic, the means of several: of students that
    /// only a seed tells apart. `None` if they are of other topics or measures, or there is none.
    #[must_use]
    pub fn mean(evaluations: &[Self]) -> Option<Self> {
        let first = evaluations.first()?;
        let alike = |other: &Self| {
            other.measures == first.measures && other.topics.keys().eq(first.topics.keys())
        };
        if !evaluations.iter().all(alike) {
            return None;
        }
        let count = evaluations.len() as f64;
        let mean = |topic: &str, place: usize| -> Option<f64> {
            let values = evaluations.iter().map(|it| it.topics[topic][place]);
            Some(values.sum::<Option<f64>>()? / count)
        };
        let topics = first.topics.keys().map(|topic| {
            let values = (0..first.measures.len()).map(|place| mean(topic, place));
            (topic.clone(), values.collect())
        });
        Some(Self::of(first.measures.clone(), topics.collect()))
    }

    fn of(measures: Vec<Measure>, topics: BTreeMap<String, Vec<Option<f64>>>) -> Self {
        let aggregate = |(place, &measure)| {
            let values = topics.values();
            aggregate(
                measure,
                values.map(move |values: &Vec<Option<f64>>| values[place]),
            )
        };
        let aggregates = measures.iter().enumerate().map(aggregate).collect();
        Self {
            measures,
            topics,
            aggregates,
        }
    }
}

/// Sums counts and averages the rest; one undefined value makes the average undefined.
fn aggregate(measure: Measure, values: impl ExactSizeIterator<Item = Option<f64>>) -> Option<f64> {
    let topics = values.len();
    if measure.is_count() {
        // The sum of nothing is -0.0 to the standard library.
        return values.sum::<Option<f64>>().map(|sum| sum + 0.0);
    }
    if topics == 0 {
        return None;
    }
    match measure {
        Measure::GmMap => {
            let floored = |value: f64| value.max(LEAST_AVERAGE_PRECISION).ln();
            let sum: f64 = values
                .map(|value| value.map(floored))
                .sum::<Option<f64>>()?;
            Some((sum / topics as f64).exp())
        }
        _ => Some(values.sum::<Option<f64>>()? / topics as f64),
    }
}

impl Evaluation {
    /// Returns the measures, in the order of the values.
    #[must_use]
    pub fn measures(&self) -> &[Measure] {
        &self.measures
    }

    /// Returns the topics in the order of their bytes, each with a value per measure.
    ///
    /// `gm_map` exists over topics only; here it holds the topic's average precision.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = (&str, &[Option<f64>])> {
        self.topics
            .iter()
            .map(|(topic, values)| (topic.as_str(), values.as_slice()))
    }

    /// Returns the value per measure over all topics; `None` where it is undefined.
    #[must_use]
    pub fn aggregates(&self) -> &[Option<f64>] {
        &self.aggregates
    }

    /// Returns the value of a measure over all topics, if it was asked for and is defined.
    #[must_use]
    pub fn aggregate(&self, measure: Measure) -> Option<f64> {
        self.aggregates[self.place(measure)?]
    }

    /// Returns the value of a measure for a topic, if both are there and it is defined.
    #[must_use]
    pub fn value(&self, topic: &str, measure: Measure) -> Option<f64> {
        self.topics.get(topic)?[self.place(measure)?]
    }

    /// Returns the defined values of a measure by topic, as [`crate::significance`] compares them.
    #[must_use]
    pub fn per_topic(&self, measure: Measure) -> BTreeMap<String, f64> {
        let Some(place) = self.place(measure) else {
            return BTreeMap::new();
        };
        let values = self.topics.iter();
        values
            .filter_map(|(topic, values)| Some((topic.clone(), values[place]?)))
            .collect()
    }

    fn place(&self, measure: Measure) -> Option<usize> {
        self.measures.iter().position(|&asked| asked == measure)
    }
}
