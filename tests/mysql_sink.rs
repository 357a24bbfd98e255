//! The sink for MySQL targets does what every sink must do, on real servers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test

mod support;

use std::sync::Arc;

use dm_core::config::{ConnPlan, Secret};
use dm_core::event::{LaneId, SourceId};
use dm_core::filter::TableName;
use dm_core::sink::{MysqlSink, Sink, TargetDdl};
use dm_core::testing::{SinkUnderTest, TextRow, sink_conformance};
use mysql::prelude::Queryable;
use support::serial;
use support::server::{Flavor, Server};

fn conforms(flavor: Flavor, by_marks: bool) {
    let _one = serial();
    let Some(server) = Server::shared_with(flavor, "sink", &["--character-set-server=utf8mb4"])
    else {
        return;
    };
    sink_conformance(&|| {
        for db in ["dm_check", "dm_check_meta"] {
            server.drop_database(db);
        }
        let address = &server.address;
        let conn = ConnPlan::new(
            address.host.as_str(),
            address.port,
            address.user.as_str(),
            Secret::new(address.password.as_str()),
        );
        let sink = MysqlSink::connect(conn, "dm_check_meta");
        let sink = Arc::new(if by_marks { sink.fenced_by_marks() } else { sink });
        let rows = move |table: &TableName| -> Vec<TextRow> {
            let sql = format!("SELECT * FROM `{}`.`{}`", table.schema, table.table);
            let rows: Vec<mysql::Row> = server.conn().query(sql).unwrap();
            let text = |v: mysql::Value| match v {
                mysql::Value::NULL => None,
                mysql::Value::Bytes(b) => Some(String::from_utf8(b).unwrap()),
                other => Some(other.as_sql(true)),
            };
            rows.into_iter().map(|r| r.unwrap().into_iter().map(text).collect()).collect()
        };
        SinkUnderTest { sink, rows: Box::new(rows), keep: Box::new(()) }
    });
}

#[test]
fn on_mysql() {
    conforms(Flavor::Mysql, false);
}

#[test]
fn on_mariadb() {
    conforms(Flavor::Mariadb, false);
}

#[test]
fn on_mysql_without_named_locks() {
    conforms(Flavor::Mysql, true);
}

#[test]
fn on_mariadb_without_named_locks() {
    conforms(Flavor::Mariadb, true);
}

/// A statement that would undo itself runs once under its number; another one under the same number (an
/// operator's later word about the place) is another one. A task that begins anew begins its numbers anew.
fn runs_once(flavor: Flavor) {
    let Some(server) = Server::shared_with(flavor, "sink", &["--character-set-server=utf8mb4"])
    else {
        return;
    };
    for db in ["dm_once", "dm_once_meta"] {
        server.drop_database(db);
    }
    server.run(
        "",
        "CREATE DATABASE dm_once; CREATE TABLE dm_once.a (id INT); CREATE TABLE dm_once.b (v INT)",
    );
    let address = &server.address;
    let password = Secret::new(address.password.as_str());
    let conn = ConnPlan::new(address.host.as_str(), address.port, address.user.as_str(), password);
    let sink = MysqlSink::connect(conn, "dm_once_meta");
    sink.prepare("t", "identity").unwrap();
    let lane = LaneId::main(&SourceId::new("s"));
    let run = |number: u64, pairs: &str| {
        let ddl = TargetDdl {
            schema: "dm_once".to_owned(),
            lane: Some(("t".to_owned(), lane.clone())),
            once: Some(number),
            ..TargetDdl::new(format!("RENAME TABLE {pairs}"), vec![TableName::new("dm_once", "a")])
        };
        assert!(sink.runs_once(&ddl));
        sink.execute_ddl(&ddl).unwrap();
    };
    let column = |table: &str| -> String {
        server.value(&format!(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'dm_once' AND \
             table_name = '{table}'"
        ))
    };
    let swap = "a TO x, b TO a, x TO b";
    run(7, swap);
    run(7, swap);
    assert_eq!((column("a"), column("b")), ("v".to_owned(), "id".to_owned()), "once");
    run(7, "a TO c");
    assert_eq!(column("c"), "v", "another statement in its place");
    run(8, "c TO a");
    run(9, swap);
    assert_eq!(column("a"), "id");
    sink.forget_task("t", std::slice::from_ref(&lane)).unwrap();
    sink.prepare("t", "identity").unwrap();
    run(9, swap);
    assert_eq!(column("a"), "v", "a task that begins anew knows nothing of it");
    let markers: u64 = server.value(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'dm_once_meta' AND table_name LIKE 'dm\\_once%'",
    );
    assert_eq!(markers, 1);
}

#[test]
fn statements_run_once_on_mysql() {
    runs_once(Flavor::Mysql);
}

#[test]
fn statements_run_once_on_mariadb() {
    runs_once(Flavor::Mariadb);
}
