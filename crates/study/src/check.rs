//! What is wrong with a study before it is run, and what its cells take.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use optical_experiment::{Checked, Findings, Need, RunFile, Site, check, duration, speed};
use optical_report::{Align, Table};

use crate::Cell;
use crate::variant::Setting;

/// Finds all that is wrong with cells that are to be trained; where that is all that was asked for, in
/// `check_only`, returns what they take, in lines for people. `flops` are the operations a second of the
/// machine that it is said for; this one is measured without.
///
/// # Errors
/// If something is wrong: all of it, with the cell, file and line.
pub(crate) fn check_cells(
    cells: &[(&Cell, &Setting)],
    site: &Site,
    check_only: bool,
    flops: Option<f64>,
) -> anyhow::Result<Option<String>> {
    let mut findings = Findings::default();
    let mut known: Vec<(RunFile, Checked)> = Vec::new();
    let mut read = Vec::new();
    for (cell, setting) in cells {
        findings.within(&cell.label);
        let run = &setting.experiment.run;
        // What is read for one cell is read for those that only train otherwise.
        let same = known.iter().position(|(of, _)| reads_as(of, run));
        read.push(same.unwrap_or(known.len()));
        if same.is_none() {
            let mut checked = check(run, site, check_only, true, &mut findings);
            if !check_only {
                // Not looked at again, and data are large.
                checked = Checked::default();
            }
            known.push((run.clone(), checked));
        }
    }
    findings.told(&site.store.host)?;
    if !check_only {
        return Ok(None);
    }
    let away: BTreeSet<&String> = known.iter().flat_map(|(_, it)| &it.away).collect();
    let mut text: String = away.iter().map(|line| format!("{line}\n")).collect();
    let mut speeds: BTreeMap<usize, f64> = BTreeMap::new();
    let mut measured = |hidden| match flops {
        Some(flops) => flops,
        None => *speeds
            .entry(hidden)
            .or_insert_with(|| speed(site.device(), hidden)),
    };
    let mut costs = Costs::default();
    for ((cell, setting), read) in cells.iter().zip(read) {
        let run = &setting.experiment.run;
        let need = known[read].1.need(run, &mut measured);
        costs.add(cell, run, need.with_context(|| cell.label.clone())?)?;
    }
    text += &costs.table()?;
    let count = cells.len();
    let plural = if count == 1 { "cell" } else { "cells" };
    Ok(Some(text + &format!("{count} {plural} can be trained\n")))
}

/// Whether two runs read the same and only train otherwise.
fn reads_as(one: &RunFile, other: &RunFile) -> bool {
    let mut one = (**one).clone();
    one.title.clone_from(&other.title);
    one.repetitions = other.repetitions;
    one.distill.objectives = other.distill.objectives.clone();
    let (training, others) = (&mut one.distill.training, &other.distill.training);
    training.optimiser = others.optimiser.clone();
    training.steps = others.steps;
    one == **other
}

/// What cells take, a row for each.
#[derive(Default)]
struct Costs {
    rows: Vec<[String; 7]>,
    /// Seconds of all cells, in which what they share is counted once.
    all: f64,
    shared: BTreeSet<String>,
    unknown: bool,
}

impl Costs {
    fn add(&mut self, cell: &Cell, run: &RunFile, need: Option<Need>) -> anyhow::Result<()> {
        let mut row = [const { String::new() }; 7];
        row[0].clone_from(&cell.name);
        row[5] = cell.students.to_string();
        let Some(need) = need else {
            self.unknown = true;
            row[1..5]
                .iter_mut()
                .for_each(|place| *place = "?".to_owned());
            row[6] = "?".to_owned();
            self.rows.push(row);
            return Ok(());
        };
        let (students, data) = (cell.students as f64, (&run.bitext, &run.bitext_filter));
        let mut once = |what: &str, of: String, seconds: f64| match self
            .shared
            .insert(what.to_owned() + &of)
        {
            true => seconds,
            false => 0.0,
        };
        let stage = serde_json::to_string(&(&run.model, &run.student, data))?;
        let head = serde_json::to_string(&(&run.model, &run.collection, data, &run.distill.head))?;
        let repetitions = run.repetitions as f64;
        let english = once("stage", stage, students * need.english / repetitions);
        let seconds = english
            + once("head", head, need.encoding)
            + students * need.training / repetitions
            // Three systems are not trained, and ranked once for the study.
            + students * need.searching / (3.0 + repetitions);
        self.all += seconds;
        let millions = |count: f64| format!("{:.1}", count / 1e6);
        row[1] = millions(need.parameters[0]);
        row[2] = millions(need.parameters[1]);
        row[3] = format!("{:.2}", need.query / 1e9);
        row[4] = need.pairs.to_string();
        row[6] = duration(seconds);
        self.rows.push(row);
        Ok(())
    }

    fn table(self) -> anyhow::Result<String> {
        let headers = [
            "cell",
            "parameters, M",
            "without words, M",
            "GFLOP a query",
            "pairs",
            "students",
            "time",
        ];
        let align = |place| {
            if place == 0 {
                Align::Left
            } else {
                Align::Right
            }
        };
        let columns = headers.into_iter().enumerate();
        let mut table = Table::new(columns.map(|(place, header)| (header, align(place))));
        for row in &self.rows {
            table.push(row.iter().map(String::as_str))?;
        }
        let whole = match self.unknown {
            true => "what a cell with question marks takes can be said once its files are in the cache\n"
                .to_owned(),
            false => format!(
                "within a factor of two or so, all of it takes {}\n",
                duration(self.all)
            ),
        };
        Ok(table.to_terminal() + &whole)
    }
}
