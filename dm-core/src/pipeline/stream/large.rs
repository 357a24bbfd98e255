//! Transactions that are larger than what is held: sent in parts while they are read.
//!
//! Guarantee: such a transaction is one at the target, too, with one mark. Method: everything before
//! it is in, nothing behind it is handed out before its end; its parts go through one connection, which
//! commits at its end. While the target works on a part the next one is read (`parts`), except where a
//! single row is large: two of these are not held at a time.
//!
//! "Everything" is but for what is prepared by XA and undecided, which may hold the low-water mark in front
//! of several such transactions: as those of the workers, each mark names all that are in ahead of it.
//!
//! While a statement runs beside rows (`beside`), that and what waits for it are not in either. None of it has to do
//! with a transaction of which no row waits: it is written then all the same. When a row comes that waits, the reader waits for the
//! statement with what is sent, which no lock of its own keeps from going on: what it has written is of other tables.
//!
//! Only a target that refuses it as a whole gets it in several transactions: then the mark of each
//! says how many events of it are in, and a restart reads over those.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::Stream;
use super::group::{Group, LARGE_ROW};
use crate::error::{Error, Result, codes};
use crate::event::{OrdinalSet, Part, StreamMark, Txn};
use crate::pipeline::parts::Parts;
use crate::pipeline::progress::Low;
use crate::pipeline::stages::Spent;
use crate::position::{BinlogPos, Position};
use crate::sink::ApplyStats;

/// A part that was sent: the target's answer comes when more has been read.
#[derive(Clone, Default)]
pub(crate) struct Sent {
    /// Bytes in the target's transaction, this part among them.
    open: usize,
    /// How many blocks it had.
    blocks: usize,
    /// The last event of it.
    at: Option<(BinlogPos, BinlogPos)>,
}

impl Sent {
    /// True when the target refuses so much in one transaction. A single event that is too large for it
    /// stays so.
    fn is_refused(&self, error: &Error) -> bool {
        error.is_too_large() && (self.blocks > 1 || self.open > LARGE_ROW)
    }
}

impl Stream<'_> {
    /// True for rows of a transaction in parts that came in with an earlier part.
    pub(super) fn is_in(&mut self, start: &BinlogPos) -> Result<bool> {
        let Some(part) = self.applied.part().filter(|p| p.ordinal == self.group.ordinal) else {
            return Ok(false);
        };
        if self.group.events > part.events {
            return Ok(false);
        }
        if part.server != self.server_word() {
            return Err(Error::new(
                &codes::SYNC_UNSUPPORTED,
                format!(
                    "the transaction at {start} was larger than the target takes, and the first {} of \
                     its events were applied from the binlog of another server, or without a table that is \
                     part of the task now",
                    part.events
                ),
            )
            .workaround(
                "Go on from the server that the task followed before until this transaction is over, then \
                 change over; where a table was being added, take that back and add it later.",
            ));
        }
        self.end_beside()?;
        self.go_alone()?;
        self.group.events_in = self.group.events;
        Ok(true)
    }

    /// Which server's binlog this is, and which tables the lane is about, for a mark.
    fn server_word(&self) -> u64 {
        let tables = self.ctx.creator.part.name();
        xxh3_64(format!("{}/{tables}", self.ctx.info.server).as_bytes())
    }

    /// The open transaction is not held: everything before it is in, nothing behind it is handed out
    /// before its end.
    fn go_alone(&mut self) -> Result {
        if !self.group.large {
            // The target may have to take it in transactions of their own: a restart must meet them first.
            if self.ctx.split.limit().is_some() || !self.group.aside.is_empty() {
                self.end_beside()?;
            }
            self.progress.wait_settled(self.group.ordinal - 1, None)?;
            self.group.large = true;
        }
        Ok(())
    }

    /// Sends what has been read of a transaction that is too large to be held; `at` is the event that was
    /// read last.
    pub(super) fn send_part(&mut self, at: Option<(&BinlogPos, &BinlogPos)>) -> Result {
        self.go_alone()?;
        let blocks = std::mem::take(&mut self.group.blocks);
        self.ctx.rate.pay(self.group.rows, self.group.bytes, &self.ctx.stop);
        self.ctx.stats.meters.add(None, self.group.rows);
        self.group.open_bytes += self.group.bytes;
        self.group.bytes = 0;
        self.group.rows = 0;
        (self.group.keys, self.group.distinct) = (Vec::new(), 0);
        if blocks.is_empty() {
            return Ok(());
        }
        self.settle_parts()?;
        self.group.sent = Sent {
            open: self.group.open_bytes,
            blocks: blocks.len(),
            at: at.map(|(start, end)| (start.clone(), end.clone())),
        };
        self.parts()?.send(blocks)?;
        match self.ctx.split.limit() {
            Some(_) => self.commit_begun(),
            None => Ok(()),
        }
    }

    /// Waits for the part that is under way.
    pub(super) fn settle_parts(&mut self) -> Result {
        let sent = self.group.sent.clone();
        self.settle_sent(&sent)
    }

    fn settle_sent(&mut self, sent: &Sent) -> Result {
        let Some(parts) = self.large.as_mut() else { return Ok(()) };
        let settled = self.ctx.stats.stages.time(Spent::WaitingForRoom, || parts.settle());
        let stats = settled.map_err(|error| {
            if sent.is_refused(&error) {
                self.ctx.split.refused(sent.open);
            }
            match &sent.at {
                Some((start, end)) => super::located(error, start, end, self.executed.as_ref()),
                None => error,
            }
        })?;
        self.ctx.stats.applied(None, 0, &stats);
        Ok(())
    }

    /// Commits what has been sent of a transaction that the target does not take as a whole.
    fn commit_begun(&mut self) -> Result {
        self.settle_parts()?;
        let low = self.progress.low();
        let mut begun = self.large_applied.with(low.ordinal, &[]);
        begun.set_part(Part {
            ordinal: self.group.ordinal,
            events: self.group.events,
            server: self.server_word(),
        });
        let mark = self.large_mark(low, begun);
        let sent = self.group.sent.clone();
        self.commit_parts(mark).inspect_err(|error| {
            if sent.is_refused(error) {
                self.ctx.split.refused(sent.open);
            }
        })?;
        self.group.events_in = self.group.events;
        self.group.open_bytes = 0;
        Ok(())
    }

    fn commit_parts(&mut self, mark: StreamMark) -> Result {
        self.parts()?.commit(mark)
    }

    /// The mark of the writer of large transactions.
    fn large_mark(&self, low: Low, applied: OrdinalSet) -> StreamMark {
        StreamMark {
            lane: self.ctx.lane.clone(),
            epoch: self.epoch,
            worker: self.ctx.settings.workers.max(1) as u32,
            low: low.ordinal,
            low_position: low.position.to_text(),
            applied,
        }
    }

    /// The connection of large transactions, which is made for the first of them.
    fn parts(&mut self) -> Result<&mut Parts> {
        self.save_structures()?;
        if self.large.is_none() {
            let worker = self.ctx.settings.workers.max(1) as u32;
            let slot = super::slot(self.ctx, self.epoch, worker);
            let writer = self.ctx.sink.writer(&slot, &self.ctx.stop)?;
            let progress = Arc::clone(&self.progress);
            self.large = Some(Parts::start(writer, progress, self.alive.clone())?);
        }
        self.large.as_mut().ok_or_else(|| Error::new(&codes::STOPPED, "the stream has been closed"))
    }

    /// Undoes what has been sent of the open transaction.
    pub(super) fn take_back_parts(&mut self) -> Result {
        match self.large.as_mut() {
            Some(parts) if self.group.large => parts.roll_back(),
            _ => Ok(()),
        }
    }

    pub(super) fn commit_large(&mut self, group: &Group, position: Position) -> Result {
        self.settle_sent(&group.sent)?;
        let txns = [Arc::new(Txn {
            ordinal: group.ordinal,
            gtid: group.gtid.clone(),
            start: group.first.clone(),
            end: position.clone(),
            at: group.at,
            blocks: Vec::new(),
            rows: 0,
            bytes: 0,
        })];
        let low = self.progress.low();
        let applied = self.large_applied.with(low.ordinal, &txns);
        self.large_applied.add(applied.clone(), &txns);
        let mark = self.large_mark(low, applied);
        let open = group.open_bytes;
        // An error leaves the outcome to the mark: the stream is opened anew and finds out.
        self.commit_parts(mark).inspect_err(|e| {
            // A target may find out only now.
            if e.is_too_large() && open > 0 {
                self.ctx.split.refused(open);
            }
        })?;
        self.ctx.stats.applied(None, 1, &ApplyStats::default());
        self.is_over(group, position);
        Ok(())
    }
}
