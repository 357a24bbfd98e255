//! Servers to test with, and small helpers on them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dm_core::binlog::DecodePlan;
use dm_core::config::{ConnPlan, Secret};
use dm_core::event::SourceId;
use dm_core::filter::{RowOp, TableName, Value};
use dm_core::position::{BinlogPos, Position};
use dm_core::schema::TableSchema;
use dm_core::source::mysql::{MySqlSource, SnapshotOptions, StreamOptions};
use dm_core::source::{Body, EventStream, Polled, RowsBody, Source, SourceEvent};
use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder};

use crate::support;
use crate::support::server::{Flavor, parse_url};

/// A server to test with.
#[derive(Clone)]
pub struct Server {
    pub name: &'static str,
    pub plan: ConnPlan,
}

/// One test at a time: locks and positions are the whole server's.
pub fn serial() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The servers that are there.
pub fn servers() -> Vec<Server> {
    let kinds = [
        ("mysql", "DM_TEST_MYSQL", Flavor::Mysql),
        ("mariadb", "DM_TEST_MARIADB", Flavor::Mariadb),
    ];
    let there = |(name, variable, kind)| {
        let address = match std::env::var(variable) {
            Ok(url) => parse_url(&url).expect("mysql://user:password@host:port"),
            Err(_) => support::server::Server::shared(kind, "source")?.address.clone(),
        };
        let password = Secret::new(address.password);
        Some(Server {
            name,
            plan: ConnPlan::new(address.host, address.port, address.user, password),
        })
    };
    kinds.into_iter().filter_map(there).collect()
}

impl Server {
    pub fn is_mysql(&self) -> bool {
        self.name == "mysql"
    }

    /// A connection with a schema of its own, newly made.
    pub fn fresh(&self, schema: &str) -> Conn {
        let mut conn = self.connect();
        conn.query_drop(format!("DROP DATABASE IF EXISTS {schema}")).unwrap();
        conn.query_drop(format!("CREATE DATABASE {schema} DEFAULT CHARSET utf8mb4")).unwrap();
        conn.query_drop(format!("USE {schema}")).unwrap();
        conn
    }

    pub fn connect(&self) -> Conn {
        let opts = OptsBuilder::new()
            .ip_or_hostname(Some(self.plan.host.clone()))
            .tcp_port(self.plan.port)
            .user(Some(self.plan.user.clone()))
            .pass(Some(self.plan.password.expose().to_owned()))
            .prefer_socket(false);
        let mut conn = Conn::new(opts).unwrap();
        conn.query_drop("SET time_zone = '+00:00'").unwrap();
        conn
    }

    /// The same server as a new user without rights.
    pub fn user(&self, conn: &mut Conn, name: &str) -> Server {
        conn.query_drop(format!("DROP USER IF EXISTS {name}")).unwrap();
        conn.query_drop(format!("CREATE USER {name} IDENTIFIED BY 'few'")).unwrap();
        let plan = ConnPlan::new(&*self.plan.host, self.plan.port, name, Secret::new("few"));
        Server { name: self.name, plan }
    }

    pub fn source(&self, snapshot: SnapshotOptions, stream: StreamOptions) -> MySqlSource {
        MySqlSource::new(SourceId::new("test"), self.plan.clone(), snapshot, stream)
    }

    pub fn plain(&self) -> MySqlSource {
        self.source(SnapshotOptions::default(), StreamOptions::default())
    }
}

/// Chooses the tables of one schema.
pub fn only(schema: &str) -> impl Fn(&TableName) -> bool + Send + Sync + use<> {
    let schema = schema.to_owned();
    move |name| name.schema == schema
}

/// Reads all events that begin before a place. The next event or heartbeat behind it ends that.
pub fn read_until(stream: &mut dyn EventStream, until: &BinlogPos) -> Vec<SourceEvent> {
    let started = Instant::now();
    let mut events = Vec::new();
    loop {
        assert!(started.elapsed() < Duration::from_secs(60), "the stream does not reach {until}");
        match stream.poll(Duration::from_millis(200)).unwrap() {
            Polled::Event(event) if event.start >= *until => return events,
            Polled::Event(event) => events.push(*event),
            Polled::Idle => {}
            Polled::End => panic!("a server's stream has no end"),
        }
    }
}

/// The place where the server's binlog ends now.
pub fn end(source: &MySqlSource) -> BinlogPos {
    source.end_position().unwrap().binlog.unwrap()
}

/// The integers of a column as the stream's rows add and remove them, per table.
pub fn replay(
    source: &dyn Source,
    events: &[SourceEvent],
    schema: &str,
    column: usize,
) -> HashMap<String, Vec<(char, i64)>> {
    let mut structures: HashMap<TableName, Arc<TableSchema>> = HashMap::new();
    let mut changes: HashMap<String, Vec<(char, i64)>> = HashMap::new();
    for event in events {
        let Body::Rows(RowsBody::Binlog(rows)) = &event.body else { continue };
        let name = &rows.table.table;
        if name.schema != schema {
            continue;
        }
        let structure = structures
            .entry(name.clone())
            .or_insert_with(|| source.describe(name).unwrap().unwrap().schema);
        let plan = DecodePlan::compile(&rows.table, Some(structure)).unwrap();
        let list = changes.entry(name.table.clone()).or_default();
        for op in rows.rows(&plan).unwrap() {
            let mut note = |sign, row: &dm_core::filter::Row<'_>| match row.get(column) {
                Some(Value::Int(id)) => list.push((sign, *id)),
                other => panic!("{other:?} is no integer"),
            };
            match op.unwrap() {
                RowOp::Insert { after } => note('+', &after),
                RowOp::Delete { before } => note('-', &before),
                RowOp::Update { before, after } => {
                    note('-', &before);
                    note('+', &after);
                }
            }
        }
    }
    changes
}

/// A position by file alone.
pub fn file_only(position: &Position) -> Position {
    Position { gtid: None, ..position.clone() }
}
