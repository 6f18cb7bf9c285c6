//! Queries from standard input, one per line; a line that cannot be read costs that line alone.

use std::io::{BufRead, Result};

/// Marks of files that are UTF-16.
const UTF_16: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// Lines of text, without the mark that some editors set before the first.
pub struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub fn new(input: R) -> Self {
        Self { input, number: 0 }
    }

    /// The next line without white space around it, or what is wrong with it; `None` at the end.
    pub fn next(&mut self) -> Result<Option<std::result::Result<String, String>>> {
        let mut bytes = Vec::new();
        if self.input.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.number == 1 && UTF_16.iter().any(|mark| bytes.starts_with(mark)) {
            return Err(std::io::Error::other("is UTF-16, expected UTF-8"));
        }
        let line = std::str::from_utf8(&bytes).map(|line| match self.number {
            1 => line.trim_start_matches('\u{feff}').trim().to_owned(),
            _ => line.trim().to_owned(),
        });
        Ok(Some(line.map_err(|_| {
            format!("line {} of standard input is not UTF-8", self.number)
        })))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_bad_line_costs_that_line() {
        let mut lines = Lines::new(&b"\xef\xbb\xbf maji\r\n\xff\xfe\n\nmoto\xe9\njua"[..]);
        let mut next = || lines.next().unwrap();
        assert_eq!(next(), Some(Ok("maji".to_owned())));
        let problem = |line| Some(Err(format!("line {line} of standard input is not UTF-8")));
        assert_eq!(next(), problem(2));
        assert_eq!(next(), Some(Ok(String::new())));
        assert_eq!(next(), problem(4));
        assert_eq!(next(), Some(Ok("jua".to_owned())));
        assert_eq!(next(), None);
    }

    #[test]
    fn utf_16_is_named() {
        let error = Lines::new(&b"\xff\xfem\0a\0"[..]).next().unwrap_err();
        assert_eq!(error.to_string(), "is UTF-16, expected UTF-8");
    }
}
