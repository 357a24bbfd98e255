//! Following the binlog where the target takes no marks.
//!
//! What a run may repeat lies at or before the end of the source as of the run's start: it was in the
//! binlog before an earlier run could read it. That end is saved before the first event is handed out,
//! and a later start only raises it. Whether a transaction lies before it is told by its GTID or by its
//! place: a source that waits for a replica's word sends a transaction before its own
//! `gtid_executed` has it. Taking one too many for a repetition does no harm.
//!
//! Another server (a failover by GTID) may lack, at that moment, what the one before it had sent. It may
//! bring it at any later time, so from then on everything counts as a repetition.

use dm_filter::TableName;

use super::{Stream, StreamContext};
use crate::error::Result;
use crate::event::ApplyMode;
use crate::pipeline::unmarked::{
    ALWAYS, WITHOUT_MARKS, marks_lost, names_rows, refused, unsafe_without_marks,
};
use crate::position::{BinlogPos, Position};

/// A lane whose earlier runs left no marks, or whose target takes none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unmarked {
    /// Everything may be a repetition.
    pub always: bool,
    /// The target takes marks by now.
    marked_now: bool,
}

/// Finds out, before a run of the lane is counted, whether it may repeat what no mark tells of.
///
/// # Errors
///
/// `MARKS_LOST` when earlier runs have kept marks and this one cannot.
pub(super) fn at_start(ctx: &StreamContext) -> Result<Option<Unmarked>> {
    let marked_now = ctx.sink.guarantees().exactly_once;
    let reader = ctx.state.reader();
    let noted = reader.note(&ctx.lane, WITHOUT_MARKS)?;
    let server = ctx.info.server.as_str();
    let noted = match noted {
        Some(noted) => String::from_utf8_lossy(&noted).into_owned(),
        None if marked_now => return Ok(None),
        // The first of these wrote the lane's beginning.
        None if reader.lane(&ctx.lane)?.is_some_and(|lane| lane.epoch > 1) => {
            return Err(marks_lost(&ctx.lane));
        }
        None => {
            ctx.state.set_note(&ctx.lane, WITHOUT_MARKS, server.as_bytes())?;
            log::warn!(
                "lane {}: the target takes no marks: changes arrive at least once",
                ctx.lane
            );
            return Ok(Some(Unmarked { always: false, marked_now }));
        }
    };
    let until = ctx.source.end_position()?;
    ctx.state.raise_idempotent(&ctx.lane, &until)?;
    let always = noted != server;
    if always && noted != ALWAYS {
        ctx.state.set_note(&ctx.lane, WITHOUT_MARKS, ALWAYS.as_bytes())?;
    }
    Ok(Some(Unmarked { always, marked_now }))
}

/// True when a place in the files is at or before that of a position.
pub(super) fn is_before(position: &Position, end: &BinlogPos) -> bool {
    position.binlog.as_ref().is_some_and(|upto| end <= upto)
}

impl Stream<'_> {
    /// How rows are applied where no mark tells whether they are a repetition.
    ///
    /// # Errors
    ///
    /// `AT_LEAST_ONCE` for a table whose rows would not be safe.
    pub(super) fn without_marks(&self, table: &TableName, mode: ApplyMode) -> Result<ApplyMode> {
        let Some(unmarked) = self.unmarked else { return Ok(mode) };
        let Some(target) = self.tables.target(table) else { return Ok(mode) };
        // A table that is not there has an error of its own.
        let Some(schema) = self.ctx.sink.describe(&target)? else { return Ok(mode) };
        let merged = self.ctx.creator.merged.contains(&target);
        match unsafe_without_marks(&schema, merged) {
            Some(why) if !unmarked.marked_now && !self.ctx.settings.may_repeat => {
                Err(refused(table, &target, why))
            }
            // Allowed: nothing names the rows, so nothing can be done about a repetition.
            _ if !names_rows(&schema) => Ok(ApplyMode::Exact),
            _ => Ok(mode),
        }
    }

    /// Rows must not be repeated over a structure that is later than theirs: what is before a statement
    /// is saved as done. Of a group's statements only the first has rows before it, and once it has run the
    /// structures are later than the position.
    pub(super) fn save_before_statement(&mut self) -> Result {
        if self.unmarked.is_none() || std::mem::replace(&mut self.group.saved, true) {
            return Ok(());
        }
        self.save()
    }

    /// True when everything up to the end of what may be repeated is done.
    pub(super) fn repeats_over(&self, low: &Position, until: &Position) -> bool {
        let by_place = || match (&low.binlog, &until.binlog) {
            (Some(low), Some(until)) => low >= until,
            (_, None) => true,
            (None, Some(_)) => false,
        };
        crate::pipeline::covers(low, until) && (self.unmarked.is_none() || by_place())
    }

    /// The repetitions are over: where the target takes marks by now, these tell from here on.
    pub(super) fn trust_marks(&mut self) {
        if self.unmarked.is_some_and(|u| u.marked_now && !u.always) {
            self.unmarked = None;
            self.changes.notes.push((WITHOUT_MARKS.to_owned(), None));
        }
    }
}
