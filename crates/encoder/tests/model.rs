//! A checkpoint from disk to vectors, held against the formulas written out in plain loops.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::tensor::Device;
use optical_encoder::testing::{HIDDEN, tiny_checkpoint};
use optical_encoder::{EncodeSettings, EncoderError, Head, Model, write_weights};
use optical_tokenize::Role;

const WORDS: [&str; 5] = ["maji", "moto", "nyota", "jua", "mti"];

const SETTINGS: EncodeSettings = EncodeSettings {
    role: Role::Query,
    maximum_length: 20,
    tokens_per_batch: 24,
};

/// Kept token vectors of each text.
fn encode(model: &Model, head: &Head, texts: &[&str]) -> Vec<Vec<f32>> {
    let mut vectors = vec![Vec::new(); texts.len()];
    model
        .encode(texts, &[head], SETTINGS, &Device::flex(), |text| {
            vectors[text.index] = text.vectors[0].clone();
            Ok::<_, EncoderError>(())
        })
        .unwrap();
    vectors
}

fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance,
            "{found} and {expected} at {index}"
        );
    }
}

/// The tensors of a tiny checkpoint, by name, as `f64`.
struct Reference(BTreeMap<String, Vec<f64>>);

impl Reference {
    fn open(folder: &Path) -> Self {
        let bytes = std::fs::read(folder.join("model.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.iter().map(|(name, view)| {
            let values = view.data().as_chunks::<4>().0.iter();
            let values = values
                .map(|bytes| f64::from(f32::from_le_bytes(*bytes)))
                .collect();
            (name.to_owned(), values)
        });
        Self(tensors.collect())
    }

    fn row(&self, name: &str, row: usize) -> &[f64] {
        &self.0[name][row * HIDDEN..(row + 1) * HIDDEN]
    }

    fn linear(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let (weight, bias) = (
            &self.0[&format!("{name}.weight")],
            &self.0[&format!("{name}.bias")],
        );
        let rows = weight.chunks(x.len()).zip(bias);
        rows.map(|(row, bias)| row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + bias)
            .collect()
    }

    fn norm(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
        let (weight, bias) = (
            &self.0[&format!("{name}.weight")],
            &self.0[&format!("{name}.bias")],
        );
        let scaled = x.iter().zip(weight.iter().zip(bias));
        scaled
            .map(|(x, (w, b))| (x - mean) / (variance + 1e-12).sqrt() * w + b)
            .collect()
    }

    /// BERT, token by token: Devlin et al. 2019, with attention of Vaswani et al. 2017.
    fn forward(&self, ids: &[u32], first_position: usize) -> Vec<Vec<f64>> {
        let embed = |(position, &id): (usize, &u32)| {
            let word = self.row("embeddings.word_embeddings.weight", id as usize);
            let place = self.row(
                "embeddings.position_embeddings.weight",
                first_position + position,
            );
            let kind = self.row("embeddings.token_type_embeddings.weight", 0);
            self.norm("embeddings.LayerNorm", &add(&add(word, place), kind))
        };
        let mut states: Vec<Vec<f64>> = ids.iter().enumerate().map(embed).collect();
        for layer in 0..2 {
            let name = |part: &str| format!("encoder.layer.{layer}.{part}");
            let project = |part: &str| -> Vec<Vec<f64>> {
                states.iter().map(|x| self.linear(&name(part), x)).collect()
            };
            let (keys, values) = (
                project("attention.self.key"),
                project("attention.self.value"),
            );
            let queries = project("attention.self.query");
            states = queries
                .iter()
                .zip(&states)
                .map(|(query, x)| {
                    let attended = attend(query, &keys, &values);
                    let dense = self.linear(&name("attention.output.dense"), &attended);
                    let x = self.norm(&name("attention.output.LayerNorm"), &add(x, &dense));
                    let wide = self.linear(&name("intermediate.dense"), &x);
                    let active: Vec<f64> = wide.iter().map(|&x| x * normal_cdf(x)).collect();
                    let dense = self.linear(&name("output.dense"), &active);
                    self.norm(&name("output.LayerNorm"), &add(&x, &dense))
                })
                .collect();
        }
        states
    }
}

fn add(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// One query token's attention over all tokens, in two heads.
fn attend(query: &[f64], keys: &[Vec<f64>], values: &[Vec<f64>]) -> Vec<f64> {
    let width = HIDDEN / 2;
    let mut output = vec![0.0; HIDDEN];
    for head in [0..width, width..HIDDEN] {
        let score = |key: &Vec<f64>| {
            let products = query[head.clone()]
                .iter()
                .zip(&key[head.clone()])
                .map(|(q, k)| q * k);
            (products.sum::<f64>() / (width as f64).sqrt()).exp()
        };
        let weights: Vec<f64> = keys.iter().map(score).collect();
        let total: f64 = weights.iter().sum();
        for (weight, value) in weights.iter().zip(values) {
            for column in head.clone() {
                output[column] += weight / total * value[column];
            }
        }
    }
    output
}

/// The normal distribution function by Simpson's rule, to about 1e-12 on the values met here.
fn normal_cdf(x: f64) -> f64 {
    let steps = 2000;
    let density = |t: f64| (-t * t / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let h = x / f64::from(steps);
    let weight = |i: i32| if i % 2 == 1 { 4.0 } else { 2.0 };
    let inner: f64 = (1..steps)
        .map(|i| density(f64::from(i) * h) * weight(i))
        .sum();
    0.5 + h / 3.0 * (density(0.0) + inner + density(x))
}

#[test]
fn the_encoder_computes_what_the_papers_say() {
    for (model_type, first_position) in [("bert", 0), ("xlm-roberta", 2)] {
        let folder = tempfile::tempdir().unwrap();
        tiny_checkpoint(folder.path(), model_type, &WORDS, 11).unwrap();
        let model = Model::load(folder.path(), &Device::flex()).unwrap();
        let reference = Reference::open(folder.path());
        // Of different lengths, so that the shorter ones are padded beside the longer.
        let texts = [
            "maji",
            "maji moto nyota jua mti maji",
            "mti jua",
            "nyota b maji",
        ];
        let vectors = encode(&model, &Head::identity(HIDDEN), &texts);
        for (text, vectors) in texts.iter().zip(vectors) {
            let tokens = model.tokenizer.encode(text, Role::Query, 20).unwrap();
            let states = reference.forward(&tokens.ids, first_position);
            let kept = states.iter().zip(&tokens.kept).filter(|(_, kept)| **kept);
            let expected: Vec<f32> = kept
                .flat_map(|(state, _)| {
                    let length = state.iter().map(|x| x * x).sum::<f64>().sqrt();
                    state.iter().map(move |x| (x / length) as f32)
                })
                .collect();
            assert_close(&vectors, &expected, 2e-6);
        }
    }
}

#[test]
fn a_saved_model_gives_the_same_vectors() {
    let folder = tempfile::tempdir().unwrap();
    tiny_checkpoint(folder.path(), "bert", &WORDS, 3).unwrap();
    let mut model = Model::load(folder.path(), &Device::flex()).unwrap();
    let weight = (0..6 * HIDDEN)
        .map(|i| ((i * 7 % 13) as f32 - 6.0) / 5.0)
        .collect();
    let head = Head {
        input: HIDDEN,
        output: 6,
        weight,
        bias: vec![0.3; 6],
    };
    model.head = Some(head.clone());
    let saved = folder.path().join("saved");
    model.save(&saved).unwrap();
    let again = Model::load(&saved, &Device::flex()).unwrap();
    assert_eq!(again.head, Some(head.clone()));
    let texts = ["maji moto", "jua"];
    assert_eq!(encode(&model, &head, &texts), encode(&again, &head, &texts));
}

#[test]
fn a_pruned_model_equals_the_full_one_where_its_pieces_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    tiny_checkpoint(folder.path(), "bert", &WORDS, 3).unwrap();
    let model = Model::load(folder.path(), &Device::flex()).unwrap();
    let mut used: BTreeSet<u32> = model.single_character_pieces().unwrap();
    used.extend(
        ["▁maji", "▁jua"]
            .iter()
            .map(|piece| model.tokenizer.id(piece).unwrap()),
    );
    let pruned = model.clone().prune_vocabulary(&used).unwrap();
    assert_eq!(pruned.config.vocab_size, model.config.vocab_size - 3);
    let head = Head::identity(HIDDEN);
    let texts = ["maji jua", "jua jua b maji"];
    assert_eq!(
        encode(&model, &head, &texts),
        encode(&pruned, &head, &texts)
    );
    // A word that was dropped is spelled.
    let tokens = pruned.tokenizer.encode("moto", Role::Query, 20).unwrap();
    assert_eq!(tokens.kept.iter().filter(|kept| **kept).count(), 5);

    let saved = folder.path().join("pruned");
    pruned.save(&saved).unwrap();
    let again = Model::load(&saved, &Device::flex()).unwrap();
    assert_eq!(
        encode(&pruned, &head, &texts),
        encode(&again, &head, &texts)
    );
}

#[test]
fn an_interpolated_model_lies_between_and_has_the_whole_vocabulary() {
    let folder = tempfile::tempdir().unwrap();
    let load = |name: &str, words: &[&str], seed| {
        let path = folder.path().join(name);
        tiny_checkpoint(&path, "bert", words, seed).unwrap();
        Model::load(&path, &Device::flex()).unwrap()
    };
    let model = load("model", &WORDS, 3);
    let mut used = model.single_character_pieces().unwrap();
    used.insert(model.tokenizer.id("▁maji").unwrap());
    let mut tuned = load("tuned", &WORDS, 9).prune_vocabulary(&used).unwrap();
    tuned.head = Some(Head::identity(HIDDEN));

    let words = "embeddings.word_embeddings.weight";
    let tensor = |model: &Model, name: &str| -> Vec<f32> {
        let mut tensors = model.encoder.tensors().unwrap().into_iter();
        tensors.find(|(found, ..)| found == name).unwrap().2
    };
    let row = |model: &Model, piece: &str| {
        let row = model.tokenizer.id(piece).unwrap() as usize * HIDDEN;
        tensor(model, words)[row..row + HIDDEN].to_vec()
    };
    let mean = |before: &[f32], after: &[f32]| -> Vec<f32> {
        let both = before.iter().zip(after);
        both.map(|(before, after)| 0.75 * before + 0.25 * after)
            .collect()
    };
    let quarter = model.clone().interpolate(&tuned, 0.25).unwrap();
    assert_eq!(row(&quarter, "▁moto"), row(&model, "▁moto"));
    let expected = mean(&row(&model, "▁maji"), &row(&tuned, "▁maji"));
    assert_close(&row(&quarter, "▁maji"), &expected, 1e-6);
    for name in [
        "encoder.layer.1.output.dense.weight",
        "embeddings.LayerNorm.bias",
    ] {
        let expected = mean(&tensor(&model, name), &tensor(&tuned, name));
        assert_close(&tensor(&quarter, name), &expected, 1e-6);
    }
    assert_eq!(quarter.head, tuned.head);

    // All the way, it is the tuned model on any text whose pieces that one kept.
    let whole = model.clone().interpolate(&tuned, 1.0).unwrap();
    let head = Head::identity(HIDDEN);
    let texts = ["maji", "maji b maji"];
    assert_eq!(encode(&tuned, &head, &texts), encode(&whole, &head, &texts));
    assert_eq!(whole.config.vocab_size, model.config.vocab_size);

    let stranger = load("stranger", &["sukari"], 3);
    let error = model.interpolate(&stranger, 0.5).unwrap_err().to_string();
    assert!(error.contains("a vocabulary entry \"▁sukari\""), "{error}");
}

#[test]
fn a_checkpoint_that_does_not_fit_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    tiny_checkpoint(folder.path(), "bert", &WORDS, 3).unwrap();
    let config = std::fs::read_to_string(folder.path().join("config.json")).unwrap();
    let refused = |from: &str, to: &str| {
        assert!(config.contains(from), "{config}");
        std::fs::write(folder.path().join("config.json"), config.replace(from, to)).unwrap();
        Model::load(folder.path(), &Device::flex())
            .unwrap_err()
            .to_string()
    };
    let missing = refused("\"num_hidden_layers\":2", "\"num_hidden_layers\":3");
    assert!(missing.contains("no tensor encoder.layer.2."), "{missing}");
    let unused = refused("\"num_hidden_layers\":2", "\"num_hidden_layers\":1");
    assert!(
        unused.contains("does not use: encoder.layer.1."),
        "{unused}"
    );
    let shape = refused("\"intermediate_size\":16", "\"intermediate_size\":12");
    assert!(shape.contains("expected [12, 8]"), "{shape}");
    let rows = refused("\"vocab_size\":36", "\"vocab_size\":30");
    assert!(rows.contains("36 entries"), "{rows}");
}

#[test]
fn poolers_are_left_alone_and_whole_model_prefixes_stripped() {
    let folder = tempfile::tempdir().unwrap();
    tiny_checkpoint(folder.path(), "bert", &WORDS, 3).unwrap();
    let plain = Model::load(folder.path(), &Device::flex()).unwrap();
    let tensors = plain.encoder.tensors().unwrap();
    let mut tensors: Vec<_> = tensors
        .into_iter()
        .map(|(name, shape, values)| (format!("bert.{name}"), shape, values))
        .collect();
    tensors.push(("bert.pooler.dense.bias".into(), vec![1], vec![0.0]));
    write_weights(&folder.path().join("model.safetensors"), &tensors).unwrap();
    let again = Model::load(folder.path(), &Device::flex()).unwrap();
    assert_eq!(
        plain.encoder.tensors().unwrap(),
        again.encoder.tensors().unwrap()
    );
}

#[test]
fn a_mean_state_is_of_all_kept_tokens_alike() {
    let folder = tempfile::tempdir().unwrap();
    tiny_checkpoint(folder.path(), "bert", &WORDS, 3).unwrap();
    let device = Device::flex();
    let model = Model::load(folder.path(), &device).unwrap();
    let mean = |texts: &[&str]| model.mean_state(texts, SETTINGS, &device).unwrap();
    let one = mean(&["maji"]);
    let length = one.iter().map(|x| x * x).sum::<f64>().sqrt();
    let unit: Vec<f32> = one.iter().map(|x| (x / length) as f32).collect();
    let identity = Head::identity(HIDDEN);
    assert_close(&unit, &encode(&model, &identity, &["maji"])[0], 1e-6);
    // By tokens, not by texts; texts of no word have none.
    let all = mean(&["maji", "jua mti", ""]);
    let pair = mean(&["jua mti"]);
    let expected = one
        .iter()
        .zip(&pair)
        .map(|(one, pair)| (one + 2.0 * pair) / 3.0);
    for (found, expected) in all.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
    assert_eq!(mean(&[]), vec![0.0; HIDDEN]);
}
