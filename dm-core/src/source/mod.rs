//! The source side: the `Source` trait and its implementations.
//!
//! Who drives: the pipeline asks for a [`Snapshot`] first (full copy), reads its chunks by N
//! [`ChunkReader`]s in as many threads, then opens a stream from the snapshot's position. A
//! stream is polled by one thread. After an error a stream is spent: the pipeline opens the next
//! one from the last safe point. Several streams of one source may be open at a time.

pub(crate) mod binlog_file;
mod history;
pub mod mysql;
pub(crate) mod queue;
pub mod recorded;
mod translate;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use dm_filter::{Columns, RowOp, TableName};

use crate::binlog::{QueryEvent, RowsEvent};
use crate::error::{Error, Result, codes};
use crate::event::{CopyBlock, SourceId};
use crate::position::{BinlogPos, Flavor, Gtid, Position};
pub use crate::schema::{Chunk, SchemaCopy as SchemaInfo, TableCopy, TableInfo};

pub use history::LastGroup;
pub use translate::{RowChoice, Translator};

/// What is known of a source's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// The source.
    pub id: SourceId,
    /// MySQL or MariaDB.
    pub flavor: Flavor,
    /// Version as the server tells it; for recorded files what their header says.
    pub version: String,
    /// server_uuid (MySQL) or `domain-server_id` (MariaDB): which server this is.
    pub server: String,
    /// lower_case_table_names.
    pub lower_case_table_names: u8,
    /// Global sql_mode.
    pub sql_mode: String,
    /// Default character set and collation of the server.
    pub charset: String,
    /// Default collation of the server.
    pub collation: String,
    /// Global explicit_defaults_for_timestamp; `None` where it is not known.
    pub explicit_defaults_for_timestamp: Option<bool>,
    /// innodb_default_row_format; `None` where it is not known.
    pub row_format: Option<String>,
    /// Default collations that the server's settings change, as `charset=collation,...`
    /// (MariaDB's character_set_collations, MySQL's default_collation_for_utf8mb4); `None` where that is not known.
    pub charset_collations: Option<String>,
}

/// Which tables a snapshot is asked for: decides by name, before anything is read.
pub type TableChoice = dyn Fn(&TableName) -> bool + Send + Sync;

/// A source.
pub trait Source: Send + Sync {
    /// Which server this is; asked anew, because a failover may have changed it.
    ///
    /// # Errors
    ///
    /// When the server cannot be asked.
    fn info(&self) -> Result<SourceInfo>;

    /// Says which server ([`SourceInfo::server`]) stored positions were taken from, where they hold on
    /// one server only.
    fn expect_server(&self, _server: &str) {}

    /// The current end of the stream.
    ///
    /// # Errors
    ///
    /// When the server cannot be asked, or writes no binlog.
    fn end_position(&self) -> Result<Position>;

    /// Where following begins when nobody says where. A server is followed from its present end;
    /// recorded files from their beginning.
    ///
    /// # Errors
    ///
    /// As [`Source::end_position`].
    fn default_start(&self) -> Result<Position> {
        self.end_position()
    }

    /// The place of the first transaction that began at or after a time (seconds since the epoch);
    /// where it lies before everything that the source still has, the beginning of that.
    ///
    /// # Errors
    ///
    /// 20057 when the time is behind the end; when the source cannot be asked, or cannot tell.
    fn position_at(&self, _second: u32) -> Result<Position> {
        let text = "this source cannot find a position by time";
        Err(Error::new(&codes::SOURCE_UNSUPPORTED, text))
    }

    /// Opens a consistent view of the tables that `choose` wants.
    ///
    /// # Errors
    ///
    /// Missing rights, locks not obtained, or no copy possible.
    fn snapshot(&self, choose: &TableChoice, stop: &AtomicBool) -> Result<Box<dyn Snapshot>>;

    /// The present structure of a table; `None` when it does not exist.
    ///
    /// # Errors
    ///
    /// When the server cannot be asked, or a recorded source does not hold it.
    fn describe(&self, table: &TableName) -> Result<Option<TableInfo>>;

    /// Names of all tables that `choose` wants, without opening a snapshot.
    ///
    /// # Errors
    ///
    /// When the server cannot be asked.
    fn tables(&self, choose: &TableChoice) -> Result<Vec<TableName>>;

    /// How far the source's own time zone (`time_zone=SYSTEM`) was from UTC at a time (seconds since the
    /// epoch), in seconds; `None` when the source cannot tell.
    ///
    /// # Errors
    ///
    /// When the server cannot be asked.
    fn system_offset(&self, _at: u32) -> Result<Option<i32>> {
        Ok(None)
    }

    /// The XA transactions that are prepared and not decided; `None` when the source cannot tell.
    ///
    /// # Errors
    ///
    /// When the server cannot be asked.
    fn prepared(&self) -> Result<Option<Prepared>> {
        Ok(None)
    }

    /// Verifies, before a stream is opened at `from`, that the source still has the group that was
    /// read last where it was read. A source that cannot tell lets it pass.
    ///
    /// # Errors
    ///
    /// 61011 when something else stands there: the source was restored from a copy, or its binlogs
    /// were reset. What [`Source::open`] fails with. When the server cannot be asked.
    fn check_history(&self, _last: &LastGroup, _from: &Position) -> Result<()> {
        Ok(())
    }

    /// Opens the stream behind a position. The stream first verifies that the server is the one
    /// (or a proper successor of the one) that the position was taken from.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached or the position is purged or unknown there.
    fn open(&self, from: &Position) -> Result<Box<dyn EventStream>>;
}

/// What a source says of its XA transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// Those that are prepared and wait for their decision, in words for people.
    pub xids: BTreeSet<String>,
    /// How many were ever prepared, since the server was started.
    pub count: u64,
}

/// A consistent view of a source.
pub trait Snapshot: Send + Sync {
    /// Every row read contains all changes before this position: where the stream starts.
    fn position(&self) -> &Position;

    /// Rows may contain changes up to here and none beyond; equal to `position` when all rows are
    /// of one instant. `None` when it must be asked after the last chunk ([`Source::end_position`]).
    fn contained_upto(&self) -> Option<&Position>;

    /// How position and rows were tied together, for status: "flush tables with read lock", ...
    fn means(&self) -> &str;

    /// The schemas of the tables.
    fn schemas(&self) -> &[SchemaInfo];

    /// True when rows are read from a server in use, where names may come to mean something else
    /// while the view lasts.
    fn is_live(&self) -> bool {
        false
    }

    /// The tables, in the order to copy them: largest first.
    fn tables(&self) -> &[TableCopy];

    /// Cuts a table in chunks of about `rows` rows; their union is the table.
    ///
    /// # Errors
    ///
    /// When the source cannot be asked.
    fn plan(&self, table: &TableName, rows: u64) -> Result<Vec<Chunk>>;

    /// Cuts a chunk in about so many pieces, whose union it is; their numbers say nothing. One that
    /// cannot be cut is left whole: no pieces, or a single one.
    ///
    /// # Errors
    ///
    /// When the source cannot be asked.
    fn cut(&self, _table: &TableName, _chunk: &Chunk, _pieces: u32) -> Result<Vec<Chunk>> {
        Ok(Vec::new())
    }

    /// Opens a reader on this view; one per thread.
    ///
    /// # Errors
    ///
    /// When the source cannot be reached or the view has ended.
    fn reader(&self) -> Result<Box<dyn ChunkReader>>;
}

/// Reads chunks.
pub trait ChunkReader: Send {
    /// Reads a chunk and hands its rows to `out` in blocks of about `block_bytes` bytes. A block may
    /// be empty: it is taken when the one before it has been written.
    ///
    /// # Errors
    ///
    /// What the source or `out` fails with. Error numbers 1412 and 1146 of the source mean that a
    /// statement changed the table after the view was opened.
    fn read(
        &mut self,
        table: &TableCopy,
        chunk: &Chunk,
        block_bytes: usize,
        out: &mut dyn FnMut(CopyBlock) -> Result<()>,
    ) -> Result<()>;
}

/// What a poll of a stream gives.
#[derive(Debug)]
pub enum Polled {
    /// The next event.
    Event(Box<SourceEvent>),
    /// Nothing came in time.
    Idle,
    /// The recorded files are at their end. A server's stream never ends.
    End,
}

/// A stream of events behind a position.
pub trait EventStream: Send {
    /// Waits for the next event, no longer than `patience`.
    ///
    /// # Errors
    ///
    /// When the connection broke, the data is damaged, or the server ended the stream.
    fn poll(&mut self, patience: Duration) -> Result<Polled>;

    /// Events that the next polls give without waiting, as far as that is known.
    fn waiting(&self) -> usize {
        0
    }

    /// The server whose binlog this is, as [`SourceInfo::server`] says it; `None` means the one of
    /// [`Source::info`]. An address may lead to another server since that was asked.
    fn server(&self) -> Option<&str> {
        None
    }

    /// True when it was opened by file and offset: who has read it up to a place has everything that
    /// this server wrote in front of that place, whatever GTIDs it counted.
    fn is_by_file(&self) -> bool {
        false
    }
}

/// One event of the stream, already freed from compression and packaging.
#[derive(Clone, Debug)]
pub struct SourceEvent {
    /// Start of the event in its file; of its container, for events out of a compressed one.
    pub start: BinlogPos,
    /// End of the event in its file.
    pub end: BinlogPos,
    /// When it was written at the source, seconds since the epoch; 0 when not known.
    pub at: u32,
    /// What it says.
    pub body: Body,
    /// Tells an event that may end a group from any other that could stand in its place
    /// ([`EventHeader::fingerprint`](crate::binlog::EventHeader::fingerprint)); `None` for others.
    pub print: Option<[u8; 16]>,
}

/// What an event says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Body {
    /// A group (transaction or single statement) begins. `standalone`: MariaDB says that no
    /// COMMIT follows.
    Gtid {
        /// Its GTID; `None` for an anonymous group.
        gtid: Option<Gtid>,
        /// The group is one statement without BEGIN and COMMIT (MariaDB tells, MySQL does not).
        standalone: bool,
        /// The group is the first half of an XA transaction: it ends prepared (MariaDB tells here,
        /// MySQL with the statement that follows).
        prepared: bool,
        /// Length of the group in bytes, when told.
        length: Option<u64>,
    },
    /// BEGIN: rows follow. A source may as well tell it as a statement.
    Begin,
    /// A statement: COMMIT, DDL, or a change in statement format.
    Query(Box<QueryEvent<'static>>),
    /// An ALTER TABLE that has not changed anything: it begins, or it has failed. MariaDB logs that for
    /// its replicas (`binlog_alter_two_phase`); the statement itself comes when it has happened.
    UnfinishedAlter,
    /// Rows.
    Rows(RowsBody),
    /// The transaction is committed.
    Xid,
    /// XA PREPARE of the group's changes; with `one_phase` it is the commit.
    XaPrepare {
        /// The xid as SQL text: `X'..',X'..',1`.
        xid: String,
        /// XA COMMIT ... ONE PHASE.
        one_phase: bool,
    },
    /// The text of the statement that made the following rows, for messages only.
    RowsQuery(String),
    /// The following events are in the next file.
    Rotate,
    /// The server is there and has nothing to say.
    Heartbeat,
    /// Something that belongs to a change in statement format, which follows as a query (INTVAR, RAND,
    /// USER_VAR, the data of a LOAD DATA).
    Statement(&'static str),
    /// The source lost events: `INCIDENT`.
    Incident(String),
}

/// Rows of one event.
#[derive(Clone, Debug)]
pub enum RowsBody {
    /// As they stand in the binlog; decoding needs the table's structure at this place.
    Binlog(RowsEvent<'static>),
    /// Decoded rows, from scripted sources.
    Owned {
        /// The table.
        table: TableName,
        /// Its columns.
        columns: Columns,
        /// The changes.
        rows: Arc<[RowOp<'static>]>,
    },
}

impl RowsBody {
    /// The table that they belong to.
    pub fn table(&self) -> &TableName {
        match self {
            Self::Binlog(event) => &event.table.table,
            Self::Owned { table, .. } => table,
        }
    }
}
