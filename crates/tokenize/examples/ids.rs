//! Prints the ids of texts, one text a line, for `docs/check_tokens.py` to compare.
//!
//! ```sh
//! cargo run --release -p optical-tokenize --example ids -- tokenizer.json < texts
//! ```
#![allow(clippy::print_stdout, reason = "a program prints")]

use std::io::Write;
use std::path::PathBuf;

use optical_tokenize::{Markers, Role, Tokenizer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).map(PathBuf::from);
    let path = path.ok_or("expected the path of a tokenizer.json")?;
    let tokenizer = Tokenizer::from_bytes(&std::fs::read(path)?, Markers::default())?;
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lines() {
        let tokens = tokenizer.encode(&line?, Role::Query, 1 << 20)?;
        let ids: Vec<String> = tokens.ids.iter().map(u32::to_string).collect();
        writeln!(output, "{}", ids.join(" "))?;
    }
    Ok(())
}
