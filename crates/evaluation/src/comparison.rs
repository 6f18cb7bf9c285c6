//! Numbers to differences that are more than chance, or are not.

use std::collections::BTreeMap;

use optical_report::page::Comparison;
use optical_retrieval::holm;
use optical_retrieval::significance::Differences;

use crate::scores::Scores;

/// Paired two-sided randomisation tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tests {
    /// Random sign vectors that are tried, where there are too many to try all.
    pub permutations: u32,
    /// The seed of the draw.
    pub seed: u64,
}

impl Tests {
    /// Tests `ours` against `theirs` in every language that both read, with Holm's correction over
    /// languages.
    ///
    /// # Errors
    /// If the two have other topics.
    pub fn by_language(
        &self,
        ours: &Scores,
        theirs: &Scores,
    ) -> anyhow::Result<BTreeMap<String, Comparison>> {
        let mut comparisons = BTreeMap::new();
        for (language, ours) in ours {
            if let Some(theirs) = theirs.get(language) {
                let comparison = self.test(&Differences::new(ours, theirs)?)?;
                comparisons.insert(language.clone(), comparison);
            }
        }
        correct(comparisons.values_mut());
        Ok(comparisons)
    }

    /// Tests `ours` against `theirs` over the topics of some languages together, of which each has the
    /// same weight; `None` where there is no language, or one of the two does not read one.
    ///
    /// # Errors
    /// If the two have other topics.
    pub fn together(
        &self,
        languages: &[String],
        ours: &Scores,
        theirs: &Scores,
    ) -> anyhow::Result<Option<Comparison>> {
        let mut differences = Vec::new();
        for language in languages {
            let (Some(ours), Some(theirs)) = (ours.get(language), theirs.get(language)) else {
                return Ok(None);
            };
            differences.push(Differences::new(ours, theirs)?);
        }
        if differences.is_empty() {
            return Ok(None);
        }
        self.test(&Differences::macro_mean(&differences)?).map(Some)
    }

    fn test(&self, differences: &Differences) -> anyhow::Result<Comparison> {
        let p_value = differences.randomisation(self.permutations, self.seed)?.p;
        Ok(Comparison {
            topics: differences.values().len(),
            difference: differences.mean(),
            p_value,
            corrected_p_value: p_value,
        })
    }
}

/// Applies Holm's correction over all of some comparisons.
pub fn correct<'a>(comparisons: impl Iterator<Item = &'a mut Comparison>) {
    let comparisons: Vec<_> = comparisons.collect();
    let p_values: Vec<f64> = comparisons.iter().map(|it| it.p_value).collect();
    for (comparison, corrected) in comparisons.into_iter().zip(holm(&p_values)) {
        comparison.corrected_p_value = corrected;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TESTS: Tests = Tests {
        permutations: 1000,
        seed: 1,
    };

    fn scores(languages: &[(&str, &[f64])]) -> Scores {
        let of = |values: &[f64]| {
            let named = values.iter().enumerate();
            named
                .map(|(at, value)| (format!("q{at}"), *value))
                .collect()
        };
        let languages = languages.iter();
        languages
            .map(|(name, values)| ((*name).to_owned(), of(values)))
            .collect()
    }

    /// Of three topics with the same sign, two of eight sign vectors are as extreme: p is 1/4.
    #[test]
    fn each_language_has_the_same_weight_and_the_difference_its_sign() {
        let ours = scores(&[("swa", &[0.3, 0.4, 0.5]), ("yor", &[0.9])]);
        let theirs = scores(&[("swa", &[0.1, 0.2, 0.3]), ("yor", &[0.5])]);
        let languages = ["swa", "yor"].map(str::to_owned);
        let both = TESTS.together(&languages, &ours, &theirs).unwrap().unwrap();
        assert!((both.difference - 0.3).abs() < 1e-12, "{both:?}");
        assert_eq!(both.topics, 4);
        let lost = TESTS.together(&languages, &theirs, &ours).unwrap().unwrap();
        assert!((lost.difference + 0.3).abs() < 1e-12, "{lost:?}");
        let each = TESTS.by_language(&ours, &theirs).unwrap();
        assert!((each["swa"].p_value - 0.25).abs() < 1e-12, "{each:?}");
        assert_eq!(each["yor"].p_value, 1.0);
        // Holm: the smallest of two p-values is doubled.
        assert!((each["swa"].corrected_p_value - 0.5).abs() < 1e-12);
    }

    #[test]
    fn what_one_does_not_read_is_not_compared() {
        let ours = scores(&[("swa", &[0.3])]);
        let theirs = scores(&[("yor", &[0.3])]);
        let languages = ["swa".to_owned()];
        assert_eq!(TESTS.together(&languages, &ours, &theirs).unwrap(), None);
        assert_eq!(TESTS.together(&[], &ours, &ours).unwrap(), None);
        assert!(TESTS.by_language(&ours, &theirs).unwrap().is_empty());
    }
}
