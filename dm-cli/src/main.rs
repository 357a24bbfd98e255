//! The `dm` command: migrate MySQL-compatible databases from DM's own task files.

mod args;
mod cmd;
mod files;
mod logger;
mod progress;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    logger::install(args.log_level);
    match cmd::dispatch(args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(1)
        }
    }
}
