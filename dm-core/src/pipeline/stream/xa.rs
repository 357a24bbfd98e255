//! XA transactions: prepared at one place of the binlog, decided at another, by whom and when nobody
//! knows.
//!
//! Guarantee: a prepared transaction is applied once when its XA COMMIT is met and never before;
//! XA ROLLBACK drops it; it holds back neither the low-water mark nor the purging of binlog files.
//! Obstacle: what is prepared is in no table of the target, and a restart behind the XA PREPARE
//! does not see its rows again. Method: its rows are kept as they came. The group that prepares
//! holds the low-water mark until the next checkpoint, which writes the rows into the state file
//! in the same commit; then the mark moves on. One that is decided before that (nearly all are)
//! never gets there, and a run that begins in front of it reads it again, kept or not. Its rows are
//! planned where it is decided: whether a copied table contains them, which filter and which structure
//! holds, is a matter of the XA COMMIT, because that is when the rows appear.
//!
//! A decision of a kept transaction is settled by itself: the removal from the state file is saved
//! before anything behind it is handed out (XA COMMIT), or before the mark may pass it (XA
//! ROLLBACK). So no mark at the target is ever ahead of what the state file knows of prepared ones.
//!
//! A restart that came to lie between the two would read an XA COMMIT about nothing. It knows that
//! commit as one that is in by the mark of its rows, and may begin there. Where there is no such mark
//! (none of its rows is carried, or the copy contains them all; targets that take no marks), the
//! transaction lets go only when everything between the two is in as well, so nobody begins there.
//!
//! While it is prepared its tables keep their structure: MySQL holds its metadata locks, also
//! through a restart of the server; MariaDB has let go of those after a restart, but InnoDB's
//! locks on the tables remain, for which a statement on them waits. One that comes all the same
//! stops the task.

use std::collections::BTreeSet;

use dm_filter::TableName;

use super::Stream;
use super::group::disorder;
use crate::binlog::RowsEvent;
use crate::error::{Error, Result, codes};
use crate::pipeline::windows::contains;
use crate::position::BinlogPos;
use crate::source::RowsBody;
use crate::state::{PreparedXa, XaPart};

/// Rows of one transaction that are in memory at most while it is read.
const PART_BYTES: usize = 1 << 20;
/// Bytes of prepared transactions that may wait for the next checkpoint; beyond, it comes at once.
const WAITING_BYTES: usize = 4 << 20;

/// The note of a lane that says what its copy contains: everything up to a position, except what
/// was prepared before it and committed behind it.
pub(crate) const COPIED: &str = "copied";

/// The rows of a transaction that is prepared, or may be.
#[derive(Default)]
pub(crate) struct Rows {
    /// Not in the state file yet, in order, behind those that are.
    events: Vec<RowsBody>,
    bytes: usize,
    /// Parts in the state file, and how many events they hold.
    parts: u32,
    before: usize,
    tables: BTreeSet<TableName>,
}

impl Rows {
    /// How many there are, for a savepoint.
    pub fn place(&self) -> usize {
        self.before + self.events.len()
    }

    /// Undoes what followed a savepoint.
    pub fn back_to(&mut self, place: usize) -> Result {
        let Some(keep) = place.checked_sub(self.before) else {
            return Err(Error::new(
                &codes::SYNC_UNSUPPORTED,
                "an XA transaction that is too large to be held goes back to a savepoint",
            ));
        };
        self.events.truncate(keep);
        Ok(())
    }
}

/// A prepared transaction.
pub(crate) struct Held {
    ordinal: u64,
    rows: Rows,
    /// It is in the state file: the low-water mark has been let go.
    kept: bool,
}

impl Held {
    /// True for one that holds the low-water mark until the next checkpoint, or its decision.
    pub fn holds_back(&self) -> bool {
        !self.kept
    }

    /// One that an earlier run has kept.
    pub fn kept(prepared: PreparedXa) -> (String, Self) {
        let rows = Rows { parts: prepared.parts, tables: prepared.tables, ..Rows::default() };
        (prepared.xid, Self { ordinal: prepared.ordinal, rows, kept: true })
    }
}

/// A commit that was handed out, of a transaction that holds the low-water mark.
#[derive(Clone, Copy)]
pub(crate) struct Decided {
    decision: u64,
    prepared: u64,
    /// A mark at the target names the commit.
    marked: bool,
}

impl Stream<'_> {
    /// Rows of a group that will be prepared.
    pub(super) fn xa_rows(&mut self, rows: RowsBody) -> Result {
        let table = rows.table();
        if !self.tables.is_carried(table)? {
            return Ok(());
        }
        let Some(xa) = self.group.xa.as_mut() else { return Ok(()) };
        xa.tables.insert(table.clone());
        xa.bytes += match &rows {
            RowsBody::Binlog(event) => event.byte_len() + 512,
            RowsBody::Owned { rows, .. } => rows.len() * 128,
        };
        xa.events.push(rows);
        if xa.bytes < PART_BYTES {
            return Ok(());
        }
        let Some(part) = part(self.group.ordinal, xa)? else { return Ok(()) };
        self.ctx.state.spool_xa(&self.ctx.lane, &part)?;
        (xa.parts, xa.bytes) = (xa.parts + 1, 0);
        xa.before += xa.events.len();
        xa.events.clear();
        Ok(())
    }

    pub(super) fn xa_prepare(&mut self, xid: &str, one_phase: bool, end: &BinlogPos) -> Result {
        if !self.group.is_open() {
            return Err(disorder(end, "an XA transaction is prepared that has not begun"));
        }
        let rows = self.group.xa.take().unwrap_or_default();
        if one_phase {
            return self.xa_apply(rows, end);
        }
        let (group, position) = self.end_group(end)?;
        let xid = normal(xid);
        // Handed out to nobody: it is done when it is kept, or decided.
        self.progress.park(group.ordinal, position, group.at);
        self.xa.insert(xid, Held { ordinal: group.ordinal, rows, kept: false });
        let waiting: usize = self.xa.values().filter(|h| !h.kept).map(|h| h.rows.bytes).sum();
        if waiting > WAITING_BYTES { self.save() } else { Ok(()) }
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
        let xid = normal(xid);
        let held = self.xa.remove(&xid);
        let copied = self.is_copied(end);
        let Some(held) = held else {
            if commit && !self.group.skip && !copied {
                return Err(unknown(&xid));
            }
            let (group, position) = self.end_group(end)?;
            self.progress.pass(group.ordinal, position, group.at);
            return Ok(());
        };
        if !commit || self.group.skip || copied {
            if held.kept {
                self.changes.removed_xa.push(xid);
                self.save()?;
            }
            let (group, position) = self.end_group(end)?;
            self.progress.pass(group.ordinal, position, group.at);
            if !held.kept {
                self.progress.done([held.ordinal]);
            }
            return Ok(());
        }
        let decision = self.group.ordinal;
        // The parts are kept by the number of the group that prepared it.
        let marked = self.xa_apply_as(held.ordinal, held.rows, end)?;
        if held.kept {
            self.progress.wait_settled(decision, None)?;
            if !marked {
                // Others that are prepared before the decision hold back the checkpoint; no more then.
                self.save()?;
            }
            self.changes.removed_xa.push(xid);
            return self.save();
        }
        self.decided.push(Decided { decision, prepared: held.ordinal, marked });
        Ok(())
    }

    /// `XA COMMIT ... ONE PHASE`: prepared and committed in the open group.
    pub(super) fn xa_apply(&mut self, rows: Rows, end: &BinlogPos) -> Result {
        self.xa_apply_as(self.group.ordinal, rows, end).map(|_marked| ())
    }

    /// Applies rows that were set aside as those of the open group, which ends here; true when a mark at
    /// the target will name it.
    fn xa_apply_as(&mut self, ordinal: u64, rows: Rows, end: &BinlogPos) -> Result<bool> {
        let at = self.group.at;
        for number in 0..rows.parts {
            let stored = self.ctx.state.reader().xa_part(&self.ctx.lane, ordinal, number)?;
            let stored = stored.ok_or_else(|| {
                Error::new(&codes::STATE_VALUE, "a part of a prepared transaction is missing")
            })?;
            for event in RowsEvent::load_all(&stored)? {
                self.rows(RowsBody::Binlog(event), end, end, at)?;
            }
        }
        for event in rows.events {
            self.rows(event, end, end, at)?;
        }
        let written = self.group.large || !self.group.blocks.is_empty();
        self.commit(end)?;
        Ok(written && self.ctx.sink.guarantees().exactly_once)
    }

    /// Lets go of prepared groups whose decision has been applied.
    pub(super) fn release_decided(&mut self) {
        let progress = &self.progress;
        let mut released = Vec::new();
        self.decided.retain(|&Decided { decision, prepared, marked }| {
            let applied = progress.is_done(decision)
                && (marked || progress.is_done_between(prepared, decision));
            if applied {
                released.push(prepared);
            }
            !applied
        });
        if !released.is_empty() {
            progress.done(released);
        }
    }

    /// Puts what is prepared and not kept yet into the changes of the next checkpoint; the groups
    /// to let go of once it is saved.
    pub(super) fn keep_prepared(&mut self) -> Result<Vec<u64>> {
        let mut kept = Vec::new();
        for (xid, held) in self.xa.iter_mut().filter(|(_, held)| !held.kept) {
            let Some(last) = part(held.ordinal, &mut held.rows)? else { continue };
            held.rows.events.clear();
            (held.rows.parts, held.rows.bytes, held.kept) = (held.rows.parts + 1, 0, true);
            let prepared = PreparedXa {
                xid: xid.clone(),
                ordinal: held.ordinal,
                parts: held.rows.parts,
                tables: held.rows.tables.clone(),
            };
            self.changes.xa.push((prepared, last));
            kept.push(held.ordinal);
        }
        Ok(kept)
    }

    /// Before a statement that changes structures: nothing prepared may hold the low-water mark,
    /// else a restart would meet the statement again, and none may wait with rows of its tables.
    pub(super) fn settle_prepared(&mut self, tables: &[TableName]) -> Result {
        self.release_decided();
        let touched = |held: &Held, table: &TableName| match table.table.is_empty() {
            true => held.rows.tables.iter().any(|t| t.schema == table.schema),
            false => held.rows.tables.contains(table),
        };
        for table in tables {
            if let Some((xid, _)) = self.xa.iter().find(|(_, held)| touched(held, table)) {
                return Err(Error::new(
                    &codes::SYNC_UNSUPPORTED,
                    format!("{table} is changed by a statement while the prepared XA transaction {xid} waits with rows of it"),
                )
                .workaround("Commit or roll back the prepared transaction at the source (XA RECOVER lists it) and copy the table again."));
            }
        }
        if self.xa.values().all(|held| held.kept) {
            return Ok(());
        }
        self.save()?;
        if self.xa.values().all(|held| held.kept) {
            return Ok(());
        }
        Err(Error::new(
            &codes::SYNC_UNSUPPORTED,
            "a structure is changed while a prepared XA transaction of this kind of source waits",
        ))
    }

    /// True for a group that the copy contains, rows and statements: the stream began before the
    /// copy's snapshot, for the sake of what was prepared then.
    pub(super) fn is_copied(&self, end: &BinlogPos) -> bool {
        let gtid = self.group.gtid.as_ref();
        self.copied.as_ref().is_some_and(|copied| contains(copied, end, gtid))
    }
}

/// The rows in memory as a part for the state file; `None` for rows of a source that is no server's,
/// which are never as many.
fn part(ordinal: u64, rows: &mut Rows) -> Result<Option<XaPart>> {
    let mut stored = Vec::with_capacity(rows.bytes);
    for event in &rows.events {
        let RowsBody::Binlog(event) = event else { return Ok(None) };
        event.store(&mut stored)?;
    }
    Ok(Some(XaPart { ordinal, part: rows.parts, tables: rows.tables.clone(), rows: stored }))
}

fn unknown(xid: &str) -> Error {
    Error::new(
        &codes::SYNC_UNSUPPORTED,
        format!(
            "XA transaction {xid} is committed, but nothing is prepared under this name: it was \
             prepared before the position where the task started, or has been committed before"
        ),
    )
    .workaround(
        "A MariaDB that was killed may write a commit twice: when the binlog has an XA COMMIT of it \
         further in front, its rows are here, and this one can be skipped. Else they are neither in the copy nor in \
         the binlog that was read: copy the tables it changed again, then go on behind this position \
         with `dm checkpoint set`.",
    )
}

/// Servers write the parts of an xid in either case.
fn normal(xid: &str) -> String {
    xid.split_whitespace().collect::<String>().to_ascii_lowercase()
}
