//! What several commands take.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;

/// Where tasks keep their state.
#[derive(Clone, Debug, ClapArgs)]
pub struct StateArgs {
    /// Directory of the state files.
    #[arg(long, default_value = "dm-state", value_name = "DIR", env = "DM_STATE_DIR")]
    pub state_dir: PathBuf,
}

/// How passwords are read.
#[derive(Clone, Debug, ClapArgs)]
pub struct KeyArgs {
    /// File with the key of encrypted passwords (64 hexadecimal digits); the key that DM has built
    /// in when it is not given.
    #[arg(long, value_name = "FILE")]
    secret_key_path: Option<PathBuf>,
}

impl KeyArgs {
    /// The file with the key.
    pub fn path(&self) -> Option<&Path> {
        self.secret_key_path.as_deref()
    }
}

/// What is known of sources that are not registered.
#[derive(Clone, Debug, ClapArgs)]
pub struct GivenArgs {
    /// A source file for a source that is not registered with `operate-source`; repeat it for each.
    #[arg(long = "source-file", value_name = "FILE")]
    pub source_files: Vec<PathBuf>,

    /// Passwords.
    #[command(flatten)]
    pub key: KeyArgs,
}

/// Some sources of a task.
#[derive(Clone, Debug, ClapArgs)]
pub struct OnlyArgs {
    /// These sources' parts only; repeat it, or give several with commas.
    #[arg(short, long = "source", value_name = "ID", value_delimiter = ',')]
    pub sources: Vec<String>,
}

/// Whom a command asks, and how it answers.
#[derive(Clone, Debug, ClapArgs)]
pub struct AskArgs {
    /// State.
    #[command(flatten)]
    pub state: StateArgs,

    /// Answer in DM's JSON, also on a terminal.
    #[arg(long)]
    pub json: bool,
}

impl AskArgs {
    /// The state directory.
    pub fn dir(&self) -> &Path {
        &self.state.state_dir
    }
}
