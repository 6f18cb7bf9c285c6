//! The page itself.

use super::{ResourceClass, RunSummary, bitext_table, measure_title};
use crate::{Align, ReportError, Table};

impl RunSummary {
    /// Returns the page in Markdown.
    ///
    /// # Errors
    /// As [`RunSummary::check`].
    pub fn to_markdown(&self) -> Result<String, ReportError> {
        let mut page = format!("# {}\n\n**{}**\n", self.title, self.headline()?);
        let measure = measure_title(&self.measure);

        section(
            &mut page,
            &format!("Effectiveness ({measure})"),
            &self.effectiveness()?,
        );
        page += "\nBold: best of the column";
        page += if self.systems.iter().any(|s| s.reference) {
            ", upper bounds aside"
        } else {
            ""
        };
        page += ". Means are macro means: every language counts once.\n\n";
        for system in self
            .systems
            .iter()
            .filter(|system| !system.description.is_empty())
        {
            page += &format!("- **{}**: {}\n", system.name, system.description);
        }
        page += &self.classes();

        self.tests(&mut page)?;
        let gap = self.gap()?;
        section(
            &mut page,
            "Gap between high- and low-resource languages",
            &gap,
        );
        section(&mut page, "All measures", &self.all_measures()?);
        section(&mut page, "Bitext", &bitext_table(&self.bitext)?);
        if !self.bitext.is_empty() {
            page += "\nA pair is counted under the first reason, from the left, to leave it out.\n";
        }
        section(&mut page, "Training instruments", &self.instrument_table()?);

        if !self.figures.is_empty() {
            page += "\n## Pictures\n";
        }
        for figure in &self.figures {
            // Angle brackets let a path hold blanks.
            page += &format!("\n![{0}](<{1}>)\n\n*{0}*\n", figure.caption, figure.path);
        }
        if !self.notes.is_empty() {
            page += "\n## Notes\n";
        }
        for note in &self.notes {
            page += &format!("\n{note}\n");
        }
        section(&mut page, "How it was made", &self.fact_table()?);
        Ok(page)
    }

    /// Writes what is more than chance, language by language and in the low-resource ones together.
    fn tests(&self, page: &mut String) -> Result<(), ReportError> {
        let (candidate, baseline) = (&self.candidate, &self.baseline);
        let mut tested = |title: &str, table: &Table, others: &str, family: &str| {
            section(page, title, table);
            if let Some(test) = self.significance.as_ref().filter(|_| !table.is_empty()) {
                *page += &format!("\n{candidate} against {others}: {test}, {family}.\n");
            }
        };
        let languages = self.languages.iter().filter(|it| it.comparison.is_some());
        let family = format!("Holm's correction over {} languages", languages.count());
        tested(
            "Significance",
            &self.significance_table()?,
            baseline,
            &family,
        );
        let family = format!(
            "each language with the same weight, Holm's correction over {} systems",
            self.low_resource.len()
        );
        tested(
            "Low-resource languages together",
            &self.low_resource_table()?,
            "each other system, upper bounds aside",
            &family,
        );
        Ok(())
    }

    fn classes(&self) -> String {
        let mut out = String::new();
        for (class, title) in [
            (ResourceClass::Low, "Low-resource languages"),
            (ResourceClass::High, "High-resource languages"),
            (ResourceClass::Control, "Shown, but in no mean"),
        ] {
            let names: Vec<&str> = (self.languages.iter())
                .filter(|language| language.class == class)
                .map(|language| language.language.as_str())
                .collect();
            if !names.is_empty() {
                out += &format!("- {title}: {}\n", names.join(", "));
            }
        }
        out
    }

    fn fact_table(&self) -> Result<Table, ReportError> {
        let mut table = Table::new([("Fact", Align::Left), ("Value", Align::Left)]);
        for fact in &self.facts {
            table.push([fact.name.as_str(), fact.value.as_str()])?;
        }
        Ok(table)
    }
}

/// Writes a heading with its table; nothing at all where the table is empty.
fn section(page: &mut String, title: &str, table: &Table) {
    if !table.is_empty() {
        *page += &format!("\n## {title}\n\n{}", table.to_markdown());
    }
}
