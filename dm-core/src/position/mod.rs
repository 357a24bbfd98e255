//! Where in a stream something stands: binlog files, offsets, GTIDs and sets of them.
//!
//! Pure: text and bytes in, values out. Two positions compare only when they belong to one
//! stream, so every comparison here answers `Option`: `None` means *these two do not compare*,
//! and a caller has to treat that as an error, never as equal.
//!
//! A binlog offset says where in one server's files something stands; a GTID set says what has
//! happened, on whichever server. Sets compare by inclusion, which is a partial order: of two
//! servers that diverged neither set is the smaller one.

mod binlog;
mod gtid;
mod mariadb;
mod mysql;
mod mysql_binary;
mod serde_text;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use binlog::{BinlogFile, BinlogPos};
pub use gtid::{Gtid, GtidSet};
pub use mariadb::{MariaDbGtid, MariaDbGtidSet};
pub use mysql::{Intervals, MySqlGtidSet, Sid};

/// Which family of servers a stream comes from: they differ in GTIDs and in events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flavor {
    /// MySQL and its close relatives (Percona Server, Aurora, ...).
    #[default]
    MySql,
    /// MariaDB.
    MariaDb,
}

impl Flavor {
    /// DM's word for it: `mysql` or `mariadb`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MySql => "mysql",
            Self::MariaDb => "mariadb",
        }
    }
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Flavor {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        match text.to_ascii_lowercase().as_str() {
            "mysql" => Ok(Self::MySql),
            "mariadb" => Ok(Self::MariaDb),
            _ => Err(PositionError::Flavor(text.to_owned())),
        }
    }
}

/// Why a text or a sequence of bytes is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PositionError {
    /// Neither `mysql` nor `mariadb`.
    #[error("unknown flavor {0:?}: expected mysql or mariadb")]
    Flavor(String),
    /// Not `base.number`.
    #[error("binlog file name {0:?} is not of the form name.000001")]
    FileName(String),
    /// Not a file name and an offset.
    #[error("binlog position {0:?} is not of the form (file, offset) or file:offset")]
    Pos(String),
    /// Not a GTID or a set of them.
    #[error("GTID text {text:?}: {why}")]
    Gtid {
        /// What was read.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The binary form of a GTID set is cut short or holds impossible numbers.
    #[error("binary GTID set: {0}")]
    Bytes(&'static str),
    /// A MySQL GTID met a MariaDB set, or the other way round.
    #[error("a {gtid} GTID does not belong into a {set} GTID set")]
    Mixed {
        /// Flavor of the set.
        set: Flavor,
        /// Flavor of what should go in.
        gtid: Flavor,
    },
}

impl PositionError {
    fn gtid(text: &str, why: &'static str) -> Self {
        // An error message is no place for a set of a megabyte.
        Self::Gtid { text: text.chars().take(120).collect(), why }
    }
}

/// A point in a source's stream, by file and offset, by GTID set, or by both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// File and offset on the server that the stream was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binlog: Option<BinlogPos>,
    /// Everything that has been executed up to here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gtid: Option<GtidSet>,
}

impl Position {
    /// A position known by file and offset only.
    pub fn at(binlog: BinlogPos) -> Self {
        Self { binlog: Some(binlog), gtid: None }
    }

    /// A position known by its GTID set only.
    pub fn of_gtid(gtid: GtidSet) -> Self {
        Self { binlog: None, gtid: Some(gtid) }
    }

    /// True when nothing is known at all.
    pub fn is_empty(&self) -> bool {
        self.binlog.is_none() && self.gtid.is_none()
    }

    /// Compares by file and offset only.
    pub fn compare_binlog(&self, other: &Self) -> Option<Ordering> {
        self.binlog.as_ref()?.partial_cmp(other.binlog.as_ref()?)
    }

    /// Compares by GTID set first, where both have one; equal sets (inside one transaction) are
    /// told apart by file and offset, when these are of one stream.
    ///
    /// A side without a set, or with an empty one, is compared by file and offset.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        let (a, b) = match (&self.gtid, &other.gtid) {
            (Some(a), Some(b)) if !a.is_empty() || !b.is_empty() => (a, b),
            _ => return self.compare_binlog(other),
        };
        match a.partial_cmp(b) {
            Some(Ordering::Equal) => Some(self.compare_binlog(other).unwrap_or(Ordering::Equal)),
            unequal => unequal,
        }
    }

    /// The form that is stored: `file:offset;flavor:set`, either side empty when not known.
    ///
    /// Nothing is lost, unlike with `Display`, which prints a MariaDB set as the server's
    /// `gtid_slave_pos` does.
    pub fn to_text(&self) -> String {
        let binlog = self.binlog.as_ref().map(BinlogPos::to_colon_text).unwrap_or_default();
        match &self.gtid {
            Some(gtid) => format!("{binlog};{}:{}", gtid.flavor(), gtid.to_state_text()),
            None => format!("{binlog};"),
        }
    }

    /// Reads what [`Position::to_text`] wrote.
    pub fn from_text(text: &str) -> Result<Self, PositionError> {
        let bad = || PositionError::Pos(text.chars().take(120).collect());
        let (binlog, gtid) = text.rsplit_once(';').ok_or_else(bad)?;
        let binlog = if binlog.is_empty() { None } else { Some(binlog.parse()?) };
        let gtid = if gtid.is_empty() {
            None
        } else {
            let (flavor, set) = gtid.split_once(':').ok_or_else(bad)?;
            Some(GtidSet::parse(flavor.parse()?, set)?)
        };
        Ok(Self { binlog, gtid })
    }
}

impl fmt::Display for Position {
    /// DM's form: `position: (mysql-bin.000003, 154), gtid-set: ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.binlog {
            Some(pos) => write!(f, "position: {pos}")?,
            None => f.write_str("position: (, 0)")?,
        }
        match &self.gtid {
            Some(gtid) => write!(f, ", gtid-set: {gtid}"),
            None => f.write_str(", gtid-set: "),
        }
    }
}

#[cfg(test)]
mod tests;
