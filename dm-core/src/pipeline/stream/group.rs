//! Groups of events: from the first event of a transaction to its end.

use super::Stream;
use super::large::Sent;
use crate::error::{Error, Result, codes};
use crate::event::{RowBlock, Txn};
use crate::position::{BinlogPos, Gtid, Position};
use crate::sink::keys::KeyHash;
use crate::source::RowsBody;
use crate::state::LaneChanges;

/// An event beyond this holds a large row (servers end an event after some KiB). Each connection
/// keeps as much memory as its largest statement took: such rows all go through one of them.
pub(super) const LARGE_ROW: usize = 1 << 20;

/// A group that is being read.
#[derive(Default)]
pub(crate) struct Group {
    pub(super) open: bool,
    /// Between BEGIN and its end.
    pub in_txn: bool,
    /// Its number in the lane.
    pub ordinal: u64,
    pub gtid: Option<Gtid>,
    /// What is before it was saved for the sake of a statement in it.
    pub saved: bool,
    /// Where its GTID event begins, when it has one.
    pub start: Option<BinlogPos>,
    /// Where its first event begins.
    pub first: Option<BinlogPos>,
    pub at: u32,
    /// It is in the target already: a restart reads over it.
    pub skip: bool,
    pub blocks: Vec<RowBlock>,
    pub keys: Vec<KeyHash>,
    /// How many keys there were after repeated ones were last removed.
    pub distinct: usize,
    pub rows: usize,
    pub bytes: usize,
    /// Parts of it have been sent.
    pub large: bool,
    /// Events of rows that have been read, whatever became of them.
    pub events: u64,
    /// So many of them are in the target, in transactions of their own.
    pub events_in: u64,
    /// Bytes in the target's open transaction.
    pub open_bytes: usize,
    /// The part that was sent last.
    pub sent: Sent,
    /// In their order.
    pub savepoints: Vec<Savepoint>,
    /// It is an XA transaction: what became of it is not known yet, its rows are set aside.
    pub xa: Option<super::xa::Rows>,
    /// Where its last statement begins and ends.
    pub statement: Option<(BinlogPos, BinlogPos)>,
    /// Records of statements that ran inside of it; they end with the group.
    pub statements: Vec<i64>,
    /// What its statements change; saved with its end.
    changes: Option<Box<LaneChanges>>,
    /// Up to here an operator was asked for statements to be run before rows.
    pub asked: Option<BinlogPos>,
    /// Rows that wait for a statement that runs, and all behind them.
    pub aside: Vec<Event>,
    pub aside_bytes: usize,
    /// It is registered already: it has waited as a whole.
    pub parked: bool,
    /// It is held, however large it is: another one is being sent.
    pub whole: bool,
}

/// How much of a transaction stands before a savepoint.
pub(crate) struct Savepoint {
    pub name: String,
    blocks: usize,
    /// Behind these, of what is set aside.
    aside: usize,
    /// Events of an XA transaction.
    held: usize,
}

/// Rows as they were read.
pub(crate) struct Event {
    pub rows: RowsBody,
    pub start: BinlogPos,
    pub end: BinlogPos,
    pub at: u32,
}

impl Group {
    /// Removes repeated keys, seldom enough that a long transaction takes linear time.
    pub(super) fn tidy_keys(&mut self) {
        if self.large {
            // It runs alone: nobody asks what it touches.
            self.keys.clear();
        } else if self.keys.len() > 2 * self.distinct + 256 {
            self.keys.sort_unstable_by_key(key_order);
            self.keys.dedup();
            self.distinct = self.keys.len();
        }
    }

    /// What its statements change.
    pub fn changes(&mut self) -> &mut LaneChanges {
        self.changes.get_or_insert_default()
    }

    /// A savepoint at this place.
    pub fn savepoint(&self, name: String) -> Savepoint {
        let held = self.xa.as_ref().map_or(0, super::xa::Rows::place);
        Savepoint { name, blocks: self.blocks.len(), aside: self.aside.len(), held }
    }

    /// What follows the last savepoint is undone.
    pub fn back_to_last_savepoint(&mut self) -> Result {
        let Some(last) = self.savepoints.last() else { return Ok(()) };
        if let Some(xa) = self.xa.as_mut() {
            return xa.back_to(last.held);
        }
        self.blocks.truncate(last.blocks);
        self.aside.truncate(last.aside);
        Ok(())
    }

    /// So many of the events that were set aside are planned now.
    pub fn planned_aside(&mut self, events: usize) {
        for savepoint in self.savepoints.iter_mut().filter(|s| s.aside > 0 && s.aside == events) {
            (savepoint.blocks, savepoint.aside) = (self.blocks.len(), 0);
        }
    }

    /// True between the first event of a group and its end.
    pub fn is_open(&self) -> bool {
        self.open
    }
}

impl Stream<'_> {
    /// Opens a group, unless one is open.
    pub(super) fn begin(&mut self, gtid: Option<Gtid>, at: u32) {
        if self.group.open {
            return;
        }
        self.ordinal += 1;
        let skip = self.applied.has(self.ordinal, gtid.as_ref());
        self.group =
            Group { open: true, ordinal: self.ordinal, gtid, at, skip, ..Group::default() };
    }

    /// The open group, or a new one, is a transaction.
    pub(super) fn begin_transaction(&mut self, at: u32) {
        self.begin(None, at);
        self.group.in_txn = true;
    }

    /// Ends the open group; the position behind it.
    pub(super) fn end_group(&mut self, end: &BinlogPos) -> Result<(Group, Position)> {
        let (mut group, position) = self.close_group(end)?;
        self.save_with_next(&mut group);
        Ok((group, position))
    }

    /// What a group has changed goes with the next checkpoint.
    pub(super) fn save_with_next(&mut self, group: &mut Group) {
        self.changes.finished_ddl.extend(group.statements.iter().copied());
        if let Some(changes) = group.changes.take() {
            self.changes.append(*changes);
        }
    }

    /// The same as [`Self::end_group`] for a group whose changes are not saved yet.
    pub(super) fn close_group(&mut self, end: &BinlogPos) -> Result<(Group, Position)> {
        let group = std::mem::take(&mut self.group);
        self.read_at = group.at;
        if let (Some(set), Some(gtid)) = (self.executed.as_mut(), &group.gtid) {
            set.add(gtid)?;
        }
        let position = Position { binlog: Some(end.clone()), gtid: self.executed.clone() };
        Ok((group, position))
    }

    /// The open transaction is committed.
    pub(super) fn commit(&mut self, end: &BinlogPos) -> Result {
        if !self.group.open {
            return Err(disorder(end, "a transaction ends that has not begun"));
        }
        if let Some(rows) = self.group.xa.take() {
            return self.xa_apply(rows, end);
        }
        if !self.group.aside.is_empty() {
            return self.keep_aside(end);
        }
        if self.group.large {
            self.send_part(None)?;
        }
        let (group, position) = self.end_group(end)?;
        self.commit_group(group, position)
    }

    /// Hands a whole transaction out; what is to follow of a large one is its commit.
    pub(super) fn commit_group(&mut self, group: Group, position: Position) -> Result {
        if group.large {
            return self.commit_large(&group, position);
        }
        let has_statements = !group.statements.is_empty();
        let ordinal = group.ordinal;
        if group.skip || group.blocks.is_empty() {
            self.is_over(&group, position);
            return self.save_behind(has_statements, ordinal);
        }
        let txn = Txn {
            ordinal: group.ordinal,
            gtid: group.gtid,
            start: group.first,
            end: position,
            at: group.at,
            blocks: group.blocks,
            rows: group.rows,
            bytes: group.bytes,
        };
        self.bound_ahead()?;
        self.dispatch(txn, &group.keys, group.parked)?;
        self.save_behind(has_statements, ordinal)
    }

    /// Registers a transaction as one that is in.
    pub(super) fn is_over(&self, group: &Group, position: Position) {
        match group.parked {
            true => self.progress.done([group.ordinal]),
            false => self.progress.pass(group.ordinal, position, group.at),
        }
    }

    /// Behind a group with a statement (CREATE TABLE ... SELECT) marks must not run ahead of the
    /// structures in the state file.
    fn save_behind(&mut self, has_statements: bool, ordinal: u64) -> Result {
        if !has_statements {
            return Ok(());
        }
        self.progress.wait_settled(ordinal, None)?;
        self.save()
    }

    fn dispatch(&mut self, txn: Txn, keys: &[KeyHash], parked: bool) -> Result {
        if keys.iter().any(|key| matches!(key, KeyHash::Wild { .. })) {
            self.ctx.stats.wild();
        }
        self.save_structures()?;
        match self.dispatcher.as_mut() {
            Some(dispatcher) if parked => dispatcher.dispatch_parked(txn, keys),
            Some(dispatcher) => dispatcher.dispatch(txn, keys),
            None => Err(Error::new(&codes::STOPPED, "the stream has been closed")),
        }
    }

    /// The open transaction is undone.
    pub(super) fn roll_back(&mut self, end: &BinlogPos) -> Result {
        if !self.group.open {
            return Ok(());
        }
        if self.group.events_in > 0 {
            return Err(Error::new(
                &codes::SYNC_UNSUPPORTED,
                "a transaction that was applied in parts is rolled back",
            ));
        }
        self.take_back_parts()?;
        let (group, position) = self.end_group(end)?;
        self.progress.pass(group.ordinal, position, group.at);
        Ok(())
    }
}

fn key_order(key: &KeyHash) -> (u64, u64, bool) {
    match *key {
        KeyHash::Plain { index, hash } => (index, hash, false),
        KeyHash::Wild { index } => (index, 0, true),
    }
}

/// Events that cannot follow each other in a sound binlog.
pub(super) fn disorder(at: &BinlogPos, what: &str) -> Error {
    Error::new(&codes::TXN_ORDER, format!("{what} at {at}"))
}
