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
    let identity = Head::identity(width);
    for (texts, settings) in texts {
        teacher.encode(texts, &[&identity], *settings, device, |text| {
            let vectors = text.vectors[0].clone();
            let rows = vectors.len() / width;
            if 0 < rows {
                let data = TensorData::new(vectors, [rows, width]);
                estimate.add(Tensor::from_data(data, device));
            }
            Ok::<_, DistillError>(())
        })?;
    }
    Ok(estimate.finish(exponent)?)
}
