//! Running a statement at the target, exactly once.
//!
//! Guarantee: a statement that changes structures runs once, whatever dies when. Obstacle: it commits
//! on its own, apart from rows and checkpoint. Method: everything before it is waited for; its record
//! with the structures before goes to the state file; then it runs; the record goes with the checkpoint
//! behind it. A restart that finds the record compares the structures ([`super::outcome`]), unless the
//! sink marks the statement itself ([`crate::sink::Sink::runs_once`]): then it is given again. Behind a
//! sink that remembers all statements the checkpoint is saved when it has to be: before rows. A record
//! belongs to its text: one that was left by another statement at the same place (an operator has
//! replaced it since) is dropped, because the operator's word is later than it.

use std::sync::atomic::Ordering;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::Stream;
use super::outcome::{
    ambiguous, expected, may_run_again, moves, over_duplicates, ran_at_any, reread, same,
    same_texts, short, structures, without_schema,
};
use super::statement::{Seen, judged};
use crate::binlog::charset;
use crate::ddl::{Body, Statement, StatementKind as K, parse};
use crate::error::{Error, Result, codes};
use crate::position::{BinlogPos, Gtid, Position};
use crate::schema::Stands;
use crate::sink::{DdlOutcome, TargetDdl};
use crate::state::{DdlRecord, NewDdl, Skipped};
use xxhash_rust::xxh3::xxh3_64;

/// Server errors which say that a statement's effect is there already. They count as success
/// only for a target table into which several source tables are merged: each of them brings the
/// same statement; or it makes one of them like another one (1066), which are one table there.
const ALREADY_SO: &[u16] =
    &[1007, 1008, 1050, 1051, 1054, 1060, 1061, 1066, 1068, 1091, 1146, 1176, 1507, 1517];

/// Bits of [`TargetDdl::once`] below the number of a statement within its group.
const WITHIN_GROUP: u32 = 52;
/// Bits of that number below the slot.
const WITHIN_SLOT: u32 = 6;

/// Which statement of a group one is: several may run where the source has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    slot: u64,
    /// 0 for a statement of the source.
    given: u64,
}

impl Number {
    /// A statement of the source, in its slot.
    pub fn own(slot: u64) -> Self {
        Self { slot, given: 0 }
    }

    /// One that was given in its place, the `count`th of the group, from 1.
    pub fn given(slot: u64, count: u64) -> Self {
        Self { slot, given: count }
    }

    /// With the group's number; with its GTID instead where it has one, as another server has it under
    /// another number.
    fn of_group(self, ordinal: u64, gtid: Option<&Gtid>) -> u64 {
        let group = match gtid {
            Some(gtid) => xxh3_64(gtid.to_string().as_bytes()) & ((1 << WITHIN_GROUP) - 1),
            None => ordinal,
        };
        group | (self.slot << WITHIN_SLOT | self.given) << WITHIN_GROUP
    }
}

impl Stream<'_> {
    /// What is skipped is counted with the end of its group.
    pub(super) fn count_skipped(&mut self, skipped: Skipped) {
        self.group.changes().skipped.push(skipped);
    }

    /// The record of a statement that is to run now; `None` for one that has run.
    pub(super) fn record_to_run(
        &mut self,
        ddl: &TargetDdl,
        number: Number,
        start: &BinlogPos,
    ) -> Result<Option<i64>> {
        let gone_on = number.given == 0 && self.has_gone_on_behind(number.slot)?;
        match self.take_pending(&ddl.sql)? {
            // What follows in this group has begun: this one has run.
            Some(record) if gone_on || self.is_pending() => {
                self.group.statements.push(record.id);
                Ok(None)
            }
            None if gone_on => Ok(None),
            Some(record) => match self.compare(&record, ddl)? {
                Ran::Yes => Ok(None),
                Ran::No => Ok(Some(record.id)),
            },
            None => self.begin_record(ddl, start).map(Some),
        }
    }

    /// The source made a table, so it was not there: what is tracked under its name is left over from a
    /// statement that was not tracked (one that was excluded, or could not be read).
    pub(super) fn forget_what_cannot_be(&mut self, statement: &Statement, stands: &Stands) {
        if let Body::CreateTable(create) = &statement.body
            && !create.if_not_exists
            && !create.or_replace
            && let Some(subject) = statement.subject()
        {
            self.tracker.remove(&subject.name, self.group.ordinal, stands.until.as_ref());
        }
    }

    fn begin_record(&self, ddl: &TargetDdl, start: &BinlogPos) -> Result<i64> {
        let mut before = Vec::with_capacity(ddl.tables.len());
        for table in ddl.tables.iter().filter(|t| !t.table.is_empty()) {
            before.push((table.clone(), self.ctx.sink.show_create(table)?));
        }
        self.ctx.state.begin_ddl(
            &self.ctx.lane,
            &NewDdl {
                ordinal: self.group.ordinal,
                gtid: self.group.gtid.clone(),
                position: Position { binlog: Some(start.clone()), gtid: self.executed.clone() },
                sql: ddl.sql.clone(),
                before,
            },
            self.ctx.sink.guarantees().transactional_ddl,
        )
    }

    /// What the target's answer to a recorded statement means. After an error it has not run, or nobody
    /// knows.
    pub(super) fn answered(
        &mut self,
        ddl: &TargetDdl,
        record: i64,
        start: &BinlogPos,
        result: Result<DdlOutcome>,
        began: Instant,
    ) -> Result {
        let merged = ddl.tables.iter().any(|t| self.ctx.creator.merged.contains(t));
        let meters = &self.ctx.stats.meters;
        meters.added_ddls.fetch_add(1, Ordering::Relaxed);
        meters.ddl.took(began.elapsed(), 1);
        self.ctx.rate.slow().note(began.elapsed(), || format!("{:?}, at {start}", short(&ddl.sql)));
        match result {
            Ok(DdlOutcome::Done) => {}
            Ok(DdlOutcome::Skipped(why)) => {
                log::warn!("the target does without {:?}: {why}", short(&ddl.sql));
                self.count_skipped(Skipped::one("not needed by the target", start));
            }
            Err(error)
                if merged && error.server_error().is_some_and(|n| ALREADY_SO.contains(&n)) =>
            {
                log::info!("merged target: {:?} is so already: {error}", short(&ddl.sql));
            }
            Err(error) => {
                // A refused statement did not run; after a broken connection nobody knows.
                if !error.is_transient() {
                    self.ctx.state.remove_ddl(record)?;
                }
                return Err(without_schema(over_duplicates(error), &ddl.tables));
            }
        }
        Ok(())
    }

    /// Runs a statement on a thread of its own: a stop must not wait for hours, and the statement
    /// must not be killed. The next start waits until it has ended and finds out what became of it.
    pub(super) fn give(&self, ddl: &TargetDdl) -> Result<Told> {
        let (tell, told) = crossbeam_channel::bounded(1);
        let (sink, theirs) = (std::sync::Arc::clone(&self.ctx.sink), ddl.clone());
        std::thread::Builder::new()
            .name("dm-statement".to_owned())
            .spawn(crate::whose::carried(move || {
                // Nobody may listen any more.
                let _ = tell.send(sink.execute_ddl(&theirs));
            }))
            .map_err(|e| Error::new(&codes::SYNC_PANIC, "a thread could not start").cause(e))?;
        Ok(told)
    }

    /// Waits for the target's answer to a statement. An error says that nobody waits any more.
    pub(super) fn await_told(&self, told: &Told, ddl: &TargetDdl) -> Result<Result<DdlOutcome>> {
        let mut patience = super::STOP_PATIENCE;
        let mut said = false;
        loop {
            match told.recv_timeout(super::PATIENCE) {
                Ok(result) => return Ok(result),
                Err(RecvTimeoutError::Timeout) => {
                    if !std::mem::replace(&mut said, true) {
                        self.report_statement(short(&ddl.sql));
                    }
                    if let Some(failure) = self.progress.failure() {
                        return Err(failure);
                    }
                    if self.ctx.stop.load(std::sync::atomic::Ordering::Relaxed) {
                        patience = patience.saturating_sub(super::PATIENCE);
                    }
                    if patience.is_zero() {
                        log::warn!(
                            "stopped while the target runs {:?}: it runs on",
                            short(&ddl.sql)
                        );
                        // Transient: its record stays for the next start.
                        return Err(Error::new(
                            &codes::STOPPED,
                            "stopped while a statement runs at the target",
                        )
                        .transient());
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(Err(panicked())),
            }
        }
    }

    /// A statement in the target's names and words.
    pub(super) fn target_ddl(
        &self,
        statement: &Statement,
        number: Number,
        seen: &Seen<'_>,
    ) -> Result<TargetDdl> {
        let reread_or = |text: Option<String>, otherwise: Statement| match text {
            Some(text) => parse(&text, &statement.context),
            None => Ok(otherwise),
        };
        let bare = reread_or(statement.without_start_transaction(), statement.clone())?;
        // As DM does; other statements keep the condition that their author gave them.
        let conditional = match bare.kind {
            K::CreateTable | K::DropTable | K::CreateDatabase | K::DropDatabase => {
                reread_or(bare.with_condition(), bare)?
            }
            _ => bare,
        };
        let defaults = self.tracker.newest().defaults();
        let conditional = match self.ctx.creator.collations {
            Some(_) => {
                let text = conditional
                    .with_collations(|charset| defaults.collation_of(charset), &defaults.collation);
                reread_or(text, conditional)?
            }
            None => conditional,
        };
        let mut tables = Vec::new();
        for name in judged(statement) {
            let target = self.ctx.creator.place(&name)?;
            if !tables.contains(&target) {
                tables.push(target);
            }
        }
        let vars = &seen.query.vars;
        let collation = vars.charset.and_then(|c| charset::by_id(c.server));
        let of_utf8mb4 = vars.default_collation_for_utf8mb4.and_then(charset::by_id);
        let name = |c: &'static charset::Collation| c.name(self.ctx.info.flavor).to_owned();
        // A source that tells its sessions, and a statement that may make columns.
        let stamps =
            vars.charset.is_some() && matches!(conditional.kind, K::CreateTable | K::AlterTable);
        self.ctx.sink.adapt(TargetDdl {
            sql: self.ctx.creator.splice(&conditional)?,
            lane: Some((self.ctx.task.clone(), self.ctx.lane.clone())),
            once: (conditional.kind == K::RenameTable
                || self.ctx.sink.guarantees().transactional_ddl)
                .then_some(number.of_group(self.group.ordinal, self.group.gtid.as_ref())),
            schema: String::new(),
            tables,
            at: seen.at,
            microseconds: vars.microseconds.unwrap_or(0),
            sql_mode: Some(statement.context.sql_mode.to_string()),
            time_zone: vars.time_zone.clone(),
            system_offset: match vars.time_zone.as_deref() {
                Some("SYSTEM") => self.ctx.source.system_offset(seen.at)?,
                _ => None,
            },
            collation_server: collation.map(name),
            utf8mb4_collation: of_utf8mb4.map(name),
            explicit_defaults_for_timestamp: stamps
                .then_some(defaults.explicit_defaults_for_timestamp),
            from: Some(self.ctx.info.flavor),
        })
    }

    /// The record of this statement, when it was under way as the task died. Records of earlier ones of
    /// its group are dropped, and when it has none itself, all others are.
    fn take_pending(&mut self, sql: &str) -> Result<Option<DdlRecord>> {
        let Some(at) = self.pending.iter().position(|p| self.is_of_group(p) && p.ddl.sql == sql)
        else {
            self.drop_pending()?;
            return Ok(None);
        };
        let record = self.pending.remove(at);
        let (earlier, kept) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|p| self.is_of_group(p) && p.id < record.id);
        self.pending = kept;
        self.drop_records(earlier)?;
        Ok(Some(record))
    }

    /// By the GTID where there is one: another server may have the group under another number.
    fn is_of_group(&self, record: &DdlRecord) -> bool {
        match (&record.ddl.gtid, &self.group.gtid) {
            (Some(record), Some(group)) => record == group,
            _ => record.ddl.ordinal == self.group.ordinal,
        }
    }

    /// True when something was under way in this group as the task died.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.iter().any(|p| self.is_of_group(p))
    }

    /// True when a statement of this text was under way in this group as the task died.
    pub(super) fn is_noted(&self, sql: &str) -> bool {
        self.pending.iter().any(|p| self.is_of_group(p) && p.ddl.sql == sql)
    }

    /// Nothing that was under way in this group is waited for any more: somebody has decided.
    pub(super) fn drop_pending(&mut self) -> Result {
        let (dropped, kept) =
            std::mem::take(&mut self.pending).into_iter().partition(|p| self.is_of_group(p));
        self.pending = kept;
        self.drop_records(dropped)
    }

    /// At once, so that none of them is taken for one that was begun later.
    fn drop_records(&self, records: Vec<DdlRecord>) -> Result {
        for record in records {
            log::warn!("whether it ran does not matter any more: {:?}", short(&record.ddl.sql));
            self.ctx.state.remove_ddl(record.id)?;
        }
        Ok(())
    }

    /// Whether a statement that was under way when the task died has run.
    fn compare(&mut self, record: &DdlRecord, ddl: &TargetDdl) -> Result<Ran> {
        if let Err(error) = self.ctx.sink.await_ddl(ddl, &self.ctx.stop) {
            if error.code() == &codes::ASYNC_DDL_CANCELLED {
                // It did not run. Whoever starts the task again wants it to.
                self.ctx.state.remove_ddl(record.id)?;
            }
            return Err(error);
        }
        // Its mark tells, now that it does not run any more.
        if self.ctx.sink.runs_once(ddl) {
            return Ok(Ran::No);
        }
        let before = structures(record.ddl.before.iter().map(|(t, s)| (t, s.clone())))?;
        let mut texts = Vec::new();
        for (table, _) in &record.ddl.before {
            texts.push((table, self.ctx.sink.show_create(table)?));
        }
        let was = record.ddl.before.iter().map(|(_, text)| text.as_deref());
        let reworded = !same_texts(was, texts.iter().map(|(_, text)| text.as_deref()));
        let now = structures(texts.into_iter())?;
        let statement = reread(&record.ddl.sql, ddl.sql_mode.as_deref())?;
        let after = expected(&before, &statement)?;
        if record.ddl.before.is_empty() {
            // A schema: its statement says IF [NOT] EXISTS.
            return Ok(Ran::No);
        }
        let Some(first) = after.first() else { return Ok(Ran::No) };
        match ran_at_any(&before, &after, &now) {
            Some(true) => {
                self.group.statements.push(record.id);
                Ok(Ran::Yes)
            }
            Some(false) => Ok(Ran::No),
            // A part of it may have happened (not every server drops several tables in one step), or what the
            // target shows may be another version's words.
            None if may_run_again(&statement) => Ok(Ran::No),
            // What it changes is not in the structures (partitions, how rows are stored): the target's
            // own words tell. Where these are the same, running it twice is harmless, unless names or rows
            // change places.
            None if same(&before, first) && reworded => {
                self.group.statements.push(record.id);
                Ok(Ran::Yes)
            }
            None if same(&before, first) && !moves(&statement) => Ok(Ran::No),
            None => Err(ambiguous(&record.ddl.sql, &before, first, &now)),
        }
    }
}

enum Ran {
    Yes,
    No,
}

/// Where the target's answer to a statement arrives.
pub(super) type Told = Receiver<Result<DdlOutcome>>;

/// Whether it ran is not known: its record stays.
pub(super) fn panicked() -> Error {
    Error::new(&codes::SYNC_PANIC, "the thread of a statement panicked").transient()
}
