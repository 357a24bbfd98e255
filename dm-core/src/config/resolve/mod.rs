//! From what was typed to what it means.
//!
//! Every check is made, also after the first that fails; what was found stands in the order of the file.
//! Where the structure of a file is wrong at some key, nothing more is said about that key.

mod conn;
mod ddl_rules;
mod instance;
mod lint;
mod rules;
mod source;
mod stages;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use dm_filter::TableName;
use regex::Regex;

use super::context::File;
use super::crypt::SecretKey;
use super::keys::{self, SOURCE, TASK};
use super::plan::{
    CollationMode, IgnoredChecks, Limits, OnlineDdlRules, ShardMode, TaskMode, TaskPlan,
};
use super::problem::{Problems, SourceText, Warning};
use super::raw::{RawInstance, RawSource, RawTarget, RawTask, View};
use super::{defaults, scalar, yaml};
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

    fn mode(&mut self) -> Option<TaskMode> {
        let expected = "one of all, full, incremental, load, load&sync";
        match self.task.task_mode.as_str() {
            "all" => return Some(TaskMode::All),
            "full" => return Some(TaskMode::Full),
            "incremental" => return Some(TaskMode::Incremental),
            "load" => return Some(TaskMode::Load),
            "load&sync" => return Some(TaskMode::LoadAndSync),
            "dump" => self.file.problem(
                &codes::CONFIG_NOT_YET,
                "task-mode",
                "the mode `dump`, which writes a dump directory, comes with a later release",
                "`full`, with `target-database: {script: FILE}` for a file of statements",
            ),
            "" => self.file.problem(&codes::CONFIG_TASK_MODE, "task-mode", "no mode", expected),
            other => {
                let found = format!("found `{other}`");
                self.file.problem(&codes::CONFIG_TASK_MODE, "task-mode", found, expected);
            }
        }
        None
    }

    fn collation(&mut self) -> CollationMode {
        match self.task.collation_compatible.as_str() {
            "" | "loose" => CollationMode::Loose,
            "strict" => CollationMode::Strict,
            other => {
                let found = format!("found `{other}`");
                let key = "collation_compatible";
                self.file.problem(&codes::CONFIG_COLLATION, key, found, "loose or strict");
                CollationMode::Loose
            }
        }
    }

    fn shard_mode(&mut self) -> ShardMode {
        let strict = self.task.strict_optimistic_shard_mode;
        let mode = match self.task.shard_mode.as_str() {
            "" if self.task.is_sharding => ShardMode::Pessimistic,
            "" => ShardMode::None,
            "pessimistic" => ShardMode::Pessimistic,
            "optimistic" => ShardMode::Optimistic { strict },
            other => {
                let found = format!("found `{other}`");
                let expected = "pessimistic or optimistic";
                self.file.problem(&codes::CONFIG_SHARD_MODE, "shard-mode", found, expected);
                return ShardMode::None;
            }
        };
        if strict && !matches!(mode, ShardMode::Optimistic { .. }) {
            self.file.problem(
                &codes::CONFIG_STRICT_OPTIMISTIC,
                "strict-optimistic-shard-mode",
                "true, and `shard-mode` is not optimistic",
                "`shard-mode: optimistic`",
            );
        }
        if mode != ShardMode::None {
            self.file.warn(
                "shard-mode",
                "coordination of DDLs between merged tables comes with a later release: until then the first \
                 table's statement runs at the target, and the same statement of the others counts as done. \
                 Change merged tables at the same time, or stop the task before",
            );
        }
        mode
    }

    fn online_ddl(&mut self) -> Option<OnlineDdlRules> {
        let task = self.task;
        let scheme = task.online_ddl_scheme.as_str();
        if !matches!(scheme, "" | "gh-ost" | "pt") {
            let found = format!("found `{scheme}`");
            let key = "online-ddl-scheme";
            self.file.problem(&codes::CONFIG_ONLINE_SCHEME, key, found, "gh-ost or pt");
        }
        let shadow = &task.shadow_table_rules;
        let shadow = self.online_rules("shadow-table-rules", shadow, defaults::SHADOW_RULE);
        let trash = &task.trash_table_rules;
        let trash = self.online_rules("trash-table-rules", trash, defaults::TRASH_RULE);
        let on = task.online_ddl.unwrap_or(defaults::ONLINE_DDL) || !scheme.is_empty();
        on.then_some(OnlineDdlRules { shadow, trash })
    }

    fn online_rules(&mut self, key: &str, rules: &[String], default: &str) -> Vec<Regex> {
        if rules.is_empty() {
            return Regex::new(default).into_iter().collect();
        }
        let mut compiled = Vec::new();
        for (i, rule) in rules.iter().enumerate() {
            let head = if rule.starts_with('^') { "" } else { "^" };
            let tail = if rule.ends_with('$') { "" } else { "$" };
            let found = match Regex::new(&format!("{head}{rule}{tail}")) {
                Ok(regex) if regex.captures_len() == 2 => {
                    compiled.push(regex);
                    continue;
                }
                Ok(regex) => format!("`{rule}` has {} groups", regex.captures_len() - 1),
                Err(e) => format!("`{rule}` is no regular expression: {e}"),
            };
            let expected = "a regular expression with exactly one group, around the real name";
            self.file.problem(&codes::CONFIG_ONLINE_RULE, format!("{key}[{i}]"), found, expected);
        }
        compiled
    }

    fn ignored_checks(&mut self) -> IgnoredChecks {
        let mut ignored = IgnoredChecks::default();
        for (i, item) in self.task.ignore_checking_items.iter().enumerate() {
            // The manual spells some of them in two ways.
            let name = match item.as_str() {
                "dump_privileges" => "dump_privilege",
                "replication_privileges" => "replication_privilege",
                "auto_increment_disable_ID" => "auto_increment_ID",
                other => other,
            };
            match CHECKS.iter().find(|known| **known == name) {
                Some(&"all") => ignored.all = true,
                Some(known) => {
                    ignored.items.insert(known);
                }
                None => {
                    let key = format!("ignore-checking-items[{i}]");
                    let expected = format!("one of {}", CHECKS.join(", "));
                    let found = format!("found `{item}`");
                    self.file.problem(&codes::CONFIG_CHECK_ITEM, key, found, expected);
                }
            }
        }
        ignored
    }

    fn timezone(&mut self) -> Option<String> {
        let zone = self.task.timezone.as_str();
        if zone.is_empty() {
            return None;
        }
        if !is_timezone(zone) {
            self.file.problem(
                &codes::CONFIG_TIMEZONE,
                "timezone",
                format!("found `{zone}`"),
                "a name such as `Europe/Berlin`, or an offset from -12:59 to +14:00",
            );
        }
        Some(zone.to_owned())
    }

    fn limits(&mut self) -> Limits {
        let per_second = |file: &mut File, key: &str, found: Option<u64>| match found {
            Some(0) => {
                let expected = "a number above 0, or no such key";
                file.problem(&codes::CONFIG_VALUE, key, "found 0", expected);
                None
            }
            other => other,
        };
        let rows = per_second(&mut self.file, "max-rows-per-second", self.task.max_rows_per_second);
        let bytes = self.size("max-bytes-per-second", self.task.max_bytes_per_second.as_deref());
        let bytes = per_second(&mut self.file, "max-bytes-per-second", bytes);
        let memory = self.size("max-memory", self.task.max_memory.as_deref());
        let max_memory = memory.unwrap_or(defaults::MAX_MEMORY);
        if max_memory < defaults::MIN_MEMORY {
            let found = format!("{max_memory} bytes are too few");
            self.file.problem(&codes::CONFIG_VALUE, "max-memory", found, "16MiB or more");
        }
        Limits {
            max_rows_per_second: rows,
            max_bytes_per_second: bytes,
            max_memory,
            slow_ms: self.task.slow_ms,
        }
    }

    fn size(&mut self, key: &str, text: Option<&str>) -> Option<u64> {
        let text = text?;
        let size = scalar::bytes(text, 1);
        if size.is_none() {
            let found = format!("found `{text}`");
            self.file.problem(&codes::CONFIG_VALUE, key, found, "a size such as `10MiB`");
        }
        size
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

/// The checks that can be left out, by the names that reports use.
const CHECKS: &[&str] = &[
    "all",
    "version",
    "server_id",
    "binlog_enable",
    "binlog_format",
    "binlog_row_image",
    "binlog_db",
    "online_ddl",
    "dump_privilege",
    "replication_privilege",
    "target_privilege",
    "conn_number",
    "meta_position",
    "table_schema",
    "schema_of_shard_tables",
    "auto_increment_ID",
    "free_space",
    "downstream_version",
    "region_distribution",
    "empty_region",
    "downstream_mutex_features",
    "downstream_table_empty",
    "primary_key",
    // Ours.
    "target_names",
    "gtid_mode",
    "consistency",
    "replica_source",
    "prepared_xa",
    "cascades",
    "sequences",
    "binlog_retention",
    "target_triggers",
    "target_unique_keys",
    "target_values",
    "require_primary_key",
    "named_locks",
    "at_least_once",
    "state_dir",
];

fn or_default(text: &str, default: &str) -> String {
    if text.is_empty() { default } else { text }.to_owned()
}

/// `+HH:MM` in MySQL's range, or a name of this host's time zone database.
fn is_timezone(zone: &str) -> bool {
    if let Some(rest) = zone.strip_prefix(['+', '-']) {
        let Some((hours, minutes)) = rest.split_once(':') else { return false };
        let two_digits = |s: &str| {
            let digits = matches!(s.len(), 1 | 2) && s.bytes().all(|b| b.is_ascii_digit());
            if digits { s.parse::<u32>().ok() } else { None }
        };
        let (Some(hours), Some(minutes)) = (two_digits(hours), two_digits(minutes)) else {
            return false;
        };
        let total = hours * 60 + minutes;
        return minutes < 60 && total <= if zone.starts_with('-') { 12 * 60 + 59 } else { 14 * 60 };
    }
    if zone.eq_ignore_ascii_case("system") || zone.eq_ignore_ascii_case("local") {
        return false;
    }
    dm_filter::Zone::parse(zone).is_ok()
}

#[cfg(test)]
mod tests;
