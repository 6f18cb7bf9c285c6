//! Distillation: a student learns to put translations where the frozen teacher puts the English.

use std::collections::BTreeSet;
use std::path::Path;

use burn::module::Module;
use burn::prelude::*;
use optical_encoder::{DeviceHead, Encoder, Head, Model};

use crate::checkpoint::CheckpointFolder;
use crate::error::DistillError;
use crate::events::{Event, Observer, Outcome};
use crate::instruments::{Instruments, Reading};
use crate::learner::Learner;
use crate::objectives::{Loss, Moment, PieceWeights, Side};
use crate::order::{BatchOrder, PairBatch, Sampling};
use crate::pairs::{TrainingText, tokenize};
use crate::passages::{PassageBatch, Passages};
use crate::seat::Seat;
use crate::settings::DistillSettings;
use crate::state::{Moving, State};
use crate::task::Task;
use crate::tokenized::TokenizedPairs;
use crate::training::Run;
use crate::warnings::Advice;

/// Texts of a run.
#[derive(Clone, Copy)]
pub struct TrainingData<'a> {
    /// Bitext and retention sentences, by the teacher's tokenizer.
    pub pairs: &'a TokenizedPairs,
    /// Bitext that is never trained on, for the instruments.
    pub held_out: &'a [TrainingText],
    /// What the pairs' passages are read by, where an objective scores them.
    pub passages: Option<&'a dyn Passages>,
}

/// Distils `teacher`, through `head`, into a student that starts as its copy.
///
/// Resumes from the newest checkpoint below `checkpoints` where there is one. The parts of a batch
/// go round the `devices`; the first of them has the weights. The observer hears every event and
/// may stop the run after any of them.
///
/// # Errors
/// If the settings are out of their domain or beyond the teacher, no pair is short enough, the loss stops being a number,
/// or a checkpoint cannot be read or written.
pub fn distil(
    settings: &DistillSettings,
    teacher: &Model,
    head: &Head,
    data: TrainingData<'_>,
    checkpoints: &Path,
    devices: &[Device],
    observer: &mut dyn Observer,
) -> Result<Outcome, DistillError> {
    settings.check()?;
    settings.check_teacher(&teacher.config)?;
    let checkpoints = CheckpointFolder::new(checkpoints);
    let seats = Seat::all(devices, &settings.training)?;
    let moving = Moving {
        optimiser: &settings.training.optimiser,
        frozen_layers: settings.frozen_layers,
        frozen_vocabulary: settings.frozen_vocabulary,
        head: false,
    };
    let fresh = || new_student(settings, teacher, head, data);
    let state = State::resume_or(&checkpoints, settings, &moving, &seats[0], fresh)?;
    if data.pairs.is_empty() {
        return Err(DistillError::NoPairs {
            maximum_length: settings.maximum_length,
        });
    }
    if settings.objectives.passages.is_some()
        && (data.passages.is_none() || data.pairs.passages(0)?.is_empty())
    {
        return Err(DistillError::NoPassages);
    }
    let prepared = Event::Prepared {
        pairs: data.pairs.len(),
        left_out: data.pairs.left_out(),
        without_tokens: data.pairs.without_tokens(),
        vocabulary: state.model.config.vocab_size,
        resumed_at: state.progress.step,
    };
    let task = Distillation::new(settings, teacher, &state.model, head, data, &seats)?;
    let stop = observer.hear(&prepared).is_break();
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

/// Tokens → vectors → cost → plan → loss.
struct Distillation<'a> {
    settings: &'a DistillSettings,
    teacher: &'a Model,
    /// What each seat has of its own.
    places: Vec<Place>,
    weights: Option<[PieceWeights; 2]>,
    passages: Option<&'a dyn Passages>,
    order: BatchOrder<'a>,
    instruments: Instruments,
}

/// What a seat has of its own.
struct Place {
    seat: Seat,
    teacher: Encoder,
    /// The head for the frozen teacher, and for the student under training.
    heads: [DeviceHead; 2],
}

impl Place {
    fn new(seat: &Seat, teacher: &Model, head: &Head) -> Self {
        Self {
            seat: seat.clone(),
            teacher: teacher.encoder.clone().fork(&seat.plain),
            heads: [head.on(&seat.plain), head.on(&seat.tracked)],
        }
    }
}

impl<'a> Distillation<'a> {
    fn new(
        settings: &'a DistillSettings,
        teacher: &'a Model,
        student: &Model,
        head: &Head,
        data: TrainingData<'a>,
        seats: &[Seat],
    ) -> Result<Self, DistillError> {
        let tokenizers = [&teacher.tokenizer, &student.tokenizer];
        let padding = tokenizers.map(|tokenizer| tokenizer.padding_id());
        let [ours, theirs] = tokenizers;
        let held_out = tokenize(data.held_out, ours, theirs, settings.maximum_length)?;
        let renumbering = data.pairs.renumbering(ours, theirs)?;
        let weights = settings.objectives.needs_weights();
        let weights = weights
            .then(|| data.pairs.piece_weights(&renumbering))
            .transpose()?;
        let places: Vec<_> = seats
            .iter()
            .map(|seat| Place::new(seat, teacher, head))
            .collect();
        let groups = data.pairs.groups();
        let sizes = groups.map(|(name, members)| (name, members.len()));
        let shares = settings.shares(&sizes.collect());
        let sampling = Sampling {
            shares: &shares,
            batches: settings.sampling.batches,
            batch_size: settings.training.batch_size,
            seed: settings.training.seed,
        };
        Ok(Self {
            instruments: Instruments::new(
                teacher,
                &places[0].heads[0],
                &held_out,
                padding,
                &seats[0].plain,
            ),
            order: BatchOrder::new(data.pairs, renumbering, &sampling, padding),
            settings,
            teacher,
            places,
            weights,
            passages: data.passages,
        })
    }
}

impl Task for Distillation<'_> {
    const ADVICE: Advice = Advice {
        text: "sentence",
        reference: "teacher",
        against_collapse: "sharpen the plan (epsilon, temperature), lower the learning rates, or take the \
                           mean away (head)",
        finds: "finds its translations",
        against_loss: "more of its bitext or retention, or lower learning rates",
    };

    type Part = PairBatch;

    fn batch(&self, step: u64, parts: usize) -> Result<Vec<PairBatch>, DistillError> {
        self.order.batch(step, parts)
    }

    fn size(part: &PairBatch) -> usize {
        part.input.rows
    }

    fn loss(
        &self,
        learner: &Learner,
        part: &PairBatch,
        seat: usize,
        step: u64,
    ) -> Result<Loss, DistillError> {
        let Place {
            seat,
            teacher,
            heads,
        } = &self.places[seat];
        let attention = self.settings.objectives.needs_attention();
        let read =
            |encoder, head, tokens, device| Side::read(encoder, head, tokens, attention, device);
        let target = read(teacher, &heads[0], &part.target, &seat.plain);
        let input = read(&learner.encoder, &heads[1], &part.input, &seat.tracked);
        let passages = self
            .passages
            .filter(|_| self.settings.objectives.passages.is_some());
        let passages = passages.map(|source| {
            let dims = target.image.dims()[2];
            PassageBatch::read(&part.passages, source, dims, &seat.plain)
        });
        let moment = Moment {
            step,
            weights: self.weights.as_ref(),
            passages: passages.as_ref(),
        };
        self.settings.objectives.loss(&target, &input, moment)
    }

    fn read(&self, model: &Model) -> Result<Reading, DistillError> {
        let home = &self.places[0];
        self.instruments
            .read(model, &home.heads[0], &home.seat.plain)
    }

    /// Draws it to the teacher, in its vocabulary.
    fn as_it_ends(&self, model: &Model) -> Result<Model, DistillError> {
        let weight = self.settings.student_weight;
        Ok(self.teacher.clone().interpolate(model, weight)?)
    }
}

/// Returns the teacher's first layers, its head, and the vocabulary that the texts use: untrained
/// rows would cost an optimiser step without learning anything.
fn new_student(
    settings: &DistillSettings,
    teacher: &Model,
    head: &Head,
    data: TrainingData<'_>,
) -> Result<Model, DistillError> {
    let tokenizer = &teacher.tokenizer;
    let held_out = tokenize(data.held_out, tokenizer, tokenizer, settings.maximum_length)?;
    let mut used: BTreeSet<u32> = data.pairs.used().clone();
    used.extend(held_out.iter().flat_map(|pair| &pair.input.ids));
    used.extend(teacher.single_character_pieces()?);
    let mut student = teacher
        .clone()
        .with_layers(settings.layers)
        .prune_vocabulary(&used)?;
    student.head = Some(head.clone());
    Ok(student)
}
