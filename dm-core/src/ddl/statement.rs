//! What a statement is: its class, the names that it contains, and what it says.

use std::collections::HashSet;
use std::ops::Range;

use dm_filter::TableName;

use super::SqlMode;
use super::ast::{AlterTable, CreateIndex, CreateTable, DatabaseDef, DropIndex};
use super::server::ServerVersion;

/// What reading a statement depends on besides its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParseContext {
    /// The `sql_mode` that the statement ran under.
    pub sql_mode: SqlMode,
    /// The default schema of the session; empty when there was none.
    pub default_schema: String,
    /// The server that ran it; `None` takes everything that any of them takes, and enters every
    /// executable comment.
    pub server: Option<ServerVersion>,
}

impl ParseContext {
    /// A context with this default schema and nothing else.
    pub fn in_schema(schema: impl Into<String>) -> Self {
        Self { default_schema: schema.into(), ..Self::default() }
    }
}

/// What part a name plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum NameRole {
    /// The table that the statement creates, changes, drops or maintains; the old name in RENAME.
    Table,
    /// The new name in RENAME.
    NewName,
    /// A name that a table of a RENAME has in between, where it does not decide whether the statement is carried.
    /// Reading a statement never gives it.
    Passing,
    /// The pattern of CREATE TABLE ... LIKE.
    Like,
    /// The table that a foreign key references.
    Parent,
    /// A member of a MERGE table.
    Union,
    /// The other table of EXCHANGE PARTITION or CONVERT.
    Exchange,
    /// A schema of its own: CREATE, ALTER, DROP DATABASE, USE.
    Schema,
    /// The view that the statement creates, changes or drops.
    View,
    /// A table that a query reads.
    ViewSource,
    /// A trigger; it lives in the schema of its table.
    Trigger,
    /// The table of a trigger.
    TriggerTable,
    /// A procedure, function, package or library.
    Routine,
    /// An event.
    Event,
    /// A sequence.
    Sequence,
    /// A table or routine that privileges are given on.
    Granted,
    /// The schema that privileges are given on (`db.*`).
    GrantedSchema,
}

impl NameRole {
    /// True when the name is one of a base table.
    pub fn is_table(self) -> bool {
        matches!(
            self,
            Self::Table
                | Self::NewName
                | Self::Passing
                | Self::Like
                | Self::Parent
                | Self::Union
                | Self::Exchange
                | Self::ViewSource
                | Self::TriggerTable
        )
    }
}

/// A name of a table, schema or other object, where it stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRef {
    /// Where it stands, the schema included; empty where the name is left out
    /// (`ALTER DATABASE CHARACTER SET ...`) and would have to be put in.
    pub span: Range<usize>,
    /// What part it plays.
    pub role: NameRole,
    /// The name with the default schema filled in; `table` is empty for schemas.
    pub name: TableName,
    /// True when the schema was written.
    pub qualified: bool,
    /// Schema and table, where they stand apart in the text: one of them in an executable comment that
    /// begins or ends between them.
    pub(super) apart: Option<(Range<usize>, Range<usize>)>,
    /// True when the query may refer to the table's columns by this name, so that another name
    /// needs the old one as an alias.
    pub(super) alias: bool,
}

/// The classes of statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[allow(missing_docs)] // the variants are the SQL words
pub enum StatementKind {
    /// No statement at all: white space, comments.
    Empty,
    CreateTable,
    AlterTable,
    DropTable,
    RenameTable,
    TruncateTable,
    CreateIndex,
    DropIndex,
    CreateDatabase,
    AlterDatabase,
    DropDatabase,
    CreateView,
    AlterView,
    DropView,
    CreateTrigger,
    DropTrigger,
    CreateProcedure,
    AlterProcedure,
    DropProcedure,
    CreateFunction,
    AlterFunction,
    DropFunction,
    CreatePackage,
    DropPackage,
    CreateEvent,
    AlterEvent,
    DropEvent,
    CreateSequence,
    AlterSequence,
    DropSequence,
    /// CREATE, ALTER, RENAME, DROP USER.
    User,
    /// CREATE, DROP ROLE, SET ROLE, SET DEFAULT ROLE.
    Role,
    Grant,
    Revoke,
    SetPassword,
    /// CREATE, ALTER, DROP SERVER.
    Server,
    /// CREATE, ALTER, DROP TABLESPACE, UNDO TABLESPACE, LOGFILE GROUP.
    Tablespace,
    /// CREATE, ALTER, DROP, SET RESOURCE GROUP.
    ResourceGroup,
    /// CREATE, DROP SPATIAL REFERENCE SYSTEM.
    SpatialReferenceSystem,
    /// CREATE, ALTER, DROP LIBRARY (MySQL 9).
    Library,
    /// CREATE, ALTER, DROP of objects that only TiDB has: PLACEMENT POLICY, BINDING, STATISTICS.
    TiDbObject,
    AlterInstance,
    /// INSTALL and UNINSTALL PLUGIN, COMPONENT, SONAME.
    Plugin,
    Analyze,
    Optimize,
    Repair,
    Check,
    Checksum,
    Flush,
    Reset,
    Kill,
    CacheIndex,
    Begin,
    Commit,
    Rollback,
    Savepoint,
    ReleaseSavepoint,
    Xa,
    LockTables,
    UnlockTables,
    Set,
    Use,
    Insert,
    Replace,
    Update,
    Delete,
    LoadData,
    Select,
    Call,
    Do,
    Handler,
    Prepare,
    /// SHOW, EXPLAIN, DESCRIBE, HELP.
    Show,
    /// CHANGE REPLICATION, START, STOP REPLICA, PURGE, BINLOG, CLONE, SHUTDOWN, RESTART, IMPORT.
    Admin,
    /// FLASHBACK, RECOVER, SPLIT, BATCH, ADMIN of TiDB.
    TiDbAdmin,
}

/// What a statement says, as far as tracking structures needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// CREATE TABLE.
    CreateTable(Box<CreateTable>),
    /// ALTER TABLE.
    AlterTable(AlterTable),
    /// CREATE INDEX.
    CreateIndex(CreateIndex),
    /// DROP INDEX.
    DropIndex(DropIndex),
    /// DROP TABLE.
    DropTable {
        /// The tables.
        tables: Vec<TableName>,
        /// IF EXISTS.
        if_exists: bool,
        /// TEMPORARY.
        temporary: bool,
    },
    /// RENAME TABLE: pairs of old and new name, applied one after the other.
    RenameTable(Vec<(TableName, TableName)>),
    /// TRUNCATE TABLE.
    TruncateTable(TableName),
    /// CREATE DATABASE.
    CreateDatabase(DatabaseDef),
    /// ALTER DATABASE.
    AlterDatabase(DatabaseDef),
    /// DROP DATABASE.
    DropDatabase {
        /// The schema.
        name: String,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// Nothing that changes a table.
    Other,
}

/// A statement that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The text, exactly as given.
    pub sql: String,
    /// Its class.
    pub kind: StatementKind,
    /// What it says.
    pub body: Body,
    /// Every name that it contains, in the order of the text.
    pub names: Vec<NameRef>,
    /// Where IF \[NOT\] EXISTS may be put in, when it is not there yet.
    pub(super) condition_at: Option<usize>,
    /// What it was read with.
    pub context: ParseContext,
}

impl Statement {
    /// The names of the tables (or schemas) that the statement is about, first its subject; a
    /// name that occurs twice is listed once.
    pub fn tables(&self) -> Vec<&TableName> {
        let mut seen = HashSet::new();
        self.names.iter().map(|name| &name.name).filter(|name| seen.insert(*name)).collect()
    }

    /// The name that the statement acts on.
    pub fn subject(&self) -> Option<&NameRef> {
        self.names.first()
    }

    /// The text with other names.
    ///
    /// `rename` is asked for every name, in the order of the text; `None` leaves it as it is.
    /// Everything else stays byte for byte. See `super::splice`.
    pub fn splice(&self, rename: impl FnMut(&NameRef) -> Option<TableName>) -> String {
        super::splice::splice(self, rename)
    }

    /// True when the statement changes structures (and is not one of rows or transactions).
    pub fn is_ddl(&self) -> bool {
        self.kind.is_ddl()
    }
}
