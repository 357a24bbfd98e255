//! The commands, one file each.

mod checkpoint;
mod crypt;
mod manual;
mod run;
mod status;
mod validate;

use std::io::Write;
use std::process::ExitCode;

use crate::args::{Args, Command};
use crate::files::Failure;

/// Exit status for wrong usage and wrong configuration.
pub const USAGE: u8 = 2;

/// Prints an answer. A reader that has gone away (`dm ... | head`) is no failure.
pub fn say(text: &str) -> Result<ExitCode, Failure> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Usage(format!("cannot write to standard output: {e}")))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Carries out the command.
pub fn dispatch(args: Args) -> Result<ExitCode, Failure> {
    match args.command {
        Command::Run(args) => run::run(&args),
        Command::Validate(args) => validate::run(&args),
        Command::QueryStatus(args) => status::run(&args),
        Command::Checkpoint { command } => checkpoint::run(&command),
        Command::Encrypt(args) => crypt::encrypt(&args),
        Command::Decrypt(args) => crypt::decrypt(&args),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man => manual::man(),
    }
}
