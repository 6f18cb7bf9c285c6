//! The index of a safetensors file: its length, a header of JSON, and the values.

use std::fs::File;
use std::io::Read;

use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::stored::{Located, Number, Unreadable};

/// Largest header that the format's own library takes.
const MAXIMUM_HEADER: u64 = 100_000_000;

pub(super) fn index(file: &mut File, length: u64) -> Result<Vec<(String, Located)>, Unreadable> {
    let mut size = [0; 8];
    file.read_exact(&mut size)?;
    let size = u64::from_le_bytes(size);
    if MAXIMUM_HEADER.min(length.saturating_sub(8)) < size {
        return Err(format!("its header has {size} bytes, the file {length}").into());
    }
    let mut header = Vec::new();
    file.take(size).read_to_end(&mut header)?;
    let metadata: Metadata =
        serde_json::from_slice(&header).map_err(|error| format!("its header: {error}"))?;
    let data = 8 + size;
    let end = data.saturating_add(metadata.data_len() as u64);
    if end != length {
        let again = if length < end { "; fetch it again" } else { "" };
        return Err(format!("its values end at byte {end}, the file at {length}{again}").into());
    }
    let located = |(name, info): (String, &safetensors::tensor::TensorInfo)| {
        let located = Located {
            shape: info.shape.clone(),
            start: data + info.data_offsets.0 as u64,
            number: number(info.dtype),
            strides: None,
        };
        (name, located)
    };
    Ok(metadata.tensors().into_iter().map(located).collect())
}

fn number(dtype: Dtype) -> Number {
    let name = match dtype {
        Dtype::F32 => return Number::F32,
        Dtype::F16 => return Number::F16,
        Dtype::BF16 => return Number::Bf16,
        Dtype::F64 => "f64",
        Dtype::I64 => "i64",
        Dtype::I32 => "i32",
        Dtype::I8 => "i8",
        Dtype::U8 => "u8",
        Dtype::BOOL => "bool",
        _ => "of another kind",
    };
    let bytes = dtype.bitsize().div_ceil(8);
    Number::Other { name, bytes }
}
