//! The events of a run for TensorBoard.

use std::path::Path;

use crate::ReportError;
use crate::tensorboard::EventFile;

use super::history::Reading;

/// Readings that become an event file.
pub struct Curves {
    file: EventFile,
    wall_time: f64,
}

impl Curves {
    /// Begins the event file anew, with steps that end at `end`, in seconds since 1970.
    ///
    /// Events have no times but the seconds of each step, so all but the last time are reckoned back:
    /// pauses of the run leave no gap.
    pub fn create(folder: &Path, readings: &[Reading], end: f64) -> Result<Self, ReportError> {
        let spent: f64 = readings.iter().filter_map(seconds).sum();
        let wall_time = end - spent;
        let mut curves = Self {
            file: EventFile::create(folder, "optical", wall_time)?,
            wall_time,
        };
        for reading in readings {
            curves.append(reading)?;
        }
        Ok(curves)
    }

    /// Adds the numbers of an event that has a step, each as `event/name`.
    pub fn append(&mut self, reading: &Reading) -> Result<(), ReportError> {
        self.wall_time += seconds(reading).unwrap_or(0.0);
        let Some(step) = reading.step.filter(|_| !reading.values.is_empty()) else {
            return Ok(());
        };
        let tags: Vec<String> = (reading.values.iter())
            .map(|(name, _)| format!("{}/{name}", reading.event))
            .collect();
        let values = reading.values.iter().map(|(_, value)| *value);
        let scalars = tags.iter().map(String::as_str).zip(values);
        self.file.append(self.wall_time, step, scalars)
    }
}

fn seconds(reading: &Reading) -> Option<f64> {
    reading.value("seconds")
}
