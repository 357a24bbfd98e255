//! What a sink has done, in numbers: rows of the copy, and changes of the stream by table.

use dm_filter::TableName;

/// What a load did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadStats {
    /// Rows written.
    pub rows: u64,
    /// Bytes of cell data.
    pub bytes: u64,
    /// Rows that were there already and were kept or replaced.
    pub duplicates: u64,
    /// Bytes of the largest statement that was sent; 0 where that says nothing.
    pub largest: u64,
}

/// What an apply did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplyStats {
    /// Rows inserted.
    pub inserted: u64,
    /// Rows updated.
    pub updated: u64,
    /// Rows deleted.
    pub deleted: u64,
    /// Updated or deleted rows that the target did not have, by target table.
    pub missing: Vec<(TableName, u64)>,
    /// What was done, by target table.
    pub tables: Vec<(TableName, RowCounts)>,
}

/// Row changes by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// Rows inserted.
    pub inserted: u64,
    /// Rows updated.
    pub updated: u64,
    /// Rows deleted.
    pub deleted: u64,
}

impl RowCounts {
    /// Adds another count.
    pub fn add(&mut self, other: Self) {
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.deleted += other.deleted;
    }
}

impl ApplyStats {
    /// Counts what was done to a table.
    pub fn did(&mut self, table: &TableName, counts: RowCounts) {
        self.inserted += counts.inserted;
        self.updated += counts.updated;
        self.deleted += counts.deleted;
        // The last one first: changes of a table come one after the other.
        match self.tables.iter_mut().rev().find(|(t, _)| t == table) {
            Some((_, have)) => have.add(counts),
            None => self.tables.push((table.clone(), counts)),
        }
    }

    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        for (table, counts) in &other.tables {
            self.did(table, *counts);
        }
        for (table, n) in &other.missing {
            self.add_missing(table, *n);
        }
    }

    /// Counts rows that were to be changed and are not in the target.
    pub fn add_missing(&mut self, table: &TableName, n: u64) {
        match self.missing.iter_mut().find(|(t, _)| t == table) {
            Some((_, have)) => *have += n,
            None => self.missing.push((table.clone(), n)),
        }
    }
}
