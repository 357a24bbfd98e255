//! What may change in a task file between two starts of a task that has begun.
//!
//! A task that stood still goes on with the file that it is started with. What decides where its
//! rows and marks are cannot change: they would be looked for in another place. What decides which
//! rows are taken can: then what was migrated before follows the old rules, and that is said.

use std::collections::BTreeMap;
use std::path::Path;

use dm_core::Error;
use dm_core::config::{RawInstance, RawTarget, RawTask};
use dm_core::error::codes;
use dm_core::state::StateReader;

use super::texts::Texts;
use crate::files::Failure;
use crate::out;

/// Why a task cannot go on with another file, or what holds only from now on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Keys that cannot change.
    pub refused: Vec<&'static str>,
    /// Keys that hold for what comes from now on.
    pub from_now_on: Vec<&'static str>,
}

/// The texts that a task was started with last; `None` when it has not begun, or nothing is known.
fn before(dir: &Path, task: &str) -> Result<Option<Texts>, Failure> {
    let kept = match StateReader::open(dir, task) {
        Ok(reader) => reader.task()?.config,
        Err(error) if error.code() == &codes::TASK_MISSING => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // Kept by another version, or not at all.
    Ok(Texts::from_kept(&kept).ok())
}

/// Goes on with the dump directories that the task was begun with, unless others are named.
pub fn keep_dumps(dir: &Path, new: &mut Texts) -> Result<(), Failure> {
    let name = new.task.raw().map(|raw| raw.name);
    if let Some(name) = name.filter(|name| new.dumps.is_empty() && !name.is_empty())
        && let Some(old) = before(dir, &name)?
    {
        new.dumps = old.dumps;
    }
    Ok(())
}

/// Refuses a start whose file changed what cannot change, and says what holds only from now on.
pub fn check(dir: &Path, task: &str, new: &Texts) -> Result<(), Failure> {
    let Some(old) = before(dir, task)? else { return Ok(()) };
    let changes = Changes::between(&old, new);
    if !changes.refused.is_empty() {
        let keys = changes.refused.join(", ");
        let text = format!("task {task:?} has begun, and its file has another {keys} now");
        return Err(Error::new(&codes::UPDATE_FIELD, text)
            .workaround(
                "Put it back (`dm get-config task` shows the file it was started with), give the \
                 task another name, or begin anew with `--remove-meta`.",
            )
            .into());
    }
    if !changes.from_now_on.is_empty() {
        let keys = changes.from_now_on.join(", ");
        out::tell(&format!("note: {keys} changed; what was migrated before follows the old rules"));
    }
    Ok(())
}

impl Changes {
    /// Compares the texts that a task was started with and those that it is to be started with.
    pub fn between(old: &Texts, new: &Texts) -> Self {
        let mut changes = match (old.task.raw(), new.task.raw()) {
            (Some(old), Some(new)) => Self::of(&old, &new),
            // One that cannot be read is refused elsewhere.
            _ => Self::default(),
        };
        if old.dumps != new.dumps {
            changes.refused.push("--dump-dir");
        }
        changes
    }

    fn of(old: &RawTask, new: &RawTask) -> Self {
        let meta = |task: &RawTask| match task.meta_schema.as_str() {
            "" => "dm_meta".to_owned(),
            other => other.to_owned(),
        };
        let kept = [
            ("meta-schema", meta(old) == meta(new)),
            ("shard-mode", shard_mode(old) == shard_mode(new)),
            ("target-database", place(old) == place(new)),
        ];
        let rules = [
            ("block-allow-list", old.block_allow_list == new.block_allow_list),
            ("black-white-list", old.black_white_list == new.black_white_list),
            ("case-sensitive", old.case_sensitive == new.case_sensitive),
            ("routes", old.routes == new.routes),
            ("filters", old.filters == new.filters),
            ("expression-filter", old.expression_filter == new.expression_filter),
            ("online-ddl", online(old) == online(new)),
            ("ddl-rules", old.ddl_rules == new.ddl_rules),
            ("mysql-instances", instances(old) == instances(new)),
        ];
        let changed = |keys: &[(&'static str, bool)]| {
            keys.iter().filter(|(_, same)| !same).map(|(key, _)| *key).collect()
        };
        Self { refused: changed(&kept), from_now_on: changed(&rules) }
    }
}

/// How online schema changes are told.
fn online(task: &RawTask) -> (Option<bool>, &[String], &[String], &str) {
    (task.online_ddl, &task.shadow_table_rules, &task.trash_table_rules, &task.online_ddl_scheme)
}

/// The rules that each source names, and which sources there are; their order means nothing.
fn instances(task: &RawTask) -> BTreeMap<&str, [Vec<&str>; 4]> {
    task.mysql_instances.iter().flatten().map(|i| (i.source_id.as_str(), rules(i))).collect()
}

fn rules(instance: &RawInstance) -> [Vec<&str>; 4] {
    fn names(names: &[String]) -> Vec<&str> {
        names.iter().map(String::as_str).collect()
    }
    let list = match instance.block_allow_list.as_str() {
        "" => instance.black_white_list.as_str(),
        list => list,
    };
    let i = instance;
    [names(&i.filter_rules), names(&i.route_rules), names(&i.expression_filters), vec![list]]
}

fn shard_mode(task: &RawTask) -> &str {
    match task.shard_mode.as_str() {
        "" if task.is_sharding => "pessimistic",
        other => other,
    }
}

/// The kind of a target, and the file of one that is a file. A server may move.
fn place(task: &RawTask) -> Option<(Option<&str>, Option<&str>)> {
    let target: &RawTarget = task.target_database.as_ref()?;
    Some((target.sqlite.as_deref(), target.script.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dm_core::config::SourceText;

    fn raw(text: &str) -> RawTask {
        RawTask::from_yaml(&SourceText { name: "t", text }).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn places_stay_and_rules_may_change() {
        let task = |more: &str| raw(&format!("name: t\ntask-mode: all\n{more}\n"));
        let changes = |old: &str, new: &str| Changes::of(&task(old), &task(new));
        assert_eq!(changes("", "meta-schema: dm_meta"), Changes::default());
        assert_eq!(changes("", "meta-schema: x").refused, ["meta-schema"]);
        assert_eq!(changes("is-sharding: true", "shard-mode: pessimistic"), Changes::default());
        let (file, other) = ("target-database: {sqlite: a.db}", "target-database: {sqlite: b.db}");
        assert_eq!(changes(file, other).refused, ["target-database"]);
        let (here, there) = ("target-database: {host: a}", "target-database: {host: b, port: 1}");
        assert_eq!(changes(here, there), Changes::default());
        let list = "block-allow-list: {a: {do-dbs: [x]}}";
        assert_eq!(changes("", list).from_now_on, ["block-allow-list"]);
        let of = |rules: &str| format!("mysql-instances: [{{source-id: a{rules}}}]");
        for rules in [", block-allow-list: x", ", route-rules: [x]", ", filter-rules: [x]"] {
            assert_eq!(changes(&of(""), &of(rules)).from_now_on, ["mysql-instances"], "{rules}");
        }
        let (old, new) = (", black-white-list: x, syncer-thread: 4", ", block-allow-list: x");
        assert_eq!(changes(&of(old), &of(new)), Changes::default());
        assert_eq!(changes("", &of("")).from_now_on, ["mysql-instances"]);
        assert_eq!(changes("", "online-ddl: false").from_now_on, ["online-ddl"]);
    }
}
