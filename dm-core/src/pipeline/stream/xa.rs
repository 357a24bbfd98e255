//! XA transactions: prepared at one place of the binlog, decided at another.
//!
//! A prepared transaction is held in memory and pins the low-water mark in front of it, so that a
//! restart reads it again; the decision is a group of its own, which carries its rows.

use super::Stream;
use super::group::disorder;
use crate::error::{Error, Result, codes};
use crate::event::{RowBlock, Txn};
use crate::position::BinlogPos;
use crate::sink::keys::KeyHash;

/// A prepared transaction.
pub(crate) struct Held {
    ordinal: u64,
    blocks: Vec<RowBlock>,
    keys: Vec<KeyHash>,
    rows: usize,
    bytes: usize,
}

/// Bytes of prepared transactions that are held.
const HELD_MAX: usize = 256 << 20;

impl Stream<'_> {
    pub(super) fn xa_prepare(&mut self, xid: &str, one_phase: bool, end: &BinlogPos) -> Result {
        if one_phase {
            return self.commit(end);
        }
        if !self.group.is_open() {
            return Err(disorder(end, "an XA transaction is prepared that has not begun"));
        }
        if self.group.large || self.xa.values().map(|h| h.bytes).sum::<usize>() > HELD_MAX {
            return Err(Error::new(
                &codes::SYNC_UNSUPPORTED,
                format!(
                    "the prepared XA transaction {xid} is too large to be held until it is decided"
                ),
            )
            .workaround(
                "Commit or roll it back at the source, then copy the tables it changed again.",
            ));
        }
        let (group, position) = self.end_group(end)?;
        // Handed out to nobody: it is done when it is decided.
        self.progress.park(group.ordinal, position, group.at);
        let held = Held {
            ordinal: group.ordinal,
            blocks: group.blocks,
            keys: group.keys,
            rows: group.rows,
            bytes: group.bytes,
        };
        self.xa.insert(normal(xid), held);
        Ok(())
    }

    /// `XA COMMIT xid` or `XA ROLLBACK xid`.
    pub(super) fn xa_decide(
        &mut self,
        xid: &str,
        commit: bool,
        end: &BinlogPos,
        at: u32,
    ) -> Result {
        self.begin(None, at);
        let held = self.xa.remove(&normal(xid));
        let skip = self.group.skip;
        let (group, position) = self.end_group(end)?;
        let Some(held) = held else {
            if commit && !skip {
                return Err(Error::new(
                    &codes::SYNC_UNSUPPORTED,
                    format!("XA transaction {xid} is committed, but was prepared before the position where the task started"),
                )
                .workaround(
                    "Its rows are neither in the copy nor in the binlog that was read: copy the \
                     tables it changed again, then go on behind this position with `dm checkpoint set`.",
                ));
            }
            self.progress.pass(group.ordinal, position, group.at);
            return Ok(());
        };
        if !commit || skip || held.blocks.is_empty() {
            self.progress.pass(group.ordinal, position, group.at);
            self.progress.done([held.ordinal]);
            return Ok(());
        }
        let txn = Txn {
            ordinal: group.ordinal,
            end: position,
            at: group.at,
            blocks: held.blocks,
            rows: held.rows,
            bytes: held.bytes,
        };
        self.dispatch(txn, &held.keys)?;
        self.progress.wait_settled(group.ordinal, None)?;
        self.progress.done([held.ordinal]);
        Ok(())
    }
}

/// Servers write the parts of an xid in either case.
fn normal(xid: &str) -> String {
    xid.split_whitespace().collect::<String>().to_ascii_lowercase()
}
