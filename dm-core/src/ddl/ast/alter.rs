//! ALTER TABLE, clause by clause.
use super::element::{ColumnDef, TableElement};
use super::table::TableOption;
use dm_filter::TableName;
use std::ops::Range;
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
