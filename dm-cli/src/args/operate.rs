//! Arguments of the commands that operate tasks, with dmctl's names and letters.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::{AskArgs, GivenArgs, HttpArgs, KeyArgs, OnlyArgs, StateArgs, TableArg};
use crate::operate::dumps::Dump;

/// Arguments of `dm start-task`.
#[derive(Debug, ClapArgs)]
pub struct StartArgs {
    /// The task file (DM's task.yaml).
    pub task: PathBuf,

    /// Its part.
    #[command(flatten)]
    pub only: OnlyArgs,

    /// A directory that Dumpling or mydumper wrote: its rows are taken instead of copying the source's
    /// tables, and the binlog is followed from the position in its metadata. Where a task has several
    /// sources, repeat it with SOURCE-ID=DIR. A task that has begun with it goes on with it.
    #[arg(long = "dump-dir", value_name = "[SOURCE-ID=]DIR")]
    pub dumps: Vec<Dump>,

    /// Forget what is stored of the task, here and at the target, and begin anew.
    #[arg(long)]
    pub remove_meta: bool,

    /// Follow the binlog from this time on, `YYYY-MM-DD HH:MM:SS` (UTC, or with a zone such as
    /// `+02:00`): for a task in mode incremental that has no position yet.
    #[arg(long, value_name = "TIME")]
    pub start_time: Option<String>,

    /// The HTTP interface of the process in the background.
    #[command(flatten)]
    pub http: HttpArgs,

    /// Sources that are not registered.
    #[command(flatten)]
    pub given: GivenArgs,

    /// State and answer.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// Arguments of `dm pause-task` and `dm stop-task`.
#[derive(Debug, ClapArgs)]
pub struct TaskArgs {
    /// The task, by its name or its file; without it, all tasks of the sources that --source names.
    #[arg(required_unless_present = "sources")]
    pub task: Option<String>,

    /// Its part.
    #[command(flatten)]
    pub only: OnlyArgs,

    /// State and answer.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// Arguments of `dm resume-task`.
#[derive(Debug, ClapArgs)]
pub struct ResumeArgs {
    /// Task and sources.
    #[command(flatten)]
    pub task: TaskArgs,

    /// Sources that are not registered.
    #[command(flatten)]
    pub given: GivenArgs,

    /// Apply what comes first so that applying it twice does no harm: for a span of the source's
    /// binlog (`10m`, `1h30m`), or up to a position (`file:offset`, a GTID set). After a stop at a
    /// duplicate key this happens by itself, up to where the source stands.
    #[arg(long, value_name = "SPAN|POSITION", conflicts_with = "no_safe_mode")]
    pub safe_mode: Option<String>,

    /// Go on exactly, also after a stop at a duplicate key.
    #[arg(long)]
    pub no_safe_mode: bool,

    /// The HTTP interface, where a process is started.
    #[command(flatten)]
    pub http: HttpArgs,
}

/// Arguments of `dm add-table`.
#[derive(Debug, ClapArgs)]
pub struct AddTableArgs {
    /// The task, by its name, or by its file when the rules in it have changed.
    pub task: String,

    /// A table as the source names it, `schema.table`; repeat it for more.
    #[arg(short, long = "table", value_name = "SCHEMA.TABLE", required = true)]
    pub tables: Vec<TableArg>,

    /// Its part.
    #[command(flatten)]
    pub only: OnlyArgs,

    /// Take back an addition that has not come to its end. Copied rows stay at the target.
    #[arg(long)]
    pub cancel: bool,

    /// Sources that are not registered.
    #[command(flatten)]
    pub given: GivenArgs,

    /// State and answer.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// Arguments of `dm query-status`.
#[derive(Debug, ClapArgs)]
pub struct StatusArgs {
    /// The task, by its name or its file; all tasks of the state directory when it is not given.
    pub task: Option<String>,

    /// Its part.
    #[command(flatten)]
    pub only: OnlyArgs,

    /// All there is to know also of all tasks.
    #[arg(long)]
    pub more: bool,

    /// State and answer.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// What to do with sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SourceOperation {
    /// Register sources, from their files: all of them or none.
    Create,
    /// Replace what is known of registered sources, from their files: all of them or none.
    Update,
    /// Forget sources, by file or id: all of them or none.
    Stop,
    /// List the registered sources.
    Show,
}

/// Arguments of `dm operate-source`.
#[derive(Debug, ClapArgs)]
pub struct SourceArgs {
    /// What to do.
    #[arg(required_unless_present = "print_sample_config")]
    pub operation: Option<SourceOperation>,

    /// Source files (DM's source.yaml); for `stop` and `show` also ids.
    pub sources: Vec<String>,

    /// Ids for `stop` and `show`; repeat it, or give several with commas.
    #[arg(short = 's', long = "source", value_name = "ID", value_delimiter = ',')]
    pub ids: Vec<String>,

    /// DM binds a source to a worker; here there is one host, and the name is ignored.
    #[arg(short, long, value_name = "NAME", hide = true)]
    pub worker: Option<String>,

    /// Print a commented source file to begin with.
    #[arg(short, long)]
    pub print_sample_config: bool,

    /// Passwords.
    #[command(flatten)]
    pub key: KeyArgs,

    /// State and answer.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// The configurations that can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ConfigKind {
    /// The task file that a task was started with.
    Task,
    /// The source file that a source was registered with.
    Source,
}

/// Arguments of `dm get-config`.
#[derive(Debug, ClapArgs)]
pub struct GetConfigArgs {
    /// Of what.
    pub kind: ConfigKind,
    /// The task or the source, and where to.
    #[command(flatten)]
    pub config: NamedConfig,
}

/// What to do with configurations.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// The task file that a task was started with.
    Task(NamedConfig),
    /// The source file that a source was registered with.
    Source(NamedConfig),
    /// Write all task and source files to a directory.
    Export(ConfigDir),
    /// Register the sources of such a directory, and start its tasks.
    Import(ConfigDir),
}

/// One configuration.
#[derive(Debug, ClapArgs)]
pub struct NamedConfig {
    /// The task or the source.
    pub name: String,
    /// Write it to this file; it must not exist.
    #[arg(short, long, visible_short_alias = 'p', alias = "path", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// State and answer.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// A directory of configurations, in DM's layout.
#[derive(Debug, ClapArgs)]
pub struct ConfigDir {
    /// The directory.
    #[arg(short, long, default_value = "configs", alias = "path", value_name = "DIR")]
    pub dir: PathBuf,
    /// Passwords.
    #[command(flatten)]
    pub key: KeyArgs,
    /// State.
    #[command(flatten)]
    pub state: StateArgs,
}

/// Arguments of `dm show-ddl-locks`.
#[derive(Debug, ClapArgs)]
pub struct LocksArgs {
    /// The task; all tasks when it is not given.
    pub task: Option<String>,
    /// Its part.
    #[command(flatten)]
    pub only: OnlyArgs,
    /// State and answer.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// Arguments of `dm history`.
#[derive(Debug, ClapArgs)]
pub struct HistoryArgs {
    /// The task, by its name or its file.
    pub task: String,
    /// At most so many commands, the latest.
    #[arg(short = 'n', long, default_value_t = 50)]
    pub limit: u32,
    /// State.
    #[command(flatten)]
    pub state: StateArgs,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `dm reset`.
#[derive(Debug, ClapArgs)]
pub struct ResetArgs {
    /// The task, by its name or its file.
    pub task: String,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
    /// Leave the marks at the target: for a target that is not there any more.
    #[arg(long)]
    pub keep_marks: bool,
    /// State.
    #[command(flatten)]
    pub state: StateArgs,
}

/// Arguments of `dm watch`.
#[derive(Debug, ClapArgs)]
pub struct WatchArgs {
    /// The task, by its name or its file; all tasks when it is not given.
    pub task: Option<String>,
    /// Seconds between two pictures.
    #[arg(short = 'n', long, default_value_t = 1.0)]
    pub interval: f64,
    /// State.
    #[command(flatten)]
    pub state: StateArgs,
}

/// Arguments of `dm owner`.
#[derive(Debug, ClapArgs)]
pub struct OwnerArgs {
    /// State.
    #[command(flatten)]
    pub state: StateArgs,
}
