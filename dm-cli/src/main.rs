//! The `dm` command: migrate MySQL-compatible databases from DM's own task files.

mod args;
mod cmd;
mod files;
mod http;
mod logger;
mod memory;
mod operate;
mod out;
mod progress;
mod time;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let master = std::env::var("DM_MASTER_ADDR").ok();
    let cleaned = operate::dmctl::clean(std::env::args_os(), master.as_deref());
    cleaned.tell();
    let answered = cleaned.cluster();
    answered.unwrap_or_else(|| run(&cleaned)).unwrap_or_else(|failure| {
        out::fail(&failure);
        failure.exit_code()
    })
}

fn run(cleaned: &operate::dmctl::Cleaned) -> Result<ExitCode, files::Failure> {
    let args = args::Args::parse_from(&cleaned.args);
    logger::install(args.log_level, &args.log)?;
    out::set_dmctl(cleaned.dmctl);
    cmd::dispatch(args)
}
