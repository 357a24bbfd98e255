//! Checkpoints, and what is saved with them.

use std::collections::BTreeSet;

use super::*;
use crate::error::codes;
use crate::position::{Flavor, Gtid};
/// A prepared transaction of two parts.
fn prepared() -> PreparedXa {
    PreparedXa { xid: "X'61'".into(), ordinal: 3, parts: 2, tables: prepared_tables() }
}

fn prepared_tables() -> BTreeSet<TableName> {
    BTreeSet::from([TableName::new("db", "t")])
}

fn part(part: u32, rows: Vec<u8>) -> XaPart {
    XaPart { ordinal: 3, part, tables: prepared_tables(), rows }
}

#[test]
fn a_checkpoint_and_what_is_known_there_are_saved_together() {
    let dir = tempfile::tempdir().unwrap();
    let main = LaneId::main(&source());
    let name = |t: &str| TableName::new("db", t);
    let tracked = |t: &str, columns: &[&str], version| TrackedTable {
        name: name(t),
        schema: structure(columns),
        version,
        assumed: version == 1,
        since: (version > 1).then(|| format!("bin.000001:{version}").into()),
    };
    let schema =
        SchemaCopy { name: "db".into(), charset: "latin1".into(), collation: String::new() };
    {
        let store = StateStore::open(dir.path(), "t").unwrap();
        let run = store.begin_run(&main, 0).unwrap();
        assert_eq!((run.epoch, run.checkpoint), (1, None));
        let ddl = NewDdl {
            ordinal: 4,
            gtid: Gtid::parse(Flavor::MariaDb, "1-2-3").ok(),
            position: at(50),
            sql: "ALTER TABLE t ADD c int".into(),
            before: vec![(name("t"), Some("CREATE TABLE t".into())), (name("u"), None)],
        };
        store.spool_xa(&main, &part(0, vec![7])).unwrap();
        store.spool_xa(&main, &XaPart { ordinal: 9, ..part(0, vec![1]) }).unwrap();
        let id = store.begin_ddl(&main, &ddl, false).unwrap();
        let pending = store.reader().pending_ddl(&main).unwrap();
        assert_eq!((pending[0].id, &pending[0].ddl), (id, &ddl));
        let changes = LaneChanges {
            tables: vec![tracked("t", &["a", "c"], 2), tracked("gone", &["a"], 1)],
            schemas: vec![schema.clone()],
            finished_ddl: vec![id],
            online_ddl: vec![OnlineDdl { table: name("_t_gho"), record: "[]".into() }],
            xa: vec![(prepared(), part(1, vec![0, 255]))],
            skipped: vec![skipped(2, "bin.000001:4")],
            notes: vec![("shard".into(), Some(b"x".to_vec()))],
            ..LaneChanges::default()
        };
        store.save_checkpoint(&main, &checkpoint(5, 1), &changes).unwrap();
        let changes = LaneChanges {
            removed_tables: vec![name("gone")],
            tables: vec![tracked("new", &["z"], 1)],
            skipped: vec![skipped(3, "bin.000002:7")],
            ..LaneChanges::default()
        };
        store.save_checkpoint(&main, &checkpoint(6, 1), &changes).unwrap();
    }
    let store = StateStore::open(dir.path(), "t").unwrap();
    let reader = store.reader();
    let run = store.begin_run(&main, 0).unwrap();
    assert_eq!((run.epoch, run.checkpoint), (2, Some(checkpoint(6, 1))));
    let tracker = reader.tracker(&main).unwrap();
    assert_eq!(tracker.schemas, [schema]);
    assert_eq!(tracker.tables, [tracked("new", &["z"], 1), tracked("t", &["a", "c"], 2)]);
    assert_eq!(reader.pending_ddl(&main).unwrap(), []);
    assert_eq!(reader.online_ddl(&main).unwrap()[0].record, "[]");
    // A part of one that was never seen prepared does not outlive its run.
    assert_eq!(reader.xa(&main).unwrap(), [prepared()]);
    assert_eq!(reader.xa_part(&main, 3, 0).unwrap(), Some(vec![7]));
    assert_eq!(reader.xa_part(&main, 3, 1).unwrap(), Some(vec![0, 255]));
    assert_eq!(reader.xa_part(&main, 9, 0).unwrap(), None);
    assert_eq!(reader.skipped(&main).unwrap(), [skipped(5, "bin.000002:7")]);
    assert_eq!(reader.note(&main, "shard").unwrap(), Some(b"x".to_vec()));
    let changes = LaneChanges {
        removed_xa: vec!["X'61'".into()],
        removed_online_ddl: vec![name("_t_gho")],
        removed_schemas: vec!["db".into()],
        notes: vec![("shard".into(), None)],
        ..LaneChanges::default()
    };
    store.save_checkpoint(&main, &checkpoint(6, 2), &changes).unwrap();
    assert_eq!(reader.tracker(&main).unwrap(), Tracker::default());
    assert_eq!(reader.xa(&main).unwrap(), []);
    assert_eq!(reader.xa_part(&main, 3, 1).unwrap(), None);
    assert_eq!(reader.online_ddl(&main).unwrap(), []);
    assert_eq!(reader.note(&main, "shard").unwrap(), None);
    store.drop_lane(&main).unwrap();
    assert_eq!(reader.lanes().unwrap(), []);
}

#[test]
fn old_runs_and_old_places_save_nothing() {
    let store = StateStore::in_memory("t").unwrap();
    let main = LaneId::main(&source());
    store.begin_run(&main, 0).unwrap();
    store.save_checkpoint(&main, &checkpoint(5, 1), &LaneChanges::default()).unwrap();
    let late = LaneChanges {
        schemas: vec![SchemaCopy {
            name: "late".into(),
            charset: String::new(),
            collation: String::new(),
        }],
        ..LaneChanges::default()
    };
    let older = store.save_checkpoint(&main, &checkpoint(4, 1), &late).unwrap_err();
    assert_eq!(older.code(), &codes::CHECKPOINT_BACKWARDS);
    // The marks at the target know of later runs than a restored state file.
    assert_eq!(store.begin_run(&main, 7).unwrap().epoch, 8);
    assert!(store.save_checkpoint(&main, &checkpoint(6, 1), &late).is_err());
    assert_eq!(store.reader().tracker(&main).unwrap(), Tracker::default());
    store.save_checkpoint(&main, &checkpoint(6, 8), &late).unwrap();
    assert_eq!(store.reader().tracker(&main).unwrap().schemas.len(), 1);
}

#[test]
fn high_water_does_not_fall_before_it_is_passed() {
    let store = StateStore::in_memory("t").unwrap();
    let main = LaneId::main(&source());
    store.begin_run(&main, 0).unwrap();
    assert_eq!(store.raise_high_water(&main, &at(500)).unwrap(), at(500));
    assert_eq!(store.raise_high_water(&main, &at(400)).unwrap(), at(500));
    assert_eq!(store.raise_high_water(&main, &at(600)).unwrap(), at(600));
    let stay = LaneChanges::default();
    store.save_checkpoint(&main, &checkpoint(1, 1), &stay).unwrap();
    assert_eq!(store.reader().lane(&main).unwrap().unwrap().high_water, Some(at(600)));
    let passed = LaneChanges { high_water_passed: true, ..LaneChanges::default() };
    store.save_checkpoint(&main, &checkpoint(2, 1), &passed).unwrap();
    assert_eq!(store.reader().lane(&main).unwrap().unwrap().high_water, None);
    assert_eq!(store.raise_high_water(&main, &at(400)).unwrap(), at(400));
}

#[test]
fn a_moved_checkpoint_knows_what_was_applied() {
    let store = StateStore::in_memory("t").unwrap();
    let main = LaneId::main(&source());
    store.begin_run(&main, 0).unwrap();
    let known = LaneChanges {
        tables: vec![TrackedTable {
            name: TableName::new("db", "t"),
            schema: structure(&["a"]),
            version: 3,
            assumed: false,
            since: Some("bin.000001:3".into()),
        }],
        online_ddl: vec![OnlineDdl { table: TableName::new("db", "_t_gho"), record: "{}".into() }],
        ..LaneChanges::default()
    };
    store.save_checkpoint(&main, &checkpoint(10, 1), &known).unwrap();
    let before = checkpoint(10, 1).position;

    let back = store.move_checkpoint(&main, &at(300)).unwrap();
    assert_eq!(back.idempotent_until, Some(before.clone()));
    let moved = back.checkpoint.unwrap();
    assert_eq!((moved.position, moved.ordinal), (at(300), 10 + MOVE_GAP));
    let tracked = store.reader().tracker(&main).unwrap().tables.remove(0);
    assert!(tracked.assumed && tracked.since.is_none());
    // What is read from here on does not belong to what was kept of online schema changes.
    assert_eq!(store.reader().online_ddl(&main).unwrap(), []);
    let began = store.reader().note(&main, LANE_START).unwrap();
    assert_eq!(began, Some(at(300).to_text().into_bytes()));
    // Further back: what was applied is still applied.
    let further = store.move_checkpoint(&main, &at(200)).unwrap();
    assert_eq!(further.idempotent_until, Some(before.clone()));
    // Back a little forward, not yet past it.
    let forth = store.move_checkpoint(&main, &at(400)).unwrap();
    assert_eq!(forth.idempotent_until, Some(before.clone()));

    let run = store.begin_run(&main, 0).unwrap();
    let passed = LaneChanges { idempotent_passed: true, ..LaneChanges::default() };
    let past = Checkpoint {
        ordinal: run.checkpoint.unwrap().ordinal + 1,
        position: at(5000),
        epoch: run.epoch,
        event_at: 0,
    };
    store.save_checkpoint(&main, &past, &passed).unwrap();
    let forward = store.move_checkpoint(&main, &at(9000)).unwrap();
    assert_eq!(forward.idempotent_until, None);
    // Another server's position does not compare: be careful.
    let foreign = Position::from_text("other-bin.000001:4;").unwrap();
    let other = store.move_checkpoint(&main, &foreign).unwrap();
    assert_eq!(other.idempotent_until, Some(at(9000)));
    // A lane without a checkpoint has applied nothing.
    let fresh = LaneId::main(&SourceId::new("s2"));
    assert_eq!(store.move_checkpoint(&fresh, &at(4)).unwrap().idempotent_until, None);
}
