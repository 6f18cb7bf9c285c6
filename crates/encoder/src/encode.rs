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
    /// `[tokens, dimensions]` unit vectors, row-major, one block a head.
    pub vectors: &'a [Vec<f32>],
}

impl Model {
    /// Encodes `texts` once and puts every one of `heads` behind the encoder.
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
        mut receive: impl FnMut(EncodedText<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let heads: Vec<_> = heads.iter().map(|head| head.on(device)).collect();
        let mut encoded = vec![false; texts.len()];
        self.encode_states(texts, settings, device, |indices, batch, states| {
            let blocks = heads
                .iter()
                .map(|head| {
                    let mapped = head.forward(states.clone());
                    let [_, _, width] = mapped.dims();
                    Ok((width, values(mapped)?))
                })
                .collect::<Result<Vec<_>, EncoderError>>()?;
            for (row, &index) in indices.iter().enumerate() {
                let tokens = batch.kept_tokens(row);
                let gather = |(width, block): &(usize, Vec<f32>)| {
                    let rows = tokens
                        .iter()
                        .map(|token| &block[token * width..(token + 1) * width]);
                    rows.flatten().copied().collect()
                };
                let vectors: Vec<Vec<f32>> = blocks.iter().map(gather).collect();
                encoded[index] = true;
                receive(EncodedText {
                    index,
                    vectors: &vectors,
                })?;
            }
            Ok::<_, E>(())
        })?;
        let vectors = vec![Vec::new(); heads.len()];
        let mut without = (0..texts.len()).filter(|&index| !encoded[index]);
        without.try_for_each(|index| {
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
        let maximum = settings.maximum_length;
        self.check_length(maximum)?;
        let sequences = self
            .tokenizer
            .encode_many(texts, settings.role, maximum)
            .map_err(EncoderError::from)?;
        let mut batches = batches_by_length(&sequences, settings.tokens_per_batch);
        for batch in &mut batches {
            batch.retain(|&index| !sequences[index].ids.is_empty());
        }
        batches.retain(|batch| !batch.is_empty());
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
                receive(indices, &batch, states)?;
            }
        }
        Ok(())
    }
}

/// Positions of the sequences, longest first, in groups that pad to at most `tokens` tokens.
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
