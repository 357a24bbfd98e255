//! Where the log goes.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use super::values;

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object: level, time, message, component, task, source.
    Json,
}

/// Where the log goes. Commands that start a task in the background hand this on to it.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct LogArgs {
    /// How a line of the log looks: text or json.
    #[arg(
        long,
        global = true,
        default_value = "text",
        value_name = "FORMAT",
        env = "DM_LOG_FORMAT"
    )]
    pub log_format: LogFormat,

    /// Write the log to this file, and not to standard error.
    #[arg(long, global = true, value_name = "FILE")]
    pub log_file: Option<PathBuf>,

    /// Size at which the log file is put aside, as FILE.1.
    #[arg(long, global = true, default_value = "300MiB", value_name = "SIZE", value_parser = values::size)]
    pub log_max_size: u64,

    /// How many files that were put aside are kept.
    #[arg(long, global = true, default_value_t = 10, value_name = "N")]
    pub log_max_backups: u32,
}
