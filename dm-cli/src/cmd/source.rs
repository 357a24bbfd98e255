//! `dm operate-source`: the sources that the state directory knows.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use dm_core::Migration;
use dm_core::config::{RawSource, SecretKey, SourceText, conceal};
use dm_core::error::codes;
use dm_core::state::{Registry, Stage, StateReader, StateStore, list_tasks};
use serde_json::{Value, json};

use crate::args::{SourceArgs, SourceOperation};
use crate::files::{self, Failure};
use crate::operate::answers;
use crate::operate::texts::{Text, Texts, source_id};
use crate::out;

pub fn run(args: &SourceArgs) -> Result<ExitCode, Failure> {
    if args.print_sample_config {
        return out::raw(dm_core::config::sample_source().as_bytes());
    }
    let what = match args.operation {
        Some(SourceOperation::Show) if !out::wants_json(args.ask.json) => return people(args),
        Some(SourceOperation::Update) => "operate-source update",
        Some(SourceOperation::Stop) => "operate-source stop",
        _ => "operate-source create",
    };
    let result = match args.operation {
        None => return Err(Failure::Usage("create, update, stop or show?".to_owned())),
        Some(SourceOperation::Show) => show(args),
        Some(SourceOperation::Stop) => stop(args),
        Some(SourceOperation::Create) => write(args, true),
        Some(SourceOperation::Update) => write(args, false),
    };
    match result {
        Ok(sources) => {
            let document = answers::answer(true, "", json!({"sources": sources}));
            answers::show(what, &document, args.ask.json)
        }
        Err(failure) if !out::wants_json(args.ask.json) => Err(failure),
        Err(failure @ (Failure::Task(_) | Failure::Config(_) | Failure::Input(_))) => {
            out::fail(&failure);
            let document = answers::answer(false, &failure.to_string(), json!({"sources": []}));
            answers::print(&document)
        }
        Err(usage) => Err(usage),
    }
}

/// The files of a command, by id; each is checked, and its server asked.
fn read(args: &SourceArgs, key: &SecretKey) -> Result<BTreeMap<String, String>, Failure> {
    if args.sources.is_empty() {
        return Err(Failure::Usage("give the source files".to_owned()));
    }
    let mut all = BTreeMap::new();
    for path in &args.sources {
        let text = Text { name: path.clone(), text: files::read(Path::new(path))? };
        let id = check(&text, args)?;
        let kept = conceal(&text.text, key)
            .map_err(|e| Failure::Input(e.context(format!("file {path}"))))?;
        if all.insert(id.clone(), kept).is_some() {
            return Err(Failure::Usage(format!("two of the files have the source-id {id}")));
        }
    }
    Ok(all)
}

/// Checks a source file as a task would, and asks its server; its id.
fn check(text: &Text, args: &SourceArgs) -> Result<String, Failure> {
    let id = source_id(text).unwrap_or_default();
    let texts = Texts::of_source(text.clone(), args.key.path());
    let (plan, warnings) = texts.plan().map_err(|failure| of_file(failure, &text.name))?;
    for warning in warnings.iter().filter(|w| w.to_string().contains(&text.name)) {
        out::tell(&format!("warning: {warning}"));
    }
    let source = Migration::builder(plan).build().source(&id)?;
    source.info().map_err(|e| e.context(format!("source {id}")))?;
    Ok(id)
}

/// Leaves out what is wrong with the task that the source was put into, when its own file tells more.
fn of_file(failure: Failure, name: &str) -> Failure {
    match failure {
        Failure::Config(mut problems) if problems.problems.iter().any(|p| p.file == name) => {
            problems.problems.retain(|p| p.file == name);
            problems.warnings.retain(|w| w.file == name);
            Failure::Config(problems)
        }
        other => other,
    }
}

fn write(args: &SourceArgs, create: bool) -> Result<Vec<Value>, Failure> {
    let key = files::key(args.key.path())?;
    let registry = Registry::new(&args.ask.state.state_dir);
    let sources = read(args, &key)?;
    if create {
        registry.create(&sources)?;
    } else {
        let ids: Vec<String> = sources.keys().cloned().collect();
        unused(&args.ask.state.state_dir, &ids, true)?;
        registry.update(&sources)?;
    }
    Ok(sources.keys().map(|id| answers::common(true, "", id)).collect())
}

fn stop(args: &SourceArgs) -> Result<Vec<Value>, Failure> {
    let mut ids = args.ids.clone();
    for name in &args.sources {
        let path = Path::new(name);
        if !path.is_file() {
            ids.push(name.clone());
            continue;
        }
        let text = Text { name: name.clone(), text: files::read(path)? };
        let id =
            source_id(&text).ok_or_else(|| Failure::Usage(format!("{name} has no source-id")))?;
        ids.push(id);
    }
    if ids.is_empty() {
        return Err(Failure::Usage("give source files or ids".to_owned()));
    }
    unused(&args.ask.state.state_dir, &ids, false)?;
    Registry::new(&args.ask.state.state_dir).remove(&ids)?;
    Ok(ids.iter().map(|id| answers::common(true, "", id)).collect())
}

/// The tasks that use one of the sources, of which no part was stopped by `stop-task`.
fn tasks_of(dir: &Path, ids: &[String], running_only: bool) -> Result<Vec<String>, Failure> {
    let mut used = Vec::new();
    for task in list_tasks(dir)? {
        let Ok(rows) = StateReader::open(dir, &task).and_then(|reader| reader.sources()) else {
            continue;
        };
        if running_only && StateStore::owner(dir, &task)?.is_none() {
            continue;
        }
        let uses = rows.iter().any(|row| {
            row.desired != Some(Stage::Stopped) && ids.iter().any(|id| id == row.source.as_str())
        });
        if uses {
            used.push(format!("task {task}"));
        }
    }
    Ok(used)
}

/// Refuses while tasks use one of the sources; for a change only tasks that run count.
fn unused(dir: &Path, ids: &[String], running_only: bool) -> Result<(), Failure> {
    let mut used = tasks_of(dir, ids, running_only)?;
    for id in ids {
        let relay = dm_core::relay::find(dir, id)?;
        if relay.is_some_and(|relay| matches!(relay.puller(), Ok(Some(_)))) {
            used.push(format!("its relay log (see `dm stop-relay -s {id}`)"));
        }
    }
    if used.is_empty() {
        return Ok(());
    }
    let code = if running_only { &codes::SOURCE_UPDATE } else { &codes::SOURCE_IN_USE };
    let (ids, used) = (ids.join(", "), used.join(", "));
    Err(dm_core::Error::new(code, format!("source(s) {ids}: used by {used}")).into())
}

/// The sources for people: each with its server, and the tasks that have a part for it.
fn people(args: &SourceArgs) -> Result<ExitCode, Failure> {
    let dir = &args.ask.state.state_dir;
    let (shown, registered) = (show(args)?, Registry::new(dir).sources()?);
    let mut lines = Vec::new();
    for id in shown.iter().filter_map(|one| one.get("source")?.as_str()) {
        let text = registered.get(id).map(|kept| kept.text.as_str()).unwrap_or_default();
        let at = server(text).map(|server| format!(": {server}")).unwrap_or_default();
        let tasks = tasks_of(dir, &[id.to_owned()], false)?;
        let tasks = if tasks.is_empty() { "no task".to_owned() } else { tasks.join(", ") };
        lines.push(format!("source {id}{at}, {tasks}"));
    }
    if lines.is_empty() {
        lines.push(format!("no source is registered in this state directory, {}", dir.display()));
    }
    out::say(&lines.join("\n"))
}

/// `user@host:port` of a source file, as it is written there.
fn server(text: &str) -> Option<String> {
    let source = RawSource::from_yaml(&SourceText { name: "", text }).ok()?;
    let from = source.from?;
    let port = from.port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}@{}{port}", from.user, from.host))
}

fn show(args: &SourceArgs) -> Result<Vec<Value>, Failure> {
    let sources = Registry::new(&args.ask.state.state_dir).sources()?;
    let wanted: Vec<&String> = args.ids.iter().chain(&args.sources).collect();
    if let Some(unknown) = wanted.iter().find(|id| !sources.contains_key(id.as_str())) {
        let text = format!("registered not: {unknown}");
        return Err(dm_core::Error::new(&codes::SOURCE_MISSING, text).into());
    }
    let chosen = sources.keys().filter(|id| wanted.is_empty() || wanted.contains(id));
    Ok(chosen.map(|id| answers::common(true, "", id)).collect())
}
