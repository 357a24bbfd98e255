//! A task file as it was typed.

mod instance;
mod rules;
mod server;
mod stages;

use std::collections::BTreeMap;

use dm_filter::{BlockAllowRules, EventRule, ExpressionRule};
use dm_router::RouteRule;

pub use self::instance::{RawInstance, RawMeta};
pub(super) use self::rules::event_rule;
use self::rules::{block_allow, expression_rule, route_rule};
pub use self::server::{RawPassword, RawSecurity, RawServer};
pub use self::stages::{RawDump, RawLoad, RawSync, RawValidator};
use super::View;

/// A task file. A map's value is `None` where a name stands alone (`global:`), which DM takes for the
/// defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawTask {
    /// `name`.
    pub name: String,
    /// `task-mode`.
    pub task_mode: String,
    /// `is-sharding`.
    pub is_sharding: bool,
    /// `shard-mode`.
    pub shard_mode: String,
    /// `strict-optimistic-shard-mode`.
    pub strict_optimistic_shard_mode: bool,
    /// `ignore-checking-items`.
    pub ignore_checking_items: Vec<String>,
    /// `meta-schema`.
    pub meta_schema: String,
    /// `timezone`.
    pub timezone: String,
    /// `case-sensitive`.
    pub case_sensitive: bool,
    /// `collation_compatible`.
    pub collation_compatible: String,
    /// `target-database`.
    pub target_database: Option<RawTarget>,
    /// `mysql-instances`; an empty entry is `None`.
    pub mysql_instances: Vec<Option<RawInstance>>,
    /// `online-ddl`.
    pub online_ddl: Option<bool>,
    /// `shadow-table-rules`.
    pub shadow_table_rules: Vec<String>,
    /// `trash-table-rules`.
    pub trash_table_rules: Vec<String>,
    /// `online-ddl-scheme`.
    pub online_ddl_scheme: String,
    /// `ddl-rules` (ours).
    pub ddl_rules: Vec<RawDdlRule>,
    /// `routes`.
    pub routes: BTreeMap<String, Option<RouteRule>>,
    /// `filters`.
    pub filters: BTreeMap<String, Option<EventRule>>,
    /// Names under `column-mappings`.
    pub column_mappings: Vec<String>,
    /// `expression-filter`.
    pub expression_filter: BTreeMap<String, Option<ExpressionRule>>,
    /// `block-allow-list`.
    pub block_allow_list: BTreeMap<String, Option<BlockAllowRules>>,
    /// `black-white-list`.
    pub black_white_list: BTreeMap<String, Option<BlockAllowRules>>,
    /// `mydumpers`.
    pub mydumpers: BTreeMap<String, Option<RawDump>>,
    /// `loaders`.
    pub loaders: BTreeMap<String, Option<RawLoad>>,
    /// `syncers`.
    pub syncers: BTreeMap<String, Option<RawSync>>,
    /// `validators`.
    pub validators: BTreeMap<String, Option<RawValidator>>,
    /// `clean-dump-file`.
    pub clean_dump_file: Option<bool>,
    /// `experimental.async-checkpoint-flush`.
    pub async_checkpoint_flush: bool,
    /// `max-rows-per-second` (ours).
    pub max_rows_per_second: Option<u64>,
    /// `slow-ms` (ours).
    pub slow_ms: Option<u64>,
    /// `max-bytes-per-second` (ours).
    pub max_bytes_per_second: Option<String>,
    /// `max-memory` (ours).
    pub max_memory: Option<String>,
}

/// An entry of `ddl-rules` (ours).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawDdlRule {
    /// `match`.
    pub pattern: String,
    /// `action`.
    pub action: String,
    /// `sql`.
    pub sql: Option<String>,
}

/// `target-database`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawTarget {
    /// `host` and its companions.
    pub server: RawServer,
    /// `sqlite` (ours).
    pub sqlite: Option<String>,
    /// `script` (ours).
    pub script: Option<String>,
}

impl RawTask {
    pub(in crate::config) fn read(v: View<'_>) -> Self {
        let text = |key| v.get(key).text().unwrap_or_default();
        let bool = |key| v.get(key).bool().unwrap_or(false);
        Self {
            name: text("name"),
            task_mode: text("task-mode"),
            is_sharding: bool("is-sharding"),
            shard_mode: text("shard-mode"),
            strict_optimistic_shard_mode: bool("strict-optimistic-shard-mode"),
            ignore_checking_items: v.get("ignore-checking-items").texts(),
            meta_schema: text("meta-schema"),
            timezone: text("timezone"),
            case_sensitive: bool("case-sensitive"),
            collation_compatible: text("collation_compatible"),
            target_database: v.get("target-database").one(|v| RawTarget {
                server: RawServer::read(v),
                sqlite: v.get("sqlite").text(),
                script: v.get("script").text(),
            }),
            mysql_instances: v.get("mysql-instances").list(|v| v.one(RawInstance::read)),
            online_ddl: v.get("online-ddl").bool(),
            shadow_table_rules: v.get("shadow-table-rules").texts(),
            trash_table_rules: v.get("trash-table-rules").texts(),
            online_ddl_scheme: text("online-ddl-scheme"),
            ddl_rules: v.get("ddl-rules").list(|v| RawDdlRule {
                pattern: v.get("match").text().unwrap_or_default(),
                action: v.get("action").text().unwrap_or_default(),
                sql: v.get("sql").text(),
            }),
            routes: v.get("routes").named(|v| v.one(route_rule)),
            filters: v.get("filters").named(|v| v.one(event_rule)),
            column_mappings: v.get("column-mappings").named(|_| ()).into_keys().collect(),
            expression_filter: v.get("expression-filter").named(|v| v.one(expression_rule)),
            block_allow_list: v.get("block-allow-list").named(|v| v.one(block_allow)),
            black_white_list: v.get("black-white-list").named(|v| v.one(block_allow)),
            mydumpers: v.get("mydumpers").named(|v| v.one(RawDump::read)),
            loaders: v.get("loaders").named(|v| v.one(RawLoad::read)),
            syncers: v.get("syncers").named(|v| v.one(RawSync::read)),
            validators: v.get("validators").named(|v| v.one(RawValidator::read)),
            clean_dump_file: v.get("clean-dump-file").bool(),
            async_checkpoint_flush: v
                .get("experimental")
                .get("async-checkpoint-flush")
                .bool()
                .unwrap_or(false),
            max_rows_per_second: v.get("max-rows-per-second").uint(),
            slow_ms: v.get("slow-ms").uint(),
            max_bytes_per_second: v.get("max-bytes-per-second").text(),
            max_memory: v.get("max-memory").text(),
        }
    }
}
