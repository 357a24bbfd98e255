//! What stands between the parentheses of CREATE TABLE and behind ADD: columns, keys, constraints, periods.
use super::types::TypeSpec;
use dm_filter::TableName;
use serde::{Deserialize, Serialize};
/// How a generated column gets its value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Generated {
    /// The expression as written.
    pub expr: String,
    /// STORED (or PERSISTENT); otherwise VIRTUAL.
    pub stored: bool,
}

impl Generated {
    /// True for an end of MariaDB's period of system versioning, which is never NULL.
    pub fn is_of_period(&self) -> bool {
        self.expr.starts_with("ROW ")
    }
}

/// The kinds of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyKind {
    /// PRIMARY KEY.
    Primary,
    /// UNIQUE KEY.
    Unique,
    /// KEY, not unique.
    Plain,
    /// FULLTEXT KEY.
    FullText,
    /// SPATIAL KEY.
    Spatial,
    /// VECTOR KEY (MariaDB).
    Vector,
    /// COLUMNAR KEY (TiDB).
    Columnar,
}

/// One part of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyPart {
    /// A column, or the first `prefix` characters (bytes for binary types) of it.
    Column {
        /// Column name.
        name: String,
        /// Prefix length.
        prefix: Option<u32>,
        /// DESC.
        descending: bool,
    },
    /// An expression (functional or multi-valued key).
    Expression {
        /// The expression as written, without the outer parentheses.
        expr: String,
        /// DESC.
        descending: bool,
    },
}

impl KeyPart {
    /// The column, if the part is one.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::Column { name, .. } => Some(name),
            Self::Expression { .. } => None,
        }
    }
}

/// A column as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnDef {
    /// Name.
    pub name: String,
    /// Type.
    pub ty: TypeSpec,
    /// NULL or NOT NULL, when said.
    pub nullable: Option<bool>,
    /// Text of the DEFAULT clause.
    pub default: Option<String>,
    /// Text of the ON UPDATE clause.
    pub on_update: Option<String>,
    /// AS (...), or MariaDB's `ROW START` and `ROW END`.
    pub generated: Option<Generated>,
    /// AUTO_INCREMENT.
    pub auto_increment: bool,
    /// \[PRIMARY\] KEY.
    pub primary: bool,
    /// UNIQUE \[KEY\].
    pub unique: bool,
    /// INVISIBLE.
    pub invisible: bool,
    /// COMMENT.
    pub comment: String,
    /// REFERENCES behind the column.
    pub references: Option<ForeignKeyDef>,
    /// CHECK clauses behind the column.
    pub checks: Vec<CheckDef>,
    /// Other attributes, as written (`COLUMN_FORMAT FIXED`, `AUTO_RANDOM(5)`).
    pub attributes: Vec<String>,
}

/// A key as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDef {
    /// Name, when given; a constraint's name stands in for it.
    pub name: Option<String>,
    /// Kind.
    pub kind: KeyKind,
    /// What is indexed.
    pub parts: Vec<KeyPart>,
    /// INVISIBLE or IGNORED.
    pub invisible: bool,
    /// COMMENT.
    pub comment: String,
    /// Other options, as written (`USING HASH`, `WITH PARSER ngram`).
    pub options: Vec<String>,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
}

/// A foreign key as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKeyDef {
    /// CONSTRAINT name.
    pub name: Option<String>,
    /// Name of the index that may be made for it.
    pub index_name: Option<String>,
    /// Columns of this table; empty for REFERENCES behind a column.
    pub columns: Vec<String>,
    /// Referenced table; the schema is empty when not written.
    pub parent: TableName,
    /// Referenced columns.
    pub parent_columns: Vec<String>,
    /// ON DELETE action in upper case.
    pub on_delete: String,
    /// ON UPDATE action in upper case.
    pub on_update: String,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
}

/// A CHECK constraint as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckDef {
    /// CONSTRAINT name.
    pub name: Option<String>,
    /// The condition, without the outer parentheses.
    pub expr: String,
    /// False for NOT ENFORCED.
    pub enforced: bool,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
}

/// What may stand between the parentheses of CREATE TABLE.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)]
pub enum TableElement {
    /// A column.
    Column(ColumnDef),
    /// A key.
    Key(KeyDef),
    /// A foreign key.
    ForeignKey(ForeignKeyDef),
    /// A CHECK.
    Check(CheckDef),
    /// PERIOD FOR name (start, end).
    Period {
        /// `SYSTEM_TIME` or the name of an application period.
        name: String,
        /// Column of the start.
        start: String,
        /// Column of the end.
        end: String,
    },
}
