//! The file: whose it is, who may read it, what is refused, what an older version left.

use std::fs;

use super::*;
use crate::error::codes;
use crate::position::{Flavor, Gtid};
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
