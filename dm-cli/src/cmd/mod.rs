//! The commands, one file each.

mod add_table;
mod changed;
mod check;
mod checkpoint;
mod config;
mod crypt;
mod explain;
mod explain_error;
mod handle_error;
mod history;
mod import;
mod locks;
mod manual;
mod operate_schema;
mod relay;
mod reset;
mod run;
mod sample;
mod source;
mod start;
mod status;
mod task;
mod validate;
mod watch;

use std::process::ExitCode;

use crate::args::{Args, Command};
use crate::files::Failure;
use crate::operate::launch;

/// Carries out the command.
pub fn dispatch(args: Args) -> Result<ExitCode, Failure> {
    match args.command {
        Command::Run(args) => run::run(&args),
        Command::Validate(args) => validate::run(&args),
        Command::CheckTask(args) => check::task(&args),
        Command::CheckSource(args) => check::source(&args),
        Command::Explain(args) => explain::run(&args),
        Command::StartTask(args) => start::run(&args),
        Command::PauseTask(args) => task::pause(&args),
        Command::ResumeTask(args) => task::resume(&args),
        Command::StopTask(args) => task::stop(&args),
        Command::AddTable(args) => add_table::run(&args),
        Command::QueryStatus(args) => status::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::OperateSource(args) => source::run(&args),
        Command::GetConfig(args) => config::get(&args),
        Command::Config { command } => config::run(&command),
        Command::StartRelay(args) => relay::start(&args),
        Command::StopRelay(args) => relay::stop(&args),
        Command::PauseRelay(args) => relay::pause(&args),
        Command::ResumeRelay(args) => relay::resume(&args),
        Command::PurgeRelay(args) => relay::purge(&args),
        Command::ShowDdlLocks(args) => locks::run(&args),
        Command::History(args) => history::run(&args),
        Command::Reset(args) => reset::run(&args),
        Command::Owner(args) => launch::own(&args.state.state_dir),
        Command::Checkpoint { command } => checkpoint::run(&command),
        Command::HandleError(args) => handle_error::handle_error(&args),
        Command::Binlog(args) => handle_error::binlog(&args),
        Command::OperateSchema(args) => operate_schema::operate_schema(&args),
        Command::BinlogSchema(args) => operate_schema::binlog_schema(&args),
        Command::Encrypt(args) => crypt::encrypt(&args),
        Command::Decrypt(args) => crypt::decrypt(&args),
        Command::ImportDmCheckpoint(args) => import::checkpoint(&args),
        Command::ImportDmWorker(args) => import::worker(&args),
        Command::Sample { kind } => sample::run(kind),
        Command::ExplainError { code } => explain_error::run(&code),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { command } => manual::man(command.as_deref()),
    }
}
