//! `dm add-table`: tables join a task that follows its sources.

use std::path::Path;
use std::process::ExitCode;

use dm_core::error::codes;
use dm_core::event::SourceId;
use dm_core::migration::{Answer, Command, Reply, Verb};
use dm_core::state::{StateReader, StateStore};
use dm_core::{Error, Migration, TableName};

use crate::args::AddTableArgs;
use crate::files::Failure;
use crate::operate::changes::Changes;
use crate::operate::texts::{Texts, task_name};
use crate::operate::{answers, client};
use crate::out;

pub fn run(args: &AddTableArgs) -> Result<ExitCode, Failure> {
    let task = task_name(&args.task)?;
    let tables: Vec<TableName> = args.tables.iter().map(|t| t.0.clone()).collect();
    let reply = match add(args, &task, &tables) {
        Ok(reply) => reply,
        Err(failure @ (Failure::Task(_) | Failure::Input(_))) => {
            out::fail(&failure);
            Reply::refuse(failure.to_string())
        }
        Err(failure) => return Err(failure),
    };
    let document = answers::operate_task("Update", &reply);
    if out::wants_json(args.ask.json) {
        return answers::print(&document);
    }
    if reply.refused.is_empty() {
        out::say(&answers::words("add-table", &reply))?;
    }
    Ok(answers::status(&document))
}

fn add(args: &AddTableArgs, task: &str, tables: &[TableName]) -> Result<Reply, Failure> {
    let dir = args.ask.dir();
    let reader = StateReader::open(dir, task)?;
    if args.cancel {
        let mut all = Reply::default();
        for table in tables {
            let sources = sources_adding(&reader, &args.only.sources, table)?;
            let verb = Verb::CancelAdd(table.clone());
            all = super::task::one(dir, task, &Command { verb, sources })?;
            if !all.is_ok() {
                break;
            }
        }
        return Ok(all);
    }
    let texts = texts(args, dir, task, &reader)?;
    let (plan, _) = texts.plan()?;
    let found = Migration::builder(plan).build().can_add(&args.only.sources, tables, &reader)?;
    let sources: Vec<String> = found.tables.keys().cloned().collect();
    drop(reader);
    super::task::one(dir, task, &Command { verb: Verb::Add(found.tables), sources })
}

/// The sources at which a table is being added.
fn sources_adding(
    reader: &StateReader,
    named: &[String],
    table: &TableName,
) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for row in reader.sources()? {
        let name = row.source.as_str();
        let wanted = named.is_empty() || named.iter().any(|n| n == name);
        if wanted && reader.additions(&row.source)?.iter().any(|a| a.table == *table) {
            found.push(name.to_owned());
        }
    }
    if found.is_empty() {
        let text = format!("{table} is not being added");
        return Err(Error::new(&codes::ADD_TABLE, text).into());
    }
    Ok(found)
}

/// The rules that decide about the tables: those of the file, when the task is named by it, and else
/// those that the task was started with.
fn texts(
    args: &AddTableArgs,
    dir: &Path,
    task: &str,
    reader: &StateReader,
) -> Result<Texts, Failure> {
    let file = Path::new(&args.task);
    let kept = reader.task()?.config;
    if !file.is_file() {
        return Texts::from_kept(&kept);
    }
    let key = args.given.key.path();
    let given = Texts::gather(file, &args.given.source_files, key, dir)?;
    let differs = match Texts::from_kept(&kept) {
        Ok(kept) => Changes::between(&kept, &given) != Changes::default(),
        Err(_) => true,
    };
    if differs && StateStore::owner(dir, task)?.is_some() {
        let text = format!("task {task:?} runs with another file than {}", file.display());
        return Err(Error::new(&codes::ADD_TABLE, text)
            .workaround("`dm stop-task`, then `dm add-table` with the file once more, then `dm start-task` with it.")
            .into());
    }
    Ok(given)
}

/// Notes tables that are to be added to a task that no process runs.
pub fn note(dir: &Path, task: &str, command: &Command) -> Result<Reply, Failure> {
    let rows = StateReader::open(dir, task)?.sources()?;
    let chosen = match client::choose(task, &rows, &command.sources) {
        Ok(chosen) => chosen,
        Err(why) => return Ok(Reply::refuse(why)),
    };
    let ids: Vec<_> = chosen.iter().map(|row| row.source.clone()).collect();
    // Takes the owner's lock: nobody starts the task in between.
    let state = StateStore::open(dir, task)?;
    dm_core::migration::write_down(&state, &command.verb, &ids)?;
    let message = match command.verb {
        Verb::Add(_) => "it is copied when the task is started or resumed, and then joins it",
        _ => "",
    };
    let answer = |id: &SourceId| Answer {
        source: id.as_str().to_owned(),
        ok: true,
        message: message.to_owned(),
    };
    Ok(Reply { answers: ids.iter().map(answer).collect(), ..Reply::default() })
}
