//! Names that break what is put together from pieces of text, ANSI_QUOTES, other time zones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use support::compare::{Target, assert_databases_equal};
use support::dm::{Dm, Task};
use support::server::{Flavor, Server};
use support::sql::name;
use support::{serial, wait};

/// Names for databases, tables and columns alike. Letters of all kinds, and upper/lower twins.
fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "a.b",
        "a/b",
        "a\\b",
        "it's",
        "say \"x\"",
        "a`b",
        "100%",
        "%s%d",
        "a b",
        "ü日本",
        "sql",
        "select",
        "Twin",
        "twin",
        "x-schema-create",
        "x.y.sql",
        "#x",
        "0x1F",
        "12",
        "-- x",
        "a;b",
        "?",
        "*",
        "[a-c]",
        "~x",
        "_x_gho_t",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push("n".repeat(64));
    names
}

fn stage(flavor: Flavor) -> Option<(&'static Server, &'static Server)> {
    let (from, to) = (Server::shared(flavor, "src")?, Server::target(flavor)?);
    from.clear();
    to.clear();
    Some((from, to))
}

/// Every name as a table and a column of one database, and as a database.
fn create(from: &Server, table_suffix: &str) -> Vec<String> {
    let mut databases = vec!["names".to_owned()];
    from.run("", "CREATE DATABASE IF NOT EXISTS names");
    for (at, word) in names().iter().enumerate() {
        let table = if word.len() + table_suffix.len() > 64 {
            word.clone()
        } else {
            format!("{word}{table_suffix}")
        };
        let columns = format!(
            "(id INT PRIMARY KEY, {} VARCHAR(70), KEY {} ({}))",
            name(word),
            name(word),
            name(word)
        );
        let drop = format!("DROP TABLE IF EXISTS names.{}", name(&table));
        from.run("", &format!("{drop}; CREATE TABLE names.{} {columns}", name(&table)));
        from.run("", &format!("INSERT INTO names.{} VALUES ({at}, 'x')", name(&table)));
        from.run("", &format!("CREATE DATABASE IF NOT EXISTS {}", name(word)));
        let inside = format!("{}.{}", name(word), name(&table));
        let rows = format!("INSERT INTO {inside} VALUES (1, 'y')");
        from.run("", &format!("CREATE TABLE {inside} {columns}; {rows}"));
        databases.push(word.clone());
    }
    databases
}

fn change(from: &Server, databases: &[String]) {
    let tables: Vec<(String, String)> = support::compare::tables(from);
    for (db, table) in tables.iter().filter(|(db, _)| databases.contains(db)) {
        let place = format!("{}.{}", name(db), name(table));
        from.run("", &format!("INSERT INTO {place} SELECT id + 1000, 'streamed' FROM {place}"));
        from.run("", &format!("UPDATE {place} SET id = id + 1 WHERE id >= 1000"));
    }
}

fn every_name(flavor: Flavor) {
    let _one = serial();
    let Some((from, to)) = stage(flavor) else { return };
    let databases = create(from, "");
    let sources = [&from.address];
    // Twins are told apart only when names are matched with their case.
    let mut task = Task::new("all", &sources, Target::Server(to), &["*"]);
    task.more = "case-sensitive: true\nonline-ddl: false\n";
    let dm = Dm::set_up(&task);
    dm.catch_up().expect_success();
    change(from, &databases);
    // The same names in statements of the stream.
    create_in_stream(from);
    dm.catch_up().expect_success();
    let all: Vec<&str> = databases.iter().map(String::as_str).collect();
    assert_databases_equal(from, Target::Server(to), &all);
}

fn create_in_stream(from: &Server) {
    for word in names() {
        if word.len() < 60 {
            let (old, new) = (name(&format!("{word}_1")), name(&format!("{word}_2")));
            from.run(
                "names",
                &format!("CREATE TABLE {old} (id INT PRIMARY KEY, {} INT)", name(&word)),
            );
            from.run(
                "names",
                &format!("INSERT INTO {old} VALUES (1, 1); RENAME TABLE {old} TO {new}"),
            );
            from.run(
                "names",
                &format!("ALTER TABLE {new} CHANGE {} {} BIGINT", name(&word), name("renamed`.x")),
            );
            from.run(
                "names",
                &format!(
                    "INSERT INTO {new} VALUES (2, 2); UPDATE {new} SET `renamed``.x` = 5000000000"
                ),
            );
        }
    }
}

#[test]
fn every_name_is_migrated_on_mysql() {
    every_name(Flavor::Mysql);
}

#[test]
fn every_name_is_migrated_on_mariadb() {
    every_name(Flavor::Mariadb);
}

#[test]
fn ansi_quotes_and_no_backslash_escapes_are_understood() {
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        let Some((from, to)) = stage(flavor) else { return };
        let _globals = from.with_globals(&[("sql_mode", "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'")]);
        from.run("", "CREATE DATABASE q; CREATE TABLE q.\"t\"\"1\" (\"id\" INT PRIMARY KEY, \"v\" VARCHAR(20) DEFAULT 'a\\')");
        from.run("q", "INSERT INTO \"t\"\"1\" VALUES (1, 'back\\slash'), (2, 'quo\"te')");
        let sources = [&from.address];
        let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), &["q"]));
        dm.catch_up().expect_success();
        from.run("q", "CREATE TABLE \"s\" (\"a b\" INT PRIMARY KEY, \"c\" VARCHAR(9) DEFAULT 'x\\' COMMENT 'it''s \\')");
        from.run("q", "INSERT INTO \"s\" (\"a b\") VALUES (1); ALTER TABLE \"t\"\"1\" ADD \"w\" VARCHAR(9) DEFAULT '\\'");
        from.run("q", "INSERT INTO \"t\"\"1\" VALUES (3, '\\n', 'w\\')");
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &["q"]);
    }
}

#[test]
fn time_zones_of_servers_and_sessions_do_not_shift_anything() {
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        let Some(from) = Server::shared_with(flavor, "east", &["--default-time-zone=+09:00"])
        else {
            return;
        };
        let Some(to) = Server::shared_with(flavor, "west", &["--default-time-zone=-03:30"]) else {
            return;
        };
        from.clear();
        to.clear();
        from.run("", "CREATE DATABASE z; CREATE TABLE z.t (id INT PRIMARY KEY, ts TIMESTAMP(6) NULL, dt DATETIME(6), \
             made TIMESTAMP DEFAULT CURRENT_TIMESTAMP)");
        let rows = |first: u32| {
            let mut script = String::new();
            for (at, zone) in ["+00:00", "+09:00", "-11:00", "+05:45"].iter().enumerate() {
                script += &format!(
                    "SET time_zone = '{zone}'; INSERT INTO z.t (id, ts, dt) VALUES ({}, '2024-06-30 23:59:59.5', \
                     '2024-06-30 23:59:59.5');",
                    first + u32::try_from(at).unwrap()
                );
            }
            script
        };
        from.run("", &rows(1));
        let sources = [&from.address];
        let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), &["z"]));
        dm.catch_up().expect_success();
        from.run("", &rows(10));
        // The default is made by the server at the time and in the zone of the session that alters.
        from.run("", "SET time_zone = '-11:00'; SET timestamp = 1700000000; ALTER TABLE z.t ADD added TIMESTAMP NULL DEFAULT \
             '2024-01-01 00:00:00', ADD stamped DATETIME DEFAULT CURRENT_TIMESTAMP");
        from.run("", "INSERT INTO z.t (id) VALUES (100)");
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &["z"]);
    }
}

/// Both servers go by the zones of their machines (`time_zone=SYSTEM`), which are not the same.
#[test]
fn machines_may_stand_in_other_zones() {
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        let Some(from) = Server::shared_with(flavor, "far-east", &["TZ=FAR-9"]) else { return };
        let Some(to) = Server::shared_with(flavor, "far-west", &["TZ=WEST+7"]) else { return };
        from.clear();
        to.clear();
        from.run(
            "",
            "CREATE DATABASE z; CREATE TABLE z.t (id INT PRIMARY KEY, ts TIMESTAMP(6) NULL); \
             INSERT INTO z.t VALUES (1, '2024-01-01 00:00:00.5')",
        );
        let sources = [&from.address];
        let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), &["z"]));
        dm.catch_up().expect_success();
        from.run(
            "",
            "SET time_zone = SYSTEM; SET timestamp = 1700000000.123456; ALTER TABLE z.t ADD stamped DATETIME(6) \
             DEFAULT CURRENT_TIMESTAMP(6), ADD said TIMESTAMP NULL DEFAULT '2024-01-01 00:00:00'; \
             ALTER TABLE z.t MODIFY ts DATETIME(6)",
        );
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &["z"]);
        let stamped: String = to.value("SELECT CAST(stamped AS CHAR) FROM z.t");
        assert_eq!(stamped, "2023-11-15 07:13:20.123456");
    }
}

#[test]
fn many_tables_are_checked_and_streamed_quickly() {
    let _one = serial();
    let Some((from, to)) = stage(Flavor::Mysql) else { return };
    // 20,000 tables in 500 schemas for a thorough run.
    let count = support::env_number("DM_TEST_TABLES", 400);
    let schemas = (count / 40).max(1);
    let mut conn = from.conn();
    for schema in 0..schemas {
        support::sql::run(&mut conn, &format!("CREATE DATABASE many_{schema}"));
        for table in 0..count / schemas {
            let place = format!("many_{schema}.t_{table}");
            support::sql::run(
                &mut conn,
                &format!(
                    "CREATE TABLE {place} (id INT PRIMARY KEY); INSERT INTO {place} VALUES ({table})"
                ),
            );
        }
    }
    let sources = [&from.address];
    let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), &["many_*"]));
    dm.catch_up().expect_success();
    support::sql::run(&mut conn, "INSERT INTO many_0.t_0 VALUES (-1)");
    let began = std::time::Instant::now();
    dm.catch_up().expect_success();
    let limit = wait::promised(std::time::Duration::from_secs(10));
    assert!(began.elapsed() < limit, "the stream took {:?} to start", began.elapsed());
    for schema in (0..schemas).step_by(100) {
        assert_databases_equal(from, Target::Server(to), &[&format!("many_{schema}")]);
    }
}
