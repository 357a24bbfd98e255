//! A source file as it was typed.

use dm_filter::EventRule;

use super::task::event_rule;
use super::{RawServer, View};

/// A source file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawSource {
    /// `enable`.
    pub enable: Option<bool>,
    /// `source-id`.
    pub source_id: String,
    /// `enable-gtid`.
    pub enable_gtid: bool,
    /// `flavor`.
    pub flavor: String,
    /// `server-id`.
    pub server_id: u64,
    /// `enable-relay`.
    pub enable_relay: bool,
    /// `relay-dir`.
    pub relay_dir: Option<String>,
    /// `relay-binlog-name`.
    pub relay_binlog_name: String,
    /// `relay-binlog-gtid`.
    pub relay_binlog_gtid: String,
    /// `from`.
    pub from: Option<RawServer>,
    /// `purge`.
    pub purge: RawPurge,
    /// `checker`.
    pub checker: RawChecker,
    /// `case-sensitive`.
    pub case_sensitive: bool,
    /// `filters`.
    pub filters: Vec<EventRule>,
    /// `recorded` (ours).
    pub recorded: Option<RawRecorded>,
}

/// `purge`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawPurge {
    /// `interval`, seconds.
    pub interval: Option<i64>,
    /// `expires`, hours.
    pub expires: Option<i64>,
    /// `remain-space`, GiB.
    pub remain_space: Option<i64>,
}

/// `checker`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawChecker {
    /// `check-enable`.
    pub check_enable: Option<bool>,
    /// `backoff-rollback`, a duration.
    pub backoff_rollback: Option<String>,
    /// `backoff-max`, a duration.
    pub backoff_max: Option<String>,
}

/// `recorded` (ours).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawRecorded {
    /// `dump-dir`.
    pub dump_dir: Option<String>,
    /// `binlog-files`.
    pub binlog_files: Vec<String>,
    /// `binlog-dir`.
    pub binlog_dir: Option<String>,
    /// `flavor`.
    pub flavor: String,
}

impl RawSource {
    pub(in crate::config) fn read(v: View<'_>) -> Self {
        let text = |key| v.get(key).text().unwrap_or_default();
        Self {
            enable: v.get("enable").bool(),
            source_id: text("source-id"),
            enable_gtid: v.get("enable-gtid").bool().unwrap_or(false),
            flavor: text("flavor"),
            server_id: v.get("server-id").uint().unwrap_or(0),
            enable_relay: v.get("enable-relay").bool().unwrap_or(false),
            relay_dir: v.get("relay-dir").text(),
            relay_binlog_name: text("relay-binlog-name"),
            relay_binlog_gtid: text("relay-binlog-gtid"),
            from: v.get("from").one(RawServer::read),
            purge: RawPurge {
                interval: v.get("purge").get("interval").int(),
                expires: v.get("purge").get("expires").int(),
                remain_space: v.get("purge").get("remain-space").int(),
            },
            checker: RawChecker {
                check_enable: v.get("checker").get("check-enable").bool(),
                backoff_rollback: v.get("checker").get("backoff-rollback").text(),
                backoff_max: v.get("checker").get("backoff-max").text(),
            },
            case_sensitive: v.get("case-sensitive").bool().unwrap_or(false),
            filters: v.get("filters").list(event_rule),
            recorded: v.get("recorded").one(|v| RawRecorded {
                dump_dir: v.get("dump-dir").text(),
                binlog_files: v.get("binlog-files").texts(),
                binlog_dir: v.get("binlog-dir").text(),
                flavor: v.get("flavor").text().unwrap_or_default(),
            }),
        }
    }
}
