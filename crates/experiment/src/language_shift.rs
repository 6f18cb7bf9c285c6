//! The training-free shift: from the queries of a language its own mean token vector is taken, and the
//! English one is put in its place (arXiv 2606.18801).

use std::collections::BTreeMap;

use optical_corpus::draw::Sample;
use optical_corpus::error::CorpusError;
use optical_encoder::Head;
use optical_store::Reader;

use crate::{Experiment, ExperimentData};

/// Sentences that the means of languages are of, and the same sentences in English, by language; empty
/// where a run has no such shift.
#[derive(Debug, Default)]
pub(crate) struct LanguageShift(BTreeMap<String, [Vec<String>; 2]>);

impl LanguageShift {
    /// Draws the sentences from the bitext that may be trained on.
    ///
    /// # Errors
    /// If the bitext cannot be read.
    pub(crate) fn draw(
        experiment: &Experiment,
        data: &mut ExperimentData,
    ) -> Result<Self, CorpusError> {
        let run = &experiment.run;
        let Some(count) = run.retrieval.language_shift else {
            return Ok(Self::default());
        };
        let mut drawn: BTreeMap<_, Sample<_>> = run
            .classes()
            .into_iter()
            .map(|(language, _)| {
                let seed = run.distill.training.seed;
                (language, Sample::new(count, seed, "sentences of the shift"))
            })
            .collect();
        for pair in data.all_training_pairs()? {
            let pair = pair?;
            if let Some(sample) = drawn.get_mut(&pair.language) {
                let sides = [pair.foreign, pair.english];
                sample.offer(&[&sides[0], &sides[1]], || sides.clone());
            }
        }
        let sentences = drawn.into_iter().map(|(language, sample)| {
            let sides = sample.into_drawn().into_iter();
            let (foreign, english): (Vec<_>, Vec<_>) = sides.map(<[_; 2]>::into).unzip();
            (language, [foreign, english])
        });
        let there = sentences.filter(|(_, [foreign, _])| !foreign.is_empty());
        Ok(Self(there.collect()))
    }

    /// Returns a model's head for each language that has sentences, with the shift in it: after it, the
    /// language's mean token vector is where the English one is after the head as it was.
    ///
    /// # Errors
    /// If a sentence cannot be read, the device fails, or somebody stops it.
    pub(crate) fn heads(
        &self,
        experiment: &Experiment,
        reader: &Reader,
    ) -> anyhow::Result<BTreeMap<String, Head>> {
        let mut heads = BTreeMap::new();
        for (language, sides) in &self.0 {
            experiment.host().check()?;
            let mean = |texts: &Vec<String>| {
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                let settings = experiment.run.retrieval.queries();
                reader
                    .model
                    .mean_state(&texts, settings, experiment.device())
            };
            let (foreign, english) = (mean(&sides[0])?, mean(&sides[1])?);
            let shift = english.iter().zip(&foreign).map(|(to, from)| to - from);
            let shift: Vec<f64> = shift.collect();
            heads.insert(language.clone(), reader.head.shifted(&shift));
        }
        Ok(heads)
    }
}
