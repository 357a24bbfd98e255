//! What structural statements say, clause by clause, before any default is filled in.
//!
//! Expressions (defaults, generated columns, checks, functional keys) and partitions stay text:
//! a migration hands them on and never computes them.

use std::ops::Range;

use dm_filter::TableName;
use serde::{Deserialize, Serialize};

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

impl TypeKind {
    /// Types whose values are characters: CHAR, VARCHAR, the TEXT types, ENUM and SET.
    pub fn is_text(self) -> bool {
        matches!(
            self,
            Self::Char
                | Self::VarChar
                | Self::TinyText
                | Self::Text
                | Self::MediumText
                | Self::LongText
                | Self::Enum
                | Self::Set
        )
    }

    /// The TEXT and BLOB types.
    pub fn is_text_or_blob(self) -> bool {
        matches!(
            self,
            Self::TinyText
                | Self::Text
                | Self::MediumText
                | Self::LongText
                | Self::TinyBlob
                | Self::Blob
                | Self::MediumBlob
                | Self::LongBlob
        )
    }

    /// GEOMETRY and the types of single shapes.
    pub fn is_geometry(self) -> bool {
        matches!(
            self,
            Self::Geometry
                | Self::Point
                | Self::LineString
                | Self::Polygon
                | Self::MultiPoint
                | Self::MultiLineString
                | Self::MultiPolygon
                | Self::GeometryCollection
        )
    }
}

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

/// A type as written: what is left out is filled in from table, schema and server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeSpec {
    /// The type itself.
    pub kind: TypeKind,
    /// Length or precision in parentheses.
    pub length: Option<u64>,
    /// Digits after the point, or fractional digits of temporal types.
    pub decimals: Option<u32>,
    /// UNSIGNED.
    pub unsigned: bool,
    /// ZEROFILL.
    pub zerofill: bool,
    /// CHARACTER SET, in lower case.
    pub charset: Option<String>,
    /// COLLATE, in lower case.
    pub collation: Option<String>,
    /// The BINARY attribute of text: the binary collation of the character set.
    pub binary: bool,
    /// Members of ENUM and SET.
    pub labels: Vec<String>,
    /// SRID.
    pub srid: Option<u32>,
    /// MariaDB's COMPRESSED.
    pub compressed: bool,
    /// SERIAL: NOT NULL AUTO_INCREMENT UNIQUE besides.
    pub serial: bool,
}

impl TypeSpec {
    /// A type without attributes.
    pub fn new(kind: TypeKind) -> Self {
        Self {
            kind,
            length: None,
            decimals: None,
            unsigned: false,
            zerofill: false,
            charset: None,
            collation: None,
            binary: false,
            labels: Vec::new(),
            srid: None,
            compressed: false,
            serial: false,
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

/// Where a new or moved column goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Position {
    /// Not said: a new one goes to the end, a changed one stays.
    #[default]
    Unsaid,
    /// FIRST.
    First,
    /// AFTER a column.
    After(String),
}

/// The kinds of clauses that change partitions only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the variants are the SQL words
pub enum PartitionOp {
    Add,
    Drop,
    Truncate,
    Coalesce,
    Reorganize,
    Exchange,
    Analyze,
    Check,
    Optimize,
    Rebuild,
    Repair,
    Remove,
    Discard,
    Import,
    Define,
    ConvertToTable,
    ConvertFromTable,
    /// Clauses of TiDB: ATTRIBUTES, PLACEMENT, SPLIT, MERGE, FIRST, LAST.
    Other,
}

/// What names a dropped constraint or key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropKind {
    /// DROP INDEX or DROP KEY.
    Key,
    /// DROP FOREIGN KEY.
    ForeignKey,
    /// DROP CHECK.
    Check,
    /// DROP CONSTRAINT: whatever has the name.
    Constraint,
}

/// One clause of ALTER TABLE.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // few live at a time, and patterns stay plain
#[non_exhaustive]
pub enum AlterSpec {
    /// ADD \[COLUMN\] c ... [FIRST | AFTER d], or ADD \[COLUMN\] (c ..., d ..., keys).
    AddColumns {
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// The columns; with parentheses keys and constraints may stand among them.
        elements: Vec<TableElement>,
        /// Where the column goes.
        position: Position,
    },
    /// MODIFY, or CHANGE when `old` differs from the new name.
    ChangeColumn {
        /// IF EXISTS.
        if_exists: bool,
        /// CHANGE: the name may change.
        rename: bool,
        /// The name so far.
        old: String,
        /// The new definition.
        column: Box<ColumnDef>,
        /// Where it goes.
        position: Position,
    },
    /// DROP \[COLUMN\].
    DropColumn {
        /// IF EXISTS.
        if_exists: bool,
        /// The column.
        name: String,
    },
    /// RENAME COLUMN.
    RenameColumn {
        /// IF EXISTS.
        if_exists: bool,
        /// Name so far.
        old: String,
        /// New name.
        new: String,
    },
    /// ALTER \[COLUMN\] c SET DEFAULT or DROP DEFAULT (`None`).
    ColumnDefault {
        /// IF EXISTS.
        if_exists: bool,
        /// The column.
        name: String,
        /// The text of the new default.
        default: Option<String>,
    },
    /// ALTER \[COLUMN\] c SET VISIBLE or INVISIBLE.
    ColumnVisibility {
        /// The column.
        name: String,
        /// INVISIBLE.
        invisible: bool,
    },
    /// ADD a key, foreign key, check or period.
    Add(TableElement),
    /// DROP PRIMARY KEY.
    DropPrimaryKey,
    /// DROP of a key or constraint by name.
    Drop {
        /// What kind of thing the statement says it is.
        kind: DropKind,
        /// IF EXISTS.
        if_exists: bool,
        /// Its name.
        name: String,
    },
    /// RENAME INDEX or KEY.
    RenameKey {
        /// IF EXISTS.
        if_exists: bool,
        /// Name so far.
        old: String,
        /// New name.
        new: String,
    },
    /// ALTER INDEX k VISIBLE, INVISIBLE, IGNORED, NOT IGNORED.
    KeyVisibility {
        /// The key.
        name: String,
        /// INVISIBLE or IGNORED.
        invisible: bool,
    },
    /// ALTER CHECK or CONSTRAINT c \[NOT\] ENFORCED.
    Enforce {
        /// The constraint.
        name: String,
        /// ENFORCED.
        enforced: bool,
    },
    /// RENAME [TO | AS | =] table.
    RenameTable(TableName),
    /// CONVERT TO CHARACTER SET; `None` stands for DEFAULT.
    Convert {
        /// The character set, in lower case.
        charset: Option<String>,
        /// The collation, in lower case.
        collation: Option<String>,
    },
    /// A table option.
    Option(TableOption),
    /// A clause about partitions.
    Partition(PartitionOp),
    /// ADD SYSTEM VERSIONING.
    AddSystemVersioning,
    /// DROP SYSTEM VERSIONING.
    DropSystemVersioning,
    /// DROP PERIOD FOR a name.
    DropPeriod(String),
    /// ALGORITHM, LOCK, FORCE, ORDER BY, ENABLE KEYS and the like: the structure stays.
    Physical(String),
}

/// A clause and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterClause {
    /// What it says.
    pub spec: AlterSpec,
    /// Where it stands in the text, without the comma.
    pub span: Range<usize>,
}

/// ALTER TABLE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlterTable {
    /// The table.
    pub name: TableName,
    /// IF EXISTS (MariaDB).
    pub if_exists: bool,
    /// Clauses in the order written.
    pub clauses: Vec<AlterClause>,
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
