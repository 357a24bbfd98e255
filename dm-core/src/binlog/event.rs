//! The events of a binlog, decoded as far as every reader needs them. Rows stay bytes until a
//! [`DecodePlan`](super::DecodePlan) is at hand.

use std::borrow::Cow;
use std::sync::Arc;

use super::Checksum;
use super::header::{EventHeader, EventType};
use super::payload::TransactionPayload;
use super::query::QueryEvent;
use super::rows::RowsEvent;
use super::table_map::TableMap;
use crate::position::{Gtid, MariaDbGtid, MariaDbGtidSet, MySqlGtidSet};

/// An event with its header.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// The header.
    pub header: EventHeader,
    /// What it says.
    pub body: EventBody<'a>,
}

impl Event<'_> {
    /// The same event, owning its data: fit to be sent to another thread.
    pub fn into_owned(self) -> Event<'static> {
        Event { header: self.header, body: self.body.into_owned() }
    }
}

/// What an event says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventBody<'a> {
    /// The first event of a file: how to read the others.
    FormatDescription(FormatDescription),
    /// The stream goes on in another file. Artificial ones say which file it starts with.
    Rotate(Rotate),
    /// The server shut down.
    Stop,
    /// A statement: DDL, BEGIN, COMMIT, or a change in statement format.
    Query(QueryEvent<'a>),
    /// End of a transaction, with the number that the engine knows it by.
    Xid(u64),
    /// Start of a transaction of MySQL.
    Gtid(GtidEvent),
    /// Start of a transaction or a standalone statement of MariaDB.
    MariaDbGtid(MariaDbGtidEvent),
    /// What was executed before this file (MySQL).
    PreviousGtids(MySqlGtidSet),
    /// What was executed before this file, or before the start of the stream (MariaDB).
    GtidList(MariaDbGtidSet),
    /// The statement that the next rows come from, for people (ROWS_QUERY, ANNOTATE_ROWS).
    RowsQuery(Cow<'a, str>),
    /// The table that the rows events of this number belong to.
    TableMap(Arc<TableMap>),
    /// Changed rows.
    Rows(RowsEvent<'a>),
    /// A whole transaction, compressed.
    TransactionPayload(TransactionPayload<'a>),
    /// End of a transaction that is prepared, to be decided by a later XA COMMIT or XA ROLLBACK.
    XaPrepare(XaPrepare),
    /// Nothing happened for a while; says where the server stands.
    Heartbeat(Heartbeat),
    /// The server knows that changes may be missing from its binlog.
    Incident(Incident<'a>),
    /// Statement format: LAST_INSERT_ID or INSERT_ID of the next statement.
    IntVar,
    /// Statement format: seeds of RAND() for the next statement.
    Rand,
    /// Statement format: a user variable of the next statement.
    UserVar(Cow<'a, str>),
    /// Statement format: a block of a file for LOAD DATA (BEGIN_LOAD_QUERY, APPEND_BLOCK).
    LoadBlock {
        /// Number that ties blocks and statement together.
        file_id: u32,
    },
    /// Statement format: the LOAD DATA statement of a file.
    ExecuteLoadQuery(QueryEvent<'a>),
    /// MariaDB: no transaction before this file needs recovery. Carries the file's name.
    Checkpoint(Cow<'a, str>),
    /// An event that a reader may skip, told by its header's type.
    Ignored,
}

impl EventBody<'_> {
    /// The same, owning its data.
    pub fn into_owned(self) -> EventBody<'static> {
        use EventBody as B;
        let text = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            B::FormatDescription(e) => B::FormatDescription(e),
            B::Rotate(e) => B::Rotate(e),
            B::Stop => B::Stop,
            B::Query(e) => B::Query(e.into_owned()),
            B::Xid(e) => B::Xid(e),
            B::Gtid(e) => B::Gtid(e),
            B::MariaDbGtid(e) => B::MariaDbGtid(e),
            B::PreviousGtids(e) => B::PreviousGtids(e),
            B::GtidList(e) => B::GtidList(e),
            B::RowsQuery(e) => B::RowsQuery(text(e)),
            B::TableMap(e) => B::TableMap(e),
            B::Rows(e) => B::Rows(e.into_owned()),
            B::TransactionPayload(e) => B::TransactionPayload(e.into_owned()),
            B::XaPrepare(e) => B::XaPrepare(e),
            B::Heartbeat(e) => B::Heartbeat(e),
            B::Incident(e) => B::Incident(Incident { number: e.number, message: text(e.message) }),
            B::IntVar => B::IntVar,
            B::Rand => B::Rand,
            B::UserVar(e) => B::UserVar(text(e)),
            B::LoadBlock { file_id } => B::LoadBlock { file_id },
            B::ExecuteLoadQuery(e) => B::ExecuteLoadQuery(e.into_owned()),
            B::Checkpoint(e) => B::Checkpoint(text(e)),
            B::Ignored => B::Ignored,
        }
    }
}

/// How the events of a file look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatDescription {
    /// Version text of the server that wrote the file.
    pub server_version: String,
    /// When the file was made, seconds since the epoch; 0 when the stream starts later in it.
    pub created: u32,
    /// Length of the fixed part of each type's body, by type - 1.
    pub post_header_lengths: Vec<u8>,
    /// How its events are protected.
    pub checksum: Checksum,
}

impl FormatDescription {
    /// Length of the fixed part of a type's body, when the file says.
    pub fn post_header_length(&self, event_type: EventType) -> Option<u8> {
        self.post_header_lengths.get(usize::from(event_type.0).checked_sub(1)?).copied()
    }
}

/// Where the stream goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotate {
    /// Name of the next file.
    pub file: String,
    /// Offset in it.
    pub position: u64,
}

/// Start of a transaction of MySQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GtidEvent {
    /// Who the transaction is; `None` when the server writes anonymous ones.
    pub gtid: Option<Gtid>,
    /// True when the transaction may hold statements that are not transactional.
    pub may_have_sbr: bool,
    /// Logical clock: the last transaction that this one may depend on. 0 when not told.
    pub last_committed: i64,
    /// Logical clock: this transaction. 0 when not told.
    pub sequence_number: i64,
    /// When this server committed it, microseconds since the epoch; 0 when not told.
    pub immediate_commit_timestamp: u64,
    /// When the first server committed it, microseconds since the epoch; 0 when not told.
    pub original_commit_timestamp: u64,
    /// Bytes of the whole transaction, this event included; 0 when not told.
    pub transaction_length: u64,
    /// Version of this server as a number (`80034`); 0 when not told.
    pub immediate_server_version: u32,
    /// Version of the first server; 0 when not told.
    pub original_server_version: u32,
}

/// Start of an event group of MariaDB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MariaDbGtidEvent {
    /// Who the group is.
    pub gtid: MariaDbGtid,
    /// `FL_*` flags.
    pub flags: u8,
    /// Groups with the same number committed together.
    pub commit_id: Option<u64>,
    /// The XA transaction that is prepared or completed here.
    pub xid: Option<Xid>,
    /// The group is a half of a split ALTER (`binlog_alter_two_phase`).
    pub alter: Option<AlterHalf>,
    /// For the second half of a split ALTER: the sequence number of its first half.
    pub alter_start: Option<u64>,
}

/// Which half of an ALTER TABLE a group is. Both have its text; replicas may begin with the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlterHalf {
    /// It begins: nothing has changed yet.
    Begins,
    /// It has happened.
    Happened,
    /// It has failed: nothing has changed.
    GivenUp,
}

impl MariaDbGtidEvent {
    /// The group is one event (DDL), not ended by COMMIT or XID.
    pub const FL_STANDALONE: u8 = 0x01;
    /// `commit_id` is there.
    pub const FL_GROUP_COMMIT_ID: u8 = 0x02;
    /// Only transactional tables are changed.
    pub const FL_TRANSACTIONAL: u8 = 0x04;
    /// The group may be applied in parallel.
    pub const FL_ALLOW_PARALLEL: u8 = 0x08;
    /// The group waited for a row lock.
    pub const FL_WAITED: u8 = 0x10;
    /// The group holds DDL.
    pub const FL_DDL: u8 = 0x20;
    /// The group ends in XA PREPARE.
    pub const FL_PREPARED_XA: u8 = 0x40;
    /// The group is an XA COMMIT or XA ROLLBACK.
    pub const FL_COMPLETED_XA: u8 = 0x80;

    /// True when all bits of `flag` are set.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag == flag
    }
}

/// The name of an XA transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Xid {
    /// Format number, 1 unless the client gave another.
    pub format: i32,
    /// Global part, up to 64 bytes.
    pub global: Vec<u8>,
    /// Branch part, up to 64 bytes.
    pub branch: Vec<u8>,
}

impl std::fmt::Display for Xid {
    /// As the servers write it: `X'6731',X'',1`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        write!(f, "X'{}',X'{}',{}", hex(&self.global), hex(&self.branch), self.format)
    }
}

/// End of an XA transaction's changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XaPrepare {
    /// The transaction.
    pub xid: Xid,
    /// XA COMMIT ... ONE PHASE: an ordinary end, nothing is prepared.
    pub one_phase: bool,
}

/// Where the server stands while nothing happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Name of the file.
    pub file: String,
    /// Offset in it.
    pub position: u64,
}

/// Changes may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident<'a> {
    /// 1: LOST_EVENTS.
    pub number: u16,
    /// The server's words.
    pub message: Cow<'a, str>,
}
