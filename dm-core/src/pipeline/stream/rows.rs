//! Rows of the open group: whether they are carried, how they are applied, and by which structure of
//! their table.

use dm_filter::TableName;

use super::Stream;
use super::group::{Event, LARGE_ROW, disorder};
use super::unmarked::is_before;
use crate::error::Result;
use crate::event::ApplyMode;
use crate::pipeline::tables::Arrived;
use crate::pipeline::windows::{Admission, contains};
use crate::position::{BinlogPos, Gtid};
use crate::source::RowsBody;
use crate::state::Skipped;

impl Stream<'_> {
    pub(super) fn rows(
        &mut self,
        rows: RowsBody,
        start: &BinlogPos,
        end: &BinlogPos,
        at: u32,
    ) -> Result {
        if !self.group.open {
            return Err(disorder(start, "rows stand outside of a transaction"));
        }
        if self.group.xa.is_some() {
            return self.xa_rows(rows);
        }
        self.group.events += 1;
        if self.group.skip || self.is_in(start)? || self.is_copied(end) {
            return Ok(());
        }
        let table = rows.table();
        if !self.tables.is_carried(table)? || self.ctx.creator.is_elsewhere(table) {
            return Ok(());
        }
        if self.beside.is_none() {
            return self.plan_rows(rows, start, end, at);
        }
        match self.waits(&rows) {
            // What has been sent cannot be set aside. What was before it has to be in, as for all that is sent.
            true if self.group.large => {
                self.end_beside()?;
                self.progress.wait_settled(self.group.ordinal - 1, None)?;
                self.plan_rows(rows, start, end, at)
            }
            true => self.set_aside(Event { rows, start: start.clone(), end: end.clone(), at }),
            false => self.plan_rows(rows, start, end, at),
        }
    }

    /// Plans rows of a carried table as a part of the open transaction.
    pub(super) fn plan_rows(
        &mut self,
        rows: RowsBody,
        start: &BinlogPos,
        end: &BinlogPos,
        at: u32,
    ) -> Result {
        let (map, name);
        let (table, arrived) = match rows {
            RowsBody::Binlog(event) => {
                map = std::sync::Arc::clone(&event.table);
                (&map.table, Arrived::Binlog(event))
            }
            RowsBody::Owned { table, columns, rows } => {
                name = table;
                (&name, Arrived::Owned { columns, rows })
            }
        };
        let gtid = self.group.gtid.clone();
        let mode = match self.windows.admit(table, end, gtid.as_ref()) {
            Admission::Contained => return Ok(()),
            Admission::Apply(mode) => mode,
        };
        if self.group.at == 0 {
            self.group.at = at;
        }
        let mode = self.without_marks(table, self.mode(mode, end, gtid.as_ref()))?;
        let tracked = self.structure(table, start)?;
        if tracked.as_ref().is_some_and(|(schema, _)| is_sequence(schema)) {
            self.changes.skipped.push(Skipped::one("row of a sequence", start));
            return Ok(());
        }
        let schema = tracked.as_ref().map(|(schema, version)| (&**schema, *version));
        let planned = self
            .tables
            .plan(table, arrived, schema, mode, &mut self.group.keys)
            .map_err(|e| self.with_picture(e, table))?;
        self.ctx.stats.filtered(planned.dropped as u64);
        self.group.rows += planned.rows;
        let bytes = planned.block.bytes();
        self.group.bytes += bytes + 256;
        if planned.rows > 0 {
            self.group.blocks.push(planned.block);
        }
        self.group.tidy_keys();
        if self.group.whole {
            return Ok(());
        }
        // A large row is handed on at once, unless it may still be wanted back.
        let alone = bytes > LARGE_ROW && self.group.savepoints.is_empty();
        let most = self.ctx.split.limit().unwrap_or(usize::MAX);
        if alone || self.group.bytes > self.ctx.settings.large_bytes.min(most) {
            self.send_part(Some((start, end)))?;
        }
        if alone {
            // Two of them are not held at a time.
            self.settle_parts()?;
        }
        Ok(())
    }

    fn mode(&self, mode: ApplyMode, end: &BinlogPos, gtid: Option<&Gtid>) -> ApplyMode {
        let unmarked = self.unmarked.is_some();
        let again = self
            .idempotent_until
            .as_ref()
            .is_some_and(|p| contains(p, end, gtid) || (unmarked && is_before(p, end)));
        let again = again || self.unmarked.is_some_and(|u| u.always);
        let again = again || self.idempotent_second.is_some_and(|s| self.group.at <= s);
        if again || self.ctx.settings.safe_mode { ApplyMode::Idempotent } else { mode }
    }

    /// The structure that a table has in the open group. A table that is met for the first time without having
    /// been copied is taken to look like its target: that is what an incremental task says.
    fn structure(
        &mut self,
        table: &TableName,
        start: &BinlogPos,
    ) -> Result<Option<(std::sync::Arc<crate::schema::TableSchema>, u64)>> {
        if let Some(tracked) = self.tracker.schema(table, self.group.ordinal) {
            return Ok(Some((std::sync::Arc::clone(&tracked.schema), tracked.version)));
        }
        let target = self.tables.target(table);
        let guessed = match &target {
            Some(target) => self.ctx.stats.meters.query.time(|| self.ctx.sink.describe(target))?,
            None => None,
        };
        let Some(schema) = guessed else { return self.sequence(table) };
        let schema = self.ctx.creator.without_extra(table, schema)?;
        let since = Some(self.place_of(start));
        self.tracker.guess(table.clone(), std::sync::Arc::clone(&schema), since);
        let version = self.tracker.newest().tracked(table).map_or(0, |t| t.version);
        Ok(Some((schema, version)))
    }

    /// The structure of a table that the target lacks, when it is a sequence of MariaDB: its rows are
    /// its own counting, which the target's sequence, if there is one, does by itself.
    fn sequence(
        &mut self,
        table: &TableName,
    ) -> Result<Option<(std::sync::Arc<crate::schema::TableSchema>, u64)>> {
        if self.ctx.info.flavor != crate::position::Flavor::MariaDb {
            return Ok(None);
        }
        let info = self.ctx.source.describe(table)?;
        let Some(info) = info.filter(|info| is_sequence(&info.schema)) else { return Ok(None) };
        self.tracker.know(table.clone(), std::sync::Arc::clone(&info.schema));
        Ok(Some((info.schema, 0)))
    }
}

fn is_sequence(schema: &crate::schema::TableSchema) -> bool {
    schema.options.iter().any(|(name, value)| name == "SEQUENCE" && value == "1")
}
