//! What training moves: an encoder, and the projection after it where that is learned too.

use burn::module::{Module, Param, ParamId};
use burn::prelude::*;
use optical_encoder::{Encoder, EncoderError, Model};

/// Momentum is kept by the ids of parameters, so that the projection needs the same ones each time.
const WEIGHT: u64 = 1;
const BIAS: u64 = 2;

/// The trained parameters of a model.
#[derive(Module, Debug)]
pub struct Learner {
    /// Tokens to states.
    pub encoder: Encoder,
    /// What is trained after it.
    pub projection: Option<Projection>,
}

/// The trained part of a model's head.
#[derive(Module, Debug)]
pub struct Projection {
    /// `[d, hidden]`.
    pub weight: Param<Tensor<2>>,
    /// `[d]`, where it is trained too.
    pub bias: Option<Param<Tensor<1>>>,
}

/// What is trained after the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learns {
    /// Nothing: the head is frozen.
    Nothing,
    /// The head's map, with its offset as it is.
    Map,
    /// The head's map and its offset.
    MapAndOffset,
}

impl Learner {
    /// Creates the encoder of `model` on the autodiff device `device`, and of its head what is learned.
    pub fn new(model: Model, learns: Learns, device: &Device) -> Self {
        let head = model.head.clone();
        let head = head.filter(|_| learns != Learns::Nothing);
        let projection = head.map(|head| {
            let weight = TensorData::new(head.weight, [head.output, head.input]);
            let weight = Tensor::<2>::from_data(weight, device).require_grad();
            let bias = (learns == Learns::MapAndOffset).then(|| {
                let bias = TensorData::new(head.bias, [head.output]);
                let bias = Tensor::<1>::from_data(bias, device).require_grad();
                Param::initialized(ParamId::from(BIAS), bias)
            });
            Projection {
                weight: Param::initialized(ParamId::from(WEIGHT), weight),
                bias,
            }
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
        let mut head = model.head.clone();
        if let (Some(head), Some(projection)) = (&mut head, &self.projection) {
            head.weight = values(projection.weight.val())?;
            if let Some(bias) = &projection.bias {
                head.bias = values(bias.val())?;
            }
        }
        let mut model = model.clone();
        model.encoder = self.encoder.clone().valid();
        model.head = head;
        Ok(model)
    }
}

impl Projection {
    /// Returns the image of states, `[texts, width, d]` of `[texts, width, hidden]`.
    pub fn forward(&self, states: Tensor<3>) -> Tensor<3> {
        let [texts, width, hidden] = states.dims();
        let flat = states.reshape([texts * width, hidden]);
        let image = flat.matmul(self.weight.val().transpose());
        let image = match &self.bias {
            Some(bias) => image + bias.val().unsqueeze(),
            None => image,
        };
        let [_, dimensions] = image.dims();
        image.reshape([texts, width, dimensions])
    }

    /// Returns the ids of its parameters.
    pub(crate) fn ids(&self) -> Vec<ParamId> {
        let bias = self.bias.as_ref().map(|bias| bias.id);
        std::iter::once(self.weight.id).chain(bias).collect()
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, EncoderError> {
    let values = tensor.into_data().try_to_vec();
    values.map_err(|error| EncoderError::Device(format!("{error:?}")))
}
