//! What every sink must do, on this one.

use super::*;
use crate::testing::{SinkUnderTest, TextRow, sink_conformance};

#[test]
fn conforms() {
    sink_conformance(&|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("copy.db");
        let sink = Arc::new(SqliteSink::with_patience(&path, Duration::from_millis(200)).unwrap());
        let asked = Arc::clone(&sink);
        let rows = move |table: &TableName| -> Vec<TextRow> {
            let Some(ident) = asked.ident(table).unwrap() else { return Vec::new() };
            let conn = Connection::open(&path).unwrap();
            let sql = format!("SELECT * FROM {}", super::super::name::quote(&ident));
            let mut statement = conn.prepare(&sql).unwrap();
            let width = statement.column_count();
            let rows = statement.query_map([], |r| {
                (0..width)
                    .map(|i| {
                        Ok(match r.get::<_, rusqlite::types::Value>(i)? {
                            rusqlite::types::Value::Null => None,
                            rusqlite::types::Value::Integer(v) => Some(v.to_string()),
                            rusqlite::types::Value::Text(v) => Some(v),
                            other => Some(format!("{other:?}")),
                        })
                    })
                    .collect()
            });
            rows.unwrap().map(|r| r.unwrap()).collect()
        };
        SinkUnderTest { sink, rows: Box::new(rows), keep: Box::new(dir) }
    });
}
