//! The loop: batch → teacher and student tokens → cost → plan → loss → step.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::prelude::*;
use optical_encoder::{DeviceHead, Head, Model};
use serde::{Deserialize, Serialize};

use crate::checkpoint::CheckpointFolder;
use crate::error::DistillError;
use crate::instruments::{Instruments, Reading, scalars};
use crate::objectives::optimal_transport::{transport, uniform_mass};
use crate::optimiser::{Optimiser, schedule};
use crate::pairs::{BatchOrder, PairBatch, TrainingText, tokenize};
use crate::settings::DistillSettings;
use crate::tokenized::TokenizedPairs;

/// What a run reports while it goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// Texts are tokenized and the student is made or read back.
    Prepared {
        /// Pairs to train on.
        pairs: usize,
        /// Pairs left out because a side is empty or too long.
        left_out: usize,
        /// Rows of the student's word embedding.
        vocabulary: usize,
        /// Steps already made by an earlier sitting.
        resumed_at: u64,
    },
    /// One optimiser step.
    Step {
        /// Steps made so far.
        step: u64,
        /// Mean transport cost `⟨P, C⟩` of the batch.
        loss: f64,
        /// Rate of the layers.
        learning_rate: f64,
        /// Norm of the whole gradient before clipping.
        gradient_norm: f64,
        /// Student tokens that a teacher token is spread over.
        effective_partners: f64,
        /// Wall time of the step.
        seconds: f64,
    },
    /// A reading of the collapse instruments.
    Instruments {
        /// Steps made so far.
        step: u64,
        /// The reading.
        #[serde(flatten)]
        reading: Reading,
    },
    /// A checkpoint was written.
    Checkpoint {
        /// Steps made so far.
        step: u64,
    },
}

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// All steps are made: the student, interpolated with the teacher and with its whole vocabulary.
    Finished(Box<Model>),
    /// The observer asked to stop; a checkpoint was written at this step.
    Interrupted(u64),
}

/// Texts of a run.
#[derive(Debug, Clone, Copy)]
pub struct TrainingData<'a> {
    /// Bitext and retention sentences, by the teacher's tokenizer.
    pub pairs: &'a TokenizedPairs,
    /// Bitext that is never trained on, for the instruments.
    pub held_out: &'a [TrainingText],
}

/// Distils `teacher`, through `head`, into a student that starts as its copy.
///
/// Goes on from the newest checkpoint below `checkpoints` where there is one. The observer hears
/// every event and may stop the run after any of them.
///
/// # Errors
/// If the settings are out of their domain, no pair is short enough, the loss stops being a number,
/// or a checkpoint cannot be read or written.
pub fn distil(
    settings: &DistillSettings,
    teacher: &Model,
    head: &Head,
    data: TrainingData<'_>,
    checkpoints: &Path,
    device: &Device,
    observe: &mut dyn FnMut(&Event) -> ControlFlow<()>,
) -> Result<Outcome, DistillError> {
    settings.check()?;
    let checkpoints = CheckpointFolder::new(checkpoints);
    let plain = device.clone().without_autodiff();
    let tracked = plain.clone().autodiff();
    let (first_step, mut student, mut optimiser) = match checkpoints.resume(settings, &tracked)? {
        Some(resumed) => resumed,
        None => {
            let student = new_student(settings, teacher, head, data)?.trainable(&tracked);
            let optimiser = Optimiser::new(&settings.optimiser, &student.encoder);
            (0, student, optimiser)
        }
    };
    student.encoder = student
        .encoder
        .frozen(settings.frozen_layers, settings.frozen_vocabulary);
    let tokenizers = (&teacher.tokenizer, &student.tokenizer);
    let renumbering = data.pairs.renumbering(tokenizers.0, tokenizers.1)?;
    let held_out = tokenize(
        data.held_out,
        tokenizers.0,
        tokenizers.1,
        settings.maximum_length,
    )?;
    if data.pairs.is_empty() {
        return Err(DistillError::NoPairs {
            maximum_length: settings.maximum_length,
        });
    }
    let padding = [
        teacher.tokenizer.padding_id(),
        student.tokenizer.padding_id(),
    ];
    let mut stop = observe(&Event::Prepared {
        pairs: data.pairs.len(),
        left_out: data.pairs.left_out(),
        vocabulary: student.config.vocab_size,
        resumed_at: first_step,
    })
    .is_break();
    let heads = Heads {
        plain: head.on(&plain),
        tracked: head.on(&tracked),
    };
    let instruments = Instruments::new(teacher, &heads.plain, &held_out, padding, &plain);
    let order = BatchOrder::new(
        data.pairs,
        renumbering,
        &settings.shares(),
        settings.batch_size,
        settings.seed,
        padding,
    );

    let read = |student: &Model, step: u64| -> Result<Event, DistillError> {
        let mut frozen = student.clone();
        frozen.encoder = frozen.encoder.valid();
        let reading = instruments.read(&frozen, &heads.plain, &plain)?;
        Ok(Event::Instruments { step, reading })
    };
    if first_step == 0 && !stop {
        stop = observe(&read(&student, 0)?).is_break();
    }
    for index in first_step..settings.steps {
        if stop {
            checkpoints.save(index, &student, &optimiser, settings)?;
            return Ok(Outcome::Interrupted(index));
        }
        let began = Instant::now();
        let rate = schedule(index, settings.optimiser.warm_up, settings.steps);
        let batch = order.batch(index, settings.parts)?;
        let pass = Pass {
            settings,
            teacher,
            student: &student,
            heads: &heads,
            devices: [&plain, &tracked],
        };
        let step = index + 1;
        let Gradient {
            loss,
            partners,
            parts,
        } = pass.run(&batch)?;
        if !loss.is_finite() {
            return Err(DistillError::NotFinite {
                what: "the loss",
                value: loss,
                step,
            });
        }
        let (encoder, gradient_norm) =
            optimiser.step(student.encoder.clone(), parts, rate, step)?;
        student.encoder = encoder;
        stop = observe(&Event::Step {
            step,
            loss,
            learning_rate: rate * settings.optimiser.learning_rate,
            gradient_norm,
            effective_partners: partners,
            seconds: began.elapsed().as_secs_f64(),
        })
        .is_break();
        if step % settings.instruments.every == 0 || step == settings.steps {
            stop |= observe(&read(&student, step)?).is_break();
        }
        if step % settings.checkpoint_every == 0 || step == settings.steps {
            checkpoints.save(step, &student, &optimiser, settings)?;
            stop |= observe(&Event::Checkpoint { step }).is_break();
        }
    }
    student.encoder = student.encoder.valid();
    let student = teacher
        .clone()
        .interpolate(&student, settings.student_weight)?;
    Ok(Outcome::Finished(Box::new(student)))
}

/// The head for the frozen teacher and for the student under training.
struct Heads {
    plain: DeviceHead,
    tracked: DeviceHead,
}

/// What a forward and backward pass needs.
#[derive(Clone, Copy)]
struct Pass<'a> {
    settings: &'a DistillSettings,
    teacher: &'a Model,
    student: &'a Model,
    heads: &'a Heads,
    devices: [&'a Device; 2],
}

/// Loss and gradient of a batch.
struct Gradient {
    loss: f64,
    partners: f64,
    /// The gradient of each part with its weight in the whole.
    parts: Vec<(f64, GradientsParams)>,
}

impl Pass<'_> {
    /// Goes forward and backward through all parts side by side.
    ///
    /// Most tensor operations of a processor run on one thread, so that parts of a batch keep more
    /// of it busy than one batch does. The parts are summed in their order, whoever ends first.
    fn run(self, batch: &[PairBatch]) -> Result<Gradient, DistillError> {
        let parts: Vec<_> = std::thread::scope(|scope| {
            let running: Vec<_> = batch
                .iter()
                .map(|part| scope.spawn(move || self.part(part)))
                .collect();
            running
                .into_iter()
                .map(std::thread::ScopedJoinHandle::join)
                .collect()
        });
        let pairs: usize = batch.iter().map(|part| part.input.rows).sum();
        let mut gradient = Gradient {
            loss: 0.0,
            partners: 0.0,
            parts: Vec::new(),
        };
        for (part, result) in batch.iter().zip(parts) {
            let panicked = |_| DistillError::Device("a part of the batch panicked".into());
            let (loss, partners, gradients) = result.map_err(panicked)??;
            let weight = part.input.rows as f64 / pairs as f64;
            gradient.loss += weight * loss;
            gradient.partners += weight * partners;
            gradient.parts.push((weight, gradients));
        }
        Ok(gradient)
    }

    /// The objective on one part; gradients flow into the student only.
    fn part(self, batch: &PairBatch) -> Result<(f64, f64, GradientsParams), DistillError> {
        let [plain, tracked] = self.devices;
        // Leaves of its own keep the part's autodiff graph apart from the others': burn puts graphs
        // that share a leaf under one lock, and merging them while another part registers its
        // operations loses some of them.
        let student = self.student.encoder.clone().fork(tracked);
        let target = self
            .heads
            .plain
            .forward(self.teacher.states(&batch.target, plain));
        let input = self
            .heads
            .tracked
            .forward(student.states(&batch.input, tracked));
        let result = transport(
            target,
            uniform_mass(&batch.target, plain),
            input,
            uniform_mass(&batch.input, plain),
            &self.settings.transport,
        );
        let loss = scalars(result.loss.clone().inner())?[0];
        let partners = scalars(result.effective_partners())?[0];
        let gradients = GradientsParams::from_grads(result.loss.backward(), &student);
        Ok((loss, partners, gradients))
    }
}

/// The teacher's first layers, its head, and the vocabulary that the texts use: untrained rows would
/// cost an optimiser step without learning anything.
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
