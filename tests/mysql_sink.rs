//! The sink for MySQL targets does what every sink must do, on real servers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test

mod support;

use std::sync::Arc;

use dm_core::config::{ConnPlan, Secret};
use dm_core::filter::TableName;
use dm_core::sink::MysqlSink;
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
