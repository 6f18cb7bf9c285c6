//! The answer of a study with grids: its hypotheses, and a page drawn from its tables alone.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Context;
use optical_analysis::{Groups, Hypothesis, Settings, Study, Table, analyse};
use optical_answer::{Cells, Source, page};
use toml::Spanned;

use crate::change::Fault;

/// Resamples of the page, as `optical analyse` has them.
const RESAMPLES: NonZeroUsize = NonZeroUsize::new(2000).expect("more than none");

/// Finds what is wrong with the hypotheses of a study whose cells have these methods.
pub(crate) fn faults(hypotheses: &[Spanned<Hypothesis>], methods: &BTreeSet<&str>) -> Vec<Fault> {
    let mut ids = BTreeSet::new();
    let mut faults = Vec::new();
    for spanned in hypotheses {
        let it = spanned.get_ref();
        let mut told = it.faults();
        if !ids.insert(&it.id) {
            told.push("another one has this id".to_owned());
        }
        for (key, method) in [("method", Some(&it.method)), ("than", it.than.as_ref())] {
            if let Some(method) = method.filter(|it| !methods.contains(it.as_str())) {
                told.push(format!(
                    "{key} = {method:?}, expected the method of a variant or of a cell"
                ));
            }
        }
        let told = told.into_iter();
        faults.extend(told.map(|text| Fault::at(spanned, format!("hypothesis {}: {text}", it.id))));
    }
    faults
}

/// Draws the page from `study.csv` and `cells.csv` of a folder, into `answer` there; returns its path.
///
/// # Errors
/// If the tables are not a study, or a file cannot be written.
pub(crate) fn answer(
    title: &str,
    hypotheses: &[Spanned<Hypothesis>],
    folder: &Path,
    missing: &[String],
) -> anyhow::Result<PathBuf> {
    let groups = Groups::default();
    let study = Study::new(&Table::read(&folder.join("study.csv"))?, &groups)?;
    let settings = Settings {
        resamples: RESAMPLES,
        seed: 1,
        random_languages: false,
    };
    let hypotheses: Vec<Hypothesis> = hypotheses.iter().map(|it| it.get_ref().clone()).collect();
    let cells = folder.join("cells.csv");
    let cells = cells.is_file().then(|| Cells::read(&cells, &groups));
    let cells = cells.transpose()?;
    let made = page(&Source {
        title,
        measure: "MAP",
        study: &study,
        analysis: &analyse(&study, &settings),
        groups: &groups,
        settings: &settings,
        cells: cells.as_ref(),
        hypotheses: &hypotheses,
        missing,
    });
    made.and_then(|it| it.write(&folder.join("answer")))
        .context("the answer of the study")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(serde::Deserialize)]
    struct File {
        hypothesis: Vec<Spanned<Hypothesis>>,
    }

    const SIZE: &str = include_str!("../../../configs/studies/size.toml");

    fn told(text: &str) -> Vec<String> {
        let file: File = toml::from_str(text).unwrap();
        let found = faults(&file.hypothesis, &BTreeSet::from(["zero-shot", "optical"]));
        found.into_iter().map(|it| it.text).collect()
    }

    #[test]
    fn the_study_of_size_has_four_sound_hypotheses_and_others_are_refused_by_key() {
        assert_eq!(SIZE.matches("[[hypothesis]]").count(), 4);
        assert_eq!(told(SIZE), Vec::<String>::new());
        let twice = told(&SIZE.replace("\"H2\"", "\"H1\""));
        assert_eq!(twice, ["hypothesis H1: another one has this id"]);
        let unknown = told(&SIZE.replace(
            "than = \"zero-shot\"\nthan_size",
            "than = \"zero\"\nthan_size",
        ));
        assert_eq!(
            unknown,
            ["hypothesis H4: than = \"zero\", expected the method of a variant or of a cell"]
        );
    }

    #[test]
    fn the_answer_follows_from_the_tables_of_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let rows = "method,size,seed,language,group,topic,value\nm,1,1,hau,low,q,0.2\nm,1,1,deu,high,q,0.5\n";
        std::fs::write(folder.path().join("study.csv"), rows).unwrap();
        let path = answer("T", &[], folder.path(), &["m: 1 of 3".to_owned()]).unwrap();
        assert!(
            std::fs::read_to_string(path)
                .unwrap()
                .contains("<li>m: 1 of 3</li>")
        );
    }
}
