//! What the program prints: results on standard output, everything else on standard error.
//!
//! `println!` panics where nobody reads any more, as after `| head`. Here a reader who has seen enough
//! ends the program quietly, and a standard error that is closed changes nothing.

use std::fmt::{self, Display, Formatter};
use std::io::{self, ErrorKind, Write};

use anyhow::Context;

/// Whoever read the results has seen enough: the program ends, and that is no failure.
#[derive(Debug)]
pub struct SeenEnough;

impl Display for SeenEnough {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads the results any more")
    }
}

impl std::error::Error for SeenEnough {}

/// Prints a result as it is, without a line feed of its own.
pub fn print(result: impl Display) -> anyhow::Result<()> {
    print_bytes(result.to_string().as_bytes())
}

/// Prints bytes.
pub fn print_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    // What is left in the buffer would be lost without a word.
    written(output.write_all(bytes).and_then(|()| output.flush())).context("standard output")
}

/// What became of writing to a pipe: a reader who went away is [`SeenEnough`].
pub fn written(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(SeenEnough.into()),
        result => Ok(result?),
    }
}

/// Says a line on standard error.
pub fn say(line: impl Display) {
    // In one piece, so that lines of several processes do not mix; nobody is left to be told if this
    // fails.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
