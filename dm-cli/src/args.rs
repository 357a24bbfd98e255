//! What can be typed.

mod common;
mod help;
mod help_import;
mod help_operate;
mod http;
mod import;
mod log;
mod operate;
mod operators;
mod relay;
mod values;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

pub use self::common::{AskArgs, GivenArgs, KeyArgs, OnlyArgs, StateArgs};
pub use self::http::HttpArgs;
pub use self::import::{ImportCheckpointArgs, ImportWorkerArgs};
pub use self::log::{LogArgs, LogFormat};
pub use self::operate::*;
pub use self::operators::{
    BinlogArgs, BinlogSchemaArgs, HandleErrorArgs, OperateSchemaArgs, StatementOp, StatementPlace,
    StructureFrom, StructureOp,
};
pub use self::relay::{PurgeRelayArgs, RelayArgs};
pub use self::values::TableArg;
use crate::operate::dumps::Dump;

/// Migrate MySQL and MariaDB databases into TiDB, MySQL, MariaDB or SQLite, from DM's own task files.
///
/// One binary, no cluster: `dm run task.yaml --source source.yaml` copies the tables and follows
/// the binlog until you stop it. Whatever happens in between (Ctrl-C, kill -9, a lost network),
/// the same command goes on where it stood, without losing or doubling a row.
#[derive(Debug, Parser)]
#[command(name = "dm", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = help::DM)]
pub struct Args {
    /// What goes to the log on standard error: off, error, warn, info, debug, trace.
    #[arg(long, global = true, default_value = "warn", env = "DM_LOG")]
    pub log_level: ::log::LevelFilter,

    /// Where the log goes.
    #[command(flatten)]
    pub log: LogArgs,

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
    /// then either).
    #[command(after_help = help::RUN)]
    Run(RunArgs),
    /// Check task and source files without touching a server.
    ///
    /// All mistakes are told at once, each with file, line and key, what was found and what was
    /// expected; so are settings that work and may not do what was meant.
    #[command(after_help = help::VALIDATE)]
    Validate(FileArgs),
    /// Check what must be so at sources and target before a task starts, and change nothing.
    ///
    /// Everything that is wrong is told at once, each with what was found, what is expected and how
    /// to repair it. `dm run` makes the same checks itself.
    #[command(after_help = help::CHECK_TASK)]
    CheckTask(CheckTaskArgs),
    /// Check what must be so at sources, without a task.
    #[command(after_help = help::CHECK_SOURCE)]
    CheckSource(CheckSourceArgs),
    /// Say what a task does to its tables: which are migrated, by which rule, to where.
    ///
    /// With --table nothing is connected: the answer comes from the rules. Without it the sources
    /// are asked for their tables, and what deserves attention in all of them together is told.
    #[command(after_help = help::EXPLAIN)]
    Explain(ExplainArgs),
    /// Start a task in the background; what was stopped goes on where it stood.
    #[command(after_help = help_operate::START)]
    StartTask(StartArgs),
    /// Pause a task, or some sources of it, at a safe point.
    #[command(after_help = help_operate::PAUSE)]
    PauseTask(TaskArgs),
    /// Go on with a task that is paused, that stopped at an error, or whose process was killed.
    #[command(after_help = help_operate::RESUME)]
    ResumeTask(ResumeArgs),
    /// Stop a task, or some sources of it; the positions stay.
    #[command(after_help = help_operate::STOP)]
    StopTask(TaskArgs),
    /// Copy tables that a task does not carry yet, and join them to it while it goes on.
    #[command(after_help = help_operate::ADD_TABLE)]
    AddTable(AddTableArgs),
    /// Show how tasks stand, whether they run or not.
    #[command(after_help = help_operate::QUERY_STATUS)]
    QueryStatus(StatusArgs),
    /// Show a task live, on a terminal.
    #[command(after_help = help_operate::WATCH)]
    Watch(WatchArgs),
    /// Register, change, forget and list sources.
    #[command(after_help = help_operate::OPERATE_SOURCE)]
    OperateSource(SourceArgs),
    /// Show the configuration of a task or a source.
    #[command(after_help = help_operate::GET_CONFIG)]
    GetConfig(GetConfigArgs),
    /// Show, export and import configurations.
    #[command(after_help = help_operate::CONFIG)]
    Config {
        /// What to do.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Keep the binlog of sources in files here, by a process in the background.
    ///
    /// Tasks of these sources read the files from then on, and the sources may forget their own.
    #[command(after_help = help_operate::START_RELAY)]
    StartRelay(RelayArgs),
    /// End keeping the binlog of sources in files; tasks read from the sources again.
    #[command(after_help = help_operate::STOP_RELAY)]
    StopRelay(RelayArgs),
    /// Interrupt keeping the binlog of sources in files; tasks wait for what comes behind.
    #[command(after_help = help_operate::PAUSE_RELAY)]
    PauseRelay(RelayArgs),
    /// Go on after pause-relay, or try again at once after an error.
    #[command(after_help = help_operate::RESUME_RELAY)]
    ResumeRelay(RelayArgs),
    /// Remove binlog files of a source that are kept here and that no task needs.
    #[command(after_help = help_operate::PURGE_RELAY)]
    PurgeRelay(PurgeRelayArgs),
    /// Show the DDL locks of merged tables.
    #[command(after_help = help_operate::SHOW_DDL_LOCKS, alias = "shard-ddl-lock")]
    ShowDdlLocks(LocksArgs),
    /// Show which commands were given to a task.
    #[command(after_help = help_operate::HISTORY)]
    History(HistoryArgs),
    /// Forget what is stored of a stopped task.
    #[command(after_help = help_operate::RESET)]
    Reset(ResetArgs),
    /// Run the task that standard input describes; started by start-task.
    #[command(hide = true, after_help = help_operate::OWNER)]
    Owner(OwnerArgs),
    /// Show or move the stored positions of a stopped task.
    #[command(after_help = help::CHECKPOINT)]
    Checkpoint {
        /// What to do.
        #[command(subcommand)]
        command: CheckpointCommand,
    },
    /// Say what happens instead of a statement: leave it out, run others instead of it or before it.
    ///
    /// Without -b it is about the statement that the task has stopped at, and the task goes on from
    /// there when it is started again.
    #[command(after_help = help::HANDLE_ERROR)]
    HandleError(HandleErrorArgs),
    /// The same as handle-error, in the words of newer releases of DM.
    #[command(after_help = help::BINLOG)]
    Binlog(BinlogArgs),
    /// Show, give or forget the structure in which the rows of a table are read from the binlog.
    #[command(after_help = help::OPERATE_SCHEMA)]
    OperateSchema(OperateSchemaArgs),
    /// The same as operate-schema, in the words of newer releases of DM.
    #[command(after_help = help::BINLOG_SCHEMA)]
    BinlogSchema(BinlogSchemaArgs),
    /// Encrypt a password for a task or source file, as DM does.
    #[command(after_help = help::ENCRYPT)]
    Encrypt(CryptArgs),
    /// Decrypt a password of a task or source file.
    #[command(after_help = help::DECRYPT)]
    Decrypt(CryptArgs),
    /// Take over where DM stands with a task, so that it goes on from there here.
    ///
    /// Reads DM's tables at the target, of 1.0, 2.0 or later, and changes nothing there.
    #[command(after_help = help_import::CHECKPOINT)]
    ImportDmCheckpoint(ImportCheckpointArgs),
    /// Write source files from the configuration of a DM 1.0: dm-worker.toml or inventory.ini.
    #[command(after_help = help_import::WORKER)]
    ImportDmWorker(ImportWorkerArgs),
    /// Print a commented file to begin with.
    #[command(after_help = help::SAMPLE)]
    Sample {
        /// Which file.
        kind: SampleKind,
    },
    /// Say what an error code means and what to do about it.
    #[command(after_help = help::EXPLAIN_ERROR)]
    ExplainError {
        /// The number behind `code=` in a message, the code's name, or the number of a server's error.
        code: String,
    },
    /// Print completions for a shell.
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// bash, elvish, fish, powershell or zsh.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, of everything or of one command.
    #[command(after_help = help::MAN)]
    Man {
        /// The command; the page of `dm` itself when it is not given.
        command: Option<String>,
    },
}

/// The files that `dm sample` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SampleKind {
    /// What to migrate (task.yaml).
    Task,
    /// Where one source is (source.yaml).
    Source,
}

/// A task and its sources.
#[derive(Debug, ClapArgs)]
pub struct FileArgs {
    /// The task file (DM's task.yaml).
    pub task: PathBuf,

    /// A source file (DM's source.yaml); repeat it for each source. Sources that are registered
    /// with `operate-source` need not be given.
    #[arg(short, long = "source", value_name = "FILE")]
    pub sources: Vec<PathBuf>,

    /// A directory that Dumpling or mydumper wrote: its rows are taken instead of copying the source's
    /// tables, and the binlog is followed from the position in its metadata. Where a task has several
    /// sources, repeat it with SOURCE-ID=DIR. A task that has begun with it goes on with it.
    #[arg(long = "dump-dir", value_name = "[SOURCE-ID=]DIR")]
    pub dumps: Vec<Dump>,

    /// State.
    #[command(flatten)]
    pub state: StateArgs,

    /// Passwords.
    #[command(flatten)]
    pub key: KeyArgs,
}

/// Arguments of `dm run`.
#[derive(Debug, ClapArgs)]
pub struct RunArgs {
    /// Task and sources.
    #[command(flatten)]
    pub files: FileArgs,

    /// How far to run: `caught-up`, a position `file:offset`, a GTID set, or a time
    /// `YYYY-MM-DD HH:MM:SS` (UTC). Without it: until you stop it.
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,

    /// Most rows written to the target in a second, over all sources; goes before the task file.
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_rows_per_second: Option<u64>,

    /// Most bytes written to the target in a second (`10MiB`); goes before the task file.
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub max_bytes_per_second: Option<u64>,

    /// Log what takes at least so many milliseconds at the target (a transaction, a statement), with
    /// its place in the binlog; goes before the task file.
    #[arg(long, value_name = "MS")]
    pub slow_ms: Option<u64>,

    /// The HTTP interface.
    #[command(flatten)]
    pub http: HttpArgs,

    /// Print events as JSON lines on standard output in place of progress.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `dm check-task`.
#[derive(Debug, ClapArgs)]
pub struct CheckTaskArgs {
    /// Task and sources.
    #[command(flatten)]
    pub files: FileArgs,

    /// Most failures to print.
    #[arg(short, long, default_value_t = 10, value_name = "N")]
    pub error: usize,

    /// Most warnings to print.
    #[arg(short, long, default_value_t = 10, value_name = "N")]
    pub warn: usize,

    /// The time that the task is to start from: accepted as DM does, and without a meaning for
    /// what is checked here.
    #[arg(long, value_name = "TIME")]
    pub start_time: Option<String>,

    /// Print one JSON document, with DM's fields.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `dm check-source`.
#[derive(Debug, ClapArgs)]
pub struct CheckSourceArgs {
    /// Source files (DM's source.yaml).
    #[arg(required = true, value_name = "FILE")]
    pub sources: Vec<PathBuf>,

    /// Passwords.
    #[command(flatten)]
    pub key: KeyArgs,

    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `dm explain`.
#[derive(Debug, ClapArgs)]
pub struct ExplainArgs {
    /// Task and sources.
    #[command(flatten)]
    pub files: FileArgs,

    /// A table to explain, `schema.table`; repeat it for more. It need not exist. Names with dots
    /// are written in back quotes: '`a.b`.c'.
    #[arg(short, long = "table", value_name = "TABLE")]
    pub tables: Vec<TableArg>,

    /// Connect to nothing: list the rules and the tables that they name.
    #[arg(long)]
    pub offline: bool,

    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// What to do with positions.
#[derive(Debug, Subcommand)]
pub enum CheckpointCommand {
    /// Show the stored positions of a task.
    Show {
        /// The task, by its name or its file.
        task: String,
        /// State.
        #[command(flatten)]
        state: StateArgs,
    },
    /// Move the position of a stopped task. Going back makes the task apply idempotently until
    /// the old position has passed.
    Set {
        /// The task, by its name or its file.
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

    /// Passwords.
    #[command(flatten)]
    pub key: KeyArgs,
}

#[cfg(test)]
mod docs;

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_sound() {
        super::Args::command().debug_assert();
    }

    #[test]
    fn every_command_teaches_by_example() {
        for command in super::Args::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let name = command.get_name();
            assert!(help.contains(&format!("dm {name}")), "{name} has no example");
        }
    }
}
