//! The state as its callers use it; the helpers that all of them take.

mod copy;
mod files;
mod others;
mod stream;

use std::sync::Arc;

use dm_filter::TableName;

use super::*;
use crate::ddl::SqlMode;
use crate::event::{LaneId, SourceId};
use crate::position::Position;
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

fn skipped(count: u64, last: &str) -> Skipped {
    Skipped { kind: "analyze".into(), count, last: last.into() }
}
