//! Estimating the head from the teacher's own tokens of bitext and documents.

use burn::prelude::*;
use optical_encoder::{EncodeSettings, Head, HeadEstimate, Model};

use crate::error::DistillError;

/// Estimates the partially whitening head from the kept tokens of English sentences and documents.
///
/// `texts` pairs each group of texts with how it is encoded: queries and documents differ in markers
/// and length.
///
/// # Errors
/// If a text is refused, the device fails, or there are fewer tokens than dimensions.
pub fn estimate_head(
    teacher: &Model,
    texts: &[(&[&str], EncodeSettings)],
    exponent: f64,
    device: &Device,
) -> Result<Head, DistillError> {
    let width = teacher.config.hidden_size;
    let mut estimate = HeadEstimate::new(width, device);
    for (texts, settings) in texts {
        teacher.encode_states(texts, *settings, device, |_, batch, states| {
            let kept = (0..batch.rows).flat_map(|row| batch.kept_tokens(row));
            let kept: Vec<i64> = kept.map(|token| token as i64).collect();
            if !kept.is_empty() {
                let count = kept.len();
                let kept = Tensor::from_data(TensorData::new(kept, [count]), device);
                let states = states.reshape([batch.rows * batch.width, width]);
                estimate.add(states.select(0, kept));
            }
            Ok::<_, DistillError>(())
        })?;
    }
    Ok(estimate.finish(exponent)?)
}
