//! How the stream treats the first changes of a table after its copy.
//!
//! All rows of a copied table contain every change up to one position (`from`), none a change
//! beyond another (`upto`). Changes up to the first are dropped; those in between may or may not
//! be in the rows, so they are applied idempotently; what follows is applied exactly.

use std::collections::HashMap;
use std::sync::Arc;

use dm_filter::TableName;

use crate::event::ApplyMode;
use crate::position::{BinlogPos, Gtid, Position};
use crate::state::Contained;

/// What to do with a change of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The rows contain it.
    Contained,
    /// Apply it in this mode.
    Apply(ApplyMode),
}

/// The windows of all tables that still have one.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    tables: HashMap<TableName, (Arc<Position>, Arc<Position>)>,
    passed: Vec<TableName>,
}

/// True when a position contains the group that ends at `end` and has this GTID.
///
/// A GTID decides by membership: another server may deliver in another order. Without one, the
/// place in the file does.
pub(crate) fn contains(position: &Position, end: &BinlogPos, gtid: Option<&Gtid>) -> bool {
    if let (Some(set), Some(gtid)) = (&position.gtid, gtid)
        && !set.is_empty()
        && set.flavor() == gtid.flavor()
    {
        return set.contains(gtid);
    }
    position.binlog.as_ref().is_some_and(|p| end <= p)
}

impl Windows {
    /// The windows that the copy left.
    pub fn new(contained: Vec<Contained>) -> Self {
        Self {
            tables: contained.into_iter().map(|c| (c.table, (c.from, c.upto))).collect(),
            passed: Vec::new(),
        }
    }

    /// What to do with a change of a table in the group that ends at `end`.
    pub fn admit(&self, table: &TableName, end: &BinlogPos, gtid: Option<&Gtid>) -> Admission {
        let Some((from, upto)) = self.tables.get(table) else {
            return Admission::Apply(ApplyMode::Exact);
        };
        if contains(from, end, gtid) {
            return Admission::Contained;
        }
        // That it is behind the window does not end it: what is inside may not be in yet, and is read
        // again after a crash.
        let mode = match contains(upto, end, gtid) {
            true => ApplyMode::Idempotent,
            false => ApplyMode::Exact,
        };
        Admission::Apply(mode)
    }

    /// Forgets all windows once the whole stream is behind them.
    pub fn pass_all(&mut self, behind: &Position) {
        let done: Vec<TableName> = self
            .tables
            .iter()
            .filter(|(_, (_, upto))| match (&upto.gtid, &behind.gtid) {
                (Some(upto), Some(behind)) => upto.is_subset(behind),
                _ => upto.binlog.as_ref().zip(behind.binlog.as_ref()).is_some_and(|(u, b)| u <= b),
            })
            .map(|(t, _)| t.clone())
            .collect();
        for table in done {
            self.tables.remove(&table);
            self.passed.push(table);
        }
    }

    /// True when no table has a window any more.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// The tables whose windows have been passed since the last call.
    pub fn take_passed(&mut self) -> Vec<TableName> {
        std::mem::take(&mut self.passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::{Flavor, GtidSet};

    fn pos(offset: u64) -> BinlogPos {
        BinlogPos::new("bin.000002".parse().unwrap(), offset)
    }

    #[test]
    fn by_file_a_window_opens_and_closes_with_the_low_water_mark() {
        let t = TableName::new("s", "t");
        let contained = Contained {
            table: t.clone(),
            from: Arc::new(Position::at(pos(100))),
            upto: Arc::new(Position::at(pos(200))),
        };
        let mut w = Windows::new(vec![contained]);
        assert_eq!(w.admit(&t, &pos(100), None), Admission::Contained);
        assert_eq!(w.admit(&t, &pos(101), None), Admission::Apply(ApplyMode::Idempotent));
        assert_eq!(w.admit(&t, &pos(200), None), Admission::Apply(ApplyMode::Idempotent));
        assert_eq!(w.admit(&t, &pos(201), None), Admission::Apply(ApplyMode::Exact));
        w.pass_all(&Position::at(pos(199)));
        assert!(!w.is_empty() && w.take_passed().is_empty());
        w.pass_all(&Position::at(pos(200)));
        assert!(w.is_empty());
        assert_eq!(w.take_passed(), std::slice::from_ref(&t));
        assert_eq!(
            w.admit(&TableName::new("s", "u"), &pos(1), None),
            Admission::Apply(ApplyMode::Exact)
        );
    }

    #[test]
    fn by_gtid_membership_decides_whatever_the_order() {
        let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        let set = |text: &str| GtidSet::parse(Flavor::MySql, &format!("{uuid}:{text}")).unwrap();
        let gtid = |n: u64| Gtid::parse(Flavor::MySql, &format!("{uuid}:{n}")).unwrap();
        let t = TableName::new("s", "t");
        let contained = Contained {
            table: t.clone(),
            from: Arc::new(Position::of_gtid(set("1-5:8"))),
            upto: Arc::new(Position::of_gtid(set("1-10"))),
        };
        let mut w = Windows::new(vec![contained]);
        assert_eq!(w.admit(&t, &pos(1), Some(&gtid(11))), Admission::Apply(ApplyMode::Exact));
        assert_eq!(w.admit(&t, &pos(2), Some(&gtid(8))), Admission::Contained);
        assert_eq!(w.admit(&t, &pos(3), Some(&gtid(7))), Admission::Apply(ApplyMode::Idempotent));
        w.pass_all(&Position::of_gtid(set("1-11")));
        assert!(w.is_empty());
    }
}
