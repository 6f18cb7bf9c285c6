//! The pictures of a run: results, training curve, and the soft alignment of one sentence pair.

use std::path::Path;

use anyhow::Context;
use burn::tensor::Device;
use optical_corpus::bitext::SentencePair;
use optical_distill::Event;
use optical_distill::objectives::{Marginals, Moment, Objectives, Side};
use optical_encoder::{Head, Model};
use optical_report::page::RunSummary;
use optical_report::plot::{Alignment, Panel, Series, SeriesStyle, alignment, bars, panels};
use optical_tokenize::{Role, TokenBatch};

/// A transport plan between the kept tokens of two sentences.
#[derive(Debug)]
pub struct SoftAlignment {
    /// English tokens.
    pub rows: Vec<String>,
    /// Tokens of the other language.
    pub columns: Vec<String>,
    /// `[rows, columns]` masses.
    pub plan: Vec<f64>,
    /// The transport cost `⟨P, C⟩`.
    pub cost: f64,
}

/// Aligns the teacher's English tokens with the student's of the translation; `None` where a side
/// has none.
///
/// # Errors
/// If a text cannot be tokenized, or the device fails.
pub fn align(
    [teacher, student]: [(&Model, &Head); 2],
    [english, foreign]: [&str; 2],
    objectives: &Objectives,
    device: &Device,
) -> anyhow::Result<Option<SoftAlignment>> {
    let batch = |model: &Model, text: &str| {
        model
            .tokenizer
            .batch(&[text], Role::Query, model.config.maximum_length())
    };
    let (target, input) = (batch(teacher.0, english)?, batch(student.0, foreign)?);
    let has_tokens = |batch: &TokenBatch| {
        let mut tokens = batch.kept.iter().zip(&batch.text);
        tokens.any(|(&kept, &text)| kept && text)
    };
    if !has_tokens(&target) || !has_tokens(&input) {
        return Ok(None);
    }
    let attention = objectives.needs_attention();
    fn side<'a>(
        (model, head): (&Model, &Head),
        tokens: &'a TokenBatch,
        attention: bool,
        device: &Device,
    ) -> Side<'a> {
        let head = head.on(device);
        Side::read(&model.encoder, None, &head, tokens, attention, device)
    }
    let mut settings = objectives.alignment.clone().unwrap_or_default();
    // How rare a piece is is known in training only.
    if settings.marginals == Marginals::Idf {
        settings.marginals = Marginals::Uniform;
    }
    let moment = Moment {
        step: u64::MAX,
        weights: None,
        passages: None,
    };
    // The states of a student of its own are the teacher's after its head alone.
    if teacher.1 != student.1 {
        settings.space = optical_distill::objectives::Space::Head;
    }
    let [target_side, input_side] = [(teacher, &target), (student, &input)]
        .map(|(of, tokens)| side(of, tokens, attention, device));
    let result = settings.align(&target_side, &input_side, moment)?;
    let numbers =
        |data: burn::tensor::TensorData| data.try_to_vec::<f32>().ok().context("the device failed");
    let cost = f64::from(numbers(result.loss.into_data())?[0]);
    let plan = numbers(result.plan.into_data())?;
    let kept = |batch: &TokenBatch| -> Vec<usize> {
        (0..batch.width)
            .filter(|&token| batch.kept[token])
            .collect()
    };
    let (rows, columns) = (kept(&target), kept(&input));
    let piece = |model: &Model, batch: &TokenBatch, token: usize| {
        model.tokenizer.piece(batch.ids[token]).unwrap_or_default()
    };
    Ok(Some(SoftAlignment {
        plan: rows
            .iter()
            .flat_map(|&row| columns.iter().map(move |&column| (row, column)))
            .map(|(row, column)| f64::from(plan[row * input.width + column]))
            .collect(),
        rows: rows
            .iter()
            .map(|&token| piece(teacher.0, &target, token))
            .collect(),
        columns: columns
            .iter()
            .map(|&token| piece(student.0, &input, token))
            .collect(),
        cost,
    }))
}

/// Chooses a held-out pair of the language that fits a picture.
pub fn pair_to_draw<'a>(
    held_out: impl Iterator<Item = &'a SentencePair>,
    language: &str,
) -> Option<&'a SentencePair> {
    let words = |text: &str| text.split_whitespace().count();
    let theirs: Vec<_> = held_out.filter(|pair| pair.language == language).collect();
    let fits = |pair: &&&SentencePair| {
        (8..=12).contains(&words(&pair.english)) && (6..=12).contains(&words(&pair.foreign))
    };
    theirs.iter().find(fits).or(theirs.first()).copied()
}

/// Draws an alignment as `stem.png` and `stem.svg`.
///
/// # Errors
/// If a file cannot be written.
pub fn draw_alignment(soft: &SoftAlignment, language: &str, stem: &Path) -> anyhow::Result<()> {
    let names = |tokens: &[String]| {
        tokens
            .iter()
            .map(|token| token.replace('▁', " "))
            .collect::<Vec<_>>()
    };
    let (rows, columns) = (names(&soft.rows), names(&soft.columns));
    let rows: Vec<&str> = rows.iter().map(|name| name.trim()).collect();
    let columns: Vec<&str> = columns.iter().map(|name| name.trim()).collect();
    let picture = Alignment {
        title: "Soft alignment: the transport plan",
        row_title: "English (teacher)",
        column_title: &format!("{language} (student)"),
        rows: &rows,
        columns: &columns,
        plan: &soft.plan,
    };
    alignment(&picture)?.save(stem)?;
    Ok(())
}

/// Draws every system in every language as `stem.png` and `stem.svg`.
pub fn draw_results(page: &RunSummary, stem: &Path) -> anyhow::Result<()> {
    bars(&page.chart()?)?.save(stem)?;
    Ok(())
}

/// Draws loss and instruments over the steps as `stem.png` and `stem.svg`.
pub fn draw_training(events: &[Event], stem: &Path) -> anyhow::Result<()> {
    let mut loss = Vec::new();
    let mut partners = Vec::new();
    let mut within = Vec::new();
    let mut teacher_within = Vec::new();
    let mut margins: std::collections::BTreeMap<&str, Vec<(f64, f64)>> = Default::default();
    for event in events {
        match event {
            Event::Step {
                step,
                loss: value,
                effective_partners,
                ..
            } => {
                loss.push((*step as f64, *value));
                partners.extend(effective_partners.map(|partners| (*step as f64, partners)));
            }
            Event::Instruments { step, reading, .. } => {
                let step = *step as f64;
                within.push((step, reading.within_sentence_cosine));
                teacher_within.push((step, reading.teacher_within_sentence_cosine));
                for (language, mates) in &reading.mates {
                    let points = margins.entry(language).or_default();
                    points.push((step, mates.margin));
                }
            }
            _ => {}
        }
    }
    let smoothed =
        |name: &str, points| Series::new(name, points).with_style(SeriesStyle::Smoothed(20));
    let cosines = [
        Series::new("student", within),
        Series::new("teacher", teacher_within).with_style(SeriesStyle::Reference),
    ];
    let margins: Vec<_> = margins
        .into_iter()
        .map(|(language, points)| Series::new(language, points))
        .collect();
    let (stepped, aligned) = (!loss.is_empty(), !partners.is_empty());
    let (loss, partners) = ([smoothed("loss", loss)], [smoothed("plan", partners)]);
    let mut shown = Vec::new();
    // A student that stays as its English stage has made it makes no step.
    if stepped {
        shown.push(Panel {
            y: "loss",
            series: &loss,
        });
    }
    // Only a run that aligns tokens has a plan.
    if aligned {
        shown.push(Panel {
            y: "effective partners per token",
            series: &partners,
        });
    }
    shown.push(Panel {
        y: "cosine within a sentence",
        series: &cosines,
    });
    shown.push(Panel {
        y: "margin of mates, per token",
        series: &margins,
    });
    panels("Distillation", "step", &shown)?.save(stem)?;
    Ok(())
}
