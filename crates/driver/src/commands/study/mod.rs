//! `optical study`: variants of a run file side by side, with several students each.

mod comparison;
mod file;
mod variant;

use std::path::{Path, PathBuf};

use anyhow::Context;
use optical_report::plot::dots;

use self::comparison::summary;
use self::file::StudyFile;
use self::variant::{Results, Setting, Variants};
use crate::device::TrainingDevices;
use crate::experiment::Experiment;
use crate::interrupt::Interrupt;

/// Compare variants of a run file, with several students each; the same command goes on after a stop
///
/// The first students of all variants come first, then the second ones: after each, the page is
/// written anew with what there is.
#[derive(Debug, clap::Args)]
pub struct StudyArgs {
    /// The study file
    #[arg(value_name = "FILE")]
    study: PathBuf,
    /// The study's folder [default: runs/NAME-OF-STUDY-FILE]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Download nothing: use the cache, or say what it lacks
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    devices: TrainingDevices,
}

/// Trains what is missing, and writes the page.
pub fn run(args: &StudyArgs) -> anyhow::Result<()> {
    let (study, runs) = StudyFile::load(&args.study)?;
    let named = || Path::new("runs").join(args.study.file_stem().unwrap_or_default());
    let folder = args.run.clone().unwrap_or_else(named);
    let devices = args.devices.open()?;
    let interrupt = Interrupt::listen()?;
    let settings: Vec<Setting> = (study.variants.iter().zip(runs))
        .map(|(variant, (run, text))| {
            let path = folder.join(&variant.name);
            let (device, interrupt) = (devices[0].clone(), interrupt.clone());
            let experiment = Experiment::new(run, &text, &path, device, interrupt)?;
            Ok(Setting { experiment, text })
        })
        .collect::<anyhow::Result<_>>()?;
    let mut variants = Variants::new(&devices, args.offline, study.keep_students);
    let frozen = variants.frozen(&settings[study.reference()])?;
    let mut results = vec![Results::default(); settings.len()];
    let all = study.students * settings.len();
    for student in 0..study.students {
        for (place, setting) in settings.iter().enumerate() {
            let number = student * settings.len() + place + 1;
            let name = &study.variants[place].name;
            eprintln!("{name}, student {} ({number} of {all})", student + 1);
            let found = variants
                .student(setting, student)
                .with_context(|| format!("variant {name}"))?;
            results[place].students.push(found);
            if results.iter().any(|results| results.students.is_empty()) {
                continue;
            }
            let page = summary(&study, &settings, &frozen, &results)?;
            page.write_markdown(&folder.join("study.md"))?;
            page.write_json(&folder.join("study.json"))?;
            dots(&page.dots(), &folder.join("study"))?;
            if number == all {
                println!("{}", page.table()?.to_terminal());
            }
        }
    }
    println!("study: {}", folder.join("study.md").display());
    Ok(())
}
