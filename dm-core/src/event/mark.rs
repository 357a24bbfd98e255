//! Marks: what the target itself says about what has arrived.
//!
//! Guarantee: after any crash, every transaction of a lane is known to be in the target or not.
//! Obstacle: the state file and the target commit apart, and workers commit out of order, so
//! neither a position nor "the last one" says it. Method: the reader numbers the transactions of
//! a lane in the order of the binlog (ordinals); each target transaction also writes the set of
//! ordinals that its worker has committed since the low-water mark. After a restart the union of
//! all marks of the lane is the applied set: those are skipped, the rest runs exactly once.
//! Ordinals are stable because a lane is read again from a position whose ordinal is stored with
//! it, over the same binlog. Over the binlog of another server (a failover by GTID) they are not: a
//! replica may have committed in another order (at MariaDB the order within a domain is the same
//! everywhere, but not that of several). So where transactions have GTIDs, a set names them by
//! these as well, and a GTID decides.
//!
//! A transaction that is larger than the target takes in one of its own is applied in several, each
//! with a mark that says how far it is ([`Part`]). Only one transaction is in parts at a time: it
//! runs alone.

mod text;

use serde::{Deserialize, Serialize};

use super::LaneId;
use super::exact::exact;
use crate::position::{Gtid, GtidSet, MySqlGtidSet, Sid};

/// A set of ordinals as disjoint, sorted, inclusive ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrdinalSet {
    ranges: Vec<(u64, u64)>,
    /// The same transactions by GTID, when all have one; may hold older ones, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gtids: Option<GtidSet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<Part>,
}

/// A transaction of which only the beginning is in the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Part {
    /// Its ordinal.
    pub ordinal: u64,
    /// So many of its events of rows are in, counted before any filter.
    pub events: u64,
    /// Stands for the server whose binlog was read (another one may cut the same rows into other
    /// events) and for the tables that the lane was about.
    pub server: u64,
}

impl OrdinalSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one ordinal.
    pub fn insert(&mut self, ordinal: u64) {
        // Nearly always at or after the end.
        if let Some(last) = self.ranges.last_mut() {
            if ordinal == last.1 + 1 {
                last.1 = ordinal;
                return;
            }
            if ordinal > last.1 {
                self.ranges.push((ordinal, ordinal));
                return;
            }
        } else {
            self.ranges.push((ordinal, ordinal));
            return;
        }
        let at = self.ranges.partition_point(|r| r.1 < ordinal);
        if self.ranges[at].0 <= ordinal {
            return;
        }
        let joins_next = self.ranges[at].0 == ordinal + 1;
        let joins_previous = at > 0 && self.ranges[at - 1].1 + 1 == ordinal;
        match (joins_previous, joins_next) {
            (true, true) => {
                self.ranges[at - 1].1 = self.ranges[at].1;
                self.ranges.remove(at);
            }
            (true, false) => self.ranges[at - 1].1 = ordinal,
            (false, true) => self.ranges[at].0 = ordinal,
            (false, false) => self.ranges.insert(at, (ordinal, ordinal)),
        }
    }

    /// True when the ordinal is in the set.
    pub fn contains(&self, ordinal: u64) -> bool {
        let at = self.ranges.partition_point(|r| r.1 < ordinal);
        self.ranges.get(at).is_some_and(|r| r.0 <= ordinal)
    }

    /// True when the transaction is in the set: by its GTID where that is known, else by its
    /// ordinal.
    pub fn has(&self, ordinal: u64, gtid: Option<&Gtid>) -> bool {
        match (&self.gtids, gtid) {
            (Some(set), Some(gtid)) => set.contains(&exact(gtid)),
            _ => self.contains(ordinal),
        }
    }

    /// Says which GTIDs the transactions of the set have; `None` when some have none.
    pub fn set_gtids(&mut self, gtids: Option<GtidSet>) {
        self.gtids = gtids;
    }

    /// The GTIDs of the transactions, when they are known.
    pub fn gtids(&self) -> Option<&GtidSet> {
        self.gtids.as_ref()
    }

    /// Says that the beginning of a transaction is in.
    pub fn set_part(&mut self, part: Part) {
        self.part = Some(part);
    }

    /// The transaction of which only the beginning is in.
    pub fn part(&self) -> Option<Part> {
        self.part.filter(|part| !self.contains(part.ordinal))
    }

    /// Forgets everything up to and including an ordinal.
    pub fn forget_upto(&mut self, ordinal: u64) {
        self.part = self.part.filter(|part| part.ordinal > ordinal);
        let at = self.ranges.partition_point(|r| r.1 <= ordinal);
        self.ranges.drain(..at);
        if let Some(first) = self.ranges.first_mut() {
            first.0 = first.0.max(ordinal + 1);
        }
    }

    /// Adds all of another set.
    pub fn union(&mut self, other: &Self) {
        self.part = self.part.max(other.part);
        self.gtids = match (self.gtids.take(), other.gtids.clone()) {
            (Some(mut mine), Some(theirs)) => mine.union(&theirs).is_ok().then_some(mine),
            (mine, None) if other.is_empty() => mine,
            (None, theirs) if self.is_empty() => theirs,
            _ => None,
        };
        let mut all = std::mem::take(&mut self.ranges);
        all.extend_from_slice(&other.ranges);
        all.sort_unstable();
        for (low, high) in all {
            match self.ranges.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => self.ranges.push((low, high)),
            }
        }
    }

    /// True for the empty set.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The largest ordinal.
    pub fn last(&self) -> Option<u64> {
        self.ranges.last().map(|r| r.1)
    }

    /// Number of ordinals.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|r| r.1 - r.0 + 1).sum()
    }

    /// The last ordinal of the run that starts right after `low`; `low` itself when there is none.
    pub fn run_after(&self, low: u64) -> u64 {
        let at = self.ranges.partition_point(|r| r.1 <= low);
        match self.ranges.get(at) {
            Some(r) if r.0 <= low + 1 => r.1,
            _ => low,
        }
    }

    /// Says that the GTIDs of the transactions are their ordinals, counted by one server from
    /// another number: the first of them is `first`. False, with nothing said, when the numbers
    /// would be too large.
    pub(crate) fn set_counted(&mut self, sid: &Sid, first: u64) -> bool {
        let Some(&(begin, _)) = self.ranges.first() else { return false };
        let mut set = MySqlGtidSet::default();
        for &(low, high) in &self.ranges {
            let shift = |n: u64| first.checked_add(n - begin);
            let (Some(low), Some(high)) = (shift(low), shift(high)) else { return false };
            set.add(sid, low, high);
        }
        self.gtids = Some(GtidSet::MySql(set));
        true
    }

    /// The smallest ordinal.
    pub(crate) fn first(&self) -> Option<u64> {
        self.ranges.first().map(|r| r.0)
    }
}

/// The mark that one worker writes with a batch of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamMark {
    /// The lane.
    pub lane: LaneId,
    /// Number of this run of the lane; grows with every start. An older run's mark stays until
    /// the low-water mark has passed it.
    pub epoch: u64,
    /// The worker's number within the run.
    pub worker: u32,
    /// Everything up to this ordinal is in the target.
    pub low: u64,
    /// The position behind the transaction `low`, as text.
    pub low_position: String,
    /// What this worker has committed beyond `low`, this target transaction included.
    pub applied: OrdinalSet,
}

/// The mark that a worker writes with a chunk of the copy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChunkMark {
    /// The lane.
    pub lane: LaneId,
    /// Source schema.
    pub schema: String,
    /// Source table.
    pub table: String,
    /// How often the table has been started anew; 1 for the first copy.
    pub generation: u32,
    /// Number of the chunk within its table and generation.
    pub chunk: u32,
}

#[cfg(test)]
mod tests;
