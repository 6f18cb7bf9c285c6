//! The ops as vector kernels on burn's CPU backend, each with its own derivative.
//!
//! Kernels are compiled for several instruction sets and chosen at run time; rows are shared out
//! among threads in tasks whose size depends on nothing but the shape, so that sums over rows are
//! the same on any number of threads.

mod attention;
mod gelu;
mod layer_norm;
mod panels;
mod softmax;
#[cfg(test)]
mod testing;
mod vector;

use burn::backend::DispatchDevice;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Tensor, TensorData};

pub(super) use attention::attention;
pub(super) use gelu::gelu;
pub(super) use layer_norm::{layer_norm, norm};
pub(super) use softmax::softmax;

/// Says whether these kernels can take `tensor`.
pub(super) fn has<const D: usize>(tensor: &Tensor<D>) -> bool {
    let device = tensor.device();
    let device = match device.as_dispatch() {
        DispatchDevice::Autodiff(device) => device,
        device => device,
    };
    matches!(device, DispatchDevice::Flex(_)) && tensor.dtype() == DType::F32
}

/// Values in a task: enough to outweigh handing it to another thread.
const TASK_SIZE: usize = 1 << 14;

/// Returns whole rows of a task, as a number of values.
fn task_size(width: usize) -> usize {
    let width = width.max(1);
    (TASK_SIZE / width).max(1) * width
}

/// Returns the tensor with its values in row-major order.
fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.is_contiguous() {
        tensor
    } else {
        tensor.to_contiguous()
    }
}

/// Returns the values of a tensor that is [`contiguous`].
fn values(tensor: &FlexTensor) -> &[f32] {
    tensor
        .as_slice()
        .expect("kernels are given contiguous tensors of single precision")
}

/// Returns the same tensor in row-major order in a buffer of its own size, to be written to.
fn writable(tensor: FlexTensor) -> FlexTensor {
    let tensor = contiguous(tensor);
    if tensor.bytes().len() == size_of_val(values(&tensor)) {
        return tensor;
    }
    let copy = values(&tensor).to_vec();
    shaped_like(copy, &tensor)
}

/// Returns `values` in the shape of `tensor`.
fn shaped_like(values: Vec<f32>, tensor: &FlexTensor) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, tensor.layout().shape().clone()))
}

/// Returns a tensor of one dimension.
fn vector(values: Vec<f32>) -> FlexTensor {
    let count = values.len();
    FlexTensor::from_data(TensorData::new(values, [count]))
}

/// Checks the lengths of an op's arguments, which its kernels would otherwise cut to the shortest.
#[track_caller]
fn assert_lengths(arguments: &[&[f32]], length: usize) {
    for argument in arguments {
        assert_eq!(
            argument.len(),
            length,
            "an argument does not fit the others"
        );
    }
}

/// Adds up what the tasks made, in the order of the tasks.
fn total(parts: Vec<Vec<f32>>, width: usize) -> Vec<f32> {
    let mut total = vec![0.0; width];
    for part in parts {
        for (sum, value) in total.iter_mut().zip(part) {
            *sum += value;
        }
    }
    total
}

/// Returns the length of the last dimension.
fn width(tensor: &FlexTensor) -> usize {
    tensor.layout().shape().last().copied().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn kernels_take_single_precision_with_and_without_gradients() {
        for device in [Device::flex(), Device::flex().autodiff()] {
            let tensor = Tensor::<1>::zeros([3], &device);
            assert!(has(&tensor));
            assert!(!has(&tensor.cast(DType::F64)));
        }
    }
}
