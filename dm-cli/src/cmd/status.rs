//! `dm query-status`: how tasks stand, from their state files.

use std::path::Path;
use std::process::ExitCode;

use dm_core::error::codes;
use dm_core::migration::refusal;
use dm_core::state::{Registry, list_tasks};
use serde_json::json;

use crate::args::StatusArgs;
use crate::files::Failure;
use crate::operate::answers;
use crate::operate::relay::View;
use crate::operate::status::{Task, long, short, words};
use crate::operate::texts::task_name;
use crate::out;

pub fn run(args: &StatusArgs) -> Result<ExitCode, Failure> {
    let json = out::wants_json(args.ask.json);
    match &args.task {
        Some(task) => one(args, &task_name(task)?, json),
        None => all(args, json),
    }
}

fn one(args: &StatusArgs, name: &str, json: bool) -> Result<ExitCode, Failure> {
    let mut task = match Task::read(args.ask.dir(), name) {
        Ok(task) => task,
        Err(failure) if json => {
            let message = message(name, &failure);
            out::fail(&failure);
            let document = answers::answer(false, &message, json!({"sources": []}));
            return answers::print(&document);
        }
        Err(failure) => return Err(failure),
    };
    if let Some(unknown) =
        args.only.sources.iter().find(|s| task.parts.iter().all(|p| p.source != **s))
    {
        let failure = Failure::from(refusal::no_part(name, &[unknown.as_str()]));
        let document = answers::answer(false, &failure.to_string(), json!({"sources": []}));
        return if json { answers::print(&document) } else { Err(failure) };
    }
    if json {
        return answers::print(&long(args.ask.dir(), &[task], &args.only.sources, &[]));
    }
    task.keep(&args.only.sources);
    out::say(&words(&task))
}

/// DM's words for a task that it does not know.
fn message(name: &str, failure: &Failure) -> String {
    match failure {
        Failure::Task(error) if error.code() == &codes::TASK_MISSING => {
            format!("task {name} has no source or does not exist")
        }
        _ => failure.to_string(),
    }
}

fn all(args: &StatusArgs, json: bool) -> Result<ExitCode, Failure> {
    let dir = args.ask.dir();
    let mut tasks = Vec::new();
    for name in list_tasks(dir)? {
        let task = Task::read(dir, &name);
        // DM forgets a task that is stopped; a person may want to know that it can go on.
        if json && task.as_ref().is_ok_and(Task::is_removed) {
            continue;
        }
        tasks.push((name, task));
    }
    if !json {
        return people(args, tasks);
    }
    let short_form = args.only.sources.is_empty() && !args.more;
    if short_form {
        return answers::print(&short(&tasks));
    }
    let mut readable = Vec::new();
    for (_, task) in tasks {
        match task {
            Ok(task) => readable.push(task),
            Err(failure) => out::fail(&failure),
        }
    }
    let registered: Vec<String> = Registry::new(dir).sources()?.into_keys().collect();
    let known = |id: &String| {
        registered.contains(id) || readable.iter().any(|t| t.parts.iter().any(|p| p.source == *id))
    };
    if let Some(unknown) = args.only.sources.iter().find(|id| !known(id)) {
        let message = unknown_source(unknown).to_string();
        return answers::print(&answers::answer(false, &message, json!({"sources": []})));
    }
    answers::print(&long(dir, &readable, &args.only.sources, &registered))
}

fn unknown_source(id: &str) -> Failure {
    let text = format!("no source {id} is registered, and no task has a part for it");
    dm_core::Error::new(&codes::SOURCE_MISSING, text).into()
}

/// The tasks in words, those of the named sources where some are named; of a source that no task follows, its
/// relay log.
fn people(
    args: &StatusArgs,
    tasks: Vec<(String, Result<Task, Failure>)>,
) -> Result<ExitCode, Failure> {
    let (dir, wanted) = (args.ask.dir(), &args.only.sources);
    let mut lines = Vec::new();
    let mut followed = Vec::new();
    for (name, task) in tasks {
        match task {
            Ok(mut task) => {
                task.keep(wanted);
                if wanted.is_empty() || !task.parts.is_empty() {
                    lines.push(words(&task));
                }
                followed.extend(task.parts.into_iter().map(|part| part.source));
            }
            Err(failure) => lines.push(format!("task {name}: {failure}")),
        }
    }
    let registered = Registry::new(dir).sources()?;
    for id in wanted.iter().filter(|id| !followed.contains(id)) {
        let relay = View::read(dir, id).map(|relay| format!("\n{}", relay.words()));
        if relay.is_none() && !registered.contains_key(id.as_str()) {
            return Err(unknown_source(id));
        }
        lines.push(format!("source {id}: no task follows it{}", relay.unwrap_or_default()));
    }
    if lines.is_empty() {
        return out::say(&no_task(dir));
    }
    out::say(&lines.join("\n"))
}

/// What there is to say where nothing is.
pub fn no_task(dir: &Path) -> String {
    format!("no task in this state directory, {}", dir.display())
}
