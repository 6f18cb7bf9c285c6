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
use crate::learner::{Learner, Learns};
use crate::objectives::{Loss, Moment, PieceWeights, Side};
use crate::order::{BatchOrder, PairBatch, Sampling};
use crate::pairs::{TrainingText, tokenize};
use crate::passages::{PassageBatch, Passages};
use crate::seat::Seat;
use crate::settings::DistillSettings;
use crate::state::{Moving, State};
use crate::targets::TargetStates;
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
    /// What the teacher makes of the pairs' targets, where it has read them before; it reads them in every
    /// step otherwise.
    pub targets: Option<&'a TargetStates>,
}

/// What a student begins as, before its vocabulary is pruned to what it trains.
#[derive(Debug, Clone, Copy)]
pub enum Beginning<'a> {
    /// The teacher's first layers.
    Copy,
    /// A model of its own, with any tokenizer and width. Its head is its projection: the affine map
    /// from its states to the teacher's, before the frozen head.
    Own(&'a Model),
}

/// Distils a teacher, through `head`, into a student that begins as its copy or as a model of its own.
///
/// Resumes from the newest checkpoint below `checkpoints` where there is one. The parts of a batch
/// go round the `devices`; the first of them has the weights. The observer hears every event and
/// may stop the run after any of them.
///
/// # Errors
/// If the settings are out of their domain or beyond the models, a student of its own has no projection
/// into the teacher's states, no pair is short enough, the loss stops being a number, or a checkpoint
/// cannot be read or written.
pub fn distil(
    settings: &DistillSettings,
    (teacher, beginning): (&Model, Beginning<'_>),
    head: &Head,
    data: TrainingData<'_>,
    checkpoints: &Path,
    devices: &[Device],
    observer: &mut dyn Observer,
) -> Result<Outcome, DistillError> {
    settings.check()?;
    settings.check_model(&teacher.config)?;
    let start = beginning.of(settings, teacher, head)?;
    let checkpoints = CheckpointFolder::new(checkpoints);
    let seats = Seat::all(devices, &settings.training)?;
    let moving = Moving {
        optimiser: &settings.training.optimiser,
        frozen_layers: settings.frozen_layers,
        frozen_vocabulary: settings.frozen_vocabulary,
        head: start.learns(),
    };
    let fresh = || start.pruned(settings, teacher, data);
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
    let task = Distillation::new(settings, teacher, &start, &state.model, head, data, &seats)?;
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
    start: &'a Start,
    head: &'a Head,
    /// What each seat has of its own.
    places: Vec<Place>,
    weights: Option<[PieceWeights; 2]>,
    passages: Option<&'a dyn Passages>,
    targets: Option<&'a TargetStates>,
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
        teacher: &Model,
        start: &'a Start,
        student: &Model,
        head: &'a Head,
        data: TrainingData<'a>,
        seats: &[Seat],
    ) -> Result<Self, DistillError> {
        let tokenizers = [&teacher.tokenizer, &student.tokenizer];
        let padding = tokenizers.map(|tokenizer| tokenizer.padding_id());
        let [ours, theirs] = tokenizers;
        let held_out = tokenize(data.held_out, ours, theirs, settings.maximum_length)?;
        let renumbering = data.pairs.renumbering(&start.model.tokenizer, theirs)?;
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
            start,
            head,
            places,
            weights,
            passages: data.passages,
            // What attention the teacher gives is not kept.
            targets: data
                .targets
                .filter(|_| !settings.objectives.needs_attention()),
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
        let read = |encoder, projection, head, tokens, device| {
            Side::read(encoder, projection, head, tokens, attention, device)
        };
        let target = match self.targets {
            Some(targets) => {
                let states = targets.of(&part.pairs, &part.target, &seat.plain)?;
                Side::of(&part.target, states, &heads[0])
            }
            None => read(teacher, None, &heads[0], &part.target, &seat.plain),
        };
        let (encoder, projection) = (&learner.encoder, learner.projection.as_ref());
        let input = read(encoder, projection, &heads[1], &part.input, &seat.tracked);
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
        let device = &home.seat.plain;
        match (self.start.is_own, &model.head) {
            (true, Some(projection)) => {
                let whole = projection.then(self.head).on(device);
                self.instruments.read(model, &whole, device)
            }
            _ => self.instruments.read(model, &home.heads[0], device),
        }
    }

    /// Draws it to what it began as, in that vocabulary.
    fn as_it_ends(&self, model: &Model) -> Result<Model, DistillError> {
        let weight = self.settings.student_weight;
        Ok(self.start.model.clone().interpolate(model, weight)?)
    }
}

/// What a student begins as, with its whole vocabulary.
struct Start {
    model: Model,
    /// Whether its head is a projection before the frozen one.
    is_own: bool,
}

impl Beginning<'_> {
    fn of(
        self,
        settings: &DistillSettings,
        teacher: &Model,
        head: &Head,
    ) -> Result<Start, DistillError> {
        match self {
            Self::Copy => {
                let layers = settings.layers.unwrap_or(teacher.config.num_hidden_layers);
                let mut model = teacher.clone().with_layers(layers);
                model.head = Some(head.clone());
                Ok(Start {
                    model,
                    is_own: false,
                })
            }
            Self::Own(model) => {
                settings.check_model(&model.config)?;
                let expected = [model.config.hidden_size, teacher.config.hidden_size];
                let found = model.head.as_ref().map(|head| [head.input, head.output]);
                if found != Some(expected) {
                    return Err(DistillError::Projection { found, expected });
                }
                Ok(Start {
                    model: model.clone(),
                    is_own: true,
                })
            }
        }
    }
}

impl Start {
    fn learns(&self) -> Learns {
        match self.is_own {
            true => Learns::MapAndOffset,
            false => Learns::Nothing,
        }
    }

    /// Returns it with the vocabulary that the texts use: untrained rows would cost an optimiser step
    /// without learning anything.
    fn pruned(
        &self,
        settings: &DistillSettings,
        teacher: &Model,
        data: TrainingData<'_>,
    ) -> Result<Model, DistillError> {
        let (ours, theirs) = (&teacher.tokenizer, &self.model.tokenizer);
        let held_out = tokenize(data.held_out, ours, theirs, settings.maximum_length)?;
        let mut used: BTreeSet<u32> = data.pairs.used().clone();
        used.extend(held_out.iter().flat_map(|pair| &pair.input.ids));
        used.extend(self.model.single_character_pieces()?);
        Ok(self.model.clone().prune_vocabulary(&used)?)
    }
}
