//! What is worked out once per table version: columns, keys and the texts of statements.

use dm_filter::{Columns, TableName};

use crate::error::{Error, Result, codes};
use crate::schema::{KeyKind, TableSchema};

use super::catalog::Entry;
use super::cell::{Misfit, Place};
use super::layout::plain_columns;
use super::name::{push_quoted, quote};
use super::types::Storage;

/// A target table as rows of one shape see it. Columns are named by their index in the row.
#[derive(Debug)]
pub struct Compiled {
    /// MySQL's name of the target table.
    pub name: TableName,
    /// The SQLite table, quoted.
    table: String,
    /// Where each cell of a row goes.
    pub places: Vec<Place>,
    /// Keys that SQLite enforces and whose columns are all carried; the primary key first.
    pub uniques: Vec<Vec<usize>>,
    /// The columns that tell a row when no key does: all but generated ones, which follow from
    /// the others and may be absent after a copy from files.
    pub telling: Vec<usize>,
    /// The name of SQLite's row number; `None` when columns took all its names.
    rowid: Option<&'static str>,
    /// Generated columns that the rows do not carry.
    pub absent_generated: Vec<String>,
    /// True when several source tables feed this one.
    pub merged: bool,
    /// INSERT with all columns.
    pub insert_all: String,
}

impl Compiled {
    /// Compiles a table for rows with these columns.
    ///
    /// # Errors
    ///
    /// When the table lacks one of the columns.
    pub fn new(entry: &Entry, columns: &[&str], merged: bool) -> Result<Self> {
        let schema = entry.schema.as_ref();
        let places = columns.iter().map(|name| place(entry, name)).collect::<Result<Vec<_>>>()?;
        let index_of = |wanted: &str| {
            columns.iter().position(|c| schema.column(c).is_some_and(|(_, c)| c.name == wanted))
        };
        let telling = (0..columns.len())
            .filter(|&i| {
                let column = columns.get(i).and_then(|c| schema.column(c));
                column.is_some_and(|(_, c)| c.generated.is_none())
            })
            .collect();
        let absent_generated = schema
            .columns
            .iter()
            .filter(|c| c.generated.is_some() && index_of(&c.name).is_none())
            .map(|c| c.name.clone())
            .collect();
        let mut out = Self {
            name: entry.name.clone(),
            table: quote(&entry.ident),
            uniques: uniques(schema, &index_of),
            places,
            telling,
            rowid: rowid_name(schema),
            absent_generated,
            merged,
            insert_all: String::new(),
        };
        out.insert_all = out.insert(&(0..columns.len()).collect::<Vec<_>>());
        Ok(out)
    }

    /// The same for the columns of a plan.
    ///
    /// # Errors
    ///
    /// As [`Compiled::new`].
    pub fn of_columns(entry: &Entry, columns: &Columns, merged: bool) -> Result<Self> {
        let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
        Self::new(entry, &names, merged)
    }

    /// INSERT of these columns.
    pub fn insert(&self, columns: &[usize]) -> String {
        let mut out = format!("INSERT INTO {}", self.table);
        if columns.is_empty() {
            out.push_str(" DEFAULT VALUES");
            return out;
        }
        out.push_str(" (");
        self.list(&mut out, columns, ", ", push_quoted);
        out.push_str(") VALUES (");
        self.list(&mut out, columns, ", ", |out, _| out.push('?'));
        out.push(')');
        out
    }

    /// INSERT of these columns that leaves a row alone which has one of its keys.
    pub fn insert_or_nothing(&self, columns: &[usize]) -> String {
        self.insert(columns) + " ON CONFLICT DO NOTHING"
    }

    /// INSERT of these columns that becomes an update of the row with the same key.
    pub fn upsert(&self, columns: &[usize], key: &[usize]) -> String {
        let mut out = self.insert(columns) + " ON CONFLICT (";
        self.list(&mut out, key, ", ", push_quoted);
        let rest: Vec<usize> = columns.iter().copied().filter(|c| !key.contains(c)).collect();
        if rest.is_empty() {
            out.push_str(") DO NOTHING");
            return out;
        }
        out.push_str(") DO UPDATE SET ");
        self.list(&mut out, &rest, ", ", |out, name| {
            push_quoted(out, name);
            out.push_str(" = excluded.");
            push_quoted(out, name);
        });
        out
    }

    /// UPDATE of these columns; parameters: their values, then those that `select` takes.
    pub fn update(&self, columns: &[usize], select: &Select) -> Result<String> {
        let mut out = format!("UPDATE {} SET ", self.table);
        self.list(&mut out, columns, ", ", |out, name| {
            push_quoted(out, name);
            out.push_str(" = ?");
        });
        self.condition(&mut out, select)?;
        Ok(out)
    }

    /// DELETE; parameters: those that `select` takes.
    pub fn delete(&self, select: &Select) -> Result<String> {
        let mut out = format!("DELETE FROM {}", self.table);
        self.condition(&mut out, select)?;
        Ok(out)
    }

    /// DELETE of the row that has `key`, unless it is the one that has `own`.
    pub fn evict(&self, key: &[usize], own: &[usize]) -> String {
        let mut out = format!("DELETE FROM {} WHERE ", self.table);
        self.equal(&mut out, key);
        if !own.is_empty() {
            out.push_str(" AND NOT (");
            self.equal(&mut out, own);
            out.push(')');
        }
        out
    }

    fn condition(&self, out: &mut String, select: &Select) -> Result<()> {
        match select {
            Select::Key(key) => {
                out.push_str(" WHERE ");
                self.equal(out, key);
            }
            Select::Like(columns) => {
                let rowid = self.rowid.ok_or_else(|| {
                    Error::new(
                        &codes::TARGET_DDL,
                        format!(
                            "{} has no key, and columns named rowid, oid and _rowid_ hide SQLite's \
                             row number: its rows cannot be told apart",
                            self.name
                        ),
                    )
                })?;
                out.push_str(" WHERE ");
                out.push_str(rowid);
                out.push_str(" = (SELECT ");
                out.push_str(rowid);
                out.push_str(" FROM ");
                out.push_str(&self.table);
                out.push_str(" WHERE ");
                self.list(out, columns, " AND ", |out, name| {
                    push_quoted(out, name);
                    out.push_str(" IS ?");
                });
                out.push_str(" LIMIT 1)");
            }
        }
        Ok(())
    }

    fn equal(&self, out: &mut String, key: &[usize]) {
        self.list(out, key, " AND ", |out, name| {
            push_quoted(out, name);
            out.push_str(" = ?");
        });
    }

    fn list(
        &self,
        out: &mut String,
        columns: &[usize],
        between: &str,
        push: impl Fn(&mut String, &str),
    ) {
        for (i, place) in columns.iter().filter_map(|&c| self.places.get(c)).enumerate() {
            if i > 0 {
                out.push_str(between);
            }
            push(out, &place.name);
        }
    }

    /// The error for a value that does not fit.
    pub fn misfit(&self, column: usize, why: Misfit) -> Error {
        let name = self.places.get(column).map_or("?", |p| p.name.as_str());
        Error::new(&codes::TARGET_VALUE, format!("column {name} of {}: {}", self.name, why.why()))
    }
}

/// How an existing row is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Select {
    /// By a unique key whose values are not NULL.
    Key(Vec<usize>),
    /// Any one row that is equal in these columns.
    Like(Vec<usize>),
}

fn place(entry: &Entry, name: &str) -> Result<Place> {
    let (_, column) = entry.schema.column(name).ok_or_else(|| {
        Error::new(&codes::TARGET_ROW, format!("{} has no column {name} at the target", entry.name))
            .server_number(1054)
    })?;
    Ok(Place {
        name: column.name.clone(),
        storage: Storage::of(&column.ty),
        labels: column.ty.labels.clone(),
    })
}

fn uniques(schema: &TableSchema, index_of: &dyn Fn(&str) -> Option<usize>) -> Vec<Vec<usize>> {
    let mut keys: Vec<(bool, bool, Vec<usize>)> = schema
        .unique_keys()
        .filter_map(|key| {
            let names = plain_columns(key, schema)?;
            let nullable = names.iter().any(|n| schema.column(n).is_none_or(|(_, c)| c.nullable));
            let columns = names.iter().map(|n| index_of(n)).collect::<Option<Vec<_>>>()?;
            Some((key.kind != KeyKind::Primary, nullable, columns))
        })
        .collect();
    keys.sort_by_key(|(secondary, nullable, _)| (*secondary, *nullable));
    keys.into_iter().map(|(_, _, columns)| columns).collect()
}

fn rowid_name(schema: &TableSchema) -> Option<&'static str> {
    ["_rowid_", "rowid", "oid"]
        .into_iter()
        .find(|name| !schema.columns.iter().any(|c| c.name.eq_ignore_ascii_case(name)))
}
