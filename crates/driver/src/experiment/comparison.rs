//! Numbers to differences that are more than chance, or are not.

use std::collections::BTreeMap;

use optical_report::page::{Comparison, ResourceClass};
use optical_retrieval::holm;
use optical_retrieval::significance::Differences;

use crate::experiment::scores::Scores;
use crate::run_file::RunFile;

/// Tests `ours` against `theirs` in every language that both read, with Holm's correction over
/// languages.
pub fn by_language(
    run: &RunFile,
    ours: &Scores,
    theirs: &Scores,
) -> anyhow::Result<BTreeMap<String, Comparison>> {
    let mut comparisons = BTreeMap::new();
    for (language, ours) in ours {
        if let Some(theirs) = theirs.get(language) {
            let comparison = test(run, &Differences::new(ours, theirs)?)?;
            comparisons.insert(language.clone(), comparison);
        }
    }
    correct(comparisons.values_mut());
    Ok(comparisons)
}

/// Tests `ours` against `theirs` over the topics of all low-resource languages, of which each has the
/// same weight; `None` where there is no such language, or one of the two does not read one.
pub fn low_resource(
    run: &RunFile,
    ours: &Scores,
    theirs: &Scores,
) -> anyhow::Result<Option<Comparison>> {
    let mut languages = Vec::new();
    for (language, class) in run.classes() {
        if class != ResourceClass::Low {
            continue;
        }
        let (Some(ours), Some(theirs)) = (ours.get(&language), theirs.get(&language)) else {
            return Ok(None);
        };
        languages.push(Differences::new(ours, theirs)?);
    }
    if languages.is_empty() {
        return Ok(None);
    }
    test(run, &Differences::macro_mean(&languages)?).map(Some)
}

/// Holm's correction over all of some comparisons.
pub fn correct<'a>(comparisons: impl Iterator<Item = &'a mut Comparison>) {
    let comparisons: Vec<_> = comparisons.collect();
    let p_values: Vec<f64> = comparisons.iter().map(|it| it.p_value).collect();
    for (comparison, corrected) in comparisons.into_iter().zip(holm(&p_values)) {
        comparison.corrected_p_value = corrected;
    }
}

fn test(run: &RunFile, differences: &Differences) -> anyhow::Result<Comparison> {
    let seed = run.distill.training.seed;
    let permutations = run.significance.permutations;
    let p_value = differences.randomisation(permutations, seed)?.p;
    Ok(Comparison {
        topics: differences.values().len(),
        difference: differences.mean(),
        p_value,
        corrected_p_value: p_value,
    })
}
