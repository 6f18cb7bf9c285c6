//! `optical analyse`: what a study's values say of size.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use optical_analysis::{Groups, Settings, Sheet, Study, Table, analyse, sheets};
use optical_answer::{Cells, Source, page};
use optical_report::{Align, Table as Printed};

use crate::say::{print, say};

/// Say how the size of an encoder changes the gap between groups of languages
///
/// A study is a CSV file with the columns method, size, seed, language, group, topic and value, in any
/// order; others are ignored. Size is a number of parameters. Topics may be empty in every row: values
/// are means of languages then. It may be packed with gzip or zstd.
#[derive(Debug, clap::Args)]
pub struct AnalyseArgs {
    /// The values of a study
    study: PathBuf,
    /// Print one JSON object with all digits, null where a number is not defined
    #[arg(long)]
    json: bool,
    /// Low-resource groups, which count as one for gaps; `low` without it
    ///
    /// Without --low and --high, the means of languages in the group `control` are shown too. Groups
    /// that are not named are left out and listed on standard error.
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    low: Vec<String>,
    /// High-resource groups, which count as one for gaps; `high` without it
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    high: Vec<String>,
    /// How often topics and seeds are drawn for intervals, and signs for p-values
    #[arg(long, value_name = "COUNT", default_value = "2000")]
    resamples: NonZeroUsize,
    /// What the draws follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Draw languages too, within the groups: for claims about languages that are not in the study
    #[arg(long)]
    random_languages: bool,
    /// Write a page with pictures: study.md, and study.html, which needs no other file
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// For the page: numbers beside the values, as `optical study` leaves them in cells.csv
    #[arg(long, value_name = "FILE", requires = "out")]
    cells: Option<PathBuf>,
    /// For the page: a TOML file of tables `[[hypothesis]]`, or a study file that has them
    #[arg(long, value_name = "FILE", requires = "out")]
    hypotheses: Option<PathBuf>,
    /// For the page: a file that says what was not run and why, a line each
    #[arg(long, value_name = "FILE", requires = "out")]
    missing: Option<PathBuf>,
}

/// Reads the study, analyses it and prints.
pub fn run(args: &AnalyseArgs) -> anyhow::Result<()> {
    let groups = Groups {
        low: args.low.clone(),
        high: args.high.clone(),
    };
    let hypotheses = args.hypotheses.as_deref().map(optical_answer::hypotheses);
    let hypotheses = hypotheses.transpose()?.unwrap_or_default();
    let missing = args.missing.as_deref().map(optical_files::text::read);
    let missing = missing.transpose()?.unwrap_or_default();
    let cells = args.cells.as_deref().map(|it| Cells::read(it, &groups));
    let cells = cells.transpose()?;
    let study = Study::new(&Table::read(&args.study)?, &groups)?;
    if !study.left_out().is_empty() {
        say(format_args!("left out: {}", study.left_out().join(", ")));
    }
    let settings = Settings {
        resamples: args.resamples,
        seed: args.seed,
        random_languages: args.random_languages,
    };
    let analysis = analyse(&study, &settings);
    if let Some(folder) = &args.out {
        let source = Source {
            title: "What size does to the gap",
            measure: "mean",
            study: &study,
            analysis: &analysis,
            groups: &groups,
            settings: &settings,
            cells: cells.as_ref(),
            hypotheses: &hypotheses,
            missing: &missing.lines().map(str::to_owned).collect::<Vec<_>>(),
        };
        let written = page(&source)?.write(folder)?;
        say(format_args!("page: {}", written.display()));
    }
    if args.json {
        return print(serde_json::to_string(&analysis)? + "\n");
    }
    let tables: Result<Vec<String>, _> = sheets(&analysis).iter().map(shown).collect();
    print(tables?.join("\n"))
}

/// A table for the terminal, under its title.
fn shown(sheet: &Sheet) -> anyhow::Result<String> {
    let columns = sheet.headers.iter().enumerate().map(|(place, header)| {
        let align = if place == 0 {
            Align::Left
        } else {
            Align::Right
        };
        (header.as_str(), align)
    });
    let mut table = Printed::new(columns);
    for row in &sheet.rows {
        table.push(row.iter().map(String::as_str))?;
    }
    Ok(format!("{}\n\n{}", sheet.title, table.to_terminal()))
}
