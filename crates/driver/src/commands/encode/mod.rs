//! `optical encode`: texts to vectors, a line each, in one safetensors file.

mod texts;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use optical_encoder::{EncodeSettings, Head, Model, Pooling, VectorFile};
use optical_tokenize::Role;

use texts::{Cursor, Texts};

use crate::device::Backend;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::say::say;
use crate::write::not_over_input;
use crate::{cache, device, key, model_source};

/// Turn texts into vectors
///
/// The input has a text a line, an id and a tab before it; or texts alone, whose line numbers are
/// their ids. The output is a safetensors file with "vectors" (f32, [vectors, width]), "lengths"
/// (i32, how many vectors each text has) and "ids" (u8, UTF-8, a line feed behind each). Memory
/// does not grow with the input. If it is stopped, the same command resumes from there.
#[derive(Debug, clap::Args)]
pub struct EncodeArgs {
    /// A Hugging Face folder, "dataset:NAME" or "hub:OWNER/NAME"
    #[arg(long)]
    model: String,
    /// The texts: lines of id, tab, text, or of text alone
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// The vectors, in safetensors format
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// A vector for every token of the text behind the model's head, or one for the whole text
    #[arg(long, value_enum, default_value_t = Pool::Tokens)]
    pool: Pool,
    /// The texts are queries: the model's marker of queries is set before each
    #[arg(long, conflicts_with = "document")]
    query: bool,
    /// The texts are documents, which is the default
    #[arg(long)]
    document: bool,
    /// Tokens a text may have, markers included; the rest is cut off. If not given, what the model's
    /// files say, or its positions
    #[arg(long, value_name = "TOKENS")]
    length: Option<usize>,
    /// Tokens that go through the encoder at once, padding included
    #[arg(long, value_name = "TOKENS", default_value_t = 4096)]
    batch: usize,
    /// Do not download: use what the cache has
    #[arg(long)]
    offline: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value = "flex")]
    device: Backend,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Pool {
    Tokens,
    Mean,
    Cls,
}

impl Pool {
    fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Mean => "mean",
            Self::Cls => "cls",
        }
    }

    fn pooling(self) -> Option<Pooling> {
        match self {
            Self::Tokens => None,
            Self::Mean => Some(Pooling::Mean),
            Self::Cls => Some(Pooling::First),
        }
    }
}

/// Runs `optical encode`.
///
/// # Errors
/// If the model or a text is refused, a file cannot be read or written, or somebody stops it.
pub fn run(args: &EncodeArgs) -> anyhow::Result<()> {
    ensure!(args.batch > 0, "--batch 0 leaves nothing to encode at once");
    ensure!(
        args.length != Some(0),
        "--length 0 leaves nothing of a text"
    );
    // Before the model is loaded, so that a misspelt name is told at once.
    not_over_input(&args.output, &[&args.input])?;
    let mut texts = Texts::open(&args.input)?;
    let device = args.device.open()?;
    let folder = model_source::folder(&args.model, &cache::folder()?, args.offline)?;
    let model = Model::load(&folder, &device).with_context(|| format!("model {}", args.model))?;
    model_source::say_left_out(&args.model, &model);
    if let Some(length) = args.length {
        model.check_length(length).context("--length")?;
    }
    if let Some(pooling) = args.pool.pooling() {
        model.check_pooling(pooling).context("--pool")?;
    }
    let head = model.head_or_identity();
    let width = match args.pool {
        Pool::Tokens => head.output,
        Pool::Mean | Pool::Cls => model.config.hidden_size,
    };
    let settings = EncodeSettings {
        role: if args.query {
            Role::Query
        } else {
            Role::Document
        },
        maximum_length: args.length.unwrap_or_else(|| model.maximum_length()),
        tokens_per_batch: args.batch,
    };
    let least = model.tokenizer.least_length(settings.role)?;
    ensure!(
        least <= settings.maximum_length,
        "--length {} leaves no token of a text, expected at least {least}",
        settings.maximum_length
    );
    let metadata = args.metadata(settings, key::of_model(&folder)?, device::kind(&device));
    let mut file = VectorFile::open(&args.output, width, metadata)?;
    if !file.cursor().is_null() {
        let cursor: Cursor = serde_json::from_value(file.cursor().clone())
            .with_context(|| format!("{}.partial", args.output.display()))?;
        texts.skip_to(&cursor)?;
        say(format_args!("resumes after {} lines", cursor.lines));
    }

    let interrupt = Interrupt::listen()?;
    let mut progress = Progress::new("encode bytes", texts.cursor.bytes, texts.total);
    loop {
        let chunk = texts.next_chunk()?;
        if chunk.is_empty() {
            break;
        }
        let vectors = args.encode(&model, &head, &chunk, settings, &device, &interrupt)?;
        for ((id, _), vectors) in chunk.iter().zip(&vectors) {
            file.push(id, vectors)?;
        }
        file.commit(serde_json::to_value(&texts.cursor)?)?;
        let message = format!("{} texts", file.texts());
        progress.at(texts.cursor.bytes.min(texts.total), &message);
    }
    drop(progress);
    let count = file.texts();
    file.finish()?;
    say(format_args!("{count} texts: {}", args.output.display()));
    Ok(())
}

impl EncodeArgs {
    /// All that the vectors depend on, but the texts.
    fn metadata(
        &self,
        settings: EncodeSettings,
        model: String,
        device: String,
    ) -> BTreeMap<String, String> {
        let role = if self.query { "query" } else { "document" };
        BTreeMap::from(
            [
                // By its content: other weights under the same name are another model.
                ("model", model),
                ("device", device),
                ("pool", self.pool.name().to_owned()),
                ("role", role.to_owned()),
                ("length", settings.maximum_length.to_string()),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        )
    }

    /// The vectors of some texts, in their order.
    fn encode(
        &self,
        model: &Model,
        head: &Head,
        chunk: &[(String, String)],
        settings: EncodeSettings,
        device: &burn::prelude::Device,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Vec<Vec<f32>>> {
        let texts: Vec<&str> = chunk.iter().map(|(_, text)| text.as_str()).collect();
        let mut all = vec![Vec::new(); texts.len()];
        let Some(pooling) = self.pool.pooling() else {
            model.encode(&texts, &[head], settings, device, |text| {
                all[text.index].clone_from(&text.vectors[0]);
                interrupt.check()
            })?;
            return Ok(all);
        };
        model.encode_pooled(&texts, pooling, settings, device, |index, vector| {
            all[index] = vector.to_vec();
            interrupt.check()
        })?;
        Ok(all)
    }
}
