//! The statements that make or drop something as a whole: tables, indexes, schemas; and the options of tables.
use super::element::{KeyDef, TableElement};
use dm_filter::TableName;
use std::ops::Range;
/// A table option: upper-case name and the text of its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableOption {
    /// \[DEFAULT\] CHARACTER SET, in lower case.
    Charset(String),
    /// \[DEFAULT\] COLLATE, in lower case.
    Collate(String),
    /// COMMENT.
    Comment(String),
    /// ENGINE.
    Engine(String),
    /// WITH SYSTEM VERSIONING.
    SystemVersioning,
    /// START TRANSACTION: an atomic CREATE TABLE ... SELECT; rows follow in the same transaction.
    StartTransaction(Range<usize>),
    /// Any other: name and value as written.
    Other(String, String),
}

/// CREATE TABLE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateTable {
    /// The table.
    pub name: TableName,
    /// OR REPLACE.
    pub or_replace: bool,
    /// TEMPORARY.
    pub temporary: bool,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// LIKE table.
    pub like: Option<TableName>,
    /// Columns, keys, constraints in the order written.
    pub elements: Vec<TableElement>,
    /// Options in the order written.
    pub options: Vec<TableOption>,
    /// Text from PARTITION BY on.
    pub partitioning: Option<String>,
    /// Where the query of CREATE TABLE ... SELECT stands.
    pub select: Option<Range<usize>>,
}

/// CREATE INDEX: an ALTER TABLE with one clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateIndex {
    /// The table.
    pub table: TableName,
    /// OR REPLACE (MariaDB).
    pub or_replace: bool,
    /// The key.
    pub key: KeyDef,
}

/// DROP INDEX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropIndex {
    /// The table.
    pub table: TableName,
    /// IF EXISTS.
    pub if_exists: bool,
    /// Name of the key; `PRIMARY` drops the primary key.
    pub name: String,
}

/// CREATE or ALTER DATABASE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseDef {
    /// The schema.
    pub name: String,
    /// OR REPLACE (MariaDB).
    pub or_replace: bool,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// \[DEFAULT\] CHARACTER SET, in lower case.
    pub charset: Option<String>,
    /// \[DEFAULT\] COLLATE, in lower case.
    pub collation: Option<String>,
}
