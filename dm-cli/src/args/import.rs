//! Coming from DM.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::FileArgs;

/// Arguments of `dm import-dm-checkpoint`.
#[derive(Debug, ClapArgs)]
pub struct ImportCheckpointArgs {
    /// Task and sources: the files that DM was given.
    #[command(flatten)]
    pub files: FileArgs,
}

/// Arguments of `dm import-dm-worker`.
#[derive(Debug, ClapArgs)]
pub struct ImportWorkerArgs {
    /// A dm-worker.toml, or an inventory.ini of DM-Ansible (told apart by their endings).
    #[arg(required = true, value_name = "FILE")]
    pub from: Vec<PathBuf>,

    /// Directory to write the source files to, as SOURCE-ID.yaml; files that are there already stay.
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
}
