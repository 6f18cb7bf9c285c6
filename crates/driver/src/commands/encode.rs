//! `optical encode`: texts to vectors, one text per line, in one safetensors file.

use std::path::PathBuf;

use anyhow::ensure;
use optical_encoder::{EncodeSettings, Pooling};
use optical_store::{FileEncoding, Texts};
use optical_tokenize::Role;

use crate::device::EncodingDevice;
use crate::say::say;
use crate::{console, site};

/// Turn texts into vectors
///
/// The input has one text per line, an id and a tab before it, or texts alone, whose line numbers are
/// their ids; a first line that names the columns, such as `id` and `text`, is passed over. The output
/// is a safetensors file with "vectors" (f32, [vectors, width]), "lengths" (i32, how many vectors each
/// text has) and "ids" (u8, UTF-8, a line feed after each). Memory does not grow with the input. If it
/// is stopped, the same command resumes from there.
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
    /// A vector for every token of the text after the model's head, or one for the whole text
    #[arg(long, value_enum, default_value_t = Pool::Tokens)]
    pool: Pool,
    /// The texts are queries: the model's marker of queries is set before each
    #[arg(long, conflicts_with = "document")]
    query: bool,
    /// The texts are documents, which is the default
    #[arg(long)]
    document: bool,
    /// The most tokens per text, markers included; the rest is cut off. If not given, what the model's
    /// files say, or its positions
    #[arg(long, value_name = "TOKENS")]
    length: Option<usize>,
    #[command(flatten)]
    on: EncodingDevice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Pool {
    Tokens,
    Mean,
    Cls,
}

/// Runs `optical encode`.
///
/// # Errors
/// If the model or a text is refused, a file cannot be read or written, or somebody stops it.
pub fn run(args: &EncodeArgs) -> anyhow::Result<()> {
    ensure!(
        args.on.batch > 0,
        "--batch 0 leaves nothing to encode at once"
    );
    ensure!(
        args.length != Some(0),
        "--length 0 leaves nothing of a text"
    );
    // Before the model is loaded, so that a misspelt name is told at once.
    site::not_over_input(&args.output, &[&args.input])?;
    let texts = Texts::open(&args.input)?;
    let site = site::on(args.on.device, args.on.offline, console::listening()?)?;
    let device = site.device();
    let reader = site.store.reader(&args.model, device)?;
    let role = match args.query {
        true => Role::Query,
        false => Role::Document,
    };
    let most = || reader.model.maximum_length();
    let encoding = FileEncoding {
        pooling: match args.pool {
            Pool::Tokens => None,
            Pool::Mean => Some(Pooling::Mean),
            Pool::Cls => Some(Pooling::First),
        },
        settings: EncodeSettings {
            role,
            maximum_length: args.length.unwrap_or_else(most),
            tokens_per_batch: args.on.batch,
        },
    };
    encoding.check(&reader)?;
    let output = &args.output;
    let count = encoding.run(texts, output, &reader, device, &site.store.host)?;
    say(format_args!("{count} texts: {}", output.display()));
    Ok(())
}
