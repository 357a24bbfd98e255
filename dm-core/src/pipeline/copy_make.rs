//! Making the tables of a copy at the target, and what of them comes after their rows.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use dm_filter::TableName;

use super::copy::{ATTEMPTS, Copy, Table, panicked};
use super::copy_work::stopped;
use super::create::{There, folded};
use crate::error::Result;
use crate::source::Snapshot;
use crate::whose::carried;

/// A table of as many rows or bytes gets the keys that serve only reading after its rows. Below, two
/// more statements take longer than they save.
const MANY: (u64, u64) = (10_000, 4 << 20);

impl Copy {
    /// Makes the schemas and tables that are not there.
    pub(super) fn create(&self, snapshot: &dyn Snapshot, tables: &[Table]) -> Result {
        self.creator.schemas(&*self.sink, snapshot.schemas())?;
        let there = There::ask(&*self.sink)?;
        let parents = parents(tables);
        self.each(tables, |table| self.make_table(table, &there, &parents))?;
        if let Some(all) = self.state.reader().copy_totals(&self.lane)? {
            self.stats.begin(&all);
        }
        Ok(())
    }

    /// Makes the keys that were put off.
    pub(super) fn add_keys(&self) -> Result {
        let tables = self.sink.tables_without_keys(&self.task, &self.lane)?;
        if !tables.is_empty() {
            log::info!("the rows are copied; now the keys of {} table(s) are made", tables.len());
        }
        self.each(&tables, |table| {
            let added = self.sink.add_keys(&self.task, &self.lane, table);
            // A stop ends the statement, and is no failure of it.
            added.map_err(|e| if self.stop.load(Ordering::Relaxed) { stopped() } else { e })
        })
    }

    /// Does something with each of many, as many at a time as the copy has threads.
    fn each<T: Sync>(&self, all: &[T], f: impl Fn(&T) -> Result + Sync) -> Result {
        let next = AtomicUsize::new(0);
        let work = || -> Result {
            while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.check_stop()?;
                // After a failure the others need not go on.
                f(one).inspect_err(|_| next.store(all.len(), Ordering::Relaxed))?;
            }
            Ok(())
        };
        let threads = self.settings.threads.max(1).min(all.len());
        let parts: Vec<Result> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(carried(work))).collect();
            threads.into_iter().map(|t| t.join().unwrap_or_else(|_| Err(panicked()))).collect()
        });
        parts.into_iter().collect()
    }

    /// Tables that refer to each other may get in each other's way; none is made in part.
    fn make_table(&self, table: &Table, there: &There, parents: &HashSet<TableName>) -> Result {
        let info = &table.copy.info;
        let mut attempt = 1;
        let made = loop {
            match self.creator.table(&*self.sink, info, there) {
                Err(e) if e.is_transient() && attempt < ATTEMPTS => {
                    attempt += 1;
                    self.check_stop()?;
                    log::warn!("{} is made again after: {e}", info.name);
                }
                other => break other?,
            }
        };
        let (rows, bytes) = MANY;
        let many = table.copy.rows >= rows || table.copy.bytes >= bytes;
        if made
            && many
            && !self.creator.is_merged(&info.name)
            && !parents.contains(&folded(&info.name))
        {
            self.sink.put_off_keys(&self.task, &self.lane, &table.target.table)?;
        }
        Ok(())
    }
}

/// The source tables that foreign keys point to.
fn parents(tables: &[Table]) -> HashSet<TableName> {
    let mut parents = HashSet::new();
    for info in tables.iter().map(|t| &t.copy.info) {
        for key in &info.schema.foreign_keys {
            let schema = match key.parent_schema.as_str() {
                "" => info.name.schema.as_str(),
                other => other,
            };
            parents.insert(folded(&TableName::new(schema, key.parent_table.as_str())));
        }
    }
    parents
}
