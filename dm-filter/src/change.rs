//! What a filter judges: names, values, rows and changes, as they stood at the source.
//!
//! These types know nothing of positions, connections or SQL. Values and rows borrow from the
//! buffer they were decoded from, so that judging a row costs no allocation per cell.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::value::Value;

/// The name of a table as it is written at the source: schema (database) and table.
///
/// The spelling is kept exactly; how names compare (case) is decided by whoever matches them.
/// A statement about a whole schema carries an empty `table`.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct TableName {
    /// Schema (database) name.
    pub schema: String,
    /// Table name; empty when a whole schema is meant.
    pub table: String,
}

impl TableName {
    /// A table of a schema.
    pub fn new(schema: impl Into<String>, table: impl Into<String>) -> Self {
        Self { schema: schema.into(), table: table.into() }
    }

    /// A schema as a whole, as in `CREATE DATABASE`.
    pub fn schema_only(schema: impl Into<String>) -> Self {
        Self { schema: schema.into(), table: String::new() }
    }
}

impl fmt::Display for TableName {
    /// Back-quoted, the form that DM prints: `` `schema`.`table` ``, or `` `schema` `` alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.schema.replace('`', "``"))?;
        if !self.table.is_empty() {
            write!(f, ".`{}`", self.table.replace('`', "``"))?;
        }
        Ok(())
    }
}

/// What a filter may need to know of a column: its name and how its values compare.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ColumnInfo {
    /// Column name as written at the source.
    pub name: String,
    /// Collation of a text column (`utf8mb4_general_ci`, ...); empty for other columns.
    pub collation: String,
    /// Members of an ENUM or SET column, in order; empty for other columns.
    pub labels: Arc<[String]>,
    /// True for unsigned integer, decimal and floating-point columns.
    pub unsigned: bool,
}

impl ColumnInfo {
    /// A column of which only the name matters.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// The header that all rows of one table version share. A copy is cheap, and so is comparing a
/// header with its copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Columns(Arc<[ColumnInfo]>);

impl Columns {
    /// A header made of these columns, in table order.
    pub fn new(columns: Vec<ColumnInfo>) -> Self {
        Self(columns.into())
    }

    /// A header of which only the names matter.
    pub fn named<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self(names.into_iter().map(ColumnInfo::named).collect())
    }

    /// Number of columns.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there is no column at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The columns in table order.
    pub fn iter(&self) -> std::slice::Iter<'_, ColumnInfo> {
        self.0.iter()
    }

    /// The column at an index, if there is one.
    pub fn get(&self, index: usize) -> Option<&ColumnInfo> {
        self.0.get(index)
    }

    /// The index of a column; MySQL compares column names without regard to case.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        let is_same = |s: &str| {
            s.eq_ignore_ascii_case(name)
                || (!s.is_ascii()
                    && s.chars()
                        .flat_map(char::to_lowercase)
                        .eq(name.chars().flat_map(char::to_lowercase)))
        };
        self.0.iter().position(|c| is_same(&c.name))
    }
}

/// One image of a row: its values in column order.
///
/// With a partial row image (`binlog_row_image` MINIMAL or NOBLOB) a column may be absent, which
/// is something else than NULL.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row<'a> {
    cells: Vec<Option<Value<'a>>>,
}

impl<'a> Row<'a> {
    /// A row in which every column is present.
    pub fn full(values: impl IntoIterator<Item = Value<'a>>) -> Self {
        Self { cells: values.into_iter().map(Some).collect() }
    }

    /// A row in which some columns are absent (`None`).
    pub fn partial(cells: Vec<Option<Value<'a>>>) -> Self {
        Self { cells }
    }

    /// Number of columns, present or not.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// True for a row without columns.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The value of a column; `None` when the image does not carry it.
    pub fn get(&self, index: usize) -> Option<&Value<'a>> {
        self.cells.get(index).and_then(Option::as_ref)
    }

    /// True when every column is carried.
    pub fn is_full(&self) -> bool {
        self.cells.iter().all(Option::is_some)
    }

    /// The cells in column order; an absent column is `None`.
    pub fn cells(&self) -> &[Option<Value<'a>>] {
        &self.cells
    }

    /// Appends the value of one more column.
    pub fn push(&mut self, value: Value<'a>) {
        self.cells.push(Some(value));
    }

    /// The same row, owning its data.
    pub fn into_owned(self) -> Row<'static> {
        Row { cells: self.cells.into_iter().map(|c| c.map(Value::into_owned)).collect() }
    }
}

/// What happened to one row.
#[derive(Clone, Debug, PartialEq)]
pub enum RowOp<'a> {
    /// A row came into being.
    Insert {
        /// The new row.
        after: Row<'a>,
    },
    /// A row was changed.
    Update {
        /// The row before the change.
        before: Row<'a>,
        /// The row after the change.
        after: Row<'a>,
    },
    /// A row was removed.
    Delete {
        /// The removed row.
        before: Row<'a>,
    },
}

impl RowOp<'_> {
    /// Which kind of change this is.
    pub fn kind(&self) -> RowKind {
        match self {
            Self::Insert { .. } => RowKind::Insert,
            Self::Update { .. } => RowKind::Update,
            Self::Delete { .. } => RowKind::Delete,
        }
    }

    /// The same change, owning its data.
    pub fn into_owned(self) -> RowOp<'static> {
        match self {
            Self::Insert { after } => RowOp::Insert { after: after.into_owned() },
            Self::Update { before, after } => {
                RowOp::Update { before: before.into_owned(), after: after.into_owned() }
            }
            Self::Delete { before } => RowOp::Delete { before: before.into_owned() },
        }
    }
}

/// The three kinds of row changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowKind {
    /// INSERT.
    Insert,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
}

/// A change of one row of one table.
#[derive(Clone, Debug, PartialEq)]
pub struct RowChange<'a> {
    /// The table, as named at the source.
    pub table: &'a TableName,
    /// The columns that the row's values belong to.
    pub columns: &'a Columns,
    /// What happened.
    pub op: RowOp<'a>,
}

/// A statement that changes structures, as far as a filter judges it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DdlChange<'a> {
    /// The tables (or schemas) that the statement names, source names, the one it acts on first.
    pub tables: &'a [TableName],
    /// What kind of statement it is; `None` when it could not be told.
    pub event: Option<crate::binlog_event::EventType>,
    /// The full original text.
    pub sql: Cow<'a, str>,
}

/// A change: of a row, or of structures.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change<'a> {
    /// One row.
    Row(RowChange<'a>),
    /// One statement.
    Ddl(DdlChange<'a>),
}

impl<'a> Change<'a> {
    /// A change of a row.
    pub fn row(table: &'a TableName, columns: &'a Columns, op: RowOp<'a>) -> Self {
        Self::Row(RowChange { table, columns, op })
    }

    /// A statement.
    pub fn ddl(
        tables: &'a [TableName],
        event: Option<crate::binlog_event::EventType>,
        sql: impl Into<Cow<'a, str>>,
    ) -> Self {
        Self::Ddl(DdlChange { tables, event, sql: sql.into() })
    }
}
