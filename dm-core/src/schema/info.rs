//! What a source tells of its schemas and tables, and how a copy divides them.

use std::sync::Arc;

use dm_filter::TableName;

use super::TableSchema;

/// A table's structure as the source tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// The table.
    pub name: TableName,
    /// The server's CREATE TABLE text.
    pub create_sql: Arc<str>,
    /// The same, parsed.
    pub schema: Arc<TableSchema>,
}

/// A schema (database) of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaCopy {
    /// Name.
    pub name: String,
    /// Default character set; empty when not known.
    pub charset: String,
    /// Default collation; empty when not known.
    pub collation: String,
}

/// A table of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableCopy {
    /// Name and structure.
    pub info: TableInfo,
    /// Estimated rows.
    pub rows: u64,
    /// Estimated bytes.
    pub bytes: u64,
}

impl TableCopy {
    /// A table without columns, of which nothing is copied.
    pub fn nothing(name: TableName) -> Self {
        let (create_sql, schema) = ("".into(), Arc::new(TableSchema::default()));
        Self { info: TableInfo { name, create_sql, schema }, rows: 0, bytes: 0 }
    }
}

/// A part of a table that one reader reads and one target transaction writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Number within the table, from 0.
    pub id: u32,
    /// What it covers, in words of the source that planned it: a WHERE condition over a half-open
    /// key range, a file name. Empty for the whole table.
    pub range: String,
    /// Estimated rows.
    pub rows: u64,
}
