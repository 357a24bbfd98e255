//! What the file knows of itself: MySQL's schemas and tables behind the SQLite tables.
//!
//! `_dm_table` keeps the original structure of each table as JSON, so that [`describe`] answers
//! exactly what the source would and statements are applied to what the table *is*, not to what
//! SQLite can say of it. It is written in the same transaction as the table. `_dm_meta` counts the
//! changes, so that what was compiled for an older structure is noticed, also when another process
//! changed it.
//!
//! [`describe`]: crate::sink::Sink::describe

use std::sync::Arc;

use dm_filter::TableName;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result, codes};
use crate::schema::TableSchema;

use super::name::table_ident;
use super::store::failed;

/// Our own tables. Names without a dot: no table of a migration has such a name.
pub const TABLES: &str = "
CREATE TABLE _dm_meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO _dm_meta VALUES ('changes', 0);
CREATE TABLE _dm_schema (name TEXT PRIMARY KEY, charset TEXT NOT NULL, collation TEXT NOT NULL)
  WITHOUT ROWID;
CREATE TABLE _dm_table (schema TEXT NOT NULL, name TEXT NOT NULL,
  ident TEXT NOT NULL UNIQUE COLLATE NOCASE, structure TEXT NOT NULL, notes TEXT NOT NULL,
  PRIMARY KEY (schema, name)) WITHOUT ROWID;
CREATE TABLE _dm_feed (schema TEXT NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL,
  source_schema TEXT NOT NULL, source_table TEXT NOT NULL,
  PRIMARY KEY (schema, name, source, source_schema, source_table)) WITHOUT ROWID;
CREATE TABLE _dm_task (task TEXT PRIMARY KEY, identity TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE _dm_mark_lane (task TEXT NOT NULL, source TEXT NOT NULL, lane TEXT NOT NULL,
  fence INTEGER NOT NULL, epoch INTEGER NOT NULL, PRIMARY KEY (task, source, lane)) WITHOUT ROWID;
CREATE TABLE _dm_mark_slot (task TEXT NOT NULL, source TEXT NOT NULL, lane TEXT NOT NULL,
  worker INTEGER NOT NULL, holder INTEGER NOT NULL,
  PRIMARY KEY (task, source, lane, worker)) WITHOUT ROWID;
CREATE TABLE _dm_mark_ddl (task TEXT NOT NULL, source TEXT NOT NULL, lane TEXT NOT NULL,
  number TEXT NOT NULL, statement TEXT NOT NULL, PRIMARY KEY (task, source, lane)) WITHOUT ROWID;
CREATE TABLE _dm_mark_stream (task TEXT NOT NULL, source TEXT NOT NULL, lane TEXT NOT NULL,
  epoch INTEGER NOT NULL, worker INTEGER NOT NULL, low INTEGER NOT NULL,
  low_position TEXT NOT NULL, applied TEXT NOT NULL,
  PRIMARY KEY (task, source, lane, epoch, worker)) WITHOUT ROWID;
CREATE TABLE _dm_mark_chunk (task TEXT NOT NULL, source TEXT NOT NULL, lane TEXT NOT NULL,
  schema TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL, chunk INTEGER NOT NULL,
  target_schema TEXT NOT NULL, target_name TEXT NOT NULL,
  PRIMARY KEY (task, source, lane, schema, name, generation, chunk)) WITHOUT ROWID";

/// A table of the file.
#[derive(Clone, Debug)]
pub struct Entry {
    /// MySQL's name.
    pub name: TableName,
    /// The SQLite table.
    pub ident: String,
    /// MySQL's structure.
    pub schema: Arc<TableSchema>,
}

fn asked(e: rusqlite::Error) -> Error {
    failed("the SQLite target could not be asked", &e)
}

fn written(e: rusqlite::Error) -> Error {
    failed("the catalog of the SQLite target could not be written", &e)
}

/// How often structures have changed.
///
/// # Errors
///
/// When the file cannot be read.
pub fn changes(conn: &Connection) -> Result<i64> {
    conn.prepare_cached("SELECT value FROM _dm_meta WHERE key = 'changes'")
        .and_then(|mut s| s.query_row([], |r| r.get(0)))
        .map_err(asked)
}

fn changed(conn: &Connection) -> Result<()> {
    conn.execute("UPDATE _dm_meta SET value = value + 1 WHERE key = 'changes'", [])
        .map(|_| ())
        .map_err(written)
}

/// A table, by its exact name.
///
/// # Errors
///
/// When the file cannot be read, or its catalog is damaged.
pub fn find(conn: &Connection, name: &TableName) -> Result<Option<Entry>> {
    let row = conn
        .prepare_cached("SELECT ident, structure FROM _dm_table WHERE schema = ? AND name = ?")
        .and_then(|mut s| {
            s.query_row([&name.schema, &name.table], |r| {
                Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?))
            })
            .optional()
        })
        .map_err(asked)?;
    let Some((ident, structure)) = row else { return Ok(None) };
    let schema: TableSchema = serde_json::from_str(&structure).map_err(|e| {
        Error::new(&codes::TARGET_OPEN, format!("the catalog entry of {name} is damaged")).cause(e)
    })?;
    Ok(Some(Entry { name: name.clone(), ident, schema: schema.shared() }))
}

/// The tables of a schema.
///
/// # Errors
///
/// When the file cannot be read.
pub fn tables_of(conn: &Connection, schema: &str) -> Result<Vec<TableName>> {
    let mut statement = conn
        .prepare_cached("SELECT name FROM _dm_table WHERE schema = ? ORDER BY name")
        .map_err(asked)?;
    let rows = statement.query_map([schema], |r| r.get::<_, String>(0)).map_err(asked)?;
    rows.map(|name| name.map(|n| TableName::new(schema, n)).map_err(asked)).collect()
}

/// All tables with their notes.
///
/// # Errors
///
/// When the file cannot be read.
pub fn notes(conn: &Connection) -> Result<Vec<(TableName, Vec<String>)>> {
    let mut statement = conn
        .prepare_cached("SELECT schema, name, notes FROM _dm_table ORDER BY schema, name")
        .map_err(asked)?;
    let rows = statement
        .query_map([], |r| {
            let name = TableName::new(r.get::<_, String>(0)?, r.get::<_, String>(1)?);
            Ok((name, r.get::<_, String>(2)?))
        })
        .map_err(asked)?;
    rows.map(|row| {
        let (name, notes) = row.map_err(asked)?;
        Ok((name, serde_json::from_str(&notes).unwrap_or_default()))
    })
    .collect()
}

/// A SQLite name for a new table: its plain one, or with a number when the plain one is taken by
/// a table that differs in case only.
///
/// # Errors
///
/// When the file cannot be read.
pub fn free_ident(conn: &Connection, name: &TableName) -> Result<String> {
    let mut twin = 0;
    loop {
        let ident = table_ident(name, twin);
        let taken: bool = conn
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ? COLLATE NOCASE)",
            )
            .and_then(|mut s| s.query_row([&ident], |r| r.get(0)))
            .map_err(asked)?;
        if !taken {
            return Ok(ident);
        }
        twin += 1;
    }
}

/// Writes a table's entry.
///
/// # Errors
///
/// When the file cannot be written.
pub fn put(conn: &Connection, entry: &Entry, notes: &[String]) -> Result<()> {
    let damaged = |e: serde_json::Error| {
        Error::new(&codes::TARGET_DDL, format!("the structure of {} cannot be kept", entry.name))
            .cause(e)
    };
    let structure = serde_json::to_string(entry.schema.as_ref()).map_err(damaged)?;
    let notes = serde_json::to_string(notes).map_err(damaged)?;
    conn.execute(
        "INSERT INTO _dm_table VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (schema, name)
         DO UPDATE SET ident = excluded.ident, structure = excluded.structure, notes = excluded.notes",
        params![entry.name.schema, entry.name.table, entry.ident, structure, notes],
    )
    .map_err(written)?;
    changed(conn)
}

/// Adds a note to a table, once.
///
/// # Errors
///
/// When the file cannot be written.
pub fn add_note(conn: &Connection, name: &TableName, note: &str) -> Result<()> {
    let have: Option<String> = conn
        .query_row(
            "SELECT notes FROM _dm_table WHERE schema = ? AND name = ?",
            [&name.schema, &name.table],
            |r| r.get(0),
        )
        .optional()
        .map_err(asked)?;
    let mut notes: Vec<String> =
        have.and_then(|n| serde_json::from_str(&n).ok()).unwrap_or_default();
    if notes.iter().any(|n| n == note) {
        return Ok(());
    }
    notes.push(note.to_owned());
    let text = serde_json::to_string(&notes).unwrap_or_default();
    conn.execute(
        "UPDATE _dm_table SET notes = ? WHERE schema = ? AND name = ?",
        [&text, &name.schema, &name.table],
    )
    .map(|_| ())
    .map_err(written)
}

/// Removes a table's entry and what is known of its feeds.
///
/// # Errors
///
/// When the file cannot be written.
pub fn remove(conn: &Connection, name: &TableName) -> Result<()> {
    for table in ["_dm_table", "_dm_feed"] {
        conn.execute(
            &format!("DELETE FROM {table} WHERE schema = ? AND name = ?"),
            [&name.schema, &name.table],
        )
        .map_err(written)?;
    }
    changed(conn)
}

/// Gives a table's entry another name. A moved name takes its feeds along.
///
/// # Errors
///
/// When the file cannot be written.
pub fn rename(conn: &Connection, from: &TableName, to: &TableName, ident: &str) -> Result<()> {
    conn.execute(
        "UPDATE _dm_table SET schema = ?, name = ?, ident = ? WHERE schema = ? AND name = ?",
        [&to.schema, &to.table, ident, &from.schema, &from.table],
    )
    .and_then(|_| {
        conn.execute(
            "UPDATE OR REPLACE _dm_feed SET schema = ?, name = ? WHERE schema = ? AND name = ?",
            [&to.schema, &to.table, &from.schema, &from.table],
        )
    })
    .map_err(written)?;
    changed(conn)
}

/// Charset and collation of a schema; `None` when there is none of the name.
///
/// # Errors
///
/// When the file cannot be read.
pub fn schema(conn: &Connection, name: &str) -> Result<Option<(String, String)>> {
    conn.query_row("SELECT charset, collation FROM _dm_schema WHERE name = ?", [name], |r| {
        Ok((r.get(0)?, r.get(1)?))
    })
    .optional()
    .map_err(asked)
}

/// Writes a schema.
///
/// # Errors
///
/// When the file cannot be written.
pub fn put_schema(conn: &Connection, name: &str, charset: &str, collation: &str) -> Result<()> {
    conn.execute("INSERT OR REPLACE INTO _dm_schema VALUES (?, ?, ?)", [name, charset, collation])
        .map(|_| ())
        .map_err(written)
}

/// Removes a schema.
///
/// # Errors
///
/// When the file cannot be written.
pub fn remove_schema(conn: &Connection, name: &str) -> Result<()> {
    conn.execute("DELETE FROM _dm_schema WHERE name = ?", [name]).map(|_| ()).map_err(written)
}

/// Notes that a source table feeds a target table, and says how many do.
///
/// # Errors
///
/// When the file cannot be written.
pub fn feed(
    conn: &Connection,
    target: &TableName,
    source: &crate::event::SourceTable,
) -> Result<u64> {
    conn.execute(
        "INSERT OR IGNORE INTO _dm_feed VALUES (?, ?, ?, ?, ?)",
        [
            &target.schema,
            &target.table,
            &source.source.to_string(),
            &source.table.schema,
            &source.table.table,
        ],
    )
    .map_err(written)?;
    conn.query_row(
        "SELECT count(*) FROM _dm_feed WHERE schema = ? AND name = ?",
        [&target.schema, &target.table],
        |r| r.get::<_, i64>(0),
    )
    .map(i64::unsigned_abs)
    .map_err(asked)
}
