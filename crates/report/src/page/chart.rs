//! The main table as a picture.

use super::{ResourceClass, RunSummary, measure_title};
use crate::ReportError;
use crate::plot::{BarChart, BarGroup};

impl RunSummary {
    /// Bars of every system in every language, in the summary's own measure.
    ///
    /// # Errors
    /// As [`RunSummary::check`].
    pub fn chart(&self) -> Result<BarChart, ReportError> {
        self.check()?;
        let systems: Vec<String> = self.systems.iter().map(|s| s.name.clone()).collect();
        let groups = self.languages.iter().map(|language| BarGroup {
            name: language.language.clone(),
            class: match language.class {
                ResourceClass::Control => String::new(),
                class => format!("{}-resource", class.word()),
            },
            values: (systems.iter())
                .map(|system| language.score(system, &self.measure))
                .collect(),
        });
        Ok(BarChart {
            title: "Retrieval by query language".into(),
            y: measure_title(&self.measure),
            groups: groups.collect(),
            systems,
        })
    }
}
