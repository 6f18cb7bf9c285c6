//! What training moves: an encoder, and the projection after it where that is learned too.

use burn::module::{Module, Param, ParamId};
use burn::prelude::*;
use optical_encoder::{Encoder, EncoderError, Head, Model};

/// Momentum is kept by the ids of parameters, so that the projection needs the same one each time.
const PROJECTION: u64 = 1;

/// The trained parameters of a model.
#[derive(Module, Debug)]
pub struct Learner {
    /// Tokens to states.
    pub encoder: Encoder,
    /// The weight of the head, `[d, hidden]`, where it is trained.
    pub projection: Option<Param<Tensor<2>>>,
}

impl Learner {
    /// Creates the encoder of `model` on the autodiff device `device`, and its head if that
    /// `learns` too.
    pub fn new(model: Model, learns: bool, device: &Device) -> Self {
        let head = model.head.clone().filter(|_| learns);
        let projection = head.map(|head| {
            let weight = TensorData::new(head.weight, [head.output, head.input]);
            let weight = Tensor::<2>::from_data(weight, device).require_grad();
            Param::initialized(ParamId::from(PROJECTION), weight)
        });
        Self {
            encoder: model.trainable(device).encoder,
            projection,
        }
    }

    /// Returns `model` with these parameters, without gradients.
    ///
    /// # Errors
    /// If the device fails to give values back.
    pub fn put_into(&self, model: &Model) -> Result<Model, EncoderError> {
        let head = match (&model.head, &self.projection) {
            (Some(head), Some(projection)) => Some(Head {
                weight: projection
                    .val()
                    .into_data()
                    .try_to_vec()
                    .map_err(|error| EncoderError::Device(format!("{error:?}")))?,
                ..head.clone()
            }),
            (head, _) => head.clone(),
        };
        let mut model = model.clone();
        model.encoder = self.encoder.clone().valid();
        model.head = head;
        Ok(model)
    }
}
