//! The devices that the parts of a batch go round.

use burn::prelude::*;

use crate::error::DistillError;
use crate::settings::TrainingSettings;

/// A device, for tensors without gradients and with.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) plain: Device,
    pub(crate) tracked: Device,
}

impl Seat {
    /// Returns the devices of a training. The parts of a batch go round them; the first is where
    /// weights are moved and instruments read.
    ///
    /// # Errors
    /// If there is none, or one that does not multiply numbers of the precision asked for.
    pub(crate) fn all(
        devices: &[Device],
        settings: &TrainingSettings,
    ) -> Result<Vec<Self>, DistillError> {
        if devices.is_empty() {
            return Err(DistillError::Device("none was given".into()));
        }
        let seat = |device: &Device| {
            let precision = settings.precision;
            if !precision.is_supported(device) {
                let reason = format!("training.precision: {device:?} has no {precision:?} numbers");
                return Err(DistillError::Device(reason));
            }
            let plain = device.clone().without_autodiff();
            let mut tracked = plain.clone().autodiff();
            if settings.gradient_checkpointing {
                tracked = tracked.gradient_checkpointing();
            }
            Ok(Self { plain, tracked })
        };
        devices.iter().map(seat).collect()
    }
}
