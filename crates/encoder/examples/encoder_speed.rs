//! Times an encoder of MiniLM's size with random weights: forward, and forward with backward.
//!
//! ```text
//! cargo run --release -p optical-encoder --example encoder_speed -- 9
//! ```
//!
//! The number is how often each case runs; the median is printed, in seconds of wall time and of
//! processor time over all threads. `RAYON_NUM_THREADS=1` keeps the work on one thread.

#![allow(clippy::print_stdout)]

use std::time::Instant;

use burn::tensor::{Bool, Device, Distribution, Int, Tensor, TensorData};
use optical_encoder::{
    BertConfig, Encoder, EncoderConfig, EncoderError, Family, NamedTensor, WeightsReader,
    write_weights,
};

// The driver's allocator: the default one gives the large buffers of every op back to the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Texts of a batch, and tokens of a text.
const BATCHES: [[usize; 2]; 2] = [[32, 32], [8, 180]];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rounds: usize = std::env::args().nth(1).map_or(Ok(5), |text| text.parse())?;
    let config = EncoderConfig {
        vocab_size: 30_000,
        hidden_size: 384,
        num_hidden_layers: 12,
        num_attention_heads: 12,
        intermediate_size: 1536,
        max_position_embeddings: 512,
        pad_token_id: 0,
        family: Family::Bert(BertConfig::default()),
    };
    let plain = Device::flex();
    let tracked = Device::flex().autodiff();
    let (frozen, trained) = load(&config, &plain, &tracked)?;
    for [texts, tokens] in BATCHES {
        let (ids, mask) = batch(texts, tokens, config.vocab_size, &plain);
        let forward = || drop(frozen.forward(ids.clone(), mask.clone()).into_data());
        report(&format!("{texts} x {tokens} forward"), rounds, forward);
        let (ids, mask) = batch(texts, tokens, config.vocab_size, &tracked);
        let shape = [texts, tokens, config.hidden_size];
        let direction = Tensor::<3>::random(shape, Distribution::Normal(0.0, 1.0), &tracked);
        let step = || {
            let states = trained.forward(ids.clone(), mask.clone());
            drop((states * direction.clone()).sum().backward());
        };
        report(
            &format!("{texts} x {tokens} forward and backward"),
            rounds,
            step,
        );
    }
    Ok(())
}

/// Token ids spread over the vocabulary, the last third of every other text being padding.
fn batch(
    texts: usize,
    tokens: usize,
    vocabulary: usize,
    device: &Device,
) -> (Tensor<2, Int>, Tensor<2, Bool>) {
    let ids: Vec<i64> = (0..texts * tokens)
        .map(|place| (place * 7919 % vocabulary) as i64)
        .collect();
    let mask: Vec<bool> = (0..texts * tokens)
        .map(|place| (place / tokens).is_multiple_of(2) || place % tokens < tokens * 2 / 3)
        .collect();
    (
        Tensor::from_data(TensorData::new(ids, [texts, tokens]), device),
        Tensor::from_data(TensorData::new(mask, [texts, tokens]), device),
    )
}

/// The same random encoder on two devices.
fn load(
    config: &EncoderConfig,
    first: &Device,
    second: &Device,
) -> Result<(Encoder, Encoder), EncoderError> {
    let path =
        std::env::temp_dir().join(format!("encoder-speed-{}.safetensors", std::process::id()));
    write_weights(&path, &random_weights(config))?;
    let load = |device| Encoder::load(config, &mut WeightsReader::open(&path)?, device);
    let loaded = load(first).and_then(|encoder| Ok((encoder, load(second)?)));
    // A file left behind in the temporary folder harms nobody.
    std::fs::remove_file(&path).ok();
    loaded
}

fn random_weights(config: &EncoderConfig) -> Vec<NamedTensor> {
    let (hidden, wide) = (config.hidden_size, config.intermediate_size);
    let mut state = 1_u64;
    let mut uniform = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    let mut tensors = Vec::new();
    let mut add = |name: String, shape: &[usize], middle: f32| {
        let values = (0..shape.iter().product())
            .map(|_| middle + 0.1 * uniform())
            .collect();
        tensors.push((name, shape.to_vec(), values));
    };
    for (name, rows) in [
        ("word", config.vocab_size),
        ("position", config.max_position_embeddings),
        ("token_type", 2),
    ] {
        add(
            format!("embeddings.{name}_embeddings.weight"),
            &[rows, hidden],
            0.0,
        );
    }
    let mut norms = vec!["embeddings".to_owned()];
    for layer in 0..config.num_hidden_layers {
        let layer = format!("encoder.layer.{layer}");
        for (name, input, output) in [
            ("attention.self.query", hidden, hidden),
            ("attention.self.key", hidden, hidden),
            ("attention.self.value", hidden, hidden),
            ("attention.output.dense", hidden, hidden),
            ("intermediate.dense", hidden, wide),
            ("output.dense", wide, hidden),
        ] {
            add(format!("{layer}.{name}.weight"), &[output, input], 0.0);
            add(format!("{layer}.{name}.bias"), &[output], 0.0);
        }
        norms.push(format!("{layer}.attention.output"));
        norms.push(format!("{layer}.output"));
    }
    for norm in norms {
        add(format!("{norm}.LayerNorm.weight"), &[hidden], 1.0);
        add(format!("{norm}.LayerNorm.bias"), &[hidden], 0.0);
    }
    tensors
}

/// Runs `work` once to warm up and then `rounds` times, and prints the medians.
fn report(name: &str, rounds: usize, work: impl Fn()) {
    work();
    let times: (Vec<f64>, Vec<f64>) = (0..rounds.max(1))
        .map(|_| {
            let (start, processor) = (Instant::now(), processor_seconds());
            work();
            (
                start.elapsed().as_secs_f64(),
                processor_seconds() - processor,
            )
        })
        .unzip();
    println!(
        "{name:30} wall {:.3} s  processor {:.3} s",
        median(times.0),
        median(times.1)
    );
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Processor time of all threads; zero where the system does not keep Linux's books.
fn processor_seconds() -> f64 {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else {
        return 0.0;
    };
    let nanoseconds = |thread: std::fs::DirEntry| -> Option<f64> {
        let line = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        line.split(' ').next()?.parse().ok()
    };
    threads.flatten().filter_map(nanoseconds).sum::<f64>() * 1e-9
}
