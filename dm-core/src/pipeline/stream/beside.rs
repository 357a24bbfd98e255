//! A statement that takes long runs beside the rows of other tables.
//!
//! Guarantee: what holds for a statement that everything waits for holds here too: it runs once, rows of
//! its tables that were read before it are in when it begins and those behind it are written when it has
//! ended, and no checkpoint has its structures with a position before it. Only rows that have nothing
//! to do with it do not wait.
//!
//! Obstacle: while it runs, the reader is behind it, so the tracker has structures that no checkpoint may
//! have yet, and transactions behind it are in the target before it is. Method:
//!
//! - Before it runs, everything is as always: all before it is in, its record is in the state file. When it
//!   has not ended after [`SOON`], its group ends: the number of the group is registered as one that is not
//!   in, so the low-water mark stays right in front of it, and every mark and checkpoint with it. What it
//!   changes in the tracker the next checkpoints do not save, as it lies behind their place
//!   ([`crate::schema::Timeline`]). What else belongs to its group is kept for the checkpoint behind it.
//! - The tables that it names (all tables of a schema, where it names that), those that foreign keys tie to
//!   them, and whatever goes to the same target tables *wait* (`waiting`). A transaction with rows of a
//!   waiting table is set aside as it was read, whole, and all its tables wait from then on. So of two
//!   transactions that share a table the later one never overtakes the earlier one, and keys of different
//!   tables have nothing to do with each other: no key needs to be known of what is set aside. It is planned
//!   when the statement has ended, by the structures of then.
//! - When it has ended, one commit of the state file has the position behind it, its structures, and not
//!   its record any more. Only then its number counts as in, and the low-water mark of checkpoints and
//!   marks may pass it. Then what was set aside is handed out, in its order, before anything else.
//! - What else stands in the binlog waits for its end, and everything behind that: the next statement
//!   (savepoints, too), XA, a transaction that is too large to be held, statements that an operator wants
//!   before rows. So there is one such statement at a time, no structure but its own changes, and nothing
//!   is kept as prepared whose rows belong behind it.
//!
//! Handing transactions out in another order than that of their numbers makes no circle of waits: each waits
//! for such only that were handed out before it.
//!
//! A restart reads again from the low-water mark, so it meets the statement first: its record and the
//! target's structures tell whether it has run (`execute`), the fence of its lane makes the restart wait
//! while it still runs, and what of the transactions behind it is in, the marks name. Rows of its tables
//! behind it are never in unless the checkpoint behind it is.
//!
//! Bounds: bytes and number of what is set aside, and how many transactions may be ahead of the low-water
//! mark. At a bound the reader waits for the end of the statement.
//!
//! Everything waits, as before,
//!
//! - for CREATE TABLE ... SELECT: its rows stand in its own group, and only the end of a group is a place to
//!   end it at. At the target it makes an empty table, which takes no time;
//! - where several statements stand at one place (an operator or a rule gave them, or they are those at the
//!   rename of an online schema change), for all but the last: each begins when the one before it has ended;
//!   and for those that run before rows, as these rows stand behind all before them;
//! - for what a TiDB takes in pieces, from when that is known (`pieces`): the next piece begins when the one before
//!   it has ended. That is at once before TiDB 6.2, and later when it has refused the whole, which it does before it
//!   begins to work;
//! - where several source tables are merged into the target table: whether the target is "already so" may be
//!   the work of another lane, whose rows know nothing of what waits here;
//! - for statements on sequences of MariaDB, of which nothing is tracked;
//! - in a lane that shares its source with others, at targets that have one writer or cannot tell what is in
//!   after a crash, and where the source's order of commits is asked for.
//!
//! The last of several leaves the records of those before it in the state file until it has ended, and a list
//! that was given keeps its note: so a restart finds the group as far on as it was, and goes on in it as it
//! would without rows beside. What was given runs in place of the source's statement: the tables of both wait,
//! and the source's is what is tracked.
//!
//! A RENAME TABLE carries a mark of its own: the marker table changes its name in the same step. That is of
//! this statement's number and text alone, and no row's mark has to do with it. So a restart asks the marker
//! as it always does, when the fence has let it through, and what went on meanwhile changes nothing about the
//! answer. A statement on a schema has no structures to compare and is one that may run again (IF [NOT]
//! EXISTS, or ALTER DATABASE): a restart gives it again. That does no harm because nothing behind it in its
//! schema, rows or statements, can be in: all wait by the schema's name, at the source and at the target.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, TryRecvError};
use dm_filter::TableName;

use super::Stream;
use super::execute::{Number, Told, panicked};
use super::group::{Event, Group};
use super::outcome::short;
use super::pieces::Apart;
use super::statement::Seen;
use super::waiting::{Waiting, named};
use crate::binlog::QueryEvent;
use crate::ddl::Statement;
use crate::error::{Error, Result};
use crate::pipeline::LanePart;
use crate::pipeline::progress::{Low, MOST_AHEAD};
use crate::position::{BinlogPos, GtidSet, Position};
use crate::sink::{DdlOutcome, TargetDdl};
use crate::source::RowsBody;
use crate::state::{LaneChanges, Skipped};

/// A statement that ends within this time is waited for.
const SOON: Duration = super::PATIENCE;
/// Of the bytes that may be under way, so much may be set aside: one part in this many.
const ASIDE_SHARE: usize = 4;
/// Transactions that are set aside at most: each may be a hole in what the marks name.
const MOST_ASIDE: usize = 1_000;

/// The statement that runs, and what waits for it.
pub(super) struct Beside {
    ordinal: u64,
    /// Behind it.
    position: Position,
    /// When it ran at the source.
    at: u32,
    /// Of the statements of its group, its own last.
    records: Vec<i64>,
    ddl: TargetDdl,
    told: Told,
    began: Instant,
    place: Place,
    /// How to run it in pieces when it is refused.
    apart: Option<Apart>,
    /// What the checkpoint behind it saves, with the structures.
    changes: LaneChanges,
    waiting: Waiting,
    /// Whole transactions, each with the position behind it.
    aside: VecDeque<(Group, Position)>,
    bytes: usize,
}

/// Where the statement stands, for errors.
pub(super) struct Place {
    text: String,
    start: BinlogPos,
    end: BinlogPos,
    /// What had been executed before it.
    pub executed: Option<GtidSet>,
}

impl Place {
    fn of(seen: &Seen<'_>, executed: Option<&GtidSet>) -> Self {
        Self {
            text: seen.text.to_owned(),
            start: seen.start.clone(),
            end: seen.end.clone(),
            executed: executed.cloned(),
        }
    }

    /// The statement as it stood there.
    pub fn seen<'e>(&'e self, query: &'e QueryEvent<'e>, at: u32) -> Seen<'e> {
        Seen { query, text: &self.text, start: &self.start, end: &self.end, at, in_txn: false }
    }
}

impl Beside {
    /// The beginning of its text.
    pub fn text(&self) -> String {
        short(&self.ddl.sql)
    }
}

impl Stream<'_> {
    /// Runs a statement of the source, the last one of its group. When it goes on beside what follows, its
    /// group has ended.
    pub(super) fn run_or_go_on(
        &mut self,
        statement: &Statement,
        slot: u64,
        seen: &Seen<'_>,
    ) -> Result {
        let Some(going) = self.give_last(statement, Number::own(slot), &[statement], seen)? else {
            self.track(statement)?;
            self.ctx.stats.ddl();
            return Ok(());
        };
        if let Err(error) = self.track(statement) {
            // It cannot be followed: nothing goes on behind it.
            let result = self.await_told(&going.told, &going.ddl)?;
            self.answered(&going.ddl, going.record, seen.start, result, going.began)?;
            return Err(error);
        }
        self.go_on(going, seen)
    }

    /// Runs the last statement of a group; the statement itself when it has not ended soon and may go on. It
    /// may where all tables that `about` names can wait: its own, and those of the source's statement when it
    /// runs in place of that.
    pub(super) fn give_last(
        &mut self,
        statement: &Statement,
        number: Number,
        about: &[&Statement],
        seen: &Seen<'_>,
    ) -> Result<Option<Going>> {
        let Some(names) = self.may_run_beside(about, seen) else {
            return self.run_at_target(statement, number, seen).map(|()| None);
        };
        about.iter().try_for_each(|statement| self.settle(statement))?;
        let ddl = self.target_ddl(statement, number, seen)?;
        let merged = ddl.tables.iter().any(|t| self.ctx.creator.merged.concerns(t));
        if merged || self.pieces_at_once(statement, number, seen)?.is_some() {
            return self.run_at_target(statement, number, seen).map(|()| None);
        }
        let Some(record) = self.record_to_run(&ddl, number, seen)? else { return Ok(None) };
        let mut waiting = Waiting::default();
        waiting.add_tied(&names, self.tracker.newest());
        let (began, told) = (Instant::now(), self.give(&ddl)?);
        let result = match told.recv_timeout(SOON) {
            Ok(result) => result,
            Err(RecvTimeoutError::Disconnected) => Err(panicked()),
            Err(RecvTimeoutError::Timeout) => {
                let apart = self.apart(statement, number, seen)?;
                return Ok(Some(Going { ddl, record, told, began, names, waiting, apart }));
            }
        };
        match self.answered(&ddl, record, seen.start, result, began) {
            Ok(()) => self.group.statements.push(record),
            Err(error) => self.in_pieces_after(error, statement, number, seen)?,
        }
        Ok(None)
    }

    /// The tables that have to wait for statements; `None` when everything has to.
    fn may_run_beside(&self, about: &[&Statement], seen: &Seen<'_>) -> Option<Vec<TableName>> {
        let target = self.ctx.sink.guarantees();
        let told_by_marks = target.exactly_once && target.fenced && !target.transactional_ddl;
        let alone = matches!(self.ctx.creator.part, LanePart::All) && !self.ctx.settings.in_order;
        if !told_by_marks || target.one_writer || !alone || seen.in_txn {
            return None;
        }
        let names: Option<Vec<_>> = about.iter().map(|statement| named(statement)).collect();
        names.map(|names| names.concat())
    }

    /// Ends the group of a statement that runs on. What it changes is tracked already.
    pub(super) fn go_on(&mut self, going: Going, seen: &Seen<'_>) -> Result {
        let Going { ddl, record, told, began, names, mut waiting, apart } = going;
        names.iter().for_each(|name| waiting.add(name, None));
        // Keys that it makes tie tables as well.
        waiting.add_tied(&names, self.tracker.newest());
        ddl.tables.iter().for_each(|target| waiting.add_target(target));
        self.drop_pending()?;
        // A restart asks all of them how far the group has come.
        let mut records = std::mem::take(&mut self.group.statements);
        records.push(record);
        let place = Place::of(seen, self.executed.as_ref());
        let (group, position) = self.end_group(seen.end)?;
        self.progress.park(group.ordinal, position.clone(), group.at);
        log::info!("rows of other tables go on while the target runs {:?}", short(&ddl.sql));
        self.beside = Some(Beside {
            ordinal: group.ordinal,
            position,
            at: group.at,
            records,
            ddl,
            told,
            began,
            place,
            apart,
            changes: LaneChanges::default(),
            waiting,
            aside: VecDeque::new(),
            bytes: 0,
        });
        self.report(self.progress.low(), self.saved.elapsed());
        Ok(())
    }

    /// True while a statement goes on.
    pub(super) fn goes_on(&self) -> bool {
        self.beside.is_some()
    }

    /// Leaves a statement that goes on to the next run.
    pub(super) fn abandon_beside(&mut self) {
        if let Some(beside) = self.beside.take() {
            log::warn!("stopped while the target runs {:?}: it runs on", beside.text());
        }
    }

    /// What the next checkpoint would save belongs to the group of a statement that goes on: it is saved with
    /// that. All of it must.
    pub(super) fn defer_changes(&mut self) {
        if let Some(beside) = self.beside.as_mut() {
            beside.changes.append(std::mem::take(&mut self.changes));
        }
    }

    /// What is counted with the group of a statement, now or when it has ended.
    pub(super) fn count_skipped(&mut self, skipped: Skipped) {
        let changes = self.beside.as_mut().map_or(&mut self.changes, |b| &mut b.changes);
        changes.skipped.push(skipped);
    }

    /// Looks whether the statement has ended, between two events.
    pub(super) fn look_beside(&mut self) -> Result {
        let Some(beside) = &self.beside else { return Ok(()) };
        match beside.told.try_recv() {
            Ok(result) => self.ended_beside(result),
            Err(TryRecvError::Disconnected) => self.ended_beside(Err(panicked())),
            Err(TryRecvError::Empty) => Ok(()),
        }
    }

    /// Waits until the statement has ended and what waited for it is handed out.
    pub(super) fn end_beside(&mut self) -> Result {
        let Some(beside) = &self.beside else { return Ok(()) };
        let result = self.await_told(&beside.told, &beside.ddl)?;
        self.ended_beside(result)
    }

    fn ended_beside(&mut self, result: Result<DdlOutcome>) -> Result {
        let aside = self.record_beside(result)?;
        self.hand_out_aside(aside)
    }

    /// The end of a run: the statement may end until `deadline`, else it is left to the next start.
    pub(super) fn close_beside(&mut self, deadline: Instant) -> Result {
        while let Some(beside) = &self.beside {
            let left = deadline.saturating_duration_since(Instant::now());
            match beside.told.recv_timeout(left.min(super::PATIENCE)) {
                // What was set aside is read again.
                Ok(result) => return self.record_beside(result).map(drop),
                Err(RecvTimeoutError::Disconnected) => {
                    return self.record_beside(Err(panicked())).map(drop);
                }
                Err(RecvTimeoutError::Timeout) if self.progress.failure().is_some() => break,
                Err(RecvTimeoutError::Timeout) if left.is_zero() => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        self.abandon_beside();
        Ok(())
    }

    /// Saves that the statement has ended and lets the low-water mark pass it; what waited for it.
    fn record_beside(&mut self, result: Result<DdlOutcome>) -> Result<VecDeque<(Group, Position)>> {
        let Some(beside) = self.beside.take() else { return Ok(VecDeque::new()) };
        let Beside {
            ordinal, position, at, mut records, ddl, began, place, changes, aside, ..
        } = beside;
        let record = records.last().copied().unwrap_or_default();
        let answered = self.answered(&ddl, record, &place.start, result, began).or_else(|error| {
            records.extend(self.pieces_beside(error, beside.apart, &place)?);
            Ok(())
        });
        answered.map_err(|error| self.located_beside(error, &place))?;
        self.changes.append(changes);
        self.changes.finished_ddl.extend(records);
        self.save_upto(Low { ordinal, position, at })?;
        self.progress.done([ordinal]);
        self.tables.forget();
        self.ctx.stats.ddl();
        Ok(aside)
    }

    /// The error of the statement itself, wherever the reader is by now.
    fn located_beside(&self, error: Error, place: &Place) -> Error {
        let query = QueryEvent::of("", Vec::new());
        let error = self.with_commands(error, &place.seen(&query, 0)).origin(&place.text);
        super::located(error, &place.start, &place.end, place.executed.as_ref())
    }

    /// True when rows of a carried table wait for the statement.
    pub(super) fn waits(&self, rows: &RowsBody) -> bool {
        let Some(beside) = &self.beside else { return false };
        let table = rows.table();
        // Behind rows that wait everything of their transaction does.
        !self.group.aside.is_empty()
            || beside.waiting.has(table, self.tables.target(table).as_ref())
    }

    /// Keeps rows until the statement has ended.
    pub(super) fn set_aside(&mut self, event: Event) -> Result {
        let Some(beside) = self.beside.as_mut() else {
            return self.plan_rows(event.rows, &event.start, &event.end, event.at);
        };
        if self.group.aside.is_empty() {
            for block in &self.group.blocks {
                beside.waiting.add(&block.plan.source.table, Some(&block.plan.target));
            }
        }
        let table = event.rows.table();
        beside.waiting.add(table, self.tables.target(table).as_ref());
        self.group.aside_bytes += match &event.rows {
            RowsBody::Binlog(rows) => rows.byte_len() + 512,
            RowsBody::Owned { rows, .. } => rows.len() * 128,
        };
        self.group.aside.push(event);
        let settings = &self.ctx.settings;
        let most = settings.max_bytes / ASIDE_SHARE;
        if self.group.aside_bytes + self.group.bytes > settings.large_bytes / 2
            || beside.bytes + self.group.aside_bytes > most
        {
            return self.end_beside();
        }
        Ok(())
    }

    /// The open transaction, of which rows are set aside, is committed.
    pub(super) fn keep_aside(&mut self, end: &BinlogPos) -> Result {
        let (mut group, position) = self.end_group(end)?;
        self.progress.park(group.ordinal, position.clone(), group.at);
        group.parked = true;
        let Some(beside) = self.beside.as_mut() else {
            return self.hand_out_aside([(group, position)].into());
        };
        beside.bytes += group.aside_bytes + group.bytes;
        beside.aside.push_back((group, position));
        if beside.aside.len() >= MOST_ASIDE { self.end_beside() } else { Ok(()) }
    }

    /// Before a transaction is handed out: not too many may be ahead of the low-water mark.
    pub(super) fn bound_ahead(&mut self) -> Result {
        if self.progress.under_way().1 < MOST_AHEAD {
            return Ok(());
        }
        self.end_beside()?;
        if self.xa.values().any(|held| held.holds_back()) { self.save() } else { Ok(()) }
    }

    /// Hands out what was set aside, and plans what is of the open transaction.
    fn hand_out_aside(&mut self, aside: VecDeque<(Group, Position)>) -> Result {
        let open = std::mem::take(&mut self.group);
        let handed_out = aside.into_iter().try_for_each(|(group, position)| {
            self.group = group;
            self.plan_aside()?;
            if self.group.large {
                self.send_part(None)?;
            }
            let group = std::mem::take(&mut self.group);
            self.commit_group(group, position)
        });
        self.group = open;
        handed_out?;
        self.plan_aside()
    }

    fn plan_aside(&mut self) -> Result {
        self.group.aside_bytes = 0;
        for event in std::mem::take(&mut self.group.aside) {
            let Event { rows, start, end, at } = event;
            // What was known of the tables has been forgotten.
            if self.tables.is_carried(rows.table())? {
                self.plan_rows(rows, &start, &end, at)
                    .map_err(|e| super::located(e.at_rows(&start), &start, &end, None))?;
            }
        }
        Ok(())
    }
}

/// A statement that was given to the target and has not ended soon.
pub(super) struct Going {
    ddl: TargetDdl,
    record: i64,
    told: Told,
    began: Instant,
    /// What it is about.
    names: Vec<TableName>,
    /// What foreign keys tied to that before it.
    waiting: Waiting,
    /// How to run it in pieces when it is refused.
    apart: Option<Apart>,
}
