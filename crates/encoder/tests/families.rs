//! Every family against the Hugging Face library, on the fixtures that `fixtures/make.py` made.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param, list_param_ids};
use burn::prelude::*;
use burn::tensor::Gradients;
use optical_encoder::{
    EncodeSettings, Encoder, EncoderConfig, EncoderError, Head, Model, WeightsReader,
};
use optical_tokenize::{Role, TokenBatch};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use safetensors::{Dtype, SafeTensors};

/// Fixtures, and the beginnings of the tensors of heads that only their family has.
const FIXTURES: [(&str, &[&str]); 9] = [
    ("bert", &["pooler.", "cls."]),
    ("minilm", &["pooler."]),
    ("distilbert", &["vocab_"]),
    ("xlm-roberta", &["lm_head."]),
    ("xlm-roberta-xl", &["pooler."]),
    ("deberta-v2", &[]),
    ("deberta-v2-unshared", &[]),
    ("modernbert", &["head.", "decoder."]),
    ("modernbert-biased", &[]),
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn encoder(folder: &Path, heads: &[&str], device: &Device) -> Encoder {
    let config = EncoderConfig::load(&folder.join("config.json")).unwrap();
    let mut weights = WeightsReader::in_folder(folder).unwrap();
    let encoder = Encoder::load(&config, &mut weights, device).unwrap();
    weights.finish(heads).unwrap();
    encoder
}

/// What the reference made of a padded batch.
struct Expected {
    shape: [usize; 2],
    ids: Vec<i64>,
    mask: Vec<bool>,
    states: Vec<f32>,
    gradients: BTreeMap<String, Vec<f32>>,
}

impl Expected {
    fn open(folder: &Path) -> Self {
        let bytes = std::fs::read(folder.join("expected.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let integers = |name: &str| -> Vec<i64> {
            let view = file.tensor(name).unwrap();
            assert_eq!(view.dtype(), Dtype::I64);
            let words = view.data().as_chunks::<8>().0.iter();
            words.map(|word| i64::from_le_bytes(*word)).collect()
        };
        let floats = |name: &str| -> Vec<f32> {
            let view = file.tensor(name).unwrap();
            assert_eq!(view.dtype(), Dtype::F32);
            let words = view.data().as_chunks::<4>().0.iter();
            words.map(|word| f32::from_le_bytes(*word)).collect()
        };
        let named = |name: &str| Some((name.strip_prefix("gradient.")?.to_owned(), floats(name)));
        Self {
            shape: file.tensor("ids").unwrap().shape().try_into().unwrap(),
            ids: integers("ids"),
            mask: integers("mask").into_iter().map(|seen| seen == 1).collect(),
            states: floats("states"),
            gradients: file.names().into_iter().filter_map(named).collect(),
        }
    }

    fn states(&self, encoder: &Encoder, device: &Device) -> Tensor<3> {
        let ids = TensorData::new(self.ids.clone(), self.shape);
        let mask = TensorData::new(self.mask.clone(), self.shape);
        encoder.forward(
            Tensor::from_data(ids, device),
            Tensor::from_data(mask, device),
        )
    }

    /// What each parameter of an encoder gets of the loss of `make.py`.
    fn gradients_of(&self, encoder: &Encoder, device: &Device) -> Vec<Option<Vec<f32>>> {
        let states = self.states(encoder, device);
        let shape = states.dims();
        let direction = TensorData::new(self.direction(shape[2]), shape);
        let direction = Tensor::<3>::from_data(direction, device);
        let gradients = (states * direction).sum().backward();
        let mut collect = Collect {
            gradients: &gradients,
            found: Vec::new(),
        };
        encoder.visit(&mut collect);
        collect.found
    }

    fn batch(&self) -> TokenBatch {
        TokenBatch {
            rows: self.shape[0],
            width: self.shape[1],
            ids: self.ids.iter().map(|&id| id as u32).collect(),
            mask: self.mask.clone(),
            kept: self.mask.clone(),
            text: self.mask.clone(),
            expansion: vec![false; self.mask.len()],
        }
    }

    /// The direction that the loss of `make.py` is a product with, zero at padding.
    fn direction(&self, hidden: usize) -> Vec<f32> {
        let value = |place: usize| {
            let (token, dimension) = (place / hidden, place % hidden);
            let (row, column) = (token / self.shape[1], token % self.shape[1]);
            let value = ((7 * row + 13 * column + 5 * dimension) % 11) as f32 - 5.0;
            if self.mask[token] { value / 5.0 } else { 0.0 }
        };
        (0..self.mask.len() * hidden).map(value).collect()
    }
}

fn greatest(values: impl IntoIterator<Item = f32>) -> f32 {
    values.into_iter().map(f32::abs).fold(0.0, f32::max)
}

#[test]
fn attention_is_shared_out_among_the_tokens_of_a_text() {
    let device = Device::flex();
    for (name, heads) in FIXTURES {
        let folder = folder(name);
        let encoder = encoder(&folder, heads, &device);
        let batch = Expected::open(&folder).batch();
        let (states, attention) = encoder.states_and_attention(&batch, &device);
        let difference = states - encoder.states(&batch, &device);
        let hidden = difference.dims()[2];
        let difference = difference.into_data().try_to_vec::<f32>().unwrap();
        let attention = attention.into_data().try_to_vec::<f32>().unwrap();
        for (token, &seen) in batch.mask.iter().enumerate() {
            if seen {
                let own = difference[token * hidden..(token + 1) * hidden].iter();
                assert!(greatest(own.copied()) < 1e-4, "{name}: token {token}");
                assert!(0.0 < attention[token], "{name}: token {token}");
            } else {
                assert_eq!(attention[token], 0.0, "{name}: token {token}");
            }
        }
        for row in attention.chunks(batch.width) {
            let sum: f32 = row.iter().sum();
            assert!((sum - 1.0).abs() < 1e-5, "{name}: {row:?}");
        }
    }
}

#[test]
fn states_are_those_of_the_reference_at_any_length() {
    let device = Device::flex();
    for (name, heads) in FIXTURES {
        let folder = folder(name);
        let encoder = encoder(&folder, heads, &device);
        let expected = Expected::open(&folder);
        let states = expected.states(&encoder, &device);
        let hidden = states.dims()[2];
        let states = states.into_data().try_to_vec::<f32>().unwrap();
        assert!(expected.mask.iter().any(|&seen| !seen), "nothing is padded");
        for (token, _) in expected.mask.iter().enumerate().filter(|(_, seen)| **seen) {
            let place = token * hidden..(token + 1) * hidden;
            let (found, expected) = (&states[place.clone()], &expected.states[place]);
            let distance = greatest(found.iter().zip(expected).map(|(a, b)| a - b));
            let scale = greatest(expected.iter().copied());
            assert!(
                distance <= 1e-5 * scale,
                "{name}: token {token} is off by {distance} of {scale}"
            );
        }
    }
}

/// Gradients of a module's parameters, in the order in which it is visited.
struct Collect<'a> {
    gradients: &'a Gradients,
    found: Vec<Option<Vec<f32>>>,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = param.val().grad(self.gradients);
        let values = gradient.map(|gradient| gradient.into_data().try_to_vec::<f32>().unwrap());
        self.found.push(values);
    }
}

#[test]
fn gradients_are_those_of_the_reference() {
    let device = Device::flex().autodiff();
    for (name, heads) in FIXTURES {
        let folder = folder(name);
        let expected = Expected::open(&folder);
        if expected.gradients.is_empty() {
            continue;
        }
        let encoder = encoder(&folder, heads, &device);
        let found = expected.gradients_of(&encoder, &device);
        let overall = greatest(expected.gradients.values().flatten().copied());
        let tensors = encoder.tensors().unwrap();
        assert_eq!(tensors.len(), found.len());
        assert_eq!(tensors.len(), expected.gradients.len(), "{name}");
        for ((parameter, shape, _), found) in tensors.iter().zip(found) {
            let found = found.unwrap_or_else(|| panic!("{name}: {parameter} has no gradient"));
            let linear = shape.len() == 2 && !parameter.contains("embeddings");
            let turned = |place: usize| {
                if linear {
                    place % shape[1] * shape[0] + place / shape[1]
                } else {
                    place
                }
            };
            let expected = &expected.gradients[parameter];
            let distances = expected.iter().enumerate();
            let distance = greatest(distances.map(|(place, value)| value - found[turned(place)]));
            // The softmax of scores ignores a key's bias: its gradient is zero but for rounding.
            let zero = parameter.ends_with("key.bias") || parameter.ends_with("k_lin.bias");
            let scale = if zero {
                overall
            } else {
                greatest(expected.iter().copied())
            };
            assert!(
                distance <= 1e-4 * scale,
                "{name}: the gradient of {parameter} is off by {distance} of {scale}"
            );
        }
    }
}

/// Fixtures with a tokenizer, and the most tokens that it was asked for.
const TOKENIZED: [&str; 6] = [
    "bert",
    "minilm",
    "distilbert",
    "xlm-roberta",
    "deberta-v2",
    "modernbert",
];

fn texts() -> Vec<String> {
    serde_json::from_slice(&std::fs::read(folder("texts.json")).unwrap()).unwrap()
}

#[test]
fn texts_become_the_ids_of_the_reference() {
    for name in TOKENIZED {
        let model = Model::load(&folder(name), &Device::flex()).unwrap();
        let expected = std::fs::read(folder(name).join("expected.json")).unwrap();
        let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
        let maximum = model.config.maximum_length();
        for (index, text) in texts().iter().enumerate() {
            let sequence = model.tokenizer.encode(text, Role::Document, maximum);
            let found = serde_json::json!(sequence.unwrap().ids);
            assert_eq!(found, expected["ids"][index], "{name}: {text:?}");
        }
    }
}

/// Kept token vectors of all texts.
fn vectors(model: &Model) -> Vec<Vec<f32>> {
    vectors_of(model, &texts())
}

fn vectors_of(model: &Model, texts: &[String]) -> Vec<Vec<f32>> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let settings = EncodeSettings {
        role: Role::Document,
        maximum_length: model.config.maximum_length(),
        tokens_per_batch: 100,
    };
    let mut vectors = vec![Vec::new(); texts.len()];
    let head = Head::identity(model.config.hidden_size);
    model
        .encode(&texts, &[&head], settings, &Device::flex(), |text| {
            vectors[text.index] = text.vectors[0].clone();
            Ok::<_, EncoderError>(())
        })
        .unwrap();
    vectors
}

#[test]
fn a_saved_model_is_the_same_in_every_family() {
    let saved = tempfile::tempdir().unwrap();
    for name in TOKENIZED {
        let model = Model::load(&folder(name), &Device::flex()).unwrap();
        let path = saved.path().join(name);
        model.save(&path).unwrap();
        let again = Model::load(&path, &Device::flex()).unwrap();
        assert_eq!(again.config, model.config);
        assert_eq!(vectors(&again), vectors(&model), "{name}");
    }
}

#[test]
fn a_pruned_model_of_fewer_layers_is_the_same_where_its_pieces_are_kept() {
    for name in TOKENIZED {
        let model = Model::load(&folder(name), &Device::flex()).unwrap();
        let model = model.with_layers(1);
        assert_eq!(model.encoder.layer_count(), 1);
        let batch = |text: &String| {
            model
                .tokenizer
                .encode(text, Role::Document, 40)
                .unwrap()
                .ids
        };
        let used: BTreeSet<u32> = texts().iter().flat_map(batch).collect();
        let pruned = model.clone().prune_vocabulary(&used).unwrap();
        assert!(pruned.config.vocab_size < model.config.vocab_size, "{name}");
        assert_eq!(vectors(&pruned), vectors(&model), "{name}");
        let whole = model.clone().interpolate(&pruned, 0.5).unwrap();
        assert_eq!(whole.config.vocab_size, model.config.vocab_size);
        for (whole, model) in vectors(&whole).iter().zip(vectors(&model)) {
            let distance = greatest(whole.iter().zip(model).map(|(a, b)| a - b));
            assert!(distance <= 1e-6, "{name} is off by {distance}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever else is kept or not, a text whose entries are kept has the vectors it had; the others
    /// still have some.
    #[test]
    fn a_text_keeps_its_vectors_in_any_vocabulary_that_spells_it(
        name in select(&TOKENIZED),
        chosen in prop::collection::vec(any::<bool>(), 16),
        others in prop::collection::vec(any::<Index>(), 0..40),
    ) {
        let model = Model::load(&folder(name), &Device::flex()).unwrap().with_layers(1);
        let texts = texts();
        let (mut spelt, mut left) = (Vec::new(), Vec::new());
        for (index, text) in texts.into_iter().enumerate() {
            if chosen[index % chosen.len()] { &mut spelt } else { &mut left }.push(text);
        }
        let maximum = model.config.maximum_length();
        let ids = |text: &String| model.tokenizer.encode(text, Role::Document, maximum).unwrap().ids;
        let mut used: BTreeSet<u32> = spelt.iter().flat_map(ids).collect();
        let size = model.tokenizer.vocabulary_size();
        used.extend(others.iter().map(|other| other.index(size) as u32));
        let pruned = model.clone().prune_vocabulary(&used).unwrap();
        prop_assert!(used.len() <= pruned.config.vocab_size);
        prop_assert_eq!(pruned.config.vocab_size, pruned.tokenizer.vocabulary_size());
        prop_assert_eq!(vectors_of(&pruned, &spelt), vectors_of(&model, &spelt));
        prop_assert_eq!(vectors_of(&pruned, &left).len(), left.len());
    }
}

/// What is frozen has no gradient, and what is not has the one it would have had.
#[test]
fn frozen_parameters_have_no_gradients_and_leave_the_others_theirs() {
    let device = Device::flex().autodiff();
    for (name, heads) in FIXTURES {
        let folder = folder(name);
        let expected = Expected::open(&folder);
        let gradients = |encoder: &Encoder| expected.gradients_of(encoder, &device);
        let whole = encoder(&folder, heads, &device);
        let ids = list_param_ids(&whole);
        let depths = whole.parameters_by_depth();
        assert_eq!(depths.len(), 1 + whole.layer_count(), "{name}");
        let words = whole.word_embedding_id();
        assert_eq!(depths.iter().flatten().count() + 1, ids.len(), "{name}");
        let all = gradients(&whole);
        for (layers, no_words) in [(0, true), (1, false), (1, true), (2, false)] {
            let frozen = gradients(&whole.clone().frozen(layers, no_words).fork(&device));
            let still = depths.iter().take(if layers == 0 { 0 } else { layers + 1 });
            let still: BTreeSet<_> = still.flatten().collect();
            for ((id, all), frozen) in ids.iter().zip(&all).zip(frozen) {
                let is_frozen = still.contains(id) || no_words && *id == words;
                let expected = if is_frozen { &None } else { all };
                assert_eq!(&frozen, expected, "{name}, {layers} layers, {no_words}");
            }
        }
    }
}
