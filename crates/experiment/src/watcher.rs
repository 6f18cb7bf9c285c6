//! Who a training reports to: the terminal, the metrics, and whoever asks to stop.

use std::ops::ControlFlow;

use optical_distill::{DistillError, Event, Observer, Outcome};
use optical_encoder::Model;
use optical_store::Host;

use crate::development::Development;
use crate::metrics::Metrics;

/// Shows what happens, listens for somebody who asks to stop, and judges students.
pub struct Watcher<'a> {
    metrics: Metrics<'a>,
    host: &'a Host,
    development: Option<&'a Development<'a>>,
    /// Why an event could not be written, or a student not be judged.
    failure: Option<anyhow::Error>,
}

impl<'a> Watcher<'a> {
    /// Watches a training whose students `development` judges.
    pub fn new(
        metrics: Metrics<'a>,
        host: &'a Host,
        development: Option<&'a Development<'a>>,
    ) -> Self {
        Self {
            metrics,
            host,
            development,
            failure: None,
        }
    }

    /// Returns the outcome, or what went wrong here.
    pub fn result(self, outcome: Result<Outcome, DistillError>) -> anyhow::Result<Outcome> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(outcome?),
        }
    }
}

impl Observer for Watcher<'_> {
    fn hear(&mut self, event: &Event) -> ControlFlow<()> {
        if let Err(error) = self.metrics.hear(event) {
            self.failure = Some(error);
        }
        if self.host.is_stopping() || self.failure.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn judge(&mut self, student: &Model) -> Option<f64> {
        match self.development?.judge(student) {
            Ok(value) => Some(value),
            Err(error) => {
                self.failure = Some(error);
                None
            }
        }
    }
}
