//! What is measured: a pass of a batch through an encoder of some size.

use serde::{Deserialize, Serialize};

/// Rows of the word embedding.
pub const VOCABULARY: usize = 30_000;

/// Entropic regularisation and iterations of a distillation's plans.
pub const TRANSPORT: (f64, usize) = (0.05, 50);

/// Layers of every encoder.
pub const LAYERS: usize = 12;

/// A batch, an encoder's width and what to do with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// What is done.
    pub pass: Pass,
    /// Width of a token vector.
    pub hidden: usize,
    /// Texts of the batch.
    pub texts: usize,
    /// Tokens of each.
    pub tokens: usize,
    /// Threads that every program may use.
    pub threads: usize,
}

/// What is done with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pass {
    /// Token vectors of the last layer.
    Forward,
    /// The same, the loss, its gradient in every parameter, its norm clipped, and a step of AdamW.
    Training,
    /// A step of OPTICAL: a teacher's forward pass over other texts, a student's over these, the
    /// transport loss between their tokens, and the rest of a step of training.
    Distillation,
}

impl Case {
    /// Every case.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut cases = Vec::new();
        for threads in [1, 2] {
            for hidden in [384, 768] {
                for pass in [Pass::Forward, Pass::Training, Pass::Distillation] {
                    for (texts, tokens) in [(32, 32), (8, 180)] {
                        cases.push(Self {
                            pass,
                            hidden,
                            texts,
                            tokens,
                            threads,
                        });
                    }
                }
            }
        }
        cases
    }

    /// Its name; no other case has it.
    #[must_use]
    pub fn name(&self) -> String {
        let pass = match self.pass {
            Pass::Forward => "forward",
            Pass::Training => "training",
            Pass::Distillation => "distillation",
        };
        let threads = match self.threads {
            1 => "1 thread".to_owned(),
            threads => format!("{threads} threads"),
        };
        let Self {
            hidden,
            texts,
            tokens,
            ..
        } = self;
        format!("{hidden} {texts}x{tokens} {pass}, {threads}")
    }

    /// Returns the token ids of the batch, text by text.
    #[must_use]
    pub fn ids(&self) -> Vec<i64> {
        self.strewn(7919)
    }

    /// Returns the token ids that the teacher of a distillation reads, text by text.
    #[must_use]
    pub fn target_ids(&self) -> Vec<i64> {
        self.strewn(6007)
    }

    fn strewn(&self, stride: usize) -> Vec<i64> {
        let places = 0..self.texts * self.tokens;
        places
            .map(|place| (place * stride % VOCABULARY) as i64)
            .collect()
    }

    /// Returns the numbers that states are held against, as many as there are in a batch of them.
    #[must_use]
    pub fn direction(&self) -> Vec<f32> {
        let count = self.texts * self.tokens * self.hidden;
        (0..count)
            .map(|place| (place as f64).cos() as f32)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_cases_apart() {
        let mut names: Vec<_> = Case::all().iter().map(Case::name).collect();
        assert_eq!(names[0], "384 32x32 forward, 1 thread");
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
