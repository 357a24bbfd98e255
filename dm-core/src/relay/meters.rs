//! What is measured of pulling a relay log, as long as the process that pulls lives.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::writer::Taken;
use crate::error::{Error, codes};
use crate::meter::{Histogram, Scale, Spread};

/// What the thread that pulls counts.
#[derive(Debug)]
pub(super) struct Meters {
    read: Histogram,
    transform: Histogram,
    write: Histogram,
    write_bytes: Histogram,
    read_errors: AtomicU64,
    write_errors: AtomicU64,
    corrupted: AtomicU64,
    resumable: AtomicU64,
    fatal: AtomicU64,
}

/// The same at one moment, for other processes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct RelayMeters {
    /// Waiting for an event of the server, seconds.
    pub read: Spread,
    /// Looking at an event that is kept in memory, seconds.
    pub transform: Spread,
    /// Writing events to the file, seconds.
    pub write: Spread,
    /// Length of an event, bytes.
    pub write_bytes: Spread,
    /// Errors of the server and of the way to it.
    pub read_errors: u64,
    /// Errors of the files here.
    pub write_errors: u64,
    /// Events whose checksum does not fit.
    pub corrupted: u64,
    /// Attempts that ended in an error and are made again.
    pub resumable: u64,
    /// Attempts that ended in an error that needs a person.
    pub fatal: u64,
}

impl Default for Meters {
    fn default() -> Self {
        let time = || Histogram::new(Scale::Time);
        Self {
            read: time(),
            transform: time(),
            write: time(),
            write_bytes: Histogram::new(Scale::Bytes),
            read_errors: AtomicU64::new(0),
            write_errors: AtomicU64::new(0),
            corrupted: AtomicU64::new(0),
            resumable: AtomicU64::new(0),
            fatal: AtomicU64::new(0),
        }
    }
}

impl Meters {
    /// An event came, and was taken; it stands for `weight` such events.
    pub fn event(&self, bytes: usize, waited: Duration, took: Duration, taken: Taken, weight: u64) {
        self.read.took(waited, weight);
        self.write_bytes.observe(bytes as u64, weight);
        match taken {
            Taken::Kept => self.transform.took(took, weight),
            Taken::Written => self.write.took(took, weight),
        }
    }

    /// An attempt ended in an error.
    pub fn failed(&self, error: &Error) {
        let code = error.code();
        let what = if *code == codes::BINLOG_CHECKSUM {
            &self.corrupted
        } else if [&codes::RELAY_WRITE, &codes::RELAY_META_FLUSH].contains(&code) {
            &self.write_errors
        } else {
            &self.read_errors
        };
        what.fetch_add(1, Ordering::Relaxed);
        let passes = if error.is_transient() { &self.resumable } else { &self.fatal };
        passes.fetch_add(1, Ordering::Relaxed);
    }

    /// How they stand.
    pub fn told(&self) -> RelayMeters {
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        RelayMeters {
            read: self.read.spread(),
            transform: self.transform.spread(),
            write: self.write.spread(),
            write_bytes: self.write_bytes.spread(),
            read_errors: get(&self.read_errors),
            write_errors: get(&self.write_errors),
            corrupted: get(&self.corrupted),
            resumable: get(&self.resumable),
            fatal: get(&self.fatal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart() {
        let meters = Meters::default();
        meters.failed(&Error::new(&codes::RELAY_READ, "away").transient());
        meters.failed(&Error::new(&codes::RELAY_WRITE, "full"));
        meters.failed(&Error::new(&codes::BINLOG_CHECKSUM, "bad"));
        let told = meters.told();
        assert_eq!((told.read_errors, told.write_errors, told.corrupted), (1, 1, 1));
        assert_eq!((told.resumable, told.fatal), (1, 2));
        let text = serde_json::to_string(&told).unwrap();
        assert_eq!(serde_json::from_str::<RelayMeters>(&text).unwrap(), told);
    }
}
