//! Checkpoints of a stream: what is saved, which marks are not needed any more, and who hears of it.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use dm_filter::TableName;

use super::{Stream, StreamReport, barriers};
use crate::error::Result;
use crate::event::is_passed;
use crate::pipeline::progress::Low;
use crate::pipeline::stages::Queues;
use crate::schema::{SchemaCopy, SchemaInfo, Settled, Tracked};
use crate::state::{Checkpoint, IDEMPOTENT_SECOND, LAST_GROUP, TrackedTable};

impl Stream<'_> {
    /// Saves where everything stands, in one commit of the state file.
    pub(super) fn save(&mut self) -> Result {
        self.release_decided();
        self.save_upto(self.progress.low())
    }

    /// Saves structures that are not saved yet: what is handed out from here on leaves marks.
    pub(super) fn save_structures(&mut self) -> Result {
        if self.unsaved { self.save() } else { Ok(()) }
    }

    /// The same as [`Self::save`] up to a place behind the low-water mark, everything before which is in.
    pub(super) fn save_upto(&mut self, low: Low) -> Result {
        let kept = self.keep_prepared()?;
        if !self.windows.is_empty() {
            self.windows.pass_all(&low.position);
        }
        self.changes.passed.extend(self.windows.take_passed());
        let idempotent_over = self
            .idempotent_until
            .as_ref()
            .is_some_and(|until| self.repeats_over(&low.position, until));
        if idempotent_over {
            self.idempotent_until = None;
            self.changes.idempotent_passed = true;
            self.trust_marks();
        }
        if self.idempotent_second.is_some_and(|second| low.at > second) {
            self.idempotent_second = None;
            self.changes.notes.push((IDEMPOTENT_SECOND.to_owned(), None));
        }
        let last = self.history.upto(low.ordinal);
        if let Some(last) = &last {
            self.changes.notes.push((LAST_GROUP.to_owned(), Some(last.to_bytes())));
        }
        let checkpoint = Checkpoint {
            ordinal: low.ordinal,
            position: low.position.clone(),
            epoch: self.epoch,
            event_at: low.at,
        };
        // Behind the look at the low-water mark: what it passed is in by now.
        self.ctx.sink.make_durable()?;
        self.settle_structures(low.ordinal);
        self.history_is_of_this_server(last.as_ref());
        let changes = std::mem::take(&mut self.changes);
        self.ctx.state.save_checkpoint(&self.ctx.lane, &checkpoint, &changes)?;
        self.unsaved = false;
        let span = self.saved.elapsed();
        self.ctx.stats.meters.checkpoint.took(span, 1);
        self.saved = Instant::now();
        self.progress.done(kept);
        // Some waited only for those.
        self.release_decided();
        self.forget_old_marks(&low)?;
        self.report(low, span);
        Ok(())
    }

    /// The structures at a place, where they are other ones than at the last checkpoint, go with the next.
    fn settle_structures(&mut self, place: u64) {
        let Settled { removed_tables, tables, removed_schemas, schemas, older } =
            self.tracker.take_upto(place);
        self.changes.older.extend(older);
        let table = |(name, tracked): (TableName, Tracked)| TrackedTable {
            name,
            schema: tracked.schema,
            version: tracked.version,
            assumed: tracked.assumed,
            since: tracked.since,
        };
        let schema = |(name, info): (String, SchemaInfo)| SchemaCopy {
            name,
            charset: info.charset,
            collation: info.collation,
        };
        self.changes.removed_tables.extend(removed_tables);
        self.changes.tables.extend(tables.into_iter().map(table));
        self.changes.removed_schemas.extend(removed_schemas);
        self.changes.schemas.extend(schemas.into_iter().map(schema));
    }

    /// Marks of earlier runs are needed until the low-water mark has passed them.
    fn forget_old_marks(&mut self, low: &Low) -> Result {
        // Ordinals of another server's order do not tell when all of those marks are passed.
        let passed = match (self.applied.gtids(), &low.position.gtid) {
            (Some(applied), Some(low)) => is_passed(applied, low),
            _ => self.applied.last().is_none_or(|last| last <= low.ordinal),
        };
        // By these a statement that runs is found where a target has no locks.
        let passed = passed && self.beside.is_none();
        let passed = passed && self.applied.part().is_none_or(|part| part.ordinal <= low.ordinal);
        if self.forgot || !passed {
            return Ok(());
        }
        // This run's first batch writes a mark with a low of its own, so that the target alone
        // always tells a position to start from.
        if self.ctx.stats.counts().txns == 0 {
            return Ok(());
        }
        self.forgot = true;
        self.ctx.sink.forget(&self.ctx.task, &self.ctx.lane, self.epoch, false)
    }

    pub(super) fn report(&self, low: Low, span: Duration) {
        self.report_waiting(low, span, self.beside.as_ref().map(barriers::Beside::text));
    }

    /// Reports that everything waits for a statement.
    pub(super) fn report_statement(&self, text: String) {
        self.report_waiting(self.progress.low(), self.saved.elapsed(), Some(text));
    }

    fn report_waiting(&self, low: Low, span: Duration, statement: Option<String>) {
        let (bytes, txns) = self.progress.under_way();
        let queues = Queues {
            events: self.events_waiting,
            rows: self.queues.iter().map(|q| q.waiting.load(Ordering::Relaxed)).sum(),
            busy_workers: self.queues.iter().filter(|q| q.busy.is_busy()).count(),
            bottleneck: self.ctx.stats.stages.judge(span),
        };
        (self.ctx.report)(&StreamReport {
            low,
            bytes_under_way: bytes,
            txns_under_way: txns,
            oldest_at: self.progress.oldest_at(),
            queues,
            statement,
        });
    }
}
