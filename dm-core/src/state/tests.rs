use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use dm_filter::TableName;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::ddl::SqlMode;
use crate::error::{Error, codes};
use crate::event::{LaneId, SourceId};
use crate::position::{Flavor, Gtid, Position};
use crate::schema::{Chunk, SchemaCopy, TableCopy, TableInfo, TableSchema, parse_create_table};

fn source() -> SourceId {
    SourceId::new("s1")
}

fn at(offset: u64) -> Position {
    Position::from_text(&format!("mysql-bin.000003:{offset};")).unwrap()
}

fn structure(columns: &[&str]) -> Arc<TableSchema> {
    let columns: Vec<_> = columns.iter().map(|name| format!("`{name}` int")).collect();
    let sql = format!("CREATE TABLE t ({})", columns.join(","));
    Arc::new(parse_create_table(&sql, SqlMode::default()).unwrap())
}

fn table(name: &str) -> TableCopy {
    let info = TableInfo {
        name: TableName::new("db", name),
        create_sql: format!("CREATE TABLE `{name}` (a int)").into(),
        schema: structure(&["a"]),
    };
    TableCopy { info, rows: 100, bytes: 1000 }
}

fn chunk(id: u32) -> Chunk {
    Chunk { id, range: format!("a >= {id}"), rows: 10 }
}

fn done(table: &str, generation: u32, chunk: u32) -> ChunkDone {
    ChunkDone { table: TableName::new("db", table), generation, chunk, rows: 10, bytes: 50 }
}

fn begin(store: &StateStore, lane: &LaneId, tables: &[TableCopy]) {
    let schemas =
        [SchemaCopy { name: "db".into(), charset: "utf8mb4".into(), collation: String::new() }];
    let copy = CopyBegin {
        position: &at(100),
        contained_upto: None,
        means: "none",
        schemas: &schemas,
        tables,
    };
    store.begin_copy(lane, &copy).unwrap();
}

fn checkpoint(ordinal: u64, epoch: u64) -> Checkpoint {
    Checkpoint { ordinal, position: at(1000 + ordinal), epoch, event_at: 77 }
}

#[test]
fn a_task_keeps_its_identity_and_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("state/of dm");
    let first = StateStore::open(&dir, "a/b").unwrap();
    assert_eq!(first.identity().len(), 32);
    let second = StateStore::open(&dir, "a/b").unwrap_err();
    assert_eq!(second.code(), &codes::STATE_OWNED);
    assert!(second.message().contains(&format!("pid {}", std::process::id())), "{second}");
    assert_eq!(StateStore::remove(&dir, "a/b").unwrap_err().code(), &codes::STATE_OWNED);
    assert_eq!(
        StateStore::owner(&dir, "a/b").unwrap(),
        Some(format!("pid {}", std::process::id()))
    );
    // Another task is another owner.
    let other = StateStore::open(&dir, "c").unwrap();
    assert_ne!(other.identity(), first.identity());
    assert_eq!(list_tasks(&dir).unwrap(), ["a/b", "c"]);

    let identity = first.identity().to_owned();
    drop(first);
    assert_eq!(StateStore::owner(&dir, "a/b").unwrap(), None);
    assert_eq!(StateStore::open(&dir, "a/b").unwrap().identity(), identity);
    StateStore::remove(&dir, "a/b").unwrap();
    assert_eq!(list_tasks(&dir).unwrap(), ["c"]);
    assert_eq!(StateReader::open(&dir, "a/b").unwrap_err().code(), &codes::TASK_MISSING);
    assert_ne!(StateStore::open(&dir, "a/b").unwrap().identity(), identity);
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("state");
    let store = StateStore::open(&dir, "t").unwrap();
    store.set_started(Some("digest")).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let mut files = 0;
    for entry in fs::read_dir(&dir).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
        files += 1;
    }
    assert!(files >= 3, "main file, lock and -wal file");
}

#[test]
fn files_that_are_not_ours_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let open = |task: &str| StateStore::open(dir, task).unwrap_err();

    fs::write(dir.join("text.db"), "not a database, but long enough to have a header".repeat(50))
        .unwrap();
    assert_eq!(open("text").code(), &codes::STATE_FOREIGN);

    let other = rusqlite::Connection::open(dir.join("other.db")).unwrap();
    other.execute_batch("CREATE TABLE x (a)").unwrap();
    assert_eq!(open("other").code(), &codes::STATE_FOREIGN);
    assert_eq!(list_tasks(dir).unwrap(), Vec::<String>::new());

    let path = StateStore::open(dir, "mine").unwrap().path().unwrap();
    fs::copy(&path, dir.join("renamed.db")).unwrap();
    assert_eq!(open("renamed").code(), &codes::STATE_FOREIGN);

    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    assert_eq!(open("mine").code(), &codes::STATE_NEWER);
    assert_eq!(StateReader::open(dir, "mine").unwrap_err().code(), &codes::STATE_NEWER);
    assert_eq!(list_tasks(dir).unwrap(), ["mine", "mine"], "its copy, too");
}

#[test]
fn a_damaged_file_is_recognised() {
    let dir = tempfile::tempdir().unwrap();
    let store = StateStore::open(dir.path(), "t").unwrap();
    let lane = LaneId::copy(&source());
    begin(&store, &lane, &(0..200).map(|i| table(&format!("t{i}"))).collect::<Vec<_>>());
    let path = store.path().unwrap();
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    for page in bytes.chunks_mut(4096).skip(2) {
        page[..2000].fill(0xa5);
    }
    fs::write(&path, bytes).unwrap();
    let error = StateStore::open(dir.path(), "t").unwrap_err();
    assert_eq!(error.code(), &codes::STATE_CORRUPT, "{error}");
}

#[test]
fn stages_errors_and_status_are_read_by_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = StateStore::open(dir.path(), "t").unwrap();
    store.set_started(Some("digest")).unwrap();
    store.set_actual(Stage::Paused).unwrap();
    store.set_source_stage(&source(), Some(Stage::Running), Stage::Paused).unwrap();
    let error = Error::new(&codes::DB_DRIVER, "gone").cause("reset").at("(a, 4)", "(a, 9)");
    store.set_error(&source(), Some(&error)).unwrap();
    store.save_status(&source(), &json!({"rows": 5})).unwrap();

    let reader = StateReader::open(dir.path(), "t").unwrap();
    let task = reader.task().unwrap();
    assert_eq!((task.desired, task.actual), (Stage::Running, Stage::Paused));
    assert_eq!((task.config.as_str(), task.name.as_str()), ("digest", "t"));
    let rows = reader.sources().unwrap();
    let stored = rows[0].error.clone().unwrap();
    assert_eq!((stored.code, stored.raw_cause.as_str()), (10001, "reset"));
    assert_eq!(stored.message, "startLocation: [(a, 4)], endLocation: [(a, 9)]: gone");
    assert_eq!(rows[0].desired, Some(Stage::Running));
    assert_eq!(rows[0].status, Some(json!({"rows": 5})));

    store.set_error(&source(), None).unwrap();
    let rows = reader.sources().unwrap();
    assert_eq!(rows[0].error, None);
    assert_eq!(rows[0].status, Some(json!({"rows": 5})), "other columns stay");
    // Commits after a lazy one are durable again.
    store.set_started(Some("again")).unwrap();
    assert_eq!(store.db.synchronous().unwrap(), 2);
}

#[test]
fn a_copy_is_resumed_where_it_stood() {
    let dir = tempfile::tempdir().unwrap();
    let lane = LaneId::copy(&source());
    let name = |t: &str| TableName::new("db", t);
    {
        let store = StateStore::open(dir.path(), "t").unwrap();
        begin(&store, &lane, &[table("big"), table("empty"), table("late")]);
        let plans = [(name("big"), (0..3).map(chunk).collect()), (name("empty"), vec![])];
        store.plan_chunks(&lane, &plans).unwrap();
        assert_eq!(
            store.chunks_done(&lane, &[done("big", 1, 1), done("big", 1, 1)]).unwrap(),
            Vec::<TableName>::new()
        );
        // Neither a chunk that was never planned nor one of another generation counts.
        store.chunks_done(&lane, &[done("big", 1, 9), done("big", 2, 0)]).unwrap();
    }
    let store = StateStore::open(dir.path(), "t").unwrap();
    let copy = store.reader().copy(&lane).unwrap().unwrap();
    assert_eq!((copy.position, copy.contained_upto, copy.means.as_str()), (at(100), None, "none"));
    assert_eq!(copy.schemas[0].charset, "utf8mb4");
    let flags: Vec<_> = copy
        .tables
        .iter()
        .map(|t| (t.copy.info.name.table.as_str(), t.planned, t.is_finished(), t.chunks_done))
        .collect();
    assert_eq!(
        flags,
        [("big", true, false, 1), ("empty", true, true, 0), ("late", false, false, 0)]
    );
    assert_eq!(copy.tables[0].copy, table("big"));
    assert_eq!((copy.tables[0].rows_done, copy.tables[0].bytes_done), (10, 50));
    let chunks = store.reader().chunks(&lane, &name("big")).unwrap();
    assert_eq!(chunks.iter().map(|c| c.done).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(chunks[2].chunk, chunk(2));

    let early = store.finish_copy(&lane, &at(200)).unwrap_err();
    assert_eq!(early.code(), &codes::STATE_MISUSE);
    let finished = store.chunks_done(&lane, &[done("big", 1, 0), done("big", 1, 2)]).unwrap();
    assert_eq!(finished, [name("big")]);
}

#[test]
fn pieces_take_the_place_of_a_chunk() {
    let store = StateStore::in_memory("t").unwrap();
    let lane = LaneId::copy(&source());
    begin(&store, &lane, &[table("a")]);
    let a = TableName::new("db", "a");
    store.plan_chunks(&lane, &[(a.clone(), vec![chunk(0), chunk(1)])]).unwrap();
    let pieces = store.replace_chunk(&lane, &a, 0, &[chunk(0), chunk(1), chunk(2)]).unwrap();
    assert_eq!(pieces.iter().map(|c| c.id).collect::<Vec<_>>(), [2, 3, 4]);
    // The chunk is gone, and its number with it.
    let gone = store.replace_chunk(&lane, &a, 0, &[chunk(0)]).unwrap_err();
    assert_eq!(gone.code(), &codes::STATE_MISUSE);
    let before_the_last = [1, 2, 3].map(|id| done("a", 1, id));
    assert!(store.chunks_done(&lane, &before_the_last).unwrap().is_empty());
    assert!(store.replace_chunk(&lane, &a, 1, &[chunk(0)]).is_err(), "it is done");
    assert_eq!(store.chunks_done(&lane, &[done("a", 1, 4)]).unwrap(), [a]);
    store.finish_copy(&lane, &at(200)).unwrap();
}

#[test]
fn a_table_started_anew_has_a_snapshot_of_its_own() {
    let store = StateStore::in_memory("t").unwrap();
    let lane = LaneId::copy(&source());
    begin(&store, &lane, &[table("a"), table("b")]);
    let plan = |t: &str| (TableName::new("db", t), vec![chunk(0)]);
    store.plan_chunks(&lane, &[plan("a"), plan("b")]).unwrap();
    store.chunks_done(&lane, &[done("a", 1, 0), done("b", 1, 0)]).unwrap();

    let mut wider = table("a");
    wider.info.schema = structure(&["a", "b"]);
    assert_eq!(store.restart_table(&lane, &wider, &at(150), Some(&at(150))).unwrap(), 2);
    store.chunks_done(&lane, &[done("a", 1, 0)]).unwrap();
    assert!(store.finish_copy(&lane, &at(200)).is_err());
    store.plan_chunks(&lane, &[plan("a")]).unwrap();
    store.chunks_done(&lane, &[done("a", 2, 0)]).unwrap();
    store.finish_copy(&lane, &at(200)).unwrap();

    let copy = store.reader().copy(&lane).unwrap().unwrap();
    assert_eq!(copy.tables[0].copy, wider);
    assert!(copy.finished.is_some());
    assert_eq!(copy.contained_upto, Some(at(200)));
    let mut contained = store.reader().contained(&source()).unwrap();
    contained.sort_by(|a, b| a.table.cmp(&b.table));
    let spans: Vec<_> = contained.iter().map(|c| ((*c.from).clone(), (*c.upto).clone())).collect();
    assert_eq!(spans, [(at(150), at(150)), (at(100), at(200))]);
    assert!(store.reader().chunks(&lane, &TableName::new("db", "a")).unwrap().is_empty());

    let main = LaneId::main(&source());
    let run = store.begin_run(&main, 0).unwrap();
    let passed = LaneChanges { passed: vec![TableName::new("db", "a")], ..LaneChanges::default() };
    store.save_checkpoint(&main, &checkpoint(1, run.epoch), &passed).unwrap();
    assert_eq!(store.reader().contained(&source()).unwrap().len(), 1);
}

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

#[test]
fn commands_go_from_another_process_to_the_task_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = StateStore::open(dir.path(), "t").unwrap();
    assert_eq!(store.take_commands().unwrap(), []);
    let mailbox = Mailbox::open(dir.path(), "t").unwrap();
    let first = mailbox.post("pause-task", &json!({"source": "s1"})).unwrap();
    let second = mailbox.post("resume-task", &json!({})).unwrap();
    let gone = mailbox.post("stop-task", &json!({})).unwrap();
    assert!(mailbox.withdraw(gone).unwrap());
    let taken = store.take_commands().unwrap();
    assert_eq!(taken.iter().map(|c| c.id).collect::<Vec<_>>(), [first, second]);
    assert_eq!((taken[0].verb.as_str(), &taken[0].args), ("pause-task", &json!({"source": "s1"})));
    assert!(!mailbox.withdraw(first).unwrap());
    // What was carried out without the task is nothing to it, and no open command is recorded.
    let none = json!({});
    mailbox.record("checkpoint", &none, CommandState::Done, &none).unwrap();
    assert!(mailbox.record("checkpoint", &none, CommandState::Queued, &none).is_err());
    assert_eq!(store.take_commands().unwrap(), []);
    let recorded = store.reader().commands(1).unwrap().remove(0).id;

    store.reply(first, CommandState::Done, &json!({"result": true})).unwrap();
    let answered = mailbox.command(first).unwrap().unwrap();
    assert_eq!(
        (answered.state, answered.reply),
        (CommandState::Done, Some(json!({"result": true})))
    );
    assert!(store.reply(first, CommandState::Taken, &json!({})).is_err());
    assert!(store.reply(999, CommandState::Done, &json!({})).is_err());

    // Our own checkpoints do not look like letters, our own letters do.
    store.set_actual(Stage::Running).unwrap();
    assert!(!store.db.changed().unwrap());
    let own = store.mailbox().post("x", &json!(1)).unwrap();
    assert_eq!(store.take_commands().unwrap()[0].id, own);
    let late = mailbox.post("late", &json!({})).unwrap();
    drop(store);
    let store = StateStore::open(dir.path(), "t").unwrap();
    let states: Vec<_> =
        store.reader().commands(4).unwrap().iter().map(|c| (c.id, c.state)).collect();
    assert_eq!(
        states,
        [
            (late, CommandState::Queued),
            (own, CommandState::Interrupted),
            (recorded, CommandState::Done),
            (second, CommandState::Interrupted)
        ]
    );
    assert_eq!(store.take_commands().unwrap()[0].id, late);
}

#[test]
fn many_tables_and_chunks_stay_quick() {
    let store = StateStore::in_memory("t").unwrap();
    let lane = LaneId::copy(&source());
    let tables: Vec<_> = (0..2000).map(|i| table(&format!("t{i}"))).collect();
    begin(&store, &lane, &tables);
    let plans: Vec<_> =
        tables.iter().map(|t| (t.info.name.clone(), (0..5).map(chunk).collect())).collect();
    store.plan_chunks(&lane, &plans).unwrap();
    let all: Vec<_> =
        (0..2000).flat_map(|t| (0..5).map(move |c| done(&format!("t{t}"), 1, c))).collect();
    assert_eq!(store.chunks_done(&lane, &all).unwrap().len(), 2000);
    store.finish_copy(&lane, &at(300)).unwrap();
    assert_eq!(store.reader().contained(&source()).unwrap().len(), 2000);
    assert_eq!(store.reader().copy(&lane).unwrap().unwrap().tables.len(), 2000);
}

proptest! {
    #![proptest_config(crate::testing::model::few(32))]

    /// Whatever order chunks arrive in, and however often: counts are those of the set.
    #[test]
    fn chunks_count_once(arrivals in prop::collection::vec(0u32..8, 0..30)) {
        let store = StateStore::in_memory("t").unwrap();
        let lane = LaneId::copy(&source());
        begin(&store, &lane, &[table("a")]);
        let plan = (TableName::new("db", "a"), (0..6).map(chunk).collect());
        store.plan_chunks(&lane, &[plan]).unwrap();
        let mut finished = 0;
        let mut model = std::collections::BTreeSet::new();
        for &c in &arrivals {
            finished += store.chunks_done(&lane, &[done("a", 1, c)]).unwrap().len();
            if c < 6 {
                model.insert(c);
            }
        }
        let state = store.reader().copy(&lane).unwrap().unwrap();
        prop_assert_eq!(state.tables[0].chunks_done, model.len() as u64);
        prop_assert_eq!(state.tables[0].rows_done, 10 * model.len() as u64);
        prop_assert_eq!(finished, usize::from(model.len() == 6));
    }
}

fn skipped(count: u64, last: &str) -> Skipped {
    Skipped { kind: "analyze".into(), count, last: last.into() }
}

#[test]
fn a_file_of_the_second_version_is_brought_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    let store = StateStore::open(dir.path(), "t").unwrap();
    let path = store.path().unwrap();
    drop(store);
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(
        "ALTER TABLE ddl DROP COLUMN gtid; ALTER TABLE skipped DROP COLUMN last;
         ALTER TABLE tracked_table DROP COLUMN since; DROP TABLE older_table; DROP TABLE history_start; PRAGMA user_version = 2",
    )
    .unwrap();
    drop(old);
    let store = StateStore::open(dir.path(), "t").unwrap();
    let lane = LaneId::main(&source());
    let gtid = Gtid::parse(Flavor::MySql, "3e11fa47-71ca-11e1-9e33-c80aa9429562:tag:9").ok();
    let position = Position::default();
    let ddl = NewDdl { ordinal: 1, gtid, position, sql: String::new(), before: Vec::new() };
    store.begin_ddl(&lane, &ddl, true).unwrap();
    assert_eq!(store.reader().pending_ddl(&lane).unwrap()[0].ddl, ddl);
    let epoch = store.begin_run(&lane, 0).unwrap().epoch;
    let checkpoint = Checkpoint { ordinal: 1, position: Position::default(), epoch, event_at: 0 };
    let changes =
        LaneChanges { skipped: vec![skipped(1, "bin.000001:4")], ..LaneChanges::default() };
    store.save_checkpoint(&lane, &checkpoint, &changes).unwrap();
    assert_eq!(store.reader().skipped(&lane).unwrap(), [skipped(1, "bin.000001:4")]);
}
