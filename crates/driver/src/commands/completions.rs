//! `optical completions`: what a shell needs to complete the arguments of this program.

use clap_complete::Shell;

use crate::say::print_bytes;

/// Print completions for a shell
///
/// For bash: optical completions bash > ~/.local/share/bash-completion/completions/optical
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub fn run(args: &CompletionsArgs, mut command: clap::Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "optical", &mut script);
    print_bytes(&script)
}
