//! Early stopping: which reading was the best, and when to stop waiting for a better one.

use serde::{Deserialize, Serialize};

use crate::instruments::Reading;

/// What a run's readings came to so far.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// Step and value of the best reading.
    pub(crate) best: Option<(u64, f64)>,
    /// Readings since.
    pub(crate) since: u64,
}

impl Standing {
    /// Takes a reading in; returns whether it is the best so far. Of equals the first stays.
    pub(crate) fn hear(&mut self, step: u64, value: f64) -> bool {
        if self.best.is_none_or(|(_, best)| best < value) {
            *self = Self {
                best: Some((step, value)),
                since: 0,
            };
            return true;
        }
        self.since += 1;
        false
    }
}

/// Returns the mean over languages of how far sentences prefer their translations.
pub(crate) fn mean_margin(reading: &Reading) -> f64 {
    let margins = reading.mates.values().map(|mates| mates.margin);
    margins.sum::<f64>() / reading.mates.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_best_stays() {
        let mut standing = Standing::default();
        let heard: Vec<bool> = [(0, 0.1), (10, 0.3), (20, 0.3), (30, f64::NAN), (40, 0.2)]
            .into_iter()
            .map(|(step, value)| standing.hear(step, value))
            .collect();
        assert_eq!(heard, [true, true, false, false, false]);
        assert_eq!((standing.best, standing.since), (Some((10, 0.3)), 3));
    }
}
