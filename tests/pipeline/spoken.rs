//! An operator who speaks of a statement in the moment at which it is tried.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dm_core::error::codes;
use dm_core::operate::Operation;
use dm_core::position::BinlogPos;
use dm_core::sink::{DdlOutcome, MemorySink, Sink, TargetDdl};
use dm_core::testing::ScriptedSource;
use dm_core::{Error, Outcome, Result, Until};

use crate::around::{Around, Between};
use crate::script::{end, int, migration, name, plan, put, say, text};

/// Refuses a statement, for good; the operator speaks of it while it runs.
struct Refusing {
    dir: PathBuf,
    place: BinlogPos,
    operation: Option<Operation>,
    tried: AtomicU32,
}

impl Between for Arc<Refusing> {
    fn execute(&self, tables: &MemorySink, ddl: &TargetDdl) -> Result<DdlOutcome> {
        if !ddl.sql.contains("unwanted") {
            return tables.execute_ddl(ddl);
        }
        let first = self.tried.fetch_add(1, Ordering::SeqCst) == 0;
        if let (true, Some(operation)) = (first, &self.operation) {
            say(&self.dir, Some(self.place.clone()), operation.clone());
        }
        Err(Error::new(&codes::DB_EXECUTE, "no").server_number(1064))
    }
}

fn run(operation: Option<Operation>) -> (Result<Outcome>, u32, MemorySink) {
    let dir = tempfile::tempdir().unwrap();
    let source = ScriptedSource::new("s");
    source.ddl("", "CREATE DATABASE db").unwrap();
    source.ddl("db", "CREATE TABLE t (id int primary key, v varchar(20))").unwrap();
    put(&source, "t", vec![int(1), text("a")]).unwrap();
    let target = MemorySink::new();
    let run = |sink: Arc<dyn Sink>| {
        let plan = plan("all", &["s"], "", "");
        let migration = migration(plan, Arc::new(source.clone()), sink, dir.path());
        migration.until(Until::CaughtUp).build().run()
    };
    assert_eq!(run(Arc::new(target.clone())).unwrap(), Outcome::Finished);
    let place = end(&source);
    let between = Arc::new(Refusing {
        dir: dir.path().to_owned(),
        place,
        operation,
        tried: AtomicU32::new(0),
    });
    source.ddl("db", "ALTER TABLE t ADD KEY unwanted (v)").unwrap();
    put(&source, "t", vec![int(2), text("b")]).unwrap();
    let ended = run(Arc::new(Around { tables: target.clone(), between: Arc::clone(&between) }));
    (ended, between.tried.load(Ordering::SeqCst), target)
}

/// It is not left to the next start, nor to the next attempt, minutes later.
#[test]
fn a_word_that_comes_during_an_attempt_is_heard() {
    let (ended, tried, target) = run(Some(Operation::Skip));
    assert_eq!((ended.unwrap(), tried), (Outcome::Finished, 1));
    assert_eq!(target.count(&name("t")), 2);
}

/// What was heard and fails as well does not go round in circles.
#[test]
fn a_word_is_heard_once() {
    let same = Operation::Replace("ALTER TABLE db.t ADD KEY unwanted (v, id)".to_owned());
    let (ended, tried, _) = run(Some(same));
    assert_eq!((ended.unwrap_err().server_error(), tried), (Some(1064), 2));
    let (ended, tried, _) = run(None);
    assert_eq!((ended.unwrap_err().server_error(), tried), (Some(1064), 1));
}
