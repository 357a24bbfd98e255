//! The table of checks, a file each, in the order in which they are made and documented.

use super::Check;

macro_rules! checks {
    ($($file:ident),+ $(,)?) => {
        $(mod $file;)+
        static CHECKS: &[&Check] = &[$(&$file::CHECK),+, &conn_number::AT_TARGET];
    };
}

checks!(
    version,
    server_id,
    binlog_enable,
    binlog_format,
    binlog_row_image,
    binlog_db,
    online_ddl,
    dump_privilege,
    replication_privilege,
    target_privilege,
    at_least_once,
    conn_number,
    meta_position,
    table_schema,
    shard_tables,
    auto_increment,
    primary_key,
    downstream_version,
    downstream_table_empty,
    target_names,
    gtid_mode,
    consistency,
    replica_source,
    prepared_xa,
    cascades,
    sequences,
    binlog_retention,
    target_triggers,
    target_unique_keys,
    target_values,
    require_primary_key,
    named_locks,
    state_dir,
);

/// Every check.
pub fn all() -> &'static [&'static Check] {
    CHECKS
}
