//! Streams start where they should and carry everything.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dm_core::position::{Gtid, GtidSet, Position};
use dm_core::source::mysql::{SnapshotOptions, StreamOptions};
use dm_core::source::{Body, Polled, Source, SourceEvent};
use mysql::prelude::Queryable;

use crate::server::{Server, end, file_only, read_until, replay, serial, servers};
use crate::support;
use crate::support::proxy::Proxy;
use crate::support::server::Flavor;

fn gtids(events: &[SourceEvent]) -> Vec<Gtid> {
    events
        .iter()
        .filter_map(|e| match &e.body {
            Body::Gtid { gtid, .. } => gtid.clone(),
            _ => None,
        })
        .collect()
}

fn by_gtid(server: &Server) -> dm_core::source::mysql::MySqlSource {
    let stream = StreamOptions { use_gtid: true, ..StreamOptions::default() };
    server.source(SnapshotOptions::default(), stream)
}

#[test]
fn file_and_gtid_starts_tell_the_same() {
    let _serial = serial();
    for server in servers() {
        let mut conn = server.fresh("dm_starts");
        conn.query_drop("CREATE TABLE t (id INT PRIMARY KEY, v INT)").unwrap();
        let source = by_gtid(&server);
        let start = source.end_position().unwrap();
        for i in 0..20 {
            conn.query_drop(format!("INSERT INTO t VALUES ({i}, {i})")).unwrap();
            if i == 10 {
                conn.query_drop("FLUSH BINARY LOGS").unwrap();
            }
        }
        conn.query_drop("UPDATE t SET v = v + 1").unwrap();
        let until = end(&source);
        let mut told = Vec::new();
        for from in [start.clone(), file_only(&start)] {
            let mut stream = source.open(&from).unwrap();
            let events = read_until(stream.as_mut(), &until);
            let changes = replay(&source, &events, "dm_starts", 0);
            assert_eq!(changes["t"].len(), 20 + 40, "{}", server.name);
            assert_eq!(gtids(&events).len(), 21);
            told.push((gtids(&events), events.last().unwrap().end.clone()));
        }
        assert_eq!(told[0], told[1], "{}", server.name);
        // From the end of any group, only what is behind it comes.
        let mut set = start.gtid.clone().unwrap();
        for gtid in told[0].0.iter().take(12) {
            set.add(gtid).unwrap();
        }
        let mut stream = source.open(&Position::of_gtid(set)).unwrap();
        let events = read_until(stream.as_mut(), &until);
        assert_eq!(gtids(&events), told[0].0[12..], "{}", server.name);
    }
}

#[test]
fn tagged_gtids_start_a_stream() {
    let _serial = serial();
    for server in servers().into_iter().filter(Server::is_mysql) {
        let mut conn = server.fresh("dm_tags");
        conn.query_drop("CREATE TABLE t (id INT PRIMARY KEY)").unwrap();
        let source = by_gtid(&server);
        conn.query_drop("SET gtid_next = 'AUTOMATIC:dm_test'").unwrap();
        conn.query_drop("INSERT INTO t VALUES (1)").unwrap();
        conn.query_drop("SET gtid_next = 'AUTOMATIC'").unwrap();
        let start = source.end_position().unwrap();
        assert!(start.gtid.as_ref().unwrap().to_string().contains("dm_test"));
        conn.query_drop("INSERT INTO t VALUES (2)").unwrap();
        conn.query_drop("SET gtid_next = 'AUTOMATIC:dm_test'").unwrap();
        conn.query_drop("INSERT INTO t VALUES (3)").unwrap();
        let mut stream = source.open(&start).unwrap();
        let events = read_until(stream.as_mut(), &end(&source));
        assert_eq!(replay(&source, &events, "dm_tags", 0)["t"], [('+', 2), ('+', 3)]);
        assert_eq!(gtids(&events).len(), 2);
    }
}

#[test]
fn compressed_transactions_and_unwanted_rows() {
    let _serial = serial();
    for server in servers() {
        let mut conn = server.fresh("dm_packed");
        conn.query_drop("CREATE TABLE t (id INT PRIMARY KEY, v TEXT)").unwrap();
        conn.query_drop("CREATE TABLE other (id INT PRIMARY KEY, v TEXT)").unwrap();
        let wanted = Arc::new(|n: &dm_core::filter::TableName| n.table == "t");
        let stream = StreamOptions { wanted: Some(wanted), ..StreamOptions::default() };
        let source = server.source(SnapshotOptions::default(), stream);
        let start = source.end_position().unwrap();
        let packed = if server.is_mysql() {
            "SET SESSION binlog_transaction_compression = ON"
        } else {
            "SET GLOBAL log_bin_compress = ON"
        };
        conn.query_drop(packed).unwrap();
        for table in ["t", "other"] {
            conn.query_drop(format!("INSERT INTO {table} VALUES (1, REPEAT('a', 10000)), (2, '')"))
                .unwrap();
        }
        conn.query_drop("DELETE FROM t WHERE id = 1").unwrap();
        if !server.is_mysql() {
            conn.query_drop("SET GLOBAL log_bin_compress = OFF").unwrap();
        }
        let mut stream = source.open(&start).unwrap();
        let events = read_until(stream.as_mut(), &end(&source));
        let changes = replay(&source, &events, "dm_packed", 0);
        assert_eq!(changes["t"], [('+', 1), ('+', 2), ('-', 1)], "{}", server.name);
        assert!(!changes.contains_key("other"));
        assert_eq!(gtids(&events).len(), 3);
    }
}

#[test]
fn lost_and_unknown_transactions_are_noticed() {
    let _serial = serial();
    for server in servers() {
        let source = by_gtid(&server);
        let here = source.end_position().unwrap();
        let strange = match here.gtid.as_ref().unwrap() {
            GtidSet::MySql(_) => "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5",
            GtidSet::MariaDb(_) => "7-7-7",
        };
        let flavor = source.info().unwrap().flavor;
        let mut set = here.gtid.clone().unwrap();
        set.union(&GtidSet::parse(flavor, strange).unwrap()).unwrap();
        let error = source.open(&Position::of_gtid(set)).err().unwrap();
        assert_eq!(error.code().number, 61002, "{error}");
        assert!(error.message().contains(strange.get(..3).unwrap()));
    }
}

#[test]
fn positions_by_time() {
    let _serial = serial();
    for server in servers() {
        let mut conn = server.fresh("dm_time");
        conn.query_drop("CREATE TABLE t (id INT PRIMARY KEY)").unwrap();
        let now: u32 = conn.query_first("SELECT UNIX_TIMESTAMP() + 100").unwrap().unwrap();
        // Statements of a given time stand in the binlog with it.
        conn.query_drop(format!("SET timestamp = {}", now)).unwrap();
        conn.query_drop("INSERT INTO t VALUES (1)").unwrap();
        let source = by_gtid(&server);
        let place = source.end_position().unwrap();
        conn.query_drop(format!("SET timestamp = {}", now + 10)).unwrap();
        conn.query_drop("INSERT INTO t VALUES (2)").unwrap();
        let found = source.position_at_time(now + 5).unwrap();
        assert!(!found.before_all);
        assert_eq!(found.position, place, "{}", server.name);
        let late = source.position_at_time(now + 1_000_000).unwrap_err();
        assert_eq!(late.code().number, 20057);
        let early = source.position_at_time(1).unwrap();
        assert!(early.before_all);
        assert_eq!(early.position.binlog.as_ref().unwrap().offset, 4);
        let set = source.gtid_at(place.binlog.as_ref().unwrap()).unwrap();
        assert_eq!(Some(set), place.gtid, "{}", server.name);
    }
}

#[test]
fn heartbeats_come_and_a_dropped_stream_leaves_the_server() {
    let _serial = serial();
    for server in servers() {
        let source = server.plain();
        let mut stream = source.open(&source.end_position().unwrap()).unwrap();
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        loop {
            match stream.poll(Duration::from_millis(500)).unwrap() {
                Polled::Event(event) if matches!(event.body, Body::Heartbeat) => break,
                _ => {}
            }
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            assert!((now - started).as_secs() < 20, "no heartbeat from {}", server.name);
        }
    }
}

#[test]
fn purged_files_are_noticed() {
    let _serial = serial();
    for server in servers() {
        let mut conn = server.fresh("dm_purge");
        let source = by_gtid(&server);
        let old = source.end_position().unwrap();
        conn.query_drop("CREATE TABLE t (id INT PRIMARY KEY)").unwrap();
        conn.query_drop("FLUSH BINARY LOGS").unwrap();
        conn.query_drop("INSERT INTO t VALUES (1)").unwrap();
        let file = end(&source).file;
        conn.query_drop(format!("PURGE BINARY LOGS TO '{file}'")).unwrap();
        for from in [old.clone(), file_only(&old)] {
            let error = source.open(&from).err().unwrap();
            assert_eq!(error.code().number, 61003, "{} {error}", server.name);
        }
    }
}

#[test]
fn a_cut_connection_is_worth_another_try() {
    let _serial = serial();
    for server in servers() {
        let mut conn = server.fresh("dm_cut");
        let source = server.plain();
        let mut stream = source.open(&source.end_position().unwrap()).unwrap();
        stream.poll(Duration::from_secs(10)).unwrap();
        let dumps: Vec<u64> = conn
            .query(
                "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'",
            )
            .unwrap();
        for id in dumps {
            // Threads of streams that were dropped end by themselves meanwhile.
            let _ = conn.query_drop(format!("KILL {id}"));
        }
        let error = loop {
            match stream.poll(Duration::from_secs(10)) {
                Ok(_) => {}
                Err(e) => break e,
            }
        };
        assert!(error.is_transient(), "{error}");
        assert!(stream.poll(Duration::ZERO).is_err(), "a failed stream is spent");
        conn.query_drop("CREATE TABLE t (id INT PRIMARY KEY)").unwrap();
        let again = source.open(&source.end_position().unwrap());
        assert!(again.is_ok());
    }
}

/// The address leads to another server between the questions about a place and the stream from it.
#[test]
fn a_stream_is_of_the_server_that_was_asked() {
    let _serial = serial();
    let Some(one) = servers().into_iter().find(Server::is_mysql) else { return };
    let Some(other) = support::server::Server::shared(Flavor::Mysql, "other") else { return };
    let proxy = Proxy::start(&one.plan.host, one.plan.port);
    let mut near = one.clone();
    near.plan.port = proxy.port;
    let source = near.source(SnapshotOptions::default(), StreamOptions::default());
    let from = file_only(&source.end_position().unwrap());
    let server = source.info().unwrap().server;
    assert_eq!(source.open(&from).unwrap().server(), Some(server.as_str()));
    proxy.redirect_after(1, &other.host, other.port);
    let Err(error) = source.open(&from) else { panic!("the stream is of another server") };
    assert!(error.is_transient() && error.to_string().contains("leads to"), "{error}");
}
