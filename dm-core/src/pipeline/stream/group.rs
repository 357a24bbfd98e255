//! Groups of events: from the first event of a transaction to its end.

use dm_filter::TableName;

use super::Stream;
use super::large::Sent;
use super::unmarked::is_before;
use crate::error::{Error, Result, codes};
use crate::event::{ApplyMode, RowBlock, Txn};
use crate::pipeline::tables::Arrived;
use crate::pipeline::windows::{Admission, contains};
use crate::position::{BinlogPos, Gtid, Position};
use crate::sink::keys::KeyHash;
use crate::source::{Body, RowsBody, SourceEvent};
use crate::state::{LaneChanges, Skipped};

/// An event beyond this holds a large row (servers end an event after some KiB). Each connection
/// keeps as much memory as its largest statement took: such rows all go through one of them.
pub(super) const LARGE_ROW: usize = 1 << 20;

/// A group that is being read.
#[derive(Default)]
pub(crate) struct Group {
    open: bool,
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
    fn tidy_keys(&mut self) {
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
    /// Handles one event.
    pub(super) fn event(&mut self, event: SourceEvent) -> Result {
        let SourceEvent { start, end, at, body, print } = event;
        if let Body::Gtid { gtid, .. } = &body {
            self.history.begins(gtid.as_ref());
        }
        self.body(body, &start, &end, at)
            .map_err(|e| super::located(e, &start, &end, self.executed.as_ref()))?;
        if let Some(print) = print
            && !self.group.open
        {
            self.history.ends(self.ordinal, &start, &end, print, self.progress.low_ordinal());
        }
        if self.group.open && self.group.first.is_none() {
            self.group.first = Some(start);
        }
        self.seen = Some(end);
        Ok(())
    }

    fn body(&mut self, body: Body, start: &BinlogPos, end: &BinlogPos, at: u32) -> Result {
        match body {
            Body::Gtid { gtid, standalone, prepared, .. } => {
                if self.group.open && self.group.in_txn {
                    return Err(disorder(start, "a new group begins inside of a transaction"));
                }
                if self.group.open {
                    // A group of which nothing was to be seen: an event that readers skip.
                    let (group, position) = self.end_group(start)?;
                    self.progress.pass(group.ordinal, position, group.at);
                }
                if prepared {
                    // What is prepared behind a statement must not be kept as if it were before it.
                    self.end_beside()?;
                }
                let mariadb = matches!(gtid, Some(Gtid::MariaDb(_)));
                self.begin(gtid, at);
                self.group.start = Some(start.clone());
                // MariaDB's GTID event stands for BEGIN, too.
                self.group.in_txn = mariadb && !standalone;
                self.group.xa = prepared.then(Default::default);
            }
            Body::Begin => self.begin_transaction(at),
            Body::Query(query) => {
                self.query(&query, start, end, at)
                    .map_err(|e| e.origin(&String::from_utf8_lossy(&query.sql)))?;
            }
            Body::UnfinishedAlter => self.unfinished_alter(start, end, at)?,
            Body::Rows(rows) => {
                self.inject_before(start, end, at)
                    .and_then(|()| self.rows(rows, start, end, at))
                    .map_err(|e| if e.statement_place().is_some() { e } else { e.at_rows(start) })?;
            }
            Body::Xid => self.commit(end)?,
            Body::XaPrepare { xid, one_phase } => {
                self.end_beside()?;
                self.xa_prepare(&xid, one_phase, end)?;
            }
            Body::Incident(message) => {
                return Err(Error::new(
                    &codes::SYNC_EVENT,
                    format!("the source says that its binlog lost events here: {message}"),
                ));
            }
            Body::Statement(_) | Body::RowsQuery(_) | Body::Rotate | Body::Heartbeat => {}
        }
        Ok(())
    }

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

    pub(super) fn rows(
        &mut self,
        rows: RowsBody,
        start: &BinlogPos,
        end: &BinlogPos,
        at: u32,
    ) -> Result {
        if !self.group.open {
            return Err(disorder(start, "rows stand outside of a transaction"));
        }
        if self.group.xa.is_some() {
            return self.xa_rows(rows);
        }
        self.group.events += 1;
        if self.group.skip || self.is_in(start)? || self.is_copied(end) {
            return Ok(());
        }
        let table = rows.table();
        if !self.tables.is_carried(table)? || self.ctx.creator.is_elsewhere(table) {
            return Ok(());
        }
        if self.beside.is_none() {
            return self.plan_rows(rows, start, end, at);
        }
        match self.waits(&rows) {
            // What has been sent cannot be set aside. What was before it has to be in, as for all that is sent.
            true if self.group.large => {
                self.end_beside()?;
                self.progress.wait_settled(self.group.ordinal - 1, None)?;
                self.plan_rows(rows, start, end, at)
            }
            true => self.set_aside(Event { rows, start: start.clone(), end: end.clone(), at }),
            false => self.plan_rows(rows, start, end, at),
        }
    }

    /// Plans rows of a carried table as a part of the open transaction.
    pub(super) fn plan_rows(
        &mut self,
        rows: RowsBody,
        start: &BinlogPos,
        end: &BinlogPos,
        at: u32,
    ) -> Result {
        let (map, name);
        let (table, arrived) = match rows {
            RowsBody::Binlog(event) => {
                map = std::sync::Arc::clone(&event.table);
                (&map.table, Arrived::Binlog(event))
            }
            RowsBody::Owned { table, columns, rows } => {
                name = table;
                (&name, Arrived::Owned { columns, rows })
            }
        };
        let gtid = self.group.gtid.clone();
        let mode = match self.windows.admit(table, end, gtid.as_ref()) {
            Admission::Contained => return Ok(()),
            Admission::Apply(mode) => mode,
        };
        if self.group.at == 0 {
            self.group.at = at;
        }
        let mode = self.without_marks(table, self.mode(mode, end, gtid.as_ref()))?;
        let tracked = self.structure(table, start)?;
        if tracked.as_ref().is_some_and(|(schema, _)| is_sequence(schema)) {
            self.changes.skipped.push(Skipped::one("row of a sequence", start));
            return Ok(());
        }
        let schema = tracked.as_ref().map(|(schema, version)| (&**schema, *version));
        let planned = self
            .tables
            .plan(table, arrived, schema, mode, &mut self.group.keys)
            .map_err(|e| self.with_picture(e, table))?;
        self.ctx.stats.filtered(planned.dropped as u64);
        self.group.rows += planned.rows;
        let bytes = planned.block.bytes();
        self.group.bytes += bytes + 256;
        if planned.rows > 0 {
            self.group.blocks.push(planned.block);
        }
        self.group.tidy_keys();
        if self.group.whole {
            return Ok(());
        }
        // A large row is handed on at once, unless it may still be wanted back.
        let alone = bytes > LARGE_ROW && self.group.savepoints.is_empty();
        let most = self.ctx.split.limit().unwrap_or(usize::MAX);
        if alone || self.group.bytes > self.ctx.settings.large_bytes.min(most) {
            self.send_part(Some((start, end)))?;
        }
        if alone {
            // Two of them are not held at a time.
            self.settle_parts()?;
        }
        Ok(())
    }

    fn mode(&self, mode: ApplyMode, end: &BinlogPos, gtid: Option<&Gtid>) -> ApplyMode {
        let unmarked = self.unmarked.is_some();
        let again = self
            .idempotent_until
            .as_ref()
            .is_some_and(|p| contains(p, end, gtid) || (unmarked && is_before(p, end)));
        let again = again || self.unmarked.is_some_and(|u| u.always);
        let again = again || self.idempotent_second.is_some_and(|s| self.group.at <= s);
        if again || self.ctx.settings.safe_mode { ApplyMode::Idempotent } else { mode }
    }

    /// The structure that a table has in the open group. A table that is met for the first time without having
    /// been copied is taken to look like its target: that is what an incremental task says.
    fn structure(
        &mut self,
        table: &TableName,
        start: &BinlogPos,
    ) -> Result<Option<(std::sync::Arc<crate::schema::TableSchema>, u64)>> {
        if let Some(tracked) = self.tracker.schema(table, self.group.ordinal) {
            return Ok(Some((std::sync::Arc::clone(&tracked.schema), tracked.version)));
        }
        let target = self.tables.target(table);
        let guessed = match &target {
            Some(target) => self.ctx.stats.meters.query.time(|| self.ctx.sink.describe(target))?,
            None => None,
        };
        let Some(schema) = guessed else { return self.sequence(table) };
        let schema = self.ctx.creator.without_extra(table, schema)?;
        let since = Some(self.place_of(start));
        self.tracker.guess(table.clone(), std::sync::Arc::clone(&schema), since);
        let version = self.tracker.newest().tracked(table).map_or(0, |t| t.version);
        Ok(Some((schema, version)))
    }

    /// The structure of a table that the target lacks, when it is a sequence of MariaDB: its rows are
    /// its own counting, which the target's sequence, if there is one, does by itself.
    fn sequence(
        &mut self,
        table: &TableName,
    ) -> Result<Option<(std::sync::Arc<crate::schema::TableSchema>, u64)>> {
        if self.ctx.info.flavor != crate::position::Flavor::MariaDb {
            return Ok(None);
        }
        let info = self.ctx.source.describe(table)?;
        let Some(info) = info.filter(|info| is_sequence(&info.schema)) else { return Ok(None) };
        self.tracker.know(table.clone(), std::sync::Arc::clone(&info.schema));
        Ok(Some((info.schema, 0)))
    }
}

fn is_sequence(schema: &crate::schema::TableSchema) -> bool {
    schema.options.iter().any(|(name, value)| name == "SEQUENCE" && value == "1")
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
