//! Which source tables go to which target tables.
//!
//! Guarantee: whoever asks whether a target table has rows of others is told of every source table that has
//! gone there: those that the sources have when a task starts, those that its streams have not left behind
//! yet, and those that come while it runs. A dropped one counts on: its rows may have been left where they are.

use std::collections::{BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use dm_filter::TableName;
use xxhash_rust::xxh3::xxh3_64;

use crate::event::SourceId;
use crate::schema::fold;

/// Which source tables go to which target tables; all sources of a task share it.
#[derive(Debug, Default)]
pub(crate) struct MergedTargets {
    known: RwLock<Known>,
    /// `shard-mode` is set.
    sharded: bool,
}

#[derive(Debug, Default)]
struct Known {
    /// Hashes of the source tables of a target table.
    tables: HashMap<TableName, Vec<u64>>,
    /// Whose tables a target schema has: sources and their schemas.
    schemas: HashMap<String, BTreeSet<(SourceId, String)>>,
}

/// The tables of one source.
#[derive(Clone, Copy)]
pub(crate) struct Of<'s> {
    pub source: &'s SourceId,
    /// Its server does not tell upper from lower case.
    pub folds: bool,
}

impl Of<'_> {
    fn hash(self, table: &TableName) -> u64 {
        xxh3_64(format!("{}\n{}", self.source, fold(table, self.folds)).as_bytes())
    }
}

impl MergedTargets {
    /// None yet; with a `shard-mode` or without.
    pub fn new(sharded: bool) -> Self {
        Self { sharded, ..Self::default() }
    }

    /// True when the task file has a `shard-mode`.
    pub fn is_sharded(&self) -> bool {
        self.sharded
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a source table goes to `target`.
    pub fn add(&self, of: Of<'_>, table: &TableName, target: TableName) {
        let mut known = self.known_mut();
        let schemas = known.schemas.entry(target.schema.clone()).or_default();
        schemas.insert((of.source.clone(), table.schema.clone()));
        let tables = known.tables.entry(target).or_default();
        let hash = of.hash(table);
        if !tables.contains(&hash) {
            tables.push(hash);
        }
    }

    /// Notes that a source table has another name now.
    pub fn leave(&self, of: Of<'_>, table: &TableName, target: &TableName) {
        if let Some(tables) = self.known_mut().tables.get_mut(target) {
            let hash = of.hash(table);
            tables.retain(|one| *one != hash);
        }
    }

    /// Another source or schema than this one that has tables in a target schema.
    pub fn other_in(
        &self,
        target: &str,
        source: &SourceId,
        schema: &str,
    ) -> Option<(SourceId, String)> {
        let own = |(s, named): &&(SourceId, String)| s == source && named == schema;
        self.known().schemas.get(target)?.iter().find(|one| !own(one)).cloned()
    }

    /// True when other tables than these of a source go there.
    pub fn has_others(&self, of: Of<'_>, own: &[&TableName], target: &TableName) -> bool {
        let own: Vec<u64> = own.iter().map(|table| of.hash(table)).collect();
        let known = self.known();
        known.tables.get(target).is_some_and(|all| all.iter().any(|one| !own.contains(one)))
    }

    /// True when several source tables go there.
    pub fn contains(&self, target: &TableName) -> bool {
        self.known().tables.get(target).is_some_and(|all| all.len() > 1)
    }

    /// The same for a table or, without a table's name, for any table of a schema.
    pub fn concerns(&self, target: &TableName) -> bool {
        if !target.table.is_empty() {
            return self.contains(target);
        }
        let known = self.known();
        known.tables.iter().any(|(t, all)| t.schema == target.schema && all.len() > 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_no_other_than_itself() {
        let (a, b) = (SourceId::new("a"), SourceId::new("b"));
        let (of_a, of_b) = (Of { source: &a, folds: true }, Of { source: &b, folds: false });
        let name = |table: &str| TableName::new("d", table);
        let (all, target) = (MergedTargets::new(false), name("all"));
        all.add(of_a, &name("one"), target.clone());
        all.add(of_a, &name("ONE"), target.clone());
        assert!(!all.contains(&target) && !all.has_others(of_a, &[&name("One")], &target));
        assert!(all.has_others(of_b, &[&name("one")], &target), "another source's");
        assert!(all.has_others(of_a, &[&name("two")], &target));
        all.add(of_b, &name("one"), target.clone());
        assert!(all.contains(&target) && all.concerns(&TableName::schema_only("d")));
        assert_eq!(all.other_in("d", &a, "d"), Some((b.clone(), "d".to_owned())));
        all.leave(of_b, &name("One"), &target);
        assert!(all.contains(&target));
        all.leave(of_b, &name("one"), &target);
        assert!(!all.contains(&target));
    }
}
