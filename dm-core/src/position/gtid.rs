//! GTIDs and sets of them, whichever flavor.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Flavor, MariaDbGtid, MariaDbGtidSet, MySqlGtidSet, PositionError, Sid};

/// The global identifier of one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Gtid {
    /// `uuid[:tag]:number`.
    MySql {
        /// Who numbered it.
        sid: Sid,
        /// The number, from 1.
        gno: u64,
    },
    /// `domain-server-sequence`.
    MariaDb(MariaDbGtid),
}

impl Gtid {
    /// The family of servers that writes GTIDs of this form.
    pub fn flavor(&self) -> Flavor {
        match self {
            Self::MySql { .. } => Flavor::MySql,
            Self::MariaDb(_) => Flavor::MariaDb,
        }
    }

    /// Reads one GTID.
    pub fn parse(flavor: Flavor, text: &str) -> Result<Self, PositionError> {
        let text = text.trim();
        match flavor {
            Flavor::MariaDb => Ok(Self::MariaDb(text.parse()?)),
            Flavor::MySql => {
                let (sid, gno) = text
                    .rsplit_once(':')
                    .ok_or_else(|| PositionError::gtid(text, "expected uuid:number"))?;
                let gno = super::mysql::parse_gno(gno)
                    .ok_or_else(|| PositionError::gtid(text, "the number is not valid"))?;
                Ok(Self::MySql { sid: sid.parse()?, gno })
            }
        }
    }
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MySql { sid, gno } => write!(f, "{sid}:{gno}"),
            Self::MariaDb(gtid) => gtid.fmt(f),
        }
    }
}

/// Transactions that have happened. Ordered by inclusion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GtidSet {
    /// Intervals per UUID and tag: exact.
    MySql(MySqlGtidSet),
    /// The last sequence number per domain: exact as long as numbers ascend within a domain.
    MariaDb(MariaDbGtidSet),
}

impl GtidSet {
    /// The set without any transaction.
    pub fn empty(flavor: Flavor) -> Self {
        match flavor {
            Flavor::MySql => Self::MySql(MySqlGtidSet::default()),
            Flavor::MariaDb => Self::MariaDb(MariaDbGtidSet::default()),
        }
    }

    /// The set that holds one transaction.
    pub fn of(gtid: &Gtid) -> Self {
        match gtid {
            Gtid::MySql { sid, gno } => {
                let mut set = MySqlGtidSet::default();
                set.add(sid, *gno, *gno);
                Self::MySql(set)
            }
            Gtid::MariaDb(gtid) => {
                let mut set = MariaDbGtidSet::default();
                set.add(*gtid);
                Self::MariaDb(set)
            }
        }
    }

    /// Reads a set as servers print it; white space and line ends are allowed anywhere between
    /// the parts, and an empty text is the empty set.
    pub fn parse(flavor: Flavor, text: &str) -> Result<Self, PositionError> {
        Ok(match flavor {
            Flavor::MySql => Self::MySql(text.parse()?),
            Flavor::MariaDb => Self::MariaDb(text.parse()?),
        })
    }

    /// The family of servers that the set belongs to.
    pub fn flavor(&self) -> Flavor {
        match self {
            Self::MySql(_) => Flavor::MySql,
            Self::MariaDb(_) => Flavor::MariaDb,
        }
    }

    /// True when nothing is in it.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::MySql(set) => set.is_empty(),
            Self::MariaDb(set) => set.is_empty(),
        }
    }

    /// True when the transaction is in the set; false for a GTID of the other flavor.
    pub fn contains(&self, gtid: &Gtid) -> bool {
        match (self, gtid) {
            (Self::MySql(set), Gtid::MySql { sid, gno }) => set.contains(sid, *gno),
            (Self::MariaDb(set), Gtid::MariaDb(gtid)) => set.contains(gtid),
            _ => false,
        }
    }

    /// Puts a transaction in.
    pub fn add(&mut self, gtid: &Gtid) -> Result<(), PositionError> {
        match (&mut *self, gtid) {
            (Self::MySql(set), Gtid::MySql { sid, gno }) => set.add(sid, *gno, *gno),
            (Self::MariaDb(set), Gtid::MariaDb(gtid)) => set.add(*gtid),
            _ => return Err(PositionError::Mixed { set: self.flavor(), gtid: gtid.flavor() }),
        }
        Ok(())
    }

    /// Puts everything of another set in.
    pub fn union(&mut self, other: &Self) -> Result<(), PositionError> {
        match (&mut *self, other) {
            (Self::MySql(a), Self::MySql(b)) => a.union(b),
            (Self::MariaDb(a), Self::MariaDb(b)) => a.union(b),
            _ => return Err(PositionError::Mixed { set: self.flavor(), gtid: other.flavor() }),
        }
        Ok(())
    }

    /// What is in this set and not in the other.
    pub fn minus(&self, other: &Self) -> Result<Self, PositionError> {
        match (self, other) {
            (Self::MySql(a), Self::MySql(b)) => Ok(Self::MySql(a.minus(b))),
            (Self::MariaDb(a), Self::MariaDb(b)) => Ok(Self::MariaDb(a.minus(b))),
            _ => Err(PositionError::Mixed { set: self.flavor(), gtid: other.flavor() }),
        }
    }

    /// True when the other set holds everything of this one. The empty set is part of any set,
    /// whatever its flavor.
    pub fn is_subset(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::MySql(a), Self::MySql(b)) => a.is_subset(b),
            (Self::MariaDb(a), Self::MariaDb(b)) => a.is_subset(b),
            _ => self.is_empty(),
        }
    }

    /// True when some transaction is in both.
    pub fn intersects(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::MySql(a), Self::MySql(b)) => a.intersects(b),
            (Self::MariaDb(a), Self::MariaDb(b)) => a.intersects(b),
            _ => false,
        }
    }

    /// The text that loses nothing: for MariaDB every server of a domain, the last one last, as
    /// `gtid_binlog_state` has it. [`GtidSet::parse`] reads it back.
    pub fn to_state_text(&self) -> String {
        match self {
            Self::MySql(set) => set.to_string(),
            Self::MariaDb(set) => set.to_state_text(),
        }
    }
}

impl PartialOrd for GtidSet {
    /// By inclusion; `None` when neither holds the other.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self.is_subset(other), other.is_subset(self)) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Less),
            (false, true) => Some(Ordering::Greater),
            (false, false) => None,
        }
    }
}

impl fmt::Display for GtidSet {
    /// On one line, as DM prints it: MySQL's sorted by UUID; MariaDB's one GTID a domain.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MySql(set) => set.fmt(f),
            Self::MariaDb(set) => set.fmt(f),
        }
    }
}
