//! The structure of one table, as far as a migration needs it.

use serde::{Deserialize, Serialize};

/// A table's columns and keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSchema {
    /// Columns in table order, invisible ones included.
    pub columns: Vec<Column>,
    /// Keys in the order that the server shows them, the primary key first.
    pub keys: Vec<Key>,
    /// Foreign keys that this table declares.
    pub foreign_keys: Vec<ForeignKey>,
    /// Default character set (`utf8mb4`); empty when not known.
    pub charset: String,
    /// Default collation; empty when not known.
    pub collation: String,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// How a generated column gets its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// The expression as written.
    pub expr: String,
    /// STORED (or PERSISTENT); otherwise VIRTUAL.
    pub stored: bool,
}

/// A column's type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// The types of MySQL, MariaDB and TiDB; aliases (BOOL, INTEGER, NUMERIC) are resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
#[allow(missing_docs)] // the variants are the SQL names
pub enum TypeKind {
    TinyInt,
    SmallInt,
    MediumInt,
    Int,
    BigInt,
    Decimal,
    Float,
    Double,
    Bit,
    Year,
    Date,
    Time,
    DateTime,
    Timestamp,
    Char,
    VarChar,
    TinyText,
    Text,
    MediumText,
    LongText,
    Binary,
    VarBinary,
    TinyBlob,
    Blob,
    MediumBlob,
    LongBlob,
    Enum,
    Set,
    Json,
    Geometry,
    Point,
    LineString,
    Polygon,
    MultiPoint,
    MultiLineString,
    MultiPolygon,
    GeometryCollection,
    Vector,
    Inet4,
    Inet6,
    Uuid,
    Xml,
}

/// A key (index).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Name; `PRIMARY` for the primary key.
    pub name: String,
    /// What the key enforces or serves.
    pub kind: KeyKind,
    /// What is indexed, in order.
    pub parts: Vec<KeyPart>,
    /// INVISIBLE (MySQL) or IGNORED (MariaDB).
    pub invisible: bool,
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
}

/// One part of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
        let lower = name.to_lowercase();
        self.columns.iter().enumerate().find(|(_, c)| c.name.to_lowercase() == lower)
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
