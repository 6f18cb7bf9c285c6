//! Many texts to token vectors, in batches of about equal work.

use burn::prelude::*;
use optical_tokenize::{Role, TokenBatch, TokenSequence};
use rayon::prelude::*;

use crate::parts::values;
use crate::{EncoderError, Head, Model};

/// How texts are cut and batched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodeSettings {
    /// The part that the texts play.
    pub role: Role,
    /// Tokens a text may have, markers and special tokens included.
    pub maximum_length: usize,
    /// Tokens, padding included, that go through the encoder at once.
    pub tokens_per_batch: usize,
}

/// Kept token vectors of one text.
#[derive(Debug)]
pub struct EncodedText<'a> {
    /// Position of the text in the call.
    pub index: usize,
    /// `[tokens, dimensions]` unit vectors, row-major, one block per head.
    pub vectors: &'a [Vec<f32>],
}

impl Model {
    /// Encodes `texts` once and puts every one of `heads` after the encoder.
    ///
    /// Texts come back in an order of their own: sorted by length, so that little is padded. The
    /// vectors of a text hold its kept tokens only; a text of none comes back empty.
    ///
    /// # Errors
    /// If a text is refused by the tokenizer, the device fails, or `receive` returns an error.
    pub fn encode<E: From<EncoderError>>(
        &self,
        texts: &[&str],
        heads: &[&Head],
        settings: EncodeSettings,
        device: &Device,
        receive: impl FnMut(EncodedText<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.encode_after(0, texts, heads, settings, device, receive)
    }

    /// Encodes as [`Self::encode`] does, but for the first `done` texts in the order in which they
    /// come back: the others come as if those had come before.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_after<E: From<EncoderError>>(
        &self,
        done: usize,
        texts: &[&str],
        heads: &[&Head],
        settings: EncodeSettings,
        device: &Device,
        mut receive: impl FnMut(EncodedText<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let heads: Vec<_> = heads.iter().map(|head| head.on(device)).collect();
        let without =
            self.states_after(done, texts, settings, device, |indices, batch, states| {
                let blocks = heads
                    .iter()
                    .map(|head| {
                        let mapped = head.forward(states.clone());
                        let [_, _, width] = mapped.dims();
                        Ok((width, values(mapped)?))
                    })
                    .collect::<Result<Vec<_>, EncoderError>>()?;
                for (row, &index) in indices {
                    let tokens = batch.kept_tokens(row);
                    let gather = |(width, block): &(usize, Vec<f32>)| {
                        let rows = tokens
                            .iter()
                            .map(|token| &block[token * width..(token + 1) * width]);
                        rows.flatten().copied().collect()
                    };
                    let vectors: Vec<Vec<f32>> = blocks.iter().map(gather).collect();
                    receive(EncodedText {
                        index,
                        vectors: &vectors,
                    })?;
                }
                Ok::<_, E>(())
            })?;
        let vectors = vec![Vec::new(); heads.len()];
        let done = done.saturating_sub(texts.len() - without.len());
        without.into_iter().skip(done).try_for_each(|index| {
            receive(EncodedText {
                index,
                vectors: &vectors,
            })
        })
    }

    /// Runs `texts` through the encoder, without a head, in batches of about equal work.
    ///
    /// `receive` gets the positions of a batch's texts, the batch, and its states
    /// `[rows, width, hidden]`. A text of no token at all, not even a special one, is in no batch.
    ///
    /// # Errors
    /// If a text may have more tokens than there are positions, is refused by the tokenizer, or
    /// `receive` returns an error.
    pub fn encode_states<E: From<EncoderError>>(
        &self,
        texts: &[&str],
        settings: EncodeSettings,
        device: &Device,
        mut receive: impl FnMut(&[usize], &TokenBatch, Tensor<3>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.states_after(0, texts, settings, device, |rows, batch, states| {
            let indices: Vec<usize> = rows.map(|(_, &index)| index).collect();
            receive(&indices, batch, states)
        })
        .map(drop)
    }

    /// Returns the mean of the states of all kept tokens of some texts, without a head: `[hidden]`, zeros
    /// if no text has a token.
    ///
    /// # Errors
    /// If a text is refused by the tokenizer, or the device fails.
    pub fn mean_state(
        &self,
        texts: &[&str],
        settings: EncodeSettings,
        device: &Device,
    ) -> Result<Vec<f64>, EncoderError> {
        let width = self.config.hidden_size;
        let (mut sum, mut count) = (vec![0.0; width], 0_usize);
        self.encode_states(texts, settings, device, |indices, batch, states| {
            let states = values(states)?;
            for row in 0..indices.len() {
                for token in batch.kept_tokens(row) {
                    let state = &states[token * width..(token + 1) * width];
                    let sums = sum.iter_mut().zip(state);
                    sums.for_each(|(sum, state)| *sum += f64::from(*state));
                    count += 1;
                }
            }
            Ok::<_, EncoderError>(())
        })?;
        sum.iter_mut().for_each(|sum| *sum /= count.max(1) as f64);
        Ok(sum)
    }

    /// Does as [`Self::encode_states`], without the rows of the first `done` texts; returns the
    /// positions of those that have no token.
    fn states_after<E: From<EncoderError>>(
        &self,
        done: usize,
        texts: &[&str],
        settings: EncodeSettings,
        device: &Device,
        mut receive: impl FnMut(Rows<'_>, &TokenBatch, Tensor<3>) -> Result<(), E>,
    ) -> Result<Vec<usize>, E> {
        let maximum = settings.maximum_length;
        self.check_length(maximum)?;
        let sequences = self
            .tokenizer
            .encode_many(texts, settings.role, maximum)
            .map_err(EncoderError::from)?;
        let is_empty = |index: &usize| sequences[*index].ids.is_empty();
        let mut batches = batches_by_length(&sequences, settings.tokens_per_batch);
        for batch in &mut batches {
            batch.retain(|index| !is_empty(index));
        }
        batches.retain(|batch| !batch.is_empty());
        // The batch that was being received stays whole: how far its rows are padded has a part in
        // their numbers.
        let mut over = done;
        let mut is_done = |batch: &Vec<usize>| {
            let all = batch.len() <= over;
            over -= if all { batch.len() } else { 0 };
            all
        };
        let whole = batches.iter().take_while(|batch| is_done(batch)).count();
        batches.drain(..whole);
        // As many batches as threads go through the encoder side by side, since most operations of
        // a processor run on one thread; they are received in their order.
        for together in batches.chunks(rayon::current_num_threads()) {
            let encoded: Vec<_> = together
                .par_iter()
                .map(|indices| {
                    let members: Vec<_> = indices
                        .iter()
                        .map(|&index| sequences[index].clone())
                        .collect();
                    let batch = TokenBatch::pad(&members, self.tokenizer.padding_id());
                    let states = self.states(&batch, device);
                    (batch, states)
                })
                .collect();
            for (indices, (batch, states)) in together.iter().zip(encoded) {
                let rows = indices.iter().enumerate().skip(std::mem::take(&mut over));
                receive(rows, &batch, states)?;
            }
        }
        Ok((0..texts.len()).filter(is_empty).collect())
    }
}

/// Rows of a batch, with the positions of their texts.
type Rows<'a> = std::iter::Skip<std::iter::Enumerate<std::slice::Iter<'a, usize>>>;

/// Returns positions of the sequences, longest first, in groups that pad to at most `tokens`
/// tokens.
pub fn batches_by_length(sequences: &[TokenSequence], tokens: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    order.sort_by_key(|&index| (std::cmp::Reverse(sequences[index].ids.len()), index));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut width = 0;
    for index in order {
        match batches.last_mut() {
            Some(batch) if width * (batch.len() + 1) <= tokens => batch.push(index),
            _ => {
                width = sequences[index].ids.len().max(1);
                batches.push(vec![index]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_length(length: usize) -> TokenSequence {
        TokenSequence::plain(vec![0; length])
    }

    #[test]
    fn batches_hold_every_text_once_within_the_budget() {
        let sequences: Vec<_> = [3, 9, 1, 4, 4, 30, 2].into_iter().map(of_length).collect();
        let batches = batches_by_length(&sequences, 12);
        assert_eq!(batches, [vec![5], vec![1], vec![3, 4, 0], vec![6, 2]]);
        assert!(batches_by_length(&[], 12).is_empty());
    }
}
