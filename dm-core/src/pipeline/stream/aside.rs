//! Transactions that wait for a statement that runs beside rows of other tables (`beside`): set aside as they were
//! read, handed out in their order when it has ended.
//!
//! What is set aside is bounded in bytes and in number; at a bound the reader waits for the end of the statement. One
//! that has become too large to be held by then is sent in parts, unless the open one is: there is one connection
//! for that.

use std::collections::VecDeque;

use super::Stream;
use super::group::{Event, Group};
use crate::error::Result;
use crate::pipeline::progress::MOST_AHEAD;
use crate::position::{BinlogPos, Position};
use crate::source::RowsBody;

/// Of the bytes that may be under way, so much may be set aside: one part in this many.
const SHARE: usize = 4;
/// Transactions and statements that wait at most: each may be a hole in what the marks name.
const MOST: usize = 1_000;

/// Whole transactions, each with the position behind it.
#[derive(Default)]
pub(super) struct Aside {
    transactions: VecDeque<(Group, Position)>,
    bytes: usize,
}

impl Aside {
    pub fn len(&self) -> usize {
        self.transactions.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn push(&mut self, group: Group, position: Position) {
        self.bytes += group.aside_bytes + group.bytes;
        self.transactions.push_back((group, position));
    }
}

impl Stream<'_> {
    /// True when rows of a carried table wait for a statement.
    pub(super) fn waits(&self, rows: &RowsBody) -> bool {
        let Some(beside) = &self.beside else { return false };
        let table = rows.table();
        // Behind rows that wait everything of their transaction does.
        !self.group.aside.is_empty() || beside.has(table, self.tables.target(table).as_ref())
    }

    /// Keeps rows until the statement has ended.
    pub(super) fn set_aside(&mut self, event: Event) -> Result {
        let Some(beside) = self.beside.as_mut() else {
            return self.plan_rows(event.rows, &event.start, &event.end, event.at);
        };
        if self.group.aside.is_empty() {
            for block in &self.group.blocks {
                beside.add(&block.plan.source.table, Some(&block.plan.target));
            }
        }
        let table = event.rows.table();
        beside.add(table, self.tables.target(table).as_ref());
        self.group.aside_bytes += match &event.rows {
            RowsBody::Binlog(rows) => rows.byte_len() + 512,
            RowsBody::Owned { rows, .. } => rows.len() * 128,
        };
        self.group.aside.push(event);
        if self.group.aside_bytes + self.group.bytes > self.ctx.settings.large_bytes / 2 {
            // It may become one that is too large to be held.
            return self.end_beside();
        }
        self.bound_aside()
    }

    /// The open transaction, of which rows are set aside, is committed.
    pub(super) fn keep_aside(&mut self, end: &BinlogPos) -> Result {
        let (mut group, position) = self.end_group(end)?;
        self.progress.park(group.ordinal, position.clone(), group.at);
        group.parked = true;
        let mut alone = Aside::default();
        match self.beside.as_mut() {
            Some(beside) => beside.aside().push(group, position),
            None => {
                alone.push(group, position);
                self.hand_out_aside(alone)?;
            }
        }
        self.bound_aside()
    }

    /// Waits for the end of statements while too much waits for them.
    pub(super) fn bound_aside(&mut self) -> Result {
        let most = self.ctx.settings.max_bytes / SHARE;
        while let Some(beside) = &self.beside {
            let (bytes, number) = beside.weight();
            if number <= MOST && bytes + self.group.aside_bytes <= most {
                break;
            }
            self.end_first()?;
        }
        Ok(())
    }

    /// Before a transaction is handed out: not too many may be ahead of the low-water mark.
    pub(super) fn bound_ahead(&mut self) -> Result {
        while self.progress.under_way().1 >= MOST_AHEAD && self.goes_on() {
            self.end_first()?;
        }
        if self.progress.under_way().1 < MOST_AHEAD {
            return Ok(());
        }
        if self.xa.values().any(|held| held.holds_back()) { self.save() } else { Ok(()) }
    }

    /// Hands out what was set aside, whatever is being read.
    pub(super) fn hand_out_aside(&mut self, aside: Aside) -> Result {
        let open = std::mem::take(&mut self.group);
        let handed_out = aside.transactions.into_iter().try_for_each(|(group, position)| {
            self.group = group;
            self.group.whole = open.large;
            self.plan_aside()?;
            if self.group.large {
                self.send_part(None)?;
            }
            let group = std::mem::take(&mut self.group);
            self.commit_group(group, position)
        });
        self.group = open;
        handed_out
    }

    /// Plans what is set aside of the open transaction.
    pub(super) fn plan_aside(&mut self) -> Result {
        self.group.aside_bytes = 0;
        let events = std::mem::take(&mut self.group.aside);
        let count = events.len();
        for (at, event) in events.into_iter().enumerate() {
            self.group.planned_aside(at);
            let Event { rows, start, end, at } = event;
            // What was known of the tables has been forgotten.
            if self.tables.is_carried(rows.table())? {
                self.plan_rows(rows, &start, &end, at)
                    .map_err(|e| super::located(e.at_rows(&start), &start, &end, None))?;
            }
        }
        self.group.planned_aside(count);
        Ok(())
    }
}
