//! What the three stages of a task and its validator are told, as typed.
use std::collections::BTreeMap;

use crate::config::raw::View;
/// `mydumpers.<name>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawDump {
    /// `mydumper-path`.
    pub mydumper_path: Option<String>,
    /// `threads`.
    pub threads: Option<u64>,
    /// `chunk-filesize`.
    pub chunk_filesize: Option<String>,
    /// `statement-size`.
    pub statement_size: Option<u64>,
    /// `rows`.
    pub rows: Option<u64>,
    /// `where`.
    pub where_clause: String,
    /// `extra-args`.
    pub extra_args: String,
}

/// `loaders.<name>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawLoad {
    /// `pool-size`.
    pub pool_size: Option<u64>,
    /// `dir`.
    pub dir: Option<String>,
    /// `import-mode`.
    pub import_mode: Option<String>,
    /// `on-duplicate-logical`.
    pub on_duplicate_logical: Option<String>,
    /// `on-duplicate-physical`.
    pub on_duplicate_physical: Option<String>,
    /// `checksum-physical`.
    pub checksum_physical: Option<String>,
    /// `analyze`.
    pub analyze: Option<String>,
    /// `disk-quota-physical`.
    pub disk_quota_physical: Option<String>,
}

/// `syncers.<name>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawSync {
    /// `worker-count`.
    pub worker_count: Option<u64>,
    /// `batch`.
    pub batch: Option<u64>,
    /// `queue-size`.
    pub queue_size: Option<u64>,
    /// `checkpoint-flush-interval`, seconds.
    pub checkpoint_flush_interval: Option<u64>,
    /// `compact`.
    pub compact: bool,
    /// `multiple-rows`.
    pub multiple_rows: bool,
    /// `safe-mode`.
    pub safe_mode: bool,
    /// `safe-mode-duration`; an empty text is something else than an absent key.
    pub safe_mode_duration: Option<String>,
    /// `missing-row` (ours).
    pub missing_row: Option<String>,
    /// `commit-order` (ours).
    pub commit_order: Option<String>,
    /// `at-least-once` (ours).
    pub at_least_once: Option<String>,
}

/// `validators.<name>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawValidator {
    /// `mode`.
    pub mode: Option<String>,
    /// `validate-interval`, `check-interval`, `row-error-delay`, `meta-flush-interval`: durations by key.
    pub durations: BTreeMap<&'static str, String>,
    /// `max-pending-row-size`.
    pub max_pending_row_size: Option<String>,
}

impl RawDump {
    pub(super) fn read(v: View<'_>) -> Self {
        Self {
            mydumper_path: v.get("mydumper-path").text(),
            threads: v.get("threads").uint(),
            chunk_filesize: v.get("chunk-filesize").text(),
            statement_size: v.get("statement-size").uint(),
            rows: v.get("rows").uint(),
            where_clause: v.get("where").text().unwrap_or_default(),
            extra_args: v.get("extra-args").text().unwrap_or_default(),
        }
    }
}

impl RawLoad {
    pub(super) fn read(v: View<'_>) -> Self {
        Self {
            pool_size: v.get("pool-size").uint(),
            dir: v.get("dir").text(),
            import_mode: v.get("import-mode").text(),
            on_duplicate_logical: v.get("on-duplicate-logical").text(),
            on_duplicate_physical: v.get("on-duplicate-physical").text(),
            checksum_physical: v.get("checksum-physical").text(),
            analyze: v.get("analyze").text(),
            disk_quota_physical: v.get("disk-quota-physical").text(),
        }
    }
}

impl RawSync {
    pub(super) fn read(v: View<'_>) -> Self {
        let bool = |key| v.get(key).bool().unwrap_or(false);
        Self {
            worker_count: v.get("worker-count").uint(),
            batch: v.get("batch").uint(),
            queue_size: v.get("queue-size").uint(),
            checkpoint_flush_interval: v.get("checkpoint-flush-interval").uint(),
            compact: bool("compact"),
            multiple_rows: bool("multiple-rows"),
            safe_mode: bool("safe-mode"),
            safe_mode_duration: v.get("safe-mode-duration").text(),
            missing_row: v.get("missing-row").text(),
            commit_order: v.get("commit-order").text(),
            at_least_once: v.get("at-least-once").text(),
        }
    }
}

impl RawValidator {
    pub(super) fn read(v: View<'_>) -> Self {
        let keys =
            ["validate-interval", "check-interval", "row-error-delay", "meta-flush-interval"];
        Self {
            mode: v.get("mode").text(),
            durations: keys.into_iter().filter_map(|k| Some((k, v.get(k).text()?))).collect(),
            max_pending_row_size: v.get("max-pending-row-size").text(),
        }
    }
}
