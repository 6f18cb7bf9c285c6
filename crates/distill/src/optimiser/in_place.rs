//! Tensors of the processor as slices, changed where they are if nobody else holds them.

use burn::backend::DispatchDevice;
use burn::prelude::*;
use burn::tensor::DType;
use rayon::prelude::*;

/// Values of a task: enough to outweigh handing it to another thread, few enough for the cache.
/// It depends on nothing, so that sums are the same on any number of threads.
pub(super) const TASK: usize = 1 << 15;

/// Says whether the values of `tensor` are in this process' memory, in single precision.
pub(super) fn can_be<const D: usize>(tensor: &Tensor<D>) -> bool {
    let device = tensor.device();
    matches!(device.as_dispatch(), DispatchDevice::Flex(_)) && tensor.dtype() == DType::F32
}

/// Returns the sum of squares of `tensor`, and the tensor.
pub(super) fn squares<const D: usize>(tensor: Tensor<D>) -> (f64, Tensor<D>) {
    let device = tensor.device();
    let data = tensor.into_data();
    let tasks = values(&data).par_chunks(TASK);
    let sums: Vec<f64> = tasks
        .map(|task| {
            task.iter()
                .map(|&value| f64::from(value) * f64::from(value))
                .sum()
        })
        .collect();
    (sums.iter().sum(), Tensor::from_data(data, &device))
}

/// Multiplies `tensor` by `factor`.
pub(super) fn scaled<const D: usize>(tensor: Tensor<D>, factor: f32) -> Tensor<D> {
    let device = tensor.device();
    let mut data = tensor.into_data();
    let tasks = values_mut(&mut data).par_chunks_mut(TASK);
    tasks.for_each(|task| task.iter_mut().for_each(|value| *value *= factor));
    Tensor::from_data(data, &device)
}

/// Changes three tensors by what `work` does with their values and those of a fourth.
pub(super) fn change_three<const D: usize>(
    tensors: [Tensor<D>; 3],
    with: Tensor<D>,
    work: impl FnOnce([&mut [f32]; 3], &[f32]),
) -> [Tensor<D>; 3] {
    let device = with.device();
    let mut data = tensors.map(Tensor::into_data);
    let with = with.into_data();
    work(data.each_mut().map(values_mut), values(&with));
    data.map(|data| Tensor::from_data(data, &device))
}

fn values(data: &TensorData) -> &[f32] {
    data.as_slice().expect("checked to be of single precision")
}

fn values_mut(data: &mut TensorData) -> &mut [f32] {
    data.as_mut_slice()
        .expect("checked to be of single precision")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_and_multiples_are_those_of_tensor_operations() {
        let count = 2 * TASK as i64 + 5;
        let tensor = Tensor::<1, Int>::arange(0..count, &Device::flex()).float() / 1e4;
        let (found, same) = squares(tensor.clone());
        let expected: f64 = (0..count).map(|value| (value as f64 / 1e4).powi(2)).sum();
        assert!((found / expected - 1.0).abs() < 1e-6, "{found} {expected}");
        let distance: f32 = (same - tensor.clone()).abs().max().into_scalar();
        assert!(distance == 0.0);
        let distance = scaled(tensor.clone(), 0.5) - tensor.clone() * 0.5;
        assert!(distance.abs().max().into_scalar::<f32>() == 0.0);
        // A tensor that others hold is not changed.
        assert!(tensor.max().into_scalar::<f32>() > 6.0);
    }
}
