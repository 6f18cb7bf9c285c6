//! An external translator: a program that reads one query per line and writes one translation per line.

use std::ffi::OsStr;
use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

/// The translations of `texts`, in their order, by a program and its arguments.
///
/// White space within a text becomes single blanks, so that each is one line.
pub fn translate(
    command: &[String],
    programs: &OsStr,
    texts: &[&str],
) -> anyhow::Result<Vec<String>> {
    let (program, arguments) = command.split_first().context("no program is named")?;
    let mut child = Command::new(program)
        .args(arguments)
        .env("PATH", programs)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{program} cannot be started; is it installed?"))?;
    let mut input: Vec<u8> = Vec::new();
    for text in texts {
        let words: Vec<&str> = text.split_whitespace().collect();
        writeln!(input, "{}", words.join(" "))?;
    }
    let mut stdin = child.stdin.take().context("no standard input")?;
    // Written beside the reading, since a program may answer before it has read everything.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child
        .wait_with_output()
        .with_context(|| format!("the output of {program}"))?;
    let written = writer.join().unwrap_or(Ok(()));
    let called = command.join(" ");
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("`{called}` failed, {}: {}", output.status, errors.trim());
    }
    match written {
        // A program that has seen enough has too few lines to show for it.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            return Err(error).with_context(|| format!("the input of {program}"));
        }
        _ => {}
    }
    let output = String::from_utf8(output.stdout)
        .map_err(|_| anyhow::anyhow!("`{called}` wrote text that is not UTF-8"))?;
    let lines: Vec<String> = output.lines().map(str::to_owned).collect();
    ensure!(
        lines.len() == texts.len(),
        "`{called}` wrote {} lines for {} queries, expected one for each",
        lines.len(),
        texts.len()
    );
    Ok(lines)
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shell(script: &str, texts: &[&str]) -> anyhow::Result<Vec<String>> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        translate(&["sh", "-c", script].map(str::to_owned), &path, texts)
    }

    #[test]
    fn each_query_has_its_line() {
        let found = shell("tr a-z A-Z", &["habari\n za", "", "asubuhi"]).unwrap();
        assert_eq!(found, ["HABARI ZA", "", "ASUBUHI"]);
        // More than any pipe holds, answered while it is read.
        let many: Vec<String> = (0..100_000).map(|i| format!("query {i}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(shell("cat", &many).unwrap(), many);
    }

    #[test]
    fn what_went_wrong_is_said() {
        let error = |result: anyhow::Result<Vec<String>>| format!("{:#}", result.unwrap_err());
        let message = error(translate(
            &["no-such-translator".to_owned()],
            OsStr::new(""),
            &["a"],
        ));
        assert!(
            message.contains("no-such-translator cannot be started"),
            "{message}"
        );
        let message = error(shell(
            "cat > /dev/null; echo no such mode >&2; exit 3",
            &["a"],
        ));
        assert!(
            message.contains("exit status: 3: no such mode"),
            "{message}"
        );
        let many = vec!["a long query"; 100_000];
        let message = error(shell("head -n 2", &many));
        assert!(
            message.contains("wrote 2 lines for 100000 queries"),
            "{message}"
        );
        let message = error(shell("printf '\\377\\n'", &["a"]));
        assert!(message.contains("not UTF-8"), "{message}");
    }
}
