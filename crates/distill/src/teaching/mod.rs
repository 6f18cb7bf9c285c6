//! Training a late-interaction teacher on English relevance data (Khattab and Zaharia 2020, ColBERT;
//! Santhanam et al. 2022, ColBERTv2): queries are taught to prefer their relevant documents, or to
//! score documents as a stronger ranker does.

mod held_out;
mod order;
mod ranking;
mod settings;
#[cfg(test)]
pub(crate) mod tests;
mod usable;

use std::path::Path;
use std::sync::Arc;

use burn::prelude::*;
use optical_encoder::{DeviceHead, Model, normalise};
use optical_tokenize::{Role, TokenBatch};

use self::held_out::HeldOut;
use self::order::{Examples, RankingBatch};
use self::ranking::Scored;
pub use self::settings::{RankingObjectives, TeachSettings};
pub use self::usable::with_tokens;
use crate::checkpoint::CheckpointFolder;
use crate::error::DistillError;
use crate::events::{Event, Observer, Outcome};
use crate::instruments::Reading;
use crate::late_interaction;
use crate::learner::{Learner, Learns};
use crate::objectives::Loss;
use crate::seat::Seat;
use crate::state::{Moving, State};
use crate::task::Task;
use crate::training::Run;
use crate::warnings::Advice;

/// A query with documents.
#[derive(Debug, Clone, PartialEq)]
pub struct RankingText {
    /// The query.
    pub query: Arc<str>,
    /// Its documents; without scores, the first is relevant and the others are not.
    pub documents: Vec<Arc<str>>,
    /// What a stronger ranker says of each, or nothing.
    pub scores: Vec<f32>,
}

impl RankingText {
    /// Returns the place of the relevant document: the first of those that score highest.
    fn positive(&self) -> usize {
        let best = self
            .scores
            .iter()
            .copied()
            .fold(f32::NEG_INFINITY, f32::max);
        let place = self.scores.iter().position(|&score| score == best);
        place.unwrap_or(0)
    }
}

/// Trains `model`, which has a head, on `texts`; `held_out` is what instruments read.
///
/// Resumes from the newest checkpoint below `checkpoints` where there is one, and reports as
/// [`distil`](crate::distil) does; mates are held-out queries and their relevant documents, under
/// `"eng"`.
///
/// # Errors
/// If the settings are out of their domain or beyond the model, no example is left, the loss stops being a number, or a
/// checkpoint cannot be read or written.
pub fn teach(
    settings: &TeachSettings,
    model: &Model,
    [texts, held_out]: [&[RankingText]; 2],
    checkpoints: &Path,
    devices: &[Device],
    observer: &mut dyn Observer,
) -> Result<Outcome, DistillError> {
    settings.check()?;
    settings.check_model(model)?;
    let checkpoints = CheckpointFolder::new(checkpoints);
    let seats = Seat::all(devices, &settings.training)?;
    let moving = Moving {
        optimiser: &settings.training.optimiser,
        frozen_layers: settings.frozen_layers,
        frozen_vocabulary: settings.frozen_vocabulary,
        head: match settings.dimensions {
            0 => Learns::Nothing,
            _ => Learns::Map,
        },
    };
    let given = texts.len();
    let usable = |texts| with_tokens(settings, texts, &model.tokenizer);
    let (texts, held_out) = (&usable(texts)?[..], &usable(held_out)?[..]);
    let mut examples = Examples::new(settings, texts, &model.tokenizer)?;
    let start = start(settings, model);
    let fresh = || pupil(settings, &start, &examples, held_out);
    let state = State::resume_or(&checkpoints, settings, &moving, &seats[0], fresh)?;
    let pupil = &state.model;
    examples.renumber(&start.tokenizer, &pupil.tokenizer)?;
    let stop = observer
        .hear(&Event::Prepared {
            pairs: examples.count(),
            left_out: given - examples.count(),
            without_tokens: given - texts.len(),
            vocabulary: pupil.config.vocab_size,
            resumed_at: state.progress.step,
        })
        .is_break();
    let task = Teaching {
        settings,
        start: &start,
        heads: seats
            .iter()
            .map(|seat| pupil.head_or_identity().on(&seat.tracked))
            .collect(),
        held_out: HeldOut::new(settings, held_out, [&start, pupil], &seats[0].plain)?,
        examples,
        seats: seats.clone(),
    };
    let run = Run {
        task: &task,
        settings: &settings.training,
        all_settings: settings,
        checkpoints,
        seats,
        observer,
        state,
        stop,
        due: false,
    };
    run.finish()
}

/// Returns the first layers of `model`, and the part of its head that is to be trained.
fn start(settings: &TeachSettings, model: &Model) -> Model {
    let mut start = model.clone().with_layers(settings.layers);
    let head = model.head_or_identity();
    start.head = Some(if settings.dimensions == 0 {
        head
    } else {
        head.truncated(settings.dimensions)
    });
    start
}

/// Returns `start` with the vocabulary that the texts use.
fn pupil(
    settings: &TeachSettings,
    start: &Model,
    examples: &Examples,
    held_out: &[RankingText],
) -> Result<Model, DistillError> {
    let mut used = examples.used();
    used.extend(start.single_character_pieces()?);
    for text in held_out {
        let document = &text.documents[text.positive()];
        for (text, role) in [(&text.query, Role::Query), (document, Role::Document)] {
            let length = settings.length(role);
            used.extend(start.tokenizer.encode(text, role, length)?.ids);
        }
    }
    Ok(start.clone().prune_vocabulary(&used)?)
}

/// Queries and documents → vectors → scores → loss.
struct Teaching<'a> {
    settings: &'a TeachSettings,
    start: &'a Model,
    /// The head at each seat, with gradients for what stands in front of it only.
    heads: Vec<DeviceHead>,
    examples: Examples,
    held_out: HeldOut,
    seats: Vec<Seat>,
}

impl Teaching<'_> {
    /// Returns unit vectors of a batch: `[texts, width, d]`.
    fn vectors(&self, learner: &Learner, batch: &TokenBatch, seat: usize) -> Tensor<3> {
        let states = learner.encoder.states(batch, &self.seats[seat].tracked);
        let head = &self.heads[seat];
        match &learner.projection {
            Some(projection) => normalise(head.image_by(states, projection.weight.val())),
            None => head.forward(states),
        }
    }

    fn mask(&self, batch: &TokenBatch, seat: usize) -> Tensor<2> {
        let kept = batch.kept.iter().map(|&kept| f32::from(u8::from(kept)));
        let kept = TensorData::new(kept.collect::<Vec<_>>(), [batch.rows, batch.width]);
        Tensor::from_data(kept, &self.seats[seat].tracked)
    }
}

impl Task for Teaching<'_> {
    const ADVICE: Advice = Advice {
        text: "query",
        reference: "before training",
        against_collapse: "lower the learning rates, or make fewer steps",
        finds: "finds its relevant documents",
        against_loss: "lower the learning rates, or make fewer steps",
    };

    type Part = RankingBatch;

    fn batch(&self, step: u64, parts: usize) -> Result<Vec<RankingBatch>, DistillError> {
        let training = &self.settings.training;
        let examples = &self.examples;
        Ok(examples.batch(step, training.batch_size, parts))
    }

    fn size(part: &RankingBatch) -> usize {
        part.queries.rows
    }

    fn loss(
        &self,
        learner: &Learner,
        part: &RankingBatch,
        seat: usize,
        _: u64,
    ) -> Result<Loss, DistillError> {
        let scores = late_interaction::scores(
            self.vectors(learner, &part.queries, seat),
            self.mask(&part.queries, seat),
            self.vectors(learner, &part.documents, seat),
            self.mask(&part.documents, seat),
        );
        let scored = Scored {
            scores: scores.div_scalar(self.settings.temperature),
            candidates: self.settings.candidates,
            batch: part,
        };
        Ok(scored.loss(self.settings))
    }

    fn read(&self, model: &Model) -> Result<Reading, DistillError> {
        self.held_out.read(model, &self.seats[0].plain)
    }

    /// Returns it in the vocabulary it began with.
    fn as_it_ends(&self, model: &Model) -> Result<Model, DistillError> {
        Ok(self.start.clone().interpolate(model, 1.0)?)
    }
}
