//! Statements that an operator wants to be run before rows: a target that lacks a column or a table gets it
//! right before the rows that need it.
//!
//! Guarantee: each runs once, at the target, behind all transactions before the one that the place is in,
//! and before any of its rows. A place may be that of the rows' event, of the table map or BEGIN before
//! it, or of the transaction's GTID event. Rows of a transaction that is too large to be held may be
//! written already when the place is reached: then the task stops and says so. The source's structure is
//! as it was, so nothing is tracked. What restarts do is what they do for other given statements
//! ([`super::operator`]).
//!
//! Rows are many: the state file is asked at the first rows of a run, and later only when another process has
//! written to it, looked for ten times a second.

use std::time::{Duration, Instant};

use super::Stream;
use super::operator::{OPERATOR, shell_word};
use super::statement::Seen;
use crate::binlog::QueryEvent;
use crate::error::{Error, Result, codes};
use crate::position::BinlogPos;
use crate::state::OverrideAction;

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The places of an operator's statements, as they were when last looked at.
#[derive(Default)]
pub(super) struct Injected {
    /// When, and at what version of the state file.
    looked: Option<(Instant, i64)>,
    /// In their order.
    places: Vec<BinlogPos>,
}

impl Stream<'_> {
    /// Runs what an operator wants to be run before the rows of an event.
    pub(super) fn inject_before(&mut self, start: &BinlogPos, end: &BinlogPos, at: u32) -> Result {
        self.look_for_injected()?;
        if self.injected.places.is_empty() || self.group.skip || self.is_copied(end) {
            return Ok(());
        }
        let first = self.group.first.clone().unwrap_or_else(|| start.clone());
        let asked = self.group.asked.replace(start.clone());
        let is_here = |place: &&BinlogPos| {
            **place >= first && *place <= start && asked.as_ref().is_none_or(|a| *place > a)
        };
        let here: Vec<BinlogPos> = self.injected.places.iter().filter(is_here).cloned().collect();
        for place in here {
            let found = self.ctx.state.use_override(&self.ctx.lane.source, &place)?;
            let Some(OverrideAction::Inject(list)) = found.map(|word| word.action) else {
                continue;
            };
            self.inject(&list, &place, end, at).map_err(|e| self.with_revert(e, &place))?;
        }
        Ok(())
    }

    fn inject(&mut self, list: &[String], place: &BinlogPos, end: &BinlogPos, at: u32) -> Result {
        // What waits for a statement that runs stands before this.
        self.end_beside()?;
        if self.group.large {
            return Err(Error::new(
                &codes::SYNC_UNSUPPORTED,
                "a statement is to run inside of a transaction that is too large to be held, and rows before it are written",
            )
            .workaround("Give the position at which the transaction begins."));
        }
        log::info!("{} statements are run before the rows at {place} by the operator", list.len());
        let query = QueryEvent::of("", Vec::new());
        let seen = Seen { query: &query, text: "", start: place, end, at, in_txn: true };
        self.run_given(list, OPERATOR, &seen)
    }

    fn look_for_injected(&mut self) -> Result {
        if self.injected.looked.is_some_and(|(at, _)| at.elapsed() < LOOK_EVERY) {
            return Ok(());
        }
        let version = self.ctx.state.version()?;
        if self.injected.looked.replace((Instant::now(), version)).map(|(_, v)| v) == Some(version)
        {
            return Ok(());
        }
        let inject = |action: &OverrideAction| matches!(action, OverrideAction::Inject(_));
        let words = self.ctx.state.reader().overrides()?.into_iter();
        let ours = words.filter(|w| w.source == self.ctx.lane.source && inject(&w.action));
        self.injected.places = ours.map(|w| w.position).collect();
        self.injected.places.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        Ok(())
    }

    fn with_revert(&self, error: Error, place: &BinlogPos) -> Error {
        if error.is_transient() || error.code() == &codes::STOPPED {
            return error;
        }
        let command = format!(
            "dm handle-error {} -s {} -b {}",
            shell_word(&self.ctx.task),
            shell_word(self.ctx.lane.source.as_str()),
            shell_word(&place.to_colon_text())
        );
        error.workaround(format!(
            "`{command} inject \"...\"` gives other statements for this place, `{command} revert` takes the word \
             about it back; the task goes on with that, or with a new start where no process is left."
        ))
    }
}
