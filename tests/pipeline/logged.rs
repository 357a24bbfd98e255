//! What sessions write that log statements, and halves of statements.

use std::path::Path;
use std::sync::Arc;

use dm_core::binlog::QueryEvent;
use dm_core::sink::MemorySink;
use dm_core::source::Body;
use dm_core::testing::ScriptedSource;
use dm_core::testing::build::insert;
use dm_core::{Outcome, Result, Until};

use crate::script::{int, migration, name, plan};

fn run(source: &ScriptedSource, target: &MemorySink, dir: &Path) -> Result<Outcome> {
    let rules = "block-allow-list: {main: {do-dbs: [db]}}\n";
    let plan = plan("all", &["s"], "block-allow-list: main", rules);
    let migration = migration(plan, Arc::new(source.clone()), Arc::new(target.clone()), dir);
    migration.until(Until::CaughtUp).build().run()
}

fn copied(dir: &Path) -> (ScriptedSource, MemorySink) {
    let (source, target) = (ScriptedSource::with_gtids("s"), MemorySink::new());
    source.ddl("", "CREATE DATABASE db").unwrap();
    source.ddl("db", "CREATE TABLE t (id int PRIMARY KEY)").unwrap();
    assert_eq!(run(&source, &target, dir).unwrap(), Outcome::Finished);
    (source, target)
}

/// A session that logs statements called a routine that has changed rows.
fn call(schemas: Option<&[&str]>) -> Vec<Body> {
    let updated_schemas = schemas.map(|all| all.iter().map(|s| (*s).to_owned()).collect());
    let mut query = QueryEvent::of("db", b"SELECT `db`.`f`(9)".as_slice());
    query.vars.updated_schemas = updated_schemas;
    vec![Body::Begin, Body::Query(Box::new(query)), Body::Xid]
}

#[test]
fn rows_that_a_routine_has_changed_are_not_passed_over() {
    for schemas in [None, Some(["other", "db"].as_slice()), Some(&[])] {
        let dir = tempfile::tempdir().unwrap();
        let (source, target) = copied(dir.path());
        source.log(call(schemas));
        let error = run(&source, &target, dir.path()).unwrap_err();
        assert_eq!(error.code().number, 36_014, "{schemas:?}: {error}");
        assert!(error.advice().contains("`dm handle-error t -s s skip`"), "{error}");
    }
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = copied(dir.path());
    source.log(call(Some(&["other"])));
    source.commit(vec![(name("t"), vec![insert(vec![int(1)])])]).unwrap();
    assert_eq!(run(&source, &target, dir.path()).unwrap(), Outcome::Finished);
    assert_eq!(target.dump(), source.dump());
}

/// The last thing that a source says may be that an ALTER has begun, hours ago.
#[test]
fn an_alter_that_has_begun_is_passed() {
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = copied(dir.path());
    source.log(vec![Body::UnfinishedAlter]);
    assert_eq!(run(&source, &target, dir.path()).unwrap(), Outcome::Finished);
    source.commit(vec![(name("t"), vec![insert(vec![int(1)])])]).unwrap();
    source.log(vec![Body::UnfinishedAlter]);
    source.ddl("db", "ALTER TABLE t ADD COLUMN v int").unwrap();
    assert_eq!(run(&source, &target, dir.path()).unwrap(), Outcome::Finished);
    assert_eq!(target.dump(), source.dump());
}
