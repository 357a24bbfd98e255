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

use serde::{Deserialize, Serialize};

use super::LaneId;
use super::exact::exact;
use crate::position::{Gtid, GtidSet, MySqlGtidSet, Position, Sid};

/// Equal ranges in a row that a text may tell by their number: far more than a worker can have
/// between the low-water mark and its last transaction.
const RANGES: usize = 1 << 24;

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

    /// Text form: each bound told from the one before it, equal steps once with their number behind
    /// a star; then the GTIDs behind a bar and the part behind a tilde; empty for the empty set.
    ///
    /// GTIDs that are the ordinals, counted from another number by one server, are told by their
    /// server and the first of them: `|=uuid:first`.
    pub fn to_text(&self) -> String {
        use std::fmt::Write as _;
        let mut out = String::new();
        let mut steps = self.steps().peekable();
        while let Some(step) = steps.next() {
            let mut times = 1u64;
            while steps.next_if_eq(&step).is_some() {
                times += 1;
            }
            if !out.is_empty() {
                out.push(',');
            }
            let _ = write!(out, "{}", step.0);
            if step.1 > 0 {
                let _ = write!(out, "+{}", step.1);
            }
            if times > 1 {
                let _ = write!(out, "*{times}");
            }
        }
        if let Some(gtids) = self.gtids.as_ref().filter(|_| !self.ranges.is_empty()) {
            match self.counted_by(gtids) {
                Some((sid, first)) => drop(write!(out, "|={sid}:{first}")),
                None => drop(write!(out, "|{}", Position::of_gtid(gtids.clone()).to_text())),
            }
        }
        if let Some(Part { ordinal, events, server }) = self.part() {
            let _ = write!(out, "~{ordinal}:{events}:{server:x}");
        }
        out
    }

    /// Each range: how far it begins behind the end of the one before, and how much longer than one
    /// it is.
    fn steps(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut base = 0;
        self.ranges.iter().map(move |&(low, high)| {
            let step = (low - base, high - low);
            base = high;
            step
        })
    }

    /// Who counts the GTIDs, and the number of the first, when they are the ordinals of the set.
    fn counted_by<'g>(&self, gtids: &'g GtidSet) -> Option<(&'g Sid, u64)> {
        let GtidSet::MySql(set) = gtids else { return None };
        let mut sids = set.iter();
        let (Some((sid, numbers)), None) = (sids.next(), sids.next()) else { return None };
        let (first, _) = numbers.iter().next()?;
        let (begin, _) = *self.ranges.first()?;
        let shift = |n: u64| first.checked_add(n - begin);
        let shifted = self.ranges.iter().map(|&(low, high)| Some((shift(low)?, shift(high)?)));
        numbers.iter().map(Some).eq(shifted).then_some((sid, first))
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

    /// Reads the text form.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut set = Self::new();
        let text = match text.rsplit_once('~') {
            Some((text, part)) => {
                set.part = Some(Part::from_text(part)?);
                text
            }
            None => text,
        };
        let (text, gtids) = match text.split_once('|') {
            Some((text, gtids)) => (text, Some(gtids)),
            None => (text, None),
        };
        let mut base = 0u64;
        for part in text.split(',').filter(|p| !p.is_empty()) {
            let (part, times) = match part.split_once('*') {
                Some((part, times)) => (part, times.parse::<usize>().ok()?),
                None => (part, 1),
            };
            let (low, span) = match part.split_once('+') {
                Some((low, span)) => (low.parse::<u64>().ok()?, span.parse::<u64>().ok()?),
                None => (part.parse::<u64>().ok()?, 0),
            };
            if times > RANGES {
                return None;
            }
            for _ in 0..times {
                let begin = base.checked_add(low)?;
                let end = begin.checked_add(span)?;
                if set.ranges.last().is_some_and(|last| begin <= last.1 + 1) {
                    return None;
                }
                set.ranges.push((begin, end));
                base = end;
            }
        }
        match gtids.map(|gtids| (gtids, gtids.strip_prefix('='))) {
            Some((_, Some(counted))) => {
                let (sid, first) = counted.rsplit_once(':')?;
                set.set_counted(&sid.parse().ok()?, first.parse().ok()?).then_some(())?;
            }
            Some((gtids, None)) => set.gtids = Some(Position::from_text(gtids).ok()?.gtid?),
            None => {}
        }
        Some(set)
    }
}

impl Part {
    fn from_text(text: &str) -> Option<Self> {
        let mut numbers = text.split(':');
        let (ordinal, events) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        let server = u64::from_str_radix(numbers.next()?, 16).ok()?;
        numbers.next().is_none().then_some(Self { ordinal, events, server })
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
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn equal_steps_take_no_room() {
        let mut set = OrdinalSet::new();
        (0..1_000).for_each(|i| set.insert(100 + 16 * i));
        assert_eq!(set.to_text(), "100,16*999");
        assert_eq!(OrdinalSet::from_text(&set.to_text()), Some(set));
        // As earlier versions wrote them.
        let long = OrdinalSet::from_text("100,16,16,16,5+2,5+2").unwrap();
        assert_eq!(long.to_text(), "100,16*3,5+2*2");
        assert_eq!(OrdinalSet::from_text(&long.to_text()), Some(long));
        for damaged in ["5,0*3", "5,2*", "5,2*x", "5,2*99999999999", "5|=1", "5|=x:1", "5|="] {
            assert_eq!(OrdinalSet::from_text(damaged), None, "{damaged}");
        }
    }

    use proptest::prelude::*;

    use super::*;
    use crate::position::Flavor;

    proptest! {
        #[test]
        fn behaves_like_a_set(items in prop::collection::vec(1u64..60, 0..60), cut in 0u64..60) {
            let mut set = OrdinalSet::new();
            let mut model = BTreeSet::new();
            for &i in &items {
                set.insert(i);
                model.insert(i);
            }
            for i in 0..61 {
                prop_assert_eq!(set.contains(i), model.contains(&i));
            }
            prop_assert_eq!(set.len(), model.len() as u64);
            prop_assert_eq!(OrdinalSet::from_text(&set.to_text()), Some(set.clone()));
            let run = (cut + 1..).take_while(|i| model.contains(i)).last().unwrap_or(cut);
            prop_assert_eq!(set.run_after(cut), run);
            set.forget_upto(cut);
            model.retain(|&i| i > cut);
            for i in 0..61 {
                prop_assert_eq!(set.contains(i), model.contains(&i));
            }
        }

        /// Another server delivers in another order: the GTID decides.
        #[test]
        fn a_gtid_decides_where_there_is_one(order in prop::collection::vec(1u64..40, 1..30)) {
            let gtid = |n: u64| {
                Gtid::parse(Flavor::MySql, &format!("3e11fa47-71ca-11e1-9e33-c80aa9429562:{n}")).unwrap()
            };
            let mut set = OrdinalSet::new();
            let mut gtids = GtidSet::empty(Flavor::MySql);
            for (ordinal, &n) in order.iter().enumerate() {
                set.insert(ordinal as u64 + 100);
                gtids.add(&gtid(n)).unwrap();
            }
            set.set_gtids(Some(gtids));
            let stored = OrdinalSet::from_text(&set.to_text()).unwrap();
            prop_assert_eq!(&stored, &set);
            let mut both = OrdinalSet::new();
            both.union(&stored);
            both.union(&OrdinalSet::new());
            for n in 0..41 {
                prop_assert_eq!(both.has(100, Some(&gtid(n + 1))), order.contains(&(n + 1)));
                prop_assert_eq!(both.has(n + 100, None), both.contains(n + 100));
            }
            let mut without = OrdinalSet::new();
            without.insert(7);
            both.union(&without);
            prop_assert_eq!(both.gtids(), None);
        }

        /// GTIDs that are the ordinals from another number on are told briefly, and come back.
        #[test]
        fn counted_gtids_come_back(
            items in prop::collection::vec(1u64..200, 1..60),
            first in 1u64..1000,
            other in 0u64..2,
        ) {
            let sid: Sid = "3e11fa47-71ca-11e1-9e33-c80aa9429562:tag".parse().unwrap();
            let mut set = OrdinalSet::new();
            items.iter().for_each(|&i| set.insert(i));
            let begin = set.first().unwrap();
            let mut model = GtidSet::empty(Flavor::MySql);
            for &i in &items {
                let gno = first + (i - begin);
                model.add(&Gtid::MySql { sid: sid.clone(), gno }).unwrap();
            }
            prop_assert!(set.set_counted(&sid, first));
            prop_assert_eq!(set.gtids(), Some(&model));
            let brief = format!("|={sid}:{first}");
            prop_assert!(set.to_text().contains(&brief));
            // One more, of whatever number, is another set.
            model.add(&Gtid::MySql { sid, gno: first + 500 + other }).unwrap();
            let mut uneven = set.clone();
            uneven.set_gtids(Some(model));
            for set in [set, uneven] {
                prop_assert_eq!(OrdinalSet::from_text(&set.to_text()), Some(set));
            }
        }

        #[test]
        fn union_is_union(a in prop::collection::vec(1u64..50, 0..30), b in prop::collection::vec(1u64..50, 0..30)) {
            let build = |v: &[u64]| { let mut s = OrdinalSet::new(); v.iter().for_each(|&i| s.insert(i)); s };
            let mut set = build(&a);
            set.union(&build(&b));
            let both: Vec<u64> = a.iter().chain(&b).copied().collect();
            prop_assert_eq!(set, build(&both));
        }
    }

    #[test]
    fn a_part_counts_until_the_whole_is_in() {
        let part = |events| Part { ordinal: 7, events, server: 0xabc };
        let mut first = OrdinalSet::new();
        first.set_part(part(2));
        assert_eq!(first.to_text(), "~7:2:abc");
        assert!(first.is_empty());
        let mut second = OrdinalSet::from_text("3+1~7:5:abc").unwrap();
        second.union(&OrdinalSet::from_text(&first.to_text()).unwrap());
        assert_eq!(second.part(), Some(part(5)));
        assert!(second.contains(4) && !second.contains(7));
        second.forget_upto(6);
        assert_eq!(second.part(), Some(part(5)));
        let mut whole = second.clone();
        whole.insert(7);
        assert_eq!((whole.part(), whole.to_text().as_str()), (None, "7"));
        second.forget_upto(7);
        assert_eq!(second, OrdinalSet::new());
    }

    #[test]
    fn rubbish_is_no_set() {
        for text in [
            "1~",
            "~1",
            "~1:2",
            "~1:2:x",
            "~1:2:3:4",
            "x",
            "1-2",
            "5,0",
            "1+",
            "+1",
            "18446744073709551615,5",
        ] {
            assert_eq!(OrdinalSet::from_text(text), None, "{text}");
        }
    }
}
