//! What is stored of a lane of the stream.

use std::collections::BTreeSet;
use std::sync::Arc;

use dm_filter::TableName;

use crate::event::LaneId;
use crate::position::{BinlogPos, Position};
use crate::schema::{HistoryStart, Older, SchemaCopy, TableSchema};

/// How far the ordinals of a lane jump when its position is moved by hand: further than any
/// window of transactions is wide, so that all marks of before are below the new checkpoint.
pub const MOVE_GAP: u64 = 1 << 40;

/// The note that says where following a lane began: what the binlog has before, nobody has read.
pub const LANE_START: &str = "lane-start";

/// The note that tells the last group before a checkpoint ([`crate::source::LastGroup::to_bytes`]).
pub const LAST_GROUP: &str = "last-group";

/// The note of a lane that keeps the last error about a statement, or about rows, over the next attempts: whoever
/// speaks of it may do so while one of them is under way.
pub const STOPPED_AT: &str = "stopped-at";

/// Where a lane stands: everything up to here is at the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Number of the last transaction, see [`crate::event::StreamMark`]; 0 before the first.
    pub ordinal: u64,
    /// The position behind it.
    pub position: Position,
    /// The run of the lane that saves it.
    pub epoch: u64,
    /// When it was committed at the source, seconds since the epoch; 0 when not known.
    pub event_at: u32,
}

/// What is stored of a lane.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneState {
    /// The lane.
    pub lane: LaneId,
    /// Where it stands; `None` before the first save.
    pub checkpoint: Option<Checkpoint>,
    /// Number of its latest run; 0 before the first.
    pub epoch: u64,
    /// The source's end before a replay without marks: what lies up to here may be applied already.
    pub high_water: Option<Position>,
    /// The position was moved back from here: what lies up to here is applied already.
    pub idempotent_until: Option<Position>,
    /// When the checkpoint was saved, seconds since the epoch.
    pub saved_at: Option<i64>,
}

/// A table structure of a lane's tracker.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackedTable {
    /// The table, as named at the source.
    pub name: TableName,
    /// Its structure.
    pub schema: Arc<TableSchema>,
    /// Number of this version of the structure.
    pub version: u64,
    /// The structure was not followed up to this position but taken from another time or place;
    /// it has to prove itself against the binlog.
    pub assumed: bool,
    /// Where it came to be, for people ([`crate::schema::Tracked::since`]).
    pub since: Option<Arc<str>>,
}

/// All that a lane's tracker knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tracker {
    /// Schemas with their charset and collation.
    pub schemas: Vec<SchemaCopy>,
    /// Tables.
    pub tables: Vec<TrackedTable>,
}

/// What an online schema change tool has done so far to a ghost table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnlineDdl {
    /// The ghost table, as named at the source.
    pub table: TableName,
    /// The record, in words of the module that follows the tool.
    pub record: String,
}

/// Statements of one kind that were not carried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Why, or what they are.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// Where the last of them begins, `file:offset`.
    pub last: String,
}

impl Skipped {
    /// One that begins here.
    pub fn one(kind: impl Into<String>, at: &BinlogPos) -> Self {
        Self { kind: kind.into(), count: 1, last: at.to_colon_text() }
    }
}

/// A prepared transaction that is kept until its decision is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedXa {
    /// Its xid.
    pub xid: String,
    /// The number of the group that prepared it.
    pub ordinal: u64,
    /// How many parts its rows are in.
    pub parts: u32,
    /// The source tables that it changes.
    pub tables: BTreeSet<TableName>,
}

/// Some rows of a prepared transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XaPart {
    /// The number of the group that they belong to.
    pub ordinal: u64,
    /// Their number in it, from 0.
    pub part: u32,
    /// The source tables of these rows.
    pub tables: BTreeSet<TableName>,
    /// The rows, in the words of the module that follows the binlog.
    pub rows: Vec<u8>,
}

/// What changed in a lane since its last checkpoint, saved together with the next one. Removals
/// are carried out before additions, so a name may be in both.
#[derive(Clone, Debug, Default)]
pub struct LaneChanges {
    /// Tables whose structure is gone.
    pub removed_tables: Vec<TableName>,
    /// Tables whose structure is new or changed.
    pub tables: Vec<TrackedTable>,
    /// Schemas that are gone, with all their tables.
    pub removed_schemas: Vec<String>,
    /// Schemas that are new or changed.
    pub schemas: Vec<SchemaCopy>,
    /// What tables looked like before statements changed them, the oldest first.
    pub older: Vec<Older>,
    /// Where the history of structures begins, when the lane does.
    pub history_start: Option<HistoryStart>,
    /// The history goes on in the files of this server, from this place on; and how names are told apart.
    pub history_server: Option<(String, BinlogPos, bool)>,
    /// Statements that ran, by the ids that [`super::StateStore::begin_ddl`] gave.
    pub finished_ddl: Vec<i64>,
    /// Online schema changes that are over.
    pub removed_online_ddl: Vec<TableName>,
    /// Online schema changes that went on.
    pub online_ddl: Vec<OnlineDdl>,
    /// Prepared transactions that were committed or rolled back, by xid.
    pub removed_xa: Vec<String>,
    /// Prepared transactions, each with the last of its parts.
    pub xa: Vec<(PreparedXa, XaPart)>,
    /// Statements that were skipped, by kind; added to the counts.
    pub skipped: Vec<Skipped>,
    /// Tables for which the stream has passed what the copy contained.
    pub passed: Vec<TableName>,
    /// Memory of other parts (a shard coordinator), by key; `None` forgets it.
    pub notes: Vec<(String, Option<Vec<u8>>)>,
    /// The high-water position is passed.
    pub high_water_passed: bool,
    /// The position that the lane was moved back from is passed.
    pub idempotent_passed: bool,
}

impl LaneChanges {
    /// Adds what changed later.
    pub(crate) fn append(&mut self, mut later: Self) {
        self.removed_tables.append(&mut later.removed_tables);
        self.tables.append(&mut later.tables);
        self.removed_schemas.append(&mut later.removed_schemas);
        self.schemas.append(&mut later.schemas);
        self.older.append(&mut later.older);
        self.history_start = later.history_start.or(self.history_start.take());
        self.history_server = later.history_server.or(self.history_server.take());
        self.finished_ddl.append(&mut later.finished_ddl);
        self.removed_online_ddl.append(&mut later.removed_online_ddl);
        self.online_ddl.append(&mut later.online_ddl);
        self.removed_xa.append(&mut later.removed_xa);
        self.xa.append(&mut later.xa);
        self.skipped.append(&mut later.skipped);
        self.passed.append(&mut later.passed);
        self.notes.append(&mut later.notes);
        self.high_water_passed |= later.high_water_passed;
        self.idempotent_passed |= later.idempotent_passed;
    }
}
