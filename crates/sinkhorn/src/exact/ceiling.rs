//! How high costs are reckoned with.
//!
//! A cost far beyond those in use, as is written for a pair that must not be, would leave them no
//! digits. So costs above a ceiling are lowered to it. Potentials that no lowered cost falls short of
//! hold for the costs as given all the more, and a plan that uses no lowered cell costs what it did:
//! if one proves the other below the ceiling, it does so without it. A ceiling that the plan runs
//! into is raised, one far above the plan is lowered.

/// Share of the plan's cost that rounding may have of it.
const PRECISION: f64 = 1e-9;

/// Ceilings tried at most.
const ROUNDS: usize = 250;

/// What was found under a ceiling. Costs are less the least.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Whether mass is on cells beyond the ceiling.
    pub over: bool,
    /// Mean cost, and mean waste, of a unit of mass.
    pub mean: f64,
    pub waste: f64,
    /// The largest cost that is used, and that is reckoned with.
    pub used: f64,
    pub spread: f64,
    /// The least cost beyond the ceiling.
    pub beyond: f64,
    /// Rows and columns.
    pub nodes: usize,
}

impl Seen {
    /// Whether the costs in use have digits enough, and none is reckoned with that is more than
    /// `reach` times as large.
    fn is_precise(&self, reach: f64) -> bool {
        // Potentials add up along paths, their rounding errors like steps of a random walk.
        let rounding = f64::EPSILON * self.spread * (self.nodes as f64).sqrt();
        // All mass at the least cost needs no potentials to be the best there is.
        let digits = rounding.max(self.waste) <= PRECISION * self.mean;
        self.mean == 0.0 || (digits && self.spread <= reach * self.used)
    }
}

/// A search for the right height.
#[derive(Debug)]
pub(crate) struct Ceiling {
    reach: f64,
    height: f64,
    /// The highest that was too low, and the lowest that was not.
    low: f64,
    high: f64,
    rounds: usize,
}

impl Ceiling {
    /// Begins without any; in the end no cost may be more than `reach` times one in use, if that can
    /// be.
    pub(crate) fn new(reach: f64) -> Self {
        Self {
            reach,
            height: f64::INFINITY,
            low: 0.0,
            high: f64::INFINITY,
            rounds: 0,
        }
    }

    pub(crate) fn height(&self) -> f64 {
        self.height
    }

    /// Takes another height if that can do better than the one under which this was seen.
    pub(crate) fn moves(&mut self, seen: &Seen) -> bool {
        self.rounds += 1;
        let next = if seen.over {
            // Higher than this no sum of costs would be finite.
            if seen.spread <= self.low {
                return false;
            }
            self.low = seen.spread;
            let beyond = Some(16.0 * seen.beyond).filter(|beyond| beyond.is_finite());
            let next = (64.0 * seen.spread).max(beyond.unwrap_or(0.0));
            next.min(self.high)
        } else {
            if seen.is_precise(self.reach) {
                return false;
            }
            self.high = seen.spread;
            let next = (16.0 * seen.used).max(8.0 * self.low);
            if next > seen.spread / 2.0 {
                return false;
            }
            next
        };
        if next == self.height || self.rounds > ROUNDS {
            return false;
        }
        self.height = next;
        true
    }
}
