//! The commands, one file each.

mod checkpoint;
mod crypt;
mod manual;
mod run;
mod status;
mod validate;

use std::process::ExitCode;

use crate::args::{Args, Command};
use crate::files::Failure;

/// Exit status for wrong usage and wrong configuration.
pub const USAGE: u8 = 2;

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
