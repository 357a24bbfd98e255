//! Every column type, copied and replicated, compared column by column.
//!
//! The values are those of `tests/sql/types.sql` and `tests/sql/json.sql`; each test runs them over
//! the pairs of servers and the ways in which a server can write its binlog.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use support::compare::{Options, Target, assert_databases_equal, compare, pairs_of_all};
use support::dm::{Dm, Task};
use support::server::{Flavor, Server};
use support::{leave_out, serial, workspace};

/// Columns that only some servers have, and values for them.
fn extra(source: Flavor, target: Option<Flavor>) -> (&'static str, &'static str) {
    const MARIADB: (&str, &str) = (
        ", c_inet6 INET6, c_inet4 INET4, c_uuid UUID, c_cvarchar VARCHAR(200) COMPRESSED, c_cblob BLOB COMPRESSED",
        "UPDATE all_types SET c_inet6 = '2001:db8::ff00:42:8329', c_inet4 = '192.168.1.254', \
         c_uuid = '123e4567-e89b-12d3-a456-426655440000', c_cvarchar = REPEAT('compress me ', 15), \
         c_cblob = REPEAT(X'00AB', 400) WHERE id IN (2, 3);",
    );
    match (source, target) {
        (Flavor::Mysql, _) => (
            ", c_vec VECTOR(4)",
            "UPDATE all_types SET c_vec = STRING_TO_VECTOR('[1.5, -2.25, 0, 1e-30]') WHERE id IN (2, 3);",
        ),
        (Flavor::MariadbNew, Some(Flavor::Mysql)) => (
            ", c_vec VECTOR(4)",
            "UPDATE all_types SET c_vec = VEC_FromText('[1.5, -2.25, 0, 1e-30]') WHERE id IN (2, 3);",
        ),
        (_, Some(Flavor::Mysql)) => ("", ""),
        _ => MARIADB,
    }
}

/// The whole script for a source; `json.sql` is MySQL's own.
fn script(source: Flavor, target: Option<Flavor>) -> String {
    let read = |file: &str| {
        std::fs::read_to_string(workspace().join("tests/sql").join(file)).expect("our own file")
    };
    let (columns, values) = extra(source, target);
    let mut text = read("types.sql").replace("/*EXTRA*/", columns) + values;
    if source.is_mysql() {
        text += &read("json.sql");
    }
    // The same once more in tables without keys, where a row is found by all of its values.
    let keyless = text
        .replace(" AUTO_INCREMENT PRIMARY KEY", "")
        .replace(" INT PRIMARY KEY", " INT")
        .replace(", PRIMARY KEY (k1,k2), UNIQUE KEY uq (u)", "")
        .replace(" all_types", " all_loose")
        .replace(" compos ", " compos_loose ")
        .replace(" nopk", " nopk_more")
        .replace("TABLE j ", "TABLE j_loose ")
        .replace("INTO j ", "INTO j_loose ")
        .replace("UPDATE j ", "UPDATE j_loose ")
        .replace("FROM j ", "FROM j_loose ");
    text + "\n" + &keyless
}

/// A way to write a binlog: global variables of MySQL and of MariaDB.
type Settings = (&'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)]);

const PLAIN: Settings =
    (&[("binlog_row_metadata", "MINIMAL")], &[("binlog_row_metadata", "NO_LOG")]);
const FULL_METADATA: Settings =
    (&[("binlog_row_metadata", "FULL")], &[("binlog_row_metadata", "FULL")]);
const COMPRESSED: Settings = (
    &[("binlog_transaction_compression", "ON"), ("binlog_row_metadata", "MINIMAL")],
    &[
        ("log_bin_compress", "ON"),
        ("log_bin_compress_min_len", "10"),
        ("binlog_row_metadata", "MINIMAL"),
    ],
);
const PARTIAL_JSON: Settings = (
    &[("binlog_row_value_options", "PARTIAL_JSON"), ("binlog_transaction_compression", "ON")],
    &[("binlog_row_metadata", "FULL"), ("log_bin_compress", "ON")],
);

/// How the rows get to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    /// `full`: all rows are there before `dm` starts.
    Copied,
    /// `all`: an empty database is copied, everything else comes by the binlog.
    Replicated,
    /// `incremental` from the position before the script.
    Incremental,
    /// `incremental` from the GTID set before the script.
    IncrementalGtid,
}

fn check(source: Flavor, target: Option<Flavor>, path: Path, settings: Settings) {
    let _one = serial();
    let Some(from) = Server::shared(source, "src") else { return };
    let to = match target {
        Some(flavor) => match Server::target(flavor) {
            Some(server) => Some(server),
            None => return,
        },
        None => None,
    };
    if to.is_some_and(|server| server.external && (server.is_tidb() || !source.is_mysql())) {
        return leave_out("all types", "TiDB has no geometry, MySQL lacks types of MariaDB");
    }
    from.clear();
    if let Some(server) = to {
        server.clear();
    }
    let _globals = from.with_globals(if source.is_mysql() { settings.0 } else { settings.1 });
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("copy.db");
    let goal = to.map_or(Target::Sqlite(&file), |server| Target::Server(server));
    from.run("", "CREATE DATABASE t DEFAULT CHARSET utf8mb4");
    let script = script(source, target);
    let before = from.position();
    let meta = match path {
        Path::Incremental => {
            format!("    meta: {{binlog-name: {}, binlog-pos: {}}}\n", before.file, before.pos)
        }
        Path::IncrementalGtid => format!("    meta: {{binlog-gtid: \"{}\"}}\n", before.gtid),
        Path::Copied | Path::Replicated => String::new(),
    };
    let mode = match path {
        Path::Copied => "full",
        Path::Replicated => "all",
        Path::Incremental | Path::IncrementalGtid => "incremental",
    };
    let sources = [&from.address];
    let mut task = Task::new(mode, &sources, goal, &["t"]);
    task.gtid = path == Path::IncrementalGtid;
    task.instance = &meta;
    let dm = Dm::set_up(&task);
    match path {
        Path::Copied => from.run("t", &script),
        Path::Replicated => {
            dm.catch_up().expect_success();
            from.run("t", &script);
        }
        Path::Incremental | Path::IncrementalGtid => {
            from.run("t", &script);
            // CREATE DATABASE came before the position.
            if let Some(server) = to {
                server.run("", "CREATE DATABASE t DEFAULT CHARSET utf8mb4");
            }
        }
    }
    dm.catch_up().expect_success();
    if target.is_none() || target == Some(source) {
        assert_databases_equal(from, goal, &["t"]);
    } else {
        let pairs = pairs_of_all(&[&from.address]);
        let options = Options { structure: false, more_columns: false };
        let report = compare(&[&from.address], goal, &pairs, options);
        assert!(report.0.is_empty(), "{report}");
    }
}

const SAME: &[Flavor] = &[Flavor::Mysql, Flavor::Mariadb];
const EACH: &[Flavor] = &[Flavor::Mysql, Flavor::Mariadb, Flavor::MariadbNew];
const WRITTEN: &[Settings] = &[PLAIN, FULL_METADATA, COMPRESSED, PARTIAL_JSON];

#[test]
fn all_types_are_copied_to_the_same_server() {
    for &flavor in SAME {
        check(flavor, Some(flavor), Path::Copied, PLAIN);
    }
}

#[test]
fn all_types_are_copied_from_mariadb_to_mysql() {
    check(Flavor::MariadbNew, Some(Flavor::Mysql), Path::Copied, PLAIN);
}

#[test]
fn all_types_are_copied_to_sqlite() {
    for &flavor in EACH {
        check(flavor, None, Path::Copied, PLAIN);
    }
}

#[test]
fn all_types_are_replicated_from_mysql_to_mysql_however_the_binlog_is_written() {
    for &settings in WRITTEN {
        check(Flavor::Mysql, Some(Flavor::Mysql), Path::Replicated, settings);
    }
}

#[test]
fn all_types_are_replicated_from_mariadb_to_mariadb_however_the_binlog_is_written() {
    for &settings in WRITTEN {
        check(Flavor::Mariadb, Some(Flavor::Mariadb), Path::Replicated, settings);
    }
}

#[test]
fn all_types_are_replicated_from_mariadb_to_mysql_however_the_binlog_is_written() {
    for &settings in WRITTEN {
        check(Flavor::MariadbNew, Some(Flavor::Mysql), Path::Replicated, settings);
    }
}

#[test]
fn all_types_are_replicated_to_sqlite_however_the_binlog_is_written() {
    for &flavor in EACH {
        for settings in [PLAIN, FULL_METADATA, COMPRESSED] {
            check(flavor, None, Path::Replicated, settings);
        }
    }
}

#[test]
fn all_types_are_replicated_from_a_position_and_from_a_gtid_set() {
    for path in [Path::Incremental, Path::IncrementalGtid] {
        for &flavor in SAME {
            check(flavor, Some(flavor), path, PLAIN);
        }
    }
}
