//! Bringing a SQLite table from one structure to another, rows included, inside of an open
//! transaction.
//!
//! SQLite can rename tables and add columns; everything else means building the table anew and
//! copying its rows. The statement tells only the structures, so the rows that are there must get
//! exactly the values that the source's server gave its own: added columns their default, columns
//! of another type their converted value. Where that cannot be known the statement is refused,
//! unless the table is empty.
//!
//! Indexes and triggers that somebody else put on the table are made again afterwards; when they
//! do not fit any more the statement fails and nothing has changed.

use rusqlite::{Connection, params_from_iter};

use crate::error::{Error, Result, codes};
use crate::schema::{Column, TableSchema};

use super::catalog::Entry;
use super::cell::Cell;
use super::convert::{Stamp, convert, same_form};
use super::default::{Default, default_of, value_at};
use super::layout::{Layout, column_clause, rowid_column};
use super::name::{push_quoted, quote};
use super::store::failed;
use super::types::implicit_default;

/// The name that a table has while it is built; no table of a migration can have it.
const BUILDING: &str = "%building";

/// Where the values of a column come from.
enum From<'a> {
    /// From a column that there was, with its type then.
    Old(&'a Column),
    /// The same value for every row.
    Value(Cell<'static>),
}

/// Makes a table that is not there yet.
///
/// # Errors
///
/// When SQLite refuses it.
pub fn create(conn: &Connection, ident: &str, schema: &TableSchema) -> Result<Vec<String>> {
    let layout = Layout::new(ident, schema);
    run(conn, &layout.create)?;
    for (_, sql) in &layout.indexes {
        run(conn, sql)?;
    }
    Ok(layout.notes)
}

/// Changes a table. `origin` says for each column of `after` which column it was before; `None`
/// for new ones. Gives the notes of the new structure.
///
/// # Errors
///
/// When a value of a row cannot be worked out, or a row does not fit the new structure.
pub fn alter(
    conn: &Connection,
    entry: &Entry,
    after: &TableSchema,
    origin: &[Option<String>],
    stamp: &Stamp,
) -> Result<Vec<String>> {
    let before = entry.schema.as_ref();
    let (old, new) = (Layout::new(&entry.ident, before), Layout::new(&entry.ident, after));
    let empty = is_empty(conn, &entry.ident)?;
    let mut notes = new.notes.clone();
    let sources = sources(entry, after, origin, stamp, empty, &mut notes)?;
    if old.create == new.create && keeps_values(&sources, after) {
        swap_indexes(conn, &old, &new)?;
    } else if let Some(added) = added_at_end(before, after, &sources) {
        for index in added {
            let clause = column_clause(after, index);
            run(conn, &format!("ALTER TABLE {} ADD COLUMN {clause}", quote(&entry.ident)))?;
        }
        swap_indexes(conn, &old, &new)?;
    } else {
        rebuild(conn, entry, after, &sources, stamp, (&old, &new))?;
    }
    Ok(notes)
}

fn sources<'a>(
    entry: &'a Entry,
    after: &TableSchema,
    origin: &[Option<String>],
    stamp: &Stamp,
    empty: bool,
    notes: &mut Vec<String>,
) -> Result<Vec<From<'a>>> {
    let mut out = Vec::with_capacity(after.columns.len());
    for (i, column) in after.columns.iter().enumerate() {
        let old = origin.get(i).and_then(Option::as_deref).and_then(|n| entry.schema.column(n));
        out.push(match old {
            Some((_, old)) => From::Old(old),
            None if empty => From::Value(Cell::Null),
            None if column.generated.is_some() => {
                notes.push(format!(
                    "generated column {} is NULL in rows that were there when it was added",
                    column.name
                ));
                From::Value(Cell::Null)
            }
            None => From::Value(added_value(entry, column, stamp)?),
        });
    }
    Ok(out)
}

fn added_value(entry: &Entry, column: &Column, stamp: &Stamp) -> Result<Cell<'static>> {
    let refuse = |why: &str| {
        Error::new(
            &codes::TARGET_DDL,
            format!("column {} is added to {}, which has rows, and {why}", column.name, entry.name),
        )
        .workaround(
            "The source computed the values for its rows by itself and does not tell them: skip \
             the statement and copy the table again.",
        )
    };
    if column.auto_increment {
        return Err(refuse("each of them gets a number of its own"));
    }
    value_at(column, stamp).ok_or_else(|| match default_of(column) {
        Default::Now => refuse("the time or the time zone of the statement is not known"),
        _ => refuse("its default is an expression"),
    })
}

fn is_empty(conn: &Connection, ident: &str) -> Result<bool> {
    conn.query_row(&format!("SELECT NOT EXISTS (SELECT 1 FROM {})", quote(ident)), [], |r| r.get(0))
        .map_err(|e| failed("the SQLite target could not be asked", &e))
}

fn run(conn: &Connection, sql: &str) -> Result<()> {
    conn.execute_batch(sql).map_err(|e| failed(&format!("SQLite refused {sql}"), &e))
}

/// True when no stored value changes.
fn keeps_values(sources: &[From<'_>], after: &TableSchema) -> bool {
    sources.iter().zip(&after.columns).all(|(from, column)| match from {
        From::Old(old) => same_form(&old.ty, &column.ty) && (column.nullable || !old.nullable),
        From::Value(_) => false,
    })
}

/// The new columns, when all that happens is that columns with constant defaults come last.
fn added_at_end(
    before: &TableSchema,
    after: &TableSchema,
    sources: &[From<'_>],
) -> Option<std::ops::Range<usize>> {
    let kept = before.columns.len();
    let head = TableSchema { columns: after.columns.get(..kept)?.to_vec().into(), ..after.clone() };
    let same = keeps_values(sources.get(..kept)?, &head)
        && rowid_column(before) == rowid_column(after)
        && before.primary_key() == after.primary_key()
        && (0..kept).all(|i| column_clause(before, i) == column_clause(after, i));
    let constant = after.columns.get(kept..)?.iter().all(|column| {
        column.generated.is_some() || matches!(default_of(column), Default::Value(_))
    });
    // SQLite refuses NOT NULL without a default.
    let allowed = after.columns.get(kept..)?.iter().all(|column| {
        column.nullable
            || column.generated.is_some()
            || !matches!(default_of(column), Default::Value(Cell::Null))
    });
    (same && constant && allowed).then_some(kept..after.columns.len())
}

fn swap_indexes(conn: &Connection, old: &Layout, new: &Layout) -> Result<()> {
    for index in old.indexes.iter().filter(|i| !new.indexes.contains(i)) {
        run(conn, &format!("DROP INDEX {}", quote(&index.0)))?;
    }
    for index in new.indexes.iter().filter(|i| !old.indexes.contains(i)) {
        run(conn, &index.1)?;
    }
    Ok(())
}

fn rebuild(
    conn: &Connection,
    entry: &Entry,
    after: &TableSchema,
    sources: &[From<'_>],
    stamp: &Stamp,
    (old, new): (&Layout, &Layout),
) -> Result<()> {
    let others = other_objects(conn, &entry.ident, old)?;
    run(conn, &Layout::named(BUILDING, &entry.ident, after).create)?;
    match plain_copy(entry, after, sources) {
        Some(sql) => run(conn, &sql)?,
        None => copy_rows(conn, entry, after, sources, stamp)?,
    }
    run(conn, &format!("DROP TABLE {}", quote(&entry.ident)))?;
    run(conn, &format!("ALTER TABLE {} RENAME TO {}", quote(BUILDING), quote(&entry.ident)))?;
    for sql in new.indexes.iter().map(|(_, sql)| sql).chain(&others) {
        run(conn, sql)?;
    }
    Ok(())
}

/// Indexes and triggers on the table that we did not make.
fn other_objects(conn: &Connection, ident: &str, ours: &Layout) -> Result<Vec<String>> {
    let asked = |e: rusqlite::Error| failed("the SQLite target could not be asked", &e);
    let mut statement = conn
        .prepare(
            "SELECT name, sql FROM sqlite_schema
             WHERE tbl_name = ? COLLATE NOCASE AND type IN ('index', 'trigger') AND sql IS NOT NULL",
        )
        .map_err(asked)?;
    let rows = statement
        .query_map([ident], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))
        .map_err(asked)?;
    let mut out = Vec::new();
    for row in rows {
        let (name, sql) = row.map_err(asked)?;
        if !ours.indexes.iter().any(|(mine, _)| *mine == name) {
            out.push(sql);
        }
    }
    Ok(out)
}

/// One statement that copies all rows, when no value has to be converted.
fn plain_copy(entry: &Entry, after: &TableSchema, sources: &[From<'_>]) -> Option<String> {
    let mut columns = String::new();
    let mut values = String::new();
    for (from, column) in sources.iter().zip(&after.columns) {
        if !columns.is_empty() {
            columns.push_str(", ");
            values.push_str(", ");
        }
        push_quoted(&mut columns, &column.name);
        match from {
            From::Value(cell) => values.push_str(&cell.literal()),
            From::Old(old) if !same_form(&old.ty, &column.ty) => return None,
            From::Old(old) => {
                let name = quote(&old.name);
                match column.nullable || column.generated.is_some() || !old.nullable {
                    true => values.push_str(&name),
                    false => {
                        let default = implicit_default(column)?.literal();
                        values.push_str(&format!("ifnull({name}, {default})"));
                    }
                }
            }
        }
    }
    let (new, old) = (quote(BUILDING), quote(&entry.ident));
    Some(format!("INSERT INTO {new} ({columns}) SELECT {values} FROM {old}"))
}

/// Copies row by row with conversions.
fn copy_rows(
    conn: &Connection,
    entry: &Entry,
    after: &TableSchema,
    sources: &[From<'_>],
    stamp: &Stamp,
) -> Result<()> {
    let fail =
        |e: rusqlite::Error| failed(&format!("rows of {} could not be converted", entry.name), &e);
    let names: Vec<String> = entry.schema.columns.iter().map(|c| quote(&c.name)).collect();
    let select = format!("SELECT {} FROM {}", names.join(", "), quote(&entry.ident));
    let new: Vec<String> = after.columns.iter().map(|c| quote(&c.name)).collect();
    let insert = format!(
        "INSERT INTO {} ({}) VALUES ({})",
        quote(BUILDING),
        new.join(", "),
        vec!["?"; new.len()].join(", ")
    );
    let mut read = conn.prepare(&select).map_err(fail)?;
    let mut write = conn.prepare(&insert).map_err(fail)?;
    let mut rows = read.query([]).map_err(fail)?;
    while let Some(row) = rows.next().map_err(fail)? {
        let mut cells = Vec::with_capacity(new.len());
        for (from, column) in sources.iter().zip(&after.columns) {
            cells.push(match from {
                From::Value(cell) => cell.clone(),
                From::Old(old) => {
                    let at = entry.schema.column(&old.name).map_or(0, |(i, _)| i);
                    let cell = Cell::of_ref(row.get_ref(at).map_err(fail)?);
                    converted(entry, old, column, cell, stamp)?
                }
            });
        }
        write.execute(params_from_iter(cells)).map_err(fail)?;
    }
    Ok(())
}

fn converted(
    entry: &Entry,
    old: &Column,
    column: &Column,
    cell: Cell<'_>,
    stamp: &Stamp,
) -> Result<Cell<'static>> {
    if matches!(cell, Cell::Null) && !column.nullable && column.generated.is_none() {
        return Ok(implicit_default(column).unwrap_or(Cell::Null));
    }
    convert(cell, Some(&old.ty), &column.ty, stamp).ok_or_else(|| {
        Error::new(
            &codes::TARGET_DDL,
            format!(
                "column {} of {} holds a value whose conversion from {:?} to {:?} is the server's own",
                old.name, entry.name, old.ty.kind, column.ty.kind
            ),
        )
        .workaround("Skip the statement and copy the table again.")
    })
}
