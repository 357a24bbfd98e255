//! The structure of one table, as far as a migration needs it.

use serde::{Deserialize, Serialize};

use super::list::List;
pub use crate::ddl::{Generated, KeyKind, KeyPart, TypeKind};

/// A table's columns and keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TableSchema {
    /// Columns in table order, invisible ones included.
    pub columns: List<Column>,
    /// Keys in the order that the server shows them, the primary key first.
    pub keys: List<Key>,
    /// Foreign keys that this table declares.
    pub foreign_keys: Vec<ForeignKey>,
    /// Default character set (`utf8mb4`); empty when not known.
    pub charset: String,
    /// Default collation; empty when not known.
    pub collation: String,
    /// CHECK constraints.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// ENGINE as written; empty when not known.
    #[serde(default)]
    pub engine: String,
    /// COMMENT.
    #[serde(default)]
    pub comment: String,
    /// Other options as written: upper-case name and the text of the value.
    #[serde(default)]
    pub options: Vec<(String, String)>,
    /// Text from PARTITION BY on, as it was when the partitioning was last defined; later changes
    /// of single partitions are not followed.
    #[serde(default)]
    pub partitioning: Option<String>,
    /// WITH SYSTEM VERSIONING (MariaDB). Without period columns of its own such a table carries
    /// two hidden ones, `row_start` and `row_end`, behind all others.
    #[serde(default)]
    pub system_versioned: bool,
    /// Periods: name (`SYSTEM_TIME` for the one of system versioning), start and end column.
    #[serde(default)]
    pub periods: Vec<(String, String, String)>,
}

/// A CHECK constraint.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Check {
    /// Name; empty for one that belongs to a column (MariaDB).
    pub name: String,
    /// The condition as written, without the outer parentheses.
    pub expr: String,
    /// False for NOT ENFORCED.
    pub enforced: bool,
    /// The column that it belongs to (MariaDB).
    pub column: Option<String>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Column {
    /// Name as written.
    pub name: String,
    /// Type with its attributes.
    pub ty: ColumnType,
    /// False for NOT NULL, and for columns of the primary key.
    pub nullable: bool,
    /// Text of the DEFAULT clause as SQL (`'x'`, `5`, `CURRENT_TIMESTAMP(3)`, `(uuid())`, `NULL`).
    pub default: Option<String>,
    /// Text of the ON UPDATE clause.
    pub on_update: Option<String>,
    /// How the value is computed, for a generated column.
    pub generated: Option<Generated>,
    /// AUTO_INCREMENT.
    pub auto_increment: bool,
    /// INVISIBLE: not part of `SELECT *`, but part of a full row image.
    pub invisible: bool,
    /// COMMENT text.
    pub comment: String,
    /// Other attributes as written (`COLUMN_FORMAT FIXED`, `WITHOUT SYSTEM VERSIONING`).
    #[serde(default)]
    pub attributes: Vec<String>,
}

impl Column {
    /// A nullable column of this type.
    pub fn new(name: impl Into<String>, ty: ColumnType) -> Self {
        Self {
            name: name.into(),
            ty,
            nullable: true,
            default: Some("NULL".to_owned()),
            on_update: None,
            generated: None,
            auto_increment: false,
            invisible: false,
            comment: String::new(),
            attributes: Vec::new(),
        }
    }
}

/// A column's type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ColumnType {
    /// The type itself.
    pub kind: TypeKind,
    /// Length or precision in parentheses: characters, bytes, digits, bits; fractional digits of
    /// temporal types are in `decimals`.
    pub length: Option<u32>,
    /// Digits after the point; fractional digits of TIME, DATETIME and TIMESTAMP.
    pub decimals: Option<u32>,
    /// UNSIGNED.
    pub unsigned: bool,
    /// ZEROFILL (implies UNSIGNED).
    pub zerofill: bool,
    /// Character set of text, ENUM and SET columns; empty means not known or not text.
    pub charset: String,
    /// Collation; empty means not known or not text.
    pub collation: String,
    /// Members of ENUM and SET.
    pub labels: Vec<String>,
    /// SRID attribute of a geometry.
    pub srid: Option<u32>,
    /// MariaDB's COMPRESSED attribute.
    pub compressed: bool,
}

impl ColumnType {
    /// A type without attributes.
    pub fn new(kind: TypeKind) -> Self {
        Self {
            kind,
            length: None,
            decimals: None,
            unsigned: false,
            zerofill: false,
            charset: String::new(),
            collation: String::new(),
            labels: Vec::new(),
            srid: None,
            compressed: false,
        }
    }
}

/// A key (index).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Name; `PRIMARY` for the primary key.
    pub name: String,
    /// What the key enforces or serves.
    pub kind: KeyKind,
    /// What is indexed, in order.
    pub parts: Vec<KeyPart>,
    /// INVISIBLE (MySQL) or IGNORED (MariaDB).
    pub invisible: bool,
    /// COMMENT.
    #[serde(default)]
    pub comment: String,
    /// Other options as written (`USING HASH`, `WITH PARSER ngram`).
    #[serde(default)]
    pub options: Vec<String>,
    /// Made by the server for a foreign key: goes away when a key is added that serves as well.
    #[serde(default)]
    pub generated: bool,
}

impl Key {
    /// A visible key without options.
    pub fn new(name: impl Into<String>, kind: KeyKind, parts: Vec<KeyPart>) -> Self {
        Self {
            name: name.into(),
            kind,
            parts,
            invisible: false,
            comment: String::new(),
            options: Vec::new(),
            generated: false,
        }
    }

    /// A visible key over whole columns, in ascending order.
    pub fn over<C: Into<String>>(
        name: impl Into<String>,
        kind: KeyKind,
        columns: impl IntoIterator<Item = C>,
    ) -> Self {
        let part = |c: C| KeyPart::Column { name: c.into(), prefix: None, descending: false };
        Self::new(name, kind, columns.into_iter().map(part).collect())
    }

    /// True when a column is among the parts.
    pub fn has_column(&self, name: &str) -> bool {
        self.parts.iter().any(|p| p.column().is_some_and(|c| same_name(c, name)))
    }
}

/// True when two names of columns, keys or constraints are the same to a server.
pub fn same_name(a: &str, b: &str) -> bool {
    // Names without other letters, nearly all there are, cost no copies.
    a.eq_ignore_ascii_case(b)
        || (!(a.is_ascii() && b.is_ascii()) && a.to_lowercase() == b.to_lowercase())
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ForeignKey {
    /// Constraint name; empty when not given.
    pub name: String,
    /// Columns of this table.
    pub columns: Vec<String>,
    /// Schema of the referenced table; empty for the same schema.
    pub parent_schema: String,
    /// Referenced table.
    pub parent_table: String,
    /// Referenced columns.
    pub parent_columns: Vec<String>,
    /// ON DELETE action in upper case (`CASCADE`, `SET NULL`, ...); empty when not given.
    pub on_delete: String,
    /// ON UPDATE action in upper case; empty when not given.
    pub on_update: String,
}

impl TableSchema {
    /// The column of a name, without regard to case, and its index.
    pub fn column(&self, name: &str) -> Option<(usize, &Column)> {
        self.columns.iter().enumerate().find(|(_, c)| same_name(&c.name, name))
    }

    /// The primary key.
    pub fn primary_key(&self) -> Option<&Key> {
        self.keys.iter().find(|k| k.kind == KeyKind::Primary)
    }

    /// Primary and unique keys.
    pub fn unique_keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(|k| matches!(k.kind, KeyKind::Primary | KeyKind::Unique))
    }
}
