//! A task file as it was typed.

use std::collections::BTreeMap;

use dm_filter::{BlockAllowRules, EventRule, ExpressionRule, TablePattern};
use dm_router::{ColumnsRule, ExtractSchema, ExtractSource, ExtractTable, RouteRule};

use super::View;
use crate::config::Secret;

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

/// A server, in `target-database` and in `from`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawServer {
    /// `host`.
    pub host: String,
    /// `port`.
    pub port: Option<u64>,
    /// `user`.
    pub user: String,
    /// `password`, `password-file`.
    pub password: RawPassword,
    /// `max-allowed-packet`.
    pub max_allowed_packet: Option<u64>,
    /// `session`.
    pub session: BTreeMap<String, String>,
    /// `security`.
    pub security: Option<RawSecurity>,
}

/// Where a password is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawPassword {
    /// `password` as typed.
    pub text: Option<Secret>,
    /// `password-file` (ours).
    pub file: Option<String>,
}

/// `security`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RawSecurity {
    /// `ssl-ca`.
    pub ssl_ca: Option<String>,
    /// `ssl-cert`.
    pub ssl_cert: Option<String>,
    /// `ssl-key`.
    pub ssl_key: Option<String>,
    /// `cert-allowed-cn`.
    pub cert_allowed_cn: Vec<String>,
    /// `ssl-verify-identity` (ours).
    pub ssl_verify_identity: bool,
    /// `ssl-ca-bytes`.
    pub ssl_ca_bytes: Option<Vec<u8>>,
    /// `ssl-cert-bytes`.
    pub ssl_cert_bytes: Option<Vec<u8>>,
    /// `ssl-key-bytes`.
    pub ssl_key_bytes: Option<Vec<u8>>,
    /// `ssl-ca-base64`.
    pub ssl_ca_base64: Option<String>,
    /// `ssl-cert-base64`.
    pub ssl_cert_base64: Option<String>,
    /// `ssl-key-base64`.
    pub ssl_key_base64: Option<String>,
}

impl std::fmt::Debug for RawSecurity {
    /// Paths only: what is given as bytes may be a private key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawSecurity")
            .field("ssl_ca", &self.ssl_ca)
            .field("ssl_cert", &self.ssl_cert)
            .field("ssl_key", &self.ssl_key)
            .field("cert_allowed_cn", &self.cert_allowed_cn)
            .field("ssl_verify_identity", &self.ssl_verify_identity)
            .finish_non_exhaustive()
    }
}

/// An entry of `mysql-instances`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawInstance {
    /// `source-id`.
    pub source_id: String,
    /// `meta`.
    pub meta: Option<RawMeta>,
    /// `filter-rules`.
    pub filter_rules: Vec<String>,
    /// `route-rules`.
    pub route_rules: Vec<String>,
    /// `expression-filters`.
    pub expression_filters: Vec<String>,
    /// `column-mapping-rules`.
    pub column_mapping_rules: Vec<String>,
    /// `block-allow-list`.
    pub block_allow_list: String,
    /// `black-white-list`.
    pub black_white_list: String,
    /// `mydumper-config-name`.
    pub mydumper_config_name: String,
    /// `mydumper`.
    pub mydumper: Option<RawDump>,
    /// `mydumper-thread`.
    pub mydumper_thread: u64,
    /// `loader-config-name`.
    pub loader_config_name: String,
    /// `loader`.
    pub loader: Option<RawLoad>,
    /// `loader-thread`.
    pub loader_thread: u64,
    /// `syncer-config-name`.
    pub syncer_config_name: String,
    /// `syncer`.
    pub syncer: Option<RawSync>,
    /// `syncer-thread`.
    pub syncer_thread: u64,
    /// `validator-config-name`.
    pub validator_config_name: String,
}

/// `meta`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawMeta {
    /// `binlog-name`.
    pub binlog_name: String,
    /// `binlog-pos`.
    pub binlog_pos: u64,
    /// `binlog-gtid`.
    pub binlog_gtid: String,
}

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

impl RawServer {
    pub(in crate::config) fn read(v: View<'_>) -> Self {
        Self {
            host: v.get("host").text().unwrap_or_default(),
            port: v.get("port").uint(),
            user: v.get("user").text().unwrap_or_default(),
            password: RawPassword {
                text: v.get("password").text().map(Secret::new),
                file: v.get("password-file").text(),
            },
            max_allowed_packet: v.get("max-allowed-packet").uint(),
            session: v.get("session").text_map(),
            security: v.get("security").one(|v| RawSecurity {
                ssl_ca: v.get("ssl-ca").text(),
                ssl_cert: v.get("ssl-cert").text(),
                ssl_key: v.get("ssl-key").text(),
                cert_allowed_cn: v.get("cert-allowed-cn").texts(),
                ssl_verify_identity: v.get("ssl-verify-identity").bool().unwrap_or(false),
                ssl_ca_bytes: v.get("ssl-ca-bytes").bytes(),
                ssl_cert_bytes: v.get("ssl-cert-bytes").bytes(),
                ssl_key_bytes: v.get("ssl-key-bytes").bytes(),
                ssl_ca_base64: v.get("ssl-ca-base64").text(),
                ssl_cert_base64: v.get("ssl-cert-base64").text(),
                ssl_key_base64: v.get("ssl-key-base64").text(),
            }),
        }
    }
}

impl RawInstance {
    fn read(v: View<'_>) -> Self {
        let text = |key| v.get(key).text().unwrap_or_default();
        Self {
            source_id: text("source-id"),
            meta: v.get("meta").one(|v| RawMeta {
                binlog_name: v.get("binlog-name").text().unwrap_or_default(),
                binlog_pos: v.get("binlog-pos").uint().unwrap_or(0),
                binlog_gtid: v.get("binlog-gtid").text().unwrap_or_default(),
            }),
            filter_rules: v.get("filter-rules").texts(),
            route_rules: v.get("route-rules").texts(),
            expression_filters: v.get("expression-filters").texts(),
            column_mapping_rules: v.get("column-mapping-rules").texts(),
            block_allow_list: text("block-allow-list"),
            black_white_list: text("black-white-list"),
            mydumper_config_name: text("mydumper-config-name"),
            mydumper: v.get("mydumper").one(RawDump::read),
            mydumper_thread: v.get("mydumper-thread").uint().unwrap_or(0),
            loader_config_name: text("loader-config-name"),
            loader: v.get("loader").one(RawLoad::read),
            loader_thread: v.get("loader-thread").uint().unwrap_or(0),
            syncer_config_name: text("syncer-config-name"),
            syncer: v.get("syncer").one(RawSync::read),
            syncer_thread: v.get("syncer-thread").uint().unwrap_or(0),
            validator_config_name: text("validator-config-name"),
        }
    }
}

impl RawDump {
    fn read(v: View<'_>) -> Self {
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
    fn read(v: View<'_>) -> Self {
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
    fn read(v: View<'_>) -> Self {
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
    fn read(v: View<'_>) -> Self {
        let keys =
            ["validate-interval", "check-interval", "row-error-delay", "meta-flush-interval"];
        Self {
            mode: v.get("mode").text(),
            durations: keys.into_iter().filter_map(|k| Some((k, v.get(k).text()?))).collect(),
            max_pending_row_size: v.get("max-pending-row-size").text(),
        }
    }
}

fn block_allow(v: View<'_>) -> BlockAllowRules {
    let tables = |v: View<'_>| {
        v.list(|v| TablePattern {
            db_name: v.get("db-name").text().unwrap_or_default(),
            tbl_name: v.get("tbl-name").text().unwrap_or_default(),
        })
    };
    BlockAllowRules {
        do_dbs: v.get("do-dbs").texts(),
        ignore_dbs: v.get("ignore-dbs").texts(),
        do_tables: tables(v.get("do-tables")),
        ignore_tables: tables(v.get("ignore-tables")),
    }
}

pub(super) fn event_rule(v: View<'_>) -> EventRule {
    EventRule {
        schema_pattern: v.get("schema-pattern").text().unwrap_or_default(),
        table_pattern: v.get("table-pattern").text().unwrap_or_default(),
        events: v.get("events").texts(),
        sql_pattern: v.get("sql-pattern").texts(),
        action: v.get("action").text().unwrap_or_default(),
    }
}

fn expression_rule(v: View<'_>) -> ExpressionRule {
    let text = |key| v.get(key).text().unwrap_or_default();
    ExpressionRule {
        schema: text("schema"),
        table: text("table"),
        insert_value_expr: text("insert-value-expr"),
        update_old_value_expr: text("update-old-value-expr"),
        update_new_value_expr: text("update-new-value-expr"),
        delete_value_expr: text("delete-value-expr"),
    }
}

fn route_rule(v: View<'_>) -> RouteRule {
    let text = |key| v.get(key).text().unwrap_or_default();
    let inner = |group, key| v.get(group).get(key).text().unwrap_or_default();
    let names = |v: View<'_>, key| v.get(key).one(View::texts);
    RouteRule {
        schema_pattern: text("schema-pattern"),
        table_pattern: text("table-pattern"),
        target_schema: text("target-schema"),
        target_table: text("target-table"),
        extract_table: v.get("extract-table").one(|_| ExtractTable {
            table_regexp: inner("extract-table", "table-regexp"),
            target_column: inner("extract-table", "target-column"),
        }),
        extract_schema: v.get("extract-schema").one(|_| ExtractSchema {
            schema_regexp: inner("extract-schema", "schema-regexp"),
            target_column: inner("extract-schema", "target-column"),
        }),
        extract_source: v.get("extract-source").one(|_| ExtractSource {
            source_regexp: inner("extract-source", "source-regexp"),
            target_column: inner("extract-source", "target-column"),
        }),
        columns: v
            .get("columns")
            .one(|v| ColumnsRule { include: names(v, "include"), exclude: names(v, "exclude") }),
    }
}
