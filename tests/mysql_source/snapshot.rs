//! Rows and stream meet without a gap and without an overlap.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dm_core::config::Consistency;
use dm_core::event::CellRef;
use dm_core::filter::TableName;
use dm_core::source::mysql::{SnapshotOptions, StreamOptions};
use dm_core::source::{ChunkReader, Snapshot, Source, TableCopy};
use mysql::prelude::Queryable;

use crate::server::{Server, end, file_only, only, read_until, replay, serial, servers};

/// The values of the first column of a table of a snapshot.
pub fn ids(snapshot: &dyn Snapshot, reader: &mut dyn ChunkReader, table: &TableCopy) -> Vec<i64> {
    let mut ids = Vec::new();
    for chunk in snapshot.plan(&table.info.name, 50).unwrap() {
        reader
            .read(table, &chunk, 4096, &mut |block| {
                for row in 0..block.rows() {
                    let CellRef::Value(cell) = block.cell(row, 0) else { panic!("NULL") };
                    ids.push(std::str::from_utf8(cell).unwrap().parse().unwrap());
                }
                Ok(())
            })
            .unwrap();
    }
    ids
}

/// Writes while the snapshot is taken, then compares copy plus stream with the table.
fn meet(server: &Server, consistency: Consistency, use_gtid: bool, exact: bool) {
    meet_as(server, server, consistency, use_gtid, exact);
}

/// The same, reading as another user; gives back how position and rows were tied together.
fn meet_as(
    server: &Server,
    reader: &Server,
    consistency: Consistency,
    use_gtid: bool,
    exact: bool,
) -> String {
    let mut means = String::new();
    let schema = format!("dm_meet_{}_{use_gtid}", consistency.as_str());
    let mut conn = server.fresh(&schema);
    conn.query_drop("CREATE TABLE keyed (id BIGINT PRIMARY KEY, v INT)").unwrap();
    conn.query_drop("CREATE TABLE keyless (id BIGINT, v INT)").unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut conn = server.connect();
            conn.query_drop(format!("USE {schema}")).unwrap();
            let mut id = 0;
            while !stop.load(Ordering::Relaxed) && id < 200_000 {
                id += 1;
                conn.query_drop("BEGIN").unwrap();
                conn.query_drop(format!("INSERT INTO keyed VALUES ({id}, 1)")).unwrap();
                conn.query_drop(format!("INSERT INTO keyless VALUES ({id}, 1)")).unwrap();
                if id % 3 == 0 {
                    let old = id - 2;
                    conn.query_drop(format!("DELETE FROM keyed WHERE id = {old}")).unwrap();
                    conn.query_drop(format!("DELETE FROM keyless WHERE id = {old}")).unwrap();
                }
                conn.query_drop("COMMIT").unwrap();
            }
        });
        let options =
            SnapshotOptions { consistency, threads: 3, use_gtid, ..SnapshotOptions::default() };
        let stream = StreamOptions { use_gtid, ..StreamOptions::default() };
        let source = reader.source(options, stream);
        let choose = only(&schema);
        // The writer has to be at work.
        while conn.query_first::<u64, _>("SELECT COUNT(*) FROM keyed").unwrap() < Some(20) {
            std::thread::yield_now();
        }
        let snapshot = source.snapshot(&choose, &AtomicBool::new(false)).unwrap();
        let mut copied = HashMap::new();
        let mut readers: Vec<_> = (0..2).map(|_| snapshot.reader().unwrap()).collect();
        for (table, reader) in snapshot.tables().iter().zip(&mut readers) {
            let ids = ids(snapshot.as_ref(), reader.as_mut(), table);
            copied.insert(table.info.name.table.clone(), ids);
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap();
        let position = snapshot.position().clone();
        let mut stream = source.open(&position).unwrap();
        let events = read_until(stream.as_mut(), &end(&source));
        let changes = replay(&source, &events, &schema, 0);
        means = snapshot.means().to_owned();
        let same = snapshot.contained_upto() == Some(&position);
        println!("{} {:?}: {}, exact {same}", server.name, consistency, snapshot.means());
        assert!(same || !exact, "{:?} is not exact", snapshot.means());
        for table in ["keyed", "keyless"] {
            let mut counts: HashMap<i64, i64> = HashMap::new();
            for id in &copied[table] {
                *counts.entry(*id).or_default() += 1;
            }
            for (sign, id) in changes.get(table).into_iter().flatten() {
                let count = counts.entry(*id).or_default();
                match (sign, same) {
                    (_, true) => *count += if *sign == '+' { 1 } else { -1 },
                    // Overlapping: the stream converges, as an idempotent target does.
                    ('+', false) => *count = 1,
                    (_, false) => *count = 0,
                }
            }
            let mut have: Vec<i64> =
                counts.iter().flat_map(|(id, n)| vec![*id; usize::try_from(*n).unwrap()]).collect();
            have.sort_unstable();
            let sql = format!("SELECT id FROM {table} ORDER BY id");
            let want: Vec<i64> = conn.query(sql).unwrap();
            assert_eq!(have, want, "{} {table} by {:?}", server.name, consistency);
        }
    });
    conn.query_drop(format!("DROP DATABASE {schema}")).unwrap();
    means
}

#[test]
fn flush_meets_the_stream() {
    let _serial = serial();
    for server in servers() {
        meet(&server, Consistency::Auto, false, true);
        meet(&server, Consistency::Flush, true, true);
    }
}

#[test]
fn table_locks_meet_the_stream() {
    let _serial = serial();
    for server in servers() {
        meet(&server, Consistency::Lock, true, true);
    }
}

#[test]
fn own_snapshots_meet_the_stream() {
    let _serial = serial();
    for server in servers() {
        meet(&server, Consistency::Snapshot, true, false);
    }
}

#[test]
fn waiting_meets_the_stream() {
    let _serial = serial();
    for server in servers() {
        meet(&server, Consistency::None, false, false);
    }
}

#[test]
fn users_with_few_rights_get_what_they_can() {
    let _serial = serial();
    for server in servers() {
        let mut conn = server.connect();
        let few = server.user(&mut conn, "dm_few");
        conn.query_drop("GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO dm_few")
            .unwrap();
        if !server.is_mysql() {
            conn.query_drop("GRANT REPLICATION SLAVE ADMIN, BINLOG MONITOR ON *.* TO dm_few")
                .unwrap();
        }
        let error = few
            .source(
                SnapshotOptions { consistency: Consistency::Flush, ..SnapshotOptions::default() },
                StreamOptions::default(),
            )
            .snapshot(&|_| false, &AtomicBool::new(false))
            .err()
            .unwrap();
        assert_eq!((error.code().number, error.is_transient()), (32004, false), "{error}");
        // No lock at all: MariaDB's own snapshot, MySQL's executed set, or waiting.
        let own = "binlog_snapshot_position";
        let with_gtid = if server.is_mysql() { "gtid_executed" } else { own };
        let without = if server.is_mysql() { "none (waited for commits)" } else { own };
        assert_eq!(meet_as(&server, &few, Consistency::Auto, true, false), with_gtid);
        assert_eq!(meet_as(&server, &few, Consistency::Auto, false, false), without);
        conn.query_drop("GRANT LOCK TABLES ON *.* TO dm_few").unwrap();
        let locks = if server.is_mysql() { "lock tables read" } else { own };
        assert_eq!(meet_as(&server, &few, Consistency::Auto, true, server.is_mysql()), locks);
        conn.query_drop("DROP USER dm_few").unwrap();
    }
}

#[test]
fn a_copy_lets_ddl_pass_and_tells_of_it() {
    let _serial = serial();
    for server in servers() {
        let mut conn = server.fresh("dm_mdl");
        conn.query_drop("CREATE TABLE a (id INT PRIMARY KEY)").unwrap();
        conn.query_drop("INSERT INTO a VALUES (1), (2)").unwrap();
        let source = server.plain();
        let snapshot = source.snapshot(&only("dm_mdl"), &AtomicBool::new(false)).unwrap();
        let table = snapshot.tables().first().unwrap().clone();
        let mut reader = snapshot.reader().unwrap();
        assert_eq!(ids(snapshot.as_ref(), reader.as_mut(), &table), [1, 2]);
        conn.query_drop("SET lock_wait_timeout = 6").unwrap();
        // Not an instant change, so that the old rows are gone.
        conn.query_drop("ALTER TABLE a ADD COLUMN b INT FIRST, FORCE").unwrap();
        let chunk = snapshot.plan(&table.info.name, 100).unwrap().remove(0);
        let error = reader.read(&table, &chunk, 1000, &mut |_| Ok(())).unwrap_err();
        assert_eq!(error.server_error(), Some(1412), "{error}");
        // The connection is spent, the others are not.
        assert!(reader.read(&table, &chunk, 1000, &mut |_| Ok(())).is_err());
        drop(reader);
        let others: Vec<_> = (0..3).map(|_| snapshot.reader().unwrap()).collect();
        assert!(snapshot.reader().is_err());
        drop(others);
        snapshot.reader().unwrap();
    }
}

#[test]
fn locks_that_are_held_do_not_hang() {
    let _serial = serial();
    for server in servers() {
        let mut conn = server.fresh("dm_held");
        conn.query_drop("CREATE TABLE a (id INT PRIMARY KEY)").unwrap();
        conn.query_drop("LOCK TABLES a WRITE").unwrap();
        let stop = AtomicBool::new(true);
        let options =
            SnapshotOptions { consistency: Consistency::Lock, ..SnapshotOptions::default() };
        let source = server.source(options, StreamOptions::default());
        // Asked to stop, it does not wait for the lock at all.
        let error = source.snapshot(&only("dm_held"), &stop).err().unwrap();
        assert_eq!(error.code().number, 36204, "{error}");
    }
}

#[test]
fn an_unreadable_position_is_refused() {
    let _serial = serial();
    for server in servers() {
        let source = server.plain();
        let position = file_only(&source.end_position().unwrap());
        let mut pos = position.binlog.clone().unwrap();
        pos.offset += 1_000_000_000;
        let beyond = dm_core::position::Position::at(pos);
        assert_eq!(source.open(&beyond).err().unwrap().code().number, 61004);
        let gone = dm_core::position::Position::at("nosuch.000001:4".parse().unwrap());
        assert_eq!(source.open(&gone).err().unwrap().code().number, 61004);
        let other = server.plain();
        other.expect_server("another");
        assert_eq!(other.open(&position).err().unwrap().code().number, 61001);
        let mut stream = source.open(&position).unwrap();
        // A heartbeat comes when nothing else does.
        stream.poll(Duration::from_secs(10)).unwrap();
    }
}

#[test]
fn a_condition_limits_the_copy() {
    let _serial = serial();
    for server in servers() {
        let mut conn = server.fresh("dm_where");
        conn.query_drop("CREATE TABLE a (id INT PRIMARY KEY)").unwrap();
        let values: Vec<String> = (1..=500).map(|i| format!("({i})")).collect();
        conn.query_drop(format!("INSERT INTO a VALUES {}", values.join(","))).unwrap();
        let options = SnapshotOptions {
            condition: Some("id % 2 = 0 -- even ones".into()),
            ..SnapshotOptions::default()
        };
        let source = server.source(options, StreamOptions::default());
        let snapshot = source.snapshot(&only("dm_where"), &AtomicBool::new(false)).unwrap();
        let table = snapshot.tables().first().unwrap().clone();
        let mut reader = snapshot.reader().unwrap();
        let mut ids = ids(snapshot.as_ref(), reader.as_mut(), &table);
        ids.sort_unstable();
        assert_eq!(ids, (1..=250).map(|i| i * 2).collect::<Vec<_>>());
    }
}

#[test]
fn many_tables_are_found_quickly() {
    let _serial = serial();
    for server in servers() {
        let mut conn = server.fresh("dm_many");
        for i in 0..150 {
            conn.query_drop(format!("CREATE TABLE t{i} (id INT PRIMARY KEY)")).unwrap();
        }
        conn.query_drop("CREATE VIEW v AS SELECT 1").unwrap();
        let source = server.plain();
        let names = source.tables(&only("dm_many")).unwrap();
        assert_eq!(names.len(), 150);
        let snapshot = source.snapshot(&only("dm_many"), &AtomicBool::new(false)).unwrap();
        assert_eq!(snapshot.tables().len(), 150);
        assert_eq!(snapshot.schemas().len(), 1);
        assert!(source.describe(&TableName::new("dm_many", "v")).unwrap().is_none());
        assert!(source.describe(&TableName::new("dm_many", "nosuch")).unwrap().is_none());
    }
}
