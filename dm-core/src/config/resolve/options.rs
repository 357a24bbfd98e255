//! What a task says of itself beside names and rules: its mode, how shards, collations and online schema changes are
//! treated, the checks that are left out, the time zone, the limits.
use regex::Regex;

use super::Resolver;
use crate::config::context::File;
use crate::config::plan::{
    CollationMode, IgnoredChecks, Limits, OnlineDdlRules, ShardMode, TaskMode,
};
use crate::config::{defaults, scalar};
use crate::error::codes;

impl Resolver<'_> {
    pub(super) fn mode(&mut self) -> Option<TaskMode> {
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

    pub(super) fn collation(&mut self) -> CollationMode {
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

    pub(super) fn shard_mode(&mut self) -> ShardMode {
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

    pub(super) fn online_ddl(&mut self) -> Option<OnlineDdlRules> {
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

    pub(super) fn ignored_checks(&mut self) -> IgnoredChecks {
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

    pub(super) fn timezone(&mut self) -> Option<String> {
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

    pub(super) fn limits(&mut self) -> Limits {
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
mod tests {
    use super::*;
    #[test]
    fn time_zones() {
        for right in ["+08:00", "-12:59", "+14:00", "Asia/Shanghai", "UTC"] {
            assert!(is_timezone(right), "{right}");
        }
        for wrong in
            ["SYSTEM", "Local", "+14:01", "-13:00", "+8", "+08:60", "Mars/Olympus", "+a:00"]
        {
            assert!(!is_timezone(wrong), "{wrong}");
        }
    }
}
