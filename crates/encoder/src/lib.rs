//! Multilingual text encoders: token ids to token vectors, on any burn device.
//!
//! A [`Model`] is an ordinary Hugging Face folder: a tokenizer, an encoder of one of the families
//! of [`Family`], and after it a [`Head`], the affine map that makes cosines between tokens speak
//! about content. Folders of PyLate and of Stanford's ColBERT bring their projection and their
//! conventions. Weights are in safetensors files or in those of `torch.save`, in shards or whole.
//! Loading is strict: a tensor that is missing, unused or misshapen is an error that names it.
//!
//! With feature `flex`, attention, softmax, GELU and layer norm are kernels of this crate on burn's CPU backend;
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

mod begin;
mod config;
mod conventions;
mod e5s1;
mod encode;
mod encoder;
mod error;
mod families;
mod files;
mod head;
mod interpolate;
mod keys;
mod model;
mod modules;
mod ops;
mod outline;
mod parts;
mod pool;
mod pooling;
mod read;
mod template;
#[cfg(feature = "testing")]
pub mod testing;
mod tokenizer_file;
mod vector_file;
mod vectors;
mod weights;

/// Counts what the same model has made of the same text: to be raised with every change of tokenizing
/// or encoding that gives other vectors, so that those that are kept are made anew.
pub const REVISION: u32 = 1;

pub use config::EncoderConfig;
pub use e5s1::{REVISION as E5S1_REVISION, convert as convert_e5s1};
pub use encode::{EncodeSettings, EncodedText, batches_by_length};
pub use encoder::Encoder;
pub use error::EncoderError;
pub use families::{BertConfig, DebertaV2Config, DistilBertConfig, Family, ModernBertConfig};
pub use files::model_files;
pub use head::{DeviceHead, Head, HeadEstimate, normalise};
pub use model::Model;
pub use outline::Outline;
pub use parts::Precision;
pub use pooling::Pooling;
pub use vector_file::VectorFile;
pub use vectors::Vectors;
pub use weights::{NamedTensor, WeightsReader, write_weights};
