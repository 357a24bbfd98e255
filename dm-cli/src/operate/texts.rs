//! The texts of a task: its file, the files of its sources, the key of their passwords.
//!
//! They are read once and travel as texts: into the process in the background, and into the state
//! file for starting the task again. There and in the list of sources no password is readable.

use std::fs;
use std::path::{Path, PathBuf};

use dm_core::config::{Lookup, RawTask, SecretKey, SourceText, TaskPlan, Warning, conceal};
use dm_core::state::Registry;
use serde_json::{Value, json};

use super::dumps::Dump;
use crate::args::{FileArgs, HttpArgs};
use crate::files::{self, Failure};

/// A file's name, as messages say it, and its text.
#[derive(Clone, Debug)]
pub struct Text {
    pub name: String,
    pub text: String,
}

impl Text {
    fn read(path: &Path) -> Result<Self, Failure> {
        Ok(Self { name: path.display().to_string(), text: files::read(path)? })
    }

    /// The text as a task file; `None` when its form is wrong.
    pub fn raw(&self) -> Option<RawTask> {
        RawTask::from_yaml(&self.as_source()).ok()
    }

    fn as_source(&self) -> SourceText<'_> {
        SourceText { name: &self.name, text: &self.text }
    }
}

/// The texts of a task.
#[derive(Clone, Debug)]
pub struct Texts {
    pub task: Text,
    pub sources: Vec<Text>,
    key_path: Option<PathBuf>,
    /// Dump directories that the command line named.
    pub dumps: Vec<Dump>,
    /// Where the process in the background answers over HTTP.
    pub http: HttpArgs,
    /// What relative paths in the files count from.
    cwd: PathBuf,
}

impl Texts {
    /// Reads the files that are named, and takes the other sources of the task from the list.
    pub fn read(args: &FileArgs) -> Result<Self, Failure> {
        let key = args.key.path();
        let texts = Self::gather(&args.task, &args.sources, key, &args.state.state_dir)?;
        Ok(texts.with_dumps(&args.dumps))
    }

    pub fn gather(
        task: &Path,
        sources: &[PathBuf],
        key: Option<&Path>,
        state_dir: &Path,
    ) -> Result<Self, Failure> {
        let sources = sources.iter().map(|path| Text::read(path)).collect::<Result<_, _>>()?;
        let mut texts = Self::of(Text::read(task)?, sources, key);
        texts.add_registered(state_dir)?;
        Ok(texts)
    }

    /// Texts that are read already; relative paths in them count from the current directory.
    pub fn of(task: Text, sources: Vec<Text>, key: Option<&Path>) -> Self {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let cwd = std::env::current_dir().unwrap_or_default();
        let (dumps, http) = (Vec::new(), HttpArgs::default());
        Self { task, sources, key_path: key.map(absolute), dumps, http, cwd }
    }

    /// The same with dump directories that the command line named.
    pub fn with_dumps(mut self, dumps: &[Dump]) -> Self {
        self.dumps = dumps.iter().map(Dump::absolute).collect();
        self
    }

    /// The same with an HTTP interface that the command line named; without one, it stays as it was.
    #[must_use]
    pub fn with_http(mut self, http: &HttpArgs) -> Self {
        if http.address.is_some() {
            self.http = http.absolute();
        }
        self
    }

    /// A source alone: a task that does nothing but name it, so that its rules are checked by the same
    /// code.
    pub fn of_source(source: Text, key: Option<&Path>) -> Self {
        let id = Value::from(source_id(&source).unwrap_or_default());
        let text = format!(
            "name: check\ntask-mode: all\ntarget-database: {{sqlite: unused.db}}\n\
             mysql-instances: [{{source-id: {id}}}]\n"
        );
        Self::of(Text { name: "(a task of this source)".to_owned(), text }, vec![source], key)
    }

    /// Adds the sources of the task that are in the list and were not given as files.
    fn add_registered(&mut self, state_dir: &Path) -> Result<(), Failure> {
        // What is wrong with the file is told, with all the rest, when it is resolved.
        let Some(raw) = self.task.raw() else { return Ok(()) };
        let given: Vec<String> = self.sources.iter().filter_map(source_id).collect();
        let registered = Registry::new(state_dir).sources()?;
        for id in raw.mysql_instances.iter().flatten().map(|i| &i.source_id) {
            if let Some(source) = registered.get(id).filter(|_| !given.contains(id)) {
                let name = format!("registered source {id}");
                self.sources.push(Text { name, text: source.text.clone() });
            }
        }
        Ok(())
    }

    /// The same, with those sources of `others` that are not among them.
    #[must_use]
    pub fn or_sources_of(mut self, others: &Self) -> Self {
        let given: Vec<String> = self.sources.iter().filter_map(source_id).collect();
        let lacking = |text: &&Text| source_id(text).is_some_and(|id| !given.contains(&id));
        let wanted = self.task.raw().map(|raw| raw.mysql_instances.into_iter().flatten());
        let ids: Vec<String> = wanted.into_iter().flatten().map(|i| i.source_id).collect();
        let named = |text: &&Text| source_id(text).is_some_and(|id| ids.contains(&id));
        let more: Vec<Text> =
            others.sources.iter().filter(lacking).filter(named).cloned().collect();
        self.sources.extend(more);
        self
    }

    /// The file with the key of encrypted passwords.
    pub fn key_path(&self) -> Option<&Path> {
        self.key_path.as_deref()
    }

    /// One source of these, alone; `None` when it is not among them.
    pub fn only(&self, source: &str) -> Option<Self> {
        let text = self.sources.iter().find(|text| source_id(text).as_deref() == Some(source))?;
        let alone = Self::of_source(text.clone(), self.key_path.as_deref());
        Some(Self { cwd: self.cwd.clone(), ..alone })
    }

    /// What the texts mean.
    pub fn plan(&self) -> Result<(TaskPlan, Vec<Warning>), Failure> {
        let sources: Vec<SourceText<'_>> = self.sources.iter().map(Text::as_source).collect();
        let env = |name: &str| std::env::var(name).ok();
        let file = |path: &str| fs::read_to_string(self.cwd.join(path));
        let lookup = Lookup { env: &env, file: &file, key: self.key()? };
        let (mut plan, warnings) =
            TaskPlan::from_yaml_with(&self.task.as_source(), &sources, &lookup)?;
        for dump in &self.dumps {
            dump.apply(&mut plan)?;
        }
        Ok((plan, warnings))
    }

    pub fn key(&self) -> Result<SecretKey, Failure> {
        files::key(self.key_path.as_deref())
    }

    /// The directory that relative paths count from.
    pub fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// The form that is kept and passed on; no password in it is readable.
    pub fn to_kept(&self) -> Result<String, Failure> {
        let key = self.key()?;
        let hide = |text: &Text| -> Result<Value, Failure> {
            let hidden = conceal(&text.text, &key)
                .map_err(|e| Failure::Input(e.context(format!("file {}", text.name))))?;
            Ok(json!({"name": text.name, "text": hidden}))
        };
        let sources = self.sources.iter().map(hide).collect::<Result<Vec<_>, _>>()?;
        let kept = json!({
            "task": hide(&self.task)?,
            "sources": sources,
            "secretKeyPath": self.key_path,
            "dumps": self.dumps.iter().map(Dump::to_json).collect::<Vec<_>>(),
            "http": self.http.to_json(),
            "cwd": self.cwd,
        });
        Ok(kept.to_string())
    }

    /// Reads what [`Texts::to_kept`] wrote.
    pub fn from_kept(kept: &str) -> Result<Self, Failure> {
        let wrong = || {
            Failure::Usage(
                "the state file does not hold the task's configuration: start it with its file"
                    .to_owned(),
            )
        };
        let value: Value = serde_json::from_str(kept).map_err(|_| wrong())?;
        let text = |v: &Value| -> Option<Text> {
            let get = |key: &str| v.get(key).and_then(Value::as_str).map(str::to_owned);
            Some(Text { name: get("name")?, text: get("text")? })
        };
        let path = |key: &str| value.get(key).and_then(Value::as_str).map(PathBuf::from);
        let sources = value.get("sources").and_then(Value::as_array).ok_or_else(wrong)?;
        Ok(Self {
            task: value.get("task").and_then(text).ok_or_else(wrong)?,
            sources: sources.iter().map(text).collect::<Option<_>>().ok_or_else(wrong)?,
            key_path: path("secretKeyPath"),
            // Not there when an earlier version wrote it.
            dumps: match value.get("dumps").and_then(Value::as_array) {
                Some(dumps) => {
                    dumps.iter().map(Dump::from_json).collect::<Option<_>>().ok_or_else(wrong)?
                }
                None => Vec::new(),
            },
            http: value.get("http").map(HttpArgs::from_json).unwrap_or_default(),
            cwd: path("cwd").ok_or_else(wrong)?,
        })
    }
}

/// The id in a source file; `None` when the file has none.
pub fn source_id(text: &Text) -> Option<String> {
    let raw = dm_core::config::RawSource::from_yaml(&text.as_source()).ok()?;
    (!raw.source_id.is_empty()).then_some(raw.source_id)
}

/// The name of a task, given as such or by its file.
pub fn task_name(name_or_file: &str) -> Result<String, Failure> {
    let path = Path::new(name_or_file);
    if !path.is_file() {
        return Ok(name_or_file.to_owned());
    }
    let text = Text::read(path)?;
    // Only the name counts; what else is wrong with the file is no reason not to stop its task.
    match RawTask::from_yaml(&text.as_source()) {
        Ok(raw) if !raw.name.is_empty() => Ok(raw.name),
        Ok(_) => Err(Failure::Usage(format!("{name_or_file} names no task"))),
        Err(problems) => Err(Failure::Config(problems)),
    }
}
