//! `dm completions` and `dm man`: rendered from the arguments themselves.

use std::io::Write;
use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::Args;
use crate::files::Failure;

pub fn completions(shell: clap_complete::Shell) -> Result<ExitCode, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "dm", &mut text);
    print(&text)
}

pub fn man() -> Result<ExitCode, Failure> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Args::command())
        .render(&mut text)
        .map_err(|e| Failure::Usage(format!("cannot render the manual page: {e}")))?;
    print(&text)
}

fn print(text: &[u8]) -> Result<ExitCode, Failure> {
    std::io::stdout()
        .write_all(text)
        .map_err(|e| Failure::Usage(format!("cannot write to standard output: {e}")))?;
    Ok(ExitCode::SUCCESS)
}
