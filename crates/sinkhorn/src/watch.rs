//! Iterations that are watched while they run.

use std::ops::ControlFlow;

/// Where a solve stands, after an iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Full iterations done, those at larger epsilons included.
    pub iteration: usize,
    /// The epsilon that is iterated at: those of the schedule come first.
    pub epsilon: f64,
    /// L1 distance of the plan's sums from the weights, or from the sums that potentials call for.
    pub marginal_error: f64,
}

/// Who watches, if anyone does.
pub(crate) struct Watch<'a> {
    observer: Option<&'a mut dyn FnMut(Progress) -> ControlFlow<()>>,
    iteration: usize,
    is_stopped: bool,
}

impl<'a> Watch<'a> {
    /// Watched by nobody.
    pub(crate) fn none() -> Self {
        Self {
            observer: None,
            iteration: 0,
            is_stopped: false,
        }
    }

    pub(crate) fn by(observer: &'a mut dyn FnMut(Progress) -> ControlFlow<()>) -> Self {
        Self {
            observer: Some(observer),
            ..Self::none()
        }
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.observer.is_some()
    }

    /// Whether the observer has asked for an end.
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Tells of one more iteration.
    pub(crate) fn see(&mut self, epsilon: f64, marginal_error: f64) {
        self.iteration += 1;
        if let Some(observer) = &mut self.observer {
            let progress = Progress {
                iteration: self.iteration,
                epsilon,
                marginal_error,
            };
            self.is_stopped |= observer(progress).is_break();
        }
    }
}
