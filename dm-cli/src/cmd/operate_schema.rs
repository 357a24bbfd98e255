//! `dm operate-schema` and `dm binlog-schema`: the structures in which rows are read.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use dm_core::error::codes;
use dm_core::migration::{Command, Verb};
use dm_core::operate::{Answer, GivenStructure, NewStructure, StructureCommand, structure_of};
use dm_core::schema::TableSchema;
use dm_core::state::{StateReader, StateStore};
use dm_core::{Error, Migration, TableName};

use crate::args::{BinlogSchemaArgs, FileArgs, OperateSchemaArgs, StructureFrom, StructureOp};
use crate::files::{self, Failure};
use crate::operate::answers::{self, Asked};
use crate::operate::client::{self, Sent};
use crate::operate::record;
use crate::operate::texts::{Texts, task_name};

pub fn operate_schema(args: &OperateSchemaArgs) -> Result<ExitCode, Failure> {
    let table = TableName::new(&*args.database, &*args.table);
    run(args.operation, &args.task, table, args.file.as_deref(), &args.from)
}

pub fn binlog_schema(args: &BinlogSchemaArgs) -> Result<ExitCode, Failure> {
    let table = TableName::new(&*args.database, &*args.table);
    run(args.operation.into(), &args.task, table, args.file.as_deref(), &args.from)
}

fn run(
    operation: StructureOp,
    task: &str,
    table: TableName,
    file: Option<&Path>,
    from: &StructureFrom,
) -> Result<ExitCode, Failure> {
    let giving = file.is_some() || from.from_source || from.from_target;
    match (operation, giving) {
        (StructureOp::Set, false) => {
            let text = "set needs a file with the structure, --from-source or --from-target";
            return Err(Failure::Usage(text.to_owned()));
        }
        (StructureOp::Get | StructureOp::Remove, true) => {
            return Err(Failure::Usage("only set takes a structure".to_owned()));
        }
        (StructureOp::Set | StructureOp::Remove, _) if from.at.is_some() => {
            return Err(Failure::Usage("--at is for get".to_owned()));
        }
        _ => {}
    }
    // Both are DM's: a structure always goes to the state file at once, and merged tables whose
    // statements are coordinated ask for it when they go on.
    log::debug!("flush: {}, sync: {}", from.flush, from.sync);
    let (dir, name) = (from.ask.dir(), task_name(task)?);
    let result = carry_out(operation, task, &name, table.clone(), file, from);
    let what = match operation {
        StructureOp::Get => "operate-schema get",
        StructureOp::Set => "operate-schema set",
        StructureOp::Remove => "operate-schema remove",
    };
    let asked = Asked { what, json: from.ask.json, words: in_words };
    answers::told(&asked, result, |answers| {
        let words = match operation {
            StructureOp::Get => return,
            StructureOp::Set => format!("set {table}"),
            StructureOp::Remove => format!("remove {table}"),
        };
        // The process of a paused task notes it itself.
        if matches!(StateStore::owner(dir, &name), Ok(None)) {
            record::answered(dir, &name, "operate-schema", &words, answers);
        }
    })
}

/// A structure for people: where it comes from stands in front of it.
fn in_words(answer: &Answer, message: &str) -> String {
    let since = answer.since.as_ref().map(|at| format!("(since {at}) ")).unwrap_or_default();
    let assumed = if answer.assumed { "(assumed: the target's) " } else { "" };
    format!("{since}{assumed}{message}")
}

fn carry_out(
    operation: StructureOp,
    task: &str,
    name: &str,
    table: TableName,
    file: Option<&Path>,
    from: &StructureFrom,
) -> Result<Vec<Answer>, Failure> {
    let dir = from.ask.dir();
    let command = StructureCommand {
        sources: from.sources.clone(),
        table: table.clone(),
        at: from.at.clone(),
    };
    let deliver = |given| deliver(dir, name, given);
    Ok(match operation {
        StructureOp::Get => {
            let given = migration(task, from)?;
            command.get(dir, name, &|source| {
                // Without its files, the servers that the task was started with.
                let kept = if given.is_none() { kept(dir, name).ok() } else { None };
                let Some(migration) = given.as_ref().or(kept.as_ref()) else { return Ok(None) };
                let found = migration.target_structure(source, &table)?;
                Ok(found.map(|schema| NewStructure { schema, assumed: true }))
            })?
        }
        StructureOp::Set => match file {
            Some(file) => {
                let text = files::read(file)?;
                command.set(
                    dir,
                    name,
                    &|_, schemas| {
                        let schema = structure_of(&text, &table, schemas)?;
                        Ok(NewStructure { schema, assumed: false })
                    },
                    &deliver,
                )?
            }
            None => {
                let migration = match migration(task, from)? {
                    Some(migration) => migration,
                    None => kept(dir, name)?,
                };
                command.set(
                    dir,
                    name,
                    &|source, _| now(&migration, source, &table, from),
                    &deliver,
                )?
            }
        },
        StructureOp::Remove => command.remove(dir, name, &deliver)?,
    })
}

/// The task as it was started.
fn kept(dir: &Path, name: &str) -> Result<Migration, Failure> {
    let kept = StateReader::open(dir, name)?.task()?.config;
    if kept.is_empty() {
        let text = "--from-source and --from-target need the task's file in place of its name, and its source \
                    files (--source-file): its configuration is not kept";
        return Err(Failure::Usage(text.to_owned()));
    }
    let (plan, _) = Texts::from_kept(&kept)?.plan()?;
    Ok(Migration::builder(plan).build())
}

/// Hands structures to the process of a task, which takes them while it is paused.
fn deliver(dir: &Path, task: &str, given: Vec<GivenStructure>) -> dm_core::Result<()> {
    let sources = given.iter().map(|g| g.source.clone()).collect();
    let command = Command { verb: Verb::Structures(given), sources };
    let refused = match client::send(dir, task, &command) {
        Ok(Sent::Answered(reply)) if reply.is_ok() => return Ok(()),
        Ok(Sent::Answered(reply)) => reply.refused,
        Ok(Sent::NobodyRuns) => "its process ended just now; give the command again".to_owned(),
        Err(failure) => failure.to_string(),
    };
    Err(Error::new(&codes::TASK_NOT_PAUSED, refused))
}

/// The structure that a table has now, at its source or at its target.
fn now(
    migration: &Migration,
    source: &str,
    table: &TableName,
    from: &StructureFrom,
) -> dm_core::Result<NewStructure> {
    let found: Option<Arc<TableSchema>> = if from.from_source {
        migration.source_structure(source, table)?
    } else {
        migration.target_structure(source, table)?
    };
    let side = if from.from_source { "the source" } else { "the target" };
    let schema = found.ok_or_else(|| {
        Error::new(&codes::SCHEMA_NOT_FOUND, format!("{side} has no table for {table}"))
    })?;
    Ok(NewStructure { schema, assumed: from.from_target })
}

/// What the files say, when the task's file and source files are given.
fn migration(task: &str, from: &StructureFrom) -> Result<Option<Migration>, Failure> {
    let path = PathBuf::from(task);
    if from.source_files.is_empty() || !path.is_file() {
        return Ok(None);
    }
    let files = FileArgs {
        task: path,
        sources: from.source_files.clone(),
        dumps: Vec::new(),
        state: from.ask.state.clone(),
        key: from.key.clone(),
    };
    let (plan, _) = files::plan(&files)?;
    Ok(Some(Migration::builder(plan).build()))
}
