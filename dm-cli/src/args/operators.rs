//! What can be typed about single statements and about tracked structures.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use super::{AskArgs, KeyArgs};

/// What becomes of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StatementOp {
    /// Leave it out.
    Skip,
    /// Run other statements instead of it.
    Replace,
    /// Run other statements before it.
    Inject,
    /// Take an earlier word back.
    Revert,
    /// List the words that are noted.
    List,
}

/// Which statement is meant.
#[derive(Debug, ClapArgs)]
pub struct StatementPlace {
    /// Id of a source, repeatable or with commas; all sources that have stopped at a statement (with
    /// -b: all of the task) without it.
    #[arg(short, long = "source", value_name = "ID", value_delimiter = ',')]
    pub sources: Vec<String>,

    /// Where the statement begins (for inject also rows), `file:offset`; that at which the source
    /// has stopped without it.
    #[arg(short, long, value_name = "FILE:POS")]
    pub binlog_pos: Option<String>,

    /// State and answer.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// Arguments of `dm handle-error`.
#[derive(Debug, ClapArgs)]
pub struct HandleErrorArgs {
    /// The task, or its file.
    pub task: String,

    /// What to do.
    pub operation: StatementOp,

    /// The statements of replace and inject, semicolons between them; each DDL, names with their
    /// schemas and as at the source.
    pub sql: Vec<String>,

    /// Which statement is meant.
    #[command(flatten)]
    pub place: StatementPlace,
}

/// Arguments of `dm binlog`.
#[derive(Debug, ClapArgs)]
pub struct BinlogArgs {
    /// What to do.
    pub operation: StatementOp,

    /// The task, or its file.
    pub task: String,

    /// The statements of replace and inject, semicolons between them; each DDL, names with their
    /// schemas and as at the source.
    pub sql: Vec<String>,

    /// Which statement is meant.
    #[command(flatten)]
    pub place: StatementPlace,
}

/// What to do with a tracked structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StructureOp {
    /// Show it.
    Get,
    /// Give it.
    Set,
    /// Forget it: the target's is taken when the table is met again.
    Remove,
}

/// The same, in the words of `dm binlog-schema`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BinlogSchemaOp {
    /// Show it.
    List,
    /// Give it.
    Update,
    /// Forget it: the target's is taken when the table is met again.
    Delete,
}

impl From<BinlogSchemaOp> for StructureOp {
    fn from(op: BinlogSchemaOp) -> Self {
        match op {
            BinlogSchemaOp::List => Self::Get,
            BinlogSchemaOp::Update => Self::Set,
            BinlogSchemaOp::Delete => Self::Remove,
        }
    }
}

/// Where a structure comes from.
#[derive(Debug, ClapArgs)]
pub struct StructureFrom {
    /// Id of a source, repeatable or with commas; all sources of the task without it.
    #[arg(short, long = "source", value_name = "ID", value_delimiter = ',')]
    pub sources: Vec<String>,

    /// For get (list): what the table looked like at this position, `file:offset` or a set of GTIDs; what it
    /// looks like at the checkpoint without it.
    #[arg(long, value_name = "POSITION")]
    pub at: Option<String>,

    /// Take the structure that the table has at the source now.
    #[arg(long, conflicts_with_all = ["from_target", "file"])]
    pub from_source: bool,

    /// Take the structure that the table has at the target now.
    #[arg(long, conflicts_with = "file")]
    pub from_target: bool,

    /// A source file of the task; repeat it for each source.
    #[arg(long = "source-file", value_name = "SOURCE-FILE")]
    pub source_files: Vec<PathBuf>,

    /// Passwords.
    #[command(flatten)]
    pub key: KeyArgs,

    /// Write it to the checkpoint at once; it always is.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "true")]
    pub flush: bool,

    /// Tell the coordination of merged tables, where there is one.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "true")]
    pub sync: bool,

    /// State and answer.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// Arguments of `dm operate-schema`.
#[derive(Debug, ClapArgs)]
pub struct OperateSchemaArgs {
    /// What to do.
    pub operation: StructureOp,

    /// The task, or its file.
    pub task: String,

    /// For set: a file with one CREATE TABLE.
    #[arg(value_name = "SCHEMA-FILE", id = "file")]
    pub file: Option<PathBuf>,

    /// The table's schema at the source.
    #[arg(short, long)]
    pub database: String,

    /// The table at the source.
    #[arg(short, long)]
    pub table: String,

    /// Where the structure comes from.
    #[command(flatten)]
    pub from: StructureFrom,
}

/// Arguments of `dm binlog-schema`.
#[derive(Debug, ClapArgs)]
pub struct BinlogSchemaArgs {
    /// What to do.
    pub operation: BinlogSchemaOp,

    /// The task, or its file.
    pub task: String,

    /// The table's schema at the source.
    pub database: String,

    /// The table at the source.
    pub table: String,

    /// For update: a file with one CREATE TABLE.
    #[arg(value_name = "SCHEMA-FILE", id = "file")]
    pub file: Option<PathBuf>,

    /// Where the structure comes from.
    #[command(flatten)]
    pub from: StructureFrom,
}
