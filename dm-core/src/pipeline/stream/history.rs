//! How to recognise the last group before each checkpoint.
//!
//! Groups are noted as they are read and let go as the low-water mark passes them: of all that it has
//! passed only the last one counts. So there are never more than those that are under way.

use std::collections::VecDeque;

use crate::position::{BinlogPos, Gtid, GtidSet};
use crate::source::LastGroup;

/// The groups that a stream has read and not passed.
pub(in crate::pipeline) struct History {
    server: String,
    /// The group of the last checkpoint of the run before.
    before: Option<LastGroup>,
    /// The GTID of the group that is being read.
    gtid: Option<Gtid>,
    read: VecDeque<(u64, Ended)>,
}

struct Ended {
    start: BinlogPos,
    end: BinlogPos,
    gtid: Option<Gtid>,
    print: [u8; 16],
}

impl History {
    /// That of a stream of this server.
    pub fn new(server: &str, before: Option<LastGroup>) -> Self {
        Self { server: server.to_owned(), before, gtid: None, read: VecDeque::new() }
    }

    /// What is read from now on comes from this server.
    pub fn set_server(&mut self, server: &str) {
        server.clone_into(&mut self.server);
    }

    /// True when it is this server's.
    pub fn is_of(&self, server: &str) -> bool {
        self.server == server
    }

    /// The server that is read.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// What the run before read last.
    pub fn before(&self) -> Option<&LastGroup> {
        self.before.as_ref()
    }

    /// A group begins.
    pub fn begins(&mut self, gtid: Option<&Gtid>) {
        self.gtid = gtid.cloned();
    }

    /// A group has ended with an event of this fingerprint; `low` is the low-water mark now.
    pub fn ends(
        &mut self,
        ordinal: u64,
        start: &BinlogPos,
        end: &BinlogPos,
        print: [u8; 16],
        low: u64,
    ) {
        let gtid = self.gtid.take();
        self.forget_before(low);
        self.read
            .push_back((ordinal, Ended { start: start.clone(), end: end.clone(), gtid, print }));
    }

    /// The last group up to a checkpoint, when it is another one than the last time.
    pub fn upto(&mut self, low: u64) -> Option<LastGroup> {
        self.forget_before(low);
        if self.read.front().is_none_or(|(ordinal, _)| *ordinal > low) {
            return None;
        }
        let (_, group) = self.read.pop_front()?;
        Some(LastGroup {
            server: self.server.clone(),
            start: group.start,
            end: group.end,
            gtid: group.gtid.as_ref().map(GtidSet::of),
            print: group.print,
        })
    }

    /// Lets go of all but the last one up to a low-water mark.
    fn forget_before(&mut self, low: u64) {
        while self.read.get(1).is_some_and(|(ordinal, _)| *ordinal <= low) {
            self.read.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> BinlogPos {
        BinlogPos::new("b.000001".parse().unwrap(), offset)
    }

    fn ended(history: &mut History, ordinal: u64, low: u64) {
        history.ends(ordinal, &at(ordinal * 10), &at(ordinal * 10 + 5), [ordinal as u8; 16], low);
    }

    #[test]
    fn the_last_one_that_is_passed_counts() {
        let mut history = History::new("s", None);
        assert_eq!(history.upto(0), None);
        (11..=15).for_each(|n| ended(&mut history, n, 10));
        assert_eq!(history.upto(10), None);
        let last = history.upto(13).unwrap();
        assert_eq!((last.end, last.print), (at(135), [13; 16]));
        // Nothing new: what was saved stays.
        assert_eq!(history.upto(13), None);
        assert_eq!(history.upto(20).map(|l| l.end), Some(at(155)));
    }

    #[test]
    fn no_more_are_kept_than_are_under_way() {
        let mut history = History::new("s", None);
        (1..=1000).for_each(|n| ended(&mut history, n, n.saturating_sub(3)));
        assert!(history.read.len() <= 5, "{}", history.read.len());
        assert_eq!(history.upto(999).map(|l| l.end), Some(at(9995)));
    }

    #[test]
    fn its_own_gtid_goes_with_it() {
        let flavor = crate::position::Flavor::MariaDb;
        let mut history = History::new("s", None);
        history.begins(Some(&Gtid::parse(flavor, "1-7-19").unwrap()));
        ended(&mut history, 1, 0);
        // Anonymous.
        history.begins(None);
        ended(&mut history, 2, 0);
        let own = history.upto(1).and_then(|l| l.gtid);
        assert_eq!(own, GtidSet::parse(flavor, "1-7-19").ok());
        assert_eq!(history.upto(2).map(|l| l.gtid), Some(None));
    }
}
