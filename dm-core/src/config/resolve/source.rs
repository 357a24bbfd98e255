//! Source files: checks of each, and what they say about an instance.

use std::path::PathBuf;
use std::time::Duration;

use super::{Lookup, conn};
use crate::config::context::File;
use crate::config::plan::{
    BinlogFiles, ConnPlan, Flavor, MysqlSourcePlan, PurgePlan, RecordedPlan, RelayPlan, ResumePlan,
    SourceKind,
};
use crate::config::raw::{RawRecorded, RawSource};
use crate::config::{defaults, scalar};
use crate::error::codes;

/// The longest `source-id` that DM's tables hold.
pub(super) const MAX_SOURCE_ID: usize = 32;

impl super::Resolver<'_> {
    /// Checks every source file by itself, and that their ids differ.
    pub(super) fn check_sources(&mut self) {
        let ids: Vec<String> = self.sources.iter().map(|(s, _)| s.source_id.clone()).collect();
        for (i, (source, file)) in self.sources.iter_mut().enumerate() {
            if file.unreadable {
                continue;
            }
            let id = &source.source_id;
            if id.is_empty() {
                file.problem(&codes::SOURCE_ID_MISSING, "source-id", "no id is given", "an id");
            } else if id.chars().count() > MAX_SOURCE_ID {
                let found = format!("`{id}` has more than {MAX_SOURCE_ID} characters");
                file.problem(&codes::CONFIG_LONG_SOURCE_ID, "source-id", found, "");
            } else if ids.iter().take(i).any(|other| other == id) {
                let found = format!("another source file has the id `{id}` too");
                file.problem(&codes::CONFIG_SAME_SOURCE_ID, "source-id", found, "");
            }
        }
    }
}

/// Where a source is; `None` when that is not clear, which has been reported then.
pub(super) fn kind(raw: &RawSource, file: &mut File, lookup: &Lookup<'_>) -> Option<SourceKind> {
    let flavor = flavor(&raw.flavor, "flavor", file);
    let relay = relay(raw, file);
    let files = raw.recorded.as_ref().and_then(|r| binlog_files(r, file));
    match (&raw.from, &raw.recorded) {
        (Some(from), recorded) => {
            let conn: ConnPlan = conn::connection(from, "from", file, lookup);
            if from.host.is_empty() {
                let found = "no host is given";
                file.problem(&codes::CONFIG_SOURCE_KIND, "from.host", found, "a host");
            }
            if files.is_some() {
                let found = "binlog files beside `from`";
                let expected = "`recorded` with `dump-dir` only, or no `from`";
                file.problem(&codes::CONFIG_SOURCE_KIND, "recorded", found, expected);
            }
            Some(SourceKind::Mysql(Box::new(MysqlSourcePlan {
                conn,
                flavor,
                server_id: server_id(raw, file),
                enable_gtid: raw.enable_gtid,
                dump_dir: recorded.as_ref().and_then(dump_dir),
                relay,
            })))
        }
        (None, Some(recorded)) => {
            let own = self::flavor(&recorded.flavor, "recorded.flavor", file);
            let dump_dir = dump_dir(recorded);
            if dump_dir.is_none() && files.is_none() {
                let expected = "`dump-dir`, or `binlog-files` or `binlog-dir`";
                let found = "no files are given";
                file.problem(&codes::CONFIG_SOURCE_KIND, "recorded", found, expected);
            }
            let enable_gtid = raw.enable_gtid;
            let flavor = own.or(flavor);
            Some(SourceKind::Recorded(RecordedPlan {
                dump_dir,
                binlog: files,
                flavor,
                enable_gtid,
            }))
        }
        (None, None) => {
            let found = "neither `from` nor `recorded` is given";
            file.problem(&codes::CONFIG_SOURCE_KIND, "", found, "one of them");
            None
        }
    }
}

fn dump_dir(raw: &RawRecorded) -> Option<PathBuf> {
    raw.dump_dir.as_ref().filter(|d| !d.is_empty()).map(PathBuf::from)
}

fn binlog_files(raw: &RawRecorded, file: &mut File) -> Option<BinlogFiles> {
    let dir = raw.binlog_dir.as_ref().filter(|d| !d.is_empty());
    if dir.is_some() && !raw.binlog_files.is_empty() {
        let found = "both `binlog-files` and `binlog-dir` are given";
        file.problem(&codes::CONFIG_SOURCE_KIND, "recorded.binlog-dir", found, "one of the two");
    }
    match dir {
        Some(dir) => Some(BinlogFiles::Dir(PathBuf::from(dir))),
        None if raw.binlog_files.is_empty() => None,
        None => Some(BinlogFiles::Files(raw.binlog_files.iter().map(PathBuf::from).collect())),
    }
}

fn flavor(text: &str, path: &str, file: &mut File) -> Option<Flavor> {
    match text {
        "" => None,
        "mysql" => Some(Flavor::Mysql),
        "mariadb" => Some(Flavor::Mariadb),
        other => {
            let found = format!("found `{other}`");
            file.problem(&codes::FLAVOR_UNKNOWN, path, found, "mysql or mariadb");
            None
        }
    }
}

fn server_id(raw: &RawSource, file: &mut File) -> Option<u32> {
    match u32::try_from(raw.server_id) {
        Ok(0) => None,
        Ok(id) => Some(id),
        Err(_) => {
            let found = format!("found {}", raw.server_id);
            file.problem(&codes::CONFIG_YAML, "server-id", found, "0 to 4294967295");
            None
        }
    }
}

fn relay(raw: &RawSource, file: &mut File) -> RelayPlan {
    let name = Some(raw.relay_binlog_name.clone()).filter(|n| !n.is_empty());
    if let Some(name) = name.as_deref().filter(|n| !is_binlog_name(n)) {
        let found = format!("found `{name}`");
        let expected = "`base.number`, such as `mysql-bin.000001`";
        file.problem(&codes::RELAY_START_NAME, "relay-binlog-name", found, expected);
    }
    let mut number = |key: &str, value: Option<i64>, default: i64| {
        let value = value.unwrap_or(default);
        u64::try_from(value).unwrap_or_else(|_| {
            let path = format!("purge.{key}");
            file.problem(&codes::CONFIG_VALUE, path, format!("found {value}"), "0 or more");
            0
        })
    };
    let interval = number("interval", raw.purge.interval, defaults::PURGE_INTERVAL);
    let expires = number("expires", raw.purge.expires, 0);
    let space = number("remain-space", raw.purge.remain_space, defaults::PURGE_REMAIN_SPACE);
    let some = |n: u64| Some(n).filter(|n| *n > 0);
    RelayPlan {
        enabled: raw.enable_relay,
        // Samples give the default by its name, for every source the same.
        dir: raw
            .relay_dir
            .clone()
            .filter(|dir| !dir.is_empty() && dir != defaults::RELAY_DIR)
            .map(PathBuf::from),
        binlog_name: name,
        binlog_gtid: Some(raw.relay_binlog_gtid.clone()).filter(|g| !g.is_empty()),
        purge: PurgePlan {
            interval: Duration::from_secs(interval),
            expires: some(expires).map(|h| Duration::from_secs(h.saturating_mul(3600))),
            remain_space: some(space).map(|g| g.saturating_mul(1 << 30)),
        },
    }
}

/// `base.number` with a number above 0.
pub(super) fn is_binlog_name(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(base, number)| {
        let digits = number.bytes().all(|b| b.is_ascii_digit());
        !base.is_empty() && digits && number.parse::<u64>().is_ok_and(|n| n > 0)
    })
}

/// `checker`.
pub(super) fn resume(raw: &RawSource, file: &mut File) -> ResumePlan {
    let mut duration = |key: &str, text: &Option<String>, default: Duration| {
        let Some(text) = text.as_deref().filter(|t| !t.is_empty()) else { return default };
        scalar::duration(text).unwrap_or_else(|| {
            let path = format!("checker.{key}");
            let found = format!("found `{text}`");
            file.problem(&codes::CONFIG_YAML, path, found, "a duration such as `5m`");
            default
        })
    };
    let checker = &raw.checker;
    let rollback = &checker.backoff_rollback;
    let backoff_rollback = duration("backoff-rollback", rollback, defaults::BACKOFF_ROLLBACK);
    let backoff_max = duration("backoff-max", &checker.backoff_max, defaults::BACKOFF_MAX);
    let backoff_min = defaults::BACKOFF_MIN;
    if backoff_max < backoff_min {
        let found = format!("{backoff_max:?} is shorter than `backoff-min`");
        file.problem(&codes::CONFIG_BACKOFF, "checker.backoff-max", found, "1s or more");
    }
    let enabled = checker.check_enable.unwrap_or(true);
    ResumePlan { enabled, backoff_min, backoff_max, backoff_rollback }
}
