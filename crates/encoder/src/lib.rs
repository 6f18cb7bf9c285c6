//! Multilingual text encoders: token ids to token vectors, on any burn device.
//!
//! A [`Model`] is an ordinary Hugging Face folder of the BERT family (BERT, mBERT,
//! Multilingual-MiniLM, XLM-R): a tokenizer, a post-norm transformer, and behind it a [`Head`], the
//! affine map that makes cosines between tokens speak about content. Loading is strict: a tensor that
//! is missing, unused or misshapen is an error that names it.
//!
//! With feature `flex`, softmax, GELU and layer norm are kernels of this crate on burn's CPU backend;
//! any other backend does the same with library ops. The GELU's derivative is exact on all of them.
//!
//! ```no_run
//! use burn::tensor::Device;
//! use optical_encoder::{EncodeSettings, EncoderError, Model};
//! use optical_tokenize::Role;
//!
//! # fn show(device: Device) -> Result<(), EncoderError> {
//! let model = Model::load("model".as_ref(), &device)?;
//! let settings = EncodeSettings { role: Role::Query, maximum_length: 32, tokens_per_batch: 1024 };
//! let head = model.head_or_identity();
//! model.encode(&["Habari ya dunia"], &[&head], settings, &device, |text| {
//!     assert_eq!(text.vectors[0].len() % model.dimensions(), 0);
//!     Ok::<_, EncoderError>(())
//! })
//! # }
//! ```

mod config;
mod e5s1;
mod encode;
mod encoder;
mod error;
mod head;
mod interpolate;
mod model;
mod ops;
#[cfg(feature = "testing")]
pub mod testing;
mod weights;

pub use config::{EncoderConfig, Family};
pub use e5s1::convert as convert_e5s1;
pub use encode::{EncodeSettings, EncodedText, batches_by_length};
pub use encoder::Encoder;
pub use error::EncoderError;
pub use head::{DeviceHead, Head, HeadEstimate};
pub use model::Model;
pub use weights::{NamedTensor, WeightsReader, write_atomically, write_weights};
