//! The order in which a run sees its pairs.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use optical_tokenize::TokenBatch;
use rand::seq::SliceRandom;

use crate::error::DistillError;
use crate::rounds::{Rounds, stream};
use crate::settings::Batches;
use crate::tokenized::{Renumbering, TokenizedPairs};

/// Pairs as batches of one width each for teacher and student.
#[derive(Debug)]
pub struct PairBatch {
    /// What the teacher reads.
    pub target: TokenBatch,
    /// What the student reads.
    pub input: TokenBatch,
    /// The pairs by their numbers, a row each.
    pub pairs: Vec<u32>,
    /// What each text is scored with; nothing where no objective scores passages.
    pub passages: Vec<Vec<u32>>,
}

/// What batches are drawn by.
#[derive(Debug, Clone, Copy)]
pub struct Sampling<'a> {
    /// How often each group's pairs are drawn, relative to the others, whatever their number. A
    /// group without a share is never drawn.
    pub shares: &'a BTreeMap<String, f64>,
    /// How groups come together.
    pub batches: Batches,
    /// Pairs of a batch.
    pub batch_size: usize,
    /// Of all draws.
    pub seed: u64,
}

/// The batches of a run: a pure function of the pairs, the batch size and the seed.
///
/// Tokens are read from the pairs' file when a batch is drawn.
#[derive(Debug)]
pub struct BatchOrder<'a> {
    pairs: &'a TokenizedPairs,
    renumbering: Renumbering,
    groups: Vec<Group<'a>>,
    batches: Batches,
    batch_size: usize,
    seed: u64,
    padding: [u32; 2],
    /// The window drawn last, which the next step most likely needs again.
    drawn: Mutex<Option<(u64, Vec<u32>)>>,
}

/// Pairs that share a sampling weight.
#[derive(Debug)]
struct Group<'a> {
    name: &'a str,
    members: &'a [u32],
    rounds: Rounds,
    share: f64,
}

/// Batches drawn together and sorted by length, so that little is padded.
const BATCHES_A_WINDOW: u64 = 16;

impl<'a> BatchOrder<'a> {
    /// Sets up the order.
    pub fn new(
        pairs: &'a TokenizedPairs,
        renumbering: Renumbering,
        sampling: &Sampling<'_>,
        padding: [u32; 2],
    ) -> Self {
        let share_of = |name: &str| sampling.shares.get(name).copied().unwrap_or_default();
        let mut groups: Vec<_> = pairs
            .groups()
            .map(|(name, members)| Group {
                name,
                members,
                rounds: Rounds::new(sampling.seed, name, members.len()),
                share: share_of(name),
            })
            .filter(|group| 0.0 < group.share)
            .collect();
        let total: f64 = groups.iter().map(|group| group.share).sum();
        groups.iter_mut().for_each(|group| group.share /= total);
        Self {
            pairs,
            renumbering,
            groups,
            batches: sampling.batches,
            batch_size: sampling.batch_size,
            seed: sampling.seed,
            padding,
            drawn: Mutex::new(None),
        }
    }

    /// Returns the batch of step `step`, counted from zero, in `parts` parts of about equal size.
    ///
    /// # Errors
    /// If the pairs cannot be read.
    pub fn batch(&self, step: u64, parts: usize) -> Result<Vec<PairBatch>, DistillError> {
        let mut chosen = match self.batches {
            Batches::ByLength => self.in_a_window(step),
            Batches::Balanced => self.balanced(step),
            Batches::OneGroup => self.of_one_group(step),
        };
        // Parts are padded by themselves.
        chosen.sort_by_key(|&index| (self.pairs.length(index), index));
        let size = chosen.len().div_ceil(parts);
        let part = |chosen: &[u32]| {
            let (mut targets, mut inputs) = (Vec::new(), Vec::new());
            let passages = chosen.iter().map(|&index| self.pairs.passages(index));
            let passages = passages.collect::<Result<_, _>>()?;
            for &index in chosen {
                let [target, mut input] = self.pairs.read(index)?;
                self.renumbering.apply(&mut input);
                targets.push(target);
                inputs.push(input);
            }
            Ok(PairBatch {
                pairs: chosen.to_vec(),
                target: TokenBatch::pad(&targets, self.padding[0]),
                input: TokenBatch::pad(&inputs, self.padding[1]),
                passages,
            })
        };
        chosen.chunks(size).map(part).collect()
    }

    /// Returns a batch of pairs of like length, out of a window drawn by shares.
    fn in_a_window(&self, step: u64) -> Vec<u32> {
        let window = step / BATCHES_A_WINDOW;
        let mut order: Vec<u64> = (0..BATCHES_A_WINDOW).collect();
        order.shuffle(&mut stream(self.seed, "batches of a window", window));
        let position = order[(step % BATCHES_A_WINDOW) as usize] as usize;
        let places = position * self.batch_size..(position + 1) * self.batch_size;
        // Whoever panicked while drawing has left the window before it, which is as good.
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        match &*drawn {
            Some((last, pairs)) if *last == window => pairs[places].to_vec(),
            _ => drawn.insert((window, self.window(window))).1[places].to_vec(),
        }
    }

    /// Indices of a window's pairs, sorted by length.
    fn window(&self, window: u64) -> Vec<u32> {
        let size = BATCHES_A_WINDOW as usize * self.batch_size;
        let mut drawn = Vec::with_capacity(size);
        let mut sum = 0.0;
        let mut rounded = 0;
        for group in &self.groups {
            // Rounding the running sum gives every window exactly its size.
            sum += group.share * size as f64;
            let upto = sum.round() as usize;
            let count = (upto - rounded) as u64;
            drawn.extend(group.draw(window * count..(window + 1) * count));
            rounded = upto;
        }
        drawn.sort_by_key(|&index| (self.pairs.length(index), index));
        drawn
    }

    /// Returns a batch with each group's share of pairs, as far as whole pairs allow: over many
    /// batches exactly. The group with the largest share fills up what the others leave.
    fn balanced(&self, step: u64) -> Vec<u32> {
        let largest = |a: &&Group<'_>, b: &&Group<'_>| a.share.total_cmp(&b.share);
        let Some(filling) = self.groups.iter().max_by(largest) else {
            return Vec::new();
        };
        let others = || {
            self.groups
                .iter()
                .filter(|group| group.name != filling.name)
        };
        let all = |step: u64| step * self.batch_size as u64;
        let before = |group: &Group<'_>, step: u64| (all(step) as f64 * group.share) as u64;
        let left = |step: u64| all(step) - others().map(|group| before(group, step)).sum::<u64>();
        let mut drawn: Vec<u32> = filling.draw(left(step)..left(step + 1)).collect();
        for group in others() {
            drawn.extend(group.draw(before(group, step)..before(group, step + 1)));
        }
        drawn
    }

    /// Returns a batch of one group, which comes as often as its share says: the multiples of the
    /// golden ratio are spread evenly (Weyl 1916).
    fn of_one_group(&self, step: u64) -> Vec<u32> {
        let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
        let place = ((step + 1) as f64 * golden).fract();
        let mut sum = 0.0;
        let chosen = self.groups.iter().find(|group| {
            sum += group.share;
            place < sum
        });
        let size = self.batch_size as u64;
        chosen
            .or(self.groups.last())
            .map(|group| group.draw(step * size..(step + 1) * size).collect())
            .unwrap_or_default()
    }
}

impl Group<'_> {
    /// Its members at some positions.
    fn draw(&self, positions: Range<u64>) -> impl Iterator<Item = u32> {
        let places = self.rounds.at(positions).into_iter();
        places.map(|place| self.members[place])
    }
}
