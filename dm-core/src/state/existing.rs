//! Opening the state of a task from another process than its owner.
//!
//! Guarantee: who asks gets a complete file of this version, or hears why not. Obstacles: the owner makes the
//! file in several steps, and may be killed between them; a file may be of an earlier version, which its
//! owner brings up to date when it starts, and there may be no owner now. Method: a file that is not complete
//! is waited for while it has an owner, within a limit; without one the lock is taken for a moment, and
//! what is behind it can change no more: an older file is brought up to date, an empty one is no task.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::db::{Db, Form};
use super::dir::{self, OwnerLock};
use crate::error::{Result, codes};

/// How long an owner may take to make its file; it takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// The file of a task, complete.
pub(super) fn open(dir: &Path, task: &str) -> Result<Db> {
    open_within(dir, task, PATIENCE)
}

fn open_within(dir: &Path, task: &str, patience: Duration) -> Result<Db> {
    let file = dir::require(dir, task)?;
    let since = Instant::now();
    loop {
        let (db, form) = Db::open_existing(&file)?;
        if form == Form::Complete {
            return Ok(db);
        }
        match OwnerLock::take(dir, task) {
            Ok(_lock) => return settle(dir, task, &file),
            Err(e) if *e.code() == codes::STATE_OWNED => {}
            Err(e) => return Err(e),
        }
        // One of an earlier version stays as it is while its owner lives.
        if form == Form::Older || since.elapsed() >= patience {
            return Err(db.incomplete(form));
        }
        thread::sleep(PAUSE);
    }
}

/// With the owner's lock held: what stands there now.
fn settle(dir: &Path, task: &str, file: &Path) -> Result<Db> {
    let (db, form) = Db::open_existing(file)?;
    match form {
        Form::Complete => {}
        Form::Older => drop(db.create(task)?),
        Form::Empty => return Err(dir::missing(dir, task)),
    }
    Ok(db)
}

#[cfg(test)]
mod tests {
    use super::super::{Mailbox, StateReader, StateStore, list_tasks};
    use super::*;

    fn make_older(path: &Path) {
        let old = rusqlite::Connection::open(path).unwrap();
        let back = "ALTER TABLE ddl DROP COLUMN gtid; ALTER TABLE tracked_table DROP COLUMN since; \
                    DROP TABLE older_table; DROP TABLE history_start; \
                    PRAGMA user_version = 3";
        old.execute_batch(back).unwrap();
    }

    #[test]
    fn an_older_file_is_brought_up_to_date_where_nobody_owns_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = StateStore::open(dir.path(), "t").unwrap();
        make_older(&store.path().unwrap());
        let error = Mailbox::open(dir.path(), "t").unwrap_err();
        assert_eq!(error.code(), &codes::STATE_BUSY);
        assert!(error.to_string().contains("older version"), "{error}");
        assert_eq!(list_tasks(dir.path()).unwrap(), ["t"]);
        drop(store);
        assert_eq!(list_tasks(dir.path()).unwrap(), ["t"]);
        assert_eq!(StateReader::open(dir.path(), "t").unwrap().task().unwrap().name, "t");
        Mailbox::open(dir.path(), "t").unwrap();
    }

    #[test]
    fn an_empty_file_is_waited_for_while_somebody_makes_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir::state_file(dir.path(), "t");
        std::fs::write(&file, "").unwrap();
        let missing = StateReader::open(dir.path(), "t").unwrap_err();
        assert_eq!(missing.code(), &codes::TASK_MISSING);
        assert!(list_tasks(dir.path()).unwrap().is_empty());
        let lock = OwnerLock::take(dir.path(), "t").unwrap();
        let error = open_within(dir.path(), "t", Duration::ZERO).unwrap_err();
        assert_eq!(error.code(), &codes::STATE_BUSY);
        let asker = {
            let dir = dir.path().to_owned();
            thread::spawn(move || StateReader::open(&dir, "t"))
        };
        Db::open(&file).unwrap().create("t").unwrap();
        assert_eq!(asker.join().unwrap().unwrap().task().unwrap().name, "t");
        drop(lock);
    }
}
