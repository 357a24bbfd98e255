//! The commands, one file each.

mod answers;
mod check;
mod checkpoint;
mod crypt;
mod explain;
mod explain_error;
mod handle_error;
mod manual;
mod operate_schema;
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
        Command::HandleError(args) => handle_error::handle_error(&args),
        Command::Binlog(args) => handle_error::binlog(&args),
        Command::OperateSchema(args) => operate_schema::operate_schema(&args),
        Command::BinlogSchema(args) => operate_schema::binlog_schema(&args),
        Command::Encrypt(args) => crypt::encrypt(&args),
        Command::Decrypt(args) => crypt::decrypt(&args),
        Command::Sample { kind } => sample::run(kind),
        Command::ExplainError { code } => explain_error::run(&code),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { command } => manual::man(command.as_deref()),
    }
}
