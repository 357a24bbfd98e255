//! Statements that take long run beside the rows of other tables.
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
//!   has not ended soon, its group becomes a *barrier*: what else the group runs (a list that was given, the other
//!   statements of a rename, pieces) becomes its steps (`steps`), each of which begins when the one before it has
//!   ended. The number of the group is registered as one that is not in, so the low-water mark stays right in
//!   front of it, and every mark and checkpoint with it. What it changes in the tracker the next checkpoints do
//!   not save, as it lies behind their place ([`crate::schema::Timeline`]); what else it changes stays with its
//!   group.
//! - The tables that its statements name (all tables of a schema, where they name that), those that foreign keys
//!   tie to them, and whatever goes to the same target tables *wait* (`waiting`). A transaction with rows of a
//!   waiting table is set aside as it was read, whole, and all its tables wait from then on. So of two
//!   transactions that share a table the later one never overtakes the earlier one, and keys of different
//!   tables have nothing to do with each other: no key needs to be known of what is set aside. It is planned
//!   when the statement has ended, by the structures of its place.
//! - The next statement, on whatever tables, becomes a barrier behind the first one, and its tables wait as well.
//!   What is read from then on and waits for any of them is set aside behind it.
//! - When the last step of the first barrier has ended, one commit of the state file has the position behind it, its
//!   structures, and not its records any more. Only then its number counts as in, and the low-water mark of
//!   checkpoints and marks may pass it. Then what was set aside between it and the next barrier is handed out, in
//!   its order, and when that and all else before the next one is in, the next one begins.
//! - XA waits for the end of all, and so does everything behind it: nothing is kept as prepared whose rows belong
//!   behind a barrier.
//!
//! Handing transactions out in another order than that of their numbers makes no circle of waits: each waits
//! for such only that were handed out before it.
//!
//! A restart reads again from the low-water mark, so it meets the first barrier first: its records and the
//! target's structures tell what of it has run (`execute`), the fence of its lane makes the restart wait
//! while a statement still runs, and what of the transactions behind it is in, the marks name. Rows of waiting tables
//! behind a barrier are never in unless the checkpoint behind it is; and of the barriers behind the first nothing
//! has begun.
//!
//! Bounds: bytes and number of what is set aside and of barriers, and how many transactions may be ahead of the
//! low-water mark. At a bound the reader waits for the end of the first barrier.
//!
//! Everything waits, as before,
//!
//! - for CREATE TABLE ... SELECT: its rows stand in its own group, and only the end of a group is a place to
//!   go on from. At the target it makes an empty table, which takes no time;
//! - for statements that an operator wants to be run before rows, as these rows stand behind all before them;
//! - where several source tables are merged into the target table: whether the target is "already so" may be
//!   the work of another lane, whose rows know nothing of what waits here;
//! - for statements on sequences of MariaDB, of which nothing is tracked, and at texts that cannot be read;
//! - in a lane that shares its source with others, at targets that have one writer or cannot tell what is in
//!   after a crash, where the source's order of commits is asked for, and behind a place up to which the copy
//!   or a run without marks may have written.
//!
//! What was given runs in place of the source's statement: the tables of both wait, and the source's is what is
//! tracked.
//!
//! A RENAME TABLE carries a mark of its own: the marker table changes its name in the same step. That is of
//! this statement's number and text alone, and no row's mark has to do with it. So a restart asks the marker
//! as it always does, when the fence has let it through, and what went on meanwhile changes nothing about the
//! answer. A statement on a schema has no structures to compare and is one that may run again (IF \[NOT\]
//! EXISTS, or ALTER DATABASE): a restart gives it again. That does no harm because nothing behind it in its
//! schema, rows or statements, can be in: all wait by the schema's name, at the source and at the target.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, TryRecvError};
use dm_filter::TableName;

use super::Stream;
use super::aside::Aside;
use super::barriers::{Barrier, Beside, Closed};
use super::execute::panicked;
use super::operator::Given;
use super::statement::{Seen, judged};
use super::steps::{Order, Running};
use super::waiting::named;
use crate::binlog::QueryEvent;
use crate::ddl::{Statement, StatementKind};
use crate::error::{Error, Result, codes};
use crate::pipeline::LanePart;
use crate::pipeline::progress::Low;
use crate::position::BinlogPos;
use crate::sink::DdlOutcome;

impl Stream<'_> {
    /// Runs a statement at the target behind everything before it, unless it has run. When it has not ended
    /// soon and may go on beside rows, its group is a barrier from then on.
    pub(super) fn run_at_target(&mut self, order: Order<'_>, seen: &Seen<'_>) -> Result {
        let Some(names) = self.may_run_beside(&order, seen)? else {
            self.end_beside()?;
            self.settle(order.statement)?;
            let mut steps = self.steps(order, seen)?;
            return self.go_through(&mut steps, false).map(drop);
        };
        order.about.into_iter().flatten().try_for_each(|statement| self.settle(statement))?;
        let given = order.of_list.as_ref().map(|of| of.given.clone());
        let mut steps = self.steps(order, seen)?;
        let tracker = self.tracker.newest();
        let ordinal = self.group.ordinal;
        if let Some(beside) = self.beside.as_mut() {
            let barrier = beside.of_open_group(ordinal);
            barrier.add(steps, names, tracker);
            barrier.given = given.or(barrier.given.take());
            beside.grown();
            return Ok(());
        }
        let mut first = Barrier::new(ordinal);
        first.add(VecDeque::new(), names, tracker);
        if let Some(running) = self.go_through(&mut steps, true)? {
            first.add_targets(&running.step);
            first.add_steps(steps);
            first.given = given;
            log::info!("rows of other tables go on while the target runs {:?}", running.text());
            self.beside = Some(Beside::new(running, first, VecDeque::new()));
            self.report(self.progress.low(), self.saved.elapsed());
        }
        Ok(())
    }

    /// The tables that have to wait for a statement; `None` when everything has to.
    fn may_run_beside(&self, order: &Order<'_>, seen: &Seen<'_>) -> Result<Option<Vec<TableName>>> {
        let target = self.ctx.sink.guarantees();
        let told_by_marks = target.exactly_once && target.fenced && !target.transactional_ddl;
        let alone = matches!(self.ctx.creator.part, LanePart::All) && !self.ctx.settings.in_order;
        if !told_by_marks || target.one_writer || !alone || seen.in_txn {
            return Ok(None);
        }
        let Some(about) = order.about else { return Ok(None) };
        if self.asks_the_target(order.statement)? {
            return Ok(None);
        }
        for name in about.iter().flat_map(|statement| judged(statement)) {
            if self.ctx.creator.merged.concerns(&self.ctx.creator.place(&name)?) {
                return Ok(None);
            }
        }
        let names: Option<Vec<_>> = about.iter().map(|statement| named(statement)).collect();
        Ok(names.map(|names| names.concat()))
    }

    /// True for a statement that may stand behind one that runs beside rows; its own tables wait then, too.
    pub(super) fn may_stand_behind(&self, parsed: &Result<Statement>, end: &BinlogPos) -> bool {
        let Ok(statement) = parsed else { return false };
        match statement.kind {
            // What a transaction takes back was set aside with the rest of it.
            StatementKind::Savepoint | StatementKind::Rollback => true,
            StatementKind::Xa => false,
            // What is before it would have to be saved at its place.
            _ => {
                !self.group.in_txn
                    && self.windows.is_empty()
                    && self.unmarked.is_none()
                    && !self.is_copied(end)
            }
        }
    }

    /// True while a statement goes on.
    pub(super) fn goes_on(&self) -> bool {
        self.beside.is_some()
    }

    /// True when the open group is a barrier.
    pub(super) fn is_beside(&self) -> bool {
        self.beside.as_ref().is_some_and(|beside| beside.last().closed.is_none())
    }

    /// How far the lists of the open group will have come, where that is not saved yet.
    pub(super) fn given_so_far(&self) -> Option<&Given> {
        let last = self.beside.as_ref()?.last();
        last.given.as_ref().filter(|_| last.closed.is_none())
    }

    /// A statement of the source has run, or will have.
    pub(super) fn count_ddl(&mut self) {
        match self.beside.as_mut().and_then(Beside::open) {
            Some(barrier) => barrier.statements += 1,
            None => self.ctx.stats.ddl(),
        }
    }

    /// The end of a group that is a barrier, or stands behind one and has something to be saved.
    pub(super) fn close_barrier(&mut self, seen: &Seen<'_>) -> Result {
        self.drop_pending()?;
        let executed = self.executed.clone();
        let (group, position) = self.close_group(seen.end)?;
        self.progress.park(group.ordinal, position.clone(), group.at);
        let Some(beside) = self.beside.as_mut() else { return Ok(()) };
        let barrier = beside.of_open_group(group.ordinal);
        barrier.add_tied(self.tracker.newest());
        barrier.closed = Some(Closed {
            group,
            position,
            executed,
            text: seen.text.to_owned(),
            start: seen.start.clone(),
            end: seen.end.clone(),
        });
        beside.grown();
        self.bound_aside()
    }

    /// The open group has failed. What of it the target has been given ends first, as it would have before.
    pub(super) fn leave_open(&mut self, error: Error) -> Error {
        let Some(beside) = self.beside.as_mut().filter(|b| b.last().closed.is_none()) else {
            return error;
        };
        if beside.behind.pop_back().is_some() {
            return error;
        }
        if error.is_transient() || error.code() == &codes::STOPPED {
            self.abandon_beside();
            return error;
        }
        self.end_beside().err().unwrap_or(error)
    }

    /// Leaves a statement that goes on to the next run.
    fn abandon_beside(&mut self) {
        if let Some(beside) = self.beside.take() {
            log::warn!("stopped while the target runs {:?}: it runs on", beside.running.text());
        }
    }

    /// Looks whether the statement has ended, between two events.
    pub(super) fn look_beside(&mut self) -> Result {
        let Some(beside) = &self.beside else { return Ok(()) };
        if self.group.large {
            // What waits is not handed out beside a transaction that is sent while it is read.
            return Ok(());
        }
        match beside.running.told.try_recv() {
            Ok(result) => self.ended_beside(result),
            Err(TryRecvError::Disconnected) => self.ended_beside(Err(panicked())),
            Err(TryRecvError::Empty) => Ok(()),
        }
    }

    /// Waits until all barriers have ended and what waited for them is handed out.
    pub(super) fn end_beside(&mut self) -> Result {
        while self.goes_on() {
            self.end_first()?;
        }
        Ok(())
    }

    /// Waits until the first barrier has ended.
    pub(super) fn end_first(&mut self) -> Result {
        let first = self.beside.as_ref().map(|beside| beside.first.ordinal);
        while let Some(beside) = &self.beside
            && first == Some(beside.first.ordinal)
        {
            let result = self.await_told(&beside.running.told, &beside.running.step.ddl)?;
            self.ended_beside(result)?;
        }
        Ok(())
    }

    /// What runs has ended: goes on up to the next step that does not end soon.
    fn ended_beside(&mut self, result: Result<DdlOutcome>) -> Result {
        let Some(Beside { running, first, mut behind, .. }) = self.beside.take() else {
            return Ok(());
        };
        let mut ended = Some((running, result));
        let mut next = Some(first);
        while let Some(mut barrier) = next.take() {
            if ended.is_none() {
                // Also what was set aside in front of it.
                self.progress.wait_settled(barrier.ordinal - 1, None)?;
            }
            if let Some(running) = self.step_on(&mut barrier, ended.take(), true)? {
                self.beside = Some(Beside::new(running, barrier, behind));
                return Ok(());
            }
            let aside = self.record_beside(barrier)?;
            self.hand_out_aside(aside)?;
            next = behind.pop_front();
        }
        self.plan_aside()
    }

    /// Goes through the steps of a barrier in its place: with its group, and what had been executed before it.
    /// What runs then.
    fn step_on(
        &mut self,
        barrier: &mut Barrier,
        ended: Option<(Running, Result<DdlOutcome>)>,
        may_begin: bool,
    ) -> Result<Option<Running>> {
        if let Some(closed) = barrier.closed.as_mut() {
            std::mem::swap(&mut self.group, &mut closed.group);
            std::mem::swap(&mut self.executed, &mut closed.executed);
        }
        let steps = &mut barrier.steps;
        let ended = match ended {
            Some((running, result)) => self.step_over(running, result, steps),
            None => Ok(()),
        };
        let running = match ended {
            Ok(()) if may_begin => self.go_through(steps, true),
            Ok(()) => Ok(None),
            Err(error) => Err(error),
        };
        let Some(closed) = barrier.closed.as_mut() else { return running };
        std::mem::swap(&mut self.group, &mut closed.group);
        std::mem::swap(&mut self.executed, &mut closed.executed);
        running.map_err(|error| self.located_beside(error, closed))
    }

    /// The end of a run: the first barrier may end until `deadline`, else it is left to the next start.
    pub(super) fn close_beside(&mut self, deadline: Instant) -> Result {
        while let Some(beside) = &self.beside {
            let left = deadline.saturating_duration_since(Instant::now());
            let result = match beside.running.told.recv_timeout(left.min(super::PATIENCE)) {
                Ok(result) => result,
                Err(RecvTimeoutError::Disconnected) => Err(panicked()),
                Err(RecvTimeoutError::Timeout) if self.progress.failure().is_some() => break,
                Err(RecvTimeoutError::Timeout) if left.is_zero() => break,
                Err(RecvTimeoutError::Timeout) => continue,
            };
            if self.last_word(result, left)? {
                return Ok(());
            }
        }
        self.abandon_beside();
        Ok(())
    }

    /// What runs has ended, and the run as well; true when nothing runs any more. What was set aside, and the
    /// barriers behind, are read again.
    fn last_word(&mut self, result: Result<DdlOutcome>, left: Duration) -> Result<bool> {
        let Some(Beside { running, mut first, behind, .. }) = self.beside.take() else {
            return Ok(true);
        };
        let may_begin = !left.is_zero();
        if let Some(running) = self.step_on(&mut first, Some((running, result)), may_begin)? {
            self.beside = Some(Beside::new(running, first, behind));
            return Ok(false);
        }
        if first.steps.is_empty() {
            self.record_beside(first)?;
        }
        Ok(true)
    }

    /// Saves that a barrier has ended and lets the low-water mark pass it; what waited for it. One that is
    /// still open ends with its group.
    fn record_beside(&mut self, barrier: Barrier) -> Result<Aside> {
        (0..barrier.statements).for_each(|_| self.ctx.stats.ddl());
        self.tables.forget();
        if let Some(Closed { mut group, position, .. }) = barrier.closed {
            self.save_with_next(&mut group);
            let ordinal = group.ordinal;
            self.save_upto(Low { ordinal, position, at: group.at })?;
            self.progress.done([ordinal]);
        }
        Ok(barrier.aside)
    }

    /// The error of a barrier, wherever the reader is by now.
    fn located_beside(&self, error: Error, closed: &Closed) -> Error {
        let Closed { executed, text, start, end, .. } = closed;
        let query = QueryEvent::of("", Vec::new());
        let seen = Seen { query: &query, text, start, end, at: 0, in_txn: false };
        let error = self.with_commands(error, &seen).origin(text);
        super::located(error, start, end, executed.as_ref())
    }
}
