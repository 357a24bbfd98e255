//! The commands, one file each.

mod check;
mod checkpoint;
mod crypt;
mod explain;
mod explain_error;
mod manual;
mod run;
mod sample;
mod status;
mod validate;

use std::process::ExitCode;

use crate::args::{Args, Command};
use crate::files::Failure;

/// Carries out the command.
pub fn dispatch(args: Args) -> Result<ExitCode, Failure> {
    match args.command {
        Command::Run(args) => run::run(&args),
        Command::Validate(args) => validate::run(&args),
        Command::CheckTask(args) => check::task(&args),
        Command::CheckSource(args) => check::source(&args),
        Command::Explain(args) => explain::run(&args),
        Command::QueryStatus(args) => status::run(&args),
        Command::Checkpoint { command } => checkpoint::run(&command),
        Command::Encrypt(args) => crypt::encrypt(&args),
        Command::Decrypt(args) => crypt::decrypt(&args),
        Command::Sample { kind } => sample::run(kind),
        Command::ExplainError { code } => explain_error::run(&code),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { command } => manual::man(command.as_deref()),
    }
}
