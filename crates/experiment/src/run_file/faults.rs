//! Values of a run file that are outside their domain: all of them.

use std::collections::BTreeSet;

use optical_distill::settings::StoppingMetric;

use super::{PassageChoice, RunSettings, TableSource};

impl RunSettings {
    /// Finds every value that is outside its domain, and every table that another one needs.
    pub fn faults(&self) -> Vec<String> {
        let distill = self.distill.faults().into_iter();
        let mut faults: Vec<String> = distill.map(|fault| fault.to_string()).collect();
        let mut expect = |holds: bool, fault: &dyn Fn() -> String| {
            if !holds {
                faults.push(fault());
            }
        };
        let together = |one: &str, other: &str| format!("{one} and a [{other}] table go together");
        let stopping = self.distill.training.stopping.as_ref();
        let judged = stopping.is_some_and(|it| it.metric == StoppingMetric::Development);
        expect(judged == self.development.is_some(), &|| {
            together(
                "distill.training.stopping.metric = \"development\"",
                "development",
            )
        });
        let mates = stopping.is_some_and(|it| it.metric == StoppingMetric::Mates);
        let held_out = self.distill.training.instruments.held_out;
        expect(!mates || 0 < held_out, &|| {
            "distill.training.instruments.held_out = 0, expected at least 1: stopping.metric = \"mates\" \
             judges by what is held out"
                .to_owned()
        });
        let scored = self.distill.objectives.passages.is_some();
        expect(scored == self.passages.is_some(), &|| {
            together("[distill.objectives.passages]", "passages")
        });
        if let Some(PassageChoice { retrieved, drawn }) = self.passages {
            let sum = retrieved.saturating_add(drawn);
            expect(1 < sum, &|| {
                format!("passages.retrieved + passages.drawn = {sum}, expected at least 2")
            });
        }
        let retrieval = &self.retrieval;
        for (key, value) in [
            ("repetitions", self.repetitions),
            ("retrieval.query_length", retrieval.query_length),
            ("retrieval.document_length", retrieval.document_length),
            ("retrieval.tokens_per_batch", retrieval.tokens_per_batch),
            ("retrieval.depth", retrieval.depth),
            (
                "retrieval.language_shift",
                retrieval.language_shift.unwrap_or(1),
            ),
            (
                "significance.permutations",
                self.significance.permutations as usize,
            ),
        ] {
            expect(0 < value, &|| format!("{key} = 0, expected at least 1"));
        }
        let (k1, b) = (retrieval.bm25_k1, retrieval.bm25_b);
        expect(0.0 <= k1 && k1.is_finite(), &|| {
            format!("retrieval.bm25_k1 = {k1}, expected 0 or more")
        });
        expect((0.0..=1.0).contains(&b), &|| {
            format!("retrieval.bm25_b = {b}, expected 0 to 1")
        });
        expect(!self.languages.low.is_empty(), &|| {
            "languages.low is empty, expected a language".to_owned()
        });
        let mut seen = BTreeSet::new();
        for (language, _) in self.classes() {
            expect(seen.insert(language.clone()), &|| {
                format!("languages: {language} is listed twice")
            });
        }
        let filter = self.bitext_filter.faults().into_iter();
        faults.extend(filter.map(|fault| fault.to_string()));
        faults.extend(self.bitext_shape.and_then(|shape| shape.check().err()));
        faults.extend(self.faults_of_student());
        faults.extend(self.faults_of_code_switching());
        faults.extend(self.faults_of_measures());
        if let Some(translation) = &self.translation {
            faults.extend(translation.faults(&seen));
        }
        faults
    }

    fn faults_of_measures(&self) -> Vec<String> {
        let measures = match self.measured() {
            Err(error) => return vec![format!("measures: {error:#}")],
            Ok(measures) => measures,
        };
        let mut faults = Vec::new();
        match measures.first() {
            None => faults.push("measures = [], expected a measure".to_owned()),
            Some(first) if !first.is_per_topic() => faults.push(format!(
                "measures: {first} comes first and is tested, but has no value for a topic"
            )),
            Some(_) => {}
        }
        for (place, measure) in measures.iter().enumerate() {
            if measures[..place].contains(measure) {
                faults.push(format!("measures: {measure} is listed twice"));
            }
        }
        faults
    }

    fn faults_of_code_switching(&self) -> Vec<String> {
        let switched = &self.distill.code_switched;
        let Some(settings) = &self.code_switching else {
            return match switched.is_empty() {
                true => Vec::new(),
                false => vec!["distill.code_switched needs a [code_switching] table".to_owned()],
            };
        };
        let mut faults = Vec::new();
        if switched.is_empty() {
            let fault = "[code_switching] needs languages in distill.code_switched";
            faults.push(fault.to_owned());
        }
        for (key, share) in [
            ("words", settings.words),
            ("minimum_probability", settings.minimum_probability),
        ] {
            if !(0.0 < share && share <= 1.0) {
                faults.push(format!(
                    "code_switching.{key} = {share}, expected more than 0, at most 1"
                ));
            }
        }
        let translation = self.translation.as_ref();
        let known = translation.is_some_and(|translation| match settings.table {
            TableSource::Ibm1 => translation.ibm1.is_some(),
            TableSource::Dictionary => translation.dictionary.is_some(),
        });
        if !known {
            faults.push("code_switching.table: [translation] has no such table".to_owned());
        }
        faults
    }
}
