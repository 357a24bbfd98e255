//! What can be typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};

/// Migrate MySQL and MariaDB databases into TiDB, MySQL, MariaDB or SQLite, from DM's own task files.
///
/// One binary, no cluster: `dm run task.yaml --source source.yaml` copies the tables and follows
/// the binlog until you stop it. Whatever happens in between (Ctrl-C, kill -9, a lost network),
/// the same command goes on where it stood, without losing or doubling a row.
#[derive(Debug, Parser)]
#[command(name = "dm", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Args {
    /// What goes to the log on standard error: off, error, warn, info, debug, trace.
    #[arg(long, global = true, default_value = "warn", env = "DM_LOG")]
    pub log_level: log::LevelFilter,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a task in the foreground: copy, then follow the binlog.
    ///
    /// Ctrl-C stops at a safe point and says how to go on; twice stops at once (nothing is lost
    /// then either). Exit status: 0 done or stopped as asked, 1 the task failed, 2 wrong usage or
    /// configuration.
    Run(RunArgs),
    /// Check task and source files without touching a server.
    Validate(FileArgs),
    /// Show how a task stands, whether it runs or not.
    QueryStatus(StatusArgs),
    /// Show or move the stored positions of a stopped task.
    Checkpoint {
        /// What to do.
        #[command(subcommand)]
        command: CheckpointCommand,
    },
    /// Encrypt a password for a task or source file, as DM does.
    Encrypt(CryptArgs),
    /// Decrypt a password of a task or source file.
    Decrypt(CryptArgs),
    /// Print completions for a shell.
    Completions {
        /// bash, elvish, fish, powershell or zsh.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

/// A task and its sources.
#[derive(Debug, ClapArgs)]
pub struct FileArgs {
    /// The task file (DM's task.yaml).
    pub task: PathBuf,

    /// A source file (DM's source.yaml); repeat it for each source.
    #[arg(short, long = "source", value_name = "FILE")]
    pub sources: Vec<PathBuf>,

    /// File with the key of encrypted passwords (64 hexadecimal digits); the key that DM has built
    /// in when it is not given.
    #[arg(long, value_name = "FILE")]
    pub secret_key_path: Option<PathBuf>,
}

/// Where tasks keep their state.
#[derive(Debug, ClapArgs)]
pub struct StateArgs {
    /// Directory of the state files.
    #[arg(long, default_value = "dm-state", value_name = "DIR", env = "DM_STATE_DIR")]
    pub state_dir: PathBuf,
}

/// Arguments of `dm run`.
#[derive(Debug, ClapArgs)]
pub struct RunArgs {
    /// Task and sources.
    #[command(flatten)]
    pub files: FileArgs,

    /// State.
    #[command(flatten)]
    pub state: StateArgs,

    /// How far to run: `caught-up`, a position `file:offset`, a GTID set, or a time
    /// `YYYY-MM-DD HH:MM:SS` (UTC). Without it: until you stop it.
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,

    /// Print events as JSON lines on standard output in place of progress.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `dm query-status`.
#[derive(Debug, ClapArgs)]
pub struct StatusArgs {
    /// The task; all tasks of the state directory when it is not given.
    pub task: Option<String>,

    /// State.
    #[command(flatten)]
    pub state: StateArgs,
}

/// What to do with positions.
#[derive(Debug, Subcommand)]
pub enum CheckpointCommand {
    /// Show the stored positions of a task.
    Show {
        /// The task.
        task: String,
        /// State.
        #[command(flatten)]
        state: StateArgs,
    },
    /// Move the position of a stopped task. Going back makes the task apply idempotently until
    /// the old position has passed.
    Set {
        /// The task.
        task: String,
        /// The source.
        #[arg(short, long)]
        source: String,
        /// The new position: `file:offset`, or a GTID set.
        position: String,
        /// Family of the source, for a GTID set: mysql or mariadb.
        #[arg(long, default_value = "mysql")]
        flavor: String,
        /// State.
        #[command(flatten)]
        state: StateArgs,
    },
}

/// Arguments of `dm encrypt` and `dm decrypt`.
#[derive(Debug, ClapArgs)]
pub struct CryptArgs {
    /// The text; read from standard input when it is not given, which keeps it out of the
    /// process list.
    pub text: Option<String>,

    /// File with the key (64 hexadecimal digits); DM's built-in key when it is not given.
    #[arg(long, value_name = "FILE")]
    pub secret_key_path: Option<PathBuf>,
}
