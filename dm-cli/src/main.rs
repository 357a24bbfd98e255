//! The `dm` command: migrate MySQL-compatible databases from DM's own task files.

mod args;
mod cmd;
mod files;
mod http;
mod logger;
mod memory;
mod out;
mod progress;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    logger::install(args.log_level);
    cmd::dispatch(args).unwrap_or_else(|failure| {
        out::fail(&failure);
        failure.exit_code()
    })
}
