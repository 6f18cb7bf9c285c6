//! The main table as a picture.

use super::{LanguageResult, ResourceClass, RunSummary, System, measure_title};
use crate::ReportError;
use crate::plot::{Bar, BarChart, BarGroup, BarLayout};

impl RunSummary {
    /// Returns bars of every system in every language, in the summary's own measure.
    ///
    /// # Errors
    /// As [`RunSummary::check`].
    pub fn chart(&self) -> Result<BarChart, ReportError> {
        self.check()?;
        let bar = |language: &LanguageResult, (class, system): (usize, &System)| {
            let value = language.score(&system.name, &self.measure)?;
            Some(Bar {
                name: system.name.clone(),
                value,
                range: None,
                class: Some(class),
            })
        };
        let groups = self.languages.iter().map(|language| BarGroup {
            name: language.language.clone(),
            family: match language.class {
                ResourceClass::Control => String::new(),
                class => format!("{}-resource", class.word()),
            },
            bars: (self.systems.iter().enumerate())
                .filter_map(|system| bar(language, system))
                .collect(),
        });
        Ok(BarChart {
            title: "Retrieval by query language".into(),
            axis: measure_title(&self.measure),
            classes: self.systems.iter().map(|it| it.name.clone()).collect(),
            classless: String::new(),
            groups: groups.collect(),
            layout: BarLayout::Upright,
        })
    }
}
