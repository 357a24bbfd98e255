//! `dm get-config`, `dm config`: the configurations of tasks and sources, kept as typed but for
//! passwords, which are encrypted.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use dm_core::config::conceal;
use dm_core::error::codes;
use dm_core::state::{Registry, StateReader, list_tasks};
use serde_json::json;

use super::start::{Wanted, start_plan};
use crate::args::{ConfigCommand, ConfigDir, ConfigKind, GetConfigArgs, NamedConfig};
use crate::files::{self, Failure};
use crate::operate::answers;
use crate::operate::texts::{Text, Texts, source_id};
use crate::out;

pub fn get(args: &GetConfigArgs) -> Result<ExitCode, Failure> {
    show(args.kind, &args.config)
}

pub fn run(command: &ConfigCommand) -> Result<ExitCode, Failure> {
    match command {
        ConfigCommand::Task(args) => show(ConfigKind::Task, args),
        ConfigCommand::Source(args) => show(ConfigKind::Source, args),
        ConfigCommand::Export(args) => export(args),
        ConfigCommand::Import(args) => import(args),
    }
}

fn show(kind: ConfigKind, args: &NamedConfig) -> Result<ExitCode, Failure> {
    let (name, dir) = (args.name.as_str(), args.ask.dir());
    let found = match kind {
        ConfigKind::Task => task_text(dir, name),
        ConfigKind::Source => source_text(dir, name),
    };
    let json = out::wants_json(args.ask.json);
    let text = match found {
        Ok(text) => text,
        Err(failure) if !json => return Err(failure),
        Err(failure) => {
            out::fail(&failure);
            let document = answers::answer(false, &failure.to_string(), json!({"cfg": ""}));
            return answers::print(&document);
        }
    };
    if let Some(file) = &args.file {
        write_new(file, &text)?;
        let message = format!("write config to file {} succeed", file.display());
        let document = answers::answer(true, &message, json!({"cfg": ""}));
        return answers::show("get-config", &document, args.ask.json);
    }
    if !json {
        return out::raw(text.as_bytes());
    }
    answers::print(&answers::answer(true, "", json!({"cfg": text})))
}

/// The task file that a task was started with.
fn task_text(dir: &Path, name: &str) -> Result<String, Failure> {
    let kept = StateReader::open(dir, name)?.task()?.config;
    if kept.is_empty() {
        let text = format!("the configuration of task {name:?} is not kept");
        return Err(dm_core::Error::new(&codes::NO_SUBTASK_CONFIG, text).into());
    }
    Ok(Texts::from_kept(&kept)?.task.text)
}

fn source_text(dir: &Path, name: &str) -> Result<String, Failure> {
    match Registry::new(dir).sources()?.remove(name) {
        Some(source) => Ok(source.text),
        None => {
            let text = format!("no source {name:?} is registered");
            Err(dm_core::Error::new(&codes::SOURCE_MISSING, text).into())
        }
    }
}

/// Writes a file that must not exist, readable by its owner only.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|e| Failure::Usage(format!("cannot write {}: {e}", path.display())))
}

/// Writes a file in the place of the one that an earlier export wrote: at no moment there is half of it, or one
/// that others can read.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let beside = path.with_extension("yaml.new");
    let cannot =
        |e: std::io::Error| Failure::Usage(format!("cannot write {}: {e}", path.display()));
    match fs::remove_file(&beside) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(cannot(e)),
        _ => {}
    }
    write_new(&beside, text)?;
    fs::rename(&beside, path).map_err(cannot)
}

fn export(args: &ConfigDir) -> Result<ExitCode, Failure> {
    let state = &args.state.state_dir;
    let mut files = Vec::new();
    for name in list_tasks(state)? {
        match task_text(state, &name) {
            Ok(text) => files.push((args.dir.join("tasks").join(file_name(&name)), text)),
            Err(failure) => out::tell(&format!("task {name} is left out: {failure}")),
        }
    }
    for (id, source) in Registry::new(state).sources()? {
        files.push((args.dir.join("sources").join(file_name(&id)), source.text));
    }
    for part in ["tasks", "sources"] {
        let dir = args.dir.join(part);
        fs::create_dir_all(&dir)
            .map_err(|e| Failure::Usage(format!("cannot create {}: {e}", dir.display())))?;
    }
    for (path, text) in &files {
        replace(path, text)?;
    }
    out::say(&format!("export configs to directory `{}` succeed", args.dir.display()))
}

/// A name as a file name; what may not stand in one becomes `_`.
fn file_name(name: &str) -> String {
    let safe = |c: char| if matches!(c, '/' | '\\' | '\0') { '_' } else { c };
    format!("{}.yaml", name.chars().map(safe).collect::<String>())
}

fn import(args: &ConfigDir) -> Result<ExitCode, Failure> {
    let state = &args.state.state_dir;
    let key = files::key(args.key.path())?;
    let registry = Registry::new(state);
    let known = registry.sources()?;
    let mut sources = BTreeMap::new();
    for path in yaml_files(&args.dir.join("sources"))? {
        let text = Text { name: path.display().to_string(), text: files::read(&path)? };
        let Some(id) = source_id(&text) else {
            return Err(Failure::Usage(format!("{} has no source-id", text.name)));
        };
        if known.contains_key(&id) {
            out::tell(&format!("source {id} is registered already and stays as it is"));
            continue;
        }
        let kept = conceal(&text.text, &key)
            .map_err(|e| Failure::Input(e.context(format!("file {}", text.name))))?;
        sources.insert(id, kept);
    }
    out::tell("start creating sources");
    registry.create(&sources)?;
    for id in sources.keys() {
        out::tell(&format!("source {id} is registered"));
    }
    out::tell("start creating tasks");
    let mut good = true;
    let tasks = yaml_files(&args.dir.join("tasks"))?;
    for path in &tasks {
        let texts = Texts::gather(path, &[], args.key.path(), state)?;
        let (plan, _) = texts.plan()?;
        let reply = start_plan(state, &texts, &plan, &Wanted::default())?;
        good &= reply.is_ok();
        out::tell(&answers::words(&format!("task {}", plan.name), &reply));
    }
    let word = if good { "succeed" } else { "is not complete" };
    let dir = args.dir.display();
    out::say(&format!("import configs from directory `{dir}` {word}"))?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn yaml_files(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let cannot = |e: std::io::Error| Failure::Usage(format!("cannot read {}: {e}", dir.display()));
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
