//! From what was typed to what it means.
//!
//! Every check is made, also after the first that fails; what was found stands in the order of the file.
//! Where the structure of a file is wrong at some key, nothing more is said about that key.

mod conn;
mod ddl_rules;
mod instance;
mod lint;
mod options;
mod rules;
mod source;
mod stages;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use dm_filter::TableName;

use super::context::File;
use super::crypt::SecretKey;
use super::keys::{self, SOURCE, TASK};
use super::plan::{TaskMode, TaskPlan};
use super::problem::{Problems, SourceText, Warning};
use super::raw::{RawInstance, RawSource, RawTarget, RawTask, View};
use super::{defaults, yaml};
use crate::error::codes;

/// What resolving may ask the world about.
pub struct Lookup<'a> {
    /// The value of an environment variable, for `${NAME}`.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The text of a file, for `password-file`.
    pub file: &'a dyn Fn(&str) -> io::Result<String>,
    /// The key of encrypted passwords.
    pub key: SecretKey,
}

impl TaskPlan {
    /// Resolves a task file and the files of its sources.
    ///
    /// `env` answers `${NAME}`; the library never looks at the environment itself. Passwords are decrypted
    /// under the built-in key, and a `password-file` is read; see [`TaskPlan::from_yaml_with`] for
    /// other ways.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, with file and line.
    pub fn from_yaml(
        task: &SourceText<'_>,
        sources: &[SourceText<'_>],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Self, Vec<Warning>), Problems> {
        let file = |path: &str| std::fs::read_to_string(path);
        let lookup = Lookup { env, file: &file, key: SecretKey::built_in() };
        Self::from_yaml_with(task, sources, &lookup)
    }

    /// Resolves a task file and the files of its sources, asking `lookup` where that needs the world.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, with file and line.
    pub fn from_yaml_with(
        task: &SourceText<'_>,
        sources: &[SourceText<'_>],
        lookup: &Lookup<'_>,
    ) -> Result<(Self, Vec<Warning>), Problems> {
        let (raw, file) = read(task, &TASK, RawTask::read);
        let sources = sources.iter().map(|s| read(s, &SOURCE, RawSource::read)).collect();
        resolve(&raw, file, sources, lookup)
    }

    /// Resolves a configuration that was not read from files.
    ///
    /// # Errors
    ///
    /// Everything that is wrong.
    pub fn from_raw(
        task: &RawTask,
        sources: Vec<RawSource>,
        lookup: &Lookup<'_>,
    ) -> Result<(Self, Vec<Warning>), Problems> {
        let sources = sources.into_iter().map(|s| (s, File::default())).collect();
        resolve(task, File::default(), sources, lookup)
    }
}

impl TaskPlan {
    /// A plan that follows everything of some sources to nowhere: for looking at the sources
    /// alone, without a task.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the files.
    pub fn of_sources(
        sources: &[SourceText<'_>],
        lookup: &Lookup<'_>,
    ) -> Result<(Self, Vec<Warning>), Problems> {
        let sources: Vec<(RawSource, File)> =
            sources.iter().map(|s| read(s, &SOURCE, RawSource::read)).collect();
        let mut task = RawTask {
            name: "check-source".to_owned(),
            task_mode: TaskMode::All.as_str().to_owned(),
            target_database: Some(RawTarget {
                sqlite: Some(":memory:".to_owned()),
                ..RawTarget::default()
            }),
            ..RawTask::default()
        };
        for (source, _) in &sources {
            let source_id = source.source_id.clone();
            task.mysql_instances.push(Some(RawInstance { source_id, ..RawInstance::default() }));
        }
        resolve(&task, File::default(), sources, lookup)
    }
}

impl RawTask {
    /// Reads a task file as it is written: its form is checked, its meaning is not.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with its form, with file and line.
    pub fn from_yaml(task: &SourceText<'_>) -> Result<Self, Problems> {
        let (raw, file) = read(task, &TASK, Self::read);
        sound(raw, file)
    }
}

impl RawSource {
    /// Reads a source file as it is written: its form is checked, its meaning is not.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with its form, with file and line.
    pub fn from_yaml(source: &SourceText<'_>) -> Result<Self, Problems> {
        let (raw, file) = read(source, &SOURCE, Self::read);
        sound(raw, file)
    }
}

/// What was read, when its form is right.
fn sound<T>(raw: T, mut file: File) -> Result<T, Problems> {
    file.sort();
    if file.problems.is_empty() {
        return Ok(raw);
    }
    Err(Problems { problems: file.problems, warnings: file.warnings })
}

/// Checks a file's structure and takes its values.
fn read<T: Default>(
    text: &SourceText<'_>,
    group: &'static keys::Group,
    take: impl FnOnce(View<'_>) -> T,
) -> (T, File) {
    let parsed = match yaml::parse(text.text) {
        Ok(parsed) => parsed,
        Err(e) => {
            let mut file = File::new(text.name, None);
            file.syntax_error(e);
            return (T::default(), file);
        }
    };
    let mut file = File::new(text.name, Some(&parsed.root));
    keys::check(&mut file, &parsed.root, group);
    if parsed.more_documents {
        file.warn("", "the file holds several documents; only the first one is read");
    }
    (take(View::new(&parsed.root)), file)
}

fn resolve(
    task: &RawTask,
    file: File,
    sources: Vec<(RawSource, File)>,
    lookup: &Lookup<'_>,
) -> Result<(TaskPlan, Vec<Warning>), Problems> {
    let (used, hidden) = (BTreeSet::new(), BTreeMap::new());
    let mut resolver = Resolver { task, file, sources, lookup, used, hidden };
    // A text that is no YAML says nothing about the task.
    let plan = if resolver.file.unreadable { None } else { resolver.task() };
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    let files = std::iter::once(resolver.file).chain(resolver.sources.into_iter().map(|s| s.1));
    for mut file in files {
        file.sort();
        problems.append(&mut file.problems);
        warnings.append(&mut file.warnings);
    }
    match plan {
        Some(plan) if problems.is_empty() => Ok((plan, warnings)),
        _ => Err(Problems { problems, warnings }),
    }
}

/// The work of resolving one task.
struct Resolver<'a> {
    task: &'a RawTask,
    /// The task file.
    file: File,
    sources: Vec<(RawSource, File)>,
    lookup: &'a Lookup<'a>,
    /// Paths of the named rules and configurations that some instance uses.
    used: BTreeSet<String>,
    /// Paths of rules about one table or schema: whether some instance takes it, and which it is.
    hidden: BTreeMap<String, (bool, TableName)>,
}

impl Resolver<'_> {
    /// The plan; `None` when a part of it is missing, which has been reported then.
    fn task(&mut self) -> Option<TaskPlan> {
        let task = self.task;
        if task.name.is_empty() {
            self.file.problem(&codes::CONFIG_TASK_NAME, "name", "no name is given", "a name");
        }
        let mode = self.mode();
        let collation = self.collation();
        let shard_mode = self.shard_mode();
        if !task.column_mappings.is_empty() {
            let names = task.column_mappings.join(", ");
            let found = format!("column mappings are given: {names}");
            self.file.problem(&codes::CONFIG_COLUMN_MAPPING, "column-mappings", found, "");
        }
        let online_ddl = self.online_ddl();
        let ddl_rules = Arc::new(self.ddl_rules());
        let ignored_checks = self.ignored_checks();
        let timezone = self.timezone();
        let limits = self.limits();
        self.check_rules();
        self.check_validators();
        let target = self.target();
        self.check_sources();
        // Judging instances needs a mode; a wrong one has been reported.
        let sources = self.instances(mode.unwrap_or(TaskMode::All));
        self.unused();
        lint::hidden(self);
        Some(TaskPlan {
            name: task.name.clone(),
            mode: mode?,
            meta_schema: or_default(&task.meta_schema, defaults::META_SCHEMA),
            timezone,
            case_sensitive: task.case_sensitive,
            collation,
            shard_mode,
            online_ddl,
            ddl_rules,
            ignored_checks,
            clean_dump_file: task.clean_dump_file.unwrap_or(true),
            async_checkpoint_flush: task.async_checkpoint_flush,
            target: target?,
            sources: sources?,
            limits,
        })
    }

    /// Every name that nobody uses.
    fn unused(&mut self) {
        fn names<T>(map: &BTreeMap<String, T>) -> Vec<&str> {
            map.keys().map(String::as_str).collect()
        }
        let task = self.task;
        let defined = [
            ("routes", names(&task.routes)),
            ("filters", names(&task.filters)),
            ("mydumpers", names(&task.mydumpers)),
            ("loaders", names(&task.loaders)),
            ("syncers", names(&task.syncers)),
            ("expression-filter", names(&task.expression_filter)),
            ("validators", names(&task.validators)),
        ];
        for (group, names) in defined {
            for name in names {
                let path = keys::join(group, name);
                if !self.used.contains(&path) {
                    let found = format!("`{name}` is used by no instance");
                    self.file.problem(&codes::CONFIG_UNUSED, path, found, "");
                }
            }
        }
    }
}

fn or_default(text: &str, default: &str) -> String {
    if text.is_empty() { default } else { text }.to_owned()
}

#[cfg(test)]
mod tests;
