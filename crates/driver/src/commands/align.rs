//! `optical align`: the transport plan of a sentence pair, in the terminal.

use std::path::PathBuf;

use anyhow::Context;
use optical_experiment::{Experiment, SoftAlignment, align, draw_alignment};

use crate::device::Backend;
use crate::say::print;
use crate::{console, site};

/// Show the soft alignment of an English sentence and its translation
#[derive(Debug, clap::Args)]
pub struct AlignArgs {
    /// The English sentence
    english: String,
    /// Its translation
    foreign: String,
    /// The run folder
    #[arg(long, default_value = "runs/quickstart")]
    run: PathBuf,
    /// Draw it as well, as STEM.png and STEM.svg
    #[arg(long, value_name = "STEM")]
    picture: Option<PathBuf>,
    /// Where to compute
    #[arg(long, value_enum, default_value = "flex")]
    device: Backend,
}

/// Prints, for each English token, where its mass goes.
pub fn run(args: &AlignArgs) -> anyhow::Result<()> {
    let site = site::on(args.device, true, console::unheard())?;
    let experiment = Experiment::existing(&args.run, &site)?;
    let teacher = experiment.checked_teacher()?;
    let student = experiment.student(0)?;
    let student =
        student.with_context(|| format!("{} has no finished student", args.run.display()))?;
    let sides = [args.english.as_str(), args.foreign.as_str()];
    let head = experiment.head_of_documents(&teacher, &student)?;
    let models = [(&teacher.model, &head), (&student.model, &student.head)];
    let objectives = &experiment.run.distill.objectives;
    let soft = align(models, sides, objectives, experiment.device())?;
    let soft = soft.context("a sentence without a token cannot be aligned")?;
    if let Some(stem) = &args.picture {
        draw_alignment(&soft, "translation", stem)?;
    }
    print(show(&soft))
}

/// Writes one line per token: its partners with at least a tenth of its mass, heaviest first.
fn show(soft: &SoftAlignment) -> String {
    let bare = |token: &str| token.replace('▁', "");
    let width = soft
        .rows
        .iter()
        .map(|row| bare(row).chars().count())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for (row, masses) in soft.rows.iter().zip(soft.plan.chunks(soft.columns.len())) {
        let total: f64 = masses.iter().sum();
        let mut partners: Vec<_> = masses
            .iter()
            .map(|mass| mass / total)
            .zip(&soft.columns)
            .collect();
        partners.sort_by(|a, b| b.0.total_cmp(&a.0));
        let partners: Vec<_> = partners
            .iter()
            .filter(|(share, _)| 0.1 <= *share)
            .map(|(share, column)| {
                let blocks = "█".repeat((share * 8.0).round() as usize);
                format!("{blocks} {} {:.0} %", bare(column), share * 100.0)
            })
            .collect();
        text += &format!("{:>width$}  {}\n", bare(row), partners.join("  "));
    }
    text + &format!("transport cost {:.4}\n", soft.cost)
}
