//! The loop of any training: step, read, save; again after a stop or a crash.

use std::time::Instant;

use serde::Serialize;

use crate::checkpoint::CheckpointFolder;
use crate::error::DistillError;
use crate::events::{Event, Observer, Outcome};
use crate::optimiser::schedule;
use crate::seat::Seat;
use crate::settings::{StoppingMetric, TrainingSettings};
use crate::state::State;
use crate::step::{Gradient, Pass};
use crate::stopping::mean_margin;
use crate::task::Task;
use crate::warnings::warnings;

/// A run between two steps.
pub(crate) struct Run<'a, T, S> {
    pub(crate) task: &'a T,
    /// The loop's settings, among all that the checkpoint is of.
    pub(crate) settings: &'a TrainingSettings,
    pub(crate) all_settings: &'a S,
    pub(crate) checkpoints: CheckpointFolder,
    pub(crate) seats: Vec<Seat>,
    pub(crate) observer: &'a mut dyn Observer,
    pub(crate) state: State,
    /// Whether the observer asked to stop.
    pub(crate) stop: bool,
    /// Whether a checkpoint waits for a finite gradient: one that has none is no use to anybody who
    /// begins from it with a lower learning rate.
    pub(crate) due: bool,
}

impl<T: Task, S: Serialize> Run<'_, T, S> {
    pub(crate) fn finish(mut self) -> Result<Outcome, DistillError> {
        if self.state.progress.first.is_none() && !self.stop {
            self.read()?;
        }
        while self.state.progress.step < self.settings.steps && !self.waited_enough() {
            if self.stop {
                self.save()?;
                return Ok(Outcome::Interrupted(self.state.progress.step));
            }
            self.step()?;
            let step = self.state.progress.step;
            let last = step == self.settings.steps;
            let mut save = step.is_multiple_of(self.settings.checkpoint_every);
            if last || step.is_multiple_of(self.settings.instruments.every) {
                // What the standing refers to has to be there when the run is taken up again.
                save |= self.read()?;
            }
            if last || self.waited_enough() {
                self.save()?;
                self.tell(&Event::Checkpoint { step });
            } else {
                self.due = save;
            }
        }
        let student = match self.state.progress.standing.best {
            Some((step, _)) => self.checkpoints.best(step, &self.seats[0].plain)?,
            None => self.state.learner.put_into(&self.state.model)?,
        };
        Ok(Outcome::Finished(Box::new(self.task.as_it_ends(&student)?)))
    }

    /// Makes one optimiser step.
    fn step(&mut self) -> Result<(), DistillError> {
        let (settings, began) = (self.settings, Instant::now());
        let optimiser = &settings.optimiser;
        let done = self.state.progress.step;
        let rate = schedule(done, optimiser.warm_up, settings.steps, optimiser.decay);
        let pass = Pass {
            task: self.task,
            settings,
            model: &self.state.model,
            learner: &self.state.learner,
            seats: &self.seats,
            step: done,
        };
        let Gradient {
            loss,
            terms,
            partners,
            parts,
        } = pass.gradient()?;
        let step = done + 1;
        if !loss.is_finite() {
            return Err(DistillError::NotFinite {
                what: "the loss",
                value: loss,
                step,
            });
        }
        let state = &self.state;
        let clipped = state.optimiser.clipped(&state.learner, parts, step)?;
        let (gradient, gradient_norm) = clipped;
        if std::mem::take(&mut self.due) {
            self.save()?;
            self.tell(&Event::Checkpoint { step: done });
        }
        let learner = self.state.learner.clone();
        self.state.learner = self.state.optimiser.step(learner, gradient, rate);
        self.state.progress.step = step;
        self.state.progress.partners = partners;
        self.tell(&Event::Step {
            step,
            loss,
            terms,
            learning_rate: rate * optimiser.learning_rate,
            gradient_norm,
            effective_partners: partners,
            seconds: began.elapsed().as_secs_f64(),
        });
        Ok(())
    }

    /// Reads the instruments, warns and judges; returns whether the student is the best so far of a
    /// run that ends with its best.
    fn read(&mut self) -> Result<bool, DistillError> {
        let step = self.state.progress.step;
        let frozen = self.state.learner.put_into(&self.state.model)?;
        let reading = self.task.read(&frozen)?;
        let stopping = self.settings.stopping.as_ref();
        let judged = match stopping.map(|stopping| stopping.metric) {
            None => None,
            Some(StoppingMetric::Mates) => Some(mean_margin(&reading)),
            Some(StoppingMetric::Development) => {
                let student = self.task.as_it_ends(&frozen)?;
                let value = self.observer.judge(&student);
                Some(value.ok_or(DistillError::NoJudge)?)
            }
        };
        let best = judged.is_some_and(|value| self.state.progress.standing.hear(step, value));
        if best {
            self.checkpoints.save_best(step, &frozen)?;
        }
        self.tell(&Event::Instruments {
            step,
            reading: reading.clone(),
            judged,
        });
        let first = self
            .state
            .progress
            .first
            .get_or_insert_with(|| reading.clone());
        for message in warnings(&T::ADVICE, first, &reading, self.state.progress.partners) {
            self.tell(&Event::Warning { step, message });
        }
        Ok(best)
    }

    fn tell(&mut self, event: &Event) {
        self.stop |= self.observer.hear(event).is_break();
    }

    fn save(&self) -> Result<(), DistillError> {
        let model = self.state.learner.put_into(&self.state.model)?;
        self.checkpoints.save(
            &self.state.progress,
            &model,
            &self.state.optimiser,
            self.all_settings,
        )
    }

    /// Says whether no reading was better than the best for as long as the settings wait.
    fn waited_enough(&self) -> bool {
        let stopping = self.settings.stopping.as_ref();
        stopping.is_some_and(|stopping| stopping.patience <= self.state.progress.standing.since)
    }
}
