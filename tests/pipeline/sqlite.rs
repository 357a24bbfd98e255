//! The same script into an SQLite file: a target that is killed with the process.

use std::path::Path;
use std::sync::Arc;

use dm_core::Outcome;
use dm_core::sink::Sink;
use dm_core::sink::sqlite::SqliteSink;
use dm_core::testing::{Fault, FaultSink, ScriptedSource, When};
use rusqlite::types::Value;

use crate::crash::every;
use crate::script::{Live, after, before, during, migration, plan};

/// The rows of a table of the file, sorted, as texts.
fn rows(file: &Path, table: &str) -> Vec<String> {
    let conn = rusqlite::Connection::open(file).unwrap();
    let mut statement = conn.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
    let columns = statement.column_count();
    let text = |value: Value| match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(v) => v.to_string(),
        Value::Real(v) => v.to_string(),
        Value::Text(v) => v,
        Value::Blob(v) => format!("{v:?}"),
    };
    let found = statement.query_map([], |row| {
        (0..columns).map(|i| row.get(i).map(text)).collect::<rusqlite::Result<Vec<_>>>()
    });
    let mut rows: Vec<String> = found.unwrap().map(|r| r.unwrap().join("|")).collect();
    rows.sort();
    rows
}

fn round(fault: Fault) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("target.db");
    let script = ScriptedSource::new("s");
    before(&script).unwrap();
    let source = Arc::new(Live::new(script, during, after));
    let mut calls = 0;
    let mut result = None;
    for fault in [fault, Fault::None, Fault::None] {
        let sink = Arc::new(FaultSink::new(Arc::new(SqliteSink::open(&file).unwrap()), fault));
        let as_sink: Arc<dyn Sink> = sink.clone();
        let mut plan = plan("all", &["s"], "mydumper: {rows: 3}\nsyncer: {batch: 2}", "");
        plan.limits.max_memory = 8 << 10;
        let ended = migration(plan, source.clone(), as_sink, dir.path()).build().run();
        calls = calls.max(sink.calls());
        let done = ended.is_ok();
        result = Some(ended);
        if done {
            break;
        }
    }
    let result = result.unwrap();
    assert_eq!(result.as_ref().ok(), Some(&Outcome::Finished), "{fault:?}: {result:?}");
    for (table, want) in source.script.dump() {
        let mut want: Vec<String> = want
            .iter()
            .map(|row| row.iter().map(ToString::to_string).collect::<Vec<_>>().join("|"))
            .collect();
        want.sort();
        let name = format!("{}.{}", table.schema, table.table);
        assert_eq!(rows(&file, &name), want, "{fault:?}: {table}");
    }
    calls
}

#[test]
fn what_arrives_is_what_the_source_has() {
    let calls = round(Fault::None);
    assert!(calls > 40, "the script is meant to have many steps, and has {calls}");
    // A process that is killed on its first calls has made nothing yet.
    every(calls, |at| {
        let when = if at % 2 == 0 { When::Before } else { When::After };
        round(Fault::Die { at, when });
        true
    });
}
