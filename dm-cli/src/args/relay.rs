//! Arguments of the commands about relay logs, with dmctl's names and letters.

use clap::Args as ClapArgs;

use super::{AskArgs, KeyArgs};

/// Arguments of `dm start-relay`, `stop-relay`, `pause-relay` and `resume-relay`.
#[derive(Debug, ClapArgs)]
pub struct RelayArgs {
    /// These sources; repeat it, or give several with commas.
    #[arg(short, long = "source", value_name = "ID", value_delimiter = ',', required = true)]
    pub sources: Vec<String>,

    /// DM binds a relay log to workers; here there is one host, and the names are ignored.
    #[arg(value_name = "WORKER")]
    pub workers: Vec<String>,

    /// Passwords.
    #[command(flatten)]
    pub key: KeyArgs,

    /// State and answer.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// Arguments of `dm purge-relay`.
#[derive(Debug, ClapArgs)]
pub struct PurgeRelayArgs {
    /// The source.
    #[arg(short, long = "source", value_name = "ID")]
    pub source: String,

    /// The files before this one are removed.
    #[arg(short, long, value_name = "FILE")]
    pub filename: String,

    /// The sub-directory of the file; the newest without it.
    #[arg(long, value_name = "NAME")]
    pub sub_dir: Option<String>,

    /// Passwords.
    #[command(flatten)]
    pub key: KeyArgs,

    /// State and answer.
    #[command(flatten)]
    pub ask: AskArgs,
}
