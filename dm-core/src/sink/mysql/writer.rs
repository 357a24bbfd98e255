//! One worker's connection: batches, chunks and parts, each with its mark in one transaction.

use std::sync::Arc;

use dm_filter::TableName;

use super::group::{Expect, Grouper, Statement};
use super::plans::Plans;
use super::session::{LOOSE_SQL_MODE, ROW_SQL_MODE, Reported, Session};
use super::{Shared, fence, load};
use crate::error::{Error, Result, codes};
use crate::event::{Batch, ChunkMark, OrdinalSet, RowBlock, StreamMark};
use crate::mysql::numbers;
use crate::sink::{
    ApplyStats, BlockStream, LoadStats, LoadTarget, RowCounts, Slot, Writer, one_by_one,
};

/// Text of one packet, below every server's default `max_allowed_packet`.
const PACKET_TEXT: usize = 2 << 20;

/// A writer at a MySQL-compatible target.
pub(super) struct MysqlWriter {
    pub session: Session,
    pub shared: Arc<Shared>,
    pub slot: Slot,
    /// The number by which the mark names this writer as the slot's owner, where nothing else shuts
    /// others out.
    owner: Option<u64>,
    /// Those that were used last.
    plans: Plans,
    open: bool,
    /// The session begins a transaction with the first change: no statement and no answer for BEGIN.
    implicit: bool,
}

impl MysqlWriter {
    pub fn new(session: Session, shared: Arc<Shared>, slot: Slot, owner: Option<u64>) -> Self {
        let plans = Plans::default();
        Self { session, shared, slot, owner, plans, open: false, implicit: false }
    }

    fn statements<'b>(
        &mut self,
        blocks: impl Iterator<Item = &'b RowBlock>,
    ) -> Result<Vec<Statement>> {
        let mut grouper = Grouper::new(self.shared.statement_bytes);
        for block in blocks {
            let plan = self.plans.of(&self.shared, &block.plan)?;
            block.each(&mut |op| grouper.push(&plan, &op, block.mode))?;
        }
        Ok(grouper.finish())
    }

    /// Runs statements in as few packets as their size allows. `head` and `tail` go around them
    /// in the first and the last packet.
    fn run(
        &mut self,
        head: Option<&str>,
        mut statements: Vec<Statement>,
        tail: &[String],
    ) -> Result<ApplyStats> {
        let mut stats = ApplyStats::default();
        let mut packet = Packet::default();
        if let Some(head) = head {
            packet.push(head, None);
        }
        for part in statements.split_inclusive_mut(|s| !s.params.is_empty()) {
            let bound = part.last().is_some_and(|s| !s.params.is_empty());
            let (rest, bound) = part.split_at_mut(part.len() - usize::from(bound));
            for s in &*rest {
                if packet.text.len() + s.sql.len() > PACKET_TEXT && !packet.is_empty() {
                    self.send(&mut packet, &mut stats)?;
                }
                if s.sql.len() > PACKET_TEXT && !s.loose {
                    // One large row: not copied into a packet.
                    let reported = self.session.run(&s.sql).map_err(|(_, e)| at_table(e, s))?;
                    count(&mut stats, s, reported.first().copied().unwrap_or_default());
                    continue;
                }
                if s.loose {
                    packet.push(&loosely(), None);
                    packet.push(&s.sql, Some(s));
                    packet.push(&strictly(), None);
                } else {
                    packet.push(&s.sql, Some(s));
                }
            }
            for s in bound {
                if s.loose {
                    packet.push(&loosely(), None);
                }
                if !packet.is_empty() {
                    self.send(&mut packet, &mut stats)?;
                }
                let values = std::mem::take(&mut s.params);
                let reported =
                    self.session.exec_bound(&s.sql, values).map_err(|e| at_table(e, s))?;
                count(&mut stats, s, reported);
                if s.loose {
                    packet.push(&strictly(), None);
                }
            }
        }
        for sql in tail {
            packet.push(sql, None);
        }
        if !packet.is_empty() {
            self.send(&mut packet, &mut stats)?;
        }
        Ok(stats)
    }

    fn send(&mut self, packet: &mut Packet<'_>, stats: &mut ApplyStats) -> Result {
        let sent = std::mem::take(packet);
        for (s, r) in sent.statements.iter().zip(self.answers(&sent)?) {
            if let Some(s) = s {
                count(stats, s, r);
            }
        }
        Ok(())
    }

    fn answers(&mut self, packet: &Packet<'_>) -> Result<Vec<Reported>> {
        let mut reported = Vec::with_capacity(packet.statements.len());
        self.each_answer(packet, &mut |one| reported.push(one))?;
        Ok(reported)
    }

    fn each_answer(&mut self, packet: &Packet<'_>, told: &mut dyn FnMut(Reported)) -> Result {
        self.session.run_each(&packet.text, told).map_err(|(at, error)| {
            let table = packet.statements.get(at).and_then(|s| s.as_ref()).map(|s| &s.table);
            match table {
                Some(table) => error.context(format!("writing {table} at the target")),
                None => error.context("writing at the target"),
            }
        })
    }

    /// Sends several batches, each with its mark and commit, in as few packets as their size allows.
    fn send_each(
        &mut self,
        batches: &[(Batch, StreamMark)],
        done: &mut dyn FnMut(ApplyStats),
    ) -> Result {
        let mut parts = Vec::with_capacity(batches.len());
        for (batch, mark) in batches {
            let statements = self.statements(batch.txns.iter().flat_map(|t| &t.blocks))?;
            parts.push((statements, self.mark(mark)));
        }
        let plain = |s: &Statement| s.params.is_empty() && !s.loose;
        let text: usize = parts.iter().flat_map(|(all, _)| all).map(|s| s.sql.len()).sum();
        if text > PACKET_TEXT || !parts.iter().flat_map(|(all, _)| all).all(plain) {
            return parts
                .into_iter()
                .try_for_each(|(all, tail)| self.run(None, all, &tail).map(&mut *done));
        }
        let mut packet = Packet::default();
        // Behind the answer to its COMMIT a batch is in, whatever becomes of the next one.
        let mut ends = Vec::with_capacity(parts.len());
        for (statements, tail) in &parts {
            statements.iter().for_each(|s| packet.push(&s.sql, Some(s)));
            tail.iter().for_each(|sql| packet.push(sql, None));
            ends.push(packet.statements.len());
        }
        let (mut stats, mut answered) = (ApplyStats::default(), 0);
        let (mut sent, mut ends) = (packet.statements.iter(), ends.into_iter().peekable());
        self.each_answer(&packet, &mut |reported| {
            answered += 1;
            if let Some(Some(statement)) = sent.next() {
                count(&mut stats, statement, reported);
            }
            if ends.next_if_eq(&answered).is_some() {
                done(std::mem::take(&mut stats));
            }
        })
    }

    /// Leaves the connection without an open transaction; what it held is undone.
    fn undo(&mut self, error: Error) -> Error {
        self.open = false;
        // A broken connection is rolled back by the server itself.
        if error.is_transient() {
            return error;
        }
        let rolled_back = self.session.exec("ROLLBACK");
        let _ = self.session.exec(&strictly());
        // A server that shuts down interrupts its statements first. Where it stays, a person has done that.
        match rolled_back {
            Err(gone)
                if gone.is_transient()
                    && error.server_error() == Some(numbers::QUERY_INTERRUPTED) =>
            {
                gone
            }
            _ => error,
        }
    }

    /// Ends the open transaction with its mark.
    fn commit(&mut self, head: Option<&str>, mark: &StreamMark) -> Result {
        let Some(owner) = self.owner else {
            let tail = self.mark(mark);
            return self.run(head, Vec::new(), &tail).map(|_| ());
        };
        if let Some(head) = head {
            self.session.exec(head)?;
        }
        let write = self.shared.marks.write_owned(&self.slot.task, mark, owner);
        match self.session.exec(&write)? {
            1 => self.session.exec("COMMIT").map(|_| ()),
            _ => Err(fence::taken_over(&self.slot)),
        }
    }

    /// Sees to it that a chunk's transaction comes to nothing when the slot is somebody else's.
    pub fn keep_slot(&mut self) -> Result {
        let Some(owner) = self.owner else { return Ok(()) };
        let question = self.shared.marks.is_owner(&self.slot, owner);
        match self.session.value(&question)? {
            Some(_) => Ok(()),
            None => Err(fence::taken_over(&self.slot)),
        }
    }

    fn mark(&self, mark: &StreamMark) -> Vec<String> {
        let mut tail = Vec::with_capacity(2);
        if self.shared.marked() {
            tail.push(self.shared.marks.write(&self.slot.task, mark, self.session.id()));
        }
        tail.push("COMMIT".to_owned());
        tail
    }
}

#[derive(Default)]
struct Packet<'s> {
    text: String,
    statements: Vec<Option<&'s Statement>>,
}

impl<'s> Packet<'s> {
    fn push(&mut self, sql: &str, statement: Option<&'s Statement>) {
        if !self.text.is_empty() {
            self.text.push(';');
        }
        self.text.push_str(sql);
        self.statements.push(statement);
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

fn loosely() -> String {
    format!("SET SESSION sql_mode='{LOOSE_SQL_MODE}'")
}

fn strictly() -> String {
    format!("SET SESSION sql_mode='{ROW_SQL_MODE}'")
}

fn at_table(error: Error, statement: &Statement) -> Error {
    error.context(format!("writing {} at the target", statement.table))
}

fn count(stats: &mut ApplyStats, statement: &Statement, reported: Reported) {
    let mut found = |expected: u64| {
        if reported.rows < expected {
            stats.missing.push((statement.table.clone(), expected - reported.rows));
        }
        reported.rows.min(expected)
    };
    let mut counts = RowCounts::default();
    match statement.expect {
        Expect::Nothing => return,
        Expect::Inserted(n) | Expect::Upserted(n) => counts.inserted = n,
        Expect::Updated(n) => counts.updated = found(n),
        Expect::Deleted(n) => counts.deleted = found(n),
    }
    stats.did(&statement.table, counts);
}

impl Drop for MysqlWriter {
    fn drop(&mut self) {
        let id = self.session.id();
        super::lock(&self.shared.writers).retain(|(_, _, open)| *open != id);
    }
}

impl Writer for MysqlWriter {
    fn load(
        &mut self,
        target: &LoadTarget,
        rows: &mut dyn BlockStream,
        mark: &ChunkMark,
    ) -> Result<LoadStats> {
        load::load(self, target, rows, mark).map_err(|e| self.undo(e))
    }

    fn apply(&mut self, batch: &Batch, mark: &StreamMark) -> Result<ApplyStats> {
        let statements = self.statements(batch.txns.iter().flat_map(|t| &t.blocks))?;
        if !self.shared.stop_on_missing && self.owner.is_none() {
            let tail = self.mark(mark);
            let head = (!self.implicit).then_some("SET autocommit=0");
            let stats = self.run(head, statements, &tail).map_err(|e| self.undo(e))?;
            self.implicit = true;
            return Ok(stats);
        }
        // The count must be known before the commit.
        let stats = self.run(Some("BEGIN"), statements, &[]).map_err(|e| self.undo(e))?;
        match stats.missing.first() {
            Some((table, n)) if self.shared.stop_on_missing => {
                let error = missing_rows(table, *n);
                return Err(self.undo(error));
            }
            _ => {}
        }
        self.commit(None, mark).map_err(|e| self.undo(e))?;
        Ok(stats)
    }

    fn apply_each(
        &mut self,
        batches: &[(Batch, StreamMark)],
        done: &mut dyn FnMut(ApplyStats),
    ) -> Result {
        let counted_first = self.shared.stop_on_missing || self.owner.is_some();
        match counted_first || !self.shared.marked() || !self.implicit {
            true => one_by_one(self, batches, done),
            false => self.send_each(batches, done).map_err(|e| self.undo(e)),
        }
    }

    fn apply_part(&mut self, blocks: &[RowBlock]) -> Result<ApplyStats> {
        let statements = match self.statements(blocks.iter()) {
            Ok(statements) => statements,
            Err(error) => return Err(self.undo(error)),
        };
        let head = (!self.open).then_some("BEGIN");
        let stats = self.run(head, statements, &[]).map_err(|e| self.undo(e))?;
        self.open = true;
        match stats.missing.first() {
            Some((table, n)) if self.shared.stop_on_missing => {
                let error = missing_rows(table, *n);
                Err(self.undo(error))
            }
            _ => Ok(stats),
        }
    }

    fn commit_part(&mut self, mark: &StreamMark) -> Result<()> {
        let head = (!self.open).then_some("BEGIN");
        self.commit(head, mark).map_err(|e| self.undo(e))?;
        self.open = false;
        Ok(())
    }

    fn rollback(&mut self) -> Result<()> {
        self.open = false;
        self.session.exec("ROLLBACK").map(|_| ())
    }

    fn applied(&mut self) -> Result<OrdinalSet> {
        let (shared, slot) = (Arc::clone(&self.shared), self.slot.clone());
        if !shared.marked() {
            return Ok(OrdinalSet::new());
        }
        let (task, lane) = (&slot.task, &slot.lane);
        let found = shared.marks.applied(&mut self.session, task, lane, slot.epoch, slot.worker)?;
        self.let_go()?;
        Ok(found)
    }

    fn is_loaded(&mut self, mark: &ChunkMark) -> Result<bool> {
        let shared = Arc::clone(&self.shared);
        if !shared.marked() {
            return Ok(false);
        }
        let found = shared.marks.has_chunk(&mut self.session, &self.slot.task, mark)?;
        self.let_go()?;
        Ok(found)
    }

    fn connection_id(&self) -> u64 {
        self.session.id()
    }
}

impl MysqlWriter {
    /// Ends the transaction that a question begins by itself where every statement does: it would hold
    /// an old view of the tables and locks on structures.
    fn let_go(&mut self) -> Result<()> {
        match self.implicit && !self.open {
            true => self.session.exec("COMMIT").map(|_| ()),
            false => Ok(()),
        }
    }
}

fn missing_rows(table: &TableName, n: u64) -> Error {
    Error::new(
        &codes::SYNC_ROW_MISSING,
        format!("{n} row(s) that the source changed or deleted are not in target table {table}"),
    )
}
